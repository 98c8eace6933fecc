//! What Linux can show: links, pipes, long names, full disks, other users' files.

use std::os::unix::{
    ffi::OsStrExt as _,
    fs::{PermissionsExt as _, symlink},
};

use super::*;

#[test]
fn links_are_noted_and_never_followed() {
    let scene = Scene::new(BackupMode::Mirror);
    scene.put("a/b/c.txt", "x");
    symlink("..", scene.source("a/b/loop")).unwrap();
    symlink("/", scene.source("everything")).unwrap();
    symlink("not there", scene.source("dangling")).unwrap();
    let pipe = scene.source("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    let run = scene.run();
    assert_eq!(
        (run.end, run.links, run.special),
        (BackupEnd::Whole, 3, 1),
        "{run:#?}"
    );
    assert_eq!(run.copied.files, 1);
    let manifest = scene.target(".forgekeeper-backup/manifest.jsonl");
    let manifest = fs::read_to_string(manifest).unwrap();
    assert!(
        manifest.contains(r#"{"path":"everything","link":"/"}"#),
        "{manifest}"
    );
    // One that takes the place of a folder takes what was in it away.
    fs::remove_dir_all(scene.source("a")).unwrap();
    symlink("/tmp", scene.source("a")).unwrap();
    let run = scene.run();
    assert_eq!((run.end, run.links), (BackupEnd::Whole, 3));
    assert!(!scene.target("a").exists());
}

#[test]
fn a_link_in_the_target_leads_nowhere() {
    let scene = Scene::new(BackupMode::Mirror);
    scene.put("a/b.txt", "x");
    scene.run();
    let outside = scene.folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    write(outside.join("b.txt"), "theirs").unwrap();
    fs::remove_dir_all(scene.target("a")).unwrap();
    symlink(&outside, scene.target("a")).unwrap();
    scene.put("a/b.txt", "newer");
    scene.put("a/c.txt", "new");
    let run = scene.run();
    assert_eq!(why(&run), [("a", Obstacle::InTheWay)]);
    fs::remove_dir_all(scene.source("a")).unwrap();
    scene.put("other", "x");
    scene.run();
    assert_eq!(fs::read(outside.join("b.txt")).unwrap(), b"theirs");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[test]
fn names_of_the_longest_and_of_the_oddest_sort() {
    let scene = Scene::new(BackupMode::Mirror);
    let longest = "n".repeat(255);
    scene.put(&longest, "x");
    scene.put(&format!("{}/{}", "d".repeat(255), "é".repeat(127)), "y");
    let odd = scene
        .source("")
        .join(std::ffi::OsStr::from_bytes(b"\xff\n\x1b[31m"));
    write(odd, "z").unwrap();
    let run = scene.run();
    assert_eq!(
        (run.end, run.copied.files),
        (BackupEnd::Whole, 3),
        "{run:#?}"
    );
    assert_eq!(tree(&scene.source("")), tree(&scene.target("")));
    assert_eq!(scene.run().unchanged.files, 3);
    let too_long = BackupSettings {
        target: scene.target(&"n".repeat(300)).display().to_string(),
        ..scene.settings.clone()
    };
    let error = plan(&too_long, &CancellationToken::new()).unwrap_err();
    assert!(error.detail.unwrap().contains("too long"));
}

#[test]
fn a_path_that_is_too_long_for_the_system_is_told_and_the_rest_is_copied() {
    let scene = Scene::new(BackupMode::Mirror);
    scene.put("a.txt", "x");
    scene.put("z.txt", "x");
    // Deeper than a path may be long; each step alone is allowed.
    let script = format!(
        "n={}; for i in $(seq 20); do mkdir $n && cd -P $n || exit 1; done; echo x > deep.txt",
        "d".repeat(250)
    );
    #[expect(
        clippy::disallowed_methods,
        reason = "a shell goes where no path leads"
    )]
    let made = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(scene.source(""))
        .status();
    assert!(made.unwrap().success());
    let run = scene.run();
    assert_eq!(
        (run.end, run.copied.files),
        (BackupEnd::Incomplete, 2),
        "{run:#?}"
    );
    assert!(
        run.problems.iter().all(|p| p.why == Obstacle::NameRefused),
        "{run:#?}"
    );
    // Gone from sight is not gone: what cannot be looked into removes nothing.
    assert_eq!(scene.run().removed.files, 0);
    #[expect(clippy::disallowed_methods, reason = "and takes it away again")]
    let gone = std::process::Command::new("rm")
        .arg("-rf")
        .arg(scene.folder.path())
        .status();
    assert!(gone.unwrap().success());
}

#[test]
fn modes_are_kept() {
    let scene = Scene::new(BackupMode::Mirror);
    scene.put("run.sh", "#!/bin/sh\n");
    let mode = fs::Permissions::from_mode(0o750);
    fs::set_permissions(scene.source("run.sh"), mode).unwrap();
    scene.run();
    let mode = fs::metadata(scene.target("run.sh"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o750);
}

/// A file system in memory with so much room; `None` where this user may not mount one.
struct Small(PathBuf);

impl Small {
    fn mount(folder: &Path, size: &str) -> Option<Self> {
        fs::create_dir(folder).unwrap();
        let size = format!("size={size}");
        #[expect(clippy::disallowed_methods, reason = "a test mounts what it fills")]
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder)
            .stderr(std::process::Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(folder.to_owned()));
        }
        eprintln!("skipped: this user may not mount a small file system");
        None
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        #[expect(clippy::disallowed_methods, reason = "and unmounts it")]
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_target_that_fills_up_in_the_middle_is_left_whole_and_the_next_run_goes_on() {
    let scene = Scene::new(BackupMode::Mirror);
    let Some(small) = Small::mount(&scene.target(""), "5m") else {
        return;
    };
    for name in ["a", "b", "c"] {
        scene.put(name, vec![1; 1024 * 1024]);
    }
    // Somebody else fills it meanwhile: the look before the run could not know.
    let hog = small.0.join(".forgekeeper-backup/hog");
    let doors = {
        let hog = hog.clone();
        Doors {
            open: Box::new(move |path| {
                if path.ends_with("source/b") {
                    let _ = write(&hog, vec![0; 2 * 1024 * 1024]);
                }
                File::open(path)
            }),
        }
    };
    let run = scene.work(BackupTask::Run, &doors);
    assert_eq!(
        (run.end, run.copied.files),
        (BackupEnd::DiskFull, 2),
        "{run:#?}"
    );
    let error = run.error.unwrap();
    assert_eq!(error.code, ErrorCode::DiskFull);
    assert!(error.hint.is_some());
    assert!(!scene.target(".forgekeeper-backup/next.partial").exists());
    let verified = scene.verify();
    assert_eq!((verified.held.files, verified.problem_count), (2, 0));
    // Known before it begins, now.
    let again = scene.run();
    assert_eq!((again.end, again.copied.files), (BackupEnd::DiskFull, 0));
    assert!(again.error.unwrap().message.contains("needed"));
    fs::remove_file(hog).unwrap();
    let last = scene.run();
    assert_eq!(
        (last.end, last.copied.files, last.unchanged.files),
        (BackupEnd::Whole, 1, 2)
    );
}

#[test]
fn no_run_begins_without_room() {
    let scene = Scene::new(BackupMode::Dated);
    let Some(_small) = Small::mount(&scene.target(""), "1m") else {
        return;
    };
    scene.put("large", vec![1; 2 * 1024 * 1024]);
    let plan = scene.plan().unwrap();
    assert_eq!(
        (plan.fits(), plan.disks),
        (Some(false), SharedDisk::Unknown)
    );
    let run = scene.run();
    assert_eq!((run.end, run.copied.files), (BackupEnd::DiskFull, 0));
    assert_eq!(tree(&scene.target("")), []);
}
