//! `public.address`: the same request through the public address.
//!
//! The address is known, the measurement is not made by this version: unknown, never green.

use super::Check;
use crate::{cause::Cause, facts::Facts, ladder::Rung, outcome::Outcome};

pub(super) const CHECK: Check = Check {
    id: "public.address",
    rung: Rung::Public,
    judge: |facts| Some(judge(facts)),
};

fn judge(facts: &Facts) -> Outcome {
    if facts.public_configured {
        Outcome::unknown(Cause::NotMeasuredYet)
    } else {
        Outcome::not_configured(Cause::NotConfigured)
    }
}
