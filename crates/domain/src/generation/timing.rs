//! Where a generation's time went, and which card did the work.

use serde::{Deserialize, Serialize};

use crate::ids::HostId;

/// How long each part took, milliseconds. A part that could not be told apart is `None`, never 0.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GenerationTiming {
    /// Waiting behind other work.
    pub queue_ms: Option<u32>,
    /// Loading the model.
    pub load_ms: Option<u32>,
    /// Sampling steps.
    pub sampling_ms: Option<u32>,
    /// From the last step to the finished picture.
    pub decode_ms: Option<u32>,
    /// Fetching and unpacking it.
    pub transfer_ms: Option<u32>,
    /// Sampling steps a second, from the first step seen to the last one.
    pub steps_per_second: Option<f64>,
}

/// The card that did the work, by its own readings while the generation ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct CardUse {
    /// Whose card.
    pub host: HostId,
    /// Its key.
    pub uuid: String,
    /// As the driver names it.
    pub name: String,
    /// Memory in use before the generation, bytes.
    pub memory_before_bytes: Option<f64>,
    /// Most memory in use meanwhile, bytes.
    pub memory_peak_bytes: Option<f64>,
    /// Mean load meanwhile, percent.
    pub load_percent: Option<f64>,
    /// Whether a proof of placement stands behind it; else its readings alone.
    pub proved: bool,
}
