//! The last steps: the days of stability, the standby with its drill, the decommissioning.

use std::{collections::BTreeMap, path::Path, time::SystemTime};

use forgekeeper_domain::{
    cause::Cause,
    error::ErrorCode,
    ids::StepId,
    ladder::Rung,
    migration::{Found, PlanEdit, RecordAction, RecordOutcome, StepState},
    outcome::Status,
};
use forgekeeper_keeper::{
    event::KeeperEvent,
    keeper::{Keeper, KeeperHandle, KeeperOptions, Paths},
    migration::{StepEnd, StepLook},
    state::KeeperState,
};
use forgekeeper_standin::{DemoSite, Fault};
use tokio::sync::broadcast;

use crate::rig::{Place, SECOND, service, site, until};

const FORGE: &str = "myia-supervisor-1";
const LAST: [&str; 3] = ["stability", "standby", "decommission"];

fn step(text: &str) -> StepId {
    StepId::new(text.to_owned()).expect("an id")
}

struct World {
    site: DemoSite,
    place: Place,
}

impl World {
    /// A demo host whose plan asks for so many days of each, everything else left out.
    async fn new(days: u16, more: &str) -> Self {
        let site = site(40.0).await;
        let place = Place::with(&site.config_toml());
        let plan = format!(
            "[target]\nfrom = \"myia\"\nto = \"comfyui\"\nmodels = '{}'\nstability_days = {days}\n\
             standby_days = {days}\n{more}",
            site.shelf().models("myia").display()
        );
        std::fs::write(place.folder.path().join("migration.toml"), plan).expect("written");
        Self { site, place }
    }

    /// Over the history that the command line keeps, too.
    async fn keeper(&self) -> Keeper {
        let options = KeeperOptions {
            secrets_in_memory: true,
            ..KeeperOptions::for_file(Paths {
                config_file: self.place.config(),
                data_dir: self.place.folder.path().join("cli"),
            })
        };
        let keeper = Keeper::start(options).await.expect("a keeper");
        let seen = |s: &KeeperState| {
            s.services.len() == 3
                && service(s, "comfyui").is_some_and(|s| s.status == Status::Ok)
                && s.services.iter().all(|s| s.status != Status::Unknown)
        };
        until(&keeper.handle(), "everything is seen", 30 * SECOND, seen).await;
        keeper
    }

    fn runs(&self) -> bool {
        let found = self.site.site().engine().find(FORGE);
        found.is_some_and(|container| container.running())
    }

    fn is_there(&self) -> bool {
        self.site.site().engine().find(FORGE).is_some()
    }

    /// Size and time of each model.
    fn models(&self) -> BTreeMap<String, (u64, SystemTime)> {
        let mut found = BTreeMap::new();
        marked(&self.site.shelf().models("myia"), &mut found);
        found
    }
}

fn marked(folder: &Path, found: &mut BTreeMap<String, (u64, SystemTime)>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let about = std::fs::symlink_metadata(entry.path()).expect("a file");
        if about.is_dir() {
            marked(&entry.path(), found);
        } else {
            let name = entry.path().display().to_string();
            found.insert(name, (about.len(), about.modified().expect("a time")));
        }
    }
}

/// Everything before the last steps, left out.
async fn skip_the_rest(handle: &KeeperHandle) {
    skip_all_but(handle, &LAST).await;
}

/// Every step but these, left out.
pub async fn skip_all_but(handle: &KeeperHandle, these: &[&str]) {
    let view = handle.migration().await.expect("a plan");
    let steps = view.phases.iter().flat_map(|phase| &phase.steps);
    for step in steps.filter(|step| !these.contains(&step.id.as_str())) {
        let skip = PlanEdit::Skip(step.id.clone(), Some("another test".to_owned()));
        handle.migration_edit(skip).await.expect("skipped");
    }
}

#[derive(Clone, Copy, PartialEq)]
pub enum Do {
    Run,
    Undo,
    Drill,
}

pub async fn done(handle: &KeeperHandle, name: &str, what: Do, confirm: Option<&str>) -> StepEnd {
    let id = step(name);
    let begun = match what {
        Do::Run => handle.migration_run(&id, confirm).await,
        Do::Undo => handle.migration_undo(&id, confirm).await,
        Do::Drill => handle.migration_drill(&id).await,
    };
    begun.expect("it begins");
    let end = tokio::time::timeout(60 * SECOND, handle.migration_wait(&id)).await;
    end.expect("in time").expect("its end")
}

#[track_caller]
fn well(end: &StepEnd, found: Option<Found>) {
    assert_eq!(end.outcome, RecordOutcome::Done, "{end:#?}");
    assert_eq!(
        end.look.as_ref().map(|l| l.finding.found),
        found,
        "{end:#?}"
    );
}

async fn look(handle: &KeeperHandle, name: &str) -> StepLook {
    handle.migration_check(&step(name)).await.expect("a look")
}

fn value(look: &StepLook, name: &str) -> Option<String> {
    let found = look.finding.evidence.iter().find(|e| e.name == name);
    found.map(|evidence| evidence.value.clone())
}

#[tokio::test]
async fn days_are_not_up_yet_and_a_stop_counts_against_them() {
    let world = World::new(1, "").await;
    let keeper = world.keeper().await;
    let handle = keeper.handle();
    let before = look(&handle, "stability").await;
    assert_eq!(
        before.finding.found,
        Found::Unknown,
        "nothing is carried yet"
    );
    skip_the_rest(&handle).await;
    let early = look(&handle, "stability").await;
    assert_eq!(early.finding.found, Found::Unknown, "{early:#?}");
    assert!(
        early.finding.says[0].en.starts_with("Not yet"),
        "{early:#?}"
    );
    assert_eq!(value(&early, "days_needed").as_deref(), Some("1"));

    world
        .site
        .inject(Fault::ContainerOom, Some("comfyui"))
        .expect("a fault");
    let failing = |s: &KeeperState| {
        service(s, "comfyui").is_some_and(|s| s.status == Status::Failing)
            && s.incidents
                .iter()
                .any(|i| i.cause.code().starts_with("container."))
    };
    until(&handle, "it is stopped", 20 * SECOND, failing).await;
    crate::rig::holds("the incident is written", 10 * SECOND, || async {
        let look = look(&handle, "stability").await;
        look.finding.found == Found::Failed
            && value(&look, "incidents_that_stopped_it").as_deref() == Some("1")
    })
    .await;
    keeper.shutdown().await;
    world.site.shutdown().await;
}

/// That what rests is down is no incident, and none is made of it: said as planned, never as well.
async fn as_planned(handle: &KeeperHandle, events: &mut broadcast::Receiver<KeeperEvent>) {
    let rests = |state: &KeeperState| {
        let service = service(state, "myia").expect("it is known");
        let container = service.ladder.outcome(Rung::Container).expect("a rung");
        service.acting.is_none()
            && service.status == Status::NotConfigured
            && container.cause == Some(Cause::Resting)
            && container.checked_at.is_some()
    };
    until(handle, "at rest as planned", 30 * SECOND, rests).await;
    tokio::time::sleep(3 * SECOND).await;
    let state = handle.state().borrow().clone();
    assert_eq!(crate::rig::causes(&state), [""; 0]);
    while let Ok(event) = events.try_recv() {
        let told = matches!(event, KeeperEvent::IncidentOpened(_));
        assert!(!told, "{event:?}");
    }
}

#[tokio::test]
async fn the_old_service_stands_by_is_tried_and_comes_back() {
    let world = World::new(0, "").await;
    let keeper = world.keeper().await;
    let handle = keeper.handle();
    let mut events = handle.events();
    skip_the_rest(&handle).await;
    let early = handle.migration_drill(&step("standby")).await;
    assert_eq!(early.map_err(|e| e.code), Err(ErrorCode::Refused));
    for round in 0..2 {
        let preview = handle.migration_preview(&step("standby"), false).await;
        let preview = preview.expect("a preview");
        assert_eq!(preview.refused, [], "round {round}");
        assert!(preview.undo.is_some() && world.runs());
        well(
            &done(&handle, "standby", Do::Run, None).await,
            Some(Found::Unknown),
        );
        assert!(world.is_there() && !world.runs(), "at rest, and kept");
        as_planned(&handle, &mut events).await;
        let drill = done(&handle, "standby", Do::Drill, None).await;
        well(&drill, Some(Found::Proved));
        assert!(!world.runs(), "at rest again");
        as_planned(&handle, &mut events).await;
        let look = look(&handle, "standby").await;
        assert_eq!(value(&look, "last_drill_passed").as_deref(), Some("true"));
        assert!(
            look.finding.says[0].en.contains("`standby_days`"),
            "{look:#?}"
        );
        let ms: u64 = value(&look, "drill_picture_ms")
            .expect("timed")
            .parse()
            .expect("ms");
        assert!(ms > 0);
        if round == 0 {
            well(&done(&handle, "standby", Do::Undo, None).await, None);
            assert!(world.runs(), "it came back");
            let well = |s: &KeeperState| service(s, "myia").is_some_and(|s| s.status == Status::Ok);
            until(&handle, "it is watched again", 60 * SECOND, well).await;
        }
    }
    // Another program takes it back: what breaks afterwards is broken, and not at rest.
    let undo = ["migration", "undo", "standby", "--yes"];
    world.place.ctl(&undo).await.ends_with(0);
    let well = |s: &KeeperState| service(s, "myia").is_some_and(|s| s.status == Status::Ok);
    until(&handle, "it is watched again", 60 * SECOND, well).await;
    tokio::time::sleep(5 * SECOND).await;
    let forge = world.site.site().engine().find(FORGE).expect("it is there");
    let url = world.site.engine_url().replace("tcp://", "http://");
    let stop = format!("{url}/containers/{}/stop", forge.id());
    crate::rig::post(&stop, "").await;
    let broken = |s: &KeeperState| crate::rig::causes(s).contains(&"container.exited");
    until(&handle, "an incident", 30 * SECOND, broken).await;
    let record = handle.migration_record(100).await.expect("a record");
    let drills = record.iter().filter(|entry| {
        entry.action == RecordAction::Drill && entry.outcome == RecordOutcome::Done
    });
    assert_eq!(drills.count(), 2);
    keeper.shutdown().await;
    world.site.shutdown().await;
}

#[tokio::test]
async fn a_drill_killed_in_the_middle_leaves_the_old_service_at_rest() {
    let world = World::new(0, "").await;
    let keeper = world.keeper().await;
    let handle = keeper.handle();
    skip_the_rest(&handle).await;
    well(
        &done(&handle, "standby", Do::Run, None).await,
        Some(Found::Unknown),
    );
    keeper.shutdown().await;
    let mut child = world
        .place
        .command(&["migration", "drill", "standby", "--yes"])
        .spawn()
        .expect("it starts");
    crate::rig::holds("the drill has started it", 60 * SECOND, || async {
        world.runs()
    })
    .await;
    child.start_kill().expect("killed");
    child.wait().await.expect("its end");
    assert!(world.runs(), "killed in the middle");

    let keeper = world.keeper().await;
    let handle = keeper.handle();
    crate::rig::holds("it is put to rest", 60 * SECOND, || async {
        let view = handle.migration().await.expect("a plan");
        let standby = view.step(&step("standby")).expect("the step");
        !world.runs() && standby.doing.is_none()
    })
    .await;
    well(
        &done(&handle, "standby", Do::Drill, None).await,
        Some(Found::Proved),
    );
    keeper.shutdown().await;
    world.site.shutdown().await;
}

/// At the door of the last step.
async fn ready(world: &World, handle: &KeeperHandle) {
    skip_the_rest(handle).await;
    done(handle, "standby", Do::Run, None).await;
    well(
        &done(handle, "standby", Do::Drill, None).await,
        Some(Found::Proved),
    );
    let stable = look(handle, "stability").await;
    assert_eq!(stable.finding.found, Found::Proved, "{stable:#?}");
    assert!(!world.runs());
}

#[tokio::test]
async fn the_old_service_goes_comes_back_and_goes_and_no_model_is_touched() {
    let world = World::new(0, "").await;
    let keeper = world.keeper().await;
    let handle = keeper.handle();
    let models = world.models();
    assert!(!models.is_empty());
    let last = step("decommission");
    let early = handle.migration_run(&last, Some("myia")).await;
    assert_eq!(early.map_err(|e| e.code), Err(ErrorCode::Refused));
    ready(&world, &handle).await;

    let preview = handle
        .migration_preview(&last, false)
        .await
        .expect("a preview");
    assert_eq!(preview.refused, []);
    assert_eq!(preview.confirm.as_deref(), Some("myia"));
    for wrong in [None, Some("yes"), Some("MYIA")] {
        let refused = handle.migration_run(&last, wrong).await;
        let refused = refused.expect_err("not confirmed");
        assert_eq!(refused.code, ErrorCode::Refused);
        assert!(refused.hint.is_some_and(|hint| hint.contains("`myia`")));
    }
    assert!(world.is_there(), "nothing was done");
    let engine = world.site.site().engine();
    let images = engine.images();
    for round in 0..2 {
        let end = done(&handle, "decommission", Do::Run, Some("myia")).await;
        well(&end, Some(Found::Proved));
        let found = end.look.expect("a look");
        assert!(!world.is_there(), "round {round}");
        assert!(!engine.has_network("myia_default"), "its own network goes");
        assert_eq!(engine.images(), images, "another service uses the image");
        assert_eq!(world.models(), models, "models are as they were");
        let count = models.len().to_string();
        assert_eq!(value(&found, "models_untouched"), Some(count));
        assert_eq!(value(&found, "snapshot_whole").as_deref(), Some("true"));
        let recovered = value(&found, "recovered_bytes").expect("measured");
        assert_eq!(recovered, "412000000", "what the container had written");
        if round == 0 {
            well(&done(&handle, "decommission", Do::Undo, None).await, None);
            let back = engine.find(FORGE).expect("made again");
            assert!(!back.running() && engine.has_network("myia_default"));
            let settled = look(&handle, "standby").await;
            assert_eq!(settled.finding.found, Found::Proved, "{settled:#?}");
            let drill = done(&handle, "standby", Do::Drill, None).await;
            well(&drill, Some(Found::Proved));
        }
    }
    // Whoever touches a model afterwards is found out.
    let touched = models.keys().next().expect("a model");
    let file = std::fs::File::options()
        .write(true)
        .open(touched)
        .expect("a file");
    file.set_modified(SystemTime::now()).expect("a time");
    let found = look(&handle, "decommission").await;
    assert_eq!(found.finding.found, Found::Failed, "{found:#?}");
    assert_eq!(value(&found, "models_changed").as_deref(), Some("1"));
    keeper.shutdown().await;
    world.site.shutdown().await;
}

#[tokio::test]
async fn an_image_that_cannot_come_back_goes_only_when_its_owner_says_so() {
    for (more, goes) in [("", false), ("remove_image = true\n", true)] {
        let world = World::new(0, more).await;
        let engine = world.site.site().engine();
        // Nobody else uses it; that service is not this test's.
        let turbo = engine.find("myia-turbo-supervisor-1").expect("it");
        let image = "ghcr.io/ai-dock/stable-diffusion-webui-forge:latest-cuda";
        let keeper = world.keeper().await;
        let handle = keeper.handle();
        ready(&world, &handle).await;
        let url = world.site.engine_url().replace("tcp://", "http://");
        let path = format!("{url}/containers/{}?force=true", turbo.id());
        crate::rig::delete(&path).await;
        let preview = handle.migration_preview(&step("decommission"), false).await;
        let preview = preview.expect("a preview");
        assert_eq!(preview.refused, [], "{more}");
        assert_eq!(preview.undo.is_none(), goes, "said before: {preview:#?}");
        let end = done(&handle, "decommission", Do::Run, Some("myia")).await;
        well(&end, Some(Found::Proved));
        assert_eq!(engine.images().contains(image), !goes);
        let undo = handle.migration_preview(&step("decommission"), true).await;
        assert_eq!(undo.expect("a preview").refused.is_empty(), !goes);
        keeper.shutdown().await;
        world.site.shutdown().await;
    }
}

#[tokio::test]
async fn a_decommissioning_killed_at_any_moment_goes_on_and_can_be_taken_back() {
    let world = World::new(0, "").await;
    let models = world.models();
    let mut keeper = world.keeper().await;
    ready(&world, &keeper.handle()).await;
    let args = [
        "migration",
        "run",
        "decommission",
        "--yes",
        "--confirm",
        "myia",
    ];
    for wait in [60, 250, 600, 1_100] {
        keeper.shutdown().await;
        let mut child = world.place.command(&args).spawn().expect("it starts");
        // Its own start takes a while: from when it says that it has begun.
        let begun = async {
            while world.is_there() {
                tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
                if child.try_wait().expect("a child").is_some() {
                    break;
                }
                if wait < 600 {
                    break;
                }
            }
        };
        begun.await;
        let _ = child.start_kill();
        child.wait().await.expect("its end");

        keeper = world.keeper().await;
        let handle = keeper.handle();
        let settled = || async {
            let view = handle.migration().await.expect("a plan");
            let found = view.step(&step("decommission")).expect("the step");
            found.doing.is_none()
                && (world.is_there() || matches!(found.state, StepState::Proved { .. }))
        };
        crate::rig::holds("it goes on", 60 * SECOND, settled).await;
        assert_eq!(world.models(), models, "killed after {wait} ms");
        if !world.is_there() {
            well(&done(&handle, "decommission", Do::Undo, None).await, None);
        }
        assert!(world.is_there() && !world.runs());
    }
    keeper.shutdown().await;
    world.site.shutdown().await;
}
