//! `models`: what it takes.

use std::path::PathBuf;

use clap::Args;
use forgekeeper_domain::ids::ServiceId;

#[derive(Debug, Args)]
pub(crate) struct ModelsArgs {
    /// Only the folders of this service
    #[arg(conflicts_with = "folder")]
    pub(crate) service: Option<ServiceId>,
    /// A folder of this machine instead of the services' own
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// Read files that seem to be the same from end to end, so that it is proved or refuted
    #[arg(long)]
    pub(crate) hash: bool,
}
