//! Faults made with a real engine: each must be seen within the time of the fault catalogue.

use std::time::Duration;

use forgekeeper_domain::{
    container::RunState,
    facts::{ContainerFact, EngineFact},
};

use crate::docker_lab::{Lab, engine_fact, fact, present};

const SECOND: Duration = Duration::from_secs(1);
/// What the catalogue promises for containers.
const CONTAINER: Duration = Duration::from_secs(2);

#[tokio::test]
#[ignore = "needs a Docker Engine: FORGEKEEPER_TEST_DOCKER"]
async fn a_stop_a_start_and_a_pause_by_another_hand_are_seen() {
    let lab = Lab::given();
    let name = lab.start(
        "stop",
        &[],
        "trap 'exit 0' TERM; while true; do sleep 0.1; done",
    );
    let watched = lab.watch(&[&name]);
    watched.until_listed().await;
    lab.docker_ok(&["stop", &name]);
    let seen = watched
        .until_container(&name, CONTAINER, |c| c.state == RunState::Exited)
        .await;
    assert_eq!(seen.exit_code, Some(0));
    lab.docker_ok(&["start", &name]);
    watched
        .until_container(&name, CONTAINER, |c| c.state == RunState::Running)
        .await;
    lab.docker_ok(&["pause", &name]);
    watched
        .until_container(&name, CONTAINER, |c| c.state == RunState::Paused)
        .await;
    lab.docker_ok(&["unpause", &name]);
    watched
        .until_container(&name, CONTAINER, |c| c.state == RunState::Running)
        .await;
    lab.docker_ok(&["restart", "-t", "1", &name]);
    watched
        .until_container(&name, CONTAINER, |c| c.started_at > seen.started_at)
        .await;
    let starts = watched.host.view().borrow().containers[&name]
        .starts
        .clone();
    assert_eq!(starts.at, [], "all of this was asked for");
    assert_eq!(watched.end().await, Vec::<&str>::new());
}

#[tokio::test]
#[ignore = "needs a Docker Engine: FORGEKEEPER_TEST_DOCKER"]
async fn a_removed_container_leaves_evidence_and_a_recreated_one_is_followed() {
    let lab = Lab::given();
    let name = lab.start("gone", &[], "sleep 600");
    let watched = lab.watch(&[&name]);
    watched.until_listed().await;
    let before = present(&watched.host.view().borrow(), &name)
        .cloned()
        .expect("present");
    lab.docker_ok(&["rm", "-f", &name]);
    watched
        .until("missing", CONTAINER, |view| {
            matches!(fact(view, &name), Some(ContainerFact::Missing { .. }))
        })
        .await;
    match fact(&watched.host.view().borrow(), &name) {
        Some(ContainerFact::Missing {
            name: told,
            last_seen,
            image_id,
        }) => {
            assert_eq!(told, &name);
            assert!(last_seen.is_some());
            assert_eq!(image_id.as_deref(), Some(before.image_id.as_str()));
        }
        other => panic!("{other:?}"),
    }
    lab.start("gone", &[], "sleep 600");
    let after = watched
        .until_container(&name, CONTAINER, |c| c.state == RunState::Running)
        .await;
    assert_ne!(after.id, before.id);
    assert_eq!(watched.host.view().borrow().containers[&name].starts.at, []);
}

#[tokio::test]
#[ignore = "needs a Docker Engine: FORGEKEEPER_TEST_DOCKER"]
async fn a_compose_service_is_followed_whatever_its_container_is_called() {
    let lab = Lab::given();
    let project = format!("com.docker.compose.project={}", lab.run);
    let labels = [
        "--label",
        &project,
        "--label",
        "com.docker.compose.service=web",
    ];
    let by_service = format!("{}/web", lab.run);
    let by_hyphens = format!("{}-web-1", lab.run);
    let watched = lab.watch(&[&by_service, &by_hyphens]);
    watched.until_listed().await;
    let underscored = format!("{}_web_1", lab.run);
    assert!(
        lab.create(&underscored, "run", &labels, "sleep 600")
            .status
            .success()
    );
    for wanted in [&by_service, &by_hyphens] {
        let seen = watched
            .until_container(wanted, CONTAINER, |c| c.state == RunState::Running)
            .await;
        assert_eq!(seen.name, underscored);
    }
}

#[tokio::test]
#[ignore = "needs a Docker Engine: FORGEKEEPER_TEST_DOCKER"]
async fn lack_of_memory_and_a_kill_are_told_apart() {
    let lab = Lab::given();
    let oom = lab.start(
        "oom",
        &["-m", "16m", "--memory-swap", "16m"],
        "sleep 2; tail /dev/zero",
    );
    let killed = lab.start("killed", &[], "sleep 600");
    let watched = lab.watch(&[&oom, &killed]);
    watched.until_listed().await;
    lab.docker_ok(&["kill", "-s", "KILL", &killed]);
    let seen = watched
        .until_container(&killed, CONTAINER, |c| c.state == RunState::Exited)
        .await;
    assert_eq!((seen.exit_code, seen.oom_killed), (Some(137), false));
    lab.docker_ok(&["wait", &oom]);
    let seen = watched
        .until_container(&oom, CONTAINER, |c| c.state == RunState::Exited)
        .await;
    assert_eq!((seen.exit_code, seen.oom_killed), (Some(137), true));
}

#[tokio::test]
#[ignore = "needs a Docker Engine: FORGEKEEPER_TEST_DOCKER"]
async fn a_crash_loop_is_counted_and_an_asked_restart_is_not() {
    let lab = Lab::given();
    let name = lab.start("loop", &["--restart", "always"], "sleep 0.3; exit 7");
    let watched = lab.watch(&[&name]);
    watched
        .until("three restarts", 20 * SECOND, |view| {
            view.containers
                .get(&name)
                .is_some_and(|c| c.starts.at.len() >= 3)
        })
        .await;
    let seen = present(&watched.host.view().borrow(), &name)
        .cloned()
        .expect("present");
    assert!(seen.restart_count >= 3, "{seen:?}");
}

#[tokio::test]
#[ignore = "needs a Docker Engine: FORGEKEEPER_TEST_DOCKER"]
async fn wishes_change_while_it_watches() {
    let lab = Lab::given();
    let (one, two) = (
        lab.start("one", &[], "sleep 600"),
        lab.start("two", &[], "sleep 600"),
    );
    let watched = lab.watch(&[&one]);
    watched.until_listed().await;
    watched.host.want(vec![two.clone()]);
    watched
        .until_container(&two, CONTAINER, |c| c.state == RunState::Running)
        .await;
    assert!(!watched.host.view().borrow().containers.contains_key(&one));
    watched.host.set_visible(false);
    lab.docker_ok(&["kill", &two]);
    watched
        .until_container(&two, CONTAINER, |c| c.state == RunState::Exited)
        .await;
}

#[tokio::test]
#[ignore = "needs root and dockerd: an engine of our own is stopped and frozen"]
async fn a_stopped_engine_is_refused_within_five_seconds_and_heals_by_itself() {
    let mut lab = Lab::own();
    let name = lab.start("kept", &[], "sleep 600");
    let watched = lab.watch(&[&name]);
    watched.until_listed().await;
    let old = watched.host.engine().expect("connected");

    lab.end_daemon();
    let took = watched
        .until("refused", 5 * SECOND, |view| {
            matches!(engine_fact(view), Some(EngineFact::Refused { .. }))
        })
        .await;
    println!("refused after {took:?}");
    assert!(watched.host.engine().is_none());
    assert!(
        old.given_up().is_cancelled(),
        "streams of the old connection end"
    );
    {
        let view = watched.host.view();
        let view = view.borrow();
        assert!(
            present(&view, &name).is_some(),
            "what was known stays, with its time"
        );
        assert!(!view.listing_complete);
    }
    // Long enough for the waits between attempts to grow.
    tokio::time::sleep(8 * SECOND).await;
    assert!(watched.host.view().borrow().retry_in_ms.is_some());

    lab.start_daemon_again();
    let took = watched
        .until("answering again", 10 * SECOND, |view| {
            view.answers() && view.listing_complete
        })
        .await;
    println!("healed after {took:?}");
    assert!(watched.host.engine().is_some());
    assert_eq!(watched.host.view().borrow().containers[&name].starts.at, []);
    assert_eq!(watched.end().await, Vec::<&str>::new());
}

#[tokio::test]
#[ignore = "needs root and dockerd: an engine of our own is stopped and frozen"]
async fn a_frozen_engine_is_hung_and_not_down() {
    let lab = Lab::own();
    let name = lab.start("kept", &[], "sleep 600");
    let watched = lab.watch(&[&name]);
    watched.until_listed().await;
    for visible in [true, false] {
        watched.host.set_visible(visible);
        tokio::time::sleep(SECOND).await;
        lab.signal("-STOP");
        let took = watched
            .until("timed out", 10 * SECOND, |view| {
                matches!(engine_fact(view), Some(EngineFact::TimedOut { .. }))
            })
            .await;
        println!("hung after {took:?}, visible: {visible}");
        assert!(watched.host.engine().is_none());
        tokio::time::sleep(6 * SECOND).await;
        assert!(
            matches!(
                engine_fact(&watched.host.view().borrow()),
                Some(EngineFact::TimedOut { .. })
            ),
            "hung stays hung"
        );
        lab.signal("-CONT");
        let took = watched
            .until("answering again", 10 * SECOND, |view| {
                view.answers() && view.listing_complete
            })
            .await;
        println!("healed after {took:?}");
    }
}
