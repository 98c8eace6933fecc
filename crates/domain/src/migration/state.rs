//! What proofs make of a step.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{Evidence, PlannedStep, Step, StepId};
use crate::Timestamp;

/// What a look at a step found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename = "ProofVerdict")]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It has begun.
    Running,
    /// It holds.
    Passed,
    /// It does not hold.
    Failed,
    /// It was taken back: what was found before says nothing any more.
    Undone,
}

/// Who says so.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename = "ProofBasis")]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// It was measured.
    Measured,
    /// A person says so.
    Attested {
        /// Who.
        by: String,
    },
}

/// One thing found about a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Proof {
    /// When.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub at: Timestamp,
    /// What.
    pub verdict: Verdict,
    /// What was measured or seen.
    pub evidence: Vec<Evidence>,
    /// Who says so.
    pub basis: Basis,
}

/// Everything found so far, by step.
pub type Proofs = BTreeMap<StepId, Vec<Proof>>;

/// Where a step stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum StepState {
    /// Other steps come first.
    Blocked {
        /// Those that are neither proved nor skipped.
        missing: Vec<StepId>,
    },
    /// It can be done now.
    Ready,
    /// It is being done.
    Running {
        /// Since when.
        #[cfg_attr(feature = "specta", specta(type = String))]
        since: Timestamp,
    },
    /// It holds.
    Proved {
        /// When that was found.
        #[cfg_attr(feature = "specta", specta(type = String))]
        at: Timestamp,
        /// Whether a person says so, and no measurement.
        attested: bool,
    },
    /// It does not hold.
    Failed {
        /// When that was found.
        #[cfg_attr(feature = "specta", specta(type = String))]
        at: Timestamp,
    },
    /// It held too long ago to be sure of it.
    Stale {
        /// Since when the proof is none.
        #[cfg_attr(feature = "specta", specta(type = String))]
        since: Timestamp,
    },
    /// The owner leaves it out.
    Skipped {
        /// Why.
        why: String,
    },
}

impl StepState {
    /// Whether what needs this step may go on.
    pub fn is_met(&self) -> bool {
        matches!(self, Self::Proved { .. } | Self::Skipped { .. })
    }
}

/// The state of one step of a plan. What was found about the step itself comes before what it waits
/// for: a failure is no less a failure because another step is missing now.
pub fn state(
    planned: &PlannedStep,
    steps: &[PlannedStep],
    proofs: &Proofs,
    now: Timestamp,
) -> StepState {
    if let Some(state) = of_itself(planned, proofs, now) {
        return state;
    }
    let missing = missing(&planned.step, steps, proofs, now);
    if missing.is_empty() {
        StepState::Ready
    } else {
        StepState::Blocked { missing }
    }
}

/// The needs of a step that are not met. A step that the plan does not have is never met.
pub(super) fn missing(
    step: &Step,
    steps: &[PlannedStep],
    proofs: &Proofs,
    now: Timestamp,
) -> Vec<StepId> {
    let met = |need: &StepId| {
        let planned = steps.iter().find(|planned| planned.step.id == *need);
        planned
            .and_then(|planned| of_itself(planned, proofs, now))
            .is_some_and(|state| state.is_met())
    };
    step.needs
        .iter()
        .filter(|need| !met(need))
        .cloned()
        .collect()
}

/// The steps whose proof is out of date and that nothing left to do rests on: they have served, and
/// need no new proof. A step that no other needs is never one of them.
pub(super) fn served<'s>(
    steps: &'s [PlannedStep],
    states: &BTreeMap<StepId, StepState>,
) -> BTreeSet<&'s StepId> {
    let is_stale = |id: &StepId| matches!(states.get(id), Some(StepState::Stale { .. }));
    let is_met = |id: &StepId| states.get(id).is_some_and(StepState::is_met);
    let mut served: BTreeSet<&StepId> = BTreeSet::new();
    // Each round frees those that only what is met or served already needs.
    loop {
        let before = served.len();
        for planned in steps.iter().filter(|planned| is_stale(&planned.step.id)) {
            let id = &planned.step.id;
            let mut others = steps
                .iter()
                .filter(|other| other.step.needs.contains(id))
                .peekable();
            if others.peek().is_some()
                && others.all(|other| is_met(&other.step.id) || served.contains(&other.step.id))
            {
                served.insert(id);
            }
        }
        if served.len() == before {
            return served;
        }
    }
}

/// The state that follows from the step and its proofs alone.
fn of_itself(planned: &PlannedStep, proofs: &Proofs, now: Timestamp) -> Option<StepState> {
    if let Some(why) = &planned.skip
        && !why.trim().is_empty()
    {
        return Some(StepState::Skipped { why: why.clone() });
    }
    let proof = latest(&planned.step, proofs, now)?;
    let at = proof.at;
    match proof.verdict {
        Verdict::Undone => None,
        Verdict::Running => Some(StepState::Running { since: at }),
        Verdict::Failed => Some(StepState::Failed { at }),
        Verdict::Passed => Some(match expiry(&planned.step, at) {
            Some(since) if since <= now => StepState::Stale { since },
            _ => StepState::Proved {
                at,
                attested: proof.basis != Basis::Measured,
            },
        }),
    }
}

/// The latest proof that counts for a step: measured where a machine can measure, attested by
/// somebody where none can, and not from a time that has not come.
pub(super) fn latest<'p>(step: &Step, proofs: &'p Proofs, now: Timestamp) -> Option<&'p Proof> {
    let counts = |proof: &&Proof| {
        proof.at <= now
            && match &proof.basis {
                Basis::Measured => step.check.is_some(),
                Basis::Attested { by } => step.check.is_none() && !by.trim().is_empty(),
            }
    };
    // Of two at one moment the later in the list is the later.
    proofs
        .get(&step.id)?
        .iter()
        .filter(counts)
        .max_by_key(|proof| proof.at)
}

/// When a proof of this moment is none any more; `None` where it stays one.
pub(super) fn expiry(step: &Step, at: Timestamp) -> Option<Timestamp> {
    let days = step.expires_after?;
    // The end of time is no expiry that matters.
    at.checked_add(SignedDuration::from_hours(24 * i64::from(days)))
        .ok()
}
