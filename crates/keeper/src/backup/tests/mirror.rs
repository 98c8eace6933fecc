use super::*;

fn filled() -> Scene {
    let scene = Scene::new(BackupMode::Mirror);
    scene.put("docker-compose.yaml", "services: {}\n");
    scene.put("models/sd/xl.safetensors", vec![7; 3 * 1024 * 1024 + 5]);
    scene.put("scripts/deep/er/start.sh", "echo");
    scene.put("empty.txt", "");
    fs::create_dir(scene.source("nothing in it")).unwrap();
    scene
}

fn same(scene: &Scene) {
    assert_eq!(tree(&scene.source("")), tree(&scene.target("")));
}

#[test]
fn a_mirror_is_as_its_source_and_a_second_run_copies_nothing() {
    let scene = filled();
    let plan = scene.plan().unwrap();
    assert_eq!(
        (plan.all, plan.copy.files, plan.unchanged.files),
        (plan.copy, 4, 0)
    );
    assert_eq!((plan.models.files, plan.disks), (1, SharedDisk::SameVolume));
    assert_eq!(plan.folders[0].name, "models");
    assert_eq!((plan.fits(), plan.continues), (Some(true), false));
    assert!(!scene.target("").exists(), "a plan writes nothing");

    let first = scene.run();
    assert_eq!(
        (first.end, first.problem_count),
        (BackupEnd::Whole, 0),
        "{first:#?}"
    );
    assert_eq!((first.copied.files, first.held), (4, first.copied));
    same(&scene);
    let modified = |path: PathBuf| fs::metadata(path).unwrap().modified().unwrap();
    let name = "models/sd/xl.safetensors";
    assert_eq!(modified(scene.source(name)), modified(scene.target(name)));

    let second = scene.run();
    assert_eq!((second.end, second.copied.files), (BackupEnd::Whole, 0));
    assert_eq!((second.unchanged, second.held), (first.held, first.held));
    let verified = scene.verify();
    assert_eq!(
        (verified.end, verified.held),
        (BackupEnd::Whole, first.held)
    );
}

#[test]
fn what_changes_is_copied_what_goes_is_removed_and_what_turns_into_something_else_too() {
    let scene = filled();
    scene.run();
    scene.put("docker-compose.yaml", "services: {x: 1}\n");
    fs::remove_dir_all(scene.source("scripts")).unwrap();
    scene.put("scripts", "a file now");
    fs::remove_file(scene.source("empty.txt")).unwrap();
    scene.put("empty.txt/is a folder now", "x");
    fs::remove_dir(scene.source("nothing in it")).unwrap();
    let plan = scene.plan().unwrap();
    assert_eq!((plan.copy.files, plan.unchanged.files), (3, 1));
    let run = scene.run();
    assert_eq!(
        (run.end, run.copied.files),
        (BackupEnd::Whole, 3),
        "{run:#?}"
    );
    same(&scene);
    assert_eq!(scene.verify().end, BackupEnd::Whole);
}

#[test]
fn what_others_put_there_is_never_touched() {
    let scene = filled();
    scene.run();
    files::write_atomic(&scene.target("mine.txt"), b"mine").unwrap();
    files::write_atomic(&scene.target("scripts/deep/mine.txt"), b"mine").unwrap();
    files::write_atomic(&scene.target("new.txt"), b"theirs").unwrap();
    fs::remove_dir_all(scene.source("scripts")).unwrap();
    scene.put("new.txt", "ours");
    let run = scene.run();
    assert_eq!(why(&run), [("new.txt", Obstacle::InTheWay)]);
    assert_eq!(run.end, BackupEnd::Incomplete, "never green");
    for (name, bytes) in [
        ("mine.txt", &b"mine"[..]),
        ("scripts/deep/mine.txt", b"mine"),
        ("new.txt", b"theirs"),
    ] {
        assert_eq!(fs::read(scene.target(name)).unwrap(), bytes, "{name}");
    }
    assert!(!scene.target("scripts/deep/er").exists());
    assert_eq!(
        scene.run().end,
        BackupEnd::Incomplete,
        "as long as it is there"
    );
    fs::remove_file(scene.target("new.txt")).unwrap();
    assert_eq!(scene.run().end, BackupEnd::Whole);
}

#[test]
fn a_target_that_is_not_ours_is_refused_and_nothing_is_written() {
    let scene = filled();
    files::write_atomic(&scene.target("photos/1.jpg"), b"x").unwrap();
    let before = tree(&scene.target(""));
    let error = scene.plan().unwrap_err();
    assert_eq!(error.code, ErrorCode::Refused);
    assert!(error.message.contains("photos") && error.hint.is_some());
    let run = scene.run();
    assert_eq!(run.end, BackupEnd::Failed);
    assert_eq!(run.error.map(|error| error.code), Some(ErrorCode::Refused));
    assert_eq!(tree(&scene.target("")), before);
    assert!(!scene.target(places::OUR_FOLDER).exists());
    assert_eq!(scene.verify().end, BackupEnd::Nothing);
}

#[test]
fn the_backup_of_another_folder_or_mode_is_refused() {
    let scene = filled();
    scene.run();
    let other = scene.folder.path().join("other");
    fs::create_dir(&other).unwrap();
    for changed in [
        BackupSettings {
            source: other.display().to_string(),
            ..scene.settings.clone()
        },
        BackupSettings {
            mode: BackupMode::Dated,
            ..scene.settings.clone()
        },
    ] {
        let error = plan(&changed, &CancellationToken::new()).unwrap_err();
        assert_eq!(error.code, ErrorCode::Refused, "{changed:?}");
    }
    files::write_atomic(&scene.target(".forgekeeper-backup/backup.json"), b"{").unwrap();
    assert_eq!(scene.plan().unwrap_err().code, ErrorCode::Refused);
}

#[test]
fn source_and_target_never_lie_in_one_another() {
    let scene = filled();
    let settings = |source: &Path, target: &Path| BackupSettings {
        source: source.display().to_string(),
        target: target.display().to_string(),
        ..scene.settings.clone()
    };
    let (source, models) = (scene.source(""), scene.source("models"));
    for (from, to) in [
        (source.clone(), source.clone()),
        (source.clone(), models.join("new/backup")),
        (models.clone(), source.clone()),
        (source.clone(), scene.source("models/../models/x")),
        (PathBuf::from("relative"), scene.target("")),
        (source.clone(), PathBuf::from("relative")),
        (source.clone(), scene.source("empty.txt")),
        (source.clone(), scene.source("empty.txt/below a file")),
    ] {
        let error = plan(&settings(&from, &to), &CancellationToken::new()).unwrap_err();
        let known = [ErrorCode::BadRequest, ErrorCode::Io];
        assert!(known.contains(&error.code), "{from:?} {to:?}: {error:?}");
    }
    let gone = plan(
        &settings(&scene.source("not there"), &scene.target("")),
        &CancellationToken::new(),
    );
    assert_eq!(gone.unwrap_err().code, ErrorCode::Io);
    assert!(!models.join("new").exists());
}

#[test]
fn a_file_that_is_held_is_tried_again_and_then_listed() {
    let scene = filled();
    let passing = held("docker-compose.yaml", 1, io::ErrorKind::ResourceBusy);
    let run = scene.work(BackupTask::Run, &passing);
    assert_eq!(
        (run.end, run.copied.files),
        (BackupEnd::Whole, 4),
        "{run:#?}"
    );
    scene.put("docker-compose.yaml", "newer");
    let held = held("docker-compose.yaml", u32::MAX, io::ErrorKind::ResourceBusy);
    let run = scene.work(BackupTask::Run, &held);
    assert_eq!(why(&run), [("docker-compose.yaml", Obstacle::InUse)]);
    assert_eq!(run.end, BackupEnd::Incomplete);
    // What is known to be missing stays so, however well the rest reads; the older copy stays.
    let verified = scene.verify();
    assert_eq!(verified.end, BackupEnd::Incomplete);
    let kept = fs::read(scene.target("docker-compose.yaml")).unwrap();
    assert_eq!(kept, b"services: {}\n");
    assert_eq!(scene.run().end, BackupEnd::Whole);
    same(&scene);
}

#[test]
fn a_file_that_changes_while_it_is_copied_is_noticed() {
    let scene = filled();
    let log = scene.source("webui.log");
    let long = vec![b'x'; 8 * copy::CHUNK];
    write(&log, &long).unwrap();
    assert_eq!(scene.run().end, BackupEnd::Whole);
    let writing = AtomicBool::new(true);
    let run = std::thread::scope(|threads| {
        let (writing, log, long) = (&writing, &log, &long);
        // Somebody writes a line now and again, and again, through every try.
        threads.spawn(move || {
            let mut file = fs::OpenOptions::new().append(true).open(log).unwrap();
            while writing.load(Ordering::Relaxed) {
                io::Write::write_all(&mut file, b"one line more\n").unwrap();
                std::thread::sleep(Duration::from_micros(100));
            }
        });
        while fs::metadata(log).unwrap().len() == long.len() as u64 {
            std::thread::yield_now();
        }
        let run = scene.run();
        writing.store(false, Ordering::Relaxed);
        run
    });
    assert_eq!(why(&run), [("webui.log", Obstacle::Changed)], "{run:#?}");
    assert_eq!(run.end, BackupEnd::Incomplete);
    assert!(
        fs::read(scene.target("webui.log")).unwrap() == long,
        "the older copy stays"
    );
    assert_eq!(scene.run().end, BackupEnd::Whole);
    same(&scene);
}

#[test]
fn a_source_that_is_suddenly_empty_takes_nothing_with_it() {
    let scene = filled();
    scene.run();
    let before = tree(&scene.target(""));
    let away = scene.folder.path().join("away");
    fs::rename(scene.source(""), &away).unwrap();
    let run = scene.run();
    assert_eq!(run.error.map(|error| error.code), Some(ErrorCode::Io));
    // A share that is not mounted.
    fs::create_dir(scene.source("")).unwrap();
    let run = scene.run();
    assert_eq!(run.end, BackupEnd::Failed);
    assert_eq!(run.error.map(|error| error.code), Some(ErrorCode::Refused));
    assert_eq!(tree(&scene.target("")), before);
}

#[test]
fn what_is_left_out_later_stays_where_it_is() {
    let mut scene = filled();
    scene.run();
    scene.settings.exclude = vec!["models".to_owned(), "**/*.log".to_owned()];
    scene.put("scripts/a.log", "x");
    let run = scene.run();
    assert_eq!(
        (run.end, run.excluded, run.removed.files),
        (BackupEnd::Whole, 2, 0)
    );
    assert!(scene.target("models/sd/xl.safetensors").exists());
    assert!(!scene.target("scripts/a.log").exists());
}

#[test]
fn a_flipped_byte_and_a_missing_file_are_found() {
    let scene = filled();
    scene.run();
    let path = scene.target("models/sd/xl.safetensors");
    let (mut bytes, time) = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap());
    bytes[2 * 1024 * 1024] ^= 1;
    write(&path, bytes).unwrap();
    let file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.set_modified(time.modified().unwrap()).unwrap();
    fs::remove_file(scene.target("empty.txt")).unwrap();
    let verified = scene.verify();
    assert_eq!(verified.end, BackupEnd::Incomplete);
    assert_eq!(
        why(&verified),
        [
            ("empty.txt", Obstacle::Missing),
            ("models/sd/xl.safetensors", Obstacle::Damaged)
        ]
    );
}

#[test]
fn a_damaged_manifest_changes_nothing() {
    let scene = filled();
    scene.run();
    let manifest = scene.target(".forgekeeper-backup/manifest.jsonl");
    let text = fs::read_to_string(&manifest).unwrap();
    for damaged in [
        text.replace("empty.txt", "full.txt"),
        text[..=text.find('\n').unwrap()].to_owned(),
        String::new(),
        "x".repeat(200_000),
    ] {
        write(&manifest, damaged).unwrap();
        fs::remove_file(scene.source("empty.txt")).unwrap_or_default();
        let run = scene.run();
        assert_eq!(run.end, BackupEnd::Failed);
        assert!(scene.target("empty.txt").exists());
        assert_eq!(scene.verify().end, BackupEnd::Failed);
    }
}

#[test]
fn ended_at_any_moment_it_goes_on_from_there() {
    let scene = Scene::new(BackupMode::Mirror);
    for number in 0..40 {
        scene.put(&format!("f{number:02}/a.bin"), vec![number; 100_000]);
    }
    let mut copied = 0;
    for opened in [1, 7, 23] {
        // A door is where the token is seen: ended before the n-th file.
        let cancel = CancellationToken::new();
        let (seen, token) = (AtomicU32::new(0), cancel.clone());
        let doors = Doors {
            open: Box::new(move |path| {
                if seen.fetch_add(1, Ordering::Relaxed) == opened {
                    token.cancel();
                }
                File::open(path)
            }),
        };
        let at = Timestamp::from_second(1_900_000_000).unwrap();
        let task = BackupTask::Run;
        let mut record = BackupRecord::begun("x".to_owned(), task, &scene.settings, at);
        work(&scene.settings, &mut record, &doors, &cancel, &|_| {});
        assert_eq!(record.end, BackupEnd::Cancelled);
        assert!(!scene.target(".forgekeeper-backup/next.partial").exists());
        copied += record.copied.files;
        assert!(scene.plan().unwrap().continues);
        let verified = scene.verify();
        assert_eq!(
            (verified.end, verified.problem_count),
            (BackupEnd::Incomplete, 0)
        );
    }
    let last = scene.run();
    assert_eq!(
        (last.end, last.copied.files),
        (BackupEnd::Whole, 40 - copied)
    );
    same(&scene);
    assert!(!scene.plan().unwrap().continues);
}

#[test]
fn progress_goes_up_and_ends_where_it_said() {
    let scene = filled();
    let last = std::sync::Mutex::new(None::<BackupProgress>);
    let record = scene.until(BackupTask::Run, &Doors::default(), &|progress, _| {
        let mut last = last.lock().unwrap();
        if let (Some(before), Some(of)) = (&*last, progress.of) {
            assert!(progress.done.files <= of.files && progress.done.bytes <= of.bytes);
            let began = before.of.is_none();
            assert!(began || before.done.files <= progress.done.files);
        }
        *last = Some(progress.clone());
    });
    let last = last.lock().unwrap().clone().unwrap();
    assert_eq!(
        (last.stage, Some(last.done)),
        (BackupStage::Finishing, last.of)
    );
    assert_eq!(last.done, record.held);
}

#[test]
fn killed_between_the_journal_and_the_place_what_was_there_before_counts() {
    let scene = filled();
    scene.run();
    let journal = scene.target(".forgekeeper-backup/unfinished.jsonl");
    let line = |name: &str| {
        let hash = "0".repeat(64);
        format!("{{\"path\":\"{name}\",\"size\":9,\"modified\":[1,0],\"sha256\":\"{hash}\"}}\n")
    };
    for text in [
        line("docker-compose.yaml"),
        line("new.txt"),
        "{\"path\":\"new folder\"}\n".to_owned(),
        // Cut off in the middle: it never took place.
        line("docker-compose.yaml").trim_end().to_owned(),
    ] {
        write(&journal, &text).unwrap();
        let verified = scene.verify();
        assert_eq!(verified.problem_count, 0, "{text}: {verified:#?}");
        assert_eq!(verified.end, BackupEnd::Incomplete);
    }
    // In the middle of a journal it is a loss like any other.
    write(&journal, line("docker-compose.yaml") + &line("new.txt")).unwrap();
    assert_eq!(
        why(&scene.verify()),
        [("docker-compose.yaml", Obstacle::Damaged)]
    );
    assert_eq!(scene.run().end, BackupEnd::Whole);
    same(&scene);
}
