//! One run of a program: from its start to the next.

use super::{
    Blocking, Deserialize, LogLevel, MAX_TEXT_BYTES, Name, PreparedLine, Serialize, Severity,
    Signature, SignatureSet, Timestamp, shape, shortened,
};
use crate::logs::{DeviceLine, prefilter::MAX_PATTERNS};

/// Most different signatures; a set has no more.
const MAX_FINDINGS: usize = MAX_PATTERNS;
/// Most shapes of unknown errors; lines of further ones are counted together.
const MAX_SHAPES: usize = 200;
/// Of each, as many go into a snapshot.
const BRIEF_FINDINGS: usize = 40;
const BRIEF_UNKNOWN: usize = 20;
/// Most different names of one finding.
const MAX_NAMES: usize = 16;
/// The CUDA context is broken: what fails later fails with other words, and only a new process
/// has a new context.
const CONTEXT_LOST: &[&str] = &["cuda.illegal", "cuda.assert"];

/// Messages in which a program names the device that it computes on.
const DEVICE: &[&str] = &["forge.gpu", "forge.cpu"];

/// By what a run was seen to begin, in the order in which these things happen.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Opening {
    /// Its beginning is older than the log.
    #[default]
    Unseen,
    /// The container started.
    Told,
    /// The supervisor started the program.
    Spawned,
    /// The program said so.
    Launched,
}

/// A known message and how often it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Finding {
    /// The signature's id.
    pub id: String,
    /// How grave.
    pub severity: Severity,
    /// What it stops.
    pub blocking: Blocking,
    /// How often in this run.
    pub count: u32,
    /// Time of the first, when known.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub first: Option<Timestamp>,
    /// Time of the last, when known.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub last: Option<Timestamp>,
    /// The worst level that the words of a line had.
    pub level: LogLevel,
    /// Text of the last line, shortened.
    pub text: String,
    /// Program of the last line.
    pub program: Option<String>,
    /// What the named groups found, each once, the first 16.
    pub names: Vec<Name>,
    /// Whether no later start of the program has put an end to it.
    pub open: bool,
}

impl Finding {
    /// Whether it is worth a person's look: it is no normal life, or it only sounds alarming, which
    /// is worth a word, too.
    pub fn is_notable(&self) -> bool {
        self.severity > Severity::Info || self.level >= LogLevel::Warning
    }

    /// Whether the program's CUDA context is lost: only a new process has a new one.
    pub fn is_context_lost(&self) -> bool {
        self.open && CONTEXT_LOST.contains(&self.id.as_str())
    }
}

/// Errors that no signature knows, of one shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct UnknownError {
    /// What they have in common.
    pub shape: String,
    /// How many in this run.
    pub count: u32,
    /// Time of the first, when known.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub first: Option<Timestamp>,
    /// Time of the last, when known.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub last: Option<Timestamp>,
    /// The first of them, shortened.
    pub sample: String,
    /// The worst level among them.
    pub level: LogLevel,
    /// Whether the run before had them too.
    pub before: bool,
}

/// What one run told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Run {
    /// By what it was seen to begin.
    pub opening: Opening,
    /// When it began, when known.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub at: Option<Timestamp>,
    /// Whether the program has said that it is ready.
    pub ready: bool,
    /// When it said so, when known.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub ready_at: Option<Timestamp>,
    /// Known messages in the order in which they first came.
    pub findings: Vec<Finding>,
    /// Unknown errors in the order in which they first came.
    pub unknown: Vec<UnknownError>,
    /// Unknown errors of further shapes.
    pub others: u32,
    /// Of a snapshot: known messages that are left out of it because they are silenced.
    #[serde(default)]
    pub silenced: u32,
}

impl Run {
    pub(super) fn opened(opening: Opening, at: Option<Timestamp>) -> Self {
        Self {
            opening,
            at,
            ..Self::default()
        }
    }

    /// What is worth a look and not silenced, the gravest and newest first, as much as fits a
    /// snapshot.
    #[must_use]
    pub fn brief(&self, silenced: impl Fn(&str) -> bool) -> Self {
        let notable = self.findings.iter().filter(|finding| finding.is_notable());
        let (quiet, told): (Vec<&Finding>, Vec<&Finding>) =
            notable.partition(|finding| silenced(&finding.id));
        let mut findings: Vec<Finding> = told.into_iter().cloned().collect();
        findings.sort_by_key(|f| std::cmp::Reverse((f.severity, f.last)));
        findings.truncate(BRIEF_FINDINGS);
        let mut unknown = self.unknown.clone();
        unknown.sort_by_key(|error| std::cmp::Reverse((error.level, error.last)));
        let left_out = unknown.iter().skip(BRIEF_UNKNOWN).map(|error| error.count);
        let others = left_out.fold(self.others, u32::saturating_add);
        unknown.truncate(BRIEF_UNKNOWN);
        Self {
            findings,
            unknown,
            others,
            silenced: u32::try_from(quiet.len()).unwrap_or(u32::MAX),
            ..self.clone()
        }
    }

    /// The line in which the program named the device that it computes on, newest last.
    pub fn device(&self) -> Option<DeviceLine> {
        let named = self
            .findings
            .iter()
            .filter(|finding| DEVICE.contains(&finding.id.as_str()));
        let newest = named.max_by_key(|finding| finding.last)?;
        Some(DeviceLine {
            text: newest.text.clone(),
            at: newest.last?,
        })
    }

    /// Whether nothing was told.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty() && self.unknown.is_empty() && self.others == 0
    }

    /// Whether it told an unknown error of this shape.
    pub(super) fn has(&self, shape: &str) -> bool {
        self.unknown.iter().any(|error| error.shape == shape)
    }

    /// Whether something told is the next step of this run's start: the supervisor starts the
    /// program, which then announces itself. What failed in between belongs to the same run.
    pub(super) fn goes_on_with(&self, opening: Opening) -> bool {
        self.opening != Opening::Unseen && !self.ready && self.opening < opening
    }

    pub(super) fn count(
        &mut self,
        signature: &Signature,
        names: impl FnOnce() -> Vec<Name>,
        line: &PreparedLine,
    ) {
        let known = self.findings.iter().position(|f| f.id == signature.id);
        let at = match known {
            Some(at) => at,
            None if self.findings.len() == MAX_FINDINGS => return,
            None => {
                self.findings.push(Finding {
                    id: signature.id.clone(),
                    severity: signature.severity,
                    blocking: signature.blocking,
                    count: 0,
                    first: line.at,
                    last: None,
                    level: LogLevel::Unknown,
                    text: String::new(),
                    program: None,
                    names: Vec::new(),
                    open: true,
                });
                self.findings.len() - 1
            }
        };
        let finding = &mut self.findings[at];
        finding.count = finding.count.saturating_add(1);
        finding.last = line.at.or(finding.last);
        finding.open = true;
        finding.level = finding.level.max(line.level);
        let text = line.text.trim();
        finding.text.clear();
        finding
            .text
            .push_str(&text[..text.floor_char_boundary(MAX_TEXT_BYTES)]);
        if finding.program != line.program {
            finding.program.clone_from(&line.program);
        }
        if finding.names.len() == MAX_NAMES {
            return;
        }
        for name in names() {
            if finding.names.len() < MAX_NAMES && !finding.names.contains(&name) {
                finding.names.push(name);
            }
        }
    }

    pub(super) fn count_unknown(&mut self, shape: String, before: bool, line: &PreparedLine) {
        // The cause of a traceback is an error, whatever its words say.
        let level = line.level.max(LogLevel::Error);
        if let Some(error) = self.unknown.iter_mut().find(|error| error.shape == shape) {
            error.count = error.count.saturating_add(1);
            error.last = line.at.or(error.last);
            error.level = error.level.max(level);
        } else if self.unknown.len() < MAX_SHAPES {
            self.unknown.push(UnknownError {
                shape,
                count: 1,
                first: line.at,
                last: line.at,
                sample: shortened(line.text.trim(), MAX_TEXT_BYTES),
                level,
                before,
            });
        } else {
            self.others = self.others.saturating_add(1);
        }
    }

    /// One line fewer of a signature: another line says the same better.
    pub(super) fn take_back(&mut self, id: &str) {
        if let Some(at) = self.findings.iter().position(|finding| finding.id == id) {
            let finding = &mut self.findings[at];
            finding.count = finding.count.saturating_sub(1);
            if finding.count == 0 {
                self.findings.remove(at);
            }
        }
    }

    /// One unknown error fewer.
    pub(super) fn take_back_unknown(&mut self, shape: &str) {
        if let Some(at) = self.unknown.iter().position(|error| error.shape == shape) {
            let error = &mut self.unknown[at];
            error.count = error.count.saturating_sub(1);
            if error.count == 0 {
                self.unknown.remove(at);
            }
        } else {
            self.others = self.others.saturating_sub(1);
        }
    }

    /// Takes over what other rules say of what was told; `earlier` is the run before.
    pub(super) fn rename(&mut self, signatures: &SignatureSet, earlier: Option<&Self>) {
        for finding in std::mem::take(&mut self.findings) {
            let kept = signatures.index_of(&finding.id);
            let index = kept.or_else(|| signatures.find_index(&finding.text));
            match index.and_then(|index| signatures.get(index)) {
                Some(signature) => self.add(Finding {
                    id: signature.id.clone(),
                    severity: signature.severity,
                    blocking: signature.blocking,
                    ..finding
                }),
                None if finding.level >= LogLevel::Error => self.add_unknown(finding, earlier),
                None => {}
            }
        }
        for error in std::mem::take(&mut self.unknown) {
            let named = signatures.find_index(&error.sample);
            match named.and_then(|index| Some((index, signatures.get(index)?))) {
                Some((index, signature)) => self.add(Finding {
                    id: signature.id.clone(),
                    severity: signature.severity,
                    blocking: signature.blocking,
                    count: error.count,
                    first: error.first,
                    last: error.last,
                    level: error.level,
                    open: signature.blocking != Blocking::Service || !self.ready_since(error.last),
                    names: signatures.names(index, &error.sample),
                    text: error.sample,
                    program: None,
                }),
                None => self.unknown.push(error),
            }
        }
    }

    /// Whether the program is known to have become ready after a moment.
    fn ready_since(&self, at: Option<Timestamp>) -> bool {
        self.ready && at.zip(self.ready_at).is_some_and(|(at, ready)| at < ready)
    }

    /// A finding, or more of one that is there.
    fn add(&mut self, finding: Finding) {
        if let Some(known) = self.findings.iter_mut().find(|f| f.id == finding.id) {
            known.count = known.count.saturating_add(finding.count);
            known.first = known.first.into_iter().chain(finding.first).min();
            known.last = known.last.max(finding.last);
            known.level = known.level.max(finding.level);
            known.open |= finding.open;
        } else if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding);
        }
    }

    /// What was a finding, as an unknown error.
    fn add_unknown(&mut self, finding: Finding, earlier: Option<&Self>) {
        let shape = shape(&finding.text);
        if let Some(error) = self.unknown.iter_mut().find(|error| error.shape == shape) {
            error.count = error.count.saturating_add(finding.count);
            error.last = error.last.max(finding.last);
        } else if self.unknown.len() < MAX_SHAPES {
            self.unknown.push(UnknownError {
                before: earlier.is_some_and(|run| run.has(&shape)),
                shape,
                count: finding.count,
                first: finding.first,
                last: finding.last,
                sample: finding.text,
                level: finding.level,
            });
        } else {
            self.others = self.others.saturating_add(finding.count);
        }
    }

    /// What a finding says, said better.
    pub(super) fn explain(&mut self, id: &str, text: String) {
        if let Some(finding) = self.findings.iter_mut().find(|finding| finding.id == id) {
            finding.text = text;
        }
    }

    /// The program is ready: what kept it from working before does so no more.
    pub(super) fn ready(&mut self, at: Option<Timestamp>) {
        self.ready = true;
        self.ready_at = at;
        for finding in &mut self.findings {
            if finding.blocking == Blocking::Service && !CONTEXT_LOST.contains(&finding.id.as_str())
            {
                finding.open = false;
            }
        }
    }
}
