//! The built-in plan, as the founding report has it.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::{Language, StepId, state::expiry};
use crate::Timestamp;

const TEXT: &str = include_str!("plan.toml");

// A test reads the file, so the empty plan is never seen.
static PLAN: LazyLock<Plan> = LazyLock::new(|| toml::from_str(TEXT).unwrap_or_default());

/// One text in both languages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// English.
    pub en: String,
    /// French.
    pub fr: String,
}

impl Words {
    /// A text in both languages.
    pub fn both(en: impl Into<String>, fr: impl Into<String>) -> Self {
        Self {
            en: en.into(),
            fr: fr.into(),
        }
    }

    /// The owner's words, which are in whatever language they are.
    pub fn own(text: &str) -> Self {
        Self {
            en: text.to_owned(),
            fr: text.to_owned(),
        }
    }

    /// The text in one language.
    pub fn in_language(&self, language: Language) -> &str {
        match language {
            Language::En => &self.en,
            Language::Fr => &self.fr,
        }
    }
}

/// Days of work, least and most; `[1, 3]` in the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(from = "(u16, u16)", into = "(u16, u16)")]
#[cfg_attr(feature = "specta", specta(type = (u16, u16)))]
pub struct Days {
    /// At least.
    pub least: u16,
    /// At most.
    pub most: u16,
}

impl From<(u16, u16)> for Days {
    fn from((least, most): (u16, u16)) -> Self {
        Self { least, most }
    }
}

impl From<Days> for (u16, u16) {
    fn from(days: Days) -> Self {
        (days.least, days.most)
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "specta", derive(specta::Type))]
        pub enum $name {
            $($(#[$each])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[$name] = &[$($name::$variant,)+];

            /// Its word in files.
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }
        }
    };
}

words! {
    /// What a machine can measure of a step.
    CheckKind {
        /// The registry serves the target image, built lately.
        TargetImage = "target_image",
        /// A card is chosen for the target and has room.
        GpuPlan = "gpu_plan",
        /// The disk has room.
        DiskSpace = "disk_space",
        /// A copy of the old configuration exists and can be read.
        Backup = "backup",
        /// The target runs beside the old service.
        ComposeBeside = "compose_beside",
        /// The target accepts the workflows.
        WorkflowsAccepted = "workflows_accepted",
        /// The target lists the models of the old service.
        ShareModels = "share_models",
        /// The target loads its custom nodes without error.
        CustomNodes = "custom_nodes",
        /// The same batch comes out whole on both.
        BatchEquivalence = "batch_equivalence",
        /// The owner's votes accept the pictures of the target.
        Quality = "quality",
        /// A second host name is answered by the target.
        ProxyRehearsal = "proxy_rehearsal",
        /// The public address is answered by the target.
        ProxyCutover = "proxy_cutover",
        /// The target works for days without an incident that stops it.
        Stability = "stability",
        /// The old service can be started, for the time agreed.
        Standby = "standby",
        /// The old containers are gone, the models and the backup are not.
        Decommission = "decommission",
    }
}
words! {
    /// The phases, in their order; `groundwork` is what the report takes for granted.
    PhaseId {
        /// What has to be true before anything begins.
        Groundwork = "groundwork",
        /// Phase 1 of the report.
        Preparation = "preparation",
        /// Phase 2.
        Migration = "migration",
        /// Phase 3.
        Cutover = "cutover",
    }
}
words! {
    /// How likely, or how grave.
    Level {
        /// Little.
        Low = "low",
        /// Some.
        Medium = "medium",
        /// Much.
        High = "high",
    }
}
words! {
    /// What the report says of an alternative.
    AlternativeVerdict {
        /// The way to go.
        Recommended = "recommended",
        /// Good enough for some months.
        ShortTerm = "short_term",
        /// Not a way to go.
        NotRecommended = "not_recommended",
    }
}

/// A phase and how long it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Which.
    pub id: PhaseId,
    /// Its name.
    pub title: Words,
    /// How long, without the standby.
    pub days: Days,
}

/// One step: what it proves, how long it takes, and who can tell that it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Stable name.
    pub id: StepId,
    /// The phase it belongs to.
    pub phase: PhaseId,
    /// What is done.
    pub title: Words,
    /// What is true once it is proved.
    pub why: Words,
    /// How long it takes.
    pub days: Days,
    /// What a machine measures of it; `None`: a person attests it.
    #[serde(default)]
    pub check: Option<CheckKind>,
    /// The steps that come first.
    #[serde(default)]
    pub needs: Vec<StepId>,
    /// After how many days a proof is no proof any more.
    #[serde(default)]
    pub expires_after: Option<u16>,
    /// Whether it can be taken back.
    #[serde(default)]
    pub undoable: bool,
    /// Whether it can do harm.
    #[serde(default)]
    pub risky: bool,
}

/// What may go wrong, and what is done against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(deny_unknown_fields)]
pub struct Risk {
    /// What may happen.
    pub risk: Words,
    /// How likely.
    pub likelihood: Level,
    /// How grave.
    pub impact: Level,
    /// What is done against it.
    pub mitigation: Words,
}

/// Another way that was considered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(deny_unknown_fields)]
pub struct Alternative {
    /// Which.
    pub name: Words,
    /// What was found.
    pub verdict: AlternativeVerdict,
    /// What speaks for it.
    pub pros: Vec<Words>,
    /// What speaks against it.
    pub cons: Vec<Words>,
}

/// A line of the report's own calendar, which has no dates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(deny_unknown_fields)]
pub struct TimelineEntry {
    /// When, counted from the report.
    pub when: Words,
    /// What.
    pub what: Words,
}

/// The plan: phases, steps, and everything that was weighed for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Its name.
    pub title: Words,
    /// What was decided, and why.
    pub decision: Words,
    /// The phases in order.
    #[serde(rename = "phase")]
    pub phases: Vec<Phase>,
    /// The steps in order, phase after phase.
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
    /// What it takes.
    #[serde(rename = "resource")]
    pub resources: Vec<Words>,
    /// What may go wrong.
    #[serde(rename = "risk")]
    pub risks: Vec<Risk>,
    /// What else was considered.
    #[serde(rename = "alternative")]
    pub alternatives: Vec<Alternative>,
    /// The report's calendar.
    pub timeline: Vec<TimelineEntry>,
    /// What is done as long as Forge carries the work.
    pub meanwhile: Vec<Words>,
    /// What is done once the migration is over.
    pub afterwards: Vec<Words>,
}

impl Step {
    /// Until when a proof of this moment holds; `None` where it holds for ever.
    pub fn holds_until(&self, proved: Timestamp) -> Option<Timestamp> {
        expiry(self, proved)
    }
}

impl Plan {
    /// The plan that comes with the program.
    pub fn built_in() -> &'static Self {
        &PLAN
    }

    /// A step by its name.
    pub fn step(&self, id: &StepId) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == *id)
    }
}

#[cfg(test)]
pub(super) fn read() -> Result<Plan, toml::de::Error> {
    toml::from_str(TEXT)
}
