use super::*;

fn runs(scene: &Scene) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(scene.target(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

#[test]
fn each_run_has_its_folder_and_unchanged_files_are_linked() {
    let scene = Scene::new(BackupMode::Dated);
    scene.put("same.txt", "same");
    scene.put("below/new.txt", "old");
    let first = scene.run();
    assert_eq!(
        (first.end, first.copied.files),
        (BackupEnd::Whole, 2),
        "{first:#?}"
    );
    scene.put("below/new.txt", "new");
    let plan = scene.plan().unwrap();
    assert_eq!((plan.copy.files, plan.unchanged.files), (1, 1));
    let second = scene.run();
    assert_eq!(
        (second.copied.files, second.linked.files),
        (1, 1),
        "{second:#?}"
    );
    let [one, two] = [first, second].map(|record| scene.target(&record.folder.unwrap()));
    assert_eq!(fs::read(one.join("below/new.txt")).unwrap(), b"old");
    assert_eq!(tree(&two), tree(&scene.source("")));
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let inode = |folder: &Path| fs::metadata(folder.join("same.txt")).unwrap().ino();
        assert_eq!(inode(&one), inode(&two), "one file under two names");
    }
    assert_eq!(scene.verify().end, BackupEnd::Whole);
}

#[test]
fn so_many_runs_stay_and_what_others_put_into_them() {
    let mut scene = Scene::new(BackupMode::Dated);
    scene.settings.keep = 2;
    scene.put("a/b.txt", "x");
    scene.run();
    let oldest = runs(&scene).remove(0);
    write(scene.target(&oldest).join("a/mine.txt"), "mine").unwrap();
    fs::create_dir(scene.target("not ours")).unwrap();
    for _ in 0..3 {
        assert_eq!(scene.run().end, BackupEnd::Whole);
    }
    let left = runs(&scene);
    assert_eq!(
        left.len(),
        4,
        "two, one with something of others, and theirs: {left:?}"
    );
    assert!(scene.target(&oldest).join("a/mine.txt").exists());
    assert!(!scene.target(&oldest).join("a/b.txt").exists());
}

#[test]
fn a_run_that_was_broken_off_is_continued_under_the_date_of_the_next() {
    let scene = Scene::new(BackupMode::Dated);
    for name in ["a", "b", "c"] {
        scene.put(name, name);
    }
    // Held for ever in the first round, and ended while it waits.
    let doors = held("b", u32::MAX, io::ErrorKind::ResourceBusy);
    let ended = scene.until(BackupTask::Run, &doors, &|progress, cancel| {
        if progress.stage == BackupStage::Retrying {
            cancel.cancel();
        }
    });
    assert_eq!((ended.end, ended.copied.files), (BackupEnd::Cancelled, 2));
    assert_eq!(runs(&scene), ["unfinished"]);
    fs::remove_file(scene.source("c")).unwrap();
    assert!(scene.plan().unwrap().continues);
    let next = scene.run();
    assert_eq!(
        (next.end, next.copied.files, next.unchanged.files),
        (BackupEnd::Whole, 1, 1)
    );
    let folder = next.folder.unwrap();
    assert_eq!(runs(&scene), [folder.as_str()]);
    assert_eq!(tree(&scene.target(&folder)), tree(&scene.source("")));
}

#[test]
fn ended_between_its_last_two_steps_it_is_found_whole() {
    let scene = Scene::new(BackupMode::Dated);
    scene.put("a", "a");
    let done = scene.run();
    // The folder has its date, and the journal is still there.
    let journal = scene.target(".forgekeeper-backup/unfinished.jsonl");
    write(&journal, "{\"path\":\"gone\"}\n").unwrap();
    let plan = scene.plan().unwrap();
    assert_eq!((plan.continues, plan.copy.files), (false, 0));
    let next = scene.run();
    assert_eq!((next.end, next.linked.files), (BackupEnd::Whole, 1));
    assert!(!journal.exists());
    assert_ne!(next.folder, done.folder);
}
