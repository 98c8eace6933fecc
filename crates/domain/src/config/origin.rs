//! By whom a value was changed, as far as that can be told from facts. The first row that applies
//! names it; what no row explains stays unknown.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CHECKPOINT, ContainerRef, Item, PartDrift, PartId, Snapshot, Source, request_of};
use crate::Timestamp;

/// Who or what changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Forgekeeper.
    Us,
    /// The workspace is not mounted: a throw-away copy is used.
    WorkspaceNotMounted,
    /// Another service has the same workspace.
    SecondWriter,
    /// The workspace is mounted from elsewhere.
    WorkspaceMoved,
    /// The program could not read its settings and went on with its defaults.
    CrashReset,
    /// A request to the API.
    ApiCall,
    /// Another image.
    ImageChanged,
    /// Another environment or command.
    EnvironmentChanged,
    /// The container was made anew with other settings.
    ContainerRecreated,
    /// The file was edited on its machine.
    FileEdited,
    /// Checked out anew: by the program's page, or a script at its start.
    Updated,
    /// The program's page.
    Ui,
    /// The program's page or its API; nothing tells which.
    UiOrApi,
    /// Nothing explains it.
    Unknown,
}

/// How sure that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// Facts prove it.
    Proved,
    /// It fits what is known, and nothing else that is known does.
    Likely,
    /// Nothing is known.
    Unknown,
}

/// An origin, how sure it is, and by what it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Attribution {
    /// Who or what.
    pub by: Origin,
    /// How sure.
    pub certainty: Certainty,
    /// What tells it: a line of the log, a path, names; hostile until escaped.
    pub evidence: Option<String>,
}

/// What a line of the log tells of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogMarkKind {
    /// The settings could not be read and were moved away.
    ConfigReset,
    /// The workspace is not mounted.
    WorkspaceNotMounted,
    /// The options were written through the API.
    OptionsPosted,
}

impl LogMarkKind {
    /// What a prepared line tells.
    pub fn of_line(text: &str) -> Option<Self> {
        const MARKS: &[(&str, LogMarkKind)] = &[
            ("is likely corrupted", LogMarkKind::ConfigReset),
            ("is not a mounted volume", LogMarkKind::WorkspaceNotMounted),
            ("POST /sdapi/v1/options", LogMarkKind::OptionsPosted),
        ];
        let mark = MARKS.iter().find(|(words, _)| text.contains(words));
        mark.map(|(_, kind)| *kind)
    }

    /// An expression for the lines that tell something.
    pub const EXPRESSION: &str =
        "is likely corrupted|is not a mounted volume|POST /sdapi/v1/options";
}

/// A line of the log that tells something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogMark {
    /// When it was written.
    pub at: Timestamp,
    /// What it tells.
    pub kind: LogMarkKind,
    /// The line.
    pub line: String,
}

/// What is known beside the two snapshots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OriginFacts {
    /// Options were lent to a generation of ours when one of the two was taken.
    pub ours: bool,
    /// What the log told between the two.
    pub marks: Vec<LogMark>,
}

/// One change to be explained.
#[derive(Debug)]
pub(super) struct Case<'a> {
    pub(super) part: PartId,
    pub(super) key: &'a [String],
    pub(super) old: Option<&'a Value>,
    pub(super) new: Option<&'a Value>,
}

impl Case<'_> {
    /// A change of the whole.
    pub(super) fn of_part(part: PartId) -> Self {
        Case {
            part,
            key: &[],
            old: None,
            new: None,
        }
    }

    fn in_workspace(&self) -> bool {
        self.is_options() || self.part.part().in_workspace()
    }

    fn is_options(&self) -> bool {
        matches!(self.part, PartId::ForgeConfig | PartId::ForgeOptions)
    }
}

/// Everything that a row may look at.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    before: &'a Snapshot,
    after: &'a Snapshot,
    facts: &'a OriginFacts,
}

impl<'a> Scene<'a> {
    pub(super) fn new(before: &'a Snapshot, after: &'a Snapshot, facts: &'a OriginFacts) -> Self {
        Self {
            before,
            after,
            facts,
        }
    }

    fn within(&self, at: Timestamp) -> bool {
        at > self.before.taken_at && at <= self.after.taken_at
    }

    fn mark(&self, kind: LogMarkKind) -> Option<&'a LogMark> {
        let marks = self.facts.marks.iter();
        marks
            .rev()
            .find(|mark| mark.kind == kind && self.within(mark.at))
    }

    /// The request that wrote a part, when one can be told from the others.
    fn request(&self, part: PartId) -> Option<String> {
        let within = |mark: &&LogMark| self.within(mark.at);
        let marks: Vec<LogMark> = self.facts.marks.iter().filter(within).cloned().collect();
        let item = self.after.items.iter().find(|item| item.part == part);
        let written_at = item.and_then(|item| item.state.content()?.modified_at);
        request_of(&marks, None, written_at).map(|mark| mark.line.clone())
    }

    fn containers(&self) -> Option<(&'a ContainerRef, &'a ContainerRef)> {
        self.before
            .container
            .as_ref()
            .zip(self.after.container.as_ref())
    }

    fn differs(&self, of: impl Fn(&ContainerRef) -> &str) -> bool {
        self.containers().is_some_and(|(a, b)| of(a) != of(b))
    }

    fn address(snapshot: &'a Snapshot, part: PartId) -> Option<&'a str> {
        let item = |item: &&Item| item.part == part;
        let content = snapshot.items.iter().find(item)?.state.content()?;
        Some(content.address.as_str())
    }

    /// Settings that were moved away since.
    fn moved_away(&self) -> bool {
        let part = PartId::ForgeConfigMoved;
        let now = Self::address(self.after, part);
        now.is_some() && now != Self::address(self.before, part)
    }
}

type Told = (Certainty, Option<String>);

/// A rule: what it names, and when it applies.
pub struct Row {
    /// What it names.
    pub origin: Origin,
    rule: fn(&Scene<'_>, &Case<'_>) -> Option<Told>,
}

fn proved(evidence: Option<String>) -> Told {
    (Certainty::Proved, evidence)
}

fn likely(evidence: Option<String>) -> Told {
    (Certainty::Likely, evidence)
}

/// The rules; the first that applies counts.
pub const ROWS: &[Row] = &[
    Row {
        origin: Origin::FileEdited,
        rule: |_, case| match case.part.part().source {
            Source::ComposeFile | Source::EnvFiles => Some(proved(None)),
            _ => None,
        },
    },
    Row {
        origin: Origin::ImageChanged,
        rule: |_, case| {
            let image = case
                .key
                .first()
                .is_some_and(|key| key == "image_id" || key == "image");
            (case.part == PartId::Container && image).then(|| proved(None))
        },
    },
    Row {
        origin: Origin::EnvironmentChanged,
        rule: |_, case| {
            let names = case.key.first().is_some_and(|key| key == "env_names");
            let is = case.part == PartId::Environment || (case.part == PartId::Container && names);
            is.then(|| proved(None))
        },
    },
    Row {
        origin: Origin::ContainerRecreated,
        rule: |scene, case| {
            let anew = scene.differs(|c| &c.id);
            (case.part == PartId::Container && anew).then(|| proved(None))
        },
    },
    Row {
        origin: Origin::WorkspaceNotMounted,
        rule: |scene, case| {
            let here = case.in_workspace();
            let (before, after) = scene.containers()?;
            // A copy that went with its container is no other case.
            let lost = before.workspace.is_some() || before.id != after.id;
            let mark = scene.mark(LogMarkKind::WorkspaceNotMounted);
            let words = mark.map(|mark| mark.line.clone());
            (here && after.workspace.is_none() && lost).then(|| proved(words))
        },
    },
    Row {
        origin: Origin::SecondWriter,
        rule: |scene, case| {
            let sharers = &scene.after.container.as_ref()?.shared_with;
            (case.in_workspace() && !sharers.is_empty()).then(|| likely(Some(sharers.join(", "))))
        },
    },
    Row {
        origin: Origin::WorkspaceMoved,
        rule: |scene, case| {
            let (before, after) = scene.containers()?;
            let moved = before.workspace != after.workspace;
            (case.in_workspace() && moved).then(|| proved(after.workspace.clone()))
        },
    },
    Row {
        origin: Origin::CrashReset,
        rule: |scene, case| {
            if case.part == PartId::ForgeConfigMoved {
                return Some(proved(None));
            }
            let mark = scene.mark(LogMarkKind::ConfigReset);
            let words = mark.map(|mark| mark.line.clone());
            let reset = mark.is_some() || scene.moved_away();
            (case.is_options() && reset).then(|| proved(words))
        },
    },
    Row {
        origin: Origin::Us,
        rule: |scene, case| (case.is_options() && scene.facts.ours).then(|| likely(None)),
    },
    Row {
        origin: Origin::ApiCall,
        rule: |scene, case| {
            let posted = scene.mark(LogMarkKind::OptionsPosted).is_some();
            (case.is_options() && posted).then(|| likely(scene.request(case.part)))
        },
    },
    Row {
        // A request without the checkpoint is the one way known to empty it (forge-container.md §10).
        origin: Origin::ApiCall,
        rule: |_, case| {
            let key = case.key.last().is_some_and(|key| key == CHECKPOINT);
            let was = case.old.is_some_and(|value| !value.is_null());
            let emptied = was && case.new.is_some_and(Value::is_null);
            (case.is_options() && key && emptied).then(|| likely(Some(PARTIAL.to_owned())))
        },
    },
    Row {
        origin: Origin::ImageChanged,
        rule: |scene, case| {
            let other = scene.differs(|c| &c.image_id);
            (case.in_workspace() && other).then(|| likely(None))
        },
    },
    Row {
        origin: Origin::Updated,
        rule: |_, case| match case.part.part().source {
            Source::Checkouts(_) => Some(likely(None)),
            _ => None,
        },
    },
    Row {
        origin: Origin::Ui,
        rule: |_, case| match case.part {
            // Only the page writes them.
            PartId::ForgeUiConfig | PartId::ForgeStyles | PartId::ComfySettings => {
                Some(likely(None))
            }
            _ => None,
        },
    },
    Row {
        origin: Origin::FileEdited,
        rule: |_, case| (case.part == PartId::ComfyPaths).then(|| likely(None)),
    },
    Row {
        origin: Origin::UiOrApi,
        rule: |_, case| case.is_options().then(|| likely(None)),
    },
];

/// What a request without the checkpoint does, as evidence.
const PARTIAL: &str = "sd_model_checkpoint emptied, as a request without it does";

/// Explains one change.
pub(super) fn of(scene: &Scene<'_>, case: &Case<'_>) -> Attribution {
    let mut told = ROWS.iter().filter_map(|row| {
        let (certainty, evidence) = (row.rule)(scene, case)?;
        Some(Attribution {
            by: row.origin,
            certainty,
            evidence,
        })
    });
    told.next().unwrap_or(Attribution {
        by: Origin::Unknown,
        certainty: Certainty::Unknown,
        evidence: None,
    })
}

/// What changed together with the checkpoint's loss came by the same request.
pub(super) fn together(parts: &mut [PartDrift]) {
    for part in parts {
        let emptied = part.changes.iter().find(|change| {
            change.origin.by == Origin::ApiCall
                && change.key.last().is_some_and(|key| key == CHECKPOINT)
        });
        let Some(origin) = emptied.map(|change| change.origin.clone()) else {
            continue;
        };
        for change in &mut part.changes {
            if change.origin.by == Origin::UiOrApi {
                change.origin = origin.clone();
            }
        }
    }
}
