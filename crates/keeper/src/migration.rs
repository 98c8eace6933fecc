//! The migration at work: what each step of the plan can measure, do and take back.
//!
//! [`StepWork`] is one step; `WORKS` is the table of those that are built, one file
//! each. Everything that is the same for all of them (journal of intent, recorder, refusals, proofs)
//! is not theirs.

mod decide;
mod file;
mod iis;
mod live;
mod run;
mod site;
mod steps;
mod table;
mod view;
mod work;

pub use decide::{
    ExtensionList, FieldChoice, ImageChoice, PlanSetting, PlanSettings, SettingsDraft,
};
pub use file::{OwnPlanFile, PlanFile};
pub use run::{StepProgress, StepRun};
pub use site::{RefusedBy, Site};
pub use table::Steps;
pub use view::{Doing, MigrationView, PhaseView, StepEnd, StepLook, StepView};
pub use work::StepWork;

pub(crate) use iis::rules_of;
pub(crate) use live::{Live, Migration};
pub(crate) use run::Keep;
pub(crate) use steps::{extensions_of, paired};
