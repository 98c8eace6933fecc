//! Standby and decommissioning over a real engine: what comes back is what went, and it works.

use forgekeeper_domain::{migration::RecordOutcome, outcome::Status};
use forgekeeper_keeper::state::KeeperState;
use serde_json::Value;

use crate::{
    migration_last::{Do, done, skip_all_but},
    rig::{Place, SECOND, holds, until},
    story_engine::StoryEngine,
};

const FORGE: &str = "myia-supervisor-1";

/// What a container is made from, without what each one has of its own.
fn made_from(engine: &StoryEngine) -> Value {
    let told = engine.ok(&["inspect", FORGE]);
    let all: Value = serde_json::from_str(&told).expect("JSON");
    let one = &all[0];
    let mut config = one["Config"].clone();
    // Drawn from its id.
    config["Hostname"] = Value::Null;
    let networks = one["NetworkSettings"]["Networks"].as_object();
    let networks: Vec<&String> = networks.expect("networks").keys().collect();
    serde_json::json!({
        "config": config, "host": one["HostConfig"], "image": one["Image"], "mounts": one["Mounts"],
        "name": one["Name"], "networks": networks,
    })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root, dockerd and FORGEKEEPER_TEST_STANDIN: containers are made on an engine of its own"]
async fn the_old_service_rests_goes_and_comes_back_as_it_was_and_works() {
    let engine = StoryEngine::start();
    engine.run("myia", "0");
    let forge = engine.ok(&["port", FORGE, "17860"]);
    let place = Place::with(&format!(
        "[[host]]\nid = \"lab\"\nengine = \"{}\"\n[[service]]\nid = \"myia\"\nkind = \"forge\"\n\
         host = \"lab\"\ncontainer = \"{FORGE}\"\napi = \"http://{}\"\n",
        engine.endpoint(),
        forge.trim()
    ));
    let folder = place.folder.path();
    std::fs::create_dir(folder.join("models")).expect("a folder");
    std::fs::write(folder.join("models/a.safetensors"), "weights").expect("written");
    let plan = "[target]\nfrom = \"myia\"\nmodels = \"models\"\nstandby_days = 0\n";
    std::fs::write(folder.join("migration.toml"), plan).expect("written");
    let keeper = place.keeper().await;
    let handle = keeper.handle();
    let green = |s: &KeeperState| s.services.len() == 1 && s.services[0].status == Status::Ok;
    until(&handle, "Forge is green", 60 * SECOND, green).await;
    holds("the plan is read", 10 * SECOND, || async {
        handle
            .migration()
            .await
            .expect("a plan")
            .target
            .models
            .is_some()
    })
    .await;
    skip_all_but(&handle, &["standby", "decommission"]).await;
    let before = made_from(&engine);
    let running = || engine.ok(&["ps", "--format", "{{.Names}}"]);
    let there = || engine.ok(&["ps", "-a", "--format", "{{.Names}}"]);
    let well = async |step: &str, what: Do| {
        let word = (step == "decommission" && what == Do::Run).then_some("myia");
        let end = done(&handle, step, what, word).await;
        assert_eq!(end.outcome, RecordOutcome::Done, "{step}: {end:#?}");
    };

    well("standby", Do::Run).await;
    assert_eq!((running().as_str(), there().as_str()), ("", FORGE));
    well("standby", Do::Undo).await;
    assert_eq!(running(), FORGE);
    until(&handle, "it is back", 60 * SECOND, green).await;
    well("standby", Do::Run).await;
    well("standby", Do::Drill).await;
    assert_eq!(running(), "");

    well("decommission", Do::Run).await;
    assert_eq!(there(), "");
    well("decommission", Do::Undo).await;
    assert_eq!((running().as_str(), there().as_str()), ("", FORGE));
    assert_eq!(made_from(&engine), before);
    // It is not only there: it works.
    well("standby", Do::Drill).await;
    assert_eq!(running(), "");
    well("decommission", Do::Run).await;
    assert_eq!(there(), "");
    let models = std::fs::read(folder.join("models/a.safetensors")).expect("still there");
    assert_eq!(models, b"weights");
    assert_eq!(keeper.shutdown().await, [""; 0]);
}
