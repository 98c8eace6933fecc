//! Decisions over a plan's file.

#![allow(clippy::disallowed_methods, reason = "a test writes its own files")]

use forgekeeper_domain::migration::extensions::DecisionKind;

use super::*;
use crate::keeper::{Keeper, KeeperOptions, Paths};

const SETTINGS: &str = "\
[[host]]
id = \"h\"
engine = \"tcp://127.0.0.1:9\"

[[service]]
id = \"myia\"
kind = \"forge\"
host = \"h\"
container = \"a\"
api = \"http://127.0.0.1:9\"
public_url = \"https://images.example.org\"

[[service]]
id = \"comfyui\"
kind = \"comfyui\"
host = \"h\"
container = \"b\"
api = \"http://127.0.0.1:8188\"
";
const PLAN: &str = "# Mine.\n[target]\nfrom = \"myia\" # old\n";

async fn keeper(folder: &std::path::Path) -> Keeper {
    let settings = folder.join("forgekeeper.toml");
    std::fs::write(&settings, SETTINGS).unwrap();
    std::fs::write(folder.join("migration.toml"), PLAN).unwrap();
    let options = KeeperOptions {
        secrets_in_memory: true,
        ..KeeperOptions::for_file(Paths {
            config_file: settings,
            data_dir: folder.join("data"),
        })
    };
    Keeper::start(options).await.unwrap()
}

fn set(field: PlanField, value: &str) -> Vec<Setting> {
    vec![Setting {
        field,
        value: Some(value.to_owned()),
    }]
}

#[tokio::test]
async fn values_are_shown_first_then_written_and_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let keeper = keeper(dir.path()).await;
    let handle = keeper.handle();
    let file = dir.path().join("migration.toml");
    let text = || std::fs::read_to_string(&file).unwrap();

    let shown = handle.migration_settings().await.unwrap();
    let of = |field: PlanField| {
        let found = shown.settings.iter().find(|s| s.field == field);
        found.unwrap().clone()
    };
    assert_eq!(of(PlanField::From).value.as_deref(), Some("myia"));
    assert_eq!(of(PlanField::To).found.as_deref(), Some("comfyui"));
    assert_eq!(of(PlanField::To).choices.len(), 1);
    // Another service has ComfyUI's own port until that is the target.
    assert_eq!(of(PlanField::Port).found.as_deref(), Some("8189"));
    assert_eq!(of(PlanField::Gpu).found, None, "no card is seen");
    assert_eq!(
        of(PlanField::PublicUrl).found.as_deref(),
        Some("https://images.example.org")
    );

    let wrong = handle.migration_settings_plan(set(PlanField::To, "myia"));
    let wrong = wrong.await.unwrap();
    assert!(wrong.said[0].wrong && wrong.diff.is_empty(), "{wrong:?}");
    let error = handle.migration_settings_save(set(PlanField::To, "myia"), None);
    let error = error.await.unwrap_err();
    assert_eq!(error.code, ErrorCode::BadRequest);
    assert!(error.message.contains("`to` below `[target]`") && error.hint.is_some());
    assert_eq!(text(), PLAN);

    let good = handle.migration_settings_plan(set(PlanField::To, " comfyui "));
    let good = good.await.unwrap();
    assert!(good.diff.contains("+to = \"comfyui\""), "{good:?}");
    assert_eq!(text(), PLAN, "nothing is written to find out");
    std::fs::write(&file, format!("{PLAN}port = 9000\n")).unwrap();
    let late = handle.migration_settings_save(set(PlanField::To, "comfyui"), Some(good.stamp));
    assert_eq!(late.await.unwrap_err().code, ErrorCode::Refused);
    let saved = handle.migration_settings_save(set(PlanField::To, "comfyui"), None);
    saved.await.unwrap();
    assert_eq!(text(), format!("{PLAN}port = 9000\nto = \"comfyui\"\n"));
    let unset = Setting {
        field: PlanField::Port,
        value: Some(" ".to_owned()),
    };
    let saved = handle.migration_settings_save(vec![unset], None);
    saved.await.unwrap();
    assert_eq!(text(), format!("{PLAN}to = \"comfyui\"\n"));

    let record = handle.migration_record(10).await.unwrap();
    let pieces = |entry: &RecordEntry| {
        let side = |side: &[Evidence]| format!("{}={}", side[0].name, side[0].value);
        (side(&entry.before), side(&entry.after))
    };
    let all: Vec<_> = record.iter().map(pieces).collect();
    let expected = [
        ("target.to=-", "target.to=comfyui"),
        ("target.port=9000", "target.port=-"),
    ];
    assert_eq!(all, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    keeper.shutdown().await;
}

#[tokio::test]
async fn a_decision_is_kept_taken_back_and_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let keeper = keeper(dir.path()).await;
    let handle = keeper.handle();
    let file = dir.path().join("migration.toml");
    let adopt = Decision {
        kind: DecisionKind::Adopt,
        node: Some("ComfyUI-Impact-Pack".to_owned()),
        note: Some("faces".to_owned()),
    };
    let decided = handle.migration_decide("adetailer", Some(adopt.clone()));
    decided.await.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with(PLAN) && text.contains("decision = \"adopt\""));
    let nothing = Decision {
        node: None,
        ..adopt
    };
    let bad = handle.migration_decide("other", Some(nothing)).await;
    assert_eq!(bad.unwrap_err().code, ErrorCode::BadRequest);
    let bad = handle.migration_decide(" ", None).await;
    assert_eq!(bad.unwrap_err().code, ErrorCode::BadRequest);
    handle.migration_decide("adetailer", None).await.unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), PLAN);
    let record = handle.migration_record(10).await.unwrap();
    assert_eq!(record.len(), 2);
    let told = "adopt ComfyUI-Impact-Pack (faces)";
    assert_eq!(
        (&*record[0].before[0].value, &*record[0].after[0].value),
        ("-", told)
    );
    assert_eq!(
        (&*record[1].before[0].value, &*record[1].after[0].value),
        (told, "-")
    );
    assert_eq!(
        record[0].step.as_ref().map(StepId::as_str),
        Some(CUSTOM_NODES)
    );
    keeper.shutdown().await;
}

#[tokio::test]
async fn the_plans_own_image_is_among_those_that_can_be_chosen() {
    let dir = tempfile::tempdir().unwrap();
    let keeper = keeper(dir.path()).await;
    let handle = keeper.handle();
    let known = handle.migration_images();
    assert!(
        known.len() > 1
            && known
                .iter()
                .all(|image| !image.chosen && image.note.is_some())
    );
    for (image, more) in [("registry.example.org/ours:1", 1), (&*known[0].image, 0)] {
        let saved = handle.migration_settings_save(set(PlanField::Image, image), None);
        saved.await.unwrap();
        let images = handle.migration_images();
        assert_eq!(images.len(), known.len() + more);
        assert!(images[0].chosen && images[0].image == image);
        assert_eq!(images.iter().filter(|image| image.chosen).count(), 1);
    }
    keeper.shutdown().await;
}
