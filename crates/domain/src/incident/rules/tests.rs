use super::*;
use crate::{
    checks::tests::{answering_api, healthy, refused_engine},
    container::RunState,
    facts::{ApiFact, ContainerFact, Facts, Measured},
};

struct Site {
    book: IncidentBook,
    services: Vec<(ServiceId, HostId, Facts)>,
}

impl Site {
    fn new() -> Self {
        let host = HostId::new("local").expect("id");
        let services = ["myia", "myia-turbo"]
            .map(|id| (ServiceId::new(id).expect("id"), host.clone(), healthy()))
            .to_vec();
        Self {
            book: IncidentBook::default(),
            services,
        }
    }

    fn observe(&mut self, second: i64) -> Changes {
        let now = Timestamp::from_second(second).expect("time");
        let ladders: Vec<Ladder> = self
            .services
            .iter()
            .map(|(_, _, facts)| {
                let mut facts = facts.clone();
                facts.now = now;
                touch(&mut facts, now);
                Ladder::climb(&facts, None)
            })
            .collect();
        let judged: Vec<Judged<'_>> = self
            .services
            .iter()
            .zip(&ladders)
            .map(|((service, host, _), ladder)| Judged {
                service,
                host,
                ladder,
                acting_since: None,
                placement_right: false,
            })
            .collect();
        self.book.observe(now, &judged, &[])
    }

    fn facts(&mut self, service: usize) -> &mut Facts {
        &mut self.services[service].2
    }
}

/// One service alone, judged at the moment of its facts.
pub(crate) fn observe(book: &mut IncidentBook, facts: &Facts) -> Changes {
    let ladder = Ladder::climb(facts, None);
    let judged = Judged {
        service: &ServiceId::new("myia").expect("id"),
        host: &HostId::new("local").expect("id"),
        ladder: &ladder,
        acting_since: None,
        placement_right: false,
    };
    book.observe(facts.now, &[judged], &[])
}

/// Every measurement of the facts is of this moment.
pub(crate) fn touch(facts: &mut Facts, now: Timestamp) {
    fn at<T>(fact: &mut Option<Measured<T>>, now: Timestamp) {
        if let Some(fact) = fact {
            fact.at = now;
        }
    }
    at(&mut facts.host, now);
    at(&mut facts.engine, now);
    at(&mut facts.container, now);
    at(&mut facts.program, now);
    at(&mut facts.api, now);
    at(&mut facts.space, now);
    at(&mut facts.registry, now);
    at(&mut facts.workspace, now);
    at(&mut facts.configuration, now);
    at(&mut facts.log, now);
}

fn api(facts: &mut Facts, fact: ApiFact) {
    facts.api = Some(Measured::new(fact, facts.now));
}

const T: i64 = 1_800_000_000;

#[test]
fn a_healthy_site_opens_none() {
    let mut site = Site::new();
    assert_eq!(site.observe(T), Changes::default());
    assert!(site.book.open().is_empty());
}

#[test]
fn one_incident_on_the_lowest_rung_and_it_closes_by_itself() {
    let mut site = Site::new();
    api(
        site.facts(0),
        ApiFact::Refused {
            reason: "refused".into(),
        },
    );
    let changes = site.observe(T);
    assert_eq!(changes.opened.len(), 1);
    assert_eq!(changes.opened[0].cause.code(), "api.refused");
    assert_eq!(
        site.observe(T + 5),
        Changes::default(),
        "the same fault is no news"
    );
    api(site.facts(0), answering_api());
    assert_eq!(site.observe(T + 10).closed.len(), 1);
    assert!(site.book.open().is_empty());
}

#[test]
fn a_broken_engine_is_one_incident_and_hides_the_rest() {
    let mut site = Site::new();
    api(
        site.facts(0),
        ApiFact::Refused {
            reason: "refused".into(),
        },
    );
    site.observe(T);
    for service in 0..2 {
        site.facts(service).engine = Some(refused_engine());
    }
    let changes = site.observe(T + 5);
    assert_eq!(
        changes.opened.len(),
        1,
        "one for the host, none for its services"
    );
    assert_eq!(changes.closed, [], "what cannot be seen is not proved gone");
    let open = site.book.open();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].cause.code(), "engine.refused");
    assert_eq!(open[0].hides.len(), 2);
    for service in 0..2 {
        site.facts(service).engine = healthy().engine;
    }
    let healed = site.observe(T + 10);
    assert_eq!(healed.closed.len(), 1);
    assert_eq!(
        site.book.open()[0].cause.code(),
        "api.refused",
        "it is still true, and shown"
    );
}

#[test]
fn a_new_cause_on_the_same_subject_replaces_the_old_one() {
    let mut site = Site::new();
    api(
        site.facts(0),
        ApiFact::Refused {
            reason: "refused".into(),
        },
    );
    site.observe(T);
    let mut stopped = healthy();
    if let Some(Measured {
        value: ContainerFact::Present(c),
        ..
    }) = &mut stopped.container
    {
        c.state = RunState::Exited;
        c.exit_code = Some(0);
    }
    site.facts(0).container = stopped.container;
    let changes = site.observe(T + 5);
    assert_eq!(changes.opened[0].cause.code(), "container.exited");
    assert_eq!(site.book.open().len(), 1, "exactly one");
}

#[test]
fn a_start_within_its_usual_time_is_no_incident() {
    let mut site = Site::new();
    let facts = site.facts(0);
    facts.usual_start_s = Some(60);
    if let Some(Measured {
        value: ContainerFact::Present(c),
        ..
    }) = &mut facts.container
    {
        c.started_at = Timestamp::from_second(T).ok();
    }
    facts.program = None;
    api(
        facts,
        ApiFact::Refused {
            reason: "refused".into(),
        },
    );
    assert_eq!(site.observe(T + 30), Changes::default());
    let late = site.observe(T + 121);
    assert_eq!(
        late.opened[0].cause.code(),
        "api.refused",
        "twice the usual time is over"
    );
}

#[test]
fn an_action_asked_for_here_is_no_news() {
    let mut site = Site::new();
    let facts = site.facts(0).clone();
    let mut stopped = facts;
    if let Some(Measured {
        value: ContainerFact::Present(c),
        ..
    }) = &mut stopped.container
    {
        c.state = RunState::Exited;
    }
    let ladder = Ladder::climb(&stopped, None);
    let (service, host, _) = &site.services[0];
    let judged = [Judged {
        service,
        host,
        ladder: &ladder,
        acting_since: Some(stopped.now),
        placement_right: false,
    }];
    let changes = IncidentBook::default().observe(stopped.now, &judged, &[]);
    assert_eq!(changes, Changes::default());
}

fn refuse(site: &mut Site) {
    let refused = ApiFact::Refused {
        reason: "refused".into(),
    };
    api(site.facts(0), refused);
}

fn answer(site: &mut Site) {
    api(site.facts(0), answering_api());
}

#[test]
fn flapping_is_one_incident_that_says_so() {
    let mut site = Site::new();
    let (mut opened, mut closed) = (vec![], vec![]);
    // Much longer than the window: it must not close and open again in the middle.
    for round in 0..60 {
        refuse(&mut site);
        let changes = site.observe(T + round * 20);
        opened.extend(changes.opened.iter().map(|i| (round, i.flapping)));
        closed.extend(changes.closed.iter().map(|_| round));
        answer(&mut site);
        let changes = site.observe(T + round * 20 + 10);
        opened.extend(changes.opened.iter().map(|i| (round, i.flapping)));
        closed.extend(changes.closed.iter().map(|_| round));
        let expected = u32::try_from(round + 1).expect("few");
        if round > 0 {
            let open = site.book.open();
            assert_eq!(open.len(), 1, "round {round}");
            assert!(open[0].flapping, "round {round}");
            assert_eq!(open[0].count, expected, "each return counts");
        }
    }
    assert_eq!(opened, [(0, false), (1, true)], "the third change says so");
    assert_eq!(closed, [0], "one heal, and then none until it is quiet");
    let last = T + 59 * 20 + 10;
    assert_eq!(
        site.observe(last + 270).closed,
        [],
        "not quiet for long enough"
    );
    let quiet = site.observe(last + 291);
    assert_eq!(
        quiet.closed.len(),
        1,
        "fewer than three changes in five minutes"
    );
    assert!(site.book.open().is_empty());
}

#[test]
fn steadily_broken_is_no_flapping() {
    let mut site = Site::new();
    for second in [0, 20, 40] {
        refuse(&mut site);
        site.observe(T + second);
        answer(&mut site);
        site.observe(T + second + 10);
    }
    refuse(&mut site);
    site.observe(T + 60);
    assert!(site.book.open()[0].flapping);
    for second in (70..=420).step_by(10) {
        assert_eq!(site.observe(T + second), Changes::default());
    }
    let open = site.book.open();
    assert!(
        !open[0].flapping,
        "broken for five minutes without a change"
    );
    assert_eq!(open[0].count, 4);
    answer(&mut site);
    assert_eq!(
        site.observe(T + 430).closed.len(),
        1,
        "and heals like any other"
    );
}

#[test]
fn another_cause_replaces_even_what_flaps() {
    let mut site = Site::new();
    for second in [0, 20] {
        refuse(&mut site);
        site.observe(T + second);
        answer(&mut site);
        site.observe(T + second + 10);
    }
    assert!(site.book.open()[0].flapping);
    let facts = site.facts(0);
    api(
        facts,
        ApiFact::TimedOut {
            deadline_ms: 5000,
            progress_moves: false,
        },
    );
    let changes = site.observe(T + 40);
    assert_eq!(changes.closed.len(), 1);
    let open = site.book.open();
    assert_eq!(open.len(), 1, "never two on one subject");
    assert_eq!(open[0].cause.code(), "api.timeout");
}

#[test]
fn a_service_taken_out_of_the_settings_closes_even_what_flaps() {
    let mut site = Site::new();
    for second in [0, 20] {
        refuse(&mut site);
        site.observe(T + second);
        answer(&mut site);
        site.observe(T + second + 10);
    }
    site.services.remove(0);
    assert_eq!(site.observe(T + 40).closed.len(), 1);
    assert!(site.book.open().is_empty());
}

#[test]
fn a_clock_that_is_set_back_leaves_no_changes_in_the_future() {
    let mut site = Site::new();
    for second in [0, 20, 40] {
        refuse(&mut site);
        site.observe(T + second);
        answer(&mut site);
        site.observe(T + second + 10);
    }
    assert!(site.book.open()[0].flapping);
    let day_before = T - 86_400;
    assert_eq!(site.observe(day_before).closed.len(), 1);
    refuse(&mut site);
    let changes = site.observe(day_before + 10);
    assert_eq!(
        (changes.opened.len(), changes.opened[0].flapping),
        (1, false)
    );
}

#[test]
fn a_start_is_no_proof() {
    use crate::{
        checks::tests::with_program,
        facts::{ProgramFact, SupervisorState},
    };
    let mut site = Site::new();
    site.facts(0).program = with_program(SupervisorState::Fatal).program;
    assert_eq!(site.observe(T).opened.len(), 1);
    let starting = Facts {
        program_phase_since: Timestamp::from_second(T + 10).ok(),
        ..with_program(SupervisorState::Starting)
    };
    *site.facts(0) = starting;
    assert_eq!(
        site.observe(T + 12),
        Changes::default(),
        "it may fail again"
    );
    assert_eq!(site.book.open()[0].cause.code(), "program.fatal");
    *site.facts(0) = healthy();
    assert!(matches!(
        site.facts(0).program.as_ref().map(|m| &m.value),
        Some(ProgramFact::Supervised { .. })
    ));
    assert_eq!(site.observe(T + 20).closed.len(), 1, "RUNNING is");
}

#[test]
fn what_an_engine_hid_is_shown_again_with_its_return() {
    let mut site = Site::new();
    refuse(&mut site);
    site.observe(T);
    for service in 0..2 {
        site.facts(service).engine = Some(refused_engine());
    }
    site.observe(T + 5);
    for service in 0..2 {
        site.facts(service).engine = healthy().engine;
    }
    // Back, and not asked yet: neither proved nor refuted.
    site.facts(0).api = None;
    site.observe(T + 10);
    let open = site.book.open();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].cause.code(), "api.refused");
}

#[test]
fn an_action_that_takes_too_long_is_muted_no_longer() {
    let mut stopped = healthy();
    if let Some(Measured {
        value: ContainerFact::Present(c),
        ..
    }) = &mut stopped.container
    {
        c.state = RunState::Exited;
    }
    let ladder = Ladder::climb(&stopped, None);
    let (service, host) = (
        ServiceId::new("myia").expect("id"),
        HostId::new("local").expect("id"),
    );
    let opened = |ago: i64| {
        let judged = Judged {
            service: &service,
            host: &host,
            ladder: &ladder,
            acting_since: Timestamp::from_second(T - ago).ok(),
            placement_right: false,
        };
        IncidentBook::default()
            .observe(stopped.now, &[judged], &[])
            .opened
            .len()
    };
    assert_eq!(opened(ACTING_QUIET_S), 0);
    assert_eq!(opened(ACTING_QUIET_S + 1), 1);
}

#[test]
fn a_bad_picture_ends_with_the_run_that_made_it() {
    use crate::{facts::ImageFact, generation::GenerationVerdict};
    let mut site = Site::new();
    site.facts(0).image = Some(Measured::new(
        ImageFact {
            verdict: GenerationVerdict::CudaContextLost,
            on_cpu: false,
            took_ms: 900,
            error: None,
        },
        Timestamp::from_second(T).expect("time"),
    ));
    assert_eq!(
        site.observe(T).opened[0].cause.code(),
        "image.cuda_context_lost"
    );
    let facts = site.facts(0);
    facts.program = None;
    if let Some(Measured {
        value: ContainerFact::Present(c),
        ..
    }) = &mut facts.container
    {
        c.started_at = Timestamp::from_second(T + 20).ok();
    }
    let changes = site.observe(T + 30);
    assert_eq!(changes.closed.len(), 1);
    assert!(site.book.open().is_empty());
}

#[test]
fn advice_gives_way_and_is_announced_once_a_month() {
    use crate::facts::RegistryFact;
    let mut site = Site::new();
    let old = RegistryFact {
        image: "a:latest".into(),
        digest: "sha256:1".into(),
        built_at: Timestamp::from_second(T - 400 * 86_400).expect("time"),
    };
    let now = site.facts(0).now;
    site.facts(0).registry = Some(Measured::new(old, now));
    assert_eq!(site.observe(T).opened.len(), 1);
    refuse(&mut site);
    let changes = site.observe(T + 10);
    assert_eq!(changes.opened[0].cause.code(), "api.refused");
    assert_eq!(changes.closed[0].cause.code(), "freshness.abandoned");
    answer(&mut site);
    let changes = site.observe(T + 4000);
    assert_eq!(changes.opened, [], "said before");
    assert_eq!(site.book.open()[0].cause.code(), "freshness.abandoned");
    refuse(&mut site);
    let changes = site.observe(T + 4010);
    assert_eq!(changes.closed, [], "what was not announced does not end");
    answer(&mut site);
    let changes = site.observe(T + 31 * 86_400);
    assert_eq!(changes.opened.len(), 1, "a month later");
}

/// One service with a green ladder but for what a placement proof says, and one card.
fn placed(
    book: &mut IncidentBook,
    second: i64,
    verdict: Option<(crate::placement::PlacementVerdict, bool)>,
    right: bool,
) -> Changes {
    let mut facts = healthy();
    let at = Timestamp::from_second(second).expect("time");
    facts.now = at;
    touch(&mut facts, at);
    facts.placement = verdict.map(|(verdict, faded)| {
        let fact = crate::facts::PlacementFact {
            verdict,
            faded,
            declared: None,
            measured: None,
            shared_with: Vec::new(),
        };
        Measured::new(fact, at)
    });
    let ladder = Ladder::climb(&facts, None);
    let judged = Judged {
        service: &ServiceId::new("myia").expect("id"),
        host: &HostId::new("local").expect("id"),
        ladder: &ladder,
        acting_since: None,
        placement_right: right,
    };
    book.observe(at, &[judged], &[])
}

#[test]
fn a_wrong_placement_is_open_until_a_proof_finds_it_right() {
    use crate::placement::PlacementVerdict::{Agrees, CouldNotTell, Differs, Undeclared};
    let mut book = IncidentBook::default();
    let opened = placed(&mut book, T, Some((Differs, false)), false).opened;
    assert_eq!(opened.len(), 1);
    assert_eq!(opened[0].cause, Cause::PlacementMismatch);
    for (second, verdict) in [
        (60, Some((Differs, true))),
        (120, Some((CouldNotTell, false))),
        (180, Some((Undeclared, false))),
        (240, None),
    ] {
        let changes = placed(&mut book, T + second, verdict, false);
        assert_eq!(changes.closed, [], "{verdict:?} proves nothing");
        assert_eq!(book.open().len(), 1, "{verdict:?}");
    }
    let closed = placed(&mut book, T + 300, Some((Agrees, false)), true).closed;
    assert_eq!(closed.len(), 1);
    assert_eq!(book.open(), []);
}

mod cards;
mod writers;

#[test]
fn what_the_plan_has_at_rest_is_no_incident_and_what_runs_is_judged_as_ever() {
    let since = Timestamp::from_second(1_000).expect("time");
    let mut site = Site::new();
    for state in [RunState::Exited, RunState::Created] {
        let facts = site.facts(0);
        let mut container = healthy().container.expect("a container");
        if let ContainerFact::Present(found) = &mut container.value {
            found.state = state;
        }
        facts.container = Some(container);
        let broken = Ladder::climb(facts, None);
        assert_eq!(broken.status(), Status::Failing);
        let rests = broken.at_rest(since);
        assert_eq!(rests.status(), Status::NotConfigured);
        assert!(rests.lowest_broken().is_none());
        let above = rests.rungs.iter().filter(|r| r.rung >= Rung::Container);
        for rung in above {
            assert_eq!(rung.outcome.cause, Some(Cause::Resting), "{rung:?}");
            assert_eq!(rung.outcome.since, Some(since));
        }
        let host = rests.outcome(Rung::Host).expect("a rung");
        assert_eq!(host.status, Status::Ok, "what is below is judged as ever");
    }
    let runs = Ladder::climb(&healthy(), None);
    assert_eq!(runs.clone().at_rest(since), runs);
    let facts = Facts {
        engine: Some(refused_engine()),
        ..healthy()
    };
    let unseen = Ladder::climb(&facts, None);
    assert_eq!(unseen.clone().at_rest(since), unseen, "the engine is down");
}
