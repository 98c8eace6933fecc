//! Tests of the plan, of what the owner may change, and of what follows from proofs.

use jiff::{civil::date, tz::TimeZone};

use super::*;
use crate::Timestamp;

mod edits;
mod exports;
mod own;
mod states;
mod timeline;

const NOW: &str = "2026-12-10T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn id(text: &str) -> StepId {
    StepId::new(text).unwrap()
}

fn proof(moment: &str, verdict: Verdict, basis: Basis) -> Proof {
    Proof {
        at: at(moment),
        verdict,
        evidence: Vec::new(),
        basis,
    }
}

fn attested(moment: &str) -> Proof {
    let by = "jesse".to_owned();
    proof(moment, Verdict::Passed, Basis::Attested { by })
}

fn measured(moment: &str) -> Proof {
    proof(moment, Verdict::Passed, Basis::Measured)
}

/// The kind of proof that counts for a step.
fn passed(step: &str, moment: &str) -> (StepId, Vec<Proof>) {
    let automatic = Plan::built_in().step(&id(step)).unwrap().check.is_some();
    let proof = if automatic {
        measured(moment)
    } else {
        attested(moment)
    };
    (id(step), vec![proof])
}

fn all_passed(steps: &[&str], moment: &str) -> Proofs {
    steps.iter().map(|step| passed(step, moment)).collect()
}

fn standing(own: &OwnPlan, proofs: &Proofs) -> Standing {
    Standing::of(own, proofs, at(NOW), &TimeZone::UTC)
}

fn read(text: &str) -> OwnPlan {
    OwnPlan::read(text).unwrap()
}

#[test]
fn the_built_in_plan_is_whole() {
    let plan = plan::read().unwrap();
    assert_eq!(&plan, Plan::built_in());
    let phases: Vec<PhaseId> = plan.phases.iter().map(|phase| phase.id).collect();
    assert_eq!(phases, PhaseId::ALL);
    let mut seen = std::collections::BTreeSet::new();
    for step in &plan.steps {
        assert!(seen.insert(&step.id), "{} is there twice", step.id);
        for words in [&step.title, &step.why] {
            assert!(!words.en.is_empty() && !words.fr.is_empty(), "{}", step.id);
        }
        assert!(
            step.days.least > 0 && step.days.least <= step.days.most,
            "{}",
            step.id
        );
        assert!(
            step.needs.iter().all(|need| plan.step(need).is_some()),
            "{}",
            step.id
        );
    }
    let phases: Vec<PhaseId> = plan.steps.iter().map(|step| step.phase).collect();
    assert!(phases.is_sorted());
    assert_eq!(OwnPlan::default().problems(), []);
    assert_eq!(
        (
            plan.risks.len(),
            plan.alternatives.len(),
            plan.timeline.len()
        ),
        (4, 4, 5)
    );
    assert_eq!(
        (
            plan.resources.len(),
            plan.meanwhile.len(),
            plan.afterwards.len()
        ),
        (4, 4, 4)
    );
}

#[test]
fn each_check_belongs_to_one_step_and_the_rest_is_attested() {
    let plan = Plan::built_in();
    for kind in CheckKind::ALL {
        let steps = plan.steps.iter().filter(|step| step.check == Some(*kind));
        assert_eq!(steps.count(), 1, "{kind:?}");
    }
    let attested: Vec<&str> = plan
        .steps
        .iter()
        .filter(|step| step.check.is_none())
        .map(|step| step.id.as_str())
        .collect();
    assert_eq!(
        attested,
        [
            "read-docs",
            "document-models",
            "training",
            "maintenance-window"
        ]
    );
}

#[test]
fn the_steps_of_a_phase_take_as_long_as_the_report_says() {
    let plan = Plan::built_in();
    for phase in &plan.phases {
        // The report counts the two weeks of standby nowhere.
        let steps = plan
            .steps
            .iter()
            .filter(|step| step.phase == phase.id && step.check != Some(CheckKind::Standby));
        let days = steps.fold((0, 0), |(least, most), step| {
            (least + step.days.least, most + step.days.most)
        });
        assert_eq!(Days::from(days), phase.days, "{:?}", phase.id);
    }
}

#[test]
fn french_texts_have_french_typography() {
    let text = include_str!("plan.toml");
    for line in text.lines() {
        for french in line.split("fr = \"").skip(1) {
            let french = french.split('"').next().unwrap();
            assert!(!french.contains('\''), "{french}");
            for sign in [';', ':', '!', '?'] {
                for (place, _) in french.match_indices(sign) {
                    let before = french[..place].chars().next_back();
                    // Names of images have a colon of their own.
                    let name = sign == ':' && french[place..].starts_with(":latest");
                    assert!(name || before == Some('\u{202f}'), "{french}");
                }
            }
        }
    }
}
