//! What is to be decided, as the doors show it: values of `[target]` and `[iis]`, images, extensions.

use forgekeeper_domain::{
    Timestamp,
    ids::ServiceId,
    migration::{
        FieldSaid, PlanField, Words,
        extensions::{Counted, Inventory},
        image::KnownVerdict,
    },
};
use serde::Serialize;

/// A value that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct FieldChoice {
    /// As it is written.
    pub value: String,
    /// What it is called, where that says more.
    pub name: Option<String>,
}

/// One value of the plan's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct PlanSetting {
    /// Which.
    pub field: PlanField,
    /// What the file says.
    pub value: Option<String>,
    /// What was found that it could be; `None`: nothing, or more than one.
    pub found: Option<String>,
    /// What it is likely to be one of.
    pub choices: Vec<FieldChoice>,
}

/// Every value, and the text that they were read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct PlanSettings {
    /// The text; a change is refused when there is another by then.
    pub stamp: String,
    /// Where the file is.
    pub path: String,
    /// The values in the order they are written in.
    pub settings: Vec<PlanSetting>,
}

/// What writing values would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct SettingsDraft {
    /// The text that would be changed.
    pub stamp: String,
    /// What is to be said of the values; with one that is wrong nothing is written.
    pub said: Vec<FieldSaid>,
    /// The change as a unified diff; empty when nothing would change, or while a value is wrong.
    pub diff: String,
}

/// The extensions of the service that is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct ExtensionList {
    /// Whose.
    pub service: ServiceId,
    /// When they were looked at.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub at: Timestamp,
    /// How many are decided how.
    pub counted: Counted,
    /// Each, with what takes its place and what is decided.
    #[serde(flatten)]
    pub inventory: Inventory,
}

/// An image that the target could run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct ImageChoice {
    /// Its name.
    pub image: String,
    /// What is said of it before anything is measured; `None`: it is the owner's own.
    pub verdict: Option<KnownVerdict>,
    /// Why.
    pub note: Option<Words>,
    /// Where it is built from, as an address of a page.
    pub source: Option<String>,
    /// Whether the plan names it.
    pub chosen: bool,
}
