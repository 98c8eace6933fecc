//! Which incident opens where, and when it is gone.
//!
//! One incident per subject, on its lowest broken rung. A host's incident hides those of its
//! services: they are neither opened nor closed while nobody can see them.

use jiff::Timestamp;

use super::{Incident, Subject};
use crate::{
    cause::Cause,
    ids::{HostId, ServiceId},
    ladder::{Ladder, RungOutcome},
    outcome::Status,
};

/// Three changes within this many seconds are flapping.
const FLAPPING_WINDOW_S: i64 = 300;
/// So many changes are flapping.
const FLAPPING_CHANGES: usize = 3;

/// A judged service, as the rules need it.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// Which service.
    pub service: &'a ServiceId,
    /// On which host.
    pub host: &'a HostId,
    /// Its ladder.
    pub ladder: &'a Ladder,
    /// An action asked for here is under way: what it breaks on its way is no news.
    pub acting: bool,
}

/// What changed with an observation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Opened now, or came back.
    pub opened: Vec<Incident>,
    /// Proved gone now.
    pub closed: Vec<Incident>,
}

#[derive(Debug, Clone)]
struct Entry {
    incident: Incident,
    open: bool,
    /// Below a broken host: true, but not shown.
    hidden: bool,
    /// Times of opening and closing, for flapping.
    changes: Vec<Timestamp>,
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
            hidden: false,
            changes: Vec::new(),
        }
    }

    fn changed(&mut self, now: Timestamp) {
        self.changes
            .retain(|at| now.as_second() - at.as_second() <= FLAPPING_WINDOW_S);
        self.changes.push(now);
    }

    fn flaps(&self, now: Timestamp) -> bool {
        let recent = self
            .changes
            .iter()
            .filter(|at| now.as_second() - at.as_second() <= FLAPPING_WINDOW_S);
        recent.count() >= FLAPPING_CHANGES
    }
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

    /// Judges all ladders at once and says what changed.
    pub fn observe(&mut self, now: Timestamp, services: &[Judged<'_>]) -> Changes {
        let mut changes = Changes::default();
        let found = found(services);
        for (subject, broken, hides) in &found {
            self.see(now, subject, broken, hides, &mut changes);
        }
        self.settle(now, services, &found, &mut changes);
        self.entries.retain(|e| {
            e.open || now.as_second() - e.incident.last_seen_at.as_second() <= FLAPPING_WINDOW_S
        });
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
        incident.status = broken.outcome.status;
        incident.evidence.clone_from(&broken.outcome.evidence);
        incident.hides = hides.to_vec();
        incident.last_seen_at = now;
        entry.hidden = false;
        if !entry.open {
            entry.open = true;
            entry.incident.count += 1;
            entry.changed(now);
            let was_flapping = entry.incident.flapping;
            entry.incident.flapping = entry.flaps(now);
            if !was_flapping {
                changes.opened.push(entry.incident.clone());
            }
        }
    }

    /// Closes what is proved gone, hides what nobody can see at present.
    fn settle(
        &mut self,
        now: Timestamp,
        services: &[Judged<'_>],
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
            match fate(&entry.incident, services, found) {
                Fate::Keep => {}
                Fate::Hide => entry.hidden = true,
                Fate::Gone => {
                    entry.changed(now);
                    if entry.flaps(now) {
                        // Flapping stays one open incident until it has been quiet.
                        entry.incident.flapping = true;
                        entry.changes.pop();
                        continue;
                    }
                    entry.open = false;
                    entry.hidden = false;
                    entry.incident.flapping = false;
                    changes.closed.push(entry.incident.clone());
                }
            }
        }
    }
}

enum Fate {
    Keep,
    Hide,
    Gone,
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
        })
        .collect();
    if concerned.is_empty() {
        // The service or host was taken out of the settings.
        return Fate::Gone;
    }
    // Another cause on the same subject took its place: one problem, one incident.
    if found
        .iter()
        .any(|(subject, _, _)| *subject == incident.subject)
    {
        return Fate::Gone;
    }
    let statuses = concerned
        .iter()
        .filter_map(|s| s.ladder.outcome(incident.rung));
    let mut seen = false;
    for outcome in statuses {
        match outcome.status {
            Status::Ok | Status::NotConfigured => seen = true,
            // Starting is proof that what was broken before is over.
            Status::Degraded | Status::Failing | Status::Asleep => seen |= outcome.transient,
            Status::Unknown => {}
        }
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

/// The one broken rung of each subject.
fn found(services: &[Judged<'_>]) -> Vec<(Subject, RungOutcome, Vec<ServiceId>)> {
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
        } else if !judged.acting {
            found.push((
                Subject::Service(judged.service.clone()),
                broken.clone(),
                Vec::new(),
            ));
        }
    }
    found
}

fn incident_id(subject: &Subject, broken: &RungOutcome) -> String {
    let (of, id) = match subject {
        Subject::Host(host) => ("host", host.as_str()),
        Subject::Service(service) => ("service", service.as_str()),
    };
    let cause = broken.outcome.cause.map_or("", Cause::code);
    format!("{of}:{id}:{cause}")
}

#[cfg(test)]
mod tests;
