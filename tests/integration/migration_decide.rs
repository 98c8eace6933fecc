//! Decisions through the command line: values of the plan's file, extensions, votes.

use serde_json::Value;

use crate::rig::{Place, site};

const PLAN: &str = "\
# Ours.
[target]
from = \"myia\" # the old one
port = 8188
";

/// Exit code, the last line of JSON, and what was said of errors.
async fn asked(place: &Place, arguments: &[&str]) -> (i32, Value, String) {
    let mut all = vec!["--json", "migration"];
    all.extend(arguments);
    let ran = place.ctl(&all).await;
    let last = ran.stdout.lines().last().unwrap_or("null");
    let value = serde_json::from_str(last).unwrap_or(Value::Null);
    (ran.code.unwrap_or(-1), value, ran.stderr)
}

#[tokio::test]
async fn values_are_set_shown_and_unset_with_comments_kept() {
    let site = site(20.0).await;
    let place = Place::with(&site.config_toml());
    let file = place.paths().config_file.with_file_name("migration.toml");
    std::fs::write(&file, PLAN).expect("a plan");
    let text = || std::fs::read_to_string(&file).expect("the plan");

    // What is wrong says where and what to do instead, and writes nothing.
    for (arguments, place_of_it, remedy) in [
        (
            ["target", "set", "port", "70000"],
            "`port` below `[target]`",
            "1 to 65535",
        ),
        (
            ["target", "set", "from", "mya"],
            "`from` below `[target]`",
            "Did you mean `myia`?",
        ),
        (
            ["target", "set", "to", "myia"],
            "`to` below `[target]`",
            "comfyui",
        ),
        (
            ["target", "set", "models", "\"D:\\m\""],
            "`models` below `[target]`",
            "Remove them",
        ),
        (
            ["target", "set", "prot", "1"],
            "`[target]` has no `prot`",
            "`port`",
        ),
        (
            ["target", "set", "image", " "],
            "`image` below `[target]`",
            "`unset`",
        ),
        (
            ["iis", "set", "public_url", "somewhere"],
            "`public_url` below `[iis]`",
            "https://",
        ),
    ] {
        let (code, _, error) = asked(&place, &arguments).await;
        assert_eq!(code, 2, "{arguments:?}: {error}");
        assert!(
            error.contains(place_of_it) && error.contains(remedy),
            "{arguments:?}: {error}"
        );
        assert_eq!(text(), PLAN);
    }

    let (code, draft, _) = asked(&place, &["target", "set", "to", "comfyui", "--dry-run"]).await;
    let diff = draft["diff"].as_str().expect("a diff");
    assert!(code == 0 && diff.contains("+to = \"comfyui\""), "{draft}");
    assert_eq!(text(), PLAN, "a dry run writes nothing");

    let (code, ..) = asked(&place, &["target", "set", "to", "comfyui"]).await;
    assert_eq!((code, text()), (0, format!("{PLAN}to = \"comfyui\"\n")));
    // A card that is not seen is said and written: it may come.
    let (code, set, _) = asked(&place, &["target", "set", "gpu", "GPU-none-such"]).await;
    assert_eq!(
        (code, &set["said"][0]["wrong"]),
        (0, &Value::Bool(false)),
        "{set}"
    );
    assert_eq!(asked(&place, &["target", "unset", "gpu"]).await.0, 0);
    let path = ["iis", "set", "web_config", r"D:\sites\genai\web.config"];
    assert_eq!(asked(&place, &path).await.0, 0);
    let expected = "to = \"comfyui\"\n\n[iis]\nweb_config = 'D:\\sites\\genai\\web.config'\n";
    assert_eq!(text(), format!("{PLAN}{expected}"));

    let (code, shown, _) = asked(&place, &["target"]).await;
    let of = |field: &str| {
        let mut settings = shown["settings"].as_array().expect("settings").iter();
        settings.find(|s| s["field"] == field).cloned()
    };
    let gpu = of("target.gpu").expect("the card");
    assert_eq!((code, &gpu["value"]), (0, &Value::Null));
    assert!(
        gpu["choices"]
            .as_array()
            .is_some_and(|cards| !cards.is_empty()),
        "{gpu}"
    );
    assert_eq!(of("target.to").expect("the target")["value"], "comfyui");
    assert_eq!(of("iis.rule"), None, "another section");

    let (code, images, _) = asked(&place, &["images"]).await;
    assert!(
        code == 0 && images.as_array().is_some_and(|all| all.len() > 1),
        "{images}"
    );

    let record = place.ctl(&["--json", "migration", "record"]).await.stdout;
    assert!(
        record.contains("target.to") && record.contains("iis.web_config"),
        "{record}"
    );
    // A file that is broken is not written into.
    std::fs::write(&file, "[target\n").expect("a plan");
    let (code, _, error) = asked(&place, &["target", "set", "port", "8188"]).await;
    assert!(code == 2 && error.contains("line 1"), "{error}");
    assert_eq!(text(), "[target\n");
    site.shutdown().await;
}

#[tokio::test]
async fn each_extension_is_decided_and_undecided() {
    let site = site(20.0).await;
    let place = Place::with(&site.config_toml());
    let file = place.paths().config_file.with_file_name("migration.toml");
    // The target is there already.
    let plan = site.plan_toml().replace("comfyui-next", "comfyui");
    std::fs::write(&file, &plan).expect("a plan");
    let text = || std::fs::read_to_string(&file).expect("the plan");

    let (code, list, error) = asked(&place, &["extensions"]).await;
    let all = list["extensions"].as_array().expect("extensions").clone();
    assert!(code == 1 && !all.is_empty(), "{list} {error}");
    let first = all[0]["name"].as_str().expect("a name").to_owned();

    let (code, look, _) = asked(&place, &["check", "custom-nodes"]).await;
    assert_eq!(code, 1, "{look}");
    // A decision is one of four, and adopting needs a name.
    assert_eq!(asked(&place, &["decide", &first]).await.0, 2);
    assert_eq!(
        asked(&place, &["decide", &first, "--adopt", " "]).await.0,
        2
    );
    assert_eq!(
        asked(&place, &["decide", &first, "--open", "--clear"])
            .await
            .0,
        2
    );
    assert_eq!(text(), plan);
    for extension in &all {
        let name = extension["name"].as_str().expect("a name");
        let (code, ..) = asked(&place, &["decide", name, "--not-needed", "--note", "gone"]).await;
        assert_eq!(code, 0, "{name}");
    }
    assert_eq!(asked(&place, &["extensions"]).await.0, 0);
    let (code, look, _) = asked(&place, &["check", "custom-nodes"]).await;
    assert_eq!(
        (code, &look["finding"]["found"]),
        (0, &"proved".into()),
        "{look}"
    );

    // Adopted and not installed: which, and how.
    let adopt = ["decide", &first, "--adopt", "ComfyUI-Impact-Pack"];
    assert_eq!(asked(&place, &adopt).await.0, 0);
    let (code, look, _) = asked(&place, &["check", "custom-nodes"]).await;
    let said = look.to_string();
    assert!(
        code == 1 && said.contains("Adopted and not installed: ComfyUI-Impact-Pack"),
        "{look}"
    );
    assert!(said.contains("/ltdrdata/ComfyUI-Impact-Pack"), "{look}");

    for extension in &all {
        let name = extension["name"].as_str().expect("a name");
        assert_eq!(asked(&place, &["decide", name, "--clear"]).await.0, 0);
    }
    assert_eq!(text(), plan, "as it was before the first decision");
    site.shutdown().await;
}

/// What the look says of the quality, and its exit code.
async fn quality(place: &Place) -> (i32, Value) {
    let (code, look, _) = asked(place, &["check", "quality"]).await;
    (code, look["finding"].clone())
}

fn piece(finding: &Value, name: &str) -> Option<String> {
    let mut evidence = finding["evidence"].as_array()?.iter();
    let piece = evidence.find(|piece| piece["name"] == name)?;
    piece["value"].as_str().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quality_is_proved_by_votes_on_every_pair_and_by_nothing_less() {
    let site = site(20.0).await;
    let place = Place::with(&site.config_toml());
    let file = place.paths().config_file.with_file_name("migration.toml");
    let plan = "[target]\nfrom = \"myia\"\nto = \"comfyui\"\n";
    std::fs::write(&file, plan).expect("a plan");
    let (code, finding) = quality(&place).await;
    assert_eq!((code, &finding["found"]), (3, &"unknown".into()));
    let said = finding["says"][0]["en"].as_str().expect("words");
    assert!(said.contains("record one on `myia`"), "{said}");
    let (code, _, error) = asked(&place, &["vote", "a fox", "new"]).await;
    assert!(code == 1 && error.contains("No golden set"), "{error}");

    let prompts = place.folder.path().join("prompts.txt");
    std::fs::write(&prompts, "a fox\na cat\na castle\n").expect("prompts");
    let prompts = prompts.to_string_lossy().into_owned();
    let mut names = Vec::new();
    for service in ["myia", "comfyui"] {
        let ran = place
            .ctl(&[
                "generate",
                service,
                "--golden",
                "record",
                "--set",
                "site",
                "--prompts",
                &prompts,
                "--seed",
                "4",
                "--steps",
                "2",
                "--width",
                "64",
                "--height",
                "64",
                "--json",
            ])
            .await
            .ends_with(0);
        let end = ran.lines().pop().expect("a line");
        let entries = end["run"]["entries"].as_array().expect("entries").clone();
        let of = |entry: &Value| entry["prompt"].as_str().expect("a name").to_owned();
        names = entries.iter().map(of).collect();
    }
    let (code, finding) = quality(&place).await;
    assert_eq!(code, 3, "{finding}");
    let said = finding["says"][0]["en"].as_str().expect("words");
    assert!(said.contains("3 of 3 pairs have no vote yet"), "{said}");
    assert_eq!(piece(&finding, "without_vote"), Some(names.join(", ")));

    let (code, ..) = asked(&place, &["vote", "no such prompt", "new"]).await;
    assert_eq!(code, 2);
    assert_eq!(asked(&place, &["vote", &names[0], "new"]).await.0, 3);
    assert_eq!(asked(&place, &["vote", &names[1], "equal"]).await.0, 3);
    // The last vote decides; one that is changed decides anew.
    assert_eq!(asked(&place, &["vote", &names[2], "old"]).await.0, 1);
    let (_, finding) = quality(&place).await;
    let share = ["accepted_percent", "needed_percent"].map(|name| piece(&finding, name));
    assert_eq!(share, [Some("66".to_owned()), Some("75".to_owned())]);
    assert_eq!(asked(&place, &["vote", &names[2], "neither"]).await.0, 1);
    assert_eq!(asked(&place, &["vote", &names[2], "new"]).await.0, 0);
    let (code, finding) = quality(&place).await;
    assert_eq!((code, &finding["found"]), (0, &"proved".into()));
    let told = [
        "golden_set",
        "pairs",
        "votes",
        "votes_candidate",
        "votes_equal",
    ];
    let told = told.map(|name| piece(&finding, name).expect(name));
    assert_eq!(told, ["site", "3", "3", "2", "1"]);
    assert!(piece(&finding, "candidate_at").is_some() && piece(&finding, "reference_at").is_some());

    // Whoever attests it by hand is not asked.
    assert_eq!(
        asked(&place, &["attest", "quality", "--by", "x"]).await.0,
        1
    );
    site.shutdown().await;
}
