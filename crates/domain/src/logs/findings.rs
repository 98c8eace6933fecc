//! What a log has told since its program started: known messages counted, unknown errors by shape.
//!
//! The rules are those of `log-catalogue.md` §14.

use serde::{Deserialize, Serialize};

use super::{
    LogLevel, LogStream,
    events::{Mark, TracePart},
    prepare::PreparedLine,
    shape::{shape, shortened},
    signature::{Blocking, Name, Severity, Signature, SignatureIndex, SignatureSet},
};
use crate::Timestamp;

mod run;

pub use run::{Finding, Opening, Run, UnknownError};

/// Programs whose last traceback is remembered.
const MAX_PROGRAMS: usize = 64;
/// Longest kept text of a line, in bytes.
const MAX_TEXT_BYTES: usize = 400;

/// A script of an extension could not be loaded; the cause follows.
const SCRIPT: &str = "ext.script-load";
/// Messages of a program's own start.
const LAUNCHED: &[&str] = &["forge.launch", "comfy.starting"];
/// Supervisor started a program.
const SPAWNED: &str = "sup.spawned";
/// End of the id of a message that says that a program is ready.
const STARTED: &str = ".started";

/// Folds the marks of one log.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    main_program: Option<String>,
    current: Run,
    previous: Option<Run>,
    voices: Vec<Voice>,
}

/// What one program on one stream said last.
#[derive(Debug, Clone)]
struct Voice {
    program: Option<String>,
    stream: LogStream,
    /// The script that could not be loaded, until its cause has come.
    script: Option<String>,
    /// What the last cause was counted as, for the cause that takes its place.
    counted: Option<Counted>,
}

#[derive(Debug, Clone)]
enum Counted {
    /// A signature, by its id.
    Known(String),
    /// An unknown error, by its shape.
    Unknown(String),
}

impl Findings {
    /// At the start of a log. Of what a supervisor starts, only the main program opens a run, any
    /// one when none is given.
    pub fn new(main_program: Option<&str>) -> Self {
        Self {
            main_program: main_program.map(ToOwned::to_owned),
            ..Self::default()
        }
    }

    /// The present run.
    pub fn current(&self) -> &Run {
        &self.current
    }

    /// The run before: no present fault.
    pub fn previous(&self) -> Option<&Run> {
        self.previous.as_ref()
    }

    /// The container has started: what was before is history.
    pub fn new_run(&mut self, at: Option<Timestamp>) {
        self.voices.clear();
        self.open(Opening::Told, at);
    }

    /// The worst of what keeps the service from working in the present run.
    pub fn blocking(&self) -> Option<&Finding> {
        self.blocking_except(|_| false)
    }

    /// The same without the silenced signatures.
    pub fn blocking_except(&self, silenced: impl Fn(&str) -> bool) -> Option<&Finding> {
        self.current
            .findings
            .iter()
            .filter(|finding| finding.open && finding.blocking == Blocking::Service)
            .filter(|finding| !silenced(&finding.id))
            .max_by_key(|finding| (finding.severity, finding.last))
    }

    /// Takes the next line and what it is. Says whether anything was counted.
    pub fn fold(&mut self, signatures: &SignatureSet, line: &PreparedLine, mark: Mark) -> bool {
        let found = mark
            .signature
            .and_then(|index| Some((index, signatures.get(index)?)));
        if let Some(part) = mark.trace {
            return part.is_cause() && self.cause(signatures, line, found, part);
        }
        if let Some(voice) = self.heard(line)
            && !line.text.trim().is_empty()
        {
            voice.script = None;
        }
        match found {
            Some((index, signature)) => {
                self.known(signature, || signatures.names(index, &line.text), line);
                true
            }
            None if line.level >= LogLevel::Error => {
                self.unknown(line);
                true
            }
            None => false,
        }
    }

    /// `names` is asked where somebody wants to know: most lines repeat what is known.
    fn known(&mut self, signature: &Signature, names: impl Fn() -> Vec<Name>, line: &PreparedLine) {
        let id = signature.id.as_str();
        if LAUNCHED.contains(&id) {
            self.open(Opening::Launched, line.at);
        } else if id == SPAWNED && self.is_main(&names()) {
            self.open(Opening::Spawned, line.at);
        } else if id == SCRIPT {
            let script = names().first().map(|name| name.value.clone());
            self.voice(line).script = script;
        }
        self.current.count(signature, names, line);
        if id.ends_with(STARTED) {
            self.current.ready(line.at);
        }
    }

    fn is_main(&self, names: &[Name]) -> bool {
        let Some(main) = &self.main_program else {
            return true;
        };
        names
            .iter()
            .any(|name| name.group == "name" && name.value == *main)
    }

    fn unknown(&mut self, line: &PreparedLine) -> String {
        let shape = shape(&line.text);
        let before = self.previous.as_ref().is_some_and(|run| run.has(&shape));
        self.current.count_unknown(shape.clone(), before, line);
        shape
    }

    /// The cause line of a traceback: one finding, whatever introduced it.
    fn cause(
        &mut self,
        signatures: &SignatureSet,
        line: &PreparedLine,
        found: Option<(SignatureIndex, &Signature)>,
        part: TracePart,
    ) -> bool {
        let voice = self.voice(line);
        let script = voice.script.clone();
        let replaced = voice.counted.take();
        if part == TracePart::LaterCause {
            match replaced {
                Some(Counted::Known(id)) => self.current.take_back(&id),
                Some(Counted::Unknown(shape)) => self.current.take_back_unknown(&shape),
                None => {}
            }
        }
        let counted = match (found, script) {
            (Some((index, signature)), script) => {
                let mut names = signatures.names(index, &line.text);
                if let Some(script) = script {
                    if part == TracePart::Cause {
                        self.current.take_back(SCRIPT);
                    }
                    names.insert(
                        0,
                        Name {
                            group: "path".to_owned(),
                            value: script,
                        },
                    );
                }
                self.current.count(signature, || names, line);
                Some(Counted::Known(signature.id.clone()))
            }
            (None, Some(script)) => {
                let text = format!("{script}: {}", line.text.trim_start());
                self.current
                    .explain(SCRIPT, shortened(&text, MAX_TEXT_BYTES));
                None
            }
            (None, None) => Some(Counted::Unknown(self.unknown(line))),
        };
        self.voice(line).counted = counted;
        true
    }

    /// Other rules are in force: an unknown error that one of them names is known from now on, a
    /// message that none of them names any more is what its words say, and each is as grave as
    /// they say. Lines that were told before keep their names.
    pub fn rename(&mut self, signatures: &SignatureSet) {
        if let Some(previous) = &mut self.previous {
            previous.rename(signatures, None);
        }
        self.current.rename(signatures, self.previous.as_ref());
    }

    /// The present run ends, unless what is told is only its next step.
    fn open(&mut self, opening: Opening, at: Option<Timestamp>) {
        if self.current.goes_on_with(opening) {
            self.current.opening = opening;
            self.current.at = self.current.at.or(at);
            return;
        }
        let old = std::mem::replace(&mut self.current, Run::opened(opening, at));
        if !old.is_empty() {
            self.previous = Some(old);
        }
    }

    fn heard(&mut self, line: &PreparedLine) -> Option<&mut Voice> {
        self.voices
            .iter_mut()
            .rfind(|voice| voice.stream == line.stream && voice.program == line.program)
    }

    fn voice(&mut self, line: &PreparedLine) -> &mut Voice {
        let known = self
            .voices
            .iter()
            .position(|voice| voice.stream == line.stream && voice.program == line.program);
        let at = known.unwrap_or_else(|| {
            if self.voices.len() == MAX_PROGRAMS {
                self.voices.remove(0);
            }
            self.voices.push(Voice {
                program: line.program.clone(),
                stream: line.stream,
                script: None,
                counted: None,
            });
            self.voices.len() - 1
        });
        &mut self.voices[at]
    }
}

#[cfg(test)]
mod tests;
