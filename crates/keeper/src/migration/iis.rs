//! The public address turned from one service to another: one address changed in the `web.config` of an
//! IIS site, what answers before and after, and the way back.

pub(crate) mod back;
pub(crate) mod file;
pub(crate) mod look;
mod socket;
pub(crate) mod turn;

use std::path::Path;

use forgekeeper_domain::migration::iis::{Source, WebConfig};

/// The names of the rules in a file; `None` where it cannot be read.
pub(crate) fn rules_of(path: &Path) -> Option<Vec<String>> {
    let bytes = file::read(path).ok()?;
    let config = WebConfig::read(&Source::read(&bytes).ok()?).ok()?;
    Some(config.rules.into_iter().map(|rule| rule.name).collect())
}
