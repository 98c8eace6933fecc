//! The owner's plan: the built-in one with what the owner changed, and what is allowed of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{
    CheckKind, Days, Iis, PhaseId, Plan, PlanFault, PlanProblem, Step, StepId, Target, Words,
    problem::excerpt,
};
use crate::suggest::nearest;

/// Most added steps.
pub(super) const MAX_ADDED: usize = 100;
/// Most steps that one step waits for.
pub(super) const MAX_NEEDS: usize = 50;
/// Longest title and reason in characters; they stand in one row.
pub(super) const MAX_LINE_CHARS: usize = 200;
/// Longest note and purpose in characters.
pub(super) const MAX_TEXT_CHARS: usize = 4_000;
/// Most days of a step, and until a proof is stale.
pub(super) const MAX_DAYS: u16 = 3_650;
/// Years that a plan may speak of.
const YEARS: std::ops::Range<i16> = 2000..2100;

/// A step that the owner added. A person attests it: no machine knows what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(deny_unknown_fields)]
pub struct AddedStep {
    /// Its name, none of the built-in ones.
    pub id: StepId,
    /// Where it belongs.
    pub phase: PhaseId,
    /// What is done, in the owner's words.
    pub title: String,
    /// What is true once it is done.
    pub why: String,
    /// How long it takes.
    pub days: Days,
    /// The steps that come first.
    pub needs: Vec<StepId>,
    /// After how many days it has to be attested again.
    pub expires_after: Option<u16>,
    /// Whether it can be taken back.
    pub undoable: bool,
    /// Whether it can do harm.
    pub risky: bool,
}

/// What the owner says of one step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Why it is left out.
    pub skip: Option<String>,
    /// When it is to begin.
    pub start: Option<Date>,
    /// Steps that come first besides those of the plan.
    pub needs: Vec<StepId>,
    /// A remark.
    pub note: Option<String>,
}

/// The built-in plan with the owner's changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnPlan {
    /// These steps share the places they have in their phases, in this order.
    pub order: Vec<StepId>,
    /// Added steps.
    pub added: Vec<AddedStep>,
    /// What is said of steps, built in or added.
    pub changes: BTreeMap<StepId, Change>,
    /// The two services, and what is made for the new one.
    pub target: Target,
    /// The public address.
    pub iis: Iis,
    /// What is decided of Forge's extensions.
    pub extensions: super::extensions::Decisions,
}

/// A step as it stands in the owner's plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedStep {
    /// The step, with everything it waits for.
    pub step: Step,
    /// Whether the owner added it.
    pub own: bool,
    /// Why it is left out; never blank.
    pub skip: Option<String>,
    /// The date assigned to it.
    pub start: Option<Date>,
    /// The owner's remark.
    pub note: Option<String>,
}

/// Where things stand in a text, for problems to point at. Empty for a plan without a text.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) added: Vec<u32>,
    pub(super) changes: HashMap<StepId, u32>,
    pub(super) order: Option<u32>,
}

impl OwnPlan {
    /// What is wrong with it; the first is the topmost of the text it would be written as.
    pub fn problems(&self) -> Vec<PlanProblem> {
        self.problems_at(&Lines::default())
    }

    /// Every step, phase after phase, in the owner's order.
    pub fn steps(&self) -> Vec<PlannedStep> {
        let built_in = Plan::built_in().steps.iter();
        let all: Vec<PlannedStep> = built_in
            .map(|step| self.planned(step.clone(), false))
            .chain(self.added.iter().map(|a| self.planned(a.step(), true)))
            .collect();
        let rank: HashMap<&StepId, usize> = self
            .order
            .iter()
            .enumerate()
            .map(|(at, id)| (id, at))
            .collect();
        let mut steps = Vec::with_capacity(all.len());
        for phase in PhaseId::ALL {
            let of_phase: Vec<&PlannedStep> =
                all.iter().filter(|p| p.step.phase == *phase).collect();
            let mut named: Vec<&PlannedStep> = of_phase
                .iter()
                .copied()
                .filter(|p| rank.contains_key(&p.step.id))
                .collect();
            named.sort_by_key(|p| rank.get(&p.step.id));
            let mut named = named.into_iter();
            for planned in of_phase {
                let here = if rank.contains_key(&planned.step.id) {
                    named.next().unwrap_or(planned)
                } else {
                    planned
                };
                steps.push(here.clone());
            }
        }
        steps
    }

    fn planned(&self, mut step: Step, own: bool) -> PlannedStep {
        let change = self.changes.get(&step.id).cloned().unwrap_or_default();
        for need in change.needs {
            if !step.needs.contains(&need) {
                step.needs.push(need);
            }
        }
        // Days that the owner shortened or lengthened are those of the calendar, too.
        let days = match step.check {
            Some(CheckKind::Stability) => self.target.stability_days,
            Some(CheckKind::Standby) => self.target.standby_days,
            _ => None,
        };
        if let Some(days) = days {
            step.days = Days {
                least: days,
                most: days,
            };
        }
        PlannedStep {
            step,
            own,
            skip: change.skip.filter(|why| !why.trim().is_empty()),
            start: change.start,
            note: change.note,
        }
    }

    pub(super) fn problems_at(&self, lines: &Lines) -> Vec<PlanProblem> {
        let mut rules = Rules {
            known: Plan::built_in().steps.iter().map(|s| &s.id).collect(),
            found: Vec::new(),
        };
        if self.added.len() > MAX_ADDED {
            let reason = format!("{} steps are added", self.added.len());
            let remedy = format!("keep at most {MAX_ADDED}");
            rules.say(
                lines.added.first().copied(),
                PlanFault::TooLarge,
                reason,
                remedy,
            );
            return rules.found;
        }
        for (at, added) in self.added.iter().enumerate() {
            if !rules.known.insert(&added.id) {
                rules.say(
                    lines.added.get(at).copied(),
                    PlanFault::DoubleId,
                    format!("there is another step with the id `{}`", excerpt(added.id.as_str())),
                    "choose another id for the step that you add; to change a step of the plan, write `[[change]]`",
                );
            }
        }
        for (at, added) in self.added.iter().enumerate() {
            rules.added(lines.added.get(at).copied(), added);
        }
        for (id, change) in &self.changes {
            rules.change(lines.changes.get(id).copied(), id, change);
        }
        let mut ordered = BTreeSet::new();
        for id in &self.order {
            rules.known_step(lines.order, id, "`order`");
            if !ordered.insert(id) {
                rules.say(
                    lines.order,
                    PlanFault::DoubleId,
                    format!("`order` names `{}` twice", excerpt(id.as_str())),
                    "remove one of them",
                );
            }
        }
        if rules.found.is_empty()
            && let Some(cycle) = cycle(&self.steps())
        {
            let line = self.line_of_cycle(lines, &cycle);
            let names: Vec<String> = cycle.iter().map(|id| excerpt(id.as_str())).collect();
            rules.say(
                line,
                PlanFault::Cycle,
                format!("steps wait for each other: `{}`", names.join("` → `")),
                "remove one of them from the `needs` of the step before it",
            );
        }
        rules.found
    }

    /// The first place of the text that is part of a cycle.
    fn line_of_cycle(&self, lines: &Lines, cycle: &[StepId]) -> Option<u32> {
        let added = self.added.iter().zip(&lines.added);
        let added = added
            .filter(|(a, _)| cycle.contains(&a.id))
            .map(|(_, line)| *line);
        let changed = self
            .changes
            .iter()
            .filter(|(_, change)| !change.needs.is_empty());
        let changed = changed.filter(|(id, _)| cycle.contains(id));
        added
            .chain(changed.filter_map(|(id, _)| lines.changes.get(id).copied()))
            .min()
    }
}

impl AddedStep {
    fn step(&self) -> Step {
        Step {
            id: self.id.clone(),
            phase: self.phase,
            title: Words::own(&self.title),
            why: Words::own(&self.why),
            days: self.days,
            check: None,
            needs: self.needs.clone(),
            expires_after: self.expires_after,
            undoable: self.undoable,
            risky: self.risky,
        }
    }
}

struct Rules<'p> {
    known: BTreeSet<&'p StepId>,
    found: Vec<PlanProblem>,
}

impl Rules<'_> {
    fn say(
        &mut self,
        line: Option<u32>,
        fault: PlanFault,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.found
            .push(PlanProblem::new(line, fault, reason, remedy));
    }

    fn added(&mut self, line: Option<u32>, added: &AddedStep) {
        self.text(line, "title", &added.title, MAX_LINE_CHARS);
        self.text(line, "why", &added.why, MAX_TEXT_CHARS);
        for (field, text) in [("title", &added.title), ("why", &added.why)] {
            if text.trim().is_empty() {
                self.say(
                    line,
                    PlanFault::Missing,
                    format!(
                        "`{field}` of the step `{}` is empty",
                        excerpt(added.id.as_str())
                    ),
                    format!("write `{field} = \"…\"` with some words"),
                );
            }
        }
        let Days { least, most } = added.days;
        if least == 0 || least > most || most > MAX_DAYS {
            self.say(
                line,
                PlanFault::BadValue,
                format!("{least} to {most} days is no duration"),
                format!("write `days = [1, 3]`, least and most, from 1 to {MAX_DAYS}"),
            );
        }
        if added
            .expires_after
            .is_some_and(|days| days == 0 || days > MAX_DAYS)
        {
            self.say(
                line,
                PlanFault::BadValue,
                "`expires_after` is no number of days",
                format!("write a number from 1 to {MAX_DAYS}, or remove it"),
            );
        }
        self.needs(line, &added.needs);
    }

    fn change(&mut self, line: Option<u32>, id: &StepId, change: &Change) {
        self.known_step(line, id, "`[[change]]`");
        if let Some(why) = &change.skip {
            self.text(line, "skip", why, MAX_LINE_CHARS);
            if why.trim().is_empty() {
                self.say(
                    line,
                    PlanFault::ReasonMissing,
                    format!("`{}` is skipped without a reason", excerpt(id.as_str())),
                    "write why: `skip = \"nobody else uses it\"`",
                );
            }
        }
        if change
            .start
            .is_some_and(|start| !YEARS.contains(&start.year()))
        {
            self.say(
                line,
                PlanFault::BadDate,
                format!("`{}` is to begin in another age", excerpt(id.as_str())),
                "write a date of this century, like `start = 2026-12-01`",
            );
        }
        if let Some(note) = &change.note {
            self.text(line, "note", note, MAX_TEXT_CHARS);
        }
        self.needs(line, &change.needs);
    }

    fn needs(&mut self, line: Option<u32>, needs: &[StepId]) {
        if needs.len() > MAX_NEEDS {
            let reason = format!("a step needs {} others", needs.len());
            self.say(
                line,
                PlanFault::TooLarge,
                reason,
                format!("keep at most {MAX_NEEDS}"),
            );
            return;
        }
        for need in needs {
            self.known_step(line, need, "`needs`");
        }
    }

    fn known_step(&mut self, line: Option<u32>, id: &StepId, place: &str) {
        if self.known.contains(id) {
            return;
        }
        let meant = nearest(id.as_str(), self.known.iter().map(|id| id.as_str()));
        let remedy = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "name a step of the plan, or add it with `[[add]]`".to_owned(),
        };
        let reason = format!("{place} names `{}`, which is no step", excerpt(id.as_str()));
        self.say(line, PlanFault::UnknownStep, reason, remedy);
    }

    fn text(&mut self, line: Option<u32>, field: &str, text: &str, most: usize) {
        if text.chars().count() > most {
            self.say(
                line,
                PlanFault::TooLarge,
                format!("`{field}` is longer than {most} characters"),
                "shorten it",
            );
        }
        let one_line = most == MAX_LINE_CHARS;
        let odd = text
            .chars()
            .find(|c| c.is_control() && (one_line || !matches!(c, '\n' | '\t')));
        if let Some(c) = odd {
            self.say(
                line,
                PlanFault::ControlCharacter,
                format!(
                    "`{field}` contains the control character U+{:04X}",
                    u32::from(c)
                ),
                "remove it; only notes and purposes may have several lines",
            );
        }
    }
}

/// Steps that wait for each other, each for the next and the last for the first.
fn cycle(steps: &[PlannedStep]) -> Option<Vec<StepId>> {
    let mut waiting: BTreeMap<&StepId, &[StepId]> = steps
        .iter()
        .map(|p| (&p.step.id, p.step.needs.as_slice()))
        .collect();
    // What waits for nothing that waits is no part of a cycle.
    loop {
        let free: Vec<&StepId> = waiting
            .iter()
            .filter(|(_, needs)| !needs.iter().any(|need| waiting.contains_key(need)))
            .map(|(id, _)| *id)
            .collect();
        if free.is_empty() {
            break;
        }
        for id in free {
            waiting.remove(id);
        }
    }
    // Each of the rest waits for another of the rest: following them comes back to one seen before.
    let mut path: Vec<&StepId> = vec![waiting.keys().next()?];
    loop {
        let needs = waiting.get(path.last()?)?;
        let next = needs.iter().find(|need| waiting.contains_key(need))?;
        if let Some(from) = path.iter().position(|id| *id == next) {
            return Some(path[from..].iter().map(|id| (*id).clone()).collect());
        }
        path.push(next);
    }
}
