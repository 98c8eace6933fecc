//! The public address turned from one service to another: one address changed in the `web.config` of an
//! IIS site, what answers before and after, and the way back.

pub(crate) mod back;
pub(crate) mod file;
pub(crate) mod look;
mod socket;
pub(crate) mod turn;
