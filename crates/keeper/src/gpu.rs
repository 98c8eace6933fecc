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

use forgekeeper_domain::{Timestamp, gpu::GpuSample, ids::GpuUuid};

/// Most cards of one reading: twice what the largest machines hold. A container says what it likes
/// where `nvidia-smi` is asked for.
pub(crate) const MOST_CARDS: usize = 32;
/// Most cards remembered of a host: one that tells of other cards each time has no more.
pub(crate) const MOST_REMEMBERED: usize = 2 * MOST_CARDS;
/// Most problems said of one reading.
const MOST_PROBLEMS: usize = 16;

/// One look at all cards of a source.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// When it was begun, where the answer may come long after that; `None`: just now.
    pub at: Option<Timestamp>,
    /// Driver version, when told.
    pub driver: Option<String>,
    /// Newest CUDA version that the driver supports, when told.
    pub cuda: Option<String>,
    /// Cards that were read.
    pub samples: Vec<GpuSample>,
    /// Cards that the driver calls lost.
    pub lost: Vec<SilentCard>,
    /// Cards that the driver counts and does not let be read now; said in `problems`, too.
    pub unread: Vec<SilentCard>,
    /// What else went wrong, in the driver's words.
    pub problems: Vec<String>,
    /// Containers that did not answer when all were asked last: cards that only they see are out of
    /// sight.
    pub silent: Vec<String>,
}

impl Reading {
    /// The reading with no more cards than a machine holds; what is left out is said.
    fn bounded(mut self) -> Self {
        let told = self.samples.len() + self.lost.len() + self.unread.len();
        self.samples.truncate(MOST_CARDS);
        self.lost.truncate(MOST_CARDS - self.samples.len());
        let left = MOST_CARDS - self.samples.len() - self.lost.len();
        self.unread.truncate(left);
        let more = self.problems.len().saturating_sub(MOST_PROBLEMS);
        if more > 0 {
            self.problems.truncate(MOST_PROBLEMS);
            self.problems.push(format!("{more} more problems"));
        }
        if told > MOST_CARDS {
            let problem = format!("{told} GPUs are told of: only {MOST_CARDS} of them are shown");
            self.problems.insert(0, problem);
        }
        self
    }
}

/// A card that is there, or was, and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilentCard {
    /// The card, when it was seen before or the driver still tells.
    pub uuid: GpuUuid,
    /// Its place as far as known.
    pub index: u32,
    /// The driver's words.
    pub message: String,
}
