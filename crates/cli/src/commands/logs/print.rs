//! How lines are printed.

use std::sync::Arc;

use forgekeeper_domain::logs::{
    LogLine,
    rules::RulesInForce,
    signature::{Blocking, Severity, Signature},
};
use serde::Serialize;

use super::context::Shown;
use crate::text::{print_json, print_line, printable};

/// Prints lines, as they are or with their neighbours.
#[derive(Debug)]
pub(super) struct Printer {
    json: bool,
    explain: bool,
    /// Say what a name means.
    rules: Arc<RulesInForce>,
    piece: u32,
}

/// A line that matches, or stands near one that does.
#[derive(Debug, Serialize)]
struct InContext<'l> {
    #[serde(flatten)]
    line: &'l LogLine,
    #[serde(rename = "match")]
    matched: bool,
    piece: u32,
}

impl Printer {
    pub(super) fn new(json: bool, explain: bool, rules: Arc<RulesInForce>) -> Self {
        Self {
            json,
            explain,
            rules,
            piece: 1,
        }
    }

    /// Whether it prints for programs.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// From now on names mean what these rules say.
    pub(super) fn obey(&mut self, rules: Arc<RulesInForce>) {
        self.rules = rules;
    }

    pub(super) fn line(&self, line: &LogLine) {
        if self.json {
            print_json(line);
        } else {
            self.words(line);
        }
    }

    pub(super) fn shown(&mut self, shown: &Shown) {
        if shown.apart {
            self.piece = self.piece.saturating_add(1);
        }
        if self.json {
            print_json(&self.in_context(shown));
            return;
        }
        if shown.apart {
            print_line("--");
        }
        self.words(&shown.line);
    }

    fn in_context<'l>(&self, shown: &'l Shown) -> InContext<'l> {
        InContext {
            line: &shown.line,
            matched: shown.matched,
            piece: self.piece,
        }
    }

    fn words(&self, line: &LogLine) {
        print_line(&text(line));
        if self.explain
            && let Some(explained) = explained(&self.rules, line)
        {
            print_line(&explained);
        }
    }
}

pub(in crate::commands) fn text(line: &LogLine) -> String {
    let at = line.at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    if let Some(marker) = &line.marker {
        return format!("{at} --- {} ---", printable(&marker.to_string()));
    }
    let program = line
        .program
        .as_deref()
        .map(|p| format!("[{p}] "))
        .unwrap_or_default();
    let cut = if line.cut_bytes > 0 {
        format!(" … {} bytes cut", line.cut_bytes)
    } else {
        String::new()
    };
    format!("{at} {}{}{cut}", printable(&program), printable(&line.text))
}

/// What a line that has a name means.
fn explained(rules: &RulesInForce, line: &LogLine) -> Option<String> {
    let id = line.signature.as_deref()?;
    Some(match known(rules, id) {
        Some(signature) => format!("    = {} ({})", title(signature), effect(signature)),
        // Stored under a name that neither this version nor the own rules know.
        None => format!("    = {}", printable(id)),
    })
}

/// The signature of that name.
pub(super) fn known<'r>(rules: &'r RulesInForce, id: &str) -> Option<&'r Signature> {
    let signatures = rules.signatures();
    signatures.get(signatures.index_of(id)?)
}

/// What people call it.
pub(super) fn title(signature: &Signature) -> String {
    let wording = signature.wording("en");
    let title = wording.map(|w| w.title.as_str()).filter(|t| !t.is_empty());
    printable(title.unwrap_or(&signature.id))
}

/// What it does to pictures and jobs.
fn effect(signature: &Signature) -> &'static str {
    match (signature.blocking, signature.severity) {
        (Blocking::Service, _) => "no job can run until someone acts",
        (Blocking::Job, _) => "the present job fails; the next may work",
        (Blocking::No, Severity::Info) => "normal life",
        (Blocking::No, Severity::Warning) => "works as before; worth a look",
        (Blocking::No, Severity::Degraded) => "works, but a part is missing or slower",
        (Blocking::No, Severity::Error) => "one part failed; the service goes on",
        (Blocking::No, Severity::Fatal) => "the service cannot start or has ended",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use forgekeeper_domain::logs::{LogLevel, LogStream};

    use super::*;

    /// A line with this number and text.
    pub(in crate::commands::logs) fn line(seq: u32, text: &str) -> LogLine {
        LogLine {
            seq,
            at: "2026-11-23T10:00:00Z".parse().ok(),
            stream: LogStream::Stdout,
            program: Some("forge".to_owned()),
            level: LogLevel::Info,
            text: text.to_owned(),
            spans: Vec::new(),
            cut_bytes: 0,
            signature: None,
            trace: None,
            marker: None,
        }
    }

    #[test]
    fn a_line_that_has_a_name_is_explained() {
        let mut named = line(1, "Running on public URL: https://x.example");
        let own = "[[signature]]\nid = 'own.a'\npattern = 'a'\nseverity = 'info'\n\
                   [[signature]]\nid = 'own.b'\npattern = 'b'\nseverity = 'fatal'\n\
                   [signature.fr]\ntitle = 'Perdu'\n";
        let file = forgekeeper_domain::logs::rules::parse(own).expect("in order");
        let rules = RulesInForce::of(&file, forgekeeper_domain::Timestamp::UNIX_EPOCH);
        assert_eq!(explained(&rules, &named), None);
        for (id, expected) in [
            (
                "forge.public-url",
                "    = The UI is open to the Internet (works as before; worth a look)",
            ),
            (
                "cuda.illegal",
                "    = The CUDA context is broken (no job can run until someone acts)",
            ),
            (
                "oom.torch",
                "    = GPU memory exhausted (the present job fails; the next may work)",
            ),
            ("own.a", "    = own.a (normal life)"),
            (
                "own.b",
                "    = Perdu (the service cannot start or has ended)",
            ),
            (
                "gone.with\u{1b}an-update",
                "    = gone.with\u{fffd}an-update",
            ),
        ] {
            named.signature = Some(id.to_owned());
            assert_eq!(explained(&rules, &named).as_deref(), Some(expected), "{id}");
        }
    }

    #[test]
    fn nothing_from_outside_steers_the_terminal() {
        let mut hostile = line(1, "a\u{1b}[2Jb");
        hostile.program = Some("p\u{7}".to_owned());
        hostile.cut_bytes = 7;
        assert_eq!(
            text(&hostile),
            "2026-11-23T10:00:00Z [p\u{fffd}] a\u{fffd}[2Jb … 7 bytes cut"
        );
    }

    #[test]
    fn the_shape_of_a_line_in_context_is_that_of_a_line_and_two_keys() {
        let printer = Printer::new(true, false, Arc::default());
        let shown = Shown {
            line: line(7, "x"),
            matched: true,
            apart: false,
        };
        let whole = serde_json::to_value(printer.in_context(&shown)).expect("JSON");
        let mut expected = serde_json::to_value(&shown.line).expect("JSON");
        expected["match"] = true.into();
        expected["piece"] = 1.into();
        assert_eq!(whole, expected);
    }
}
