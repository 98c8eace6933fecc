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
    /// Keep one for good: it is never removed for its age or the room it takes
    Pin {
        /// Its id, or a beginning that only one has
        id: String,
    },
    /// Let one go with its age again
    Unpin {
        /// Its id, or a beginning that only one has
        id: String,
    },
    /// Remove one, whole or damaged; without --yes it only says which
    Remove {
        /// Its id, or a beginning that only one has
        id: String,
        /// Do it: it cannot be taken back
        #[arg(long)]
        yes: bool,
    },
    /// Put configuration back as a snapshot has it; without --yes it only says what that would do
    Restore {
        /// Its id, a beginning that only one has, good:SERVICE or newest:SERVICE
        snapshot: String,
        /// Only this part, as `snapshot show` names it
        #[arg(long, value_name = "PART")]
        part: Option<String>,
        /// Only this file of a part that has more than one
        #[arg(long, value_name = "FILE", requires = "part")]
        path: Option<String>,
        /// Only this key, as `snapshot diff` prints it; of the settings file when no part is named
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
        #[command(flatten)]
        how: RestoreHow,
    },
    /// Take the last restore of a service back; without --yes it only says what that would do
    Undo {
        /// The service
        service: ServiceId,
        #[command(flatten)]
        how: RestoreHow,
    },
    /// Restore the newest snapshot into a scratch folder and compare every byte
    Drill {
        /// Only this service
        service: Option<ServiceId>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RestoreHow {
    /// Say what would be done, and do nothing
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// Do it
    #[arg(long)]
    pub(crate) yes: bool,
    /// Accept that a running generation is lost
    #[arg(long)]
    pub(crate) force: bool,
}
