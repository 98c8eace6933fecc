//! The configuration guard over a real engine: its archive, its exec, its inspect.

use forgekeeper_domain::config::{ItemState, PartId, Reason, Via};
use forgekeeper_keeper::{
    docker::archive::Archived,
    keeper::{Keeper, KeeperOptions},
};

use crate::{
    docker_lab::Lab,
    rig::{Place, SECOND, id, until},
};

const FILES: &str = r#"
mkdir -p /opt/stable-diffusion-webui-forge/extensions/ext/.git/refs/heads /data
cd /opt/stable-diffusion-webui-forge
echo import > launch.py
echo '{"jpeg_quality": 80}' > /data/config.json
ln -s /data/config.json config.json
ln -s loop-b loop-a
ln -s loop-a loop-b
ln -s ../../../../../../../../etc/passwd outside
echo 'ref: refs/heads/main' > extensions/ext/.git/HEAD
echo 4802faca6bcc40c4d1033920e8ad9fd7542eca79 > extensions/ext/.git/refs/heads/main
echo ready > /data/ready
exec sleep 600
"#;

#[tokio::test]
#[ignore = "needs a Docker Engine: FORGEKEEPER_TEST_DOCKER"]
async fn a_snapshot_of_a_real_container_comes_through_the_engines_archive() {
    let lab = Lab::given();
    let name = lab.start("guarded", &["-e", "WEB_PASSWORD=geheim"], FILES);
    let engine = lab.engine().await;
    let read = async |path: &str, max| {
        engine
            .read_file(&name, path, max, 10 * SECOND)
            .await
            .expect("an answer")
    };
    let begun = std::time::Instant::now();
    while read("/data/ready", 100).await == Archived::Absent {
        assert!(begun.elapsed() < 10 * SECOND);
        tokio::time::sleep(SECOND / 10).await;
    }
    let root = "/opt/stable-diffusion-webui-forge";
    assert_eq!(
        read(&format!("{root}/nothing"), 100).await,
        Archived::Absent
    );
    assert_eq!(read(root, 100).await, Archived::Folder);
    assert_eq!(read("/bin/busybox", 1000).await, Archived::TooLarge);
    // The engine itself follows links in a circle, and gives up with words of its own.
    let circle = format!("{root}/loop-a");
    let circle = engine.read_file(&name, &circle, 100, 10 * SECOND).await;
    assert!(
        !matches!(circle, Ok(Archived::File(_) | Archived::Absent)),
        "{circle:?}"
    );
    // Inside the container there is none: the link leads there and not to this machine's.
    assert_eq!(
        read(&format!("{root}/outside"), 100_000).await,
        Archived::Absent
    );
    let Archived::File(file) = read(&format!("{root}/config.json"), 1000).await else {
        panic!("no file");
    };
    assert_eq!(file.path, "/data/config.json");
    assert_eq!(file.bytes, b"{\"jpeg_quality\": 80}\n");
    assert!(file.modified_at.is_some());

    let place = Place::with(&format!(
        "[[host]]\nid = \"lab\"\nengine = \"{}\"\n[[service]]\nid = \"guarded\"\nkind = \"forge\"\n\
         host = \"lab\"\ncontainer = \"{name}\"\n",
        lab.endpoint
    ));
    let options = KeeperOptions {
        secrets_in_memory: true,
        ..KeeperOptions::for_file(place.paths())
    };
    let keeper = Keeper::start(options).await.expect("a keeper");
    let handle = keeper.handle();
    let there = |state: &forgekeeper_keeper::state::KeeperState| {
        state
            .services
            .iter()
            .any(|service| service.container.is_some())
    };
    until(&handle, "the container is seen", 10 * SECOND, there).await;
    let before = handle
        .take_snapshot(&id("guarded"), Reason::OnDemand)
        .await
        .expect("a snapshot");
    let state = |part: PartId| {
        let item = before.snapshot.items.iter().find(|item| item.part == part);
        item.expect("an item").state.clone()
    };
    let ItemState::Kept(config) = state(PartId::ForgeConfig) else {
        panic!("{before:#?}");
    };
    assert_eq!((config.via, config.bytes), (Via::Container, 21));
    assert_eq!(state(PartId::ForgeUiConfig), ItemState::Absent);
    assert!(
        matches!(state(PartId::ForgeExtensions), ItemState::Kept(_)),
        "{before:#?}"
    );
    assert!(matches!(state(PartId::Environment), ItemState::InMemory(_)));
    assert!(
        handle
            .verify_snapshot(&before.id)
            .await
            .expect("a check")
            .whole
    );

    lab.docker_ok(&[
        "exec",
        &name,
        "sh",
        "-c",
        "echo '{\"jpeg_quality\": 90}' > /data/config.json",
    ]);
    let after = handle
        .take_snapshot(&id("guarded"), Reason::OnDemand)
        .await
        .expect("a snapshot");
    let drift = handle
        .config_drift(&before.id, &after.id)
        .await
        .expect("a comparison");
    let changed: Vec<PartId> = drift
        .parts
        .iter()
        .filter(|p| p.changed())
        .map(|p| p.part)
        .collect();
    assert_eq!(changed, [PartId::ForgeConfig], "{drift:#?}");
    assert_eq!(drift.parts.iter().flat_map(|p| &p.changes).count(), 1);
    // A stopped container gives its files, too; what has to be asked inside is said not to be known.
    lab.docker_ok(&["stop", "-t", "0", &name]);
    let stopped = handle
        .take_snapshot(&id("guarded"), Reason::OnDemand)
        .await
        .expect("a snapshot");
    let missed: Vec<PartId> = stopped.snapshot.missed().map(|item| item.part).collect();
    assert_eq!(missed, [PartId::ForgeExtensions]);
    assert_eq!(keeper.shutdown().await, [""; 0]);
}

const IN_WORKSPACE: &str = r#"
mkdir -p /workspace/stable-diffusion-webui-forge
cd /workspace/stable-diffusion-webui-forge
echo import > launch.py
echo '{"a": 1}' > config.json
ln -s /etc/only-here ui-config.json
ln -s /workspace/real.csv styles.csv
echo name > /workspace/real.csv
mkdir -p /etc
echo '{"inside": true}' > /etc/only-here
echo ready > /workspace/ready
exec sleep 600
"#;

#[tokio::test]
#[ignore = "needs a Docker Engine: FORGEKEEPER_TEST_DOCKER"]
async fn a_workspace_that_is_reached_is_read_here_and_only_while_it_is_the_one_that_is_mounted() {
    let lab = Lab::given();
    let place = Place::new();
    let mounted = place.folder.path().join("mounted");
    let other = place.folder.path().join("other");
    for folder in [&mounted, &other] {
        std::fs::create_dir(folder).expect("a folder");
    }
    let bind = format!("{}:/workspace", mounted.display());
    let name = lab.start("mounted", &["-v", &bind], IN_WORKSPACE);
    let begun = std::time::Instant::now();
    while !mounted.join("ready").exists() {
        assert!(begun.elapsed() < 10 * SECOND);
        tokio::time::sleep(SECOND / 10).await;
    }
    for (workspace, via) in [(&mounted, Via::Local), (&other, Via::Container)] {
        place.write(format!(
            "[[host]]\nid = \"lab\"\nengine = \"{}\"\n[[service]]\nid = \"guarded\"\n\
             kind = \"forge\"\nhost = \"lab\"\ncontainer = \"{name}\"\nworkspace = \"{}\"\n",
            lab.endpoint,
            workspace.display()
        ));
        let keeper = place.keeper().await;
        let handle = keeper.handle();
        let there = |state: &forgekeeper_keeper::state::KeeperState| {
            let mut services = state.services.iter();
            services.any(|service| service.container.is_some())
        };
        until(&handle, "the container is seen", 10 * SECOND, there).await;
        let taken = handle.take_snapshot(&id("guarded"), Reason::OnDemand).await;
        let taken = taken.expect("a snapshot").snapshot;
        let of = |part: PartId| {
            let item = taken.items.iter().find(|item| item.part == part);
            let state = &item.expect("an item").state;
            state.content().map(|content| (content.via, content.bytes))
        };
        assert_eq!(of(PartId::ForgeConfig), Some((via, 9)));
        assert_eq!(of(PartId::ForgeStyles), Some((via, 5)));
        // It leads out of the workspace: into the container, and never into this machine.
        assert_eq!(of(PartId::ForgeUiConfig), Some((Via::Container, 17)));
        assert_eq!(keeper.shutdown().await, [""; 0]);
    }
}
