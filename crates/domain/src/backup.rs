//! The backup of the project folder: what is asked for, what would be done, how far it is, what came of it.

use serde::{Deserialize, Serialize};

use crate::{Timestamp, error::ErrorInfo};

mod pace;
mod retention;

pub use pace::Pace;
pub use retention::{RunFolder, to_remove};

/// Runs of a dated backup that stay when nothing else is said.
pub const USUAL_KEEP: u32 = 7;
/// Problems that a plan or a record lists; the rest is counted.
pub const LISTED_PROBLEMS: usize = 200;
/// Folders that a plan lists with their size.
pub const LISTED_FOLDERS: usize = 12;

/// What the target looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum BackupMode {
    /// The target is as the source is: what went there goes here, too.
    Mirror,
    /// A folder for each run.
    Dated,
}

impl BackupMode {
    /// Its word in the settings and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mirror => "mirror",
            Self::Dated => "dated",
        }
    }
}

/// What the settings say of the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct BackupSettings {
    /// The folder that is copied.
    pub source: String,
    /// The folder that it is copied into.
    pub target: String,
    /// What the target looks like.
    pub mode: BackupMode,
    /// Patterns of what is left out, below the source.
    pub exclude: Vec<String>,
    /// Runs of a dated backup that stay.
    pub keep: u32,
}

/// What source and target share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum SharedDisk {
    /// The file system itself: one fault takes both.
    SameVolume,
    /// The disk below two file systems.
    SameDisk,
    /// Nothing: they are on different disks.
    Different,
    /// The system does not tell.
    Unknown,
}

/// Why something is not in the backup, or not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// Another program holds it.
    InUse,
    /// This user may not read it, or may not write where it belongs.
    NotAllowed,
    /// It changed each time while it was read.
    Changed,
    /// It was gone when it was its turn.
    Gone,
    /// Its name or its path is one that the system refuses.
    NameRefused,
    /// It lies deeper than is looked.
    TooDeep,
    /// Something that is not of this backup is in its place.
    InTheWay,
    /// It is larger than the target's file system takes.
    TooLarge,
    /// What was written did not read back.
    NotVerified,
    /// It is missing from the backup.
    Missing,
    /// Its bytes are not those that were copied.
    Damaged,
    /// Something else; the system's words say it.
    Io,
}

impl Obstacle {
    /// Whether it may be gone a moment later.
    pub fn may_pass(self) -> bool {
        matches!(
            self,
            Self::InUse | Self::NotAllowed | Self::Changed | Self::Io
        )
    }

    /// In English.
    pub fn words(self) -> &'static str {
        match self {
            Self::InUse => "another program holds it",
            Self::NotAllowed => "this user may not read it, or not write it there",
            Self::Changed => "it changed each time while it was copied",
            Self::Gone => "it was gone when it was its turn",
            Self::NameRefused => "the system refuses its name or its path",
            Self::TooDeep => "it lies deeper than is looked",
            Self::InTheWay => "something that is not of this backup is in its place",
            Self::TooLarge => "it is larger than the target's file system takes",
            Self::NotVerified => "what was written did not read back",
            Self::Missing => "it is missing from the backup",
            Self::Damaged => "its bytes are not those that were copied",
            Self::Io => "it could not be read or written",
        }
    }
}

/// One thing that is not in the backup as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct BackupProblem {
    /// Its path below the source; hostile until escaped.
    pub path: String,
    /// Why.
    pub why: Obstacle,
    /// The system's own words.
    pub detail: Option<String>,
}

/// Files and what they take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Amount {
    /// How many.
    pub files: u32,
    /// Their bytes.
    #[cfg_attr(feature = "specta", specta(type = f64))]
    pub bytes: u64,
}

impl Amount {
    /// Adds a file.
    pub fn add(&mut self, bytes: u64) {
        self.files = self.files.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// A folder right below the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct FolderAmount {
    /// Its name; empty for the files right in the source.
    pub name: String,
    /// What is below it.
    pub amount: Amount,
}

/// What a run would do now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct BackupPlan {
    /// The folder that would be copied.
    pub source: String,
    /// The folder that it would be copied into.
    pub target: String,
    /// What the target looks like.
    pub mode: BackupMode,
    /// Everything that belongs into the backup.
    pub all: Amount,
    /// What would be copied.
    pub copy: Amount,
    /// What is there as it should be, or would be linked from the run before.
    pub unchanged: Amount,
    /// What would be removed from the target, because it is gone from the source and was put there by an
    /// earlier run.
    pub remove: Amount,
    /// Files and folders that the patterns leave out.
    pub excluded: u32,
    /// Symbolic links: noted, not followed.
    pub links: u32,
    /// Sockets, pipes and devices: noted, not copied.
    pub special: u32,
    /// Model files among all.
    pub models: Amount,
    /// Folders right below the source, the largest first.
    pub folders: Vec<FolderAmount>,
    /// Bytes that have to be free.
    #[cfg_attr(feature = "specta", specta(type = f64))]
    pub needed_bytes: u64,
    /// Bytes that are free at the target, when the system tells.
    #[cfg_attr(feature = "specta", specta(type = Option<f64>))]
    pub free_bytes: Option<u64>,
    /// What source and target share.
    pub disks: SharedDisk,
    /// Whether a run that was broken off would be continued.
    pub continues: bool,
    /// What could not be looked at, the first ones.
    pub problems: Vec<BackupProblem>,
    /// How many those are in all.
    pub problem_count: u32,
}

impl BackupPlan {
    /// Whether there is room; `None` when the system does not tell what is free.
    pub fn fits(&self) -> Option<bool> {
        self.free_bytes.map(|free| free >= self.needed_bytes)
    }
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum BackupTask {
    /// Copying.
    Run,
    /// Reading again what was copied.
    Verify,
}

/// What a task does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum BackupStage {
    /// It looks at what there is.
    Looking,
    /// It copies.
    Copying,
    /// It tries once more what was held or changed.
    Retrying,
    /// It removes what is gone from the source.
    Removing,
    /// It writes down what is there.
    Finishing,
    /// It reads what was copied.
    Verifying,
}

/// How far a task is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct BackupProgress {
    /// What is done.
    pub task: BackupTask,
    /// What it does now.
    pub stage: BackupStage,
    /// Since when.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub started_at: Timestamp,
    /// What is done of it.
    pub done: Amount,
    /// Of how much; `None` until it was counted.
    pub of: Option<Amount>,
    /// Bytes a second, lately; `None` while that is not known.
    pub rate: Option<f64>,
    /// Seconds until the end at this rate; `None` while that is not known.
    pub remaining_s: Option<u32>,
    /// The file at hand.
    pub current: Option<String>,
    /// Problems so far.
    pub problems: u32,
}

impl BackupProgress {
    /// Of a task that has begun: nothing is known yet.
    pub fn begun(task: BackupTask, started_at: Timestamp) -> Self {
        Self {
            task,
            stage: BackupStage::Looking,
            started_at,
            done: Amount::default(),
            of: None,
            rate: None,
            remaining_s: None,
            current: None,
            problems: 0,
        }
    }
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum BackupEnd {
    /// It has begun; when nothing runs, the program was ended before its end.
    Unfinished,
    /// Everything is there.
    Whole,
    /// Something is not; the problems say what.
    Incomplete,
    /// Somebody ended it; the next run goes on from there.
    Cancelled,
    /// The target is full; the next run goes on from there.
    DiskFull,
    /// It could not be done.
    Failed,
    /// There was no backup to verify.
    Nothing,
}

/// What came of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct BackupRecord {
    /// Names it.
    pub id: String,
    /// What was done.
    pub task: BackupTask,
    /// The folder that was copied.
    pub source: String,
    /// The folder that it was copied into.
    pub target: String,
    /// What the target looks like.
    pub mode: BackupMode,
    /// The folder of this run of a dated backup, below the target.
    pub folder: Option<String>,
    /// Since when.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub started_at: Timestamp,
    /// When it ended.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub finished_at: Option<Timestamp>,
    /// How.
    pub end: BackupEnd,
    /// What is in the backup now; of a verification, what was read.
    pub held: Amount,
    /// What this run copied.
    pub copied: Amount,
    /// What it linked to the run before.
    pub linked: Amount,
    /// What it found there as it should be.
    pub unchanged: Amount,
    /// What it removed.
    pub removed: Amount,
    /// Files and folders that the patterns leave out.
    pub excluded: u32,
    /// Symbolic links: noted, not followed.
    pub links: u32,
    /// Sockets, pipes and devices: noted, not copied.
    pub special: u32,
    /// What is not as it should be, the first ones.
    pub problems: Vec<BackupProblem>,
    /// How many those are in all.
    pub problem_count: u32,
    /// Why it ended before its end.
    pub error: Option<ErrorInfo>,
}

impl BackupRecord {
    /// One that has begun.
    pub fn begun(id: String, task: BackupTask, of: &BackupSettings, at: Timestamp) -> Self {
        Self {
            id,
            task,
            source: of.source.clone(),
            target: of.target.clone(),
            mode: of.mode,
            folder: None,
            started_at: at,
            finished_at: None,
            end: BackupEnd::Unfinished,
            held: Amount::default(),
            copied: Amount::default(),
            linked: Amount::default(),
            unchanged: Amount::default(),
            removed: Amount::default(),
            excluded: 0,
            links: 0,
            special: 0,
            problems: Vec::new(),
            problem_count: 0,
            error: None,
        }
    }

    /// Notes a problem; the first ones are listed, all are counted.
    pub fn trouble(&mut self, problem: BackupProblem) {
        note(&mut self.problems, &mut self.problem_count, problem);
    }

    /// One sentence for the journal.
    pub fn sentence(&self) -> String {
        let what = match self.task {
            BackupTask::Run => "backup",
            BackupTask::Verify => "verification of the backup",
        };
        let end = match self.end {
            BackupEnd::Unfinished => "has begun".to_owned(),
            BackupEnd::Whole => "is whole".to_owned(),
            BackupEnd::Incomplete => format!("is incomplete: {} problems", self.problem_count),
            BackupEnd::Cancelled => "was cancelled".to_owned(),
            BackupEnd::DiskFull => "stopped: the target is full".to_owned(),
            BackupEnd::Failed => "failed".to_owned(),
            BackupEnd::Nothing => "found no backup".to_owned(),
        };
        let counts = match self.task {
            BackupTask::Run => format!(
                "{} copied, {} linked, {} unchanged, {} removed",
                self.copied.files, self.linked.files, self.unchanged.files, self.removed.files
            ),
            BackupTask::Verify => format!("{} files read", self.held.files),
        };
        format!("{what} into {} {end} ({counts})", self.target)
    }
}

/// Notes a problem; the first ones are listed, all are counted.
pub fn note(listed: &mut Vec<BackupProblem>, count: &mut u32, problem: BackupProblem) {
    *count = count.saturating_add(1);
    if listed.len() < LISTED_PROBLEMS {
        listed.push(problem);
    }
}

/// What is known of the backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct BackupStatus {
    /// What the settings say; `None` when they say nothing.
    pub settings: Option<BackupSettings>,
    /// What runs in this program.
    pub running: Option<BackupProgress>,
    /// The last run; `None` when there never was one.
    pub last: Option<BackupRecord>,
    /// The last run that was whole, with its source and target.
    pub last_whole: Option<BackupRecord>,
    /// The last verification.
    pub verified: Option<BackupRecord>,
}

/// Whether a file is a model by its name: what the plan names, since models are large.
pub fn is_model(name: &str) -> bool {
    const ENDINGS: [&str; 7] = [
        ".safetensors",
        ".ckpt",
        ".gguf",
        ".pt",
        ".pth",
        ".bin",
        ".onnx",
    ];
    let name = name.to_ascii_lowercase();
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_beyond_the_list_are_counted() {
        let (mut listed, mut count) = (Vec::new(), 0);
        for number in 0..500 {
            let problem = BackupProblem {
                path: number.to_string(),
                why: Obstacle::InUse,
                detail: None,
            };
            note(&mut listed, &mut count, problem);
        }
        assert_eq!((listed.len(), count), (LISTED_PROBLEMS, 500));
    }

    #[test]
    fn models_are_known_by_their_ending() {
        for (name, model) in [
            ("models/sd/XL.SafeTensors", true),
            ("a.ckpt", true),
            ("a.pt.txt", false),
            ("safetensors", false),
        ] {
            assert_eq!(is_model(name), model, "{name}");
        }
    }
}
