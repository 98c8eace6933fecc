use super::*;
use crate::migration::own::{MAX_ADDED, MAX_LINE_CHARS, MAX_TEXT_CHARS};

const FULL: &str = r#"
order = ["training", "document-models", "own.tell"]

[[add]]
id = "own.tell"
phase = "preparation"
title = "Prévenir la classe"
why = "Everyone knows the new address"
days = [1, 2]
needs = ["maintenance-window"]
expires_after = 90
undoable = true

[[change]]
id = "read-docs"
skip = "read last year"

[[change]]
id = "proxy-cutover"
start = 2027-01-15
needs = ["own.tell"]
note = """
two
lines"""
"#;

fn added(name: &str) -> AddedStep {
    AddedStep {
        id: id(name),
        phase: PhaseId::Preparation,
        title: "t".to_owned(),
        why: "w".to_owned(),
        days: Days { least: 1, most: 1 },
        needs: Vec::new(),
        expires_after: None,
        undoable: false,
        risky: false,
    }
}

#[test]
fn what_is_read_stands_in_the_plan() {
    let steps = read(FULL).steps();
    let of = |name: &str| steps.iter().find(|p| p.step.id.as_str() == name).unwrap();
    assert_eq!(of("read-docs").skip.as_deref(), Some("read last year"));
    let cutover = of("proxy-cutover");
    assert_eq!(cutover.start, Some(date(2027, 1, 15)));
    assert_eq!(cutover.note.as_deref(), Some("two\nlines"));
    assert_eq!(cutover.step.needs.last(), Some(&id("own.tell")));
    assert_eq!(cutover.step.needs.len(), 7);
    assert!(of("own.tell").own && of("own.tell").step.check.is_none());
    // Those named share their places; the rest stay where they are.
    let preparation: Vec<&str> = steps
        .iter()
        .filter(|p| p.step.phase == PhaseId::Preparation)
        .map(|p| p.step.id.as_str())
        .collect();
    assert_eq!(
        preparation,
        [
            "read-docs",
            "backup",
            "compose-beside",
            "workflows",
            "training",
            "document-models",
            "maintenance-window",
            "own.tell"
        ]
    );
}

#[test]
fn reading_what_was_written_gives_the_same() {
    let mut odd = read(FULL);
    let note = "\"\"\" ''' \\ \t\n[[change]]\n# no comment \u{202e}עברית مرحبا 🦊\n\n";
    odd.changes.insert(
        id("backup"),
        Change {
            note: Some(note.to_owned()),
            ..Change::default()
        },
    );
    odd.changes.insert(id("quality"), Change::default());
    for plan in [OwnPlan::default(), read(FULL), odd] {
        assert_eq!(plan.problems(), []);
        let text = plan.to_text();
        assert_eq!(OwnPlan::read(&text), Ok(plan), "{text}");
        assert_eq!(read(&text).to_text(), text);
        // What an editor on Windows makes of it.
        let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        assert_eq!(read(&windows), read(&text));
    }
}

#[test]
fn each_mistake_is_told_with_its_line() {
    let step = "[[add]]\nid = 'own.a'\nphase = 'preparation'\ntitle = 't'\nwhy = 'w'\ndays = 1\n";
    for (text, line, fault) in [
        ("[[change]\n".to_owned(), 1, PlanFault::Syntax),
        (
            "\n[[chnage]]\nid = 'backup'\n".to_owned(),
            2,
            PlanFault::UnknownField,
        ),
        (
            "[[change]]\nid = 'backup'\nnotes = ''\n".to_owned(),
            3,
            PlanFault::UnknownField,
        ),
        ("change = 3\n".to_owned(), 1, PlanFault::BadValue),
        ("change = [1]\n".to_owned(), 1, PlanFault::BadValue),
        ("[[change]]\nnote = 'x'\n".to_owned(), 1, PlanFault::Missing),
        ("[[change]]\nid = '../x'\n".to_owned(), 2, PlanFault::BadId),
        ("[[change]]\nid = 7\n".to_owned(), 2, PlanFault::BadValue),
        (
            "\n[[change]]\nid = 'bakcup'\n".to_owned(),
            2,
            PlanFault::UnknownStep,
        ),
        (
            "order = ['backup', 'nothing']\n".to_owned(),
            1,
            PlanFault::UnknownStep,
        ),
        (
            "order = ['backup', 'backup']\n".to_owned(),
            1,
            PlanFault::DoubleId,
        ),
        (
            "[[change]]\nid = 'backup'\n[[change]]\nid = 'backup'\n".to_owned(),
            3,
            PlanFault::DoubleId,
        ),
        (format!("{step}{step}"), 7, PlanFault::DoubleId),
        (step.replace("own.a", "backup"), 1, PlanFault::DoubleId),
        (step.replace("preparation", "prep"), 3, PlanFault::BadValue),
        (step.replace("days = 1\n", ""), 1, PlanFault::Missing),
        (
            step.replace("days = 1", "days = [3, 1]"),
            1,
            PlanFault::BadValue,
        ),
        (
            step.replace("days = 1", "days = -1"),
            6,
            PlanFault::BadValue,
        ),
        (step.replace("days = 1", "days = 0"), 1, PlanFault::BadValue),
        (format!("{step}expires_after = 0\n"), 1, PlanFault::BadValue),
        (format!("{step}risky = 'yes'\n"), 7, PlanFault::BadValue),
        (
            format!("{step}needs = ['nothing']\n"),
            1,
            PlanFault::UnknownStep,
        ),
        (format!("{step}needs = 'backup'\n"), 7, PlanFault::BadValue),
        (step.replace("'t'", "' '"), 1, PlanFault::Missing),
        (
            "[[change]]\nid = 'backup'\nskip = ''\n".to_owned(),
            1,
            PlanFault::ReasonMissing,
        ),
        (
            "[[change]]\nid = 'backup'\nskip = true\n".to_owned(),
            3,
            PlanFault::ReasonMissing,
        ),
        (
            "[[change]]\nid = 'backup'\nstart = 'soon'\n".to_owned(),
            3,
            PlanFault::BadDate,
        ),
        (
            "[[change]]\nid = 'backup'\nstart = '2026-02-30'\n".to_owned(),
            3,
            PlanFault::BadDate,
        ),
        (
            "[[change]]\nid = 'backup'\nstart = 12:00:00\n".to_owned(),
            3,
            PlanFault::BadDate,
        ),
        (
            "[[change]]\nid = 'backup'\nstart = 0001-01-01\n".to_owned(),
            1,
            PlanFault::BadDate,
        ),
        (
            "[[change]]\nid = 'backup'\nnote = \"a\\u0000b\"\n".to_owned(),
            1,
            PlanFault::ControlCharacter,
        ),
        (
            "[[change]]\nid = 'backup'\nskip = \"a\\nb\"\n".to_owned(),
            1,
            PlanFault::ControlCharacter,
        ),
    ] {
        let problems = OwnPlan::read(&text).expect_err(&text);
        assert_eq!(
            (problems[0].line, problems[0].fault),
            (Some(line), fault),
            "{text}{problems:?}"
        );
        assert!(!problems[0].remedy.is_empty());
    }
    let problems = OwnPlan::read("[[change]]\nid = 'bakcup'\n").unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "line 1: `[[change]]` names `bakcup`, which is no step; did you mean `backup`?"
    );
}

#[test]
fn steps_that_wait_for_each_other_are_found() {
    let text = "[[change]]\nid = 'quality'\nnote = 'x'\n[[change]]\nid = 'target-image'\nneeds = ['quality']\n";
    let problems = OwnPlan::read(text).unwrap_err();
    assert_eq!(
        (problems[0].line, problems[0].fault),
        (Some(4), PlanFault::Cycle)
    );
    assert!(
        problems[0].reason.contains("`target-image` → `quality`"),
        "{}",
        problems[0]
    );
    let mut own = OwnPlan {
        added: vec![added("own.a"), added("own.b"), added("own.c")],
        ..OwnPlan::default()
    };
    for (from, to) in [(0, 1), (1, 0), (2, 0)] {
        let need = own.added[to].id.clone();
        own.added[from].needs.push(need);
    }
    let problems = own.problems();
    assert_eq!((problems.len(), problems[0].fault), (1, PlanFault::Cycle));
    assert!(
        !problems[0].reason.contains("own.c"),
        "only waits for the cycle: {}",
        problems[0]
    );
    own.added[2].needs = vec![id("own.c")];
    own.added[0].needs.clear();
    assert_eq!(
        own.problems()[0].fault,
        PlanFault::Cycle,
        "a step that waits for itself"
    );
    // Nothing panics, and no date is invented.
    let found = standing(&own, &Proofs::from([passed("read-docs", NOW)]));
    assert_eq!(found.dates[&id("own.c")].basis, DateBasis::Unknown);
    assert_eq!(found.dates[&id("own.b")].basis, DateBasis::Computed);
}

#[test]
fn a_plan_has_limits() {
    let note = |chars: usize| Change {
        note: Some("é".repeat(chars)),
        ..Change::default()
    };
    let mut own = OwnPlan::default();
    own.changes.insert(id("backup"), note(MAX_TEXT_CHARS));
    assert_eq!(OwnPlan::read(&own.to_text()), Ok(own.clone()));
    own.changes.insert(id("backup"), note(MAX_TEXT_CHARS + 1));
    assert_eq!(own.problems()[0].fault, PlanFault::TooLarge);
    own.changes.insert(id("backup"), note(100_000));
    assert_eq!(
        OwnPlan::read(&own.to_text()).unwrap_err()[0].fault,
        PlanFault::TooLarge
    );

    let mut own = OwnPlan {
        added: (0..=MAX_ADDED)
            .map(|n| added(&format!("own.{n}")))
            .collect(),
        ..OwnPlan::default()
    };
    assert_eq!(own.problems()[0].fault, PlanFault::TooLarge);
    assert_eq!(
        OwnPlan::read(&own.to_text()).unwrap_err()[0].fault,
        PlanFault::TooLarge
    );
    own.added.pop();
    assert_eq!(OwnPlan::read(&own.to_text()), Ok(own.clone()));
    own.added[0].title = "x".repeat(MAX_LINE_CHARS + 1);
    assert_eq!(own.problems()[0].fault, PlanFault::TooLarge);

    for text in [
        "x".repeat(300_000),
        "[".repeat(100_000),
        format!("a = {}", "[".repeat(50_000)),
    ] {
        assert!(OwnPlan::read(&text).is_err());
    }
    let many = "x = 1\n[[change]]\n".repeat(2_000);
    assert!(OwnPlan::read(&many).unwrap_err().len() <= 50);
}

#[test]
fn a_message_quotes_no_text_that_could_disturb_it() {
    let text = format!(
        "[[change]]\nid = \"{}\\u001b\\u202e<b>\"\n",
        "x".repeat(10_000)
    );
    let told = OwnPlan::read(&text).unwrap_err()[0].to_string();
    assert!(told.len() < 200, "{told}");
    let told = OwnPlan::read("\"\\u001b\\u202ex\" = 1\n").unwrap_err()[0].to_string();
    assert!(!told.contains(['\u{1b}', '\u{202e}']), "{told:?}");
}
