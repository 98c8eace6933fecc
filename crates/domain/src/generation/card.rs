//! Which card made a picture, from readings taken before and meanwhile.

use super::{CardUse, room};
use crate::{
    gpu::{GpuCard, sample::GpuSample},
    ids::{GpuUuid, HostId, ServiceId},
    placement::{Placement, PlacementVerdict},
};

/// A card of this mean load works.
const WORKS: f64 = 25.0;
/// A card of less than this mean load rests.
const RESTS: f64 = 10.0;

/// Readings of each card, and milliseconds of work, from which on idle cards say that none of them
/// works: a driver's load is a mean over up to a second.
const SURE_READINGS: u32 = 8;
const SURE_MS: u32 = 3_000;

/// The cards of a host while a picture is made.
#[derive(Debug, Clone, Default)]
pub struct CardWatch {
    seen: Vec<Seen>,
}

/// When a card was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the request was sent: what is in use was in use already.
    Before,
    /// The service waits, or loads its model.
    Underway,
    /// It samples: whoever computes is busy.
    Sampling,
}

#[derive(Debug, Clone)]
struct Seen {
    uuid: GpuUuid,
    name: String,
    before: Option<u64>,
    /// What the service held of it, in bytes.
    held: Option<f64>,
    peak: Option<u64>,
    loads: (u64, u32),
    most: u32,
}

impl Seen {
    #[allow(clippy::cast_precision_loss)] // Percents.
    fn load(&self) -> Option<f64> {
        let (sum, count) = self.loads;
        (count > 0).then(|| sum as f64 / f64::from(count))
    }
}

/// What is known of where a service computes.
#[derive(Debug, Clone, Default)]
pub struct Whereabouts {
    /// Declared, reported and proved.
    pub placement: Option<Placement>,
    /// The card where its memory is counted.
    pub held: Option<GpuUuid>,
    /// What it holds of each card, bytes, where that is known.
    pub holds: Vec<(GpuUuid, f64)>,
}

impl Whereabouts {
    /// As a service and the cards of its host are shown now.
    pub fn of(service: &ServiceId, placement: &Placement, cards: &[GpuCard]) -> Self {
        let mut holding = cards.iter().filter(|card| {
            let shares = card.shares.as_ref().map(|shares| shares.shares.iter());
            shares.is_some_and(|mut all| all.any(|share| share.holder.is_service(service)))
        });
        let held = holding.next().map(|card| card.latest.uuid.clone());
        Self {
            placement: Some(placement.clone()),
            // Memory on two cards does not say which of them computes.
            held: held.filter(|_| holding.next().is_none()),
            holds: cards
                .iter()
                .filter_map(|card| Some((card.latest.uuid.clone(), room::held_by(service, card)?)))
                .collect(),
        }
    }

    /// The card of a proof that counts.
    fn proved(&self) -> Option<&GpuUuid> {
        let proved = self.placement.as_ref()?.proved.as_ref()?;
        proved.card.as_ref().filter(|_| proved.faded.is_none())
    }

    /// The card that it computes on: the proved one, else the one that holds its memory. What is only
    /// declared may be wrong.
    pub fn computes_on(&self) -> Option<&GpuUuid> {
        self.proved().or(self.held.as_ref())
    }

    /// Whether one of the cards that are read is meant for it, or was seen to be used by it. What
    /// computes elsewhere, on another machine or another maker's card, leaves these idle, too.
    pub fn expects_card(&self) -> bool {
        let told = self.placement.as_ref().is_some_and(|placement| {
            placement.declared.card.is_some()
                || !placement.declared.all.is_empty()
                || placement
                    .reported
                    .as_ref()
                    .is_some_and(|r| !r.cards.is_empty())
        });
        told || self.held.is_some() || self.proved().is_some()
    }

    /// Whether it is known to compute on the CPU: proved, or said by itself.
    pub fn on_cpu(&self) -> bool {
        let Some(placement) = &self.placement else {
            return false;
        };
        match &placement.proved {
            Some(proved) if proved.faded.is_none() => proved.verdict == PlacementVerdict::Cpu,
            _ => placement.reported.as_ref().is_some_and(|told| told.cpu),
        }
    }
}

impl CardWatch {
    /// Takes in a reading of a card.
    pub fn saw(&mut self, sample: &GpuSample, moment: Moment) {
        let place = self.seen.iter().position(|seen| seen.uuid == sample.uuid);
        let place = place.unwrap_or_else(|| {
            self.seen.push(Seen {
                uuid: sample.uuid.clone(),
                name: sample.name.clone(),
                before: None,
                held: None,
                peak: None,
                loads: (0, 0),
                most: 0,
            });
            self.seen.len() - 1
        });
        let seen = &mut self.seen[place];
        match moment {
            Moment::Before => seen.before = sample.memory_used.or(seen.before),
            Moment::Underway | Moment::Sampling => {
                seen.peak = seen.peak.max(sample.memory_used);
            }
        }
        if moment == Moment::Sampling
            && let Some(load) = sample.load_percent
        {
            seen.loads = (seen.loads.0 + u64::from(load), seen.loads.1 + 1);
            seen.most = seen.most.max(load);
        }
    }

    /// Takes in what the service held before it began.
    pub fn held_before(&mut self, known: &Whereabouts) {
        for seen in &mut self.seen {
            let held = known.holds.iter().find(|(card, _)| *card == seen.uuid);
            seen.held = held.map(|(_, bytes)| *bytes);
        }
    }

    /// The card that did the work: the proved one, else the one that holds the service's memory,
    /// else the only one that worked while all others rested. `None` where that cannot be told.
    #[allow(clippy::cast_precision_loss)] // Bytes of a card.
    pub fn made_by(&self, host: &HostId, known: &Whereabouts) -> Option<CardUse> {
        if known.on_cpu() {
            return None;
        }
        let of = |uuid: &GpuUuid| self.seen.iter().find(|seen| seen.uuid == *uuid);
        let seen = match (known.proved(), &known.held) {
            (Some(uuid), _) | (None, Some(uuid)) => of(uuid),
            (None, None) => self.only_worker(),
        }?;
        Some(CardUse {
            host: host.clone(),
            uuid: seen.uuid.clone(),
            name: seen.name.clone(),
            memory_before_bytes: seen.before.map(|bytes| bytes as f64),
            held_before_bytes: seen.held,
            memory_peak_bytes: seen.peak.map(|bytes| bytes as f64),
            load_percent: seen.load(),
            proved: known.proved().is_some(),
        })
    }

    /// Whether every card was seen idle all the while that a service worked which should use one of
    /// them, long enough to be sure.
    pub fn all_idle(&self, known: &Whereabouts, worked_ms: u32) -> bool {
        if !known.expects_card() {
            return false;
        }
        let idle = |seen: &Seen| seen.loads.1 >= SURE_READINGS && f64::from(seen.most) < RESTS;
        worked_ms >= SURE_MS && !self.seen.is_empty() && self.seen.iter().all(idle)
    }

    fn only_worker(&self) -> Option<&Seen> {
        let mut worker = None;
        for seen in &self.seen {
            match seen.load()? {
                load if load >= WORKS && worker.is_none() => worker = Some(seen),
                load if load < RESTS => {}
                _ => return None,
            }
        }
        worker
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    fn sample(uuid: &str, load: Option<u32>, used: u64) -> GpuSample {
        GpuSample {
            memory_used: Some(used),
            load_percent: load,
            ..GpuSample::unread(
                GpuUuid::new(uuid).unwrap(),
                0,
                "card",
                Timestamp::UNIX_EPOCH,
            )
        }
    }

    fn watched(loads: [Option<u32>; 2]) -> CardWatch {
        let mut watch = CardWatch::default();
        for (uuid, load) in [("GPU-a", loads[0]), ("GPU-b", loads[1])] {
            watch.saw(&sample(uuid, Some(0), 1_000), Moment::Before);
            watch.saw(&sample(uuid, load, 8_000), Moment::Underway);
            watch.saw(&sample(uuid, load, 5_000), Moment::Sampling);
        }
        watch
    }

    fn by(watch: &CardWatch, known: &Whereabouts) -> Option<String> {
        let host = HostId::new("local").unwrap();
        watch
            .made_by(&host, known)
            .map(|card| card.uuid.to_string())
    }

    #[test]
    fn only_one_worker_among_resting_cards_is_told() {
        let nothing = Whereabouts::default();
        for (loads, card) in [
            ([Some(80), Some(2)], Some("GPU-a")),
            ([Some(2), Some(80)], Some("GPU-b")),
            ([Some(80), Some(80)], None),
            ([Some(80), Some(15)], None),
            ([Some(80), None], None),
            ([Some(1), Some(1)], None),
        ] {
            assert_eq!(by(&watched(loads), &nothing).as_deref(), card, "{loads:?}");
        }
    }

    #[test]
    fn idle_cards_say_so_only_after_long_enough() {
        let watch = |load, readings| {
            let mut watch = CardWatch::default();
            for _ in 0..readings {
                watch.saw(&sample("GPU-a", Some(1), 1_000), Moment::Sampling);
                watch.saw(&sample("GPU-b", load, 1_000), Moment::Sampling);
            }
            watch
        };
        let known = Whereabouts {
            held: Some(GpuUuid::new("GPU-b").unwrap()),
            ..Whereabouts::default()
        };
        assert!(watch(Some(2), 8).all_idle(&known, 3_000));
        assert!(!watch(Some(2), 8).all_idle(&known, 2_900));
        assert!(!watch(Some(2), 7).all_idle(&known, 3_000));
        assert!(!watch(Some(40), 8).all_idle(&known, 3_000));
        assert!(!watch(None, 8).all_idle(&known, 3_000));
        assert!(!CardWatch::default().all_idle(&known, 9_000));
        // Nothing says that it should use one of these.
        assert!(!watch(Some(2), 8).all_idle(&Whereabouts::default(), 3_000));
    }

    #[test]
    fn memory_says_it_before_load_does_and_what_was_in_use_is_no_peak() {
        let known = Whereabouts {
            held: Some(GpuUuid::new("GPU-b").unwrap()),
            ..Whereabouts::default()
        };
        let host = HostId::new("local").unwrap();
        let card = watched([Some(80), Some(2)]).made_by(&host, &known).unwrap();
        assert_eq!(card.uuid.as_str(), "GPU-b");
        assert_eq!(card.memory_before_bytes, Some(1_000.0));
        assert_eq!(card.memory_peak_bytes, Some(8_000.0));
        assert_eq!(card.load_percent, Some(2.0));
        assert!(!card.proved);
    }
}
