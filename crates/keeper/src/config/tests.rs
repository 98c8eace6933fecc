#![expect(
    clippy::disallowed_methods,
    reason = "tests write damaged files on purpose"
)]

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, SystemTime},
};

use forgekeeper_domain::{
    config::{Content, FORMAT, Reason, Snapshot, Uncomparable, Via},
    ids::ServiceId,
    service::KindId,
};

use super::{
    blobs::{BlobError, Blobs},
    local::LocalFolder,
    manifests::{ManifestError, Manifests, Stored, time_of},
    place::Miss,
};
use crate::secrets::SealKey;

mod write;

fn content(address: &str, key: Option<&SealKey>) -> Content {
    Content {
        address: address.to_owned(),
        bytes: 0,
        mode: None,
        modified_at: None,
        via: Via::Local,
        key: key.map(|key| key.id().to_owned()),
    }
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let below = |path: &std::path::Path| -> Vec<std::path::PathBuf> {
        let found = fs::read_dir(path).into_iter().flatten();
        found.map(|entry| entry.unwrap().path()).collect()
    };
    below(folder).iter().flat_map(|path| below(path)).collect()
}

#[test]
fn the_same_bytes_are_kept_once_and_come_back_verified() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::new(folder.path().join("blobs"));
    let bytes = b"{\"a\": 1}\r\n".repeat(1000);
    let address = blobs.put(&bytes).unwrap();
    assert_eq!(blobs.put(&bytes).unwrap(), address);
    let all = files(&folder.path().join("blobs"));
    assert_eq!(all.len(), 1);
    assert_eq!(blobs.get(&content(&address, None), None), Ok(bytes.clone()));

    let whole = fs::read(&all[0]).unwrap();
    for damage in [&b""[..], &whole[..whole.len() - 1], b"something else"] {
        fs::write(&all[0], damage).unwrap();
        let found = blobs.get(&content(&address, None), None);
        assert_eq!(found, Err(Uncomparable::Damaged));
    }
    // Whole by its own form, and yet another's.
    let other = blobs.put(b"other").unwrap();
    let all_now = files(&folder.path().join("blobs"));
    let its = all_now.iter().find(|path| **path != all[0]).unwrap();
    fs::copy(its, &all[0]).unwrap();
    assert_eq!(
        blobs.get(&content(&address, None), None),
        Err(Uncomparable::Damaged)
    );
    assert_eq!(blobs.put(&bytes).unwrap(), address, "written anew");
    assert_eq!(blobs.get(&content(&address, None), None), Ok(bytes));
    assert_eq!(
        blobs.get(&content(&other, None), None),
        Ok(b"other".to_vec())
    );
    for odd in [
        "sha256:../../etc/passwd",
        "sha256:",
        "x",
        "sealed:00",
        "sha256:ZZ",
    ] {
        let found = blobs.get(&content(odd, None), None);
        assert!(found.is_err(), "{odd}");
    }
    let gone = format!("sha256:{}", "0".repeat(64));
    assert_eq!(
        blobs.get(&content(&gone, None), None),
        Err(Uncomparable::Missing)
    );
}

#[test]
fn a_bomb_in_the_folder_is_not_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::new(folder.path().to_owned());
    let address = format!("sha256:{}", "ab".repeat(32));
    let path = folder
        .path()
        .join("ab")
        .join(format!("{}.zst", "ab".repeat(32)));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let bomb = zstd::bulk::compress(&vec![0; 256 * 1024 * 1024], 19).unwrap();
    fs::write(&path, bomb).unwrap();
    assert_eq!(
        blobs.get(&content(&address, None), None),
        Err(Uncomparable::Damaged)
    );
}

#[test]
fn what_is_sealed_opens_with_its_key_alone_and_its_name_tells_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::new(folder.path().to_owned());
    let (key, other) = (SealKey::passing().unwrap(), SealKey::passing().unwrap());
    let secret = b"WEB_PASSWORD=geheim";
    let address = blobs.put_sealed(secret, &key).unwrap();
    assert_eq!(
        blobs.put_sealed(secret, &key).unwrap(),
        address,
        "kept once"
    );
    assert_ne!(blobs.put_sealed(secret, &other).unwrap(), address);
    assert!(blobs.put(secret).unwrap().strip_prefix("sha256:") != address.strip_prefix("sealed:"));
    assert_eq!(
        blobs.get(&content(&address, Some(&key)), Some(&key)),
        Ok(secret.to_vec())
    );
    for wrong in [None, Some(&other)] {
        let found = blobs.get(&content(&address, Some(&key)), wrong);
        assert_eq!(found, Err(Uncomparable::Sealed));
    }
    let file = files(folder.path())
        .into_iter()
        .find(|path| path.to_string_lossy().contains(&address["sealed:".len()..]))
        .unwrap();
    let mut bytes = fs::read(&file).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("geheim"));
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&file, bytes).unwrap();
    let found = blobs.get(&content(&address, Some(&key)), Some(&key));
    assert_eq!(found, Err(Uncomparable::Damaged));
    // One that was only held is gone with its program.
    let held = blobs.hold(b"held", &key);
    assert_eq!(
        blobs.get(&content(&held, Some(&key)), None),
        Ok(b"held".to_vec())
    );
    let later = Blobs::new(folder.path().to_owned());
    let found = later.get(&content(&held, Some(&key)), None);
    assert_eq!(found, Err(Uncomparable::NotKept));
}

#[cfg(unix)]
#[test]
fn a_folder_that_takes_nothing_is_told_and_leaves_nothing() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    // Where the folder would be is a file: that stops root, too.
    let place = folder.path().join("blobs");
    fs::write(&place, "").unwrap();
    assert!(matches!(Blobs::new(place).put(b"x"), Err(BlobError::Io(_))));
    let shut = folder.path().join("shut");
    fs::create_dir(&shut).unwrap();
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o500)).unwrap();
    if fs::write(shut.join("probe"), "").is_err() {
        assert!(matches!(
            Blobs::new(shut.clone()).put(b"x"),
            Err(BlobError::Io(_))
        ));
    }
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn writers_beside_each_other_do_not_disturb() {
    let folder = tempfile::tempdir().unwrap();
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let blobs = Blobs::new(folder.path().to_owned());
            std::thread::spawn(move || {
                for n in 0..20 {
                    let bytes = format!("content {n}").repeat(500).into_bytes();
                    let address = blobs.put(&bytes).unwrap();
                    assert_eq!(blobs.get(&content(&address, None), None), Ok(bytes));
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    assert_eq!(files(folder.path()).len(), 20, "and no draft is left");
}

#[test]
fn what_nobody_names_goes_when_it_is_not_young() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::new(folder.path().to_owned());
    let named = blobs.put(b"named").unwrap();
    let old = blobs.put(b"old").unwrap();
    let age = |address: &str| {
        let hash = address.strip_prefix("sha256:").unwrap();
        let file = folder.path().join(&hash[..2]).join(format!("{hash}.zst"));
        let file = fs::File::options().append(true).open(file).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1))
            .unwrap();
    };
    age(&named);
    age(&old);
    let young = blobs.put(b"young").unwrap();
    blobs.sweep(&BTreeSet::from([named.clone()])).unwrap();
    let there = |address: &str| blobs.get(&content(address, None), None).is_ok();
    assert_eq!(
        (there(&named), there(&old), there(&young)),
        (true, false, true)
    );
    assert!(
        Blobs::new(folder.path().join("none"))
            .sweep(&BTreeSet::new())
            .is_ok()
    );
}

fn snapshot(second: i64) -> Snapshot {
    Snapshot {
        format: FORMAT,
        service: ServiceId::new("myia").unwrap(),
        kind: KindId::Forge,
        taken_at: forgekeeper_domain::Timestamp::from_second(1_790_000_000 + second).unwrap(),
        reason: Reason::Daily,
        note: None,
        healthy: None,
        container: None,
        items: Vec::new(),
    }
}

#[test]
fn a_manifest_is_as_it_was_written_or_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let manifests = Manifests::new(folder.path().join("snapshots"));
    assert_eq!(manifests.list().unwrap(), []);
    let first = manifests.put(&snapshot(0)).unwrap();
    let second = manifests.put(&snapshot(60)).unwrap();
    assert_eq!(manifests.get(&first).unwrap(), snapshot(0));
    assert_eq!(time_of(&first), Some(snapshot(0).taken_at));
    manifests.pin(&first, true).unwrap();
    let all = manifests.list().unwrap();
    assert_eq!(
        all.iter().map(|one| &one.id).collect::<Vec<_>>(),
        [&second, &first]
    );
    assert!(matches!(all[1].stored, Stored::Whole { pinned: true, .. }));

    let path = |id| {
        folder
            .path()
            .join("snapshots")
            .join(format!("{id}.snapshot"))
    };
    let text = fs::read_to_string(path(&first)).unwrap();
    for damage in [
        String::new(),
        text[..text.len() - 10].to_owned(),
        text.replace("daily", "on_demand"),
        fs::read_to_string(path(&second)).unwrap(),
        "x".repeat(2 * 1024 * 1024),
    ] {
        fs::write(path(&first), damage).unwrap();
        let found = manifests.get(&first);
        assert!(matches!(found, Err(ManifestError::Damaged(_))), "{found:?}");
    }
    let all = manifests.list().unwrap();
    assert!(matches!(all[1].stored, Stored::Damaged { .. }));
    assert!(manifests.remove(&first).unwrap());
    assert!(!manifests.remove(&first).unwrap());
    assert_eq!(manifests.list().unwrap().len(), 1);
}

#[cfg(unix)]
#[test]
fn links_out_of_a_workspace_are_not_followed() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("workspace");
    let forge = here.join("forge");
    fs::create_dir_all(forge.join("extensions/one/.git")).unwrap();
    fs::create_dir_all(forge.join("extensions/two")).unwrap();
    fs::write(folder.path().join("secret"), "of this machine").unwrap();
    fs::write(here.join("real.json"), "{}").unwrap();
    fs::write(forge.join("config.json"), "{}").unwrap();
    let link = |target: &str, name: &str| symlink(target, forge.join(name)).unwrap();
    link("/workspace/real.json", "absolute.json");
    link("../real.json", "relative.json");
    link("../../secret", "up.json");
    link("/etc/passwd", "passwd.json");
    link(folder.path().join("secret").to_str().unwrap(), "here.json");
    link("loop-b", "loop-a");
    link("loop-a", "loop-b");
    symlink("/etc", forge.join("extensions/three")).unwrap();
    symlink(
        "/workspace/forge/extensions/two",
        forge.join("extensions/four"),
    )
    .unwrap();
    let local = LocalFolder {
        target: "/workspace".to_owned(),
        here,
    };
    let read = |name: &str| local.read(&format!("/workspace/forge/{name}"), 100);
    for good in ["config.json", "absolute.json", "relative.json"] {
        assert_eq!(read(good).unwrap().bytes, b"{}", "{good}");
    }
    for outside in ["up.json", "passwd.json", "here.json"] {
        assert_eq!(read(outside), Err(Miss::Elsewhere), "{outside}");
    }
    assert!(matches!(read("loop-a"), Err(Miss::Odd(_))));
    assert_eq!(read("nothing"), Err(Miss::Absent));
    assert_eq!(read("extensions"), Err(Miss::Folder));
    assert_eq!(
        local.read("/workspace/forge/config.json", 1),
        Err(Miss::TooLarge)
    );
    for elsewhere in ["/etc/passwd", "/workspace/../etc/passwd", "/workspaces/x"] {
        assert_eq!(
            local.read(elsewhere, 100),
            Err(Miss::Elsewhere),
            "{elsewhere}"
        );
    }
    let long = format!("/workspace/{}", "n".repeat(300));
    assert!(local.read(&long, 100).is_err());
    let found = local.folders("/workspace/forge/extensions").unwrap();
    assert_eq!(found, ["four", "one", "two"]);
}

#[cfg(unix)]
#[test]
fn a_file_that_was_read_before_is_read_again_once_it_changed() {
    use super::memory::Memory;
    let folder = tempfile::tempdir().unwrap();
    let local = LocalFolder {
        target: "/workspace".to_owned(),
        here: folder.path().to_owned(),
    };
    let (memory, path) = (Memory::default(), folder.path().join("HEAD"));
    let read = || local.read_again("/workspace/HEAD", 4096, &memory);
    let age = |path: &std::path::Path| {
        let old = SystemTime::now() - Duration::from_mins(1);
        fs::File::open(path).unwrap().set_modified(old).unwrap();
        old
    };
    fs::write(&path, "one").unwrap();
    let old = age(&path);
    assert_eq!(read(), Ok(b"one".to_vec()));
    assert_eq!(read(), Ok(b"one".to_vec()));
    // The same length and the same time: the entry itself tells.
    fs::write(&path, "two").unwrap();
    fs::File::open(&path).unwrap().set_modified(old).unwrap();
    assert_eq!(read(), Ok(b"two".to_vec()));
    // Too young to be remembered.
    fs::write(&path, "six").unwrap();
    assert_eq!(read(), Ok(b"six".to_vec()));
    fs::write(&path, "ten").unwrap();
    assert_eq!(read(), Ok(b"ten".to_vec()));
    assert_eq!(
        local.read_again("/workspace/HEAD", 2, &memory),
        Err(Miss::TooLarge)
    );
    fs::remove_file(&path).unwrap();
    assert_eq!(read(), Err(Miss::Absent));
    std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
    assert_eq!(read(), Err(Miss::Elsewhere));
}

#[cfg(unix)]
#[test]
fn a_link_that_comes_onto_the_way_to_a_file_that_was_read_leads_nowhere() {
    use super::memory::Memory;
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let local = LocalFolder {
        target: "/workspace".to_owned(),
        here: folder.path().to_owned(),
    };
    let memory = Memory::default();
    let read = || local.read_again("/workspace/refs/main", 4096, &memory);
    let refs = folder.path().join("refs");
    fs::create_dir(&refs).unwrap();
    fs::write(refs.join("main"), "one").unwrap();
    fs::write(outside.path().join("main"), "two").unwrap();
    let old = SystemTime::now() - Duration::from_mins(1);
    for path in [refs.join("main"), outside.path().join("main")] {
        fs::File::open(path).unwrap().set_modified(old).unwrap();
    }
    assert_eq!(read(), Ok(b"one".to_vec()));
    assert_eq!(read(), Ok(b"one".to_vec()), "from memory");
    fs::rename(&refs, folder.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(outside.path(), &refs).unwrap();
    assert_eq!(read(), Err(Miss::Elsewhere));
    fs::remove_file(&refs).unwrap();
    // The same file by another way is the same file.
    std::os::unix::fs::symlink("elsewhere", &refs).unwrap();
    assert_eq!(read(), Ok(b"one".to_vec()));
}
