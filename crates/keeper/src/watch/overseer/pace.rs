//! When a new snapshot is worth publishing: news at once, what only counts on now and then.
//!
//! Times, latencies, loads and counters change with every measurement. Each snapshot wakes the
//! window, and the window draws; so these travel at a pace the eye can use.

use std::time::Duration;

use forgekeeper_domain::{
    gpu::GpuView,
    incident::Incident,
    logs::{LogMeter, LogSource, Storage},
    outcome::Outcome,
};
use tokio::time::Instant;

use crate::state::{HostState, KeeperState, ServiceState};

/// Between two snapshots without news while somebody looks.
const PACE: Duration = Duration::from_secs(1);
/// The same while nobody looks.
const PACE_HIDDEN: Duration = Duration::from_secs(10);

/// Remembers when a snapshot was published last, and whether a newer one waits.
#[derive(Debug, Default)]
pub(super) struct Pace {
    published: Option<Instant>,
    waiting: bool,
}

impl Pace {
    /// Whether a snapshot that differs from the published one is published now.
    pub(super) fn admits(&mut self, news: bool, visible: bool) -> bool {
        self.waiting = !news && self.due(visible).is_some_and(|due| Instant::now() < due);
        if !self.waiting {
            self.published = Some(Instant::now());
        }
        !self.waiting
    }

    /// The published snapshot says all that is known.
    pub(super) fn nothing_waits(&mut self) {
        self.waiting = false;
    }

    /// When the waiting snapshot is to be published; `None` while none waits.
    pub(super) fn next(&self, visible: bool) -> Option<Instant> {
        self.due(visible).filter(|_| self.waiting)
    }

    fn due(&self, visible: bool) -> Option<Instant> {
        Some(self.published? + if visible { PACE } else { PACE_HIDDEN })
    }
}

/// Whether a snapshot says something that another one does not, beyond newer measurements.
pub(super) fn is_news(before: &KeeperState, now: &KeeperState) -> bool {
    before.demo != now.demo
        || before.settings != now.settings
        || before.rules != now.rules
        || before.jobs != now.jobs
        || differ(&before.hosts, &now.hosts, host)
        || differ(&before.services, &now.services, service)
        || differ(&before.incidents, &now.incidents, incident)
}

fn differ<T>(before: &[T], now: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
    before.len() != now.len()
        || !before
            .iter()
            .zip(now)
            .all(|(before, now)| same(before, now))
}

fn host(before: &HostState, now: &HostState) -> bool {
    (&before.id, &before.endpoint, &before.origin) == (&now.id, &now.endpoint, &now.origin)
        && (&before.engine_version, &before.api_version) == (&now.engine_version, &now.api_version)
        && before.retry_in_ms == now.retry_in_ms
        && outcome(&before.host, &now.host)
        && outcome(&before.engine, &now.engine)
        && gpus(&before.gpus, &now.gpus)
}

fn gpus(before: &GpuView, now: &GpuView) -> bool {
    (&before.source, &before.error) == (&now.source, &now.error)
        && !differ(&before.cards, &now.cards, |before, now| {
            before.latest.uuid == now.latest.uuid
                && before.current == now.current
                && outcome(&before.outcome, &now.outcome)
        })
}

/// What of a log's meter is more than a newer count.
type LogNews<'a> = (
    (&'a Option<String>, bool, bool),
    (&'a LogSource, &'a Option<String>),
    (std::mem::Discriminant<Storage>, bool),
);

fn log(meter: &LogMeter) -> LogNews<'_> {
    let failing = matches!(&meter.stored, Storage::Here(kept) if kept.error.is_some());
    (
        (&meter.error, meter.connected, meter.silent),
        (&meter.source, &meter.file_error),
        (std::mem::discriminant(&meter.stored), failing),
    )
}

fn service(before: &ServiceState, now: &ServiceState) -> bool {
    // What is measured again and again is taken over; the rest has to be the same.
    let mut measured = before.clone();
    measured.api_latency_ms = now.api_latency_ms;
    if let (Some(busy), Some(newer)) = (&mut measured.busy, &now.busy) {
        busy.clone_from(newer);
    }
    if let (Some(reported), Some(newer)) =
        (&mut measured.placement.reported, &now.placement.reported)
    {
        reported.at = newer.at;
    }
    if log(&before.log) == log(&now.log) {
        measured.log.clone_from(&now.log);
    }
    let ladders = !differ(&before.ladder.rungs, &now.ladder.rungs, |before, now| {
        before.rung == now.rung && outcome(&before.outcome, &now.outcome)
    });
    if ladders {
        measured.ladder.clone_from(&now.ladder);
    }
    measured == *now
}

fn outcome(before: &Outcome, now: &Outcome) -> bool {
    (before.status, before.cause, before.since) == (now.status, now.cause, now.since)
}

fn incident(before: &Incident, now: &Incident) -> bool {
    (&before.id, before.status, before.count, before.flapping)
        == (&now.id, now.status, now.count, now.flapping)
        && before.hides == now.hides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn news_goes_at_once_and_measurements_at_their_pace() {
        let mut pace = Pace::default();
        assert!(pace.admits(false, true), "the first one");
        assert!(!pace.admits(false, true));
        assert_eq!(pace.next(true), Some(Instant::now() + PACE));
        assert!(pace.admits(true, true), "news");
        assert_eq!(pace.next(true), None);
        tokio::time::sleep(PACE).await;
        assert!(pace.admits(false, true));
        tokio::time::sleep(PACE).await;
        assert!(!pace.admits(false, false), "slower while hidden");
        assert!(pace.next(true) <= Some(Instant::now()), "shown again");
        tokio::time::sleep(PACE_HIDDEN).await;
        assert!(pace.admits(false, false));
    }
}
