//! The ladder: eight rungs, each judged only when the one below holds.

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    cause::Cause,
    checks::{CHECKS, Check},
    facts::Facts,
    outcome::{Outcome, Status},
};

/// One level of a service's ladder, lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// The machine, or WSL, is awake.
    Host,
    /// The Docker API answers in time.
    Engine,
    /// PID 1 of the container.
    Container,
    /// The program inside it.
    Program,
    /// The service's HTTP API.
    Api,
    /// The last real picture.
    Image,
    /// The same through the public address.
    Public,
    /// What somebody without credentials gets.
    Stranger,
}

impl Rung {
    /// All rungs, lowest first.
    pub const ALL: [Rung; 8] = [
        Rung::Host,
        Rung::Engine,
        Rung::Container,
        Rung::Program,
        Rung::Api,
        Rung::Image,
        Rung::Public,
        Rung::Stranger,
    ];

    /// Whether a problem here concerns the whole host and not one service.
    pub fn is_of_host(self) -> bool {
        matches!(self, Rung::Host | Rung::Engine)
    }
}

/// A judged rung.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct RungOutcome {
    /// Which rung.
    pub rung: Rung,
    /// Stable id of the check that judged it, such as `api.models`; of several, the one that
    /// found the worst.
    pub check: String,
    /// The verdict.
    pub outcome: Outcome,
}

/// All rungs of one service, lowest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Ladder {
    /// Always the eight of [`Rung::ALL`], in order.
    pub rungs: Vec<RungOutcome>,
}

impl Ladder {
    /// Judges every rung. What stands above a broken rung is unknown, never failing by itself.
    pub fn climb(facts: &Facts, previous: Option<&Ladder>) -> Self {
        let mut broken = false;
        let rungs = Rung::ALL
            .into_iter()
            .map(|rung| {
                let (check, outcome) = judge(rung, facts, broken);
                broken |= outcome.status.blocks();
                let before = previous.and_then(|p| p.outcome(rung));
                RungOutcome {
                    rung,
                    check: check.to_owned(),
                    outcome: outcome.continuing(before).stamped(facts.now),
                }
            })
            .collect();
        Self { rungs }
    }

    /// The ladder of a service that is meant to be at rest since then. One whose container is down is
    /// as planned, and there is nothing above it to measure; any other ladder stays as it is.
    #[must_use]
    pub fn at_rest(mut self, since: Timestamp) -> Self {
        let container = self.outcome(Rung::Container);
        let down = container.filter(|outcome| {
            matches!(
                outcome.cause,
                Some(
                    Cause::ContainerExited
                        | Cause::ContainerKilled
                        | Cause::ContainerCreated
                        | Cause::ContainerMissing
                )
            )
        });
        let Some(checked_at) = down.map(|outcome| outcome.checked_at) else {
            return self;
        };
        for one in self.rungs.iter_mut().filter(|r| r.rung >= Rung::Container) {
            let resting = Outcome::not_configured(Cause::Resting).with("since", since);
            one.outcome = Outcome {
                checked_at,
                since: Some(since),
                ..resting
            };
        }
        self
    }

    /// The verdict of one rung.
    pub fn outcome(&self, rung: Rung) -> Option<&Outcome> {
        self.rungs
            .iter()
            .find(|r| r.rung == rung)
            .map(|r| &r.outcome)
    }

    /// Where the one incident opens: the lowest rung that is failing or asleep.
    ///
    /// A degraded rung carries what stands above it, so it is not broken; only where none is, the
    /// lowest degraded one counts. What passes by itself (a start) and what is advice give way to
    /// the others, so that neither hides a fault above it. A start that does not pass in its usual
    /// time is no longer degraded: the checks call it failing.
    pub fn lowest_broken(&self) -> Option<&RungOutcome> {
        let rank = |outcome: &Outcome| match outcome.status {
            status if status.blocks() => Some(0),
            Status::Degraded if outcome.transient => Some(3),
            Status::Degraded if outcome.cause.is_some_and(Cause::is_advice) => Some(2),
            Status::Degraded => Some(1),
            _ => None,
        };
        self.rungs
            .iter()
            .filter_map(|r| Some((rank(&r.outcome)?, r)))
            // Of equals the first, which is the lowest.
            .min_by_key(|(rank, _)| *rank)
            .map(|(_, r)| r)
    }

    /// One status for the whole service.
    ///
    /// The rungs up to `api` must be proved; those above count only once they were measured,
    /// so that a service without a test picture is not called unknown for ever.
    ///
    /// One that is at rest as planned is neither well nor broken.
    pub fn status(&self) -> Status {
        let container = self.outcome(Rung::Container);
        if container.is_some_and(|outcome| outcome.cause == Some(Cause::Resting)) {
            return Status::NotConfigured;
        }
        self.rungs
            .iter()
            .filter(|r| {
                r.rung <= Rung::Api
                    || !matches!(r.outcome.status, Status::Unknown | Status::NotConfigured)
            })
            .map(|r| r.outcome.status)
            // A rung that does not exist for this kind proves nothing and spoils nothing.
            .filter(|s| *s != Status::NotConfigured)
            .max_by_key(|s| match s {
                // Behind a broken rung everything is unknown: the break is the answer.
                Status::Unknown if self.lowest_broken().is_some() => 0,
                other => other.concern(),
            })
            .unwrap_or(Status::Unknown)
    }
}

/// The worst that the checks of a rung found; of two equally bad, the one earlier in [`CHECKS`].
fn judge(rung: Rung, facts: &Facts, below_broken: bool) -> (&'static str, Outcome) {
    let checks = || CHECKS.iter().filter(move |check| check.rung == rung);
    let first = checks().next().map_or("", |check| check.id);
    if below_broken {
        return (first, Outcome::unknown(Cause::RungBelow));
    }
    // What passes by itself is less bad than what stays.
    let badness = |o: &Outcome| (o.status.concern(), !o.transient);
    let ask = |check: &'static Check| Some((check.id, (check.judge)(facts)?));
    checks()
        .filter_map(ask)
        .reduce(|worst, next| {
            if badness(&next.1) > badness(&worst.1) {
                next
            } else {
                worst
            }
        })
        .unwrap_or((first, Outcome::unknown(Cause::NotMeasuredYet)))
}
