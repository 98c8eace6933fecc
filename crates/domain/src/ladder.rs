//! The ladder: eight rungs, each judged only when the one below holds.

use serde::{Deserialize, Serialize};

use crate::{
    cause::Cause,
    checks::CHECKS,
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
    /// Stable id of the check that judged it, such as `api.models`.
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
        let rungs = CHECKS
            .iter()
            .map(|check| {
                let outcome = if broken {
                    Outcome::unknown(Cause::RungBelow)
                } else {
                    (check.judge)(facts)
                };
                broken |= outcome.status.blocks();
                let before = previous.and_then(|p| p.outcome(check.rung));
                RungOutcome {
                    rung: check.rung,
                    check: check.id.to_owned(),
                    outcome: outcome.continuing(before),
                }
            })
            .collect();
        Self { rungs }
    }

    /// The verdict of one rung.
    pub fn outcome(&self, rung: Rung) -> Option<&Outcome> {
        self.rungs
            .iter()
            .find(|r| r.rung == rung)
            .map(|r| &r.outcome)
    }

    /// The lowest rung that is failing, degraded or asleep: where the one incident opens.
    pub fn lowest_broken(&self) -> Option<&RungOutcome> {
        let blocked = self.rungs.iter().find(|r| r.outcome.status.blocks());
        blocked.or_else(|| {
            self.rungs
                .iter()
                .find(|r| r.outcome.status == Status::Degraded)
        })
    }

    /// One status for the whole service.
    ///
    /// The rungs up to `api` must be proved; those above count only once they were measured,
    /// so that a service without a test picture is not called unknown for ever.
    pub fn status(&self) -> Status {
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
