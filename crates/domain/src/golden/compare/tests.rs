use super::*;
use crate::{
    Timestamp,
    generation::{CardUse, GenerationRequest, Seed},
    golden::{GoldenEntry, GoldenPrompt, GoldenSet, SetProblem, csv},
    ids::{GpuUuid, HostId, JobId, ServiceId},
};

fn record(verdict: GenerationVerdict, took_ms: u32) -> GenerationRecord {
    GenerationRecord {
        id: JobId::new("job").unwrap(),
        service: ServiceId::new("myia").unwrap(),
        request: GenerationRequest {
            prompt: "=cmd(), a \"fox\"".to_owned(),
            ..GenerationRequest::default()
        },
        started_at: Timestamp::UNIX_EPOCH,
        took_ms,
        verdict,
        pictures: Vec::new(),
        substitutions: Vec::new(),
        parameters: None,
        model: None,
        error: None,
        timing: None,
        card: None,
        on_cpu: false,
        workflow: None,
    }
}

fn run(service: &str, entries: &[(&str, GenerationVerdict, u32)]) -> GoldenRun {
    GoldenRun {
        id: JobId::new(format!("run-{service}")).unwrap(),
        set: "set".to_owned(),
        service: ServiceId::new(service).unwrap(),
        started_at: Timestamp::UNIX_EPOCH,
        complete: true,
        entries: entries
            .iter()
            .map(|(prompt, verdict, took)| GoldenEntry {
                prompt: (*prompt).to_owned(),
                record: record(*verdict, *took),
            })
            .collect(),
    }
}

use GenerationVerdict::{Failed, Proved};

fn alike(similarity: f64) -> Option<Likeness> {
    Some(Likeness {
        identical: false,
        similarity: Some(similarity),
    })
}

/// Of the prompts `a` and `b`.
fn likes(seen: [Option<Likeness>; 2]) -> BTreeMap<String, Likeness> {
    let named = ["a", "b"].map(str::to_owned).into_iter().zip(seen);
    named
        .filter_map(|(name, like)| Some((name, like?)))
        .collect()
}

const IDENTICAL: Option<Likeness> = Some(Likeness {
    identical: true,
    similarity: Some(1.0),
});

#[test]
fn the_finding_is_that_of_the_worst_prompt_the_reference_proved() {
    let reference = run(
        "myia",
        &[("a", Proved, 1_000), ("b", Proved, 1_000), ("c", Failed, 9)],
    );
    let cases: [(
        &[(&str, GenerationVerdict, u32)],
        [Option<Likeness>; 2],
        GoldenFinding,
    ); 7] = [
        (
            &[("a", Proved, 1), ("b", Proved, 1), ("c", Failed, 1)],
            [IDENTICAL, IDENTICAL],
            GoldenFinding::Same,
        ),
        (
            &[("a", Proved, 1), ("b", Proved, 1)],
            [IDENTICAL, alike(0.97)],
            GoldenFinding::Alike,
        ),
        (
            &[("a", Proved, 1), ("b", Proved, 1)],
            [alike(0.97), IDENTICAL],
            GoldenFinding::Alike,
        ),
        (
            &[("a", Proved, 1), ("b", Proved, 1)],
            [alike(0.5), IDENTICAL],
            GoldenFinding::Different,
        ),
        (
            &[("a", Proved, 1), ("b", Proved, 1)],
            [None, IDENTICAL],
            GoldenFinding::Different,
        ),
        (
            &[("a", Proved, 1), ("b", Failed, 1)],
            [IDENTICAL, None],
            GoldenFinding::Worse,
        ),
        (&[("a", Proved, 1)], [IDENTICAL, None], GoldenFinding::Worse),
    ];
    for (entries, seen, finding) in cases {
        let found = compare(
            &reference,
            &run("myia", entries),
            &BTreeMap::new(),
            &likes(seen),
        );
        assert_eq!(found.summary.finding, finding, "{entries:?}");
    }
    let nothing = run("myia", &[("a", Failed, 1)]);
    let found = compare(&nothing, &reference, &BTreeMap::new(), &BTreeMap::new());
    assert_eq!(found.summary.finding, GoldenFinding::Nothing);
    assert!(!found.holds);
}

#[test]
fn one_service_must_make_the_same_pictures_another_all_of_them() {
    let reference = run("myia", &[("a", Proved, 1_000)]);
    let different = |service| {
        let candidate = run(service, &[("a", Proved, 1_000)]);
        compare(
            &reference,
            &candidate,
            &BTreeMap::new(),
            &likes([alike(0.4), None]),
        )
    };
    assert!(!different("myia").holds);
    assert!(different("comfyui").holds);
}

#[test]
fn the_reference_is_the_oldest_complete_run() {
    let named = |id: &str, service: &str, complete| GoldenRun {
        id: JobId::new(id).unwrap(),
        complete,
        ..run(service, &[])
    };
    let runs = [
        named("newest", "myia", true),
        named("first", "myia", true),
        named("other", "comfyui", true),
        named("cut-off", "myia", false),
    ];
    let of = |service: &str| {
        let found = reference(&runs, |run| run.service.as_str() == service);
        found.map(|run| run.id.as_str().to_owned())
    };
    assert_eq!(of("myia").as_deref(), Some("first"));
    assert_eq!(of("comfyui").as_deref(), Some("other"));
    assert_eq!(of("nobody"), None);
}

#[test]
fn times_peaks_and_votes_are_summed_up() {
    let mut reference = run(
        "myia",
        &[
            ("a", Proved, 1_000),
            ("b", Proved, 2_000),
            ("c", Proved, 4_000),
        ],
    );
    reference.entries[1].record.card = Some(CardUse {
        host: HostId::new("local").unwrap(),
        uuid: GpuUuid::new("GPU-a").unwrap(),
        name: "RTX 3090".to_owned(),
        memory_before_bytes: None,
        held_before_bytes: None,
        memory_peak_bytes: Some(8e9),
        load_percent: None,
        proved: false,
    });
    let candidate = run(
        "comfyui",
        &[("a", Proved, 1_500), ("b", Failed, 10), ("d", Proved, 5)],
    );
    let votes = BTreeMap::from([("a".to_owned(), Vote::Candidate)]);
    let found = compare(&reference, &candidate, &votes, &likes([alike(0.6), None]));
    let names: Vec<&str> = found.rows.iter().map(|row| &*row.prompt).collect();
    assert_eq!(names, ["a", "b", "c", "d"]);
    let summary = &found.summary;
    assert_eq!(summary.reference.proved, 3);
    assert_eq!(summary.reference.median_ms, Some(2_000.0));
    assert_eq!(summary.reference.memory_peak_bytes, Some(8e9));
    assert_eq!((summary.candidate.proved, summary.candidate.failed), (2, 1));
    assert_eq!(summary.candidate.memory_peak_bytes, None);
    assert_eq!(summary.slower, Some(1.5));
    assert_eq!(summary.votes, [0, 1, 0, 0]);

    let table = csv(&found);
    let mut rows = table.lines();
    assert!(
        rows.next()
            .unwrap()
            .starts_with("prompt,text,reference_service")
    );
    assert_eq!(
        rows.next().unwrap(),
        "a,\"'=cmd(), a \"\"fox\"\"\",myia,proved,1000,,,,comfyui,proved,1500,,,,false,0.6000,candidate"
    );
    assert!(rows.nth(1).unwrap().ends_with(",comfyui,,,,,,,,"));
}

#[test]
fn a_set_that_could_not_be_compared_is_refused() {
    let prompt = |name: &str| GoldenPrompt {
        name: name.to_owned(),
        request: GenerationRequest {
            seed: Some(Seed(7)),
            ..GenerationRequest::default()
        },
    };
    let set = |prompts| GoldenSet {
        name: "Référence 1".to_owned(),
        prompts,
    };
    assert_eq!(set(vec![prompt("a"), prompt("b")]).check(), Ok(()));
    assert_eq!(set(Vec::new()).check(), Err(SetProblem::Count(0)));
    let twice = set(vec![prompt("a"), prompt("a")]).check();
    assert_eq!(twice, Err(SetProblem::Twice("a".to_owned())));
    for bad in ["", " a", "a\nb", &"x".repeat(81)] {
        assert_eq!(
            set(vec![prompt(bad)]).check(),
            Err(SetProblem::Name(bad.to_owned()))
        );
    }
    let mut loose = prompt("a");
    loose.request.seed = None;
    assert_eq!(
        set(vec![loose]).check(),
        Err(SetProblem::Seed("a".to_owned()))
    );
    let mut large = prompt("a");
    large.request.width = 9_999;
    assert!(matches!(
        set(vec![large]).check(),
        Err(SetProblem::Request { .. })
    ));
}

#[test]
fn a_comparison_begins_with_the_oldest_complete_run_and_the_newest_one() {
    let of = |id: &str, complete| GoldenRun {
        id: JobId::new(id).unwrap(),
        complete,
        ..run("myia", &[])
    };
    let ids = |runs: &[GoldenRun]| to_compare(runs).map(|run| run.map(|run| run.id.to_string()));
    let said = |a: &str, b: &str| [a, b].map(|id| (!id.is_empty()).then(|| id.to_owned()));
    assert_eq!(ids(&[]), said("", ""));
    assert_eq!(ids(&[of("a", false)]), said("a", ""));
    let mut runs = vec![of("b", false), of("a", false)];
    assert_eq!(ids(&runs), said("a", "b"));
    runs.insert(0, of("c", true));
    assert_eq!(ids(&runs), said("c", "b"), "a cut one is no reference");
    runs.splice(0..0, [of("e", false), of("d", true)]);
    assert_eq!(ids(&runs), said("c", "d"));
}

#[test]
fn a_time_is_told_apart_from_noise() {
    for (slower, word) in [
        (0.5, Pace::Faster),
        (0.971, Pace::AsFast),
        (1.029, Pace::AsFast),
        (1.031, Pace::Slower),
        (1.1, Pace::Slower),
        (1.11, Pace::MuchSlower),
    ] {
        assert_eq!(pace(slower), word, "{slower}");
    }
}
