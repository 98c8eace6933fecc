//! `snapshot`: its verbs and what they take.

use clap::{Args, Subcommand};
use forgekeeper_domain::ids::ServiceId;

#[derive(Debug, Args)]
pub(crate) struct SnapshotArgs {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: SnapshotCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SnapshotCommand {
    /// Take one now
    Take {
        /// The service
        service: ServiceId,
    },
    /// List those that there are, newest first
    List {
        /// Only this service
        service: Option<ServiceId>,
    },
    /// What one holds
    Show {
        /// Its id, or a beginning that only one has
        id: String,
    },
    /// What changed between two, key by key and by whom
    Diff {
        /// The older one: its id, a beginning that only one has, or good:SERVICE, the last that was well
        before: String,
        /// The younger one; left out, the newest of the same service
        after: Option<String>,
    },
    /// Read everything that one keeps, and say what is not as it was
    Verify {
        /// Its id, or a beginning that only one has
        id: String,
    },
}
