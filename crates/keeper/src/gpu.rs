//! GPU readings: the driver's own library on this machine, else `nvidia-smi` in a container, else none.

mod cards;
mod door;
pub mod nvml;
pub mod past;
mod smi;
pub mod source;

pub(crate) use door::CloseLook;
pub use door::GpuHandle;
pub use source::{GpuActor, GpuConfig, GpuContainer, GpuExec, GpuPlace};

use forgekeeper_domain::{gpu::GpuSample, ids::GpuUuid};

/// One look at all cards of a source.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// Driver version, when told.
    pub driver: Option<String>,
    /// Newest CUDA version that the driver supports, when told.
    pub cuda: Option<String>,
    /// Cards that were read.
    pub samples: Vec<GpuSample>,
    /// Cards that the driver calls lost.
    pub lost: Vec<LostCard>,
    /// What else went wrong: a card that cannot be opened, in the driver's words.
    pub problems: Vec<String>,
    /// Containers that did not answer when all were asked last: cards that only they see are out of
    /// sight.
    pub silent: Vec<String>,
}

/// A card that fell off the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostCard {
    /// The card, when it was seen before or the driver still tells.
    pub uuid: GpuUuid,
    /// Its place as far as known.
    pub index: u32,
    /// The driver's words.
    pub message: String,
}
