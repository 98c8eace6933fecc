//! The migration from Forge to ComfyUI: the plan as data, the owner's changes to it, and what is proved
//! of it so far.
//!
//! `plan.toml` is the built-in [`Plan`]. [`OwnPlan`] holds what the owner changed and makes a
//! [`PlannedStep`] of each step. [`Standing`] is what proofs make of them at one moment; [`markdown`]
//! and [`html`] write it down to take elsewhere.

pub mod compose;
mod dates;
mod diff;
mod edit;
pub mod ending;
mod export;
pub mod extensions;
mod graph;
pub mod iis;
pub mod image;
mod own;
mod plan;
mod problem;
mod quality;
mod read;
mod record;
mod setting;
mod standing;
mod state;
mod target;
mod work;
mod write;

pub use dates::{DateBasis, StepDates, Window, dates, day_of};
pub use diff::text_diff;
pub use edit::{PlanEdit, PlanEditError, edit};
pub use export::{html, markdown, record_html, record_json_lines, record_markdown};
pub use graph::{GraphFault, classes, graph_faults};
pub use own::{AddedStep, Change, OwnPlan, PlannedStep};
pub use plan::{
    Alternative, AlternativeVerdict, CheckKind, Days, Level, Phase, PhaseId, Plan, Risk, Step,
    TimelineEntry, Words,
};
pub use problem::{PlanFault, PlanProblem};
pub use quality::{
    ACCEPTED_PERCENT, MIN_PAIRS, QualityCount, QualityVerdict, count_votes, unvoted,
};
pub use record::{RecordAction, RecordEntry, RecordOutcome};
pub use setting::{FieldSaid, KnownService, PlanField, Setting, Surroundings, judge_settings};
pub use standing::{Counts, PhaseStanding, Standing};
pub use state::{Basis, Proof, Proofs, StepState, Verdict, state};
pub use target::{Iis, STABILITY_DAYS, STANDBY_DAYS, Target};
pub use work::{AfterKill, Deed, Finding, Found, PreviewLine, StepPreview, unset};

pub use crate::{ids::StepId, logs::rules::Language, outcome::Evidence};

#[cfg(test)]
mod tests;
