//! Facts of the checks that stand beside the first one of their rung.

use jiff::Timestamp;

use crate::{
    config::Lost,
    ids::{ServiceId, SnapshotId},
};

/// Free space of one mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountSpace {
    /// Path inside the container.
    pub mount: String,
    /// Bytes that the program may still write (`statvfs`).
    pub free_bytes: u64,
    /// Size in bytes.
    pub total_bytes: u64,
}

/// The tag of an image as its registry has it now, for the platform in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryFact {
    /// Image reference that was asked for.
    pub image: String,
    /// Digest of the tag's manifest.
    pub digest: String,
    /// When that build was made, from the image's configuration.
    pub built_at: Timestamp,
}

/// The folder that holds settings, models and pictures (`forge-container.md` §10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspaceFact {
    /// Path inside the container.
    pub path: String,
    /// Whether it is a mount; otherwise it goes with the container.
    pub mounted: bool,
    /// The line of the log that says that it is none.
    pub line: Option<String>,
}

/// A service that writes a settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    /// Which.
    pub service: ServiceId,
    /// Its container.
    pub container: String,
}

/// A settings file that several services write, each the whole of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedFile {
    /// Its path on the engine's machine.
    pub file: String,
    /// The other services.
    pub others: Vec<Writer>,
    /// The one whose container came last, when that is another: one problem, told once.
    pub told_on: Option<ServiceId>,
}

/// One thing wrong with a program's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigTrouble {
    /// Another service writes the same file.
    SecondWriter(SharedFile),
    /// The file was set aside and defaults were loaded.
    Reset {
        /// What was lost by it; `None` while that is not known.
        lost: Option<Lost>,
        /// The line of the log that says so.
        line: Option<String>,
        /// Where the file lies now.
        moved_to: Option<String>,
        /// The newest snapshot in which the settings were well.
        snapshot: Option<SnapshotId>,
    },
    /// No checkpoint is selected any more.
    ModelUnset {
        /// The one that was.
        was: String,
        /// The request that did it, when the log shows it.
        request: Option<String>,
        /// The newest snapshot in which the settings were well.
        snapshot: Option<SnapshotId>,
    },
}

/// A log compared with what its program is known to have done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFact {
    /// Newest line that the stream brought of the program; `None` when there is none.
    pub last_line_at: Option<Timestamp>,
    /// The program's own file, where that is read because the stream stands still.
    pub file: Option<String>,
    /// The program's newest deed that always leaves a line, such as the end of a generation.
    pub deed_at: Option<Timestamp>,
    /// The log says that the program lost its CUDA context.
    pub context_lost: Option<ContextLost>,
}

/// A line that says that the CUDA context is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextLost {
    /// Id of its signature.
    pub signature: String,
    /// The line, shortened.
    pub line: String,
    /// When it was written.
    pub at: Option<Timestamp>,
}
