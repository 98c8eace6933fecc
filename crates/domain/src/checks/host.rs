//! `host.awake`: WSL awake, or the machine reachable.

use super::{Check, fresh};
use crate::{
    cause::Cause,
    facts::{Facts, HostFact},
    ladder::Rung,
    outcome::Outcome,
};

pub(super) const CHECK: Check = Check {
    id: "host.awake",
    rung: Rung::Host,
    judge: |facts| Some(judge(facts)),
};

fn judge(facts: &Facts) -> Outcome {
    let host = match fresh(facts.host.as_ref(), facts.now) {
        Ok(host) => host,
        Err(outcome) => return outcome,
    };
    match &host.value {
        HostFact::Reachable => Outcome::ok(host.at),
        HostFact::Asleep { distribution } => {
            Outcome::asleep(Cause::HostAsleep, host.at).with("distribution", distribution)
        }
        HostFact::Unreachable { reason } => {
            Outcome::failing(Cause::HostUnreachable, host.at).with("detail", reason)
        }
    }
}
