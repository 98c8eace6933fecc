//! The error codes that cross the wire, and the shape in which they do.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal,)+) => {
        /// What went wrong, for the window and the command line to decide by.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "specta", derive(specta::Type))]
        pub enum ErrorCode {
            $($(#[$doc])* #[serde(rename = $code)] $variant,)+
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &[ErrorCode] = &[$(ErrorCode::$variant,)+];

            /// The stable code.
            pub fn code(self) -> &'static str {
                match self { $(ErrorCode::$variant => $code,)+ }
            }
        }
    };
}

error_codes! {
    /// The request itself is wrong (a value out of range, an unknown name).
    BadRequest = "bad_request",
    /// No service has this id.
    UnknownService = "unknown_service",
    /// No job has this id, or it ended long ago.
    UnknownJob = "unknown_job",
    /// Not allowed in the present state; a warning, not a failure.
    Refused = "refused",
    /// The settings file cannot be read or is wrong.
    Settings = "settings",
    /// The engine cannot be reached.
    Engine = "engine",
    /// The engine did not answer in time.
    EngineTimeout = "engine_timeout",
    /// The engine refused the action with its own words.
    EngineRefusedAction = "engine_refused_action",
    /// The container does not exist.
    ContainerMissing = "container_missing",
    /// The host port is taken.
    PortInUse = "port_in_use",
    /// The NVIDIA runtime refused.
    GpuRuntime = "gpu_runtime",
    /// The service's API cannot be reached or answers wrongly.
    Api = "api",
    /// The service wants credentials or refuses those given.
    Unauthorized = "unauthorized",
    /// CUDA ran out of memory.
    OutOfMemory = "out_of_memory",
    /// The CUDA context is broken.
    CudaContextLost = "cuda_context_lost",
    /// A picture could not be decoded within the limits.
    BadPicture = "bad_picture",
    /// A picture is of one colour and proves nothing.
    BlankPicture = "blank_picture",
    /// The proof did not come within the time allowed.
    NotProved = "not_proved",
    /// The user or the shutdown cancelled it.
    Cancelled = "cancelled",
    /// No such picture is stored.
    PictureMissing = "picture_missing",
    /// The keyring is not available; secrets live in memory only.
    KeyringUnavailable = "keyring_unavailable",
    /// A file could not be read or written.
    Io = "io",
    /// A file could not be written for want of room.
    DiskFull = "disk_full",
    /// The system does not allow a file to be written there.
    NotAllowed = "not_allowed",
    /// The history database failed.
    Store = "store",
    /// The filter expression is no regular expression.
    BadFilter = "bad_filter",
    /// A file is no workflow in ComfyUI's API format.
    BadWorkflow = "bad_workflow",
    /// A file is a workflow as ComfyUI's editor saves it, which its API does not take.
    EditorWorkflow = "editor_workflow",
    /// The service works at something that would be disturbed.
    ServiceBusy = "service_busy",
    /// Too little memory is free on a card.
    GpuMemoryLow = "gpu_memory_low",
    /// No card can be read, or one is lost.
    GpuUnreadable = "gpu_unreadable",
    /// What was shown is not what is there any more.
    ChangedMeanwhile = "changed_meanwhile",
    /// A defect of Forgekeeper.
    Internal = "internal",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An error as it leaves the keeper: code to decide by, sentences to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[error("{message}")]
pub struct ErrorInfo {
    /// What to decide by.
    pub code: ErrorCode,
    /// What happened, in English, one sentence without blame.
    pub message: String,
    /// The next step, when there is one.
    pub hint: Option<String>,
    /// The other side's own words, or the technical chain; hostile until escaped.
    pub detail: Option<String>,
}

impl ErrorInfo {
    /// A code and its sentence.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            detail: None,
        }
    }

    /// Adds the next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the technical detail.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}
