//! The whole plan on the demo host, from its first step to its last: measured, done, taken back, done again,
//! and each time the played machine asked how it really is.

use forgekeeper_domain::{
    backup::{BackupEnd, BackupTask},
    generation::{GenerationRequest, Seed},
    golden::{GoldenPrompt, GoldenSet, Vote},
    ids::{ServiceId, StepId},
    job::JobPhase,
    migration::{Found, PlanEdit, RecordOutcome},
    outcome::Status,
};
use forgekeeper_keeper::{
    keeper::{BackupWish, Keeper, KeeperHandle},
    state::KeeperState,
};
use forgekeeper_standin::DemoSite;

use crate::rig::{Place, SECOND, get, id, service, site, until};

/// What the owner decides; what a machine measures is nobody's word.
const DECISIONS: &[(&str, &str)] = &[
    ("adetailer", "decision = \"not_needed\""),
    ("my-scripts", "decision = \"not_needed\""),
    ("sd-civitai-browser-plus", "decision = \"not_needed\""),
    ("sd-webui-regional-prompter", "decision = \"not_needed\""),
];
const SET: &str = "usual";
const PROMPTS: [&str; 3] = ["a", "b", "c"];

struct Journey {
    site: DemoSite,
    keeper: Keeper,
    _place: Place,
    old: ServiceId,
    container: String,
    new: ServiceId,
}

fn step(text: &str) -> StepId {
    StepId::new(text.to_owned()).expect("an id")
}

impl Journey {
    async fn begin() -> Self {
        let site = site(40.0).await;
        let place = Place::new();
        let folder = place.folder.path();
        std::fs::create_dir(folder.join("project")).expect("a folder");
        std::fs::write(folder.join("project/compose.yaml"), "services: {}\n").expect("written");
        place.write(format!(
            "{}\n[backup]\nsource = '{}'\ntarget = '{}'\n",
            site.config_toml(),
            folder.join("project").display(),
            folder.join("copy").display()
        ));
        let decided: String = DECISIONS
            .iter()
            .map(|(id, decision)| format!("[[extension]]\nid = \"{id}\"\n{decision}\n"))
            .collect();
        let plan = format!("{}{decided}", site.plan_toml());
        std::fs::write(folder.join("migration.toml"), plan).expect("written");
        let old = site.services().iter().find(|s| s.kind == "forge");
        let old = old.expect("a Forge");
        let journey = Self {
            keeper: place.keeper().await,
            old: id(&old.id),
            container: old.container.name().to_owned(),
            new: id("comfyui-next"),
            site,
            _place: place,
        };
        let green = |s: &KeeperState| {
            let cards = s.hosts.iter().any(|host| !host.gpus.cards.is_empty());
            cards && s.services.len() == 3 && s.services.iter().all(|v| v.status == Status::Ok)
        };
        until(&journey.handle(), "green", 60 * SECOND, green).await;
        journey
    }

    fn handle(&self) -> KeeperHandle {
        self.keeper.handle()
    }

    async fn measured(&self, name: &str) {
        let look = self.handle().migration_check(&step(name)).await;
        let look = look.unwrap_or_else(|e| panic!("{name}: {e:?}"));
        assert_eq!(look.finding.found, Found::Proved, "{name}: {look:#?}");
    }

    async fn attested(&self, name: &str) {
        let (handle, id) = (self.handle(), step(name));
        let said = handle.migration_attest(&id, "jesse", None).await;
        said.unwrap_or_else(|e| panic!("{name}: {e:?}"));
    }

    async fn begun(&self, name: &str, undo: bool) -> Option<Found> {
        let (handle, id) = (self.handle(), step(name));
        let confirm = (name == "decommission").then_some(self.old.as_str());
        let begun = if undo {
            handle.migration_undo(&id, confirm).await
        } else {
            handle.migration_run(&id, confirm).await
        };
        begun.unwrap_or_else(|e| panic!("{name}, undo {undo}: {e:?}"));
        let end = tokio::time::timeout(120 * SECOND, handle.migration_wait(&id)).await;
        let end = end.unwrap_or_else(|_| panic!("{name}: no end"));
        let end = end.expect("its end");
        assert_eq!(
            end.outcome,
            RecordOutcome::Done,
            "{name}, undo {undo}: {end:#?}"
        );
        end.look.map(|look| look.finding.found)
    }

    /// Done, taken back, done again; the machine is asked after each.
    async fn thrice(&self, name: &str, is_done: impl AsyncFn(&Self) -> bool) {
        for (undo, wanted) in [(false, true), (true, false), (false, true)] {
            let found = self.begun(name, undo).await;
            if !undo {
                assert_eq!(found, Some(Found::Proved), "{name}");
            }
            assert_eq!(is_done(self).await, wanted, "{name}, undo {undo}");
        }
    }

    fn runs(&self) -> bool {
        let found = self.site.site().engine().find(&self.container);
        found.is_some_and(|container| container.running())
    }

    async fn comfyui_answers(&self, site: usize) -> bool {
        let url = self.site.iis().urls()[site].clone();
        let answer = get(&format!("{url}/system_stats")).await;
        answer.is_some_and(|(code, body)| code == 200 && body.contains("comfyui_version"))
    }

    async fn golden(&self) {
        for service in [&self.old, &self.new] {
            let handle = self.handle();
            let job = handle.run_golden(SET, service, true).await;
            let job = job.unwrap_or_else(|e| panic!("{service}: {e:?}"));
            let ended = handle.wait(&job).await.expect("its end");
            assert_eq!(ended.phase, JobPhase::Succeeded, "{ended:#?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_plan_is_walked_and_each_step_is_proved_by_the_machine() {
    let journey = Journey::begin().await;
    let handle = journey.handle();
    let set = GoldenSet {
        name: SET.to_owned(),
        prompts: PROMPTS
            .map(|name| GoldenPrompt {
                name: name.to_owned(),
                request: GenerationRequest {
                    seed: Some(Seed(7)),
                    ..GenerationRequest::default()
                },
            })
            .to_vec(),
    };
    handle.save_golden_set(set).await.expect("saved");
    let mut backup = handle
        .backup_begin(BackupTask::Run, &BackupWish::default())
        .expect("it begins");
    let copied = backup
        .wait_for(|now| now.ended.is_some())
        .await
        .expect("its end");
    let end = copied.ended.as_ref().map(|record| record.end);
    assert_eq!(end, Some(BackupEnd::Whole));
    drop(copied);
    let proof = handle
        .prove_placement(&journey.old)
        .await
        .expect("it begins");
    let proof = handle.wait(&proof).await.expect("its end");
    assert_eq!(proof.phase, JobPhase::Succeeded, "{proof:#?}");

    for name in ["target-image", "gpu-plan", "backup"] {
        journey.measured(name).await;
    }
    // The disk is that of the machine of the test: it has what it has.
    let disk = handle.migration_check(&step("disk-space")).await;
    if disk.expect("a look").finding.found != Found::Proved {
        let small = Some("a small disk".to_owned());
        let skip = PlanEdit::Skip(step("disk-space"), small);
        handle.migration_edit(skip).await.expect("skipped");
    }
    for name in ["read-docs", "maintenance-window"] {
        journey.attested(name).await;
    }
    journey
        .thrice("compose-beside", async |journey: &Journey| {
            let engine = journey.site.site().engine();
            let beside = engine.find("comfyui-next-beside");
            beside.is_some_and(|container| container.running())
        })
        .await;
    for name in ["document-models", "training"] {
        journey.attested(name).await;
    }
    journey.measured("workflows").await;
    let paths = journey.site.shelf().extra_model_paths();
    journey
        .thrice("share-models", async |_: &Journey| {
            let text = std::fs::read_to_string(&paths).unwrap_or_default();
            text.contains("forgekeeper")
        })
        .await;
    journey.measured("custom-nodes").await;
    journey.golden().await;
    journey.measured("batch-equivalence").await;
    journey
        .thrice("proxy-rehearsal", async |journey: &Journey| {
            journey.comfyui_answers(2).await
        })
        .await;
    // The owner's eyes: as good as each other.
    for prompt in PROMPTS {
        let vote = handle.migration_vote(prompt, Vote::Equal).await;
        vote.expect("the vote is kept");
    }
    journey.measured("quality").await;
    journey
        .thrice("proxy-cutover", async |journey: &Journey| {
            journey.comfyui_answers(0).await
        })
        .await;
    journey.measured("stability").await;

    // The standby holds once its drill has passed.
    for undo in [false, true, false] {
        journey.begun("standby", undo).await;
        assert_eq!(journey.runs(), undo, "standby, undo {undo}");
    }
    let standby = step("standby");
    handle.migration_drill(&standby).await.expect("it begins");
    let drill = handle.migration_wait(&standby).await.expect("its end");
    assert_eq!(drill.outcome, RecordOutcome::Done, "{drill:#?}");
    assert!(!journey.runs());
    journey.measured("standby").await;
    journey
        .thrice("decommission", async |journey: &Journey| {
            journey
                .site
                .site()
                .engine()
                .find(&journey.container)
                .is_none()
        })
        .await;
    let view = handle.migration().await.expect("a plan");
    for step in view.phases.iter().flat_map(|phase| &phase.steps) {
        assert!(
            step.state.is_met(),
            "{}: {:?} {:#?}",
            step.id,
            step.state,
            step.look
        );
    }
    assert_eq!(view.next, None);
    let state = handle.state().borrow().clone();
    let next = service(&state, journey.new.as_str()).map(|s| s.status);
    assert_eq!(next, Some(Status::Ok), "ComfyUI carries on");
    journey.keeper.shutdown().await;
    journey.site.shutdown().await;
}
