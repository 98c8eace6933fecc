//! Rules made of lines, and what is wrong with drafts.

use super::super::*;
use crate::logs::{
    LogStream, TracePart,
    prepare::{LinePreparer, PreparedLine},
    signature::{Severity, SignatureSet, samples},
};

fn from(line: &str) -> RuleDraft {
    draft_from_line(line, Language::En, |_| false).unwrap()
}

/// The set that has the rule of a draft only beside the built-in ones.
fn with(draft: &RuleDraft) -> SignatureSet {
    let change = RulesEdit::Save {
        draft: Box::new(draft.clone()),
        replaces: None,
    };
    let text = edit(None, &change).unwrap();
    let file = parse(&text).unwrap_or_else(|problems| panic!("{problems:#?} in {text}"));
    SignatureSet::with_rules(file.rules)
}

#[test]
fn a_line_becomes_a_pattern_of_its_words() {
    for (line, pattern, id, severity) in [
        (
            "  ERROR: tunnel eu-1 lost after 12.5 s  ",
            r"^\s*ERROR:\s+tunnel\s+eu\-\d(?:[\d.,:x]|e[+-])*\s+lost\s+after\s+\d(?:[\d.,:x/TZ+-]|e[+-])*(?: ?(?:\d[\d:.,+Z]*|[a-zµ]+))?\s*$",
            "own.error-tunnel-lost-after",
            Severity::Error,
        ),
        (
            "cannot read /models/a.safetensors (3 of 12)",
            r"^\s*cannot\s+read\s+(?P<path>\S+)\s+\(\d(?:[\d.,:x]|e[+-])*\s+of\s+\d(?:[\d.,:x]|e[+-])*\)\s*$",
            "own.cannot-read",
            Severity::Info,
        ),
        ("x", r"^\s*x\s*$", "own.x", Severity::Info),
        ("été", r"^\s*été\s*$", "own.line", Severity::Info),
        (
            "12345",
            r"^\s*\d(?:[\d.,:x]|e[+-])*\s*$",
            "own.line",
            Severity::Info,
        ),
    ] {
        let draft = from(line);
        assert_eq!(draft.pattern, pattern, "{line}");
        assert_eq!(
            (draft.id.as_str(), draft.severity),
            (id, severity),
            "{line}"
        );
        assert_eq!(draft.sample, line.trim());
    }
    assert_eq!(draft_from_line(" \t", Language::En, |_| false), None);
    let taken = ["own.x", "own.x-2"];
    let draft = draft_from_line("x", Language::Fr, |id| taken.contains(&id)).unwrap();
    assert_eq!(
        (draft.id.as_str(), draft.language),
        ("own.x-3", Language::Fr)
    );
}

#[test]
fn the_rule_of_a_line_names_it_and_its_like_and_nothing_else() {
    for (line, like, unlike) in [
        (
            "step 12/50 took 3.4s",
            vec!["step 13/50 took 3s", "  step 1/2 took 120ms"],
            vec![
                "step 12/50 took long",
                "step 12/50 took 3.4s more",
                "no step 1/2 took 3s",
            ],
        ),
        (
            "cannot read '/a b/c.pt': gone",
            vec!["cannot read '/x/y': gone", "cannot read 'it's': gone"],
            vec!["cannot read /x/y: gone"],
        ),
        (
            "2025-10-11 10:34:00,123 pool 0x7f8a is 24 GB at http://h:1/p",
            vec!["2026-01-02 00:00:00,001 pool 0xff is 512 MiB at https://other/"],
            vec!["2026-01-02 00:00:00,001 pool is 512 MiB at https://other/"],
        ),
    ] {
        let draft = from(line);
        let set = with(&draft);
        let named = |text: &str| set.find(text).is_some_and(|found| found.id == draft.id);
        assert!(named(line), "{line} by {}", draft.pattern);
        for text in like {
            assert!(named(text), "{text} by {}", draft.pattern);
        }
        for text in unlike {
            assert!(!named(text), "{text} by {}", draft.pattern);
        }
    }
}

#[test]
fn the_rule_of_any_line_names_it() {
    let long = "word 12 ".repeat(400);
    let hostile = [
        r"a\b^c$d.e|f?g*h+i(j)k[l]m{n}o#p&q-r~s",
        "'''\"\"\" ''' \" '",
        "\u{feff}zero\u{200b}width",
        "100%|██████████| 20/20 [00:04<00:00,  4.59it/s]",
        "C:\\a\\b.safetensors and D:/x/y.py",
        "1e-5 1e+5 1x2x3 1,2,3 10.0.0.1:7860 3.4GB 3s/it",
        "2025-10-11T10:34:00Z 12:30 12:30:01.5",
        &long,
    ];
    let all = samples();
    assert!(all.len() > 300, "{}", all.len());
    let lines = all.iter().map(String::as_str).chain(hostile);
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let draft = from(line);
        assert_eq!(draft.faults(&RulesFile::default(), None), [], "{draft:?}");
        let regex = crate::logs::filter::expression(&draft.pattern).unwrap();
        assert!(regex.is_match(line), "{line:?} by {}", draft.pattern);
        assert!(!regex.is_match("another line"), "{}", draft.pattern);
        if hostile.contains(&line) {
            assert_eq!(with(&draft).find(&draft.sample).unwrap().id, draft.id);
        }
    }
}

#[test]
fn everything_wrong_with_a_draft_is_told() {
    let file = parse("[[signature]]\nid = 'own.a'\npattern = 'abc'\nseverity = 'info'\n").unwrap();
    let good = from("tunnel lost");
    let bad = |change: fn(&mut RuleDraft)| {
        let mut draft = good.clone();
        change(&mut draft);
        draft
    };
    for (draft, replaces, expected) in [
        (good.clone(), None, vec![]),
        (
            bad(|d| d.id = "Own A".to_owned()),
            None,
            vec![DraftFault::BadId],
        ),
        (bad(|d| d.id = String::new()), None, vec![DraftFault::BadId]),
        (
            bad(|d| d.id = "own.a".to_owned()),
            None,
            vec![DraftFault::IdTaken],
        ),
        (bad(|d| d.id = "own.a".to_owned()), Some("own.a"), vec![]),
        (
            bad(|d| d.id = "killed.137".to_owned()),
            None,
            vec![DraftFault::IdBuiltIn],
        ),
        (
            bad(|d| d.pattern = "a(".to_owned()),
            None,
            vec![DraftFault::BadPattern {
                message: "unclosed group".to_owned(),
                at: Some(1),
            }],
        ),
        (
            bad(|d| d.pattern = String::new()),
            None,
            vec![DraftFault::MatchesEverything],
        ),
        (
            bad(|d| d.sample = "other".to_owned()),
            None,
            vec![DraftFault::SampleNotMatched],
        ),
        (
            bad(|d| d.title = "x".repeat(121)),
            None,
            vec![DraftFault::LongTitle],
        ),
        (
            bad(|d| (d.id, d.remedy) = ("1".to_owned(), "x".repeat(4_001))),
            None,
            vec![DraftFault::BadId, DraftFault::LongText],
        ),
    ] {
        assert_eq!(draft.faults(&file, replaces), expected, "{draft:?}");
    }
    let rules = vec![file.rules[0].clone(); 355];
    let full = RulesFile {
        rules,
        ..RulesFile::default()
    };
    assert_eq!(good.faults(&full, None), [DraftFault::TooMany]);
}

#[test]
fn a_pattern_is_tried_on_what_can_be_named() {
    let mut preparer = LinePreparer::new();
    let raw = "lost 1\nother\nTraceback (most recent call last):\n  lost 2\nE: lost 3\n";
    let mut classifier = crate::logs::events::Classifier::new();
    let lines: Vec<_> = preparer
        .push(LogStream::Stdout, raw.as_bytes())
        .into_iter()
        .map(|line: PreparedLine| {
            let mark = classifier.mark(SignatureSet::built_in(), &line);
            crate::logs::LogLine {
                seq: 0,
                at: line.at,
                stream: line.stream,
                program: line.program,
                level: line.level,
                text: line.text,
                spans: line.spans,
                cut_bytes: 0,
                signature: None,
                trace: mark.trace,
                marker: None,
            }
        })
        .collect();
    assert_eq!(lines[3].trace, Some(TracePart::Body));
    let found: Vec<&str> = matching("lost", lines.iter())
        .unwrap()
        .map(|line| line.text.as_str())
        .collect();
    assert_eq!(found, ["lost 1", "E: lost 3"]);
    assert!(matching("(", lines.iter()).is_err());
}

#[test]
fn a_silence_lasts_until_its_moment() {
    let file = parse(
        "[[silence]]\nid = 'oom.torch'\nuntil = 2026-12-01\n[[silence]]\nid = 'killed.137'\nuntil = 2026-12-03\n",
    )
    .unwrap();
    let at = |text: &str| text.parse().unwrap();
    for (now, silenced, next) in [
        (
            "2026-11-30T00:00:00Z",
            vec!["killed.137", "oom.torch"],
            Some("2026-12-01T00:00:00Z"),
        ),
        (
            "2026-12-01T00:00:00Z",
            vec!["killed.137"],
            Some("2026-12-03T00:00:00Z"),
        ),
        ("2026-12-03T00:00:00Z", vec![], None),
    ] {
        let rules = RulesInForce::of(&file, at(now));
        assert!(rules.silenced().iter().eq(silenced.iter()), "{now}");
        assert_eq!(file.next_end(at(now)), next.map(at), "{now}");
        assert_eq!(
            rules.is_silenced("killed.137"),
            silenced.contains(&"killed.137")
        );
    }
    let later = RulesInForce::of(&file, at("2026-11-30T00:00:00Z"));
    assert!(
        later
            .at(&file, at("2027-01-01T00:00:00Z"))
            .silenced()
            .is_empty()
    );
}
