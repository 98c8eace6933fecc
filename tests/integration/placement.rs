//! Placement proofs on demo hosts: the right verdict, or none; never a wrong one.

use std::time::Duration;

use forgekeeper_domain::{
    cause::Cause,
    error::ErrorCode,
    gpu::GpuCard,
    ids::JobId,
    job::{Job, JobPhase, PlacementStage},
    ladder::Rung,
    outcome::Status,
    placement::{Doubt, Fading, Found, PlacementVerdict, Proved},
};
use forgekeeper_keeper::state::KeeperState;
use forgekeeper_standin::Fault;

use crate::pictures_comfyui::somebody_queues;
use crate::rig::{Kept, Place, SECOND, causes, id, rung, service, site, until};

/// A proof may take its most rounds.
const PROOF: Duration = Duration::from_secs(150);
/// The demo host's pictures at about the speed of the founding document's cards.
const SPEED: f64 = 1.5;
/// Each play is proved so many times, on as many hosts at once; `FORGEKEEPER_PROOFS` asks for more.
const TIMES: usize = 3;

fn times() -> usize {
    std::env::var("FORGEKEEPER_PROOFS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(TIMES)
}

async fn cards_are_read(kept: &Kept) {
    let read = |state: &KeeperState| {
        let cards = &state.hosts[0].gpus.cards;
        cards.len() == 2 && cards.iter().all(|card| card.current)
    };
    until(&kept.handle(), "both cards", 20 * SECOND, read).await;
}

async fn prove(kept: &Kept, name: &str) -> Job {
    let handle = kept.handle();
    let job = handle.prove_placement(&id(name)).await.expect("begun");
    tokio::time::timeout(PROOF, handle.wait(&job))
        .await
        .expect("an end in time")
        .expect("known")
}

fn proved(job: &Job) -> &Proved {
    assert_eq!(job.phase, JobPhase::Succeeded, "{:?}", job.error);
    job.proved.as_ref().expect("a verdict")
}

fn card(state: &KeeperState, index: u32) -> &GpuCard {
    let cards = &state.hosts[0].gpus.cards;
    cards
        .iter()
        .find(|card| card.latest.index == index)
        .expect("a card")
}

/// One play: its faults, and what each of the services must be found to do, ComfyUI where it plays.
/// Under noise "could not tell" is allowed as well.
#[derive(Debug, Clone, Copy)]
struct Play {
    faults: &'static [(Fault, Option<&'static str>)],
    myia: (PlacementVerdict, Option<u32>),
    turbo: (PlacementVerdict, Option<u32>),
    comfyui: Option<(PlacementVerdict, Option<u32>)>,
    noisy: bool,
}

async fn once(play: Play) -> Vec<(PlacementVerdict, u32)> {
    let kept = Kept::start(SPEED).await;
    for (fault, service) in play.faults {
        kept.site.inject(*fault, *service).expect("injected");
    }
    cards_are_read(&kept).await;
    let mut found = Vec::new();
    // Both before any is judged: whether they share a card is known after the second.
    let mut jobs = Vec::new();
    let expected = [("myia", Some(play.myia)), ("myia-turbo", Some(play.turbo))];
    let expected = expected.into_iter().chain([("comfyui", play.comfyui)]);
    let expected: Vec<_> = expected
        .filter_map(|(name, expected)| Some((name, expected?)))
        .collect();
    for (name, _) in &expected {
        jobs.push((*name, prove(&kept, name).await));
    }
    let state = kept.handle().state().borrow().clone();
    for ((name, job), (_, (verdict, index))) in jobs.iter().zip(expected) {
        let rounds = proved(job).rounds;
        let shown = service(&state, name).and_then(|s| s.placement.proved.clone());
        let shown = shown.expect("published");
        assert_eq!(shown.faded, None, "{play:?}");
        let unclear = shown.verdict == PlacementVerdict::CouldNotTell;
        if !(play.noisy && unclear) {
            let evidence = kept.handle().placement_evidence(&id(name)).await;
            assert_eq!(shown.verdict, verdict, "{name} in {play:?}: {evidence:#?}");
            let uuid = index.map(|index| card(&state, index).latest.uuid.clone());
            assert_eq!(shown.card, uuid, "{name} in {play:?}");
        }
        found.push((shown.verdict, rounds));
    }
    assert_eq!(kept.end().await, [""; 0]);
    found
}

async fn play(name: &str, play: Play) {
    let hosts: Vec<_> = (0..times()).map(|_| tokio::spawn(once(play))).collect();
    let mut found = Vec::new();
    for host in hosts {
        found.extend(host.await.expect("a proof"));
    }
    let unclear = found
        .iter()
        .filter(|f| f.0 == PlacementVerdict::CouldNotTell)
        .count();
    let rounds: u32 = found.iter().map(|f| f.1).sum();
    println!(
        "{name}: {} proofs, {unclear} unclear, {rounds} rounds",
        found.len()
    );
}

/// The same on as many hosts at once as each play.
async fn on_many_hosts<F>(once: fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let hosts: Vec<_> = (0..times()).map(|_| tokio::spawn(once())).collect();
    for host in hosts {
        host.await.expect("an end as it should be");
    }
}

use PlacementVerdict::{Agrees, Cpu, Differs, SharedCard};

#[tokio::test(flavor = "multi_thread")]
async fn as_declared() {
    let declared = Play {
        faults: &[],
        myia: (Agrees, Some(0)),
        turbo: (Agrees, Some(1)),
        comfyui: Some((Agrees, Some(0))),
        noisy: false,
    };
    play("as declared", declared).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_on_one_card() {
    let shared = Play {
        faults: &[(Fault::PlacementWrong, Some("myia"))],
        myia: (SharedCard, Some(1)),
        turbo: (Agrees, Some(1)),
        comfyui: None,
        noisy: false,
    };
    play("both on one card", shared).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn swapped() {
    let swapped = Play {
        faults: &[(Fault::PlacementWrong, None)],
        myia: (Differs, Some(1)),
        turbo: (Differs, Some(0)),
        comfyui: None,
        noisy: false,
    };
    play("swapped", swapped).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_cpu() {
    let cpu = Play {
        faults: &[
            (Fault::ImageCpuFallback, Some("myia")),
            (Fault::ImageCpuFallback, Some("comfyui")),
        ],
        myia: (Cpu, None),
        turbo: (Agrees, Some(1)),
        comfyui: Some((Cpu, None)),
        noisy: false,
    };
    play("on the CPU", cpu).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_noisy_neighbour() {
    let noisy = Play {
        faults: &[(Fault::GpuNeighbour, None)],
        myia: (Agrees, Some(0)),
        turbo: (Agrees, Some(1)),
        comfyui: Some((Agrees, Some(0))),
        noisy: true,
    };
    play("noisy neighbour", noisy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_cpu_beside_a_noisy_neighbour() {
    let noisy = Play {
        faults: &[
            (Fault::GpuNeighbour, None),
            (Fault::ImageCpuFallback, Some("myia")),
        ],
        myia: (Cpu, None),
        turbo: (Agrees, Some(1)),
        comfyui: None,
        noisy: true,
    };
    play("on the CPU beside a neighbour", noisy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_services_own_reports_stand_beside_the_declaration() {
    let kept = Kept::start(SPEED).await;
    cards_are_read(&kept).await;
    let told = |state: &KeeperState| {
        let reported = |name| service(state, name).and_then(|s| s.placement.reported.clone());
        let of = |name, index: u32, words: &str| {
            reported(name).is_some_and(|device| {
                device.text.contains(words)
                    && device.cards == [card(state, index).latest.uuid.clone()]
            })
        };
        of("myia", 0, "RTX 3080 : native")
            && of("myia-turbo", 1, "RTX 3090 : native")
            && of("comfyui", 0, "RTX 3080 : cudaMallocAsync")
    };
    until(
        &kept.handle(),
        "what the services report",
        20 * SECOND,
        told,
    )
    .await;
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn comfyui_is_left_alone_at_work_and_its_cancelled_proof_leaves_nothing() {
    let kept = Kept::start(0.5).await;
    cards_are_read(&kept).await;
    let handle = kept.handle();
    let api = kept.site.api_url("comfyui").expect("an address");
    let busy = |state: &KeeperState| service(state, "comfyui").is_some_and(|s| s.busy.is_some());
    let idle = |state: &KeeperState| {
        service(state, "comfyui").is_some_and(|s| s.busy.is_none() && s.busy_known)
    };
    somebody_queues(&api, 30).await;
    until(&handle, "their picture", 20 * SECOND, busy).await;
    let refused = handle.prove_placement(&id("comfyui")).await;
    assert_eq!(refused.expect_err("it works").code, ErrorCode::ServiceBusy);
    until(&handle, "rest", 40 * SECOND, idle).await;

    let job = handle.prove_placement(&id("comfyui")).await.expect("begun");
    until(&handle, "the tiny picture", 30 * SECOND, busy).await;
    handle.cancel(&job).expect("cancelled");
    let ended = tokio::time::timeout(30 * SECOND, handle.wait(&job)).await;
    let ended = ended.expect("an end").expect("known");
    assert_eq!(ended.phase, JobPhase::Cancelled);
    until(&handle, "rest again", 20 * SECOND, idle).await;
    let history = reqwest::get(format!("{api}/history"))
        .await
        .expect("an answer");
    let history: serde_json::Value = history.json().await.expect("JSON");
    let ends = history.as_object().expect("entries").values().map(|entry| {
        let outputs = entry["outputs"].as_object().expect("outputs").len();
        (entry["status"]["status_str"].clone(), outputs)
    });
    // By id, so in no order of time: theirs was finished, ours interrupted.
    let mut ends: Vec<_> = ends.collect();
    ends.sort_by_key(|(_, outputs)| *outputs);
    assert_eq!(ends, [("error".into(), 0), ("success".into(), 1)]);
    assert_eq!(kept.end().await, [""; 0]);
}

/// Somebody else's picture, straight at the API.
fn somebody_paints(api: String) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let body = serde_json::json!({ "prompt": "theirs", "steps": 60 });
        let client = reqwest::Client::new();
        // It may be cut off with the host.
        let _ = client
            .post(format!("{api}/sdapi/v1/txt2img"))
            .body(body.to_string())
            .header("content-type", "application/json")
            .send()
            .await;
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_at_work_is_left_alone() {
    on_many_hosts(one_at_work_is_left_alone).await;
}

async fn one_at_work_is_left_alone() {
    let kept = Kept::start(SPEED).await;
    cards_are_read(&kept).await;
    let theirs = somebody_paints(kept.site.api_url("myia").expect("an address"));
    let busy = |state: &KeeperState| service(state, "myia").is_some_and(|s| s.busy.is_some());
    until(&kept.handle(), "their picture", 20 * SECOND, busy).await;
    let refused = kept.handle().prove_placement(&id("myia")).await;
    let refused = refused.expect_err("it works for somebody");
    assert_eq!(refused.code, ErrorCode::ServiceBusy, "{refused:?}");
    assert!(refused.hint.is_some());
    let state = kept.handle().state().borrow().clone();
    assert_eq!(
        service(&state, "myia").expect("there").placement.proved,
        None
    );
    assert!(state.jobs.is_empty(), "nothing was begun");
    theirs.abort();
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_fails_proves_nothing_and_what_was_proved_stays() {
    on_many_hosts(one_that_fails_proves_nothing).await;
}

async fn one_that_fails_proves_nothing() {
    let kept = Kept::start(SPEED).await;
    cards_are_read(&kept).await;
    assert_eq!(proved(&prove(&kept, "myia").await).verdict, Agrees);
    kept.site
        .inject(Fault::ImageOom, Some("myia"))
        .expect("injected");
    let job = prove(&kept, "myia").await;
    assert_eq!(job.phase, JobPhase::Failed);
    assert_eq!(job.error.expect("a reason").code, ErrorCode::OutOfMemory);
    assert_eq!(job.proved, None);
    let state = kept.handle().state().borrow().clone();
    let placement = &service(&state, "myia").expect("there").placement;
    let before = placement.proved.as_ref().expect("the first proof");
    assert_eq!((before.verdict, before.faded), (Agrees, None));
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_proof_interrupts_its_picture_and_leaves_nothing() {
    let kept = Kept::start(0.5).await;
    cards_are_read(&kept).await;
    let handle = kept.handle();
    let job = handle.prove_placement(&id("myia")).await.expect("begun");
    let busy = |state: &KeeperState| service(state, "myia").is_some_and(|s| s.busy.is_some());
    until(&handle, "the tiny picture", 30 * SECOND, busy).await;
    handle.cancel(&job).expect("cancelled");
    let ended = tokio::time::timeout(30 * SECOND, handle.wait(&job)).await;
    let ended = ended.expect("an end").expect("known");
    assert_eq!(ended.phase, JobPhase::Cancelled);
    let idle = |state: &KeeperState| {
        service(state, "myia").is_some_and(|s| s.busy.is_none() && s.busy_known)
    };
    until(&handle, "rest", 20 * SECOND, idle).await;
    assert_eq!(
        handle.placement_evidence(&id("myia")).await.expect("read"),
        []
    );
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_proofs_on_one_host_wait_for_each_other() {
    let kept = Kept::start(SPEED).await;
    cards_are_read(&kept).await;
    let (first, second) = tokio::join!(prove(&kept, "myia"), prove(&kept, "myia-turbo"));
    assert_eq!(proved(&first).verdict, Agrees);
    assert_eq!(proved(&second).verdict, Agrees);
    let evidence = |name| {
        let handle = kept.handle();
        async move {
            let found = handle.placement_evidence(&id(name)).await.expect("read");
            found.last().cloned().expect("evidence")
        }
    };
    let (first, second) = tokio::join!(evidence("myia"), evidence("myia-turbo"));
    let last = |m: &forgekeeper_domain::placement::Measurement| m.at;
    let apart = last(&first) <= second.rounds[0].at || last(&second) <= first.rounds[0].at;
    assert!(apart, "one after the other");
    // The first one's end is no disturbance of the second.
    let disturbed = Found::Unclear {
        reason: Doubt::Disturbed,
    };
    for round in first.rounds.iter().chain(&second.rounds) {
        assert_ne!(round.finding, disturbed);
    }
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_waited_its_turn_is_not_begun_on_a_service_at_work() {
    let kept = Kept::start(0.5).await;
    cards_are_read(&kept).await;
    let handle = kept.handle();
    let stage = |state: &KeeperState, of: &JobId| {
        let job = state.jobs.iter().find(|job| job.id == *of)?;
        job.placement.map(|progress| progress.stage)
    };
    let first = handle.prove_placement(&id("myia")).await.expect("begun");
    // Which of two that are asked for at once comes first is not promised.
    let at_work = |state: &KeeperState| {
        stage(state, &first).is_some_and(|stage| stage != PlacementStage::Waiting)
    };
    until(&handle, "the first at work", 60 * SECOND, at_work).await;
    let second = handle
        .prove_placement(&id("myia-turbo"))
        .await
        .expect("begun");
    let waits = |state: &KeeperState| stage(state, &second) == Some(PlacementStage::Waiting);
    until(&handle, "its turn", 60 * SECOND, waits).await;
    let theirs = somebody_paints(kept.site.api_url("myia-turbo").expect("an address"));
    let busy = |state: &KeeperState| service(state, "myia-turbo").is_some_and(|s| s.busy.is_some());
    until(&handle, "their picture", 20 * SECOND, busy).await;
    handle.cancel(&first).expect("cancelled");
    let ended = tokio::time::timeout(20 * SECOND, handle.wait(&second)).await;
    let ended = ended.expect("an end").expect("known");
    assert_eq!(ended.phase, JobPhase::Failed);
    assert_eq!(ended.error.expect("a reason").code, ErrorCode::ServiceBusy);
    theirs.abort();
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mismatch_is_an_incident_with_its_remedy_until_it_is_proved_gone() {
    let kept = Kept::start(SPEED).await;
    kept.site
        .inject(Fault::PlacementWrong, Some("myia"))
        .expect("injected");
    cards_are_read(&kept).await;
    prove(&kept, "myia-turbo").await;
    assert_eq!(proved(&prove(&kept, "myia").await).verdict, SharedCard);
    let open = |state: &KeeperState| causes(state).contains(&"placement.mismatch");
    until(&kept.handle(), "the incident", 20 * SECOND, open).await;
    let state = kept.handle().state().borrow().clone();
    let mismatch = Some((Status::Degraded, Some(Cause::PlacementMismatch.code())));
    assert_eq!(rung(&state, "myia", Rung::Image), mismatch);
    let incident = &state.incidents[0];
    let evidence: Vec<_> = incident
        .evidence
        .iter()
        .map(|e| (e.name.as_str(), e.value.as_str()))
        .collect();
    assert_eq!(
        evidence,
        [
            ("declared_card", "GPU 0 · NVIDIA GeForce RTX 3080"),
            ("measured_card", "GPU 1 · NVIDIA GeForce RTX 3090"),
            ("shared_with", "myia-turbo"),
        ]
    );
    let remedy = service(&state, "myia").and_then(|s| s.placement.remedy.clone());
    let diff = remedy.expect("a remedy").diff;
    let uuid = &card(&state, 0).latest.uuid;
    assert!(
        diff.contains(&format!("+      CUDA_VISIBLE_DEVICES: {uuid}")),
        "{diff:#?}"
    );

    kept.site
        .clear(Fault::PlacementWrong, Some("myia"))
        .expect("cleared");
    assert_eq!(proved(&prove(&kept, "myia").await).verdict, Agrees);
    let gone = |state: &KeeperState| !causes(state).contains(&"placement.mismatch");
    until(&kept.handle(), "the end of the incident", 20 * SECOND, gone).await;

    // Made anew: the old proof says nothing of the new container.
    kept.site
        .inject(Fault::ContainerRecreated, Some("myia"))
        .expect("injected");
    let faded = |state: &KeeperState| {
        let placement = service(state, "myia").map(|s| &s.placement);
        let proved = placement.and_then(|p| p.proved.as_ref());
        proved.is_some_and(|p| p.faded == Some(Fading::Container))
    };
    until(&kept.handle(), "the fading", 40 * SECOND, faded).await;
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_proves_and_tells_by_its_code() {
    let site = site(SPEED).await;
    let place = Place::with(&site.config_toml());
    let before = place
        .ctl(&["placement", "myia", "--last"])
        .await
        .ends_with(3);
    assert!(before.stdout.contains("measured: never"), "{before:#?}");
    let ran = place.ctl(&["placement", "myia"]).await.ends_with(0);
    for words in [
        "round 1: reading the cards at rest",
        "round 2: making a tiny picture",
        "declared by the reservation: 0 (GPU 0 NVIDIA GeForce RTX 3080)",
        "myia computes on GPU 0 NVIDIA GeForce RTX 3080, as declared",
    ] {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.stdout);
    }
    place
        .ctl(&["placement", "myia", "--last"])
        .await
        .ends_with(0);
    site.inject(Fault::PlacementWrong, None).expect("injected");
    let wrong = place
        .ctl(&["placement", "myia", "--json"])
        .await
        .ends_with(1);
    let end = wrong.lines().pop().expect("a line");
    assert_eq!(end["event"], "end");
    assert_eq!(end["job"]["proved"]["verdict"], "differs");
    assert_eq!(end["placement"]["remedy"]["compose"], true);
    let printed = place
        .ctl(&["placement", "myia", "--last"])
        .await
        .ends_with(1);
    assert!(
        printed
            .stdout
            .contains("+      CUDA_DEVICE_ORDER: PCI_BUS_ID"),
        "{printed:#?}"
    );
    place.ctl(&["placement", "nobody"]).await.ends_with(2);
    let comfy = place.ctl(&["placement", "comfyui"]).await.ends_with(1);
    for words in [
        "comfyui computes on GPU 1 NVIDIA GeForce RTX 3090",
        "  -  --gpus 1\n",
    ] {
        assert!(comfy.stdout.contains(words), "{words}: {comfy:#?}");
    }
}
