//! What of a snapshot can be put back, as which bytes, and what it takes: a plan, made from the
//! snapshot and from what is there now. Showing it changes nothing.
//!
//! Settings go back as files and never as a request to the API: on the image's commit a request to
//! `/sdapi/v1/options` with one key empties the chosen checkpoint and saves that (forge-container.md
//! §10 row 1), one with all keys skips three of them and whatever `--hide-ui-dir-config` hides, and a
//! wrong type in it breaks every answer from then on (forge-api.md §6). A file has the exact bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Bytes, ContainerRef, Item, ItemState, PartFinding, PartId, Reading, Snapshot, Source, Unread,
    read,
};
use crate::{
    Timestamp,
    ids::{ServiceId, SnapshotId},
};

mod left;
mod one_key;
mod report;
mod shown;
mod way;
mod words;

pub use left::{Left, WhyLeft};
pub use report::{DrillItem, DrillReport, DrillVerdict, RestoreReport, RestoredFile};
pub use way::{Effect, settings_part};
pub use words::describe_restore;

use shown::{cautions, shown, why};
use way::way_of;

/// One file of a part; parts of one file need no path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct FileName {
    /// Which part.
    pub part: PartId,
    /// Which of its files, as the snapshot names it; `None` for all of them.
    pub path: Option<String>,
}

impl FileName {
    fn is(&self, part: PartId, path: &str) -> bool {
        self.part == part && self.path.as_deref().is_none_or(|own| own == path)
    }
}

/// How much is put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum RestoreScope {
    /// Everything that can be.
    All,
    /// Whole files.
    Files {
        /// Which.
        files: Vec<FileName>,
    },
    /// One key of one file.
    Key {
        /// The file.
        file: FileName,
        /// Keys from the outermost inwards, as a comparison names them.
        key: Vec<String>,
    },
}

impl RestoreScope {
    /// Whether a file may be touched.
    pub fn has(&self, part: PartId, path: &str) -> bool {
        match self {
            Self::All => true,
            Self::Files { files } => files.iter().any(|file| file.is(part, path)),
            Self::Key { file, .. } => file.is(part, path),
        }
    }

    fn key(&self) -> Option<&[String]> {
        match self {
            Self::Key { key, .. } => Some(key),
            Self::All | Self::Files { .. } => None,
        }
    }
}

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// It is not there and is made.
    Create,
    /// Its bytes are replaced.
    Replace,
    /// It was not there and goes; only an undo does that.
    Remove,
}

/// One value that will change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct RestoredValue {
    /// Keys from the outermost inwards; of a line what it begins with.
    pub key: Vec<String>,
    /// The value now, as JSON (a line as it stands); `None` when there is none.
    pub now: Option<String>,
    /// The value that will be.
    pub then: Option<String>,
    /// Secrets in it are masked; they may differ where both look the same.
    pub masked: bool,
}

/// A file that will be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct FilePlan {
    /// Its part.
    pub part: PartId,
    /// Where it is.
    pub path: String,
    /// What becomes of it.
    pub deed: Deed,
    /// What a comparison of now and then found.
    #[serde(flatten)]
    pub finding: PartFinding,
    /// Values that will change.
    pub values: Vec<RestoredValue>,
    /// So many more.
    pub more: u32,
    /// Length of what will be there.
    pub bytes: u32,
    /// When it counts.
    pub effect: Effect,
    /// The program that writes it has to be stopped meanwhile.
    pub writer: bool,
}

/// What should be known before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "caution", rename_all = "snake_case")]
pub enum Caution {
    /// The service was not known to be well when the snapshot was taken.
    NotGood,
    /// The workspace is not mounted: what is put back goes with the container.
    WorkspaceNotMounted,
    /// Another folder is mounted as the workspace than then.
    WorkspaceMoved {
        /// Which was.
        then: Option<String>,
        /// Which is.
        now: Option<String>,
    },
    /// Other services have the same workspace, are not stopped, and may write over it.
    Shared {
        /// Which.
        services: Vec<String>,
    },
}

/// What a restore will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct RestorePlan {
    /// Of which service.
    pub service: ServiceId,
    /// From which snapshot.
    pub snapshot: SnapshotId,
    /// When it was taken.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub taken_at: Timestamp,
    /// How much was asked for.
    pub scope: RestoreScope,
    /// Files that will be written.
    pub files: Vec<FilePlan>,
    /// What is not as it was, or not known, and stays as it is.
    pub left: Vec<Left>,
    /// Files that are the same to the byte.
    pub unchanged: u32,
    /// What should be known before.
    pub cautions: Vec<Caution>,
}

impl RestorePlan {
    /// Whether a program that writes one of the files has to be stopped.
    pub fn stops_writer(&self) -> bool {
        self.files.iter().any(|file| file.writer)
    }
}

/// What is there now of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// The part.
    pub part: PartId,
    /// Where.
    pub path: String,
    /// What is there.
    pub state: PresentState,
}

/// What is there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PresentState {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Nothing.
    Absent,
    /// That could not be read.
    NotReadable(Unread, String),
}

/// What a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct RestoreFacts<'a> {
    /// The snapshot's id.
    pub id: &'a SnapshotId,
    /// The snapshot.
    pub snapshot: &'a Snapshot,
    /// What its addresses hold.
    pub bytes: &'a BTreeMap<String, Bytes>,
    /// What is there now.
    pub present: &'a [Present],
    /// The container now, as far as the engine told.
    pub container: Option<&'a ContainerRef>,
    /// When that was.
    pub at: Timestamp,
    /// It takes a restore back: to exactly what was there, half a file and no file as well.
    pub undo: bool,
}

/// The bytes of one file, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Its part.
    pub part: PartId,
    /// Where it is.
    pub path: String,
    /// What is there; `None` when nothing is.
    pub before: Option<Vec<u8>>,
    /// What will be there; `None` when nothing will.
    pub after: Option<Vec<u8>>,
    /// The mode that a new file gets.
    pub mode: Option<u32>,
}

/// A plan with the bytes that it needs, in the same order as [`RestorePlan::files`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// As shown.
    pub plan: RestorePlan,
    /// As done.
    pub writes: Vec<Write>,
}

/// Plans a restore.
pub fn prepare(scope: &RestoreScope, facts: &RestoreFacts<'_>) -> Prepared {
    let snapshot = facts.snapshot;
    let mut plan = RestorePlan {
        service: snapshot.service.clone(),
        snapshot: facts.id.clone(),
        taken_at: snapshot.taken_at,
        scope: scope.clone(),
        files: Vec::new(),
        left: Vec::new(),
        unchanged: 0,
        cautions: Vec::new(),
    };
    let mut writes = Vec::new();
    for item in &snapshot.items {
        if !scope.has(item.part, &item.path) {
            continue;
        }
        match one(scope, item, facts) {
            Step::Write(write) => {
                plan.files.push(shown(&write, facts));
                writes.push(*write);
            }
            Step::Same => plan.unchanged += 1,
            Step::Nothing => {}
            Step::Leave(left) => plan.left.push(left),
        }
    }
    for file in named(scope) {
        let known = snapshot.items.iter().any(|i| file.is(i.part, &i.path));
        if !known {
            plan.left.push(Left {
                part: file.part,
                path: file.path.clone().unwrap_or_default(),
                why: WhyLeft::NotInSnapshot,
                words: None,
                to_do: Vec::new(),
            });
        }
    }
    plan.cautions = cautions(&plan, facts);
    Prepared { plan, writes }
}

fn named(scope: &RestoreScope) -> &[FileName] {
    match scope {
        RestoreScope::All => &[],
        RestoreScope::Files { files } => files,
        RestoreScope::Key { file, .. } => std::slice::from_ref(file),
    }
}

enum Step {
    Write(Box<Write>),
    Same,
    /// Nothing was known of it then, nor is it now, and nobody misses it.
    Nothing,
    Leave(Left),
}

/// The same file now. Below the program's folder there is one of each part, wherever that folder is
/// by now; files that somebody named are the same only under the same name.
fn now_of<'a>(item: &Item, present: &'a [Present]) -> Option<&'a Present> {
    let by_name = matches!(
        item.part.part().source,
        Source::ComposeFile | Source::EnvFiles
    );
    let mut found = present.iter().filter(|now| now.part == item.part);
    found.find(|now| !by_name || now.path == item.path)
}

fn one(scope: &RestoreScope, item: &Item, facts: &RestoreFacts<'_>) -> Step {
    let now = now_of(item, facts.present);
    let path = now.map_or(&item.path, |now| &now.path).clone();
    let leave = |why: WhyLeft, words: Option<String>| {
        Step::Leave(Left {
            part: item.part,
            path: path.clone(),
            why,
            words,
            to_do: Vec::new(),
        })
    };
    let is = now.map(|now| &now.state);
    // Nothing was there and nothing is: nothing to speak of, whatever part it is.
    if item.state == ItemState::Absent && is == Some(&PresentState::Absent) {
        return if scope.key().is_some() {
            leave(WhyLeft::NoSuchKey, None)
        } else {
            Step::Same
        };
    }
    let then = left::bytes_of(item, facts.bytes);
    if way_of(item.part).is_none() {
        return not_a_file(scope, item, path, is, then.ok());
    }
    let then = match then {
        Ok(then) => then,
        // Nobody named it then, and nobody needs it.
        Err((WhyLeft::NotReadThen, _)) if *scope == RestoreScope::All && is_nameless(item, now) => {
            return Step::Nothing;
        }
        Err((why, words)) => return leave(why, words),
    };
    let is = match is {
        Some(PresentState::NotReadable(_, words)) => {
            return leave(WhyLeft::NotReadNow, Some(words.clone()));
        }
        None => return leave(WhyLeft::PlaceUnknown, None),
        Some(PresentState::Bytes(bytes)) => Some(bytes.as_slice()),
        Some(PresentState::Absent) => None,
    };
    if is == then {
        return if scope.key().is_some() {
            leave(WhyLeft::SameAlready, None)
        } else {
            Step::Same
        };
    }
    let after = match (scope.key(), is, then) {
        (None, _, None) if !facts.undo => return leave(WhyLeft::WasNotThere, None),
        (None, _, None) => None,
        (None, _, Some(then)) => {
            // What was half a file then would be lost by the program a second time.
            let read = read(item.part.part().format, then);
            if let Reading::Unreadable(words) = read
                && !facts.undo
            {
                return leave(WhyLeft::WasBroken, Some(words));
            }
            Some(then.to_vec())
        }
        (Some(key), Some(is), Some(then)) => {
            match one_key::set_back(item.part.part().format, is, then, key) {
                Ok(bytes) if bytes == is => return leave(WhyLeft::SameAlready, None),
                Ok(bytes) => Some(bytes),
                Err(no) => return leave(left::of_key(no), None),
            }
        }
        (Some(_), None, _) => return leave(WhyLeft::NoFileNow, None),
        (Some(_), _, None) => return leave(WhyLeft::WasNotThere, None),
    };
    let max = item.part.part().max_bytes as usize;
    if after.as_ref().is_some_and(|bytes| bytes.len() > max) {
        return leave(WhyLeft::TooLong, None);
    }
    Step::Write(Box::new(Write {
        part: item.part,
        path,
        before: is.map(<[u8]>::to_vec),
        after,
        mode: item.state.content().and_then(|content| content.mode),
    }))
}

/// A part that is no file of its own: it stays, and is named where it differs or that is not known.
#[expect(
    clippy::option_option,
    reason = "not known, not there, and there are three things"
)]
fn not_a_file(
    scope: &RestoreScope,
    item: &Item,
    path: String,
    is: Option<&PresentState>,
    then: Option<Option<&[u8]>>,
) -> Step {
    let is = match is {
        Some(PresentState::Bytes(bytes)) => Some(Some(bytes.as_slice())),
        Some(PresentState::Absent) => Some(None),
        Some(PresentState::NotReadable(..)) | None => None,
    };
    let known = is.zip(then);
    if known.is_some_and(|(is, then)| is == then) {
        return Step::Same;
    }
    // It says what its file says, which is named by itself.
    if known.is_none() && item.part == PartId::ForgeOptions && *scope == RestoreScope::All {
        return Step::Nothing;
    }
    let (is, then) = (is.flatten(), then.flatten());
    Step::Leave(left::not_a_file(item, path, is, then, known.is_some()))
}

/// A compose file of a container that was made by hand is missed by nobody.
fn is_nameless(item: &Item, now: Option<&Present>) -> bool {
    let no_place = |why: Unread| why == Unread::NoPlace;
    let then = matches!(&item.state, ItemState::NotReadable { why, .. } if no_place(*why));
    let now = now.is_none_or(|now| match &now.state {
        PresentState::NotReadable(why, _) => no_place(*why),
        PresentState::Absent => true,
        PresentState::Bytes(_) => false,
    });
    then && now && !item.part.part().in_workspace()
}
