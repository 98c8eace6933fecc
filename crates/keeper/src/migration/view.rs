//! The migration as the doors show it.

use forgekeeper_domain::{
    Timestamp,
    error::ErrorInfo,
    ids::StepId,
    migration::{
        CheckKind, Counts, Days, Iis, PhaseId, PlannedStep, Proof, RecordAction, RecordOutcome,
        Standing, StepDates, StepState, Target, Words,
    },
};
use serde::Serialize;

use super::{PlanFile, StepProgress, Steps};
pub use crate::store::migration::StepLook;

/// The whole plan at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct MigrationView {
    /// When.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub at: Timestamp,
    /// The owner's file.
    pub file: PlanFile,
    /// The name of the plan.
    pub title: Words,
    /// How many steps are in which state.
    pub counts: Counts,
    /// The first step that can be done now.
    pub next: Option<StepId>,
    /// The phases in order.
    pub phases: Vec<PhaseView>,
    /// What the file says of the two services.
    pub target: Target,
    /// What it says of the public address.
    pub iis: Iis,
}

/// One phase.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct PhaseView {
    /// Which.
    pub id: PhaseId,
    /// Its name.
    pub title: Words,
    /// How long it takes.
    pub days: Days,
    /// How many steps are in which state.
    pub counts: Counts,
    /// Its steps in the owner's order.
    pub steps: Vec<StepView>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct StepView {
    /// Its name.
    pub id: StepId,
    /// What is done.
    pub title: Words,
    /// What is true once it is proved.
    pub why: Words,
    /// How long it takes.
    pub days: Days,
    /// What a machine measures of it; `None`: a person attests it.
    pub check: Option<CheckKind>,
    /// Steps that come first.
    pub needs: Vec<StepId>,
    /// After how many days a proof is none any more.
    pub expires_after: Option<u16>,
    /// Whether it can do harm.
    pub risky: bool,
    /// Whether the owner added it.
    pub own: bool,
    /// The owner's remark.
    pub note: Option<String>,
    /// Where it stands.
    pub state: StepState,
    /// Its dates.
    pub dates: Option<StepDates>,
    /// The proof that the state rests on.
    pub proof: Option<Proof>,
    /// Until when that proof holds.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub holds_until: Option<Timestamp>,
    /// The last look, whatever it found.
    pub look: Option<StepLook>,
    /// Whether a machine can measure it with this version of the program.
    pub built: bool,
    /// Whether there is something to do besides looking or attesting.
    pub can_run: bool,
    /// Whether that can be taken back.
    pub can_undo: bool,
    /// Whether its way back can be tried.
    pub can_drill: bool,
    /// What is being done to it, or was when a program ended.
    pub doing: Option<Doing>,
}

/// What is being done to a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Doing {
    /// Done, taken back, or its way back tried.
    pub action: RecordAction,
    /// Since when.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub since: Timestamp,
    /// How far it is; `None` also where another program does it.
    pub progress: Option<StepProgress>,
    /// Whether this program does it, and can end it.
    pub here: bool,
    /// The program that did it has ended in the middle: it has to be done again or taken back.
    pub interrupted: bool,
}

/// How doing a step, or taking it back, ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct StepEnd {
    /// What came of it.
    pub outcome: RecordOutcome,
    /// Why it failed.
    pub error: Option<ErrorInfo>,
    /// What was found right after.
    pub look: Option<StepLook>,
}

impl MigrationView {
    /// A step by its name.
    pub fn step(&self, id: &StepId) -> Option<&StepView> {
        let mut steps = self.phases.iter().flat_map(|phase| &phase.steps);
        steps.find(|step| step.id == *id)
    }
}

impl StepView {
    /// A step of a plan that was judged.
    pub(crate) fn of(
        planned: &PlannedStep,
        steps: Steps,
        standing: &Standing,
        look: Option<StepLook>,
        doing: Option<Doing>,
    ) -> Self {
        let step = &planned.step;
        let works = step.check.and_then(|check| steps.work(check));
        let proof = standing.proofs.get(&step.id).cloned();
        let state = standing.states.get(&step.id).cloned();
        Self {
            id: step.id.clone(),
            title: step.title.clone(),
            why: step.why.clone(),
            days: step.days,
            check: step.check,
            needs: step.needs.clone(),
            expires_after: step.expires_after,
            risky: step.risky,
            own: planned.own,
            note: planned.note.clone(),
            // Every step of the standing has a state; without one nothing is known to be met.
            state: state.unwrap_or(StepState::Blocked {
                missing: Vec::new(),
            }),
            dates: standing.dates.get(&step.id).copied(),
            holds_until: proof.as_ref().and_then(|proof| step.holds_until(proof.at)),
            proof,
            look,
            built: works.is_some(),
            can_run: works.is_some_and(super::work::StepWork::can_run),
            can_undo: works.is_some_and(super::work::StepWork::can_undo),
            can_drill: works.is_some_and(super::work::StepWork::can_drill),
            doing,
        }
    }
}
