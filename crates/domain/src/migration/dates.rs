//! When each step was, is or will be done, as far as anything is known of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{ToSpan as _, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{
    Days, PlannedStep, Proofs, StepId, StepState,
    state::{latest, served},
};
use crate::Timestamp;

/// A day that is not known exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Window {
    /// The first day it can be.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub earliest: Date,
    /// The last.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub latest: Date,
}

/// What a date rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum DateBasis {
    /// The day of the proof.
    Proved,
    /// The step has begun, and takes its duration from then.
    Begun,
    /// The owner's date.
    Assigned,
    /// Durations, counted from the last proof or from an assigned date.
    Computed,
    /// Nothing: no date is known.
    Unknown,
    /// The step is left out and has no date.
    Skipped,
}

/// The dates of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct StepDates {
    /// When it begins. Not known of a step that is proved.
    pub start: Option<Window>,
    /// The day after which the next can begin; of a step that is proved, the day of the proof.
    pub end: Option<Window>,
    /// What they rest on.
    pub basis: DateBasis,
}

impl StepDates {
    fn none(basis: DateBasis) -> Self {
        Self {
            start: None,
            end: None,
            basis,
        }
    }
}

impl Window {
    fn on(day: Date) -> Self {
        Self {
            earliest: day,
            latest: day,
        }
    }

    fn not_before(self, other: Self) -> Self {
        Self {
            earliest: self.earliest.max(other.earliest),
            latest: self.latest.max(other.latest),
        }
    }

    fn after(self, days: Days) -> Option<Self> {
        Some(Self {
            earliest: self
                .earliest
                .checked_add(i64::from(days.least).days())
                .ok()?,
            latest: self.latest.checked_add(i64::from(days.most).days()).ok()?,
        })
    }
}

/// A day as people and files write it: `2026-12-01`.
pub fn day_of(text: &str) -> Option<Date> {
    (text.len() == "2026-12-01".len())
        .then(|| text.parse().ok())
        .flatten()
}

/// The dates of every step. One step is done after the other: what has no date of its own begins when
/// the one before it ends, and the first of them after the last proof. Where neither is known, nothing
/// is.
///
/// A proof that is out of date and that nothing left to do rests on keeps its day.
pub fn dates(
    steps: &[PlannedStep],
    states: &BTreeMap<StepId, StepState>,
    proofs: &Proofs,
    now: Timestamp,
    zone: &TimeZone,
) -> BTreeMap<StepId, StepDates> {
    let day = |at: Timestamp| at.to_zoned_datetime(zone.clone()).date();
    let today = Window::on(day(now));
    let served = served(steps, states);
    let mut found: BTreeMap<StepId, StepDates> = BTreeMap::new();
    let mut begun: BTreeMap<&StepId, Date> = BTreeMap::new();
    let mut last_proof: Option<Date> = None;
    for planned in steps {
        let id = &planned.step.id;
        let proved = match states.get(id) {
            Some(StepState::Skipped { .. }) => {
                found.insert(id.clone(), StepDates::none(DateBasis::Skipped));
                continue;
            }
            Some(StepState::Running { since }) => {
                begun.insert(id, day(*since));
                continue;
            }
            Some(StepState::Proved { at, .. }) => Some(*at),
            _ if served.contains(id) => latest(&planned.step, proofs, now).map(|proof| proof.at),
            _ => None,
        };
        if let Some(proved) = proved.map(day) {
            last_proof = last_proof.max(Some(proved));
            let dates = StepDates {
                start: None,
                end: Some(Window::on(proved)),
                basis: DateBasis::Proved,
            };
            found.insert(id.clone(), dates);
        }
    }
    let mut previous = last_proof.map(Window::on);
    for planned in in_turn(steps, &found) {
        let dates = if let Some(start) = begun.get(&planned.step.id) {
            from(*start, planned.step.days, DateBasis::Begun)
        } else if let Some(start) = planned.start {
            from(start, planned.step.days, DateBasis::Assigned)
        } else {
            computed(planned, previous, &found, today)
        };
        // What follows work that is to come cannot be over already.
        previous = dates.end.map(|end| end.not_before(today));
        found.insert(planned.step.id.clone(), dates);
    }
    // Only steps that wait for each other are left.
    for planned in steps {
        found
            .entry(planned.step.id.clone())
            .or_insert_with(|| StepDates::none(DateBasis::Unknown));
    }
    found
}

fn from(start: Date, days: Days, basis: DateBasis) -> StepDates {
    let start = Window::on(start);
    StepDates {
        start: Some(start),
        end: start.after(days),
        basis,
    }
}

fn computed(
    planned: &PlannedStep,
    previous: Option<Window>,
    found: &BTreeMap<StepId, StepDates>,
    today: Window,
) -> StepDates {
    let mut start = previous.map(|previous| previous.not_before(today));
    for need in &planned.step.needs {
        let end = match found.get(need) {
            Some(dates) if dates.basis == DateBasis::Skipped => continue,
            Some(dates) => dates.end,
            None => None,
        };
        start = start.zip(end).map(|(start, end)| start.not_before(end));
    }
    match start.and_then(|start| Some((start, start.after(planned.step.days)?))) {
        Some((start, end)) => StepDates {
            start: Some(start),
            end: Some(end),
            basis: DateBasis::Computed,
        },
        None => StepDates::none(DateBasis::Unknown),
    }
}

/// The steps without dates so far, each after those it needs, otherwise in the order of the plan.
fn in_turn<'s>(
    steps: &'s [PlannedStep],
    found: &BTreeMap<StepId, StepDates>,
) -> Vec<&'s PlannedStep> {
    let mut waiting: Vec<&PlannedStep> = steps
        .iter()
        .filter(|planned| !found.contains_key(&planned.step.id))
        .collect();
    let mut open: BTreeSet<&StepId> = waiting.iter().map(|planned| &planned.step.id).collect();
    let mut turn = Vec::with_capacity(waiting.len());
    while let Some(at) = waiting
        .iter()
        .position(|planned| !planned.step.needs.iter().any(|need| open.contains(need)))
    {
        let planned = waiting.remove(at);
        open.remove(&planned.step.id);
        turn.push(planned);
    }
    turn
}
