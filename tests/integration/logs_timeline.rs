//! The stored timeline of a service equals what was written, line by line, whatever happens to the
//! keeper, the engine and the container meanwhile.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use forgekeeper_domain::logs::{LogLine, Marker};
use forgekeeper_keeper::{
    keeper::{Keeper, KeeperOptions},
    logs::archive::{self, Archive, Keeping},
};

use crate::{
    docker_lab::Lab,
    rig::{Place, SECOND, id, service, until},
};

/// Names the place of the keeper that is going to be killed.
const PLACE: &str = "FORGEKEEPER_TEST_KILLED_KEEPER";
/// A line each few milliseconds, in bursts, with what a log may hold.
const WRITER: &str = "i=0; while [ $i -lt 1500 ]; do \
    echo \"$PREFIX $i $(printf '\\033[31mred\\033[0m') <b>é</b>\"; \
    [ $((i % 10)) -eq 0 ] && { echo \"$PREFIX err $i\" >&2; sleep 0.03; }; \
    i=$((i+1)); done; echo \"$PREFIX end\"; sleep 600";

fn place(lab: &Lab, container: &str) -> Place {
    Place::with(&format!(
        "[[host]]\nid = \"lab\"\nengine = \"{}\"\n\n[[service]]\nid = \"myia\"\nkind = \"forge\"\n\
         host = \"lab\"\ncontainer = \"{container}\"\n",
        lab.endpoint
    ))
}

async fn keeper(place: &Path) -> Keeper {
    let options = KeeperOptions {
        secrets_in_memory: true,
        ..KeeperOptions::for_file(forgekeeper_keeper::keeper::Paths {
            config_file: place.join("forgekeeper.toml"),
            data_dir: place.join("keeper"),
        })
    };
    Keeper::start(options).await.expect("a keeper")
}

/// The other process; on its own it does nothing.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "is started by the_timeline_equals_what_was_written, and killed"]
async fn a_keeper_that_is_killed() {
    let Some(place) = std::env::var_os(PLACE) else {
        return;
    };
    let _keeper = keeper(Path::new(&place)).await;
    tokio::time::sleep(60 * SECOND).await;
}

fn start_to_be_killed(place: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this test"))
        .args([
            "--exact",
            "logs_timeline::a_keeper_that_is_killed",
            "--include-ignored",
        ])
        .env(PLACE, place)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("this test again")
}

fn stored(place: &Path) -> Vec<LogLine> {
    archive::newest(&place.join("keeper/logs"), &id("myia"), usize::MAX)
        .expect("a readable timeline")
        .lines
}

async fn stored_at_least(place: &Path, lines: usize) {
    for _ in 0..600 {
        // A file that is being made at this moment has no table yet.
        let now = archive::newest(&place.join("keeper/logs"), &id("myia"), usize::MAX);
        if now.is_ok_and(|now| now.lines.len() >= lines) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("only {} lines were stored", stored(place).len());
}

/// What the engine says was written, per stream; colours are no text.
fn written(lab: &Lab, container: &str) -> [Vec<String>; 2] {
    let output = lab.docker(&["logs", container]);
    assert!(output.status.success());
    [output.stdout, output.stderr].map(|stream| {
        let text = String::from_utf8(stream).expect("text");
        let plain = text.replace("\u{1b}[31m", "").replace("\u{1b}[0m", "");
        plain.lines().map(ToOwned::to_owned).collect()
    })
}

/// The stored lines of a container by their prefix, per stream.
fn kept(lines: &[LogLine], prefix: &str) -> [Vec<String>; 2] {
    use forgekeeper_domain::logs::LogStream::{Stderr, Stdout};
    [Stdout, Stderr].map(|stream| {
        let of = lines
            .iter()
            .filter(|line| line.stream == stream && line.text.starts_with(prefix));
        of.map(|line| line.text.clone()).collect()
    })
}

async fn ends(keeper: &Keeper, place: &Path, prefix: &str) {
    let end = format!("{prefix} end");
    for _ in 0..1200 {
        if stored(place).iter().any(|line| line.text == end) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no end: {:?}", keeper.handle().state().borrow().services);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root and dockerd: an engine of our own is stopped and started"]
async fn the_timeline_equals_what_was_written() {
    let mut lab = Lab::own();
    let name = lab.start("timeline", &["-e", "PREFIX=first"], WRITER);
    let place = place(&lab, &name);
    let folder = place.folder.path();

    // Killed in mid-stream, while more is written.
    let mut killed = start_to_be_killed(folder);
    stored_at_least(folder, 100).await;
    killed.kill().expect("it runs");
    killed.wait().expect("its end");
    let at_the_kill = stored(folder).len();

    // Taken up by the next keeper, from which the engine goes away and comes back.
    let keeper = keeper(folder).await;
    stored_at_least(folder, at_the_kill + 1).await;
    lab.end_daemon();
    lab.start_daemon_again();
    ends(&keeper, folder, "first").await;
    let first = written(&lab, &name);

    // Another container under the same name.
    lab.docker_ok(&["rm", "-f", &name]);
    lab.start("timeline", &["-e", "PREFIX=second"], WRITER);
    ends(&keeper, folder, "second").await;
    let second = written(&lab, &name);

    let handle = keeper.handle();
    until(&handle, "connected", 10 * SECOND, |s| {
        service(s, "myia").is_some_and(|s| s.log.connected)
    })
    .await;
    assert_eq!(keeper.shutdown().await, Vec::<&str>::new());
    let lines = stored(folder);
    assert_eq!(kept(&lines, "first"), first);
    assert_eq!(kept(&lines, "second"), second);
    assert!(
        lines.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq),
        "numbered without a gap"
    );
    let markers: Vec<&Marker> = lines.iter().filter_map(|l| l.marker.as_ref()).collect();
    let recreated = |marker: &&&Marker| matches!(marker, Marker::Recreated { .. });
    let started = |marker: &&&Marker| matches!(marker, Marker::Started { .. });
    let told = (
        markers.iter().filter(recreated).count(),
        markers.iter().filter(started).count(),
    );
    assert_eq!(told, (1, 2), "{markers:?}");
}

/// A disk of a few megabytes.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Self {
        let disk = Self(tempfile::tempdir().expect("a folder"));
        disk.resize("size=1m", &["-t", "tmpfs", "tmpfs"]);
        disk
    }

    fn resize(&self, size: &str, what: &[&str]) {
        let status = Command::new("mount")
            .args(["-o", size])
            .args(what)
            .arg(self.0.path())
            .status();
        assert!(status.expect("mount").success(), "mount {size}");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0.path()).status());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root: a small disk is mounted"]
async fn a_full_disk_is_said_and_what_is_live_goes_on() {
    let disk = SmallDisk::mount();
    let service = id("myia");
    let archive = Archive::open(disk.0.path(), &service, Keeping::default())
        .await
        .expect("a folder")
        .expect("nobody else writes");
    let now = jiff::Timestamp::now();
    // Hardly to be compressed, and far more than fits.
    let line = |n: u64| LogLine {
        text: format!("{:x} {n}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).repeat(8),
        ..Marker::Lost { lines: 0 }.between_lines(now)
    };
    let mut written = 0;
    while archive.kept().lost == 0 {
        archive.add(&LogLine {
            marker: None,
            ..line(written)
        });
        written += 1;
        tokio::time::timeout(10 * SECOND, archive.room())
            .await
            .expect("a full disk holds up nothing");
        assert!(written < 10_000_000, "the disk never was full");
    }
    let kept = archive.kept();
    let said = kept.error.expect("said");
    assert!(said.contains("full"), "{said}");

    // Room again: what comes is stored, and what is missing is said in its place.
    disk.resize("remount,size=64m", &[]);
    archive.add(&LogLine {
        text: "after all".to_owned(),
        marker: None,
        ..line(0)
    });
    for _ in 0..400 {
        if archive.kept().error.is_none() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    archive.close().await;
    let lines = archive::newest(disk.0.path(), &service, usize::MAX)
        .expect("readable")
        .lines;
    assert_eq!(
        lines.last().map(|line| line.text.as_str()),
        Some("after all")
    );
    let lost: u32 = lines
        .iter()
        .filter_map(|line| match line.marker {
            Some(Marker::Lost { lines }) => Some(lines),
            _ => None,
        })
        .sum();
    assert_eq!(lost, kept.lost);
    assert!(lines.windows(2).all(|pair| pair[0].seq < pair[1].seq));
}
