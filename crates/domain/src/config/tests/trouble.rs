//! What is wrong with settings, row by row, and what is not.

use serde_json::json;

use super::*;
use crate::facts::{ConfigTrouble, SharedFile, Writer};

fn values(value: &serde_json::Value) -> Values {
    match read(Format::Json, value.to_string().as_bytes()) {
        Reading::Keys(values) => values,
        other => panic!("{other:?}"),
    }
}

fn well() -> Values {
    values(&json!({
        "sd_model_checkpoint": "a.safetensors", "forge_preset": "all", "jpeg_quality": 80.0,
        "api_token": "hush", "quicksettings": []
    }))
}

const LINE: Option<&str> = Some("*** The config file \"config.json\" is likely corrupted");
const MOVED: Option<&str> = Some("/w/tmp/config.json");
const NAMED: &[&str] = &["WORKSPACE=/workspace/"];
const SAYS: Option<&str> = Some("/workspace/ is not a mounted volume.");

/// Names of what is wrong, with the keys that are named.
fn told(scene: &SettingsScene<'_>) -> Vec<String> {
    let found = troubles(scene).into_iter().map(|trouble| match trouble {
        ConfigTrouble::SecondWriter(shared) => format!("second writer {}", shared.file),
        ConfigTrouble::Reset { lost: None, .. } => "reset, not known what".to_owned(),
        ConfigTrouble::Reset {
            lost: Some(lost), ..
        } => {
            let keys: Vec<&str> = lost.keys.iter().map(|key| key.key.as_str()).collect();
            format!("reset {}", keys.join(" "))
        }
        ConfigTrouble::ModelUnset { was, request, .. } => {
            format!("unset {was} by {}", request.as_deref().unwrap_or("?"))
        }
    });
    found.collect()
}

#[test]
fn each_trouble_is_told_from_its_facts_and_ordinary_changes_are_none() {
    let before = well();
    let changed = |change: serde_json::Value| {
        let mut now = well();
        now.extend(values(&change));
        now
    };
    let defaults = values(&json!({
        "sd_model_checkpoint": null, "forge_preset": "xl", "jpeg_quality": 80
    }));
    let nulled = changed(json!({"sd_model_checkpoint": null}));
    let emptied = changed(json!({"sd_model_checkpoint": ""}));
    let other_model = changed(json!({"sd_model_checkpoint": "b.safetensors"}));
    let by_the_page = changed(json!({"forge_preset": "xl", "jpeg_quality": 91}));
    let fresh = values(&json!({"sd_model_checkpoint": null}));
    let shared = SharedFile {
        file: "/srv/config.json".to_owned(),
        others: vec![Writer {
            service: ServiceId::new("other").unwrap(),
            container: "other-1".to_owned(),
        }],
        told_on: None,
    };
    let scene = SettingsScene {
        before: Some(&before),
        ..SettingsScene::default()
    };
    let with = |file| SettingsScene {
        file: Some(file),
        ..scene
    };
    let request = Some("POST /sdapi/v1/options");
    let table: &[(&str, SettingsScene<'_>, &[&str])] = &[
        ("nothing happened", with(&before), &[]),
        ("settings applied by the page", with(&by_the_page), &[]),
        ("a model lent to a generation", with(&other_model), &[]),
        ("the file is not there, and nothing says why", scene, &[]),
        (
            "a fresh program has no model",
            SettingsScene {
                before: Some(&fresh),
                ..with(&fresh)
            },
            &[],
        ),
        (
            "no model, and nobody knows of one",
            SettingsScene {
                before: None,
                ..with(&fresh)
            },
            &[],
        ),
        (
            "a partial request",
            SettingsScene {
                request,
                ..with(&nulled)
            },
            &["unset a.safetensors by POST /sdapi/v1/options"],
        ),
        ("emptied", with(&emptied), &["unset a.safetensors by ?"]),
        (
            "set aside, the program not up yet",
            SettingsScene {
                moved_to: MOVED,
                ..scene
            },
            &["reset, not known what"],
        ),
        (
            "set aside, defaults in memory",
            SettingsScene {
                line: LINE,
                options: Some(&defaults),
                ..scene
            },
            &["reset forge_preset sd_model_checkpoint"],
        ),
        (
            "set aside, defaults saved since",
            SettingsScene {
                moved_to: MOVED,
                line: LINE,
                ..with(&defaults)
            },
            &[
                "reset api_token forge_preset sd_model_checkpoint",
                "unset a.safetensors by ?",
            ],
        ),
        (
            "set aside, and everything put back",
            SettingsScene {
                moved_to: MOVED,
                line: LINE,
                ..with(&before)
            },
            &[],
        ),
        (
            "the log says so, and nobody knows how they were",
            SettingsScene {
                before: None,
                line: LINE,
                ..with(&defaults)
            },
            &["reset, not known what"],
        ),
        (
            "two writers",
            SettingsScene {
                shared: Some(&shared),
                ..with(&before)
            },
            &["second writer /srv/config.json"],
        ),
    ];
    for (name, scene, expected) in table {
        assert_eq!(told(scene), *expected, "{name}");
    }
}

#[test]
fn what_was_lost_is_named_with_its_values_masked_and_capped() {
    let before = well();
    let now = values(&json!({"sd_model_checkpoint": "a.safetensors", "jpeg_quality": 80}));
    let scene = |before, now| SettingsScene {
        before: Some(before),
        file: Some(now),
        line: LINE,
        ..SettingsScene::default()
    };
    let lost = |scene: &SettingsScene<'_>| match troubles(scene).remove(0) {
        ConfigTrouble::Reset { lost, .. } => lost.unwrap(),
        other => panic!("{other:?}"),
    };
    let found = lost(&scene(&before, &now));
    let rows: Vec<_> = found
        .keys
        .iter()
        .map(|k| (k.key.as_str(), k.old.as_str(), k.new.as_deref()))
        .collect();
    // An empty list that is not written any more says the same as before.
    assert_eq!(
        rows,
        [
            ("api_token", "***", None),
            ("forge_preset", "\"all\"", None)
        ]
    );
    let many: serde_json::Map<_, _> = (0..100)
        .map(|n| (format!("k{n}"), json!("x".repeat(9_000))))
        .collect();
    let many = values(&many.into());
    let found = lost(&scene(&many, &now));
    assert_eq!(
        (found.keys.len(), found.more as usize),
        (MAX_LOST, 100 - MAX_LOST)
    );
    assert!(found.keys[0].old.chars().count() < 100);
}

#[test]
fn a_request_is_named_only_when_it_is_the_one() {
    let mark = |second: i64, kind| LogMark {
        at: at(second),
        kind,
        line: format!("line {second}"),
    };
    let posted = |second| mark(second, LogMarkKind::OptionsPosted);
    let other = || mark(50, LogMarkKind::ConfigReset);
    let table: &[(&str, Vec<LogMark>, Option<i64>, Option<&str>)] = &[
        ("none", vec![other()], Some(50), None),
        ("one", vec![other(), posted(40)], None, Some("line 40")),
        ("one before", vec![posted(5)], Some(50), None),
        ("two", vec![posted(40), posted(60)], None, None),
        (
            "two, and the file tells",
            vec![posted(40), posted(60)],
            Some(59),
            Some("line 60"),
        ),
        (
            "two at that moment",
            vec![posted(58), posted(60)],
            Some(59),
            None,
        ),
        (
            "two, at another moment",
            vec![posted(40), posted(60)],
            Some(50),
            None,
        ),
    ];
    for (name, marks, written, expected) in table {
        let found = request_of(marks, Some(at(10)), written.map(at));
        assert_eq!(found.map(|m| m.line.as_str()), *expected, "{name}");
    }
}

#[test]
fn a_workspace_is_kept_by_the_mount_that_holds_it() {
    let made = |env: &[&str], mounts: &[(&str, &str)]| Recipe {
        env: env.iter().map(|pair| (*pair).to_owned()).collect(),
        mounts: mounts
            .iter()
            .map(|(source, target)| Mount {
                kind: "bind".to_owned(),
                source: (*source).to_owned(),
                target: (*target).to_owned(),
                writable: true,
            })
            .collect(),
        ..Recipe::default()
    };
    let opt = Some("/opt/stable-diffusion-webui-forge");
    let mounted = &[("/srv/a", "/workspace")][..];
    let below = &[("/srv/a", "/workspace/storage")][..];
    let above = &[("/srv", "/data")][..];
    let itself = &[("/srv/a", "/opt/stable-diffusion-webui-forge")][..];
    let far = Some("/data/ws/stable-diffusion-webui-forge");
    let table = [
        ("mounted", made(NAMED, mounted), None, None, Some(true)),
        (
            "nothing is mounted",
            made(NAMED, &[]),
            opt,
            None,
            Some(false),
        ),
        (
            "and the log says so",
            made(NAMED, &[]),
            opt,
            SAYS,
            Some(false),
        ),
        (
            "a folder below it",
            made(NAMED, below),
            opt,
            None,
            Some(false),
        ),
        (
            "one above it",
            made(&["WORKSPACE=/data/ws"], above),
            opt,
            None,
            Some(false),
        ),
        (
            "one above it, forced",
            made(&["WORKSPACE=/data/ws"], above),
            far,
            None,
            Some(true),
        ),
        (
            "the program itself",
            made(NAMED, itself),
            opt,
            SAYS,
            Some(true),
        ),
        (
            "the image does not see it",
            made(NAMED, mounted),
            opt,
            SAYS,
            Some(false),
        ),
        (
            "only the log tells",
            made(&[], &[]),
            None,
            SAYS,
            Some(false),
        ),
        ("an image without one", made(&[], &[]), opt, None, None),
        (
            "named, but no path",
            made(&["WORKSPACE="], &[]),
            opt,
            None,
            None,
        ),
    ];
    for (name, recipe, folder, line, expected) in table {
        let fact = workspace_fact(&recipe, folder, line);
        assert_eq!(fact.map(|fact| fact.mounted), expected, "{name}");
    }
}
