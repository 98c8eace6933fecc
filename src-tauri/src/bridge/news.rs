//! What of a newer snapshot has to be on the screen at once, and what may wait for a calm moment.

use std::sync::Arc;

use forgekeeper_domain::{Timestamp, gpu::GpuSample, outcome::Outcome};
use forgekeeper_keeper::state::KeeperState;

/// Percent of load that an eye notices.
const LOAD_PERCENT: u32 = 5;
/// Hundredths of a card's memory that an eye notices.
const MEMORY_PERCENT: u64 = 2;
/// Degrees that an eye notices.
const DEGREES: u32 = 2;
/// Hundredths of a card's power limit that an eye notices.
const POWER_PERCENT: f64 = 5.0;
/// A log that is late by less is in time, milliseconds.
const LATE_MS: u32 = 2_000;

/// The snapshot the page shows.
#[derive(Debug)]
pub(super) struct Shown {
    state: Arc<KeeperState>,
    essence: KeeperState,
}

impl Shown {
    pub(super) fn new(state: Arc<KeeperState>) -> Self {
        let essence = essence(&state);
        Self { state, essence }
    }

    /// Whether a newer snapshot says more than newer times, and readings that hardly moved.
    pub(super) fn is_news(&self, now: &KeeperState) -> bool {
        self.essence != essence(now) || readings_moved(&self.state, now)
    }

    /// Whether anything at all differs but the number and the time of the snapshot.
    pub(super) fn differs(&self, now: &KeeperState) -> bool {
        let shown = &self.state;
        shown.demo != now.demo
            || shown.hosts != now.hosts
            || shown.services != now.services
            || shown.incidents != now.incidents
            || shown.jobs != now.jobs
            || shown.settings != now.settings
            || shown.rules != now.rules
    }
}

/// The snapshot without what moves by itself. What is not named here is news: a field that is
/// added to the state may cost a repaint too many, never a late one.
fn essence(state: &KeeperState) -> KeeperState {
    let mut left = state.clone();
    left.revision = 0;
    left.at = Timestamp::UNIX_EPOCH;
    for host in &mut left.hosts {
        still(&mut host.host);
        still(&mut host.engine);
        host.retry_in_ms = host.retry_in_ms.map(|_| 0);
        host.gpus.checked_at = None;
        for card in &mut host.gpus.cards {
            still(&mut card.outcome);
            card.load_history.clear();
            card.remarks.iter_mut().for_each(still);
            rest(&mut card.latest);
            for share in card.shares.iter_mut().flat_map(|shares| &mut shares.shares) {
                share.memory = share.memory.map(|_| 0);
                share.claimed = share.claimed.map(|_| 0);
                share.load_percent = share.load_percent.map(|_| 0);
            }
        }
    }
    for service in &mut left.services {
        for rung in &mut service.ladder.rungs {
            still(&mut rung.outcome);
        }
        service.api_latency_ms = service.api_latency_ms.map(|_| 0);
        if let Some(reported) = &mut service.placement.reported {
            reported.at = Timestamp::UNIX_EPOCH;
        }
        service.log.held = 0;
        service.log.rotated = 0;
        service.log.last_line_at = None;
        service.log.spoke_at = None;
        service.log.behind_ms = service.log.behind_ms.map(|ms| ms / LATE_MS * LATE_MS);
    }
    for incident in &mut left.incidents {
        incident.evidence.clear();
        incident.last_seen_at = Timestamp::UNIX_EPOCH;
    }
    left
}

/// The reading without what moves all the time. The values that are shown large are judged by how far
/// they moved, the others are looked up when somebody wants them; that they are there at all is told
/// apart here.
fn rest(sample: &mut GpuSample) {
    sample.at = Timestamp::UNIX_EPOCH;
    for value in [
        &mut sample.load_percent,
        &mut sample.memory_load_percent,
        &mut sample.encoder_percent,
        &mut sample.decoder_percent,
        &mut sample.temperature_c,
        &mut sample.graphics_mhz,
        &mut sample.memory_mhz,
        &mut sample.fan_percent,
        &mut sample.performance_state,
        &mut sample.pcie.generation,
    ] {
        *value = value.map(|_| 0);
    }
    sample.memory_used = sample.memory_used.map(|_| 0);
    sample.memory_free = sample.memory_free.map(|_| 0);
    sample.power_w = sample.power_w.map(|_| 0.0);
    if let Some(throttle) = &mut sample.throttle {
        throttle.retain(|reason| reason.is_trouble());
    }
    for process in sample.processes.iter_mut().flatten() {
        process.memory = process.memory.map(|_| 0);
        process.load_percent = process.load_percent.map(|_| 0);
    }
}

fn still(outcome: &mut Outcome) {
    outcome.checked_at = None;
    outcome.evidence.clear();
}

/// Cards are compared in order: where cards came or went, the essence differs already.
fn readings_moved(shown: &KeeperState, now: &KeeperState) -> bool {
    samples(shown)
        .zip(samples(now))
        .any(|(before, after)| moved(before, after))
}

fn samples(state: &KeeperState) -> impl Iterator<Item = &GpuSample> {
    let cards = state.hosts.iter().flat_map(|host| &host.gpus.cards);
    cards.map(|card| &card.latest)
}

fn moved(before: &GpuSample, after: &GpuSample) -> bool {
    let far = |a: Option<u32>, b: Option<u32>, least: u32| {
        a.zip(b).is_some_and(|(a, b)| a.abs_diff(b) >= least)
    };
    let memory = || {
        let total = after.memory_total.filter(|total| *total > 0);
        before
            .memory_used
            .zip(after.memory_used)
            .zip(total)
            .is_some_and(|((a, b), total)| {
                a.abs_diff(b).saturating_mul(100) >= total.saturating_mul(MEMORY_PERCENT)
            })
    };
    let power = || {
        let limit = after.power_limit_w.unwrap_or(300.0).max(1.0);
        before
            .power_w
            .zip(after.power_w)
            .is_some_and(|(a, b)| (a - b).abs() * 100.0 >= limit * POWER_PERCENT)
    };
    far(before.load_percent, after.load_percent, LOAD_PERCENT)
        || far(before.temperature_c, after.temperature_c, DEGREES)
        || memory()
        || power()
}

#[cfg(test)]
mod tests;
