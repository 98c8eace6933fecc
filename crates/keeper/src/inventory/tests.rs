#![expect(
    clippy::disallowed_methods,
    reason = "tests write the files that are looked at"
)]

use std::{fs, path::Path};

use forgekeeper_domain::models::{FolderId, HeaderFault, Role, Sameness};
use serde_json::json;

use super::{
    Inventory, NotLooked, PassedWhy, Root,
    cache::Cache,
    hash::{self, ForgeHashes, is_file_hash},
    scan,
};
use crate::config::local::LocalFolder;

/// A LoRA of so many numbers; the tail tells files of one length apart.
fn lora(path: &Path, numbers: u64, tail: &[u8]) {
    let name =
        "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight";
    let header = json!({name: {"dtype": "F16", "shape": [numbers / 768, 768], "data_offsets": [0, numbers * 2]}});
    let header = header.to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(
        bytes.len() + usize::try_from(numbers * 2).unwrap() - tail.len(),
        0,
    );
    bytes.extend_from_slice(tail);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn looked_through(folder: &Path, cache: &mut Cache) -> Inventory {
    scan(&[Root::named(folder.to_owned())], cache, &|| false)
}

fn names(inventory: &Inventory) -> Vec<&str> {
    inventory
        .files
        .iter()
        .map(|file| file.name.as_str())
        .collect()
}

#[test]
fn files_are_known_for_what_they_are_and_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let (models, data) = (folder.path().join("models"), folder.path().join("data"));
    lora(&models.join("Lora/a.safetensors"), 768 * 64, b"one");
    lora(&models.join("Lora/copy/b.safetensors"), 768 * 64, b"one");
    lora(&models.join("Lora/other.safetensors"), 768 * 64, b"two");
    fs::write(
        models.join("Lora/page.safetensors"),
        "<!DOCTYPE html><html>",
    )
    .unwrap();
    fs::write(
        models.join("Lora/cut.safetensors"),
        90_000_u64.to_le_bytes(),
    )
    .unwrap();
    fs::write(models.join("Lora/old.ckpt"), b"\x80\x02}q\x00.").unwrap();
    fs::write(models.join("Lora/readme.txt"), "hello").unwrap();
    let mut cache = Cache::load(&data);
    let inventory = looked_through(&models, &mut cache);
    assert_eq!(inventory.others, 1);
    assert_eq!(
        names(&inventory),
        [
            "Lora/a.safetensors",
            "Lora/copy/b.safetensors",
            "Lora/cut.safetensors",
            "Lora/old.ckpt",
            "Lora/other.safetensors",
            "Lora/page.safetensors"
        ]
    );
    assert!(
        inventory
            .files
            .iter()
            .all(|file| file.folder == Some(FolderId::Loras))
    );
    let faults: Vec<_> = inventory
        .files
        .iter()
        .map(|file| file.fault.clone())
        .collect();
    assert_eq!(faults[2], Some(HeaderFault::Length));
    assert_eq!(faults[5], Some(HeaderFault::WebPage));
    assert_eq!(inventory.files[0].kind.role, Some(Role::Lora));
    assert_eq!(inventory.files[3].not_looked, Some(NotLooked::Pickle));
    let groups: Vec<_> = inventory
        .duplicates
        .iter()
        .map(|g| (g.sameness, g.members.clone()))
        .collect();
    assert_eq!(groups, [(Sameness::Likely, vec![0, 1])]);
    assert_eq!(inventory.reclaimable, inventory.files[0].size);

    // Remembered: the same again without opening a file.
    cache.save(&data).unwrap();
    let mut cache = Cache::load(&data);
    let again = looked_through(&models, &mut cache);
    assert_eq!(again, inventory);

    // Proved when somebody wants to know.
    let mut proved = again;
    let mut told = Vec::new();
    assert!(hash::prove(
        &mut proved,
        &mut cache,
        &mut |now| told.push(now),
        &|| false
    ));
    assert_eq!(proved.duplicates[0].sameness, Sameness::Proved);
    assert_eq!(
        told.last().map(|now| (now.done, now.of)),
        Some((proved.files[0].size * 2, proved.files[0].size * 2))
    );
    let mut stopped = looked_through(&models, &mut Cache::default());
    assert!(!hash::prove(
        &mut stopped,
        &mut Cache::default(),
        &mut |_| {},
        &|| true
    ));

    // Another length is another file.
    lora(&models.join("Lora/a.safetensors"), 768 * 32, b"one");
    let changed = looked_through(&models, &mut cache);
    assert!(changed.duplicates.is_empty());
}

#[test]
fn a_damaged_memory_is_none() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("models.cache"), [0xff; 4096]).unwrap();
    lora(&folder.path().join("a.safetensors"), 768, b"");
    let mut cache = Cache::load(folder.path());
    assert_eq!(looked_through(folder.path(), &mut cache).files.len(), 1);
    cache.save(folder.path()).unwrap();
}

#[cfg(unix)]
#[test]
fn links_in_circles_and_names_of_any_length() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("Lora");
    lora(&models.join("sub/real.safetensors"), 768, b"");
    symlink("sub/real.safetensors", models.join("link.safetensors")).unwrap();
    symlink(&models, models.join("sub/back")).unwrap();
    symlink("round.safetensors", models.join("round.safetensors")).unwrap();
    symlink(
        "/nowhere/at/all.safetensors",
        models.join("gone.safetensors"),
    )
    .unwrap();
    let long = format!("{}.safetensors", "n".repeat(240));
    let deep = models.join("d".repeat(200)).join("e".repeat(200));
    lora(&deep.join(&long), 768, b"x");
    let locked = models.join("locked.safetensors");
    lora(&locked, 768, b"y");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    let mut bottomless = models.join("deep");
    for _ in 0..20 {
        bottomless = bottomless.join("x");
    }
    lora(&bottomless.join("far.safetensors"), 768, b"z");

    let inventory = looked_through(&models, &mut Cache::default());
    let real = names(&inventory);
    assert!(real.iter().any(|name| name.len() > 600), "{real:?}");
    assert!(real.contains(&"link.safetensors"));
    assert!(!real.iter().any(|name| name.contains("far.safetensors")));
    let whys: Vec<_> = inventory.passed.iter().map(|passed| passed.why).collect();
    for why in [PassedWhy::Circle, PassedWhy::Dangling, PassedWhy::TooMuch] {
        assert!(whys.contains(&why), "{why:?}: {:?}", inventory.passed);
    }
    assert_eq!(
        whys.iter().filter(|why| **why == PassedWhy::Circle).count(),
        2,
        "{:?}",
        inventory.passed
    );
    // A link and its file are one, and take their space once.
    let link = inventory
        .files
        .iter()
        .find(|file| file.name == "link.safetensors")
        .unwrap();
    assert!(link.link);
    assert!(!inventory.duplicates.iter().any(|group| group.files < 2));
    let all: u64 = inventory.files.iter().map(|file| file.size).sum();
    assert_eq!(inventory.bytes, all - link.size);
    // Whoever may read everything, reads this, too.
    let locked = inventory
        .files
        .iter()
        .find(|file| file.name == "locked.safetensors")
        .unwrap();
    let refused = matches!(locked.not_looked, Some(NotLooked::Refused { .. }));
    assert!(refused || locked.kind.role == Some(Role::Lora));
}

#[cfg(unix)]
#[test]
fn a_containers_links_are_followed_as_inside_and_never_out_of_it() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("workspace");
    lora(&here.join("storage/ckpt/a.safetensors"), 768, b"");
    let models = here.join("forge/models/Stable-diffusion");
    fs::create_dir_all(&models).unwrap();
    symlink(
        "/workspace/storage/ckpt/a.safetensors",
        models.join("a.safetensors"),
    )
    .unwrap();
    let secret = folder.path().join("secret.safetensors");
    lora(&secret, 768, b"");
    symlink(&secret, models.join("out.safetensors")).unwrap();
    symlink(
        "../../../../secret.safetensors",
        models.join("up.safetensors"),
    )
    .unwrap();
    let root = Root {
        id: Some(FolderId::Checkpoints),
        here: models,
        inside: Some("/workspace/forge/models/Stable-diffusion".to_owned()),
        local: Some(LocalFolder {
            target: "/workspace".to_owned(),
            here,
        }),
    };
    let inventory = scan(&[root], &mut Cache::default(), &|| false);
    assert_eq!(names(&inventory), ["a.safetensors"]);
    let out = inventory
        .passed
        .iter()
        .filter(|passed| passed.why == PassedWhy::Outside);
    assert_eq!(out.count(), 2, "{:?}", inventory.passed);
}

#[test]
fn a_folder_that_is_not_there_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let inventory = looked_through(&folder.path().join("nothing"), &mut Cache::default());
    assert_eq!(
        inventory.passed.iter().map(|p| p.why).collect::<Vec<_>>(),
        [PassedWhy::Absent]
    );
    let stopped = scan(
        &[Root::named(folder.path().to_owned())],
        &mut Cache::default(),
        &|| true,
    );
    assert!(stopped.files.is_empty());
}

#[test]
fn hashes_of_forge_count_only_for_the_file_they_were_made_of() {
    let hash = "6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa";
    let of_name = hash::whole_of_text("a.safetensors");
    let text = json!({"hashes": {
        "checkpoint/xl/a.safetensors": {"mtime": 1_700_000_000.25, "sha256": hash},
        "checkpoint/a.safetensors": {"mtime": 1_700_000_000.25, "sha256": of_name},
        "lora/b": {"mtime": 1.0, "sha256": "short"},
        "odd": 5,
    }});
    let hashes = ForgeHashes::parse(text.to_string().as_bytes());
    let at = |seconds: i64| forgekeeper_domain::Timestamp::from_second(seconds).ok();
    assert_eq!(
        hashes.of("checkpoint", "xl/a.safetensors", at(1_700_000_000)),
        Some(hash)
    );
    assert_eq!(
        hashes.of("checkpoint", "xl/a.safetensors", at(1_700_000_090)),
        None
    );
    assert_eq!(hashes.of("checkpoint", "xl/a.safetensors", None), None);
    assert_eq!(
        hashes.of("checkpoint", "a.safetensors", at(1_700_000_000)),
        None,
        "the name's own"
    );
    assert_eq!(hashes.of("lora", "b", at(1)), None);
    assert!(!is_file_hash(&of_name, "a.safetensors"));
    assert_eq!(ForgeHashes::parse(b"nonsense"), ForgeHashes::default());
}
