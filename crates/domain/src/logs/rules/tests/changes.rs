//! Edits of the text.

use super::super::*;
use crate::logs::signature::{Blocking, Severity};

/// A file as somebody keeps it.
const FILE: &str = "\
# Mine.

# Of the tunnel:
[[signature]]
id = \"own.tunnel\" # short
pattern = 'tunnel (?P<name>\\w+) lost'
severity = \"warning\"
near_miss = ['tunnel lost']
[signature.fr]
title = \"Tunnel perdu\"

[[silence]]
id = \"own.tunnel\"
until = 2026-12-01 # after the move

[[signature]]
id = 'own.b'
pattern = 'bbb'
severity = 'info'
# the end
";

fn draft(id: &str) -> RuleDraft {
    RuleDraft {
        id: id.to_owned(),
        pattern: r"tunnel (?P<name>\w+) lost".to_owned(),
        severity: Severity::Warning,
        blocking: Blocking::No,
        sample: String::new(),
        language: Language::Fr,
        title: "Tunnel perdu".to_owned(),
        remedy: String::new(),
    }
}

fn save(draft: RuleDraft, replaces: Option<&str>) -> RulesEdit {
    RulesEdit::Save {
        draft: Box::new(draft),
        replaces: replaces.map(ToOwned::to_owned),
    }
}

fn silence(id: &str, until: &str) -> RulesEdit {
    RulesEdit::Silence(Silence {
        id: id.to_owned(),
        until: until.parse().unwrap(),
    })
}

/// Lines that are in one text and not in the other.
fn difference(before: &str, after: &str) -> (Vec<String>, Vec<String>) {
    let only = |a: &str, b: &str| {
        let b: Vec<&str> = b.lines().collect();
        let lines = a.lines().filter(|line| !b.contains(line));
        lines.map(ToOwned::to_owned).collect()
    };
    (only(before, after), only(after, before))
}

#[test]
fn an_edit_changes_its_own_lines_and_no_other() {
    let edited = |change: RuleDraft| save(change, Some("own.tunnel"));
    for (change, gone, come) in [
        (edited(draft("own.tunnel")), vec![], vec![]),
        (
            edited(RuleDraft {
                severity: Severity::Fatal,
                blocking: Blocking::Service,
                sample: "tunnel x lost".to_owned(),
                remedy: "Relancer.".to_owned(),
                ..draft("own.tunnel")
            }),
            vec!["severity = \"warning\""],
            vec![
                "severity = \"fatal\"",
                "blocking = \"service\"",
                "sample = \"tunnel x lost\"",
                "remedy = \"Relancer.\"",
            ],
        ),
        // Its silence goes with it.
        (
            edited(draft("own.renamed")),
            vec!["id = \"own.tunnel\" # short", "id = \"own.tunnel\""],
            vec!["id = \"own.renamed\" # short", "id = \"own.renamed\""],
        ),
        (
            edited(RuleDraft {
                language: Language::En,
                title: "The tunnel is down".to_owned(),
                ..draft("own.tunnel")
            }),
            vec![],
            vec!["[signature.en]", "title = \"The tunnel is down\""],
        ),
        (
            edited(RuleDraft {
                title: String::new(),
                ..draft("own.tunnel")
            }),
            vec!["[signature.fr]", "title = \"Tunnel perdu\""],
            vec![],
        ),
        (
            silence("own.tunnel", "2027-01-01T00:00:00.5Z"),
            vec!["until = 2026-12-01 # after the move"],
            vec!["until = 2027-01-01T00:00:00Z # after the move"],
        ),
        (
            silence("oom.torch", "2027-01-01T00:00:00Z"),
            vec![],
            vec!["id = \"oom.torch\"", "until = 2027-01-01T00:00:00Z"],
        ),
        (
            RulesEdit::Unsilence("own.tunnel".to_owned()),
            vec![
                "[[silence]]",
                "id = \"own.tunnel\"",
                "until = 2026-12-01 # after the move",
            ],
            vec![],
        ),
        (
            RulesEdit::Remove("own.b".to_owned()),
            vec!["id = 'own.b'", "pattern = 'bbb'", "severity = 'info'"],
            vec![],
        ),
    ] {
        let after = edit(Some(FILE), &change).unwrap();
        let expected = (
            gone.into_iter().map(str::to_owned).collect(),
            come.into_iter().map(str::to_owned).collect(),
        );
        assert_eq!(difference(FILE, &after), expected, "{after}");
        parse(&after).unwrap_or_else(|problems| panic!("{problems:#?} in {after}"));
        assert!(
            after.contains("# Mine.") && after.contains("# the end"),
            "{after}"
        );
        // Editors of Windows end their lines in another way, and that stays so.
        let windows = edit(Some(&FILE.replace('\n', "\r\n")), &change).unwrap();
        assert_eq!(windows, after.replace('\n', "\r\n"));
    }
}

#[test]
fn a_rule_goes_with_its_silence_and_the_comment_above_it() {
    let after = edit(Some(FILE), &RulesEdit::Remove("own.tunnel".to_owned())).unwrap();
    assert_eq!(
        after,
        "# Mine.\n\n[[signature]]\nid = 'own.b'\npattern = 'bbb'\nseverity = 'info'\n# the end\n"
    );
}

#[test]
fn the_first_rule_makes_a_file_that_explains_itself() {
    for before in [None, Some(""), Some("\n")] {
        let change = save(
            RuleDraft {
                sample: "tunnel 'eu' lost".to_owned(),
                pattern: r"tunnel '\w+' lost".to_owned(),
                remedy: "Erste Zeile\nzweite".to_owned(),
                ..draft("own.tunnel")
            },
            None,
        );
        let text = edit(before, &change).unwrap();
        assert!(text.starts_with("# Rules of your own"), "{text}");
        let file = parse(&text).unwrap();
        assert_eq!(file.samples["own.tunnel"], "tunnel 'eu' lost");
        let RulesEdit::Save { draft, .. } = change else {
            unreachable!("made above")
        };
        let read = RuleDraft::of(&file.rules[0], Some("tunnel 'eu' lost"), Language::Fr);
        assert_eq!(read, *draft, "what is read is what was written");
        let more = edit(Some(&text), &silence("own.tunnel", "2026-12-01T00:00:00Z")).unwrap();
        assert!(more.starts_with(&text), "{more}");
        assert_eq!(parse(&more).unwrap().silences.len(), 1);
    }
    // The examples of the template are in order, once they are no comments any more.
    let template = edit(None, &silence("oom.torch", "2026-12-01T00:00:00Z")).unwrap();
    let examples: Vec<&str> = template
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.starts_with('[') || line.contains(" = "))
        .collect();
    let examples = examples.join("\n");
    let file = parse(&examples).unwrap();
    assert_eq!(
        (file.rules.len(), file.silences.len(), file.notes.len()),
        (1, 1, 0)
    );
}

#[test]
fn what_is_written_as_one_list_or_twice_can_be_edited_too() {
    let text = "signature = [{ id = 'own.a', pattern = 'aaa', severity = 'info' }]\n";
    let changed = edit(Some(text), &save(draft("own.a"), Some("own.a"))).unwrap();
    let file = parse(&changed).unwrap();
    assert_eq!(file.rules[0].wording("en").unwrap().title, "Tunnel perdu");
    let added = edit(Some(&changed), &save(draft("own.c"), None)).unwrap();
    assert_eq!(parse(&added).unwrap().rules.len(), 2, "{added}");
    let twice = "[[silence]]\nid = 'oom.torch'\nuntil = 2026-12-01\n".repeat(2);
    let later = edit(Some(&twice), &silence("oom.torch", "2027-01-01T00:00:00Z")).unwrap();
    assert_eq!(parse(&later).unwrap().silences.len(), 1, "{later}");
    let none = edit(Some(&twice), &RulesEdit::Unsilence("oom.torch".to_owned())).unwrap();
    assert_eq!(parse(&none).unwrap().silences, []);
}

#[test]
fn what_is_not_there_is_said() {
    for (change, expected) in [
        (save(draft("own.x"), Some("own.y")), "no rule `own.y`"),
        (RulesEdit::Remove("own.y".to_owned()), "no rule `own.y`"),
        (
            RulesEdit::Unsilence("own.b".to_owned()),
            "not silence `own.b`",
        ),
    ] {
        let error = edit(Some(FILE), &change).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let error = edit(Some("a = "), &RulesEdit::Remove("x".to_owned())).unwrap_err();
    assert!(matches!(error, EditError::NotToml(_)), "{error}");
    // Two rules of one id: the reader refuses them.
    let twice = edit(Some(FILE), &save(draft("own.b"), None)).unwrap();
    assert!(parse(&twice).is_err());
}

#[test]
fn the_example_of_the_manual_is_in_order() {
    const MANUAL: &str = include_str!("../../../../../../docs/rules.md");
    let block = MANUAL.split_once("```toml\n").unwrap().1;
    let example = block.split_once("```").unwrap().0;
    let file = parse(example).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!((file.rules.len(), file.silences.len()), (1, 1));
    assert_eq!(file.notes, []);
}
