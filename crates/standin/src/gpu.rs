//! The cards of the played host: steady at rest, following the work.

pub mod smi;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::faults::{Fault, FaultBoard};
use crate::lock::lock;

/// What never changes about a card.
#[derive(Debug, Clone)]
pub struct Card {
    /// Index on the host.
    pub index: usize,
    /// `GPU-…`.
    pub uuid: String,
    /// Product name.
    pub name: String,
    /// Memory in MiB.
    pub total_mib: u64,
    /// Power limit in watts.
    pub power_limit: f64,
    /// PCI address.
    pub bus: String,
}

/// What a service does to a card.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Activity {
    /// A generation is running on the card.
    pub busy: bool,
    /// MiB held by loaded models.
    pub held_mib: u64,
}

/// One reading.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The card.
    pub card: Card,
    /// Load in per cent.
    pub load: f64,
    /// Memory controller load in per cent.
    pub memory_load: f64,
    /// MiB in use.
    pub used_mib: u64,
    /// Degrees Celsius.
    pub temperature: f64,
    /// Watts.
    pub power: f64,
    /// Fan in per cent.
    pub fan: f64,
    /// Graphics clock in MHz.
    pub clock: f64,
    /// Clock events as `nvidia-smi` prints them, a mask.
    pub throttle: u64,
    /// PCI Express lanes in use.
    pub lanes: u32,
    /// Power and fan are not reported.
    pub sparse: bool,
    /// The driver says that the card is lost; no other value means anything.
    pub lost: bool,
}

#[derive(Debug)]
struct State {
    work: BTreeMap<String, Activity>,
    load: f64,
    warmth: f64,
    read: Instant,
}

#[derive(Debug)]
struct Inner {
    cards: Vec<Card>,
    states: Vec<Mutex<State>>,
    /// The card each service was given; a fault of the service is a fault of its card.
    declared: Mutex<BTreeMap<String, usize>>,
    started: Instant,
    faults: FaultBoard,
}

/// Degrees at which the driver slows a card down.
pub(crate) const SLOWDOWN: f64 = 95.0;

/// All cards of a host.
#[derive(Debug, Clone)]
pub struct GpuBoard(Arc<Inner>);

/// The two cards of the founding document.
pub fn founding_cards() -> Vec<Card> {
    vec![
        Card {
            index: 0,
            uuid: "GPU-19af3c52-6d0e-4b8a-9f27-5e41c08db736".into(),
            name: "NVIDIA GeForce RTX 3080".into(),
            total_mib: 16_384,
            power_limit: 320.0,
            bus: "00000000:01:00.0".into(),
        },
        Card {
            index: 1,
            uuid: "GPU-7c1e84d9-25f3-4a60-b1ce-98d3720f6a15".into(),
            name: "NVIDIA GeForce RTX 3090".into(),
            total_mib: 24_576,
            power_limit: 350.0,
            bus: "00000000:02:00.0".into(),
        },
    ]
}

/// Lanes of both cards' slots.
pub(crate) const LANES: u32 = 16;
/// What the neighbour of a fault does: per cent of load, how far it sways, MiB.
const NEIGHBOUR_LOAD: f64 = 20.0;
const NEIGHBOUR_SPREAD: f64 = 9.0;
const NEIGHBOUR_MIB: u64 = 2_300;
/// What is left free on a card that another program fills, MiB.
const LEFT_MIB: u64 = 700;

/// A noise between -1 and 1 that is another one with every reading.
fn restless(card: usize, seconds: f64) -> f64 {
    let wave = (seconds * 12.9898 + card as f64 * 78.233).sin() * 43_758.547;
    (wave - wave.floor()) * 2.0 - 1.0
}

/// Seconds that the values of a card at rest stay as they are.
const STEADY: f64 = 15.0;

/// A repeatable noise between -1 and 1. At work it sways all the time; at rest it moves only now
/// and then, as on a real card, so that nothing is drawn anew every second for nothing.
fn noise(card: usize, seconds: f64, load: f64) -> f64 {
    let phase = card as f64 * 1.7;
    let sway = |at: f64| f64::midpoint((at * 0.61 + phase).sin(), (at * 0.173 + phase * 2.0).sin());
    if load > 0.02 {
        sway(seconds)
    } else {
        // Each card at another moment.
        sway(((seconds + phase * 4.0) / STEADY).floor() * STEADY)
    }
}

impl GpuBoard {
    /// A board of `cards` that obeys the GPU faults of `faults`.
    pub fn new(cards: Vec<Card>, faults: FaultBoard) -> Self {
        let now = Instant::now();
        let states = cards
            .iter()
            .map(|_| {
                Mutex::new(State {
                    work: BTreeMap::new(),
                    load: 0.0,
                    warmth: 0.0,
                    read: now,
                })
            })
            .collect();
        Self(Arc::new(Inner {
            cards,
            states,
            declared: Mutex::default(),
            started: now,
            faults,
        }))
    }

    /// The cards.
    pub fn cards(&self) -> &[Card] {
        &self.0.cards
    }

    /// Says what `service` does on `card` from now on.
    pub fn set(&self, card: usize, service: &str, activity: Activity) {
        // Reading first makes the time before this change count with the old activity.
        let _ = self.read(card);
        if let Some(state) = self.0.states.get(card) {
            let mut state = lock(state);
            if activity == Activity::default() {
                state.work.remove(service);
            } else {
                state.work.insert(service.to_owned(), activity);
            }
        }
    }

    /// Says which card `service` was given.
    pub fn declare(&self, service: &str, card: usize) {
        lock(&self.0.declared).insert(service.to_owned(), card);
    }

    /// True if `fault` acts on `card`: for everybody, or for a service that was given this card.
    fn suffers(&self, card: usize, fault: Fault) -> bool {
        let declared = lock(&self.0.declared);
        self.0.faults.list().iter().any(|entry| {
            entry.fault == fault
                && entry
                    .service
                    .as_ref()
                    .is_none_or(|service| declared.get(service) == Some(&card))
        })
    }

    /// Whether the driver cannot be reached from anywhere.
    pub fn without_driver(&self) -> bool {
        let faults = self.0.faults.list();
        faults.iter().any(|entry| entry.fault == Fault::GpuDriver)
    }

    /// Takes `service` off all cards.
    pub fn release(&self, service: &str) {
        for card in 0..self.0.cards.len() {
            self.set(card, service, Activity::default());
        }
    }

    /// The values of a card now.
    pub fn read(&self, card: usize) -> Option<Reading> {
        let spec = self.0.cards.get(card)?.clone();
        let now = Instant::now();
        let seconds = now.duration_since(self.0.started).as_secs_f64();
        let mut state = lock(&self.0.states[card]);
        let passed = now.duration_since(state.read).as_secs_f64();
        state.read = now;
        let busy = state.work.values().any(|a| a.busy);
        let held: u64 = state.work.values().map(|a| a.held_mib).sum();
        let aim = if busy { 1.0 } else { 0.0 };
        // Load follows within a fraction of a second, warmth within half a minute.
        state.load += (aim - state.load) * (1.0 - (-passed / 0.25).exp());
        state.warmth += (aim - state.warmth) * (1.0 - (-passed / 25.0).exp());
        let (load, warmth) = (state.load, state.warmth);
        drop(state);
        let sway = noise(card, seconds, load);
        let neighbour = self.suffers(card, Fault::GpuNeighbour);
        let beside = if neighbour {
            NEIGHBOUR_LOAD + restless(card, seconds) * NEIGHBOUR_SPREAD
        } else {
            0.0
        };
        let throttled = self.suffers(card, Fault::GpuThrottled);
        let hot = self.suffers(card, Fault::GpuHot);
        let idle = 41.0 + card as f64 * 3.0;
        Some(Reading {
            load: (load * 96.0 + (1.0 - load) * (1.0 + sway).max(0.0) + sway * load + beside)
                .clamp(0.0, 100.0),
            memory_load: (load * 71.0 + sway.abs()).clamp(0.0, 100.0),
            used_mib: if self.suffers(card, Fault::GpuFull) {
                spec.total_mib - LEFT_MIB
            } else {
                (612 + card as u64 * 148
                    + held
                    + if busy { 1_180 } else { 0 }
                    + if neighbour { NEIGHBOUR_MIB } else { 0 })
                .min(spec.total_mib - 60)
            },
            temperature: if hot {
                SLOWDOWN + 2.0 + sway
            } else {
                idle + warmth * 31.0 + sway
            },
            power: 24.0 + card as f64 * 6.0 + sway + load * (spec.power_limit * 0.86),
            fan: 30.0 + warmth * 38.0,
            clock: (210.0 + load * 1_650.0) * if throttled { 0.5 } else { 1.0 },
            throttle: match (throttled, load > 0.5) {
                (true, _) => 0x60,
                (false, true) => 0x4,
                (false, false) => 0x1,
            },
            lanes: if self.suffers(card, Fault::GpuNarrow) {
                1
            } else {
                LANES
            },
            sparse: self.suffers(card, Fault::GpuNa),
            lost: self.suffers(card, Fault::GpuLost),
            card: spec,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn load_and_memory_follow_the_work() {
        let board = GpuBoard::new(founding_cards(), FaultBoard::default());
        let rest = board.read(1).unwrap();
        assert!(rest.load < 5.0 && rest.used_mib < 2_000);
        board.set(
            1,
            "a",
            Activity {
                busy: true,
                held_mib: 6_900,
            },
        );
        std::thread::sleep(Duration::from_millis(900));
        let work = board.read(1).unwrap();
        assert!(work.load > 80.0, "{}", work.load);
        assert!(work.used_mib > rest.used_mib + 6_000);
        assert!(
            board.read(0).unwrap().load < 5.0,
            "the other card stays at rest"
        );
        assert!(board.read(2).is_none());
    }

    #[test]
    fn values_at_rest_stay_as_they_are_for_a_while() {
        let at = |seconds: f64| noise(0, seconds, 0.0);
        let changes = (1..600)
            .filter(|n| (at(f64::from(*n)) - at(f64::from(n - 1))).abs() > f64::EPSILON)
            .count();
        assert!((30..=60).contains(&changes), "{changes} in ten minutes");
        assert!(
            (noise(0, 1.0, 1.0) - noise(0, 2.0, 1.0)).abs() > 0.01,
            "at work it lives"
        );
    }

    #[test]
    fn a_fault_of_a_service_is_one_of_its_card() {
        let faults = FaultBoard::default();
        let board = GpuBoard::new(founding_cards(), faults.clone());
        board.declare("turbo", 1);
        faults.raise(Fault::GpuLost, Some("turbo"));
        assert!(board.read(1).unwrap().lost && !board.read(0).unwrap().lost);
        faults.raise(Fault::GpuHot, None);
        assert!(board.read(0).unwrap().temperature >= SLOWDOWN);
    }
}
