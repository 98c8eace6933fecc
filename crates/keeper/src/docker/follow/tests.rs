use super::*;

const WINDOW: Duration = Duration::from_mins(10);

fn listed(name: &str, compose: Option<(&str, &str)>, state: RunState) -> Listed {
    Listed {
        id: format!("id-of-{name}"),
        names: vec![name.to_owned()],
        image: String::new(),
        state: Some(state),
        compose_project: compose.map(|(project, _)| project.to_owned()),
        compose_service: compose.map(|(_, service)| service.to_owned()),
    }
}

#[test]
fn a_name_means_the_container_of_that_name_or_of_that_compose_service() {
    let all = [
        listed(
            "myia_supervisor_1",
            Some(("myia", "supervisor")),
            RunState::Running,
        ),
        listed("other-supervisor-1", None, RunState::Running),
        listed("exact", None, RunState::Exited),
        listed("twin-a-1", Some(("twin", "a")), RunState::Exited),
        listed("twin-a-2", Some(("twin", "a")), RunState::Running),
    ];
    for (wanted, found) in [
        ("myia-supervisor-1", Some("myia_supervisor_1")),
        ("myia_supervisor_1", Some("myia_supervisor_1")),
        ("myia/supervisor", Some("myia_supervisor_1")),
        ("other_supervisor_1", None), // not of compose: another container
        ("exact", Some("exact")),
        ("twin/a", Some("twin-a-2")), // the running one
        ("twin/b", None),
        ("supervisor", None),
    ] {
        let name = find(wanted, &all).map(|container| container.names[0].as_str());
        assert_eq!(name, found, "{wanted}");
    }
}

#[test]
fn the_exact_name_wins_over_the_similar_one() {
    let all = [
        listed("a_b_1", Some(("a", "b")), RunState::Running),
        listed("a-b-1", Some(("a", "b")), RunState::Exited),
    ];
    assert_eq!(
        find("a-b-1", &all).map(|c| c.names[0].as_str()),
        Some("a-b-1")
    );
}

#[test]
fn events_concern_by_id_name_and_service() {
    let event = EngineEvent {
        action: "die".into(),
        id: "1".into(),
        names: vec!["myia-supervisor-1".into()],
        compose_project: Some("myia".into()),
        compose_service: Some("supervisor".into()),
    };
    assert!(concerns("x", Some("1"), &event));
    assert!(concerns("myia-supervisor-1", None, &event));
    assert!(concerns("myia/supervisor", None, &event));
    assert!(!concerns("myia-turbo-supervisor-1", Some("2"), &event));
}

fn snapshot(id: &str, count: u32, started_s: i64, state: RunState) -> ContainerSnapshot {
    ContainerSnapshot {
        id: id.into(),
        name: "x".into(),
        image: String::new(),
        image_id: String::new(),
        state,
        exit_code: None,
        oom_killed: false,
        error: None,
        started_at: Timestamp::from_second(started_s).ok(),
        finished_at: None,
        created_at: None,
        restart_count: count,
        health: None,
        memory_limit: None,
        tty: false,
        ports: Vec::new(),
        compose_project: None,
        compose_service: None,
        compose_file: None,
        image_title: None,
        image_source: None,
        gpu_device_ids: Vec::new(),
        gpu_count: None,
        command: Vec::new(),
        env_names: Vec::new(),
        gpu_env: Vec::new(),
        compose_hash: None,
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

#[test]
fn restarts_by_the_policy_are_counted_once_each() {
    let mut watch = StartWatch::default();
    watch.observe(&snapshot("1", 0, 10, RunState::Running), at(10), WINDOW);
    watch.observe(&snapshot("1", 1, 10, RunState::Restarting), at(11), WINDOW);
    watch.observe(&snapshot("1", 1, 12, RunState::Running), at(12), WINDOW);
    watch.observe(&snapshot("1", 3, 14, RunState::Running), at(14), WINDOW);
    assert_eq!(watch.recent(at(14), WINDOW).at, [at(11), at(14), at(14)]);
}

#[test]
fn a_restart_somebody_asked_for_is_no_crash() {
    let mut watch = StartWatch::default();
    watch.observe(&snapshot("1", 0, 10, RunState::Running), at(10), WINDOW);
    watch.ended_on_request();
    watch.observe(&snapshot("1", 0, 20, RunState::Running), at(20), WINDOW);
    watch.expect_start(at(40));
    watch.observe(&snapshot("1", 0, 30, RunState::Running), at(30), WINDOW);
    // Stopped, looked at, started by hand.
    watch.observe(&snapshot("1", 0, 30, RunState::Exited), at(35), WINDOW);
    watch.observe(&snapshot("1", 0, 50, RunState::Running), at(50), WINDOW);
    // Recreated.
    watch.observe(&snapshot("2", 0, 60, RunState::Running), at(60), WINDOW);
    // The engine itself was restarted.
    watch.after_absence();
    watch.observe(&snapshot("2", 0, 70, RunState::Running), at(70), WINDOW);
    assert_eq!(watch.recent(at(70), WINDOW).at, []);
}

#[test]
fn a_start_that_nobody_asked_for_is_counted_and_forgotten_after_the_window() {
    let mut watch = StartWatch::default();
    watch.observe(&snapshot("1", 0, 10, RunState::Running), at(10), WINDOW);
    watch.observe(&snapshot("1", 0, 20, RunState::Running), at(20), WINDOW);
    assert_eq!(watch.recent(at(21), WINDOW).at, [at(20)]);
    assert_eq!(watch.recent(at(621), WINDOW).at, []);
}

#[test]
fn a_restart_expected_too_long_ago_is_not_expected_any_more() {
    let mut watch = StartWatch::default();
    watch.observe(&snapshot("1", 0, 10, RunState::Running), at(10), WINDOW);
    watch.expect_start(at(15));
    watch.observe(&snapshot("1", 0, 20, RunState::Running), at(20), WINDOW);
    assert_eq!(watch.recent(at(21), WINDOW).at, [at(20)]);
}

#[test]
fn a_mad_count_stays_bounded() {
    let mut watch = StartWatch::default();
    watch.observe(&snapshot("1", 0, 10, RunState::Running), at(10), WINDOW);
    watch.observe(
        &snapshot("1", u32::MAX, 10, RunState::Running),
        at(11),
        WINDOW,
    );
    assert_eq!(watch.recent(at(11), WINDOW).at.len(), MAX_STARTS);
}
