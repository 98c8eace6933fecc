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
                acting: false,
            })
            .collect();
        self.book.observe(now, &judged)
    }

    fn facts(&mut self, service: usize) -> &mut Facts {
        &mut self.services[service].2
    }
}

/// Every measurement of the facts is of this moment.
fn touch(facts: &mut Facts, now: Timestamp) {
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
        acting: true,
    }];
    let changes = IncidentBook::default().observe(stopped.now, &judged);
    assert_eq!(changes, Changes::default());
}

#[test]
fn flapping_is_one_incident_that_says_so() {
    let mut site = Site::new();
    let mut opened = 0;
    let mut closed = 0;
    for round in 0..6 {
        api(
            site.facts(0),
            ApiFact::Refused {
                reason: "refused".into(),
            },
        );
        opened += site.observe(T + round * 20).opened.len();
        api(site.facts(0), answering_api());
        closed += site.observe(T + round * 20 + 10).closed.len();
    }
    assert!(
        opened <= 2 && closed <= 1,
        "{opened} opened, {closed} closed"
    );
    let open = site.book.open();
    assert_eq!(open.len(), 1);
    assert!(open[0].flapping);
    let quiet = site.observe(T + 1000);
    assert_eq!(quiet.closed.len(), 1, "quiet long enough");
}
