//! The backup through the command line: killed at any moment and continued, with its codes and its words.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};

use crate::rig::{Place, Ran, end_of_child};

const OURS: &str = ".forgekeeper-backup";

struct Scene {
    place: Place,
    source: PathBuf,
    target: PathBuf,
}

impl Scene {
    fn new(more: &str) -> Self {
        let place = Place::new();
        let source = place.folder.path().join("source");
        let target = place.folder.path().join("target");
        fs::create_dir(&source).expect("a source");
        place.write(format!(
            "[backup]\nsource = '{}'\ntarget = '{}'\n{more}\n",
            source.display(),
            target.display()
        ));
        Self {
            place,
            source,
            target,
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.source.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, bytes).expect("written");
    }

    async fn ran(&self, arguments: &[&str]) -> Ran {
        let mut all = vec!["--json", "backup"];
        all.extend(arguments);
        self.place.ctl(&all).await
    }
}

/// Every file below a folder but ours.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.ends_with(OURS) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below").to_owned();
                found.insert(name, fs::read(&path).expect("read"));
            }
        }
    }
    found
}

fn end(ran: &Ran) -> Value {
    let last = ran.lines().pop().expect("a line");
    assert_eq!(last["event"], "end", "{ran:#?}");
    last["record"].clone()
}

/// Numbers that nobody foresees, from the clock: the moment of a kill is meant to differ from run to run.
fn dice(sides: u64) -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanos = since.expect("after 1970").subsec_nanos();
    u64::from(nanos / 7) % sides
}

/// Length of a file of this scene: each is of one byte, again and again, so that half of one round and half of
/// another would be seen.
fn length(name: &Path) -> usize {
    let digits: String = name.display().to_string();
    let number = digits.bytes().map(usize::from).sum::<usize>();
    20_000 * (number % 7 + 1)
}

async fn killed_at_random(more: &str) {
    let scene = Scene::new(more);
    let journal = scene.target.join(OURS).join("unfinished.jsonl");
    let mut kills = 0;
    for round in 0..15_u8 {
        for number in 0..120 {
            // Some are new in each round, some only now and then.
            if number % (usize::from(round) + 1) == 0 {
                let name = format!("f{}/{number}.bin", number % 9);
                scene.put(&name, &vec![round; length(Path::new(&name))]);
            }
        }
        let model = "model.safetensors";
        scene.put(model, &vec![round; length(Path::new(model)) * 100]);
        let mut command = scene.place.command(&["--json", "backup", "run"]);
        let mut child = command.spawn().expect("forgekeeperctl starts");
        while !journal.exists() && child.try_wait().expect("a state").is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // From its first file until after its end, on whatever machine.
        tokio::time::sleep(Duration::from_millis(dice(600))).await;
        let _ = child.start_kill();
        let ran = end_of_child(child).await;
        kills += u32::from(ran.code.is_none());
        if !scene.target.exists() {
            continue;
        }
        // Whatever lies under its name is whole.
        for (name, bytes) in files(&scene.target) {
            // Below the folder of its run, of a dated backup.
            let first = name.iter().next().unwrap_or_default().to_string_lossy();
            let of_run = first == "unfinished" || first.starts_with("20");
            let name: PathBuf = name.iter().skip(usize::from(of_run)).collect();
            let times = if name == Path::new(model) { 100 } else { 1 };
            assert_eq!(bytes.len(), length(&name) * times, "{name:?}");
            assert!(bytes.iter().all(|byte| *byte == bytes[0]), "{name:?}");
        }
    }
    assert!(kills > 0, "none was killed in time");
    let last = scene.ran(&["run"]).await.ends_with(0);
    let record = end(&last);
    assert_eq!(
        (&record["end"], &record["held"]["files"]),
        (&json!("whole"), &json!(121))
    );
    let root = match record["folder"].as_str() {
        Some(folder) => scene.target.join(folder),
        None => scene.target.clone(),
    };
    assert_eq!(files(&root), files(&scene.source));
    let left: Vec<_> = fs::read_dir(scene.target.join(OURS))
        .expect("ours")
        .map(|entry| entry.expect("an entry").file_name())
        .filter(|name| name.to_string_lossy().contains("partial") || name == "unfinished.jsonl")
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(!scene.target.join("unfinished").exists());
    let verified = scene.ran(&["verify"]).await.ends_with(0);
    assert_eq!(end(&verified)["held"]["files"], 121);
}

#[tokio::test]
async fn a_mirror_killed_at_any_moment_is_continued() {
    killed_at_random("").await;
}

#[tokio::test]
async fn a_dated_backup_killed_at_any_moment_is_continued() {
    killed_at_random("mode = \"dated\"\nkeep = 3").await;
}

#[tokio::test]
async fn the_codes_tell_whole_incomplete_wrong_and_unknown() {
    let scene = Scene::new("");
    scene.put("a.txt", b"one");
    let status = scene.ran(&["status"]).await.ends_with(3).json();
    assert_eq!(
        (&status["last"], &status["settings"]["mode"]),
        (&Value::Null, &json!("mirror"))
    );
    scene.ran(&["verify"]).await.ends_with(3);
    let plan = scene.ran(&["plan"]).await.ends_with(0).json();
    assert_eq!(
        (&plan["copy"]["files"], &plan["disks"]),
        (&json!(1), &json!("same_volume"))
    );
    assert!(!scene.target.exists());
    let run = end(&scene.ran(&["run"]).await.ends_with(0));
    assert_eq!(run["copied"], json!({ "files": 1, "bytes": 3 }));
    let status = scene.ran(&["status"]).await.ends_with(0).json();
    assert_eq!(status["last"], run);
    assert_eq!(status["last_whole"], run);
    // A byte that turned on the disk.
    fs::write(scene.target.join("a.txt"), "onf").expect("written");
    let verified = end(&scene.ran(&["verify"]).await.ends_with(1));
    assert_eq!(verified["problems"][0]["why"], "damaged");
    // In somebody else's place.
    scene.put("b.txt", b"ours");
    fs::write(scene.target.join("b.txt"), "theirs").expect("written");
    let run = end(&scene.ran(&["run"]).await.ends_with(1));
    assert_eq!(run["problems"][0]["why"], "in_the_way");
    assert_eq!(
        fs::read(scene.target.join("b.txt")).ok().as_deref(),
        Some(&b"theirs"[..])
    );
    scene.ran(&["status"]).await.ends_with(1);
    // Wrong use.
    let inside = scene.source.join("backup").display().to_string();
    scene.ran(&["run", "--target", &inside]).await.ends_with(2);
    scene
        .ran(&["plan", "--target", "relative"])
        .await
        .ends_with(2);
    scene.ran(&["run", "--mode", "copy"]).await.ends_with(2);
    let long = scene.place.folder.path().join("n".repeat(300));
    let refused = scene
        .ran(&["run", "--target", &long.display().to_string()])
        .await;
    assert!(refused.ends_with(1).stderr.contains("too long"));
    let home = scene.place.folder.path().display().to_string();
    scene.ran(&["run", "--source", &home]).await.ends_with(2);
    // Somebody's photos.
    let photos = scene.place.folder.path().join("photos");
    fs::create_dir(&photos).expect("made");
    fs::write(photos.join("1.jpg"), "x").expect("written");
    let refused = scene
        .ran(&["run", "--target", &photos.display().to_string()])
        .await;
    assert!(refused.ends_with(1).stderr.contains("not empty"));
    assert_eq!(files(&photos).len(), 1);
    // Nothing is set.
    scene.place.write("# nothing\n");
    let missing = scene.ran(&["run"]).await.ends_with(2);
    assert!(missing.stderr.contains("[backup]"));
}

#[tokio::test]
async fn two_at_once_do_not_disturb_each_other() {
    let scene = Scene::new("");
    for number in 0..200 {
        scene.put(&format!("{number}.bin"), &vec![1; 60_000]);
    }
    let start = || {
        let mut command = scene.place.command(&["--json", "backup", "run"]);
        command.spawn().expect("forgekeeperctl starts")
    };
    let (one, other) = tokio::join!(end_of_child(start()), end_of_child(start()));
    // One after the other, or one of them refused.
    for ran in [&one, &other] {
        let record = end(ran);
        let refused = record["error"]["code"] == "refused" && ran.code == Some(1);
        assert!(refused || record["end"] == "whole", "{ran:#?}");
    }
    assert!(one.code == Some(0) || other.code == Some(0));
    scene.ran(&["verify"]).await.ends_with(0);
    assert_eq!(files(&scene.target), files(&scene.source));
}

#[tokio::test]
async fn asked_to_end_it_ends_in_order() {
    let scene = Scene::new("");
    scene.put("large.bin", &vec![3; 24 * 1024 * 1024]);
    let mut command = scene.place.command(&["--json", "backup", "run"]);
    let child = command.spawn().expect("forgekeeperctl starts");
    let partial = scene.target.join(OURS).join("next.partial");
    while !partial.exists() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    crate::rig::interrupt(&child);
    let ran = end_of_child(child).await.ends_with(1);
    assert_eq!(end(&ran)["end"], "cancelled");
    assert!(!partial.exists());
    assert_eq!(files(&scene.target).len(), 0);
    scene.ran(&["run"]).await.ends_with(0);
}
