//! GPU cards and their readings. Each value is optional: what the driver does not tell is unknown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::outcome::Outcome;

pub mod condition;
pub mod history;
pub mod sample;
pub mod shares;
pub mod smi;
pub mod table;
pub mod throttle;

pub use sample::{GpuProcess, GpuSample, PcieLink, is_late};
pub use shares::Shares;
pub use throttle::Throttle;

/// Where the readings come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum GpuSourceInfo {
    /// The driver's own library on this machine.
    Nvml {
        /// Driver version, when it is told.
        driver: Option<String>,
        /// Newest CUDA version that the driver supports, such as `12.8`.
        cuda: Option<String>,
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
    /// Whether the newest reading is of this moment: the next one is not overdue yet. A source that is
    /// asked once a second is overdue after 5 s, a slow one after two and a half of its periods.
    pub current: bool,
    /// The gravest of what is wrong with it, or ok.
    pub outcome: Outcome,
    /// Everything else that is wrong with it, gravest first.
    pub remarks: Vec<Outcome>,
    /// Who holds its memory; `None` while nothing current is known of it.
    pub shares: Option<Shares>,
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
