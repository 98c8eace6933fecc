//! `container.freshness`: somebody still builds the image.

use super::{Check, fresh_beside, seconds};
use crate::{cause::Cause, facts::Facts, ladder::Rung, outcome::Outcome};

pub(super) const CHECK: Check = Check {
    id: "container.freshness",
    rung: Rung::Container,
    judge,
};

/// An image whose newest build is older than this many days gets no security fixes any more.
const ABANDONED_AFTER_DAYS: i64 = 365;
/// The registry is asked daily; an answer is believed for two days, in seconds.
const BELIEVED_S: i64 = 2 * DAY_S;
const DAY_S: i64 = 86_400;

fn judge(facts: &Facts) -> Option<Outcome> {
    // Old news of something that changes within months is no reason to call a rung unknown.
    let measured = fresh_beside(facts.registry.as_ref(), facts.now, BELIEVED_S)?.ok()?;
    let days = seconds(measured.value.built_at, facts.now) / DAY_S;
    (days > ABANDONED_AFTER_DAYS).then(|| {
        Outcome::degraded(Cause::FreshnessAbandoned, measured.at)
            .with("image", &measured.value.image)
            .with("built_at", measured.value.built_at)
            .with("days", days)
    })
}
