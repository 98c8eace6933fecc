use super::*;
use crate::logs::signature::{Blocking, Scope, Severity, SignatureSet};

const RULE: &str = "[[signature]]\nid = 'own.a'\npattern = 'abc'\nseverity = 'warning'\n";

#[test]
fn a_file_in_order_is_read() {
    let text = "
[[signature]]
id = 'own.full'
scope = 'forge'
pattern = 'tunnel (?P<name>\\w+) lost'
severity = 'fatal'
blocking = 'service'
action = 'restart-container'
source = 'mine'
sample = 'tunnel x lost'
near_miss = ['tunnel lost']
[signature.fr]
title = 'Tunnel perdu'

[[signature]]
id = 'own.short'
pattern = 'abc'
severity = 'info'

[[silence]]
id = 'own.short'
until = 2026-12-01

[[silence]]
id = 'torch.load-futurewarnin'
until = '2026-12-01T10:00:00+02:00'
";
    let file = parse(text).unwrap();
    assert_eq!(file.rules.len(), 2);
    let full = &file.rules[0];
    assert_eq!(
        (full.scope, full.severity, full.blocking),
        (Scope::Forge, Severity::Fatal, Blocking::Service)
    );
    assert_eq!(full.wording("en").unwrap().title, "Tunnel perdu");
    let short = &file.rules[1];
    assert_eq!(
        (short.scope, short.blocking, short.action),
        (Scope::Own, Blocking::No, None)
    );
    assert!(short.wording("en").is_none());
    assert_eq!(file.notes.len(), 1);
    assert_eq!(file.notes[0].line, Some(25));
    assert_eq!(
        file.notes[0].remedy,
        "did you mean `torch.load-futurewarning`?"
    );

    let set = SignatureSet::with_rules(file.rules.clone());
    assert_eq!(set.find("the tunnel 7 lost").unwrap().id, "own.full");
    for (id, now, silenced) in [
        ("own.short", "2026-11-30T23:59:59Z", true),
        ("own.short", "2026-12-01T00:00:00Z", false),
        ("own.full", "2026-11-30T23:59:59Z", false),
        ("torch.load-futurewarnin", "2026-12-01T07:59:59Z", true),
        ("torch.load-futurewarnin", "2026-12-01T08:00:00Z", false),
    ] {
        assert_eq!(
            file.is_silenced(id, now.parse().unwrap()),
            silenced,
            "{id} {now}"
        );
    }
    assert_eq!(parse("").unwrap(), RulesFile::default());
    assert_eq!(parse("\u{feff}").unwrap(), RulesFile::default());
}

#[test]
fn each_mistake_is_told_with_its_line_and_what_to_do() {
    let rule = |more: &str| format!("{RULE}{more}\n");
    let silence = |more: &str| format!("[[silence]]\nid = 'killed.137'\n{more}\n");
    for (text, line, reason, remedy) in [
        ("a = \n".to_owned(), 1, "not TOML", "quotes"),
        (
            format!("{RULE}[[signature\n"),
            5,
            "not TOML",
            "[[signature]]",
        ),
        (
            "[signature]\nid = 'x'\n".to_owned(),
            1,
            "not a list",
            "[[signature]]",
        ),
        (
            "signature = [1]\n".to_owned(),
            1,
            "not a table",
            "[[signature]]",
        ),
        (
            "[[signatur]]\n".to_owned(),
            1,
            "unknown field `signatur`",
            "did you mean `signature`?",
        ),
        (
            rule("patern = 'x'"),
            5,
            "unknown field `patern`",
            "did you mean `pattern`?",
        ),
        (
            rule("colour = 'x'"),
            5,
            "unknown field `colour`",
            "may have `id`",
        ),
        (
            rule("[signature.en]\ntitel = 'x'"),
            6,
            "unknown field `titel`",
            "did you mean `title`?",
        ),
        (rule("en = 'x'"), 5, "`en` is not a table", "[signature.en]"),
        (
            RULE.replace("id = 'own.a'\n", ""),
            1,
            "`id` is missing",
            "own.tunnel-lost",
        ),
        (
            RULE.replace("pattern = 'abc'\n", ""),
            1,
            "`pattern` is missing",
            "pattern =",
        ),
        (
            RULE.replace("'warning'", "3"),
            4,
            "`severity` is not a text",
            "quotes",
        ),
        (
            RULE.replace("'warning'", "'waning'"),
            4,
            "`severity` cannot be `waning`",
            "did you mean `warning`?",
        ),
        (
            RULE.replace("'warning'", "'bad'"),
            4,
            "`severity` cannot be `bad`",
            "`info`, `warning`",
        ),
        (
            rule("blocking = 'yes'"),
            5,
            "`blocking` cannot be",
            "`no`, `job`, `service`",
        ),
        (
            rule("scope = 'forg'"),
            5,
            "`scope` cannot be",
            "did you mean `forge`?",
        ),
        (
            rule("action = 'restart'"),
            5,
            "`action` cannot be",
            "`restart-program`",
        ),
        (
            RULE.replace("own.a", "Own A"),
            2,
            "`Own A` cannot be an id",
            "small letter",
        ),
        (
            RULE.replace("own.a", &"a".repeat(65)),
            2,
            "cannot be an id",
            "at most 64",
        ),
        (RULE.replace("own.a", "killed.137"), 2, "built-in", "own."),
        (format!("{RULE}{RULE}"), 6, "also in line 2", "another id"),
        (
            RULE.replace("abc", "a("),
            3,
            "unclosed group",
            "character 2",
        ),
        (
            RULE.replace("abc", "(a{1000}){1000}"),
            3,
            "too large",
            "simpler",
        ),
        (
            RULE.replace("abc", &"x".repeat(1_001)),
            3,
            "longer than 1000",
            "shorter",
        ),
        (RULE.replace("abc", "a?"), 3, "every line", "one word"),
        (
            rule("sample = 'xyz'"),
            5,
            "does not match the sample",
            "either",
        ),
        (rule("near_miss = ['x',\n'abc']"), 6, "near miss", "exact"),
        (
            rule("near_miss = 'x'"),
            5,
            "not a list of texts",
            "near_miss = [",
        ),
        (silence(""), 1, "`until` is missing", "2026-12-01"),
        (
            silence("until = 'soon'"),
            3,
            "`until` is no date",
            "2026-12-01",
        ),
        (
            silence("until = 10:00:00"),
            3,
            "`until` is no date",
            "2026-12-01",
        ),
        (
            silence("until = 2026-12-01\nfrom = 1"),
            4,
            "unknown field `from`",
            "`id`, `until`",
        ),
        (RULE.repeat(400), 1, "there are 400", "at most 355"),
        (
            "#".repeat(2 << 20),
            1,
            "larger than 1024 KiB",
            "only the rules",
        ),
    ] {
        let problems = parse(&text).unwrap_err();
        assert!(
            problems.iter().any(|problem| problem.line == Some(line)
                && problem.reason.contains(reason)
                && problem.remedy.contains(remedy)),
            "{:?} gives {problems:#?}",
            &text[..text.len().min(200)]
        );
    }
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let text = "[[signature]]\npattern = '('\nseverity = 'x'\n";
    let problems = parse(text).unwrap_err();
    let lines: Vec<u32> = problems.iter().filter_map(|p| p.line).collect();
    assert_eq!(lines, [1, 2, 3]);
    let text = "[[signature]]\n".repeat(300);
    assert_eq!(parse(&text).unwrap_err().len(), 50);
    let problem = &parse("[[signature]]\nid = 'own.a'\npattern = 'a'\n").unwrap_err()[0];
    assert_eq!(
        problem.to_string(),
        "line 1: `severity` is missing; add it, such as `severity = \"warning\"`"
    );
}

mod changes;
mod drafts;
