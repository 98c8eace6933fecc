//! `backup`: its verbs and what they take.

use clap::{Args, Subcommand, ValueEnum};
use forgekeeper_domain::backup::BackupMode;

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: BackupCommand,
    /// Copy this folder instead of the one in the settings
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) source: Option<String>,
    /// Copy into this folder instead of the one in the settings
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) target: Option<String>,
    /// What the target looks like: as the source, or with a folder for each run
    #[arg(long, value_name = "MODE", global = true)]
    pub(crate) mode: Option<Mode>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// As the source is
    Mirror,
    /// A folder for each run
    Dated,
}

impl From<Mode> for BackupMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Mirror => Self::Mirror,
            Mode::Dated => Self::Dated,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub(crate) enum BackupCommand {
    /// Copy, or go on where a run was broken off
    Run,
    /// What a run would do; nothing is written
    Plan,
    /// Read everything that was copied, and say what is not as it was
    Verify,
    /// What came of the last run
    Status,
}
