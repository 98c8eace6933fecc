//! Configuration put back over a real engine: through its archive into a container that runs, and one
//! that rests, and into a mounted folder of this machine. Bytes, mode and owner.

use std::path::Path;

use forgekeeper_domain::{
    action::RestartTarget,
    config::{Deed, PartId, Reason, RestoreScope},
    job::{Job, JobPhase},
};
use forgekeeper_keeper::{
    docker::archive::Archived,
    keeper::{Keeper, KeeperHandle, SnapshotView},
};

use crate::{
    docker_lab::Lab,
    rig::{Place, SECOND, id, until},
};

/// A start leaves what is there.
const FILES: &str = r#"
mkdir -p /workspace/stable-diffusion-webui-forge
cd /workspace/stable-diffusion-webui-forge
if [ ! -e launch.py ]; then
  echo import > launch.py
  echo '{"jpeg_quality": 80, "name": "a"}' > config.json
  chmod 640 config.json
  chown 1000:1001 config.json launch.py
  printf 'name\r\n' > styles.csv
fi
echo ready > /workspace/ready
exec sleep 600
"#;
const FOLDER: &str = "/workspace/stable-diffusion-webui-forge";

async fn keeper(place: &Place, lab: &Lab, name: &str, workspace: Option<&Path>) -> Keeper {
    let workspace = workspace.map(|path| format!("workspace = \"{}\"\n", path.display()));
    place.write(format!(
        "[[host]]\nid = \"lab\"\nengine = \"{}\"\n[[service]]\nid = \"kept\"\nkind = \"forge\"\n\
         host = \"lab\"\ncontainer = \"{name}\"\n{}",
        lab.endpoint,
        workspace.unwrap_or_default()
    ));
    let keeper = place.keeper().await;
    let there = |state: &forgekeeper_keeper::state::KeeperState| {
        let mut services = state.services.iter();
        services.any(|service| service.container.is_some())
    };
    until(
        &keeper.handle(),
        "the container is seen",
        10 * SECOND,
        there,
    )
    .await;
    keeper
}

async fn take(handle: &KeeperHandle) -> SnapshotView {
    let taken = handle.take_snapshot(&id("kept"), Reason::OnDemand).await;
    taken.expect("a snapshot")
}

/// Everything back, to its end; what was stopped for it and the deeds.
async fn restore(handle: &KeeperHandle, from: &SnapshotView) -> (Job, Vec<(PartId, Deed)>) {
    let scope = RestoreScope::All;
    let view = handle.restore_plan(&from.id, &scope).await.expect("a plan");
    let deeds = view.plan.files.iter().map(|f| (f.part, f.deed)).collect();
    let job = handle.restore(&from.id, &scope, &view.token, false).await;
    let ended = handle.wait(&job.expect("begun")).await.expect("its end");
    assert_eq!(ended.phase, JobPhase::Succeeded, "{view:#?} {ended:#?}");
    (ended, deeds)
}

fn stopped(job: &Job) -> Option<RestartTarget> {
    job.restored.as_ref().expect("a report").stopped
}

#[tokio::test]
#[ignore = "needs a Docker Engine: FORGEKEEPER_TEST_DOCKER"]
async fn a_file_goes_back_through_the_engines_archive_with_mode_and_owner() {
    let lab = Lab::given();
    let name = lab.start("restored", &[], FILES);
    let engine = lab.engine().await;
    let read = async |file: &str| {
        let path = format!("{FOLDER}/{file}");
        match engine.read_file(&name, &path, 1000, 10 * SECOND).await {
            Ok(Archived::File(file)) => Some((file.bytes, file.mode, file.owner)),
            Ok(Archived::Absent) => None,
            other => panic!("{other:?}"),
        }
    };
    let inside = |command: &str| lab.docker_ok(&["exec", &name, "sh", "-c", command]);
    let begun = std::time::Instant::now();
    while read("styles.csv").await.is_none() {
        assert!(begun.elapsed() < 10 * SECOND);
        tokio::time::sleep(SECOND / 10).await;
    }
    let place = Place::new();
    let keeper = keeper(&place, &lab, &name, None).await;
    let handle = keeper.handle();
    let good = take(&handle).await;
    let first = read("config.json").await.expect("settings");
    assert_eq!((first.1, first.2), (0o640, (1000, 1001)));

    // Without supervisor it is the container that has to stop.
    inside(&format!(
        "cd {FOLDER}; echo '{{\"a\": 1}}' > config.json; rm styles.csv"
    ));
    let changed = read("config.json").await;
    let (job, deeds) = restore(&handle, &good).await;
    assert_eq!(stopped(&job), Some(RestartTarget::Container));
    assert_eq!(
        deeds,
        [
            (PartId::ForgeConfig, Deed::Replace),
            (PartId::ForgeStyles, Deed::Create)
        ]
    );
    assert_eq!(read("config.json").await, Some(first.clone()));
    let styles = read("styles.csv").await.expect("styles");
    assert_eq!(
        (styles.0.as_slice(), styles.2),
        (&b"name\r\n"[..], (1000, 1001))
    );
    let container = engine.inspect(&name).await.expect("an answer").expect("it");
    assert_eq!(
        container.state,
        forgekeeper_domain::container::RunState::Running
    );

    // One that rests is written, too, and goes on resting.
    inside(&format!("cd {FOLDER}; echo '{{\"b\": 2}}' > config.json"));
    lab.docker_ok(&["stop", "-t", "0", &name]);
    let rests = |state: &forgekeeper_keeper::state::KeeperState| {
        let mut services = state.services.iter();
        services.any(|s| {
            let state = s.container.as_ref().map(|c| c.state);
            state == Some(forgekeeper_domain::container::RunState::Exited)
        })
    };
    until(&handle, "the end is seen", 10 * SECOND, rests).await;
    let (job, _) = restore(&handle, &good).await;
    assert_eq!(stopped(&job), None);
    assert_eq!(read("config.json").await, Some(first));
    let view = handle.restore_undo_plan(&id("kept")).await.expect("a plan");
    let undo = handle.restore_undo(&id("kept"), &view.token, false).await;
    let undone = handle.wait(&undo.expect("begun")).await.expect("its end");
    assert_eq!(undone.phase, JobPhase::Succeeded, "{undone:#?}");
    let now = read("config.json").await.expect("settings").0;
    assert_eq!(now, b"{\"b\": 2}\n");
    assert_ne!(Some(now), changed.map(|c| c.0));
    assert_eq!(keeper.shutdown().await, [""; 0]);
}

#[tokio::test]
#[ignore = "needs a Docker Engine: FORGEKEEPER_TEST_DOCKER"]
async fn a_mounted_workspace_is_written_here_and_the_container_sees_it() {
    use std::os::unix::fs::MetadataExt as _;
    let lab = Lab::given();
    let place = Place::new();
    let mounted = place.folder.path().join("mounted");
    std::fs::create_dir(&mounted).expect("a folder");
    let bind = format!("{}:/workspace", mounted.display());
    let name = lab.start("restored-here", &["-v", &bind], FILES);
    let begun = std::time::Instant::now();
    while !mounted.join("ready").exists() {
        assert!(begun.elapsed() < 10 * SECOND);
        tokio::time::sleep(SECOND / 10).await;
    }
    let keeper = keeper(&place, &lab, &name, Some(&mounted)).await;
    let handle = keeper.handle();
    let good = take(&handle).await;
    let forge = mounted.join("stable-diffusion-webui-forge");
    let config = forge.join("config.json");
    let first = std::fs::read(&config).expect("settings");
    let node = std::fs::metadata(&config).expect("it").ino();
    std::fs::write(&config, "{\"jpeg_quality\"").expect("half written");
    std::fs::remove_file(forge.join("styles.csv")).expect("gone");
    let (job, _) = restore(&handle, &good).await;
    assert_eq!(stopped(&job), Some(RestartTarget::Container));
    assert_eq!(std::fs::read(&config).expect("settings"), first);
    let about = std::fs::metadata(&config).expect("it");
    assert_ne!(
        about.ino(),
        node,
        "a new file in its place, not half of one"
    );
    assert_eq!(
        (about.mode() & 0o777, about.uid(), about.gid()),
        (0o640, 1000, 1001)
    );
    let names: Vec<_> = std::fs::read_dir(&forge).expect("a folder").collect();
    assert_eq!(names.len(), 3, "{names:?}");
    let view = handle.restore_undo_plan(&id("kept")).await.expect("a plan");
    let undo = handle.restore_undo(&id("kept"), &view.token, false).await;
    let undone = handle.wait(&undo.expect("begun")).await.expect("its end");
    assert_eq!(undone.phase, JobPhase::Succeeded, "{undone:#?}");
    assert_eq!(
        std::fs::read(&config).expect("settings"),
        b"{\"jpeg_quality\""
    );
    assert!(
        !forge.join("styles.csv").exists(),
        "it was not there before"
    );
    assert_eq!(keeper.shutdown().await, [""; 0]);
}
