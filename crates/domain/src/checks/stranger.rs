//! `stranger.address`: what somebody without credentials gets.
//!
//! The address is known, the measurement is not made by this version: unknown, never green.

use super::Check;
use crate::{cause::Cause, facts::Facts, ladder::Rung, outcome::Outcome};

pub(super) const CHECK: Check = Check {
    id: "stranger.address",
    rung: Rung::Stranger,
    judge: |facts| Some(judge(facts)),
};

fn judge(facts: &Facts) -> Outcome {
    if facts.public_configured {
        Outcome::unknown(Cause::NotMeasuredYet)
    } else {
        Outcome::not_configured(Cause::NotConfigured)
    }
}
