//! The migration through the command line: every verb, its exit code, and what it leaves in the file.

use serde_json::Value;

use crate::rig::Place;

const PLAN: &str = "# Ours.\n[[change]]\nid = \"training\" # all of them\nnote = \"spring\"\n";

/// Exit code, and the last line of JSON.
async fn asked(place: &Place, arguments: &[&str]) -> (i32, Value) {
    let mut all = vec!["--json", "migration"];
    all.extend(arguments);
    let ran = place.ctl(&all).await;
    let last = ran.stdout.lines().last().unwrap_or("null");
    let value = serde_json::from_str(last).unwrap_or(Value::Null);
    (ran.code.unwrap_or(-1), value)
}

fn step<'v>(view: &'v Value, id: &str) -> &'v Value {
    let phases = view["phases"].as_array().expect("phases");
    let mut steps = phases
        .iter()
        .flat_map(|p| p["steps"].as_array().expect("steps"));
    steps.find(|step| step["id"] == id).expect("the step")
}

#[tokio::test]
async fn the_plan_is_read_edited_attested_and_exported() {
    let place = Place::with("");
    let file = place.paths().config_file.with_file_name("migration.toml");
    std::fs::write(&file, PLAN).expect("a plan");

    let (code, view) = asked(&place, &["list"]).await;
    assert_eq!((code, &view["file"]["exists"]), (0, &Value::Bool(true)));
    assert_eq!(step(&view, "training")["note"], "spring");
    assert_eq!(step(&view, "proxy-cutover")["state"]["is"], "blocked");

    let (code, view) = asked(&place, &["skip", "training", "--reason", "nobody"]).await;
    assert_eq!(
        (code, &step(&view, "training")["state"]["is"]),
        (0, &"skipped".into())
    );
    let text = std::fs::read_to_string(&file).expect("the plan");
    assert!(
        text.starts_with("# Ours.\n[[change]]\nid = \"training\" # all of them\n"),
        "{text}"
    );
    for edit in [
        &["unskip", "training"][..],
        &["note", "training"],
        &["date", "backup", "2027-01-05"],
        &["move", "backup", "--before", "read-docs"],
        &[
            "add",
            "own.tell",
            "--phase",
            "cutover",
            "--title",
            "Tell",
            "--why",
            "They know",
        ],
        &["remove", "own.tell"],
    ] {
        assert_eq!(asked(&place, edit).await.0, 0, "{edit:?}");
    }
    let (_, shown) = asked(&place, &["show", "backup"]).await;
    assert_eq!(shown["dates"]["basis"], "assigned");

    // Nobody's word counts where a machine can measure; where none can, it says that it is a word.
    assert_eq!(
        asked(&place, &["attest", "backup", "--by", "jesse"])
            .await
            .0,
        1
    );
    let (code, shown) = asked(&place, &["attest", "read-docs", "--by", "jesse"]).await;
    assert_eq!((code, &shown["state"]["attested"]), (0, &Value::Bool(true)));

    // What cannot be measured is unknown, and says what to write.
    let (code, look) = asked(&place, &["check", "gpu-plan"]).await;
    assert_eq!((code, &look["finding"]["found"]), (3, &"unknown".into()));
    let says = look["finding"]["says"][0]["en"].as_str().expect("words");
    assert!(says.contains("`gpu` below `[target]`"), "{says}");
    assert_eq!(asked(&place, &["show", "nothing"]).await.0, 2);
    assert_eq!(asked(&place, &["run", "read-docs", "--dry-run"]).await.0, 1);

    // The disk of this folder is measured, whatever it has.
    let with_target = std::fs::read_to_string(&file).expect("the plan");
    let with_target = format!("{with_target}\n[target]\ncompose_file = \"made.yaml\"\n");
    std::fs::write(&file, with_target).expect("a plan");
    let (code, look) = asked(&place, &["check", "disk-space"]).await;
    assert!(code == 3 || code == 1, "{look}");
    assert_eq!(look["finding"]["evidence"][1]["name"], "free_bytes");
    let says = look["finding"]["says"].to_string();
    assert!(says.contains("`from` below `[target]`"), "{says}");

    for name in ["plan.md", "plan.html"] {
        let out = place.folder.path().join(name);
        let out = out.to_str().expect("a path");
        let (code, _) = asked(&place, &["export", "--out", out, "--lang", "fr"]).await;
        assert_eq!(code, 0);
        let text = std::fs::read_to_string(out).expect("the export");
        assert!(text.contains("Bascule en production"), "{text}");
    }
    let out = place.folder.path().join("record.jsonl");
    let path = out.to_str().expect("a path");
    assert_eq!(asked(&place, &["record", "--out", path]).await.0, 0);
    let record = std::fs::read_to_string(&out).expect("the record");
    let actions: Vec<String> = record
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("an entry")["action"].to_string())
        .collect();
    let expected = [
        "skip", "unskip", "edit", "edit", "edit", "edit", "edit", "attest", "check", "check",
    ];
    assert_eq!(actions, expected.map(|action| format!("\"{action}\"")));

    // A broken file is told with its line, and nothing is changed by it.
    std::fs::write(&file, "[target]\nprot = 1\n").expect("a plan");
    let (code, view) = asked(&place, &["list"]).await;
    assert_eq!(
        (code, &view["file"]["problems"][0]["line"]),
        (1, &Value::from(2))
    );
    assert_eq!(asked(&place, &["note", "backup", "x"]).await.0, 2);
}
