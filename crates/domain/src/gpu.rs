//! GPU cards and their readings. Each value is optional: what the driver does not tell is unknown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ids::GpuUuid, outcome::Outcome};

pub mod smi;

/// One reading of one card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GpuSample {
    /// The card.
    pub uuid: GpuUuid,
    /// Index in the driver's order (PCI bus order), which CUDA does not share.
    pub index: u32,
    /// Name from the driver.
    pub name: String,
    /// When it was read.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub at: Timestamp,
    /// Compute load in percent.
    pub load_percent: Option<u32>,
    /// Used memory in bytes.
    #[cfg_attr(feature = "specta", specta(type = Option<f64>))]
    pub memory_used: Option<u64>,
    /// Memory in bytes.
    #[cfg_attr(feature = "specta", specta(type = Option<f64>))]
    pub memory_total: Option<u64>,
    /// Degrees Celsius.
    pub temperature_c: Option<u32>,
    /// Slowdown threshold from the driver, degrees Celsius.
    pub slowdown_c: Option<u32>,
    /// Watts.
    pub power_w: Option<f64>,
    /// Enforced limit in watts.
    pub power_limit_w: Option<f64>,
}

/// Where the readings come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum GpuSourceInfo {
    /// The driver's own library on this machine.
    Nvml {
        /// Driver version.
        driver: String,
    },
    /// `nvidia-smi` run inside a container.
    NvidiaSmi {
        /// Which container.
        container: String,
        /// Driver version, when told.
        driver: Option<String>,
    },
    /// No GPU can be reached; not the same as no load.
    None {
        /// What was tried and how each ended.
        tried: Vec<String>,
    },
}

/// A card as shown: identity, newest reading, one minute of load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GpuCard {
    /// The newest reading.
    pub latest: GpuSample,
    /// Load in percent, one value a second, oldest first, at most 60; `null` is a gap.
    pub load_history: Vec<Option<u32>>,
    /// Whether the newest reading is of this moment (younger than 5 s).
    pub current: bool,
    /// `gpu.lost`, `gpu.hot` or ok.
    pub outcome: Outcome,
}

/// All cards of one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GpuView {
    /// Where the readings come from.
    pub source: GpuSourceInfo,
    /// Cards by index.
    pub cards: Vec<GpuCard>,
    /// Last attempt to read.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub checked_at: Option<Timestamp>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}
