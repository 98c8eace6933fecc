//! Test generations: request, progress, result and what a picture proves.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    error::ErrorInfo,
    ids::{JobId, ServiceId},
};

pub mod blank;
mod card;
pub mod from_graph;
pub mod infotext;
pub mod lora;
pub mod presets;
pub mod read;
pub mod request;
pub mod room;
pub mod samplers;
mod substitution;
pub mod timing;
pub mod upscalers;
pub mod workflow;

pub use card::{CardWatch, Moment, Whereabouts};
pub use presets::{OwnPreset, PRESETS, Preset};
pub use read::{ParameterSource, ReadParameters};
pub use request::{GenerationRequest, Hires, RequestProblem, Seed, Variation};
pub use room::{Room, RoomBasis, RoomCard, RoomVerdict};
pub use substitution::{Replaced, Substitution};
pub use timing::{CardUse, GenerationTiming, StageClock};

/// What a finished generation proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum GenerationVerdict {
    /// Pictures came, decoded, and show something.
    Proved,
    /// At least one picture is of one colour.
    Blank,
    /// What came could not be decoded within the limits.
    Undecodable,
    /// CUDA ran out of memory.
    OutOfMemory,
    /// The CUDA context is broken.
    CudaContextLost,
    /// Interrupted on request.
    Interrupted,
    /// The server refused or failed in its own words.
    Failed,
}

impl GenerationVerdict {
    /// As on the wire and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Blank => "blank",
            Self::Undecodable => "undecodable",
            Self::OutOfMemory => "out_of_memory",
            Self::CudaContextLost => "cuda_context_lost",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }
}

/// Where a running generation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum GenerationStage {
    /// Sent; the server has not begun it (or cannot be told from another's work).
    Waiting,
    /// The server works on it, and nothing tells at what.
    AtWork,
    /// Loading the model.
    LoadingModel,
    /// Sampling steps.
    Sampling,
    /// Decoding and transferring.
    Finishing,
}

/// Progress of a running generation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GenerationProgress {
    /// Where it is.
    pub stage: GenerationStage,
    /// 0 to 1; `None` while the server gives no usable number.
    pub fraction: Option<f64>,
    /// Sampling step.
    pub step: Option<u32>,
    /// Steps asked for.
    pub steps: Option<u32>,
    /// Seconds left; `None` while the server's estimate is unusable.
    pub eta_s: Option<f64>,
    /// Path of the live preview below the picture protocol, when one came.
    pub preview: Option<String>,
    /// Generations of others that the server does first; `None` while it is not told.
    #[serde(default)]
    pub queue_ahead: Option<u32>,
}

/// One picture that came back and was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Picture {
    /// SHA-256 of the file, 64 hex digits; its name in the store and below the picture protocol.
    pub hash: String,
    /// Real pixels, from the decoded file.
    pub width: u32,
    /// Real pixels.
    pub height: u32,
    /// File size.
    pub bytes: u32,
    /// Seed of this picture as the server tells it.
    pub seed: Option<Seed>,
    /// Of one colour.
    pub blank: bool,
}

/// One generation from request to result, as kept in the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GenerationRecord {
    /// The job that made it.
    pub id: JobId,
    /// On which service.
    pub service: ServiceId,
    /// As asked.
    pub request: GenerationRequest,
    /// When it was sent.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub started_at: Timestamp,
    /// From request to decoded picture, milliseconds.
    pub took_ms: u32,
    /// What it proved.
    pub verdict: GenerationVerdict,
    /// Pictures in order.
    pub pictures: Vec<Picture>,
    /// What the server replaced silently.
    pub substitutions: Vec<Substitution>,
    /// The server's own parameter text (infotext); one made from the request where it writes none.
    pub parameters: Option<String>,
    /// Model used, as the server tells it, or as it was told to use.
    pub model: Option<String>,
    /// Why it failed.
    pub error: Option<ErrorInfo>,
    /// Where the time went, as far as it could be told apart.
    #[serde(default)]
    pub timing: Option<GenerationTiming>,
    /// The card that did the work, where one was seen doing it.
    #[serde(default)]
    pub card: Option<CardUse>,
    /// It is known that no card did: proved, or said by the service itself.
    #[serde(default)]
    pub on_cpu: bool,
    /// The workflow of one's own that the request was put into.
    #[serde(default)]
    pub workflow: Option<String>,
}

/// Names a service offers for a request; lists come from the server, never from a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GenerationChoices {
    /// Sampler names.
    pub samplers: Vec<String>,
    /// Scheduler labels.
    pub schedulers: Vec<String>,
    /// Model titles.
    pub models: Vec<String>,
    /// Upscaler names for the second pass.
    pub upscalers: Vec<String>,
    /// Files of separate VAEs and text encoders.
    pub modules: Vec<String>,
    /// LoRA names, as `<lora:NAME:weight>` in the prompt takes them.
    pub loras: Vec<String>,
}
