//! ComfyUI beside Forge over a real engine: what is made there is what compose would have made.

use forgekeeper_domain::{migration::RecordOutcome, outcome::Status};
use forgekeeper_keeper::state::KeeperState;

use crate::{
    migration_beside::{done, free_port},
    rig::{Place, SECOND, holds, until},
    story_engine::StoryEngine,
};

const IMAGE: &str = "forgekeeper-test/comfyui:1";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root, dockerd and FORGEKEEPER_TEST_STANDIN: containers are made on an engine of its own"]
async fn a_real_engine_makes_starts_and_removes_the_target_and_keeps_its_volumes() {
    let engine = StoryEngine::start();
    engine.run("myia", "0");
    engine.import(IMAGE, "comfyui");
    let forge = engine.ok(&["port", "myia-supervisor-1", "17860"]);
    let place = Place::with(&format!(
        "# mine\n[[host]]\nid = \"lab\"\nengine = \"{}\"\n[[service]]\nid = \"myia\"\nkind = \"forge\"\n\
         host = \"lab\"\ncontainer = \"myia-supervisor-1\"\napi = \"http://{}\"\n",
        engine.endpoint(),
        forge.trim()
    ));
    let folder = place.folder.path();
    std::fs::create_dir(folder.join("models")).expect("a folder");
    std::fs::write(folder.join("models/a.safetensors"), "weights").expect("written");
    let plan = format!(
        "[target]\nfrom = \"myia\"\nto = \"comfyui\"\nimage = \"{IMAGE}\"\nport = {}\ngpu = \"none\"\n\
         compose_file = \"compose.yaml\"\nextra_model_paths = \"paths.yaml\"\nmodels = \"models\"\n\
         [[change]]\nid = \"gpu-plan\"\nskip = \"another test\"\n\
         [[change]]\nid = \"disk-space\"\nskip = \"another test\"\n\
         [[change]]\nid = \"target-image\"\nskip = \"another test\"\n",
        free_port()
    );
    std::fs::write(folder.join("migration.toml"), plan).expect("written");
    let keeper = place.keeper().await;
    let handle = keeper.handle();
    let green = |s: &KeeperState| s.services.len() == 1 && s.services[0].status == Status::Ok;
    until(&handle, "Forge is green", 60 * SECOND, green).await;
    holds("the plan is read", 10 * SECOND, || async {
        let view = handle.migration().await.expect("a plan");
        view.target.port.is_some()
    })
    .await;
    for round in 0..2 {
        let end = done(&handle, false).await;
        assert_eq!(end.outcome, RecordOutcome::Done, "round {round}: {end:#?}");
        let label = "{{index .Config.Labels \"com.docker.compose.service\"}}";
        let label = engine.ok(&["inspect", "-f", label, "comfyui-beside"]);
        assert_eq!(label.trim(), "comfyui");
        let mounts = engine.ok(&["inspect", "-f", "{{json .Mounts}}", "comfyui-beside"]);
        let mounts: Vec<serde_json::Value> = serde_json::from_str(&mounts).expect("mounts");
        let of = |target: &str| {
            let found = mounts.iter().find(|mount| mount["Destination"] == target);
            found.unwrap_or_else(|| panic!("{target}: {mounts:#?}"))
        };
        assert_eq!(of("/models")["RW"], false);
        assert_eq!(of("/root/ComfyUI/output")["Type"], "volume");
        let end = done(&handle, true).await;
        assert_eq!(end.outcome, RecordOutcome::Done, "round {round}: {end:#?}");
        let left = engine.ok(&["ps", "-a", "--format", "{{.Names}}"]);
        assert_eq!(left.trim(), "myia-supervisor-1");
        let volumes = engine.ok(&["volume", "ls", "-q"]);
        assert_eq!(volumes.lines().count(), 4, "{volumes}");
        let networks = engine.ok(&["network", "ls", "--format", "{{.Name}}"]);
        assert!(!networks.contains("beside"), "{networks}");
        assert!(!folder.join("compose.yaml").exists());
    }
    let models = std::fs::read(folder.join("models/a.safetensors")).expect("still there");
    assert_eq!(models, b"weights");
    assert_eq!(keeper.shutdown().await, [""; 0]);
}
