//! The fault catalogue on demo hosts: each fault opens one incident with its cause on its rung in
//! time, and the incident closes by itself once the fault is gone.

use std::time::{Duration, Instant};

use forgekeeper_domain::{
    action::Action, cause::Cause, config::Reason, error::ErrorCode, incident::Incident,
    job::JobPhase, ladder::Rung, outcome::Status,
};
use forgekeeper_keeper::{event::KeeperEvent, state::KeeperState};
use forgekeeper_standin::Fault;
use tokio::{sync::broadcast, task::JoinSet};

use crate::rig::{Kept, SECOND, causes, id, rung, seen, service, until};

/// How fast the played world moves.
const SPEED: f64 = 20.0;

/// What a fault must lead to.
struct Row {
    fault: &'static str,
    service: &'static str,
    rung: Rung,
    status: Status,
    cause: &'static str,
    /// Seconds from the fault to the incident, as the catalogue promises.
    within: u32,
    /// Causes that may be seen on the way.
    on_the_way: &'static [&'static str],
    /// Seconds from the end of the fault to a green service.
    heals_within: u32,
}

const fn row(
    fault: &'static str,
    service: &'static str,
    rung: Rung,
    cause: &'static str,
    within: u32,
) -> Row {
    Row {
        fault,
        service,
        rung,
        status: Status::Failing,
        cause,
        within,
        on_the_way: &[],
        heals_within: 20,
    }
}

const fn degraded(row: Row) -> Row {
    Row {
        status: Status::Degraded,
        ..row
    }
}

/// A loop counts as over once its container or program has stayed up for two minutes; one that was
/// seen to flap on the way stays open until its changes are five minutes old.
const LOOP_OVER: u32 = 330;

/// A container that is made anew is gone for a moment.
const ANEW: &[&str] = &[
    "container.missing",
    "container.killed",
    "container.exited",
    "container.created",
    "api.refused",
];

const ROWS: &[Row] = &[
    row("engine-stopped", "", Rung::Engine, "engine.refused", 5),
    row("engine-hung", "", Rung::Engine, "engine.timeout", 10),
    row(
        "engine-not-docker",
        "",
        Rung::Engine,
        "engine.not_docker",
        10,
    ),
    row(
        "container-stopped",
        "myia",
        Rung::Container,
        "container.exited",
        2,
    ),
    row(
        "container-stopped",
        "comfyui",
        Rung::Container,
        "container.exited",
        2,
    ),
    row(
        "container-gone",
        "myia",
        Rung::Container,
        "container.missing",
        2,
    ),
    row(
        "container-oom",
        "myia",
        Rung::Container,
        "container.oom_killed",
        2,
    ),
    row(
        "container-killed",
        "myia-turbo",
        Rung::Container,
        "container.killed",
        2,
    ),
    Row {
        heals_within: LOOP_OVER,
        // Three restarts at this speed, each a moment; then two seconds.
        ..row(
            "crash-loop",
            "myia",
            Rung::Container,
            "container.crash_loop",
            4,
        )
    },
    row("program-fatal", "myia", Rung::Program, "program.fatal", 10),
    Row {
        // Between two ends the program answers, is about to, or is gone.
        on_the_way: &[
            "program.starting",
            "program.stopped",
            "api.starting",
            "api.refused",
        ],
        heals_within: LOOP_OVER,
        // Supervisor is asked every few seconds, and three falls of the uptime make a loop.
        ..row(
            "program-loop",
            "myia",
            Rung::Program,
            "program.crash_loop",
            60,
        )
    },
    Row {
        on_the_way: ANEW,
        ..row(
            "workspace-unmounted",
            "myia",
            Rung::Program,
            "config.workspace_unmounted",
            10,
        )
    },
    degraded(row(
        "config-reset",
        "myia",
        Rung::Program,
        "config.reset",
        60,
    )),
    degraded(row(
        "config-options-nulled",
        "myia",
        Rung::Program,
        "config.model_unset",
        60,
    )),
    degraded(Row {
        on_the_way: ANEW,
        ..row(
            "config-second-writer",
            "myia-turbo",
            Rung::Program,
            "config.second_writer",
            60,
        )
    }),
    degraded(row(
        "api-placeholder",
        "myia",
        Rung::Api,
        "api.starting",
        10,
    )),
    row("api-refused", "myia", Rung::Api, "api.refused", 10),
    row("api-refused", "comfyui", Rung::Api, "api.refused", 10),
    row("api-hang", "myia", Rung::Api, "api.timeout", 15),
    degraded(row("api-401", "myia", Rung::Api, "api.unauthorized", 10)),
    row("api-login-page", "myia", Rung::Api, "api.login_page", 10),
    row("api-500", "myia", Rung::Api, "api.server_error", 10),
    row("api-html", "myia", Rung::Api, "api.bad_answer", 15),
    row("api-html", "comfyui", Rung::Api, "api.bad_answer", 15),
    row("api-truncated", "myia", Rung::Api, "api.bad_answer", 15),
    row("api-huge", "myia", Rung::Api, "api.bad_answer", 15),
    degraded(row("api-no-models", "myia", Rung::Api, "api.no_models", 10)),
];

fn opened(events: &mut broadcast::Receiver<KeeperEvent>) -> Result<Vec<Incident>, String> {
    let mut opened = Vec::new();
    loop {
        match events.try_recv() {
            Ok(KeeperEvent::IncidentOpened(incident)) => opened.push(incident),
            Ok(_) => {}
            Err(broadcast::error::TryRecvError::Empty) => return Ok(opened),
            Err(error) => return Err(format!("announcements: {error}")),
        }
    }
}

/// Collects incidents all the while, so that slow readers miss nothing.
fn listen(kept: &Kept) -> tokio::task::JoinHandle<Vec<Incident>> {
    let mut events = kept.handle().events();
    tokio::spawn(async move {
        let mut opened = Vec::new();
        while let Ok(event) = events.recv().await {
            if let KeeperEvent::IncidentOpened(incident) = event {
                opened.push(incident);
            }
        }
        opened
    })
}

async fn play(row: &'static Row) -> Result<String, String> {
    let kept = Kept::start(SPEED).await;
    let handle = kept.handle();
    let listening = listen(&kept);
    if row.cause.starts_with("config.") {
        // What is lost is known from how it was: as by the one that is taken every day.
        let taken = handle.take_snapshot(&id(row.service), Reason::Daily).await;
        taken.map_err(|e| e.to_string())?;
    }
    let fault: Fault = row.fault.parse().map_err(|e| format!("{e}"))?;
    let place = (!row.service.is_empty()).then_some(row.service);
    kept.site.inject(fault, place).map_err(|e| e.to_string())?;
    let within = SECOND * row.within;
    let took = seen(&handle, row.cause, within, |s| causes(s) == [row.cause]).await?;
    // Nothing more comes of it, and the ladder says the same.
    tokio::time::sleep(2 * SECOND).await;
    let state = handle.state().borrow().clone();
    if causes(&state) != [row.cause] {
        return Err(format!("later: {:?}", causes(&state)));
    }
    let incident = &state.incidents[0];
    let of = if row.service.is_empty() {
        "myia"
    } else {
        row.service
    };
    let told = rung(&state, of, row.rung);
    if (incident.rung, told) != (row.rung, Some((row.status, Some(row.cause)))) {
        return Err(format!("on {:?}, {told:?}", incident.rung));
    }
    if row.service.is_empty() && incident.hides.len() != 3 {
        return Err(format!("hides {:?}", incident.hides));
    }
    kept.site.clear(fault, place).map_err(|e| e.to_string())?;
    let heals_within = SECOND * row.heals_within;
    let healed = seen(&handle, "healed", heals_within, |s| {
        let all = s.services.iter().all(|v| v.status == Status::Ok);
        all && s.incidents.is_empty()
    })
    .await?;
    let left = kept.end().await;
    if !left.is_empty() {
        return Err(format!("tasks left: {left:?}"));
    }
    drop(handle);
    let opened = listening.await.map_err(|e| e.to_string())?;
    let told: Vec<&str> = opened.iter().map(|i| i.cause.code()).collect();
    let rest: Vec<&&str> = told
        .iter()
        .filter(|c| !row.on_the_way.contains(c))
        .collect();
    if rest != [&row.cause] {
        return Err(format!("announced {told:?}"));
    }
    Ok(format!(
        "opened after {took:.1?}, closed after {healed:.1?}"
    ))
}

/// Rows with this limit or a shorter one are played while little else is.
const QUICK_S: u32 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_opens_one_incident_in_time_and_closes_it() {
    let started = Instant::now();
    let mut wrong = Vec::new();
    // Two seconds are a promise on a machine that does something else as well, and not on one
    // that plays two dozen hosts at the same moment: these come first, two at a time.
    let (quick, patient): (Vec<_>, Vec<_>) = ROWS.iter().partition(|row| row.within <= QUICK_S);
    for pair in quick.chunks(2) {
        let mut played = JoinSet::new();
        for row in pair.iter().copied() {
            played.spawn(async move { (row, play(row).await) });
        }
        judge(played, &mut wrong).await;
    }
    println!("{} quick rows in {:.1?}", quick.len(), started.elapsed());
    let mut played = JoinSet::new();
    for (at, row) in patient.into_iter().enumerate() {
        played.spawn(async move {
            // Not all hosts at one moment: starting them is work, and would count as slowness.
            tokio::time::sleep(Duration::from_millis(400) * u32::try_from(at).unwrap_or(0)).await;
            (row, play(row).await)
        });
    }
    judge(played, &mut wrong).await;
    println!("{} rows in {:.1?}", ROWS.len(), started.elapsed());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

type Played = (&'static Row, Result<String, String>);

async fn judge(mut played: JoinSet<Played>, wrong: &mut Vec<String>) {
    while let Some(ended) = played.join_next().await {
        match ended {
            Ok((row, Ok(told))) => println!("{} on {:?}: {told}", row.fault, row.service),
            Ok((row, Err(why))) => wrong.push(format!("{} on {:?}: {why}", row.fault, row.service)),
            Err(error) => wrong.push(error.to_string()),
        }
    }
}

/// What is wrong with the cards, by name, and which of them are not current.
fn cards(state: &KeeperState) -> Vec<(String, Option<&'static str>)> {
    let cards = state.hosts.iter().flat_map(|host| &host.gpus.cards);
    cards
        .map(|card| {
            let cause = card.outcome.cause.map(Cause::code);
            (card.latest.name.clone(), cause)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_a_card_is_told_on_the_card_and_on_no_other() {
    let kept = Kept::start(SPEED).await;
    let handle = kept.handle();
    let both = |first: Option<&'static str>, second: Option<&'static str>| {
        vec![
            ("NVIDIA GeForce RTX 3080".to_owned(), first),
            ("NVIDIA GeForce RTX 3090".to_owned(), second),
        ]
    };
    let calm = both(None, None);
    until(&handle, "two calm cards", 10 * SECOND, |s| cards(s) == calm).await;
    for (fault, cause, within) in [
        (Fault::GpuLost, "gpu.lost", 5),
        // Thirty seconds over the threshold count as hot.
        (Fault::GpuHot, "gpu.hot", 35),
    ] {
        kept.site
            .inject(fault, Some("myia-turbo"))
            .expect("a service of it");
        let told = both(None, Some(cause));
        until(&handle, cause, SECOND * within, |s| cards(s) == told).await;
        kept.site
            .clear(fault, Some("myia-turbo"))
            .expect("a service of it");
        until(&handle, "calm again", 20 * SECOND, |s| cards(s) == calm).await;
    }
}

/// A host on which something happens that is no incident, or nothing at all.
async fn stays_quiet(fault: Option<Fault>) -> Kept {
    let kept = Kept::start(SPEED).await;
    let mut events = kept.handle().events();
    if let Some(fault) = fault {
        let place = (fault != Fault::EngineRestarted).then_some("myia");
        kept.site.inject(fault, place).expect("a service of it");
    }
    for _ in 0..15 {
        tokio::time::sleep(SECOND).await;
        let opened = opened(&mut events).expect("all announcements");
        assert_eq!(opened, [], "with {fault:?}");
    }
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_host_opens_no_incident() {
    let kept = stays_quiet(None).await;
    assert!(
        kept.handle()
            .state()
            .borrow()
            .services
            .iter()
            .all(|s| s.status == Status::Ok)
    );
    assert_eq!(kept.end().await, Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recreated_container_a_loud_or_silent_log_and_a_shy_card_are_no_incidents() {
    let (_, replayed, ..) = tokio::join!(
        stays_quiet(Some(Fault::ContainerRecreated)),
        stays_quiet(Some(Fault::LogReplay)),
        stays_quiet(Some(Fault::LogFlood)),
        stays_quiet(Some(Fault::GpuNa)),
        stays_quiet(Some(Fault::GpuFull)),
        stays_quiet(Some(Fault::LogSilent)),
    );
    let state = replayed.handle().state().borrow().clone();
    let meter = service(&state, "myia").map(|service| service.log.replayed);
    assert!(meter > Some(16), "folded and counted: {meter:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_start_is_degraded_and_no_incident() {
    // Slow enough to be looked at: about twenty seconds of start.
    let kept = Kept::start(6.0).await;
    let handle = kept.handle();
    let mut events = handle.events();
    let place = Some("myia");
    kept.site
        .inject(Fault::ProgramStarting, place)
        .expect("a service of it");
    until(&handle, "starting", 10 * SECOND, |s| {
        service(s, "myia").is_some_and(|v| v.status == Status::Degraded)
    })
    .await;
    tokio::time::sleep(5 * SECOND).await;
    assert_eq!(opened(&mut events).expect("all announcements"), []);
    kept.site
        .clear(Fault::ProgramStarting, place)
        .expect("a service of it");
    until(&handle, "started", 30 * SECOND, |s| {
        service(s, "myia").is_some_and(|v| v.status == Status::Ok)
    })
    .await;
    assert_eq!(opened(&mut events).expect("all announcements"), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_restarts_heals_within_ten_seconds() {
    let kept = Kept::start(SPEED).await;
    let handle = kept.handle();
    kept.site
        .inject(Fault::EngineRestarted, None)
        .expect("a fault of the host");
    until(&handle, "noticed", 5 * SECOND, |s| {
        s.hosts.iter().any(|h| h.engine.status == Status::Failing)
    })
    .await;
    until(&handle, "healed", 12 * SECOND, |s| {
        s.incidents.is_empty() && s.services.iter().all(|v| v.status == Status::Ok)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_the_engine_refuses_names_the_reason() {
    for (fault, code, cause) in [
        (
            Fault::StartFailsPort,
            ErrorCode::PortInUse,
            "container.port_in_use",
        ),
        (
            Fault::StartFailsGpu,
            ErrorCode::GpuRuntime,
            "container.gpu_runtime",
        ),
    ] {
        let kept = Kept::start(SPEED).await;
        let handle = kept.handle();
        let stop = handle
            .act(&id("myia"), Action::Stop, false)
            .await
            .expect("accepted");
        let ended = handle.wait(&stop).await.expect("its end");
        assert_eq!(ended.phase, JobPhase::Succeeded, "{ended:?}");
        kept.site
            .inject(fault, Some("myia"))
            .expect("a service of it");
        let start = handle
            .act(&id("myia"), Action::Start, false)
            .await
            .expect("accepted");
        let ended = handle.wait(&start).await.expect("its end");
        assert_eq!(ended.error.map(|e| e.code), Some(code), "{fault}");
        until(&handle, cause, 3 * SECOND, |s| causes(s) == [cause]).await;
        kept.site
            .clear(fault, Some("myia"))
            .expect("a service of it");
        let start = handle
            .act(&id("myia"), Action::Start, false)
            .await
            .expect("accepted");
        let ended = handle.wait(&start).await.expect("its end");
        assert_eq!(ended.phase, JobPhase::Succeeded, "{ended:?}");
        until(&handle, "healed", 10 * SECOND, |s| s.incidents.is_empty()).await;
    }
}
