//! The verbs of `migration` that decide: `target`, `iis`, `decide`, `vote`.

use clap::{Args, Subcommand, ValueEnum};
use forgekeeper_domain::golden::Vote;

#[derive(Debug, Args)]
pub(crate) struct SettingsArgs {
    /// What to do; left out, the values are shown
    #[command(subcommand)]
    pub(crate) command: Option<SettingsCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SettingsCommand {
    /// The values, and what was found that they could be
    Show,
    /// Write a value
    Set {
        /// Which, such as port
        key: String,
        /// What it is
        value: String,
        /// Only say what would change in the file
        #[arg(long)]
        dry_run: bool,
    },
    /// Take a value out again
    Unset {
        /// Which
        key: String,
        /// Only say what would change in the file
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DecideArgs {
    /// The extension, by the name of its folder
    pub(crate) extension: String,
    #[command(flatten)]
    pub(crate) how: DecideHow,
    /// Why
    #[arg(long, value_name = "TEXT", conflicts_with = "clear")]
    pub(crate) note: Option<String>,
}

/// One of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct DecideHow {
    /// These custom nodes take its place: the name of their folder
    #[arg(long, value_name = "NODE")]
    pub(crate) adopt: Option<String>,
    /// Nothing has to take its place
    #[arg(long)]
    pub(crate) not_needed: bool,
    /// It is to be decided later
    #[arg(long)]
    pub(crate) open: bool,
    /// Take the decision back
    #[arg(long)]
    pub(crate) clear: bool,
}

/// Whose picture is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Preferred {
    /// That of the service that is replaced
    Old,
    /// That of the target
    New,
    /// They are as good as each other
    Equal,
    /// Neither is usable
    Neither,
}

impl From<Preferred> for Vote {
    fn from(preferred: Preferred) -> Self {
        match preferred {
            Preferred::Old => Self::Reference,
            Preferred::New => Self::Candidate,
            Preferred::Equal => Self::Equal,
            Preferred::Neither => Self::Neither,
        }
    }
}
