//! The models of the demo host, which really lie on the disk: known by their headers, shared with ComfyUI
//! without copying a byte, and taken back to the byte.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use forgekeeper_domain::{
    ids::StepId,
    migration::{Found, PreviewLine},
    models::{Family, FileForm, FolderId, ParityState, Role, Sameness},
};
use forgekeeper_keeper::{
    inventory::{NotLooked, PassedWhy},
    keeper::{InventoryOf, KeeperHandle},
};
use forgekeeper_standin::Fault;
use tokio_util::sync::CancellationToken;

use crate::rig::{Kept, id};

fn step() -> StepId {
    StepId::new("share-models").expect("an id")
}

fn never() -> CancellationToken {
    CancellationToken::new()
}

/// The owner's plan: who takes over from whom, and what stands before the step is left out.
fn plan(kept: &Kept) -> String {
    let shelf = kept.site.shelf();
    let skipped = ["compose-beside", "disk-space", "document-models"]
        .map(|id| format!("[[change]]\nid = \"{id}\"\nskip = \"tested elsewhere\"\n"));
    format!(
        "[target]\nfrom = \"myia\"\nto = \"comfyui\"\nmodels = '{}'\nextra_model_paths = '{}'\n\n{}",
        shelf.models("myia").display(),
        shelf.extra_model_paths().display(),
        skipped.join("\n"),
    )
}

async fn write_plan(kept: &Kept, text: &str) {
    let path = kept.handle().data_dir().join("migration.toml");
    fs::write(path, text).expect("a plan");
    let handle = kept.handle();
    let known = || async {
        handle
            .migration()
            .await
            .is_ok_and(|view| view.target.from.is_some())
    };
    let started = Instant::now();
    while !known().await {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "the plan was not read"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until the step has ended.
async fn ended(handle: &KeeperHandle) {
    let started = Instant::now();
    loop {
        let view = handle.migration().await.expect("the plan");
        let steps = view.phases.iter().flat_map(|phase| &phase.steps);
        let doing = steps.clone().any(|view| view.doing.is_some());
        if !doing {
            return;
        }
        assert!(
            started.elapsed() < Duration::from_secs(90),
            "the step does not end"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn bytes_of(path: &Path) -> Vec<u8> {
    fs::read(path).expect("the file")
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_found_through_the_mounts_and_known_by_their_headers() {
    let kept = Kept::start(20.0).await;
    let handle = kept.handle();
    let of = InventoryOf::Service(id("myia"));
    let inventory = handle.inventory(&of, &never()).await.expect("an inventory");
    assert!(!inventory.folders.is_empty());
    assert!(
        inventory
            .folders
            .iter()
            .all(|folder| !folder.through_engine),
        "{inventory:?}"
    );
    let kinds: Vec<_> = inventory
        .files
        .iter()
        .map(|file| (file.name.as_str(), file.kind.family, file.kind.role))
        .collect();
    let (sdxl, lora) = (Some(Family::Sdxl), Some(Role::Lora));
    for wanted in [
        (
            "dreamshaper_8.safetensors",
            Some(Family::Sd15),
            Some(Role::Checkpoint),
        ),
        ("sd_xl_base_1.0.safetensors", sdxl, Some(Role::Checkpoint)),
        ("add-detail-xl.safetensors", sdxl, lora),
        ("sdxl_vae.safetensors", None, Some(Role::Vae)),
        ("4x-UltraSharp.pth", None, None),
    ] {
        assert!(kinds.contains(&wanted), "{wanted:?}: {kinds:?}");
    }
    assert!(
        inventory.files.iter().all(|file| file.fault.is_none()),
        "{:?}",
        inventory.files
    );
    let pickle = inventory
        .files
        .iter()
        .find(|file| file.form == FileForm::Pickle);
    assert_eq!(
        pickle.and_then(|file| file.not_looked.clone()),
        Some(NotLooked::Pickle)
    );
    if cfg!(unix) {
        assert!(inventory.bytes > 15_000_000_000, "{}", inventory.bytes);
    }

    // Both services have some files, each its own copy.
    let all = handle
        .inventory(&InventoryOf::Everything, &never())
        .await
        .expect("all");
    let twice: Vec<_> = all
        .duplicates
        .iter()
        .filter(|group| group.files == 2)
        .collect();
    assert!(twice.len() >= 4, "{:?}", all.duplicates);
    assert!(twice.iter().all(|group| group.sameness == Sameness::Likely));

    // A folder that somebody names.
    let folder = kept.site.shelf().models("myia-turbo");
    let named = handle
        .inventory(&InventoryOf::Folder(folder), &never())
        .await
        .expect("a folder");
    let flux = named
        .files
        .iter()
        .find(|file| file.name.ends_with("flux1-schnell-fp8.safetensors"));
    let flux = flux.expect("Flux");
    assert_eq!(
        (flux.kind.family, flux.folder),
        (Some(Family::Flux), Some(FolderId::Checkpoints))
    );

    // Without an engine nobody knows where they lie, and nobody says that there are none.
    kept.site
        .inject(Fault::EngineStopped, None)
        .expect("a fault");
    let started = Instant::now();
    let unknown = loop {
        let found = handle.inventory(&of, &never()).await.expect("an inventory");
        if found.files.is_empty() || started.elapsed() > Duration::from_secs(20) {
            break found;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert!(
        unknown
            .passed
            .iter()
            .any(|passed| passed.why == PassedWhy::Unreachable),
        "{unknown:?}"
    );
    assert!(kept.end().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_shared_and_taken_back() {
    let kept = Kept::start(20.0).await;
    let handle = kept.handle();
    write_plan(&kept, &plan(&kept)).await;
    let path = kept.site.shelf().extra_model_paths();
    let before = bytes_of(&path);

    let table = handle
        .model_parity(&id("myia"), &id("comfyui"))
        .await
        .expect("a table");
    assert_eq!(table.holds(), Some(false));
    let missing = |name: &str| {
        table
            .rows
            .iter()
            .any(|row| row.name == name && row.state == ParityState::Missing)
    };
    assert!(
        missing("dreamshaper_8.safetensors") && missing("pixel-art-xl.safetensors"),
        "{table:?}"
    );
    let look = handle.migration_check(&step()).await.expect("a look");
    assert_eq!(look.finding.found, Found::Failed);

    let preview = handle
        .migration_preview(&step(), false)
        .await
        .expect("a preview");
    assert!(preview.refused.is_empty(), "{:?}", preview.refused);
    let diff = preview.lines.iter().find_map(|line| match line {
        PreviewLine::Writes { diff, .. } => Some(diff.clone()),
        _ => None,
    });
    let diff = diff.expect("a diff");
    assert!(
        diff.contains("+forgekeeper:") && diff.contains("+    base_path: /forge-models/myia"),
        "{diff}"
    );
    assert!(!diff.lines().any(|line| line.starts_with('-')), "{diff}");
    assert_eq!(bytes_of(&path), before, "a preview changes nothing");

    handle
        .migration_run(&step(), None)
        .await
        .expect("a beginning");
    ended(&handle).await;
    let after = String::from_utf8(bytes_of(&path)).expect("text");
    assert!(
        after.as_bytes().starts_with(&before),
        "the other section stays byte for byte"
    );
    let table = handle
        .model_parity(&id("myia"), &id("comfyui"))
        .await
        .expect("a table");
    assert_eq!(table.holds(), Some(true), "{table:?}");
    // ComfyUI has files of two of the names itself; the others are the very files of Forge.
    assert!(table.counts.by_file >= 3, "{table:?}");
    let look = handle.migration_check(&step()).await.expect("a look");
    assert_eq!(look.finding.found, Found::Proved, "{:?}", look.finding);

    // A second time there is nothing to do.
    let again = handle
        .migration_preview(&step(), false)
        .await
        .expect("a preview");
    assert!(
        !again
            .lines
            .iter()
            .any(|line| matches!(line, PreviewLine::Writes { .. }))
    );

    handle
        .migration_undo(&step(), None)
        .await
        .expect("a beginning");
    ended(&handle).await;
    assert_eq!(bytes_of(&path), before, "the very bytes");
    let table = handle
        .model_parity(&id("myia"), &id("comfyui"))
        .await
        .expect("a table");
    assert_eq!(table.holds(), Some(false));

    // Done again, and changed by its owner meanwhile: only our section goes.
    handle
        .migration_run(&step(), None)
        .await
        .expect("a beginning");
    ended(&handle).await;
    let mut own = bytes_of(&path);
    own.extend_from_slice(b"mine:\n    loras: /own\n");
    fs::write(&path, own).expect("a change");
    handle
        .migration_undo(&step(), None)
        .await
        .expect("a beginning");
    ended(&handle).await;
    let left = String::from_utf8(bytes_of(&path)).expect("text");
    assert!(
        left.contains("mine:") && !left.contains("forgekeeper:"),
        "{left}"
    );
    assert!(kept.end().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_changed_safely_is_left_as_it_is() {
    let kept = Kept::start(20.0).await;
    let handle = kept.handle();
    write_plan(&kept, &plan(&kept)).await;
    let path = kept.site.shelf().extra_model_paths();
    let bomb = "a: &a [x, x]\nb: [*a, *a]\n";
    fs::write(&path, bomb).expect("a bomb");
    let preview = handle
        .migration_preview(&step(), false)
        .await
        .expect("a preview");
    let told = preview
        .refused
        .iter()
        .any(|words| words.en.contains("extra_model_paths.yaml:1:"));
    assert!(told, "{:?}", preview.refused);
    let refused = handle.migration_run(&step(), None).await;
    assert!(refused.is_err());
    assert_eq!(bytes_of(&path), bomb.as_bytes());
    assert!(kept.end().await.is_empty());
}
