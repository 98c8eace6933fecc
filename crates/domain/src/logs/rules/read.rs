//! Reading a rules file, with every mistake at once.

use std::collections::{HashMap, HashSet};

use serde::de::{DeserializeOwned, value::StrDeserializer};
use toml::de::DeTable;

use super::{
    DraftFault, RuleProblem, RulesFile, Silence,
    draft::{self, MAX_ID_CHARS},
    moment::moment,
};
use crate::{
    logs::{
        prefilter::MAX_PATTERNS,
        signature::{Blocking, Scope, Severity, Signature, SignatureSet, Wording},
    },
    suggest::nearest,
};

/// Largest accepted file in bytes.
const MAX_FILE_BYTES: usize = 1 << 20;
/// Most silences.
const MAX_SILENCES: usize = 1_000;
/// Most problems that are told at once.
const MAX_PROBLEMS: usize = 50;
/// Longest quoted word of the file in a message, in characters.
const MAX_EXCERPT_CHARS: usize = 40;

const SECTIONS: &[&str] = &["signature", "silence"];
const FIELDS: &[&str] = &[
    "id",
    "scope",
    "pattern",
    "severity",
    "blocking",
    "action",
    "source",
    "sample",
    "near_miss",
    "en",
    "fr",
];
const WORDINGS: &[&str] = &["title", "cause", "remedy"];
const SILENCE_FIELDS: &[&str] = &["id", "until"];
const SEVERITIES: &[&str] = &["info", "warning", "degraded", "error", "fatal"];
const BLOCKINGS: &[&str] = &["no", "job", "service"];
const SCOPES: &[&str] = &[
    "own",
    "forge",
    "a1111",
    "comfyui",
    "python",
    "torch",
    "ext",
    "container",
    "docker",
    "driver",
    "wsl",
];
const ACTIONS: &[&str] = &[
    "restart-program",
    "restart-container",
    "disable-extension",
    "open-settings",
    "free-space",
];

/// Reads a rules file. Nothing of it is used unless all of it is in order.
pub fn parse(text: &str) -> Result<RulesFile, Vec<RuleProblem>> {
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = Reader {
        text,
        problems: Vec::new(),
        ids: HashMap::new(),
        silenced_in: Vec::new(),
        file: RulesFile::default(),
    };
    if text.len() > MAX_FILE_BYTES {
        reader.problem(
            0,
            format!("the file is larger than {} KiB", MAX_FILE_BYTES / 1024),
            "keep only the rules in it",
        );
        return Err(reader.problems);
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        reader.problem(
            error.span().map_or(0, |span| span.start),
            format!("this is not TOML: {}", error.message()),
            "write texts in quotes, patterns in single quotes, and each rule below its own `[[signature]]`",
        );
    }
    if errors.is_empty() {
        reader.file(table.get_ref());
    }
    if reader.problems.is_empty() {
        Ok(reader.file)
    } else {
        reader.problems.sort_by_key(|problem| problem.line);
        reader.problems.truncate(MAX_PROBLEMS);
        Err(reader.problems)
    }
}

struct Reader<'t> {
    text: &'t str,
    problems: Vec<RuleProblem>,
    /// Ids of this file and where they stand.
    ids: HashMap<String, u32>,
    /// Line of each silence.
    silenced_in: Vec<u32>,
    file: RulesFile,
}

impl Reader<'_> {
    fn line(&self, at: usize) -> u32 {
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n').count();
        u32::try_from(line).unwrap_or(u32::MAX)
    }

    fn problem(&mut self, at: usize, reason: impl Into<String>, remedy: impl Into<String>) {
        let problem = RuleProblem {
            line: Some(self.line(at)),
            reason: reason.into(),
            remedy: remedy.into(),
        };
        self.problems.push(problem);
    }

    fn file(&mut self, table: &DeTable<'_>) {
        self.unknown(table, SECTIONS, "the file");
        for (section, most) in [
            ("signature", MAX_PATTERNS - SignatureSet::built_in().len()),
            ("silence", MAX_SILENCES),
        ] {
            let Some(value) = table.get(section) else {
                continue;
            };
            let Some(list) = value.get_ref().as_array() else {
                self.problem(
                    value.span().start,
                    format!("`{section}` is not a list"),
                    format!("write `[[{section}]]` with two brackets"),
                );
                continue;
            };
            if list.len() > most {
                self.problem(
                    value.span().start,
                    format!("there are {} of `[[{section}]]`", list.len()),
                    format!("keep at most {most}"),
                );
                continue;
            }
            for item in list {
                match item.get_ref().as_table() {
                    Some(table) if section == "signature" => {
                        self.signature(item.span().start, table);
                    }
                    Some(table) => self.silence(item.span().start, table),
                    None => self.problem(
                        item.span().start,
                        format!("an item of `{section}` is not a table"),
                        format!("write `[[{section}]]` and its fields below"),
                    ),
                }
            }
        }
        self.silences_of_nothing();
    }

    fn unknown(&mut self, table: &DeTable<'_>, known: &[&str], place: &str) {
        for (key, _) in table {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            let remedy = match nearest(name, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("remove it; {place} may have `{}`", known.join("`, `")),
            };
            self.problem(
                key.span().start,
                format!("unknown field `{}` in {place}", excerpt(name)),
                remedy,
            );
        }
    }

    /// A text, when the field is there and is one.
    fn text(&mut self, table: &DeTable<'_>, field: &str) -> Option<(usize, String)> {
        let value = table.get(field)?;
        let at = value.span().start;
        if let Some(text) = value.get_ref().as_str() {
            return Some((at, text.to_owned()));
        }
        self.problem(
            at,
            format!("`{field}` is not a text"),
            format!("write it in quotes: `{field} = \"…\"`"),
        );
        None
    }

    fn required(
        &mut self,
        at: usize,
        table: &DeTable<'_>,
        field: &str,
        example: &str,
    ) -> Option<(usize, String)> {
        if !table.contains_key(field) {
            self.problem(
                at,
                format!("`{field}` is missing"),
                format!("add it, such as `{field} = {example}`"),
            );
            return None;
        }
        self.text(table, field)
    }

    /// One of a few words.
    fn word<T: DeserializeOwned>(
        &mut self,
        found: Option<(usize, String)>,
        field: &str,
        known: &[&str],
    ) -> Option<T> {
        let (at, word) = found?;
        let read = StrDeserializer::<serde::de::value::Error>::new(&word);
        if let (true, Ok(value)) = (known.contains(&word.as_str()), T::deserialize(read)) {
            return Some(value);
        }
        let remedy = match nearest(&word, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("write one of `{}`", known.join("`, `")),
        };
        self.problem(
            at,
            format!("`{field}` cannot be `{}`", excerpt(&word)),
            remedy,
        );
        None
    }

    fn signature(&mut self, at: usize, table: &DeTable<'_>) {
        self.unknown(table, FIELDS, "a rule");
        let id = self.required(at, table, "id", "\"own.tunnel-lost\"");
        let id = id.and_then(|(at, id)| self.id(at, id));
        let pattern = self.required(at, table, "pattern", "'tunnel connection lost'");
        let severity = self.required(at, table, "severity", "\"warning\"");
        let severity = self.word::<Severity>(severity, "severity", SEVERITIES);
        let blocking = self.text(table, "blocking");
        let blocking = self.word::<Blocking>(blocking, "blocking", BLOCKINGS);
        let scope = self.text(table, "scope");
        let scope = self.word::<Scope>(scope, "scope", SCOPES);
        let action = self.text(table, "action");
        let action = self.word(action, "action", ACTIONS);
        let source = self.text(table, "source");
        let en = self.wording(table, "en");
        let fr = self.wording(table, "fr");
        let pattern = pattern.and_then(|(at, pattern)| self.pattern(at, pattern, table));
        let (Some(id), Some(pattern), Some(severity)) = (id, pattern, severity) else {
            return;
        };
        let sample = table.get("sample");
        if let Some(sample) = sample.and_then(|value| value.get_ref().as_str()) {
            self.file.samples.insert(id.clone(), sample.to_owned());
        }
        self.file.rules.push(Signature {
            id,
            area: "own".to_owned(),
            scope: scope.unwrap_or(Scope::Own),
            pattern,
            severity,
            blocking: blocking.unwrap_or_default(),
            action,
            source: source.map(|(_, source)| source).unwrap_or_default(),
            en,
            fr,
        });
    }

    fn id(&mut self, at: usize, id: String) -> Option<String> {
        if draft::is_bad_id(&id) {
            self.problem(
                at,
                format!("`{}` cannot be an id", excerpt(&id)),
                format!(
                    "begin with a small letter and use small letters, digits, `.`, `-` and `_`, at most {MAX_ID_CHARS}"
                ),
            );
            return None;
        }
        let line = self.line(at);
        if let Some(first) = self.ids.insert(id.clone(), line) {
            self.problem(
                at,
                format!("the id `{id}` is also in line {first}"),
                "choose another id for one of them",
            );
            return None;
        }
        if draft::is_built_in(&id) {
            self.problem(
                at,
                format!("the id `{id}` belongs to a built-in signature"),
                "choose another id, such as one that begins with `own.`; a rule of yours comes first in any case",
            );
            return None;
        }
        Some(id)
    }

    /// The pattern, if it compiles and does what the samples say.
    fn pattern(&mut self, at: usize, pattern: String, table: &DeTable<'_>) -> Option<String> {
        let regex = match draft::compiled(&pattern) {
            Ok(regex) => regex,
            Err(fault) => {
                let (reason, remedy) = pattern_words(&fault);
                self.problem(at, reason, remedy);
                return None;
            }
        };
        let before = self.problems.len();
        if let Some((at, sample)) = self.text(table, "sample")
            && !regex.is_match(&sample)
        {
            self.problem(
                at,
                "the pattern does not match the sample",
                "correct either of them",
            );
        }
        for (at, text) in self.texts(table, "near_miss") {
            if regex.is_match(&text) {
                self.problem(
                    at,
                    "the pattern matches a near miss",
                    "make the pattern more exact, or remove this line",
                );
            }
        }
        (self.problems.len() == before).then_some(pattern)
    }

    fn texts(&mut self, table: &DeTable<'_>, field: &str) -> Vec<(usize, String)> {
        let Some(value) = table.get(field) else {
            return Vec::new();
        };
        let texts: Option<Vec<_>> = value.get_ref().as_array().and_then(|list| {
            list.iter()
                .map(|item| Some((item.span().start, item.get_ref().as_str()?.to_owned())))
                .collect()
        });
        texts.unwrap_or_else(|| {
            self.problem(
                value.span().start,
                format!("`{field}` is not a list of texts"),
                format!("write it like `{field} = ['one line', 'another']`"),
            );
            Vec::new()
        })
    }

    fn wording(&mut self, table: &DeTable<'_>, language: &str) -> Option<Wording> {
        let value = table.get(language)?;
        let Some(table) = value.get_ref().as_table() else {
            self.problem(
                value.span().start,
                format!("`{language}` is not a table"),
                format!("write `[signature.{language}]` and `title = \"…\"` below"),
            );
            return None;
        };
        self.unknown(table, WORDINGS, &format!("`[signature.{language}]`"));
        let mut text = |field| {
            self.text(table, field)
                .map(|(_, text)| text)
                .unwrap_or_default()
        };
        Some(Wording {
            title: text("title"),
            cause: text("cause"),
            remedy: text("remedy"),
        })
    }

    fn silence(&mut self, at: usize, table: &DeTable<'_>) {
        self.unknown(table, SILENCE_FIELDS, "a silence");
        let id = self.required(at, table, "id", "\"torch.load-futurewarning\"");
        let Some(until) = table.get("until") else {
            self.problem(
                at,
                "`until` is missing",
                "add it, such as `until = 2026-12-01`",
            );
            return;
        };
        let Some(moment) = moment(until) else {
            self.problem(
                until.span().start,
                "`until` is no date",
                "write it like `until = 2026-12-01` or `until = 2026-12-01T18:00:00Z`",
            );
            return;
        };
        if let Some((at, id)) = id {
            self.file.silences.push(Silence { id, until: moment });
            self.silenced_in.push(self.line(at));
        }
    }

    /// Notes silences that silence nothing.
    fn silences_of_nothing(&mut self) {
        let built_in = SignatureSet::built_in();
        let own: HashSet<&str> = self
            .file
            .rules
            .iter()
            .map(|rule| rule.id.as_str())
            .collect();
        self.file.notes = self
            .file
            .silences
            .iter()
            .zip(&self.silenced_in)
            .filter(|(silence, _)| {
                built_in.index_of(&silence.id).is_none() && !own.contains(silence.id.as_str())
            })
            .map(|(silence, line)| {
                let known = built_in.iter().map(|signature| signature.id.as_str());
                RuleProblem {
                    line: Some(*line),
                    reason: format!("no signature is called `{}`", excerpt(&silence.id)),
                    remedy: match nearest(&silence.id, known.chain(own.iter().copied())) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => "remove it, or correct the id".to_owned(),
                    },
                }
            })
            .collect();
    }
}

/// What is wrong with a pattern, and what to do.
fn pattern_words(fault: &DraftFault) -> (String, String) {
    match fault {
        DraftFault::BadPattern { message, at } => (
            format!("the pattern cannot be used: {message}"),
            match at {
                Some(at) => format!("look at character {} of the pattern", at + 1),
                None => "make it shorter or simpler".to_owned(),
            },
        ),
        _ => (
            "the pattern matches an empty line, and so every line".to_owned(),
            "write at least one word of the message into it".to_owned(),
        ),
    }
}

fn excerpt(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(MAX_EXCERPT_CHARS)
        .filter(|c| !c.is_control())
        .collect();
    if text.chars().count() > MAX_EXCERPT_CHARS {
        short.push('…');
    }
    short
}
