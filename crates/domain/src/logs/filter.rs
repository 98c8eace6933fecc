//! What of a log is shown: text or regular expression, how grave, one program, since when.

use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use super::{LogLevel, LogLine, LogQuery, rules::RulesInForce, signature::Severity};
use crate::{
    Timestamp,
    error::{ErrorCode, ErrorInfo},
};

/// Longest accepted filter in characters.
const MAX_FILTER_CHARS: usize = 1_000;
/// Largest compiled expression in bytes; nested repetitions reach it first.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// Why a filter cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FilterError {
    /// What is wrong, in English.
    pub message: String,
    /// Where in the expression, in characters from 0, when the place is known.
    pub at: Option<u32>,
}

impl From<FilterError> for ErrorInfo {
    fn from(error: FilterError) -> Self {
        let info = ErrorInfo::new(
            ErrorCode::BadFilter,
            format!("the filter cannot be used: {}", error.message),
        );
        match error.at {
            Some(at) => info.hint(format!("look at character {} of the filter", at + 1)),
            None => info,
        }
    }
}

/// A query, ready to be asked for each line.
#[derive(Debug, Clone)]
pub struct LineFilter {
    text: Option<Regex>,
    /// The same over many lines at once, where a line's beginning and end can be told.
    texts: Option<Regex>,
    /// Whether `text` only marks lines and keeps none away.
    mark: bool,
    level: Option<LogLevel>,
    program: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    /// Tell how grave a named message is.
    rules: Arc<RulesInForce>,
}

impl LineFilter {
    /// Compiles a query. Plain text ignores case; an expression does not unless it
    /// says `(?i)`. Of messages it knows the built-in ones, until it is told of others.
    pub fn compile(query: &LogQuery) -> Result<Self, FilterError> {
        bounded(&query.filter)?;
        let escaped = (!query.regex).then(|| regex::escape(&query.filter));
        let pattern = escaped.as_deref().unwrap_or(&query.filter);
        let build = |many| build(pattern, !query.regex, many);
        let (text, texts) = if query.filter.is_empty() {
            (None, None)
        } else {
            // Such a form may ask for the begin or end of the whole text.
            let whole = ["\\A", "\\z", "(?"]
                .iter()
                .any(|form| pattern.contains(form));
            let texts = (!whole).then(|| build(true)).transpose()?;
            (Some(build(false)?), texts)
        };
        Ok(Self {
            text,
            texts,
            mark: query.mark,
            level: query.level,
            program: query.program.clone(),
            since: query.since,
            until: query.until,
            rules: Arc::default(),
        })
    }

    /// From now on a message is as grave as these rules say.
    pub fn obey(&mut self, rules: &Arc<RulesInForce>) {
        self.rules = Arc::clone(rules);
    }

    /// The same, for a filter that is being made.
    #[must_use]
    pub fn knowing(mut self, rules: &Arc<RulesInForce>) -> Self {
        self.obey(rules);
        self
    }

    /// Whether a line is asked for. A line whose time is unknown is not held to be too old.
    pub fn matches(&self, line: &LogLine) -> bool {
        let marker = line.marker.is_some();
        // What happened to the container belongs to every program, and has no text.
        (self.mark || !marker || self.text.is_none())
            && self.level.is_none_or(|level| self.is_as_grave(line, level))
            && self
                .program
                .as_ref()
                .is_none_or(|p| marker || line.program.as_ref() == Some(p))
            && self
                .since
                .is_none_or(|since| line.at.is_none_or(|at| at >= since))
            && self
                .until
                .is_none_or(|until| line.at.is_none_or(|at| at <= until))
            && (self.mark || self.finds(line))
    }

    /// Whether the text only marks lines, and keeps none away.
    pub fn marks(&self) -> bool {
        self.mark && self.text.is_some()
    }

    /// Whether this is a line to mark.
    pub fn is_hit(&self, line: &LogLine) -> bool {
        self.marks() && line.marker.is_none() && self.finds(line)
    }

    fn finds(&self, line: &LogLine) -> bool {
        self.text
            .as_ref()
            .is_none_or(|regex| regex.is_match(&line.text))
    }

    /// Whether a line among `texts`, one after the other with a line end between two, may match.
    /// Cheap, and never wrong where it says no.
    pub fn may_match(&self, texts: &str) -> bool {
        self.mark
            || self
                .texts
                .as_ref()
                .is_none_or(|regex| regex.is_match(texts))
    }

    /// Earliest and latest time asked for.
    pub fn span(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        (self.since, self.until)
    }

    /// Whether every line matches.
    pub fn is_open(&self) -> bool {
        (self.mark || self.text.is_none())
            && self.level.is_none()
            && self.program.is_none()
            && self.span() == (None, None)
    }

    /// Whether a line's own words are so grave or worse, or the message is known to be: many a
    /// failure is told in words without alarm.
    fn is_as_grave(&self, line: &LogLine, level: LogLevel) -> bool {
        let known = self.rules.signatures();
        let severity = |id| Some(known.get(known.index_of(id)?)?.severity);
        let least = match level {
            LogLevel::Unknown | LogLevel::Debug | LogLevel::Info => Severity::Info,
            LogLevel::Warning => Severity::Warning,
            LogLevel::Error => Severity::Error,
            LogLevel::Fatal => Severity::Fatal,
        };
        line.level >= level || line.signature.as_deref().and_then(severity) >= Some(least)
    }
}

/// Compiles an expression that comes from outside, within the limits of a filter.
pub(crate) fn expression(pattern: &str) -> Result<Regex, FilterError> {
    bounded(pattern)?;
    build(pattern, false, false)
}

fn bounded(filter: &str) -> Result<(), FilterError> {
    if filter.chars().count() > MAX_FILTER_CHARS {
        return Err(FilterError {
            message: format!("it is longer than {MAX_FILTER_CHARS} characters"),
            at: None,
        });
    }
    Ok(())
}

fn build(pattern: &str, ignore_case: bool, many_lines: bool) -> Result<Regex, FilterError> {
    RegexBuilder::new(pattern)
        .case_insensitive(ignore_case)
        .multi_line(many_lines)
        .size_limit(MAX_COMPILED_BYTES)
        .dfa_size_limit(MAX_COMPILED_BYTES)
        .nest_limit(50)
        .build()
        .map_err(|error| explain(&error))
}

/// The library draws an arrow below the expression; only its last sentence and the arrow's place
/// are wanted.
fn explain(error: &regex::Error) -> FilterError {
    match error {
        regex::Error::Syntax(text) => {
            let mut at = None;
            for line in text.lines() {
                if line.trim_start().starts_with('^') {
                    at = line
                        .find('^')
                        .and_then(|column| u32::try_from(column.saturating_sub(4)).ok());
                }
            }
            let message = text
                .lines()
                .rev()
                .find_map(|line| line.strip_prefix("error: "))
                .unwrap_or("it is no regular expression");
            FilterError {
                message: message.to_owned(),
                at,
            }
        }
        regex::Error::CompiledTooBig(_) => FilterError {
            message: "the expression is too large; use fewer or smaller repetitions".to_owned(),
            at: None,
        },
        other => FilterError {
            message: other.to_string(),
            at: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::{LogStream, Marker};

    fn line(text: &str) -> LogLine {
        LogLine {
            seq: 0,
            at: Some("2026-11-23T10:00:00Z".parse().unwrap()),
            stream: LogStream::Stderr,
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

    fn query(filter: &str, regex: bool) -> LogQuery {
        LogQuery {
            filter: filter.to_owned(),
            regex,
            ..LogQuery::default()
        }
    }

    #[test]
    fn text_and_expressions_find_what_they_should() {
        for (filter, regex, text, expected) in [
            ("", false, "anything", true),
            ("cuda", false, "CUDA out of memory", true),
            ("a.b", false, "aXb", false),
            ("(", false, "f(x)", true),
            ("a.b", true, "aXb", true),
            ("cuda", true, "CUDA error", false),
            ("(?i)cuda", true, "CUDA error", true),
            ("CUDA", true, "cuda error", false),
            (r"^\S+ done$", true, "ALL done", true),
            (r"\AALL", true, "ALL done", true),
            (r"(?-m)^ALL done$", true, "ALL done", true),
            ("straße", false, "STRASSE", false),
            ("é", false, "É", true),
        ] {
            let compiled = LineFilter::compile(&query(filter, regex)).unwrap();
            assert_eq!(
                compiled.matches(&line(text)),
                expected,
                "{filter:?} on {text:?}"
            );
            // Among others it may be found wherever it is; elsewhere only a no is a promise.
            let among = format!("x\n{text}\ny");
            assert!(
                !expected || compiled.may_match(&among),
                "{filter:?} in {among:?}"
            );
        }
    }

    #[test]
    fn what_only_marks_keeps_nothing_away() {
        let marking = LogQuery {
            mark: true,
            ..query("cuda", false)
        };
        let filter = LineFilter::compile(&marking).unwrap();
        let (hit, other) = (line("CUDA error"), line("fine"));
        assert!(filter.matches(&hit) && filter.matches(&other) && filter.may_match("fine"));
        assert!(filter.is_hit(&hit) && !filter.is_hit(&other));
        let started = Marker::Started {
            container: "cuda".to_owned(),
        };
        let between = started.between_lines(Timestamp::UNIX_EPOCH);
        assert!(filter.matches(&between) && !filter.is_hit(&between));

        let narrow = LineFilter::compile(&query("cuda", false)).unwrap();
        assert!(!narrow.is_hit(&hit), "what matches is not marked apart");
        let nothing = LogQuery {
            mark: true,
            ..query("", false)
        };
        assert!(!LineFilter::compile(&nothing).unwrap().is_hit(&hit));
    }

    #[test]
    fn a_broken_expression_says_what_and_where() {
        for (filter, at, words) in [
            ("foo(", Some(3), "unclosed group"),
            ("a**[", Some(3), "unclosed character class"),
            ("*x", Some(0), "repetition operator missing expression"),
            ("(?=x)", Some(0), "look-around"),
        ] {
            let error = LineFilter::compile(&query(filter, true)).unwrap_err();
            assert_eq!(error.at, at, "{filter}: {error:?}");
            assert!(error.message.contains(words), "{filter}: {error:?}");
        }
        let error = LineFilter::compile(&query("(a{1000}){1000}", true)).unwrap_err();
        assert!(error.message.contains("too large"), "{error:?}");
        assert!(LineFilter::compile(&query(&"x".repeat(1001), false)).is_err());
        assert!(LineFilter::compile(&query(&"(".repeat(900), true)).is_err());
    }

    #[test]
    fn expressions_that_explode_elsewhere_come_to_an_end() {
        // Over a line of the greatest length; engines that go back would not end today.
        let a = "a".repeat(64 * 1024);
        for (filter, text, expected) in [
            ("(a+)+$", a.clone(), true),
            ("^(a+)+$", format!("{a}b"), false),
            ("^(a|aa)+$", format!("{a}b"), false),
            ("(a*)*b", a.clone(), false),
            ("(.*a){12}b", a.clone(), false),
            ("(x+x+)+y", "x".repeat(64 * 1024), false),
        ] {
            let filter_of = LineFilter::compile(&query(filter, true)).unwrap();
            assert_eq!(filter_of.matches(&line(&text)), expected, "{filter}");
            assert!(!expected || filter_of.may_match(&text), "{filter}");
        }
        for refused in [r"(\w{500}){500}", r"((((a{30}){30}){30}){30})", r"(a)\1"] {
            let error = LineFilter::compile(&query(refused, true)).unwrap_err();
            assert!(!error.message.is_empty(), "{refused}");
        }
    }

    #[test]
    fn level_program_and_time_narrow_it() {
        let mut warning = line("careful");
        warning.level = LogLevel::Warning;
        let problems = LogQuery {
            level: Some(LogLevel::Warning),
            ..LogQuery::default()
        };
        let filter = LineFilter::compile(&problems).unwrap();
        assert!(filter.matches(&warning));
        assert!(!filter.matches(&line("fine")));
        // A known message is as grave as it is known to be, however calm its words.
        for (signature, expected) in [
            ("forge.public-url", true),
            ("forge.launch", false),
            ("no-such-signature", false),
        ] {
            let mut named = line("calm words");
            named.signature = Some(signature.to_owned());
            assert_eq!(filter.matches(&named), expected, "{signature}");
        }

        let errors = LogQuery {
            level: Some(LogLevel::Error),
            ..LogQuery::default()
        };
        let errors = LineFilter::compile(&errors).unwrap();
        assert!(!errors.matches(&warning));
        warning.signature = Some("cuda.illegal".to_owned());
        assert!(errors.matches(&warning), "it is known to be worse");
        warning.signature = None;

        let other = LogQuery {
            program: Some("caddy".to_owned()),
            ..LogQuery::default()
        };
        assert!(!LineFilter::compile(&other).unwrap().matches(&warning));

        let later = "2026-11-23T10:00:01Z".parse().unwrap();
        let since = LogQuery {
            since: Some(later),
            ..LogQuery::default()
        };
        let filter = LineFilter::compile(&since).unwrap();
        assert!(!filter.matches(&warning));
        assert_eq!(filter.span(), (Some(later), None));
        let until = LogQuery {
            until: "2026-11-23T09:59:59Z".parse().ok(),
            ..LogQuery::default()
        };
        assert!(!LineFilter::compile(&until).unwrap().matches(&warning));
        warning.at = None;
        assert!(filter.matches(&warning));
    }
}
