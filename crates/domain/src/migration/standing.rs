//! The whole plan at one moment: states, counts, what is next, dates.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{
    OwnPlan, Phase, PhaseId, Plan, PlannedStep, Proof, Proofs, StepDates, StepId, StepState, dates,
    state,
    state::{latest, missing, served},
};
use crate::Timestamp;

/// How many steps are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Counts {
    /// Other steps come first.
    pub blocked: u32,
    /// Can be done.
    pub ready: u32,
    /// Being done.
    pub running: u32,
    /// Proved by a measurement.
    pub measured: u32,
    /// Proved by a person's word.
    pub attested: u32,
    /// Found not to hold.
    pub failed: u32,
    /// Proved too long ago.
    pub stale: u32,
    /// Left out.
    pub skipped: u32,
}

impl Counts {
    /// An old proof that has served stays counted as one: what rested on it is done.
    fn of<'s>(
        states: impl Iterator<Item = (&'s StepId, &'s StepState)>,
        served: &BTreeSet<&StepId>,
    ) -> Self {
        let mut counts = Self::default();
        for (id, state) in states {
            *match state {
                StepState::Stale { .. } if served.contains(id) => &mut counts.measured,
                StepState::Blocked { .. } => &mut counts.blocked,
                StepState::Ready => &mut counts.ready,
                StepState::Running { .. } => &mut counts.running,
                StepState::Proved {
                    attested: false, ..
                } => &mut counts.measured,
                StepState::Proved { attested: true, .. } => &mut counts.attested,
                StepState::Failed { .. } => &mut counts.failed,
                StepState::Stale { .. } => &mut counts.stale,
                StepState::Skipped { .. } => &mut counts.skipped,
            } += 1;
        }
        counts
    }

    /// Steps in all.
    pub fn total(&self) -> u32 {
        self.done() + self.blocked + self.ready + self.running + self.failed + self.stale
    }

    /// Steps that hold up nothing any more: proved or skipped.
    pub fn done(&self) -> u32 {
        self.measured + self.attested + self.skipped
    }
}

/// One phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseStanding {
    /// The phase.
    pub phase: Phase,
    /// Its steps in the owner's order.
    pub steps: Vec<PlannedStep>,
    /// How many are in which state.
    pub counts: Counts,
}

/// The plan as proofs leave it at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// When.
    pub at: Timestamp,
    /// The phases in order.
    pub phases: Vec<PhaseStanding>,
    /// The state of each step.
    pub states: BTreeMap<StepId, StepState>,
    /// The proof that each state rests on.
    pub proofs: BTreeMap<StepId, Proof>,
    /// The dates of each step.
    pub dates: BTreeMap<StepId, StepDates>,
    /// How many steps are in which state.
    pub counts: Counts,
    /// The first step that can be done now: ready, to be done again, or to be proved anew because
    /// something left to do rests on it.
    pub next: Option<StepId>,
    /// The time zone of dates.
    pub zone: TimeZone,
}

impl Standing {
    /// Judges a plan.
    pub fn of(own: &OwnPlan, proofs: &Proofs, now: Timestamp, zone: &TimeZone) -> Self {
        let steps = own.steps();
        let states: BTreeMap<StepId, StepState> = steps
            .iter()
            .map(|planned| (planned.step.id.clone(), state(planned, &steps, proofs, now)))
            .collect();
        let served = served(&steps, &states);
        let can_be_done = |planned: &&PlannedStep| match states.get(&planned.step.id) {
            Some(StepState::Ready) => true,
            Some(StepState::Stale { .. }) if served.contains(&planned.step.id) => false,
            Some(StepState::Failed { .. } | StepState::Stale { .. }) => {
                missing(&planned.step, &steps, proofs, now).is_empty()
            }
            _ => false,
        };
        let next = steps
            .iter()
            .find(can_be_done)
            .map(|planned| planned.step.id.clone());
        let latest = steps.iter().filter_map(|planned| {
            let proof = latest(&planned.step, proofs, now)?;
            Some((planned.step.id.clone(), proof.clone()))
        });
        Self {
            at: now,
            phases: Plan::built_in()
                .phases
                .iter()
                .map(|phase| of_phase(phase, &steps, &states, &served))
                .collect(),
            proofs: latest.collect(),
            dates: dates(&steps, &states, proofs, now, zone),
            counts: Counts::of(states.iter(), &served),
            next,
            states,
            zone: zone.clone(),
        }
    }

    /// A phase by its name.
    pub fn phase(&self, id: PhaseId) -> Option<&PhaseStanding> {
        self.phases.iter().find(|standing| standing.phase.id == id)
    }
}

fn of_phase(
    phase: &Phase,
    steps: &[PlannedStep],
    states: &BTreeMap<StepId, StepState>,
    served: &BTreeSet<&StepId>,
) -> PhaseStanding {
    let steps: Vec<PlannedStep> = steps
        .iter()
        .filter(|planned| planned.step.phase == phase.id)
        .cloned()
        .collect();
    let of_phase = steps
        .iter()
        .filter_map(|planned| states.get_key_value(&planned.step.id));
    let counts = Counts::of(of_phase, served);
    PhaseStanding {
        phase: phase.clone(),
        steps,
        counts,
    }
}
