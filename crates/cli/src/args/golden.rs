//! Options of golden prompts.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What to do with golden prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GoldenVerb {
    /// Run a set and keep what comes
    Record,
    /// Run a set and compare it with an earlier run
    Replay,
    /// Compare two earlier runs
    Compare,
}

#[derive(Debug, Args)]
pub(crate) struct GoldenArgs {
    /// Golden prompts instead of one picture: run a set, run it again, or compare two runs
    #[arg(long, value_name = "VERB", requires = "set", conflicts_with_all = ["prompt", "batch", "workflow", "print_graph"])]
    pub(crate) golden: Option<GoldenVerb>,
    /// Name of the golden set
    #[arg(long, value_name = "NAME", requires = "golden")]
    pub(crate) set: Option<String>,
    /// Make the set of this file first, one prompt a line, with the other options for all of them;
    /// seeds count up from --seed, 1 when left out
    #[arg(long, value_name = "FILE", requires = "golden")]
    pub(crate) prompts: Option<PathBuf>,
    /// Compare with the first complete run on this service, or with the run of this id
    #[arg(long, value_name = "SERVICE|RUN", requires = "golden")]
    pub(crate) against: Option<String>,
    /// Also write the comparison as a table (CSV); never overwritten
    #[arg(long, value_name = "FILE", requires = "golden")]
    pub(crate) csv: Option<PathBuf>,
}
