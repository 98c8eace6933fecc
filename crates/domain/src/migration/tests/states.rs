use super::*;

fn state_of(step: &str, own: &OwnPlan, proofs: &Proofs) -> StepState {
    let steps = own.steps();
    let planned = steps.iter().find(|p| p.step.id.as_str() == step).unwrap();
    state(planned, &steps, proofs, at(NOW))
}

#[test]
fn proofs_make_the_state_of_a_step() {
    let by = |by: &str| Basis::Attested { by: by.to_owned() };
    let day = "2026-12-10T10:00:00Z";
    let earlier = "2026-12-09T10:00:00Z";
    let proved = |attested| StepState::Proved {
        at: at(day),
        attested,
    };
    // `disk-space` is measured and holds for seven days, `read-docs` is attested and holds for ever.
    for (what, step, proofs, expected) in [
        ("nothing", "disk-space", vec![], StepState::Ready),
        ("measured", "disk-space", vec![measured(day)], proved(false)),
        (
            "a word for a measurement",
            "disk-space",
            vec![attested(day)],
            StepState::Ready,
        ),
        (
            "a measurement for a word",
            "read-docs",
            vec![measured(day)],
            StepState::Ready,
        ),
        ("attested", "read-docs", vec![attested(day)], proved(true)),
        (
            "attested by nobody",
            "read-docs",
            vec![proof(day, Verdict::Passed, by(" "))],
            StepState::Ready,
        ),
        (
            "attested not to hold",
            "read-docs",
            vec![attested(earlier), proof(day, Verdict::Failed, by("jesse"))],
            StepState::Failed { at: at(day) },
        ),
        (
            "running",
            "disk-space",
            vec![proof(day, Verdict::Running, Basis::Measured)],
            StepState::Running { since: at(day) },
        ),
        (
            "failed after it passed, whatever the order",
            "disk-space",
            vec![
                proof(day, Verdict::Failed, Basis::Measured),
                measured(earlier),
            ],
            StepState::Failed { at: at(day) },
        ),
        (
            "passed after it failed",
            "disk-space",
            vec![
                proof(earlier, Verdict::Failed, Basis::Measured),
                measured(day),
            ],
            proved(false),
        ),
        (
            "a word does not heal a failure",
            "disk-space",
            vec![
                proof(earlier, Verdict::Failed, Basis::Measured),
                attested(day),
            ],
            StepState::Failed { at: at(earlier) },
        ),
        (
            "of one moment the later wins",
            "disk-space",
            vec![proof(day, Verdict::Running, Basis::Measured), measured(day)],
            proved(false),
        ),
        (
            "taken back",
            "disk-space",
            vec![
                measured(earlier),
                proof(day, Verdict::Undone, Basis::Measured),
            ],
            StepState::Ready,
        ),
        (
            "on the last moment of its time",
            "disk-space",
            vec![measured("2026-12-03T12:00:00Z")],
            StepState::Stale { since: at(NOW) },
        ),
        (
            "just before",
            "disk-space",
            vec![measured("2026-12-03T12:00:01Z")],
            StepState::Proved {
                at: at("2026-12-03T12:00:01Z"),
                attested: false,
            },
        ),
        (
            "old, but for ever",
            "read-docs",
            vec![attested("2020-01-01T00:00:00Z")],
            StepState::Proved {
                at: at("2020-01-01T00:00:00Z"),
                attested: true,
            },
        ),
        (
            "from a time to come",
            "disk-space",
            vec![measured("2026-12-10T12:00:01Z")],
            StepState::Ready,
        ),
    ] {
        let proofs = Proofs::from([(id(step), proofs)]);
        assert_eq!(
            state_of(step, &OwnPlan::default(), &proofs),
            expected,
            "{what}"
        );
    }
}

#[test]
fn a_step_waits_for_what_is_not_met() {
    let own = OwnPlan::default();
    let blocked = |missing: &[&str]| StepState::Blocked {
        missing: missing.iter().map(|step| id(step)).collect(),
    };
    let mut proofs = all_passed(&["gpu-plan"], NOW);
    let beside = |proofs: &Proofs| state_of("compose-beside", &own, proofs);
    assert_eq!(beside(&proofs), blocked(&["target-image", "disk-space"]));
    proofs.extend(all_passed(&["target-image", "disk-space"], NOW));
    assert_eq!(beside(&proofs), StepState::Ready);
    // Behind it the chain goes on: only what is directly missing is named.
    assert_eq!(
        state_of("workflows", &own, &proofs),
        blocked(&["compose-beside"])
    );
    for (what, found) in [
        ("stale", measured("2026-11-01T00:00:00Z")),
        ("failed", proof(NOW, Verdict::Failed, Basis::Measured)),
        ("running", proof(NOW, Verdict::Running, Basis::Measured)),
        ("of a word", attested(NOW)),
    ] {
        proofs.insert(id("disk-space"), vec![found]);
        assert_eq!(beside(&proofs), blocked(&["disk-space"]), "{what}");
    }
    // What was found of the step itself is told all the same.
    proofs.insert(
        id("compose-beside"),
        vec![proof(NOW, Verdict::Failed, Basis::Measured)],
    );
    assert_eq!(beside(&proofs), StepState::Failed { at: at(NOW) });
}

#[test]
fn a_skipped_step_is_met_only_with_a_reason() {
    let proofs = all_passed(&["gpu-plan", "disk-space"], NOW);
    let mut own = OwnPlan::default();
    let skip = |why: &str| Change {
        skip: Some(why.to_owned()),
        ..Change::default()
    };
    own.changes.insert(id("target-image"), skip("built here"));
    let why = "built here".to_owned();
    assert_eq!(
        state_of("target-image", &own, &proofs),
        StepState::Skipped { why }
    );
    assert_eq!(state_of("compose-beside", &own, &proofs), StepState::Ready);
    own.changes.insert(id("target-image"), skip(" \n"));
    assert_eq!(state_of("target-image", &own, &proofs), StepState::Ready);
    let missing = vec![id("target-image")];
    assert_eq!(
        state_of("compose-beside", &own, &proofs),
        StepState::Blocked { missing }
    );
}

#[test]
fn a_need_that_is_no_step_is_never_met() {
    let mut own = OwnPlan::default();
    let needs = vec![id("nothing")];
    own.changes.insert(
        id("read-docs"),
        Change {
            needs: needs.clone(),
            ..Change::default()
        },
    );
    let proofs = Proofs::from([(id("nothing"), vec![measured(NOW), attested(NOW)])]);
    assert_eq!(
        state_of("read-docs", &own, &proofs),
        StepState::Blocked { missing: needs }
    );
}

#[test]
fn counts_and_the_next_step_follow_the_states() {
    let mut proofs = all_passed(&["target-image", "read-docs"], NOW);
    proofs.insert(
        id("gpu-plan"),
        vec![proof(NOW, Verdict::Failed, Basis::Measured)],
    );
    proofs.insert(id("disk-space"), vec![measured("2026-11-01T00:00:00Z")]);
    let own = read("[[change]]\nid = 'training'\nskip = 'alone'\n");
    let found = standing(&own, &proofs);
    let counts = Counts {
        measured: 1,
        failed: 1,
        stale: 1,
        ..Counts::default()
    };
    assert_eq!(found.phase(PhaseId::Groundwork).unwrap().counts, counts);
    assert_eq!((found.counts.attested, found.counts.skipped), (1, 1));
    assert_eq!((found.counts.done(), found.counts.total()), (3, 19));
    assert_eq!(found.next, Some(id("gpu-plan")));
    proofs.insert(
        id("gpu-plan"),
        vec![proof(NOW, Verdict::Running, Basis::Measured)],
    );
    assert_eq!(standing(&own, &proofs).next, Some(id("disk-space")));
    let all: Vec<&str> = Plan::built_in()
        .steps
        .iter()
        .map(|step| step.id.as_str())
        .collect();
    let over = standing(&OwnPlan::default(), &all_passed(&all, NOW));
    assert_eq!((over.next, over.counts.done()), (None, 19));
}

#[test]
fn a_failed_step_that_waits_for_another_is_not_next() {
    let mut proofs = all_passed(&["target-image", "gpu-plan", "read-docs", "backup"], NOW);
    proofs.insert(
        id("disk-space"),
        vec![proof(NOW, Verdict::Running, Basis::Measured)],
    );
    proofs.insert(
        id("compose-beside"),
        vec![proof(NOW, Verdict::Failed, Basis::Measured)],
    );
    let found = standing(&OwnPlan::default(), &proofs);
    assert_eq!(found.next, Some(id("maintenance-window")));
}

#[test]
fn an_old_proof_that_has_served_is_not_asked_for_again() {
    let all: Vec<&str> = Plan::built_in()
        .steps
        .iter()
        .map(|step| step.id.as_str())
        .collect();
    let over = standing(
        &OwnPlan::default(),
        &all_passed(&all, "2020-01-01T00:00:00Z"),
    );
    assert!(
        over.states
            .values()
            .any(|state| matches!(state, StepState::Stale { .. }))
    );
    assert_eq!(
        (over.counts.stale, over.counts.done()),
        (0, over.counts.total())
    );
    assert_eq!(over.next, None);
    assert!(
        over.dates
            .values()
            .all(|dates| dates.basis == DateBasis::Proved)
    );
    // The last step rests on the backup, and on nothing else that goes stale.
    let mut proofs = all_passed(&all, "2020-01-01T00:00:00Z");
    proofs.remove(&id("decommission"));
    let found = standing(&OwnPlan::default(), &proofs);
    assert_eq!(found.next, Some(id("backup")));
    let missing = vec![id("backup")];
    assert_eq!(
        found.states[&id("decommission")],
        StepState::Blocked { missing }
    );
    assert_eq!(found.dates[&id("backup")].basis, DateBasis::Computed);
    assert_eq!(found.dates[&id("target-image")].basis, DateBasis::Proved);
    // A step of one's own that nothing needs is asked for again and again.
    let own = read(
        "[[add]]\nid = 'own.look'\nphase = 'cutover'\ntitle = 't'\nwhy = 'w'\ndays = 1\nexpires_after = 7\n",
    );
    let mut proofs = all_passed(&all, "2020-01-01T00:00:00Z");
    proofs.insert(id("own.look"), vec![attested("2020-01-01T00:00:00Z")]);
    assert_eq!(standing(&own, &proofs).next, Some(id("own.look")));
}
