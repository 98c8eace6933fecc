use std::fs;

use forgekeeper_domain::{
    Timestamp,
    config::{Deed, PartId},
    ids::ServiceId,
};

use crate::config::{
    local::LocalFolder,
    restores::{Marked, Marker, Restores, hash},
    write::{NotWritten, now_here, remove_here, write_here},
};

/// A workspace of this machine, and a folder beside it.
#[cfg(unix)]
fn workspace() -> (tempfile::TempDir, LocalFolder) {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("workspace");
    fs::create_dir_all(here.join("forge/user")).unwrap();
    let local = LocalFolder {
        target: "/workspace".to_owned(),
        here,
    };
    (folder, local)
}

#[cfg(unix)]
#[test]
fn a_file_is_replaced_whole_with_its_mode_and_nothing_is_left_beside() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let (_folder, local) = workspace();
    let forge = local.here.join("forge");
    let path = forge.join("config.json");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
    let mode = |name: &str| fs::metadata(forge.join(name)).unwrap().permissions().mode() & 0o777;
    local
        .write("/workspace/forge/config.json", b"new", Some(0o600))
        .unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(mode("config.json"), 0o664, "as it was");
    local
        .write("/workspace/forge/made.json", b"{}", Some(0o640))
        .unwrap();
    assert_eq!(mode("made.json"), 0o640);
    // As the container sees it: the file at the end of the link is the one.
    symlink("/workspace/forge/config.json", forge.join("user/link.json")).unwrap();
    local
        .write("/workspace/forge/user/link.json", b"through", None)
        .unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"through");
    assert!(forge.join("user/link.json").is_symlink());
    assert_eq!(fs::read_dir(&forge).unwrap().count(), 3, "nothing beside");
    local.remove("/workspace/forge/made.json").unwrap();
    local.remove("/workspace/forge/made.json").unwrap();
    assert!(!forge.join("made.json").exists());
}

#[cfg(unix)]
#[test]
fn nothing_is_written_outside_of_a_workspace() {
    use std::os::unix::fs::symlink;
    let (folder, local) = workspace();
    let secret = folder.path().join("secret");
    fs::write(&secret, "mine").unwrap();
    let forge = local.here.join("forge");
    symlink("../../secret", forge.join("up.json")).unwrap();
    symlink(&secret, forge.join("there.json")).unwrap();
    symlink(folder.path(), forge.join("out")).unwrap();
    for path in [
        "/workspace/forge/up.json",
        "/workspace/forge/there.json",
        "/workspace/forge/out/secret",
        "/workspace/forge/out/new",
        "/workspace/../secret",
        "/etc/passwd",
    ] {
        let written = local.write(path, b"theirs", None);
        assert!(
            matches!(written, Err(NotWritten::Elsewhere)),
            "{path}: {written:?}"
        );
        let removed = local.remove(path);
        assert!(
            matches!(removed, Err(NotWritten::Elsewhere)),
            "{path}: {removed:?}"
        );
    }
    for odd in ["/workspace/nowhere/config.json", "/workspace/forge"] {
        assert!(local.write(odd, b"x", None).is_err(), "{odd}");
    }
    assert_eq!(fs::read(&secret).unwrap(), b"mine");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[tokio::test]
async fn a_file_that_somebody_named_is_written_and_read_here() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("compose.yaml");
    let path = path.to_str().unwrap();
    assert_eq!(now_here(path, 100).await, Ok(None));
    write_here(path, b"a: 1\r\n", Some(0o644)).await.unwrap();
    assert_eq!(now_here(path, 100).await, Ok(Some(b"a: 1\r\n".to_vec())));
    assert!(now_here(path, 3).await.is_err(), "too long is not absent");
    remove_here(path).await.unwrap();
    remove_here(path).await.unwrap();
    assert_eq!(now_here(path, 100).await, Ok(None));
}

#[test]
fn a_mark_is_made_once_and_half_of_one_is_known_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let restores = Restores::new(folder.path().to_owned());
    let service = ServiceId::new("myia").unwrap();
    assert_eq!(restores.marker(&service).unwrap(), None);
    assert_eq!(restores.marked().unwrap(), []);
    let id = |text: &str| forgekeeper_domain::ids::SnapshotId::new(text).unwrap();
    let marker = Marker {
        owner: "a1".to_owned(),
        service: service.clone(),
        snapshot: id("s"),
        before: Some(id("b")),
        at: Timestamp::UNIX_EPOCH,
        undo: false,
        files: vec![Marked {
            part: PartId::ForgeConfig,
            path: "/config.json".to_owned(),
            deed: Deed::Create,
            before: None,
            after: hash(Some(b"{}")),
        }],
        stops: None,
    };
    restores.begin(&marker).unwrap();
    let again = restores.begin(&marker).unwrap_err();
    assert_eq!(again.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(restores.marker(&service).unwrap(), Some(marker));
    assert_eq!(restores.marked().unwrap(), std::slice::from_ref(&service));
    fs::write(
        folder.path().join("under-way/myia.json"),
        "{\"owner\": \"a1",
    )
    .unwrap();
    let half = restores.marker(&service).unwrap_err();
    assert!(matches!(
        half.kind(),
        std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof
    ));
    restores.end(&service).unwrap();
    assert_eq!(restores.marker(&service).unwrap(), None);
}
