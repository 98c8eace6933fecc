//! Edits of the owner's text.

use super::*;

const TEXT: &str = "\
# Our migration.

# The class wants it in spring.
[[change]]
id = \"training\" # everybody
note = \"spring\"

[target]
from = \"myia\"   # the old one
to = \"comfyui\"
port = 8188
models = 'D:\\models'

# Ours.
[[add]]
id = \"own.tell\"
phase = \"preparation\"
title = \"Tell\"
why = \"They know\"
days = 1
# The end.
";

fn edited(text: &str, change: &PlanEdit) -> String {
    let plan = OwnPlan::read(text).unwrap();
    let text = edit(Some(text), &plan, change).unwrap();
    OwnPlan::read(&text).unwrap();
    text
}

#[test]
fn an_edit_changes_one_thing_and_keeps_every_comment() {
    let step = || id("training");
    let skipped = edited(TEXT, &PlanEdit::Skip(step(), Some("nobody".to_owned())));
    assert_eq!(
        skipped,
        TEXT.replace(
            "note = \"spring\"\n",
            "note = \"spring\"\nskip = \"nobody\"\n"
        )
    );
    assert_eq!(edited(&skipped, &PlanEdit::Skip(step(), None)), TEXT);
    let dated = edited(TEXT, &PlanEdit::Start(step(), Some(date(2027, 1, 5))));
    assert!(dated.contains("start = 2027-01-05\n"), "{dated}");
    let noted = edited(TEXT, &PlanEdit::Note(id("backup"), Some("a\nb".to_owned())));
    let note = OwnPlan::read(&noted).unwrap().changes[&id("backup")]
        .note
        .clone();
    assert_eq!(note.as_deref(), Some("a\nb"));
    assert!(noted.contains("# The end.\n"));
}

#[test]
fn what_is_not_said_is_not_taken_back() {
    assert_eq!(edited(TEXT, &PlanEdit::Note(id("backup"), None)), TEXT);
}

#[test]
fn the_order_stands_below_the_head_and_above_the_sections() {
    let moved = edited(TEXT, &PlanEdit::Move(id("own.tell"), Some(id("read-docs"))));
    assert!(
        moved.starts_with("# Our migration.\n\norder = ["),
        "{moved}"
    );
    assert!(
        moved.contains("\n# The class wants it in spring.\n[[change]]"),
        "{moved}"
    );
    let plan = OwnPlan::read(&moved).unwrap();
    let steps = plan.steps();
    let at = |name: &str| steps.iter().position(|p| p.step.id == id(name)).unwrap();
    assert_eq!(at("own.tell") + 1, at("read-docs"));
    let last = edited(&moved, &PlanEdit::Move(id("own.tell"), None));
    let steps = OwnPlan::read(&last).unwrap().steps();
    let at = |name: &str| steps.iter().position(|p| p.step.id == id(name)).unwrap();
    assert!(at("own.tell") > at("maintenance-window"));
    let gone = edited(&last, &PlanEdit::Remove(id("own.tell")));
    assert!(!gone.contains("own.tell"), "{gone}");
    let fresh = edit(
        None,
        &OwnPlan::default(),
        &PlanEdit::Move(id("gpu-plan"), None),
    )
    .unwrap();
    assert!(fresh.starts_with("# Your changes"), "{fresh}");
    OwnPlan::read(&fresh).unwrap();
}

#[test]
fn a_step_is_added_and_only_an_added_one_is_removed() {
    let added = AddedStep {
        id: id("own.more"),
        phase: PhaseId::Cutover,
        title: "More".to_owned(),
        why: "Because".to_owned(),
        days: Days::from((1, 2)),
        needs: vec![id("standby")],
        expires_after: None,
        undoable: true,
        risky: false,
    };
    let text = edited(TEXT, &PlanEdit::Add(Box::new(added.clone())));
    assert_eq!(OwnPlan::read(&text).unwrap().added[1], added);
    let plan = OwnPlan::read(TEXT).unwrap();
    let refused = |change: &PlanEdit| edit(Some(TEXT), &plan, change).unwrap_err();
    assert_eq!(
        refused(&PlanEdit::Remove(id("backup"))),
        PlanEditError::BuiltIn(id("backup"))
    );
    assert_eq!(
        refused(&PlanEdit::Note(id("nothing"), None)),
        PlanEditError::NoStep(id("nothing"))
    );
    assert_eq!(
        refused(&PlanEdit::Move(id("backup"), Some(id("standby")))),
        PlanEditError::OtherPhase(id("backup"), id("standby"))
    );
}

#[test]
fn the_target_is_read_and_written() {
    let plan = read(TEXT);
    assert_eq!(plan.target.port, Some(8188));
    assert_eq!(plan.target.models.as_deref(), Some("D:\\models"));
    assert_eq!(read(&plan.to_text()), plan);
}

#[test]
fn what_is_wrong_in_the_sections_is_told_with_its_line() {
    let fault = |text: &str| {
        let problems = OwnPlan::read(text).unwrap_err();
        assert!(
            problems.iter().all(|p| !p.remedy.is_empty()),
            "{problems:?}"
        );
        (problems[0].line, problems[0].fault)
    };
    use PlanFault as F;
    for (text, line, expected) in [
        ("[target]\nprot = 1", 2, F::UnknownField),
        ("[target]\nport = 0", 2, F::BadValue),
        ("[target]\nport = 99999", 2, F::BadValue),
        ("[target]\nfrom = \"../x\"", 2, F::BadId),
        ("[target]\nfrom = \"a\"\nto = \"a\"", 3, F::BadValue),
        ("[target]\nimage = \"\"", 2, F::BadValue),
        ("[target]\nimage = \"a\\u202Eb\"", 2, F::ControlCharacter),
        ("[target]\nmodels = 5", 2, F::BadValue),
        ("target = 1", 1, F::BadValue),
        ("\n[[target]]\n", 2, F::BadValue),
        ("[iis]\nrule = \"a\\nb\"", 2, F::ControlCharacter),
    ] {
        assert_eq!(fault(text), (Some(line), expected), "{text:?}");
    }
}

#[test]
fn the_record_is_written_in_each_form_with_everything_escaped() {
    let mut entry = RecordEntry::new(
        at(NOW),
        Some(id("proxy-cutover")),
        RecordAction::Run,
        RecordOutcome::Done,
    );
    entry.before = vec![Evidence::new("url", "<b>|x")];
    entry.after = vec![Evidence::new("url", "new")];
    entry.by = Some("jesse".to_owned());
    let zone = TimeZone::UTC;
    let entries = [entry];
    let plan = OwnPlan::default();
    let page = record_html(&entries, &plan, Language::Fr, &zone);
    assert!(page.contains("Rediriger IIS ARR vers ComfyUI"), "{page}");
    assert!(
        !page.contains("<b>|x") && page.contains("&lt;b&gt;"),
        "{page}"
    );
    let text = record_markdown(&entries, &plan, Language::En, &zone);
    assert!(
        text.contains("Point IIS ARR to ComfyUI") && text.contains("jesse"),
        "{text}"
    );
    let lines = record_json_lines(&entries);
    let back: RecordEntry = serde_json::from_str(lines.trim_end()).unwrap();
    assert_eq!(back, entries[0]);
}

#[test]
fn an_entry_has_bounds() {
    let mut entry = RecordEntry::new(at(NOW), None, RecordAction::Edit, RecordOutcome::Done);
    entry.before = vec![Evidence::new("x", "é".repeat(20_000)); 500];
    let bounded = entry.bounded();
    assert_eq!(bounded.before.len(), 201);
    assert_eq!(bounded.before[0].value.chars().count(), 8_001);
    assert_eq!(bounded.before[200], Evidence::new("left_out", 300));
}
