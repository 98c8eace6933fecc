//! The cards of the played host: values that wobble at rest and follow the work.

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
    /// Power and fan are not reported.
    pub sparse: bool,
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
    started: Instant,
    faults: FaultBoard,
}

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

/// A slow, repeatable wobble between -1 and 1.
fn wobble(card: usize, seconds: f64) -> f64 {
    let phase = card as f64 * 1.7;
    f64::midpoint(
        (seconds * 0.61 + phase).sin(),
        (seconds * 0.173 + phase * 2.0).sin(),
    )
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

    /// What every service does on `card`.
    pub fn work(&self, card: usize) -> BTreeMap<String, Activity> {
        self.0
            .states
            .get(card)
            .map(|s| lock(s).work.clone())
            .unwrap_or_default()
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
        let sway = wobble(card, seconds);
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
        let hot = self.0.faults.any(Fault::GpuHot);
        let idle = 41.0 + card as f64 * 3.0;
        Some(Reading {
            load: (load * 96.0 + (1.0 - load) * (1.0 + sway).max(0.0) + sway * load)
                .clamp(0.0, 100.0),
            memory_load: (load * 71.0 + sway.abs()).clamp(0.0, 100.0),
            used_mib: (612 + card as u64 * 148 + held + if busy { 1_180 } else { 0 })
                .min(spec.total_mib - 60),
            temperature: if hot {
                96.0 + sway
            } else {
                idle + warmth * 31.0 + sway
            },
            power: 24.0 + card as f64 * 6.0 + sway * 2.0 + load * (spec.power_limit * 0.86),
            fan: 30.0 + warmth * 38.0,
            clock: 210.0 + load * 1_650.0,
            sparse: self.0.faults.any(Fault::GpuNa),
            card: spec,
        })
    }

    /// True when the driver should say that the card is lost.
    pub fn lost(&self) -> bool {
        self.0.faults.any(Fault::GpuLost)
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
}
