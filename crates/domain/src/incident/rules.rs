//! Which incident opens where, and when it is gone.
//!
//! One incident per subject, on its lowest broken rung. A host's incident hides those of its
//! services: they are neither opened nor closed while nobody can see them.

use jiff::Timestamp;

use super::{Incident, Subject};
use crate::{
    cause::Cause,
    checks::configuration::TOLD_ON,
    ids::{GpuUuid, HostId, ServiceId},
    ladder::{Ladder, Rung, RungOutcome},
    outcome::{Evidence, Outcome, Status},
};

/// Changes within this many seconds may be flapping.
const FLAPPING_WINDOW_S: i64 = 300;
/// So many changes are flapping.
const FLAPPING_CHANGES: usize = 3;
/// Advice that comes back within this many seconds (30 days) was given already.
const ADVICE_REPEATS_S: i64 = 30 * 86_400;
/// For so many seconds an action may break what it likes on its way: a stop takes up to 30 s, and
/// what comes after it is a start, which is no news by itself. A fault that lasts longer is one.
const ACTING_QUIET_S: i64 = 120;

/// Evidence of an incident that ended though nothing proved its trouble gone: its subject is not
/// there any more.
pub const NOT_KNOWN: &str = "not_known_any_more";

/// A judged service, as the rules need it.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// Which service.
    pub service: &'a ServiceId,
    /// On which host.
    pub host: &'a HostId,
    /// Its ladder.
    pub ladder: &'a Ladder,
    /// Whether a placement proof that counts found it where it is declared.
    pub placement_right: bool,
    /// Since when an action asked for here is under way: what it breaks on its way is no news.
    pub acting_since: Option<Timestamp>,
}

/// What changed with an observation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Opened now, or came back.
    pub opened: Vec<Incident>,
    /// Closed now: proved gone, or replaced by another, or of something that is not known any more.
    /// The last ones say so in their evidence ([`NOT_KNOWN`]).
    pub closed: Vec<Incident>,
}

#[derive(Debug, Clone)]
struct Entry {
    incident: Incident,
    /// Shown as open: broken, or flapping.
    open: bool,
    /// Broken at the last look.
    broken_now: bool,
    /// Above a broken host: true, but not shown.
    hidden: bool,
    /// Lately broken, healed or replaced.
    changes: Vec<Timestamp>,
    /// When its opening was last announced.
    announced_at: Option<Timestamp>,
    /// Whether its present opening was; only then its end is news.
    announced: bool,
}

impl Entry {
    fn new(
        id: String,
        subject: &Subject,
        broken: &RungOutcome,
        cause: Cause,
        now: Timestamp,
    ) -> Self {
        Self {
            incident: Incident {
                id,
                subject: subject.clone(),
                rung: broken.rung,
                status: broken.outcome.status,
                cause,
                evidence: Vec::new(),
                opened_at: now,
                last_seen_at: now,
                count: 0,
                flapping: false,
                hides: Vec::new(),
            },
            open: false,
            broken_now: false,
            hidden: false,
            changes: Vec::new(),
            announced_at: None,
            announced: false,
        }
    }

    /// Records a change of `broken_now`, if it is one.
    fn is_broken(&mut self, broken: bool, now: Timestamp) {
        if self.broken_now != broken {
            self.broken_now = broken;
            self.incident.count += u32::from(broken);
            self.changes.push(now);
        }
        self.flap(now);
    }

    /// Forgets old changes: one that is steady, broken or not, does not flap any more.
    fn flap(&mut self, now: Timestamp) {
        self.changes
            .retain(|at| distance_s(*at, now) <= FLAPPING_WINDOW_S);
        self.incident.flapping = self.changes.len() >= FLAPPING_CHANGES;
    }

    fn close(&mut self) -> Option<Incident> {
        self.open = false;
        self.hidden = false;
        self.announced.then(|| self.incident.clone())
    }

    /// How long a closed one is remembered, so that its return is told apart from a first time.
    fn remembered_s(&self) -> i64 {
        if self.incident.cause.is_advice() {
            ADVICE_REPEATS_S
        } else {
            FLAPPING_WINDOW_S
        }
    }

    /// Whether its opening is news.
    fn is_news(&self, now: Timestamp) -> bool {
        !self.incident.cause.is_advice()
            || self
                .announced_at
                .is_none_or(|at| distance_s(at, now) > ADVICE_REPEATS_S)
    }
}

/// Seconds between two times, whichever is earlier: a clock that was set back must not keep what
/// it left in the future.
fn distance_s(a: Timestamp, b: Timestamp) -> i64 {
    (a.as_second() - b.as_second()).abs()
}

/// All incidents that are open, or closed so lately that they may come back.
#[derive(Debug, Clone, Default)]
pub struct IncidentBook {
    entries: Vec<Entry>,
}

impl IncidentBook {
    /// Open incidents, gravest first.
    pub fn open(&self) -> Vec<Incident> {
        let mut open: Vec<Incident> = self
            .entries
            .iter()
            .filter(|e| e.open && !e.hidden)
            .map(|e| e.incident.clone())
            .collect();
        open.sort_by_key(|i| (std::cmp::Reverse(i.status.concern()), i.rung, i.opened_at));
        open
    }

    /// Judges all ladders at once, and the graphics cards beside them, and says what changed.
    pub fn observe(
        &mut self,
        now: Timestamp,
        services: &[Judged<'_>],
        cards: &[(&GpuUuid, &Outcome)],
    ) -> Changes {
        let mut changes = Changes::default();
        let mut found = found(services, now);
        found.extend(
            cards
                .iter()
                .filter_map(|(card, outcome)| broken_card(card, outcome)),
        );
        for (subject, broken, hides) in &found {
            self.see(now, subject, broken, hides, &mut changes);
        }
        self.settle(now, services, cards, &found, &mut changes);
        self.entries
            .retain(|e| e.open || distance_s(e.incident.last_seen_at, now) <= e.remembered_s());
        changes
    }

    fn see(
        &mut self,
        now: Timestamp,
        subject: &Subject,
        broken: &RungOutcome,
        hides: &[ServiceId],
        changes: &mut Changes,
    ) {
        let Some(cause) = broken.outcome.cause else {
            return;
        };
        let id = incident_id(subject, broken);
        let at = self
            .entries
            .iter()
            .position(|e| e.incident.id == id)
            .unwrap_or_else(|| {
                self.entries
                    .push(Entry::new(id, subject, broken, cause, now));
                self.entries.len() - 1
            });
        let entry = &mut self.entries[at];
        let incident = &mut entry.incident;
        incident.rung = broken.rung;
        incident.status = broken.outcome.status;
        incident.evidence.clone_from(&broken.outcome.evidence);
        incident.hides = hides.to_vec();
        incident.last_seen_at = now;
        entry.hidden = false;
        entry.is_broken(true, now);
        if !entry.open {
            entry.open = true;
            entry.announced = entry.is_news(now);
            if entry.announced {
                entry.announced_at = Some(now);
                changes.opened.push(entry.incident.clone());
            }
        }
    }

    /// Closes what is proved gone, hides what nobody can see at present.
    fn settle(
        &mut self,
        now: Timestamp,
        services: &[Judged<'_>],
        cards: &[(&GpuUuid, &Outcome)],
        found: &[(Subject, RungOutcome, Vec<ServiceId>)],
        changes: &mut Changes,
    ) {
        for entry in self.entries.iter_mut().filter(|e| e.open) {
            if found
                .iter()
                .any(|(s, broken, _)| incident_id(s, broken) == entry.incident.id)
            {
                continue;
            }
            let fate = match &entry.incident.subject {
                Subject::Gpu(card) => fate_of_card(card, cards, found),
                Subject::Host(_) | Subject::Service(_) => fate(&entry.incident, services, found),
            };
            match fate {
                Fate::Keep => {
                    entry.hidden = false;
                    entry.flap(now);
                }
                Fate::Hide => entry.hidden = true,
                Fate::Gone => {
                    entry.hidden = false;
                    entry.is_broken(false, now);
                    // Flapping stays one open incident until it has been quiet.
                    if !entry.incident.flapping {
                        changes.closed.extend(entry.close());
                    }
                }
                Fate::Replaced => {
                    entry.is_broken(false, now);
                    changes.closed.extend(entry.close());
                }
                Fate::NotKnown => {
                    let since = Evidence::new(NOT_KNOWN, entry.incident.last_seen_at);
                    entry.incident.evidence.push(since);
                    entry.is_broken(false, now);
                    changes.closed.extend(entry.close());
                }
            }
        }
    }
}

enum Fate {
    /// Neither proved nor refuted.
    Keep,
    /// Cannot be seen at present.
    Hide,
    /// Proved gone: closes, unless it flaps.
    Gone,
    /// Closes in any case: another took its place, or nobody asks any more.
    Replaced,
    /// Closes in any case, and is not said to be well: nobody tells of its subject any more.
    NotKnown,
}

fn fate(
    incident: &Incident,
    services: &[Judged<'_>],
    found: &[(Subject, RungOutcome, Vec<ServiceId>)],
) -> Fate {
    let concerned: Vec<&Judged<'_>> = services
        .iter()
        .filter(|s| match &incident.subject {
            Subject::Host(host) => s.host == host,
            Subject::Service(service) => s.service == service,
            Subject::Gpu(_) => false,
        })
        .collect();
    if concerned.is_empty() {
        // The service or host was taken out of the settings.
        return Fate::Replaced;
    }
    // Another cause on the same subject took its place: one problem, one incident.
    if found
        .iter()
        .any(|(subject, _, _)| *subject == incident.subject)
    {
        return Fate::Replaced;
    }
    let lowest = concerned.iter().filter_map(|s| s.ladder.lowest_broken());
    if lowest
        .into_iter()
        .any(|broken| told_elsewhere(&broken.outcome, services))
    {
        // It opens on another that came later.
        return Fate::Replaced;
    }
    if incident.cause.is_of_placement() {
        // A good picture says nothing of the card: only another proof does.
        return if concerned.iter().any(|s| s.placement_right) {
            Fate::Gone
        } else {
            Fate::Keep
        };
    }
    let statuses = concerned
        .iter()
        .filter_map(|s| s.ladder.outcome(incident.rung));
    let mut seen = false;
    for outcome in statuses {
        seen |= match outcome.status {
            Status::Ok | Status::NotConfigured => true,
            // A start is no proof: what was broken before may be broken after it.
            Status::Degraded | Status::Failing | Status::Asleep => false,
            // The picture that showed it belongs to a run that has ended. Nothing proves the new
            // run good, and nothing is known against it: the rung says so, an incident would lie.
            Status::Unknown => outcome.cause == Some(Cause::ImageNotSinceRestart),
        };
    }
    let host_broken = concerned.iter().any(|s| {
        found
            .iter()
            .any(|(subject, _, _)| *subject == Subject::Host(s.host.clone()))
    });
    match (seen, host_broken) {
        (true, _) => Fate::Gone,
        (false, true) => Fate::Hide,
        (false, false) => Fate::Keep,
    }
}

/// A card's own trouble, told beside the ladders: it stands on the host's rung and breaks none of a
/// service, which may compute on another card.
fn broken_card(
    card: &GpuUuid,
    outcome: &Outcome,
) -> Option<(Subject, RungOutcome, Vec<ServiceId>)> {
    if !matches!(outcome.status, Status::Degraded | Status::Failing) {
        return None;
    }
    let broken = RungOutcome {
        rung: Rung::Host,
        check: outcome.cause.map_or("", Cause::code).to_owned(),
        outcome: outcome.clone(),
    };
    Some((Subject::Gpu(card.clone()), broken, Vec::new()))
}

fn fate_of_card(
    card: &GpuUuid,
    cards: &[(&GpuUuid, &Outcome)],
    found: &[(Subject, RungOutcome, Vec<ServiceId>)],
) -> Fate {
    let other = |(subject, _, _): &(Subject, _, _)| matches!(subject, Subject::Gpu(c) if c == card);
    // Two hosts may see one card, or tell of one that another host has: it is well when all say so.
    let told = cards.iter().filter(|(known, _)| *known == card);
    let mut statuses = told.map(|(_, outcome)| outcome.status).peekable();
    if statuses.peek().is_none() {
        // It was taken out, or its host was.
        return Fate::NotKnown;
    }
    if found.iter().any(other) {
        return Fate::Replaced;
    }
    if statuses.all(|status| status == Status::Ok) {
        Fate::Gone
    } else {
        // Not read now: neither proved nor refuted.
        Fate::Keep
    }
}

/// The one broken rung of each subject.
fn found(services: &[Judged<'_>], now: Timestamp) -> Vec<(Subject, RungOutcome, Vec<ServiceId>)> {
    let mut found: Vec<(Subject, RungOutcome, Vec<ServiceId>)> = Vec::new();
    for judged in services {
        let Some(broken) = judged.ladder.lowest_broken() else {
            continue;
        };
        if broken.outcome.transient {
            continue;
        }
        if broken.rung.is_of_host() {
            let subject = Subject::Host(judged.host.clone());
            match found.iter_mut().find(|(s, _, _)| *s == subject) {
                Some((_, _, hides)) => hides.push(judged.service.clone()),
                None => found.push((subject, broken.clone(), vec![judged.service.clone()])),
            }
        } else if !told_elsewhere(&broken.outcome, services)
            && judged
                .acting_since
                .is_none_or(|since| distance_s(since, now) > ACTING_QUIET_S)
        {
            found.push((
                Subject::Service(judged.service.clone()),
                broken.clone(),
                Vec::new(),
            ));
        }
    }
    found
}

/// Two services that write one file have one problem: it opens on the one that came last, for as
/// long as that one has nothing worse.
fn told_elsewhere(outcome: &Outcome, services: &[Judged<'_>]) -> bool {
    let Some(told_on) = outcome.evidence_value(TOLD_ON) else {
        return false;
    };
    let mut there = services
        .iter()
        .filter(|judged| judged.service.as_str() == told_on)
        .filter_map(|judged| judged.ladder.lowest_broken());
    there.any(|broken| broken.outcome.cause == outcome.cause)
}

fn incident_id(subject: &Subject, broken: &RungOutcome) -> String {
    let (of, id) = match subject {
        Subject::Host(host) => ("host", host.as_str()),
        Subject::Service(service) => ("service", service.as_str()),
        Subject::Gpu(card) => ("gpu", card.as_str()),
    };
    let cause = broken.outcome.cause.map_or("", Cause::code);
    format!("{of}:{id}:{cause}")
}

#[cfg(test)]
pub(crate) mod tests;
