//! What is wrong with a card, by thresholds from its own driver, and for how long it has to be so.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::{GpuSample, Throttle};
use crate::{cause::Cause, outcome::Outcome};

/// So long a card must be over its slowdown threshold before it counts as hot, seconds.
const HOT_S: i64 = 30;
/// A hot card must fall this far below its threshold to count as cool, in degrees.
const COOL_BY: u32 = 3;
/// So long heat or a lack of power must hold the clocks back, seconds: short spikes are usual.
const THROTTLED_S: i64 = 120;
/// A pause of so many seconds in it does not begin it anew.
const THROTTLE_PAUSE_S: i64 = 15;
/// So much of the last [`THROTTLED_S`] a card must have been held back, seconds: half of the time.
/// A spike every few seconds holds nothing back, though no pause between two is long.
const HELD_S: i64 = THROTTLED_S / 2;
/// So long a link must be narrow, seconds: it is trained anew when a card wakes.
const NARROW_S: i64 = 60;
/// A quarter of the lanes or fewer: an x16 card on x4 or x1. Half of them is a usual board.
const NARROW_BY: u32 = 4;
/// So little free memory fails a test picture: 512 × 512 takes about as much, in bytes.
const LOW_BYTES: u64 = 512 * 1024 * 1024;
/// So long it has to be so little, seconds: a picture takes it for some seconds.
const LOW_S: i64 = 30;

/// After so many seconds without a reading everything begins anew; the slowest source is read once a
/// minute.
const GAP_S: i64 = 180;

/// A clock that is set right by so few seconds changes no judgement: some are, again and again.
const SLIP_S: i64 = 10;

/// What is remembered of a card to judge it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    over_since: Option<Timestamp>,
    hot: bool,
    throttle: Option<Stretch>,
    held: Held,
    narrow_since: Option<Timestamp>,
    low_since: Option<Timestamp>,
    seen_at: Option<Timestamp>,
}

/// Times in which something was seen again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    since: Timestamp,
    last: Timestamp,
}

/// Whether a card was held back, by each reading of the last [`THROTTLED_S`]; one that does not tell
/// counts for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Held(VecDeque<(Timestamp, bool)>);

impl Held {
    fn see(&mut self, at: Timestamp, held: bool) {
        self.0.push_back((at, held));
        // One that is older may reach into the window.
        while self
            .0
            .get(1)
            .is_some_and(|(next, _)| seconds(*next, at) >= THROTTLED_S)
        {
            self.0.pop_front();
        }
    }

    /// For how long, in seconds: a reading stands until the next one.
    fn seconds(&self) -> i64 {
        let Some((now, _)) = self.0.back() else {
            return 0;
        };
        let until = self.0.iter().skip(1);
        let stood = self.0.iter().zip(until).filter(|((_, held), _)| *held);
        stood
            .map(|((from, _), (to, _))| seconds(*from, *now).min(THROTTLED_S) - seconds(*to, *now))
            .sum()
    }
}

impl Condition {
    /// Takes a reading in. A value that is not told this time changes nothing: unknown is not well.
    pub fn see(&mut self, sample: &GpuSample) {
        if self
            .seen_at
            .is_some_and(|seen| !(-SLIP_S..=GAP_S).contains(&seconds(seen, sample.at)))
        {
            // Nobody looked for long: what was so then has not been so all the time. Or the clock was
            // set back, and nothing tells for how long it has been so.
            *self = Self::default();
        }
        self.seen_at = Some(sample.at);
        self.heat(sample);
        self.throttling(sample);
        let link = sample.pcie.width.zip(sample.pcie.max_width);
        if let Some((now, most)) = link {
            let narrow = now.saturating_mul(NARROW_BY) <= most;
            since(&mut self.narrow_since, narrow, sample.at);
        }
        if let Some(free) = sample.free() {
            since(&mut self.low_since, free < LOW_BYTES, sample.at);
        }
    }

    fn throttling(&mut self, sample: &GpuSample) {
        self.held.see(sample.at, troubles(sample).next().is_some());
        if sample.throttle.is_none() {
            return;
        }
        self.throttle = match (troubles(sample).next(), self.throttle) {
            (Some(_), Some(stretch)) => Some(Stretch {
                last: sample.at,
                ..stretch
            }),
            (Some(_), None) => Some(Stretch {
                since: sample.at,
                last: sample.at,
            }),
            (None, Some(stretch)) if seconds(stretch.last, sample.at) <= THROTTLE_PAUSE_S => {
                Some(stretch)
            }
            (None, _) => None,
        };
    }

    fn heat(&mut self, sample: &GpuSample) {
        let limit = |slowdown: u32| {
            if self.hot {
                slowdown.saturating_sub(COOL_BY)
            } else {
                slowdown
            }
        };
        let Some((degrees, slowdown)) = sample.temperature_c.zip(sample.slowdown_c) else {
            return;
        };
        if slowdown > 0 && degrees >= limit(slowdown) {
            let since = *self.over_since.get_or_insert(sample.at);
            self.hot |= seconds(since, sample.at) >= HOT_S;
        } else {
            self.over_since = None;
            self.hot = false;
        }
    }

    /// What is wrong by the newest reading, gravest first; empty when nothing is.
    pub fn found(&self, sample: &GpuSample) -> Vec<Outcome> {
        let mut found = Vec::new();
        let since = |cause, since| Outcome {
            checked_at: Some(sample.at),
            ..Outcome::degraded(cause, since)
        };
        if let Some(over) = self.over_since.filter(|_| self.hot) {
            found.push(
                since(Cause::GpuHot, over)
                    .with_some("temperature_c", sample.temperature_c)
                    .with_some("slowdown_c", sample.slowdown_c),
            );
        }
        if let Some(stretch) = self
            .throttle
            .filter(|s| seconds(s.since, s.last) >= THROTTLED_S && self.held.seconds() >= HELD_S)
        {
            let reasons: Vec<&str> = troubles(sample).map(Throttle::word).collect();
            found.push(
                since(Cause::GpuThrottled, stretch.since)
                    .with_some(
                        "throttle_reasons",
                        (!reasons.is_empty()).then(|| reasons.join(", ")),
                    )
                    .with_some("graphics_mhz", sample.graphics_mhz)
                    .with_some("graphics_max_mhz", sample.graphics_max_mhz),
            );
        }
        let lasting = |began: Option<Timestamp>, least| {
            began.filter(|began| seconds(*began, sample.at) >= least)
        };
        if let Some(began) = lasting(self.narrow_since, NARROW_S) {
            found.push(
                since(Cause::GpuPcieDegraded, began)
                    .with_some("pcie_width", sample.pcie.width)
                    .with_some("pcie_max_width", sample.pcie.max_width),
            );
        }
        if let Some(began) = lasting(self.low_since, LOW_S) {
            found.push(
                since(Cause::GpuMemoryLow, began)
                    .with_some("memory_free", sample.free())
                    .with_some("memory_total", sample.memory_total),
            );
        }
        found
    }
}

fn troubles(sample: &GpuSample) -> impl Iterator<Item = Throttle> {
    let reasons = sample.throttle.iter().flatten().copied();
    reasons.filter(|reason| reason.is_trouble())
}

/// Keeps the moment from which on something has been so without a break.
fn since(began: &mut Option<Timestamp>, is_so: bool, at: Timestamp) {
    if is_so {
        began.get_or_insert(at);
    } else {
        *began = None;
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    to.as_second() - from.as_second()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{gpu::PcieLink, ids::GpuUuid};

    const GIB: u64 = 1 << 30;

    fn sample(second: i64) -> GpuSample {
        let at = Timestamp::from_second(1_800_000_000 + second).expect("a time");
        GpuSample {
            slowdown_c: Some(90),
            ..GpuSample::unread(GpuUuid::new("GPU-a").expect("an id"), 0, "X", at)
        }
    }

    /// The causes found after each of the readings.
    fn causes(samples: impl IntoIterator<Item = GpuSample>) -> Vec<Vec<&'static str>> {
        let mut condition = Condition::default();
        samples
            .into_iter()
            .map(|sample| {
                condition.see(&sample);
                let found = condition.found(&sample);
                found
                    .iter()
                    .filter_map(|o| o.cause)
                    .map(Cause::code)
                    .collect()
            })
            .collect()
    }

    #[test]
    fn heat_has_to_last_and_to_go_well_below() {
        let degrees = [
            (0, 91),
            (20, 91),
            (29, 91),
            (31, 91),
            (40, 88),
            (50, 86),
            (60, 89),
        ];
        let found = causes(degrees.map(|(second, degrees)| GpuSample {
            temperature_c: Some(degrees),
            ..sample(second)
        }));
        let hot: Vec<bool> = found
            .iter()
            .map(|causes| causes.contains(&"gpu.hot"))
            .collect();
        assert_eq!(hot, [false, false, false, true, true, false, false]);
        let unknown = causes((0..100).map(|second| GpuSample {
            temperature_c: Some(200),
            slowdown_c: None,
            ..sample(second)
        }));
        assert!(
            unknown.iter().all(Vec::is_empty),
            "no threshold, no verdict"
        );
    }

    #[test]
    fn minutes_of_heat_or_want_of_power_are_told_and_a_power_limit_is_not() {
        let held = |reason: Throttle, gap: std::ops::Range<i64>| {
            causes((0..200).map(|second| GpuSample {
                throttle: Some(if gap.contains(&second) {
                    vec![]
                } else {
                    vec![reason]
                }),
                graphics_mhz: Some(900),
                ..sample(second)
            }))
        };
        let found = held(Throttle::HardwareHeat, 0..0);
        assert!(found[119].is_empty());
        assert_eq!(found[121], ["gpu.throttled"]);
        assert_eq!(
            held(Throttle::PowerBrake, 60..70)[125],
            ["gpu.throttled"],
            "a short pause"
        );
        assert!(
            held(Throttle::PowerBrake, 60..90)[150].is_empty(),
            "a long one begins anew"
        );
        assert!(held(Throttle::PowerLimit, 0..0).iter().all(Vec::is_empty));
        assert!(held(Throttle::Idle, 0..0).iter().all(Vec::is_empty));
    }

    /// Whether a card that is read every `period` seconds, and held back at some of them, is told to be
    /// throttled at any of them, and at the last one.
    fn throttled(period: i64, lasts: i64, held: impl Fn(i64) -> bool) -> (bool, bool) {
        let readings = (0..=lasts / period).map(|n| n * period);
        let found = causes(readings.map(|second| GpuSample {
            throttle: Some(if held(second) {
                vec![Throttle::HardwareHeat]
            } else {
                vec![]
            }),
            ..sample(second)
        }));
        let told: Vec<bool> = found.iter().map(|causes| !causes.is_empty()).collect();
        (told.contains(&true), told.last() == Some(&true))
    }

    #[test]
    fn spikes_hold_nothing_back_and_half_of_the_time_does() {
        let spikes = throttled(1, 600, |second| second % 14 == 0);
        assert_eq!(spikes, (false, false), "one second of fourteen");
        let mostly = throttled(1, 600, |second| second % 14 < 8);
        assert_eq!(mostly, (true, true), "eight seconds of fourteen");
        let once = throttled(1, 600, |second| second < 300 || second % 14 == 0);
        assert_eq!(once, (true, false), "it ends though spikes remain");
        for period in [1, 10, 30, 60] {
            assert_eq!(throttled(period, 120, |_| true), (true, true), "{period}");
            assert_eq!(throttled(period, 119, |_| true), (false, false), "{period}");
        }
        assert_eq!(throttled(10, 600, |s| s % 30 == 0), (false, false));
        assert_eq!(throttled(10, 600, |s| s % 30 != 0), (true, true));
    }

    #[test]
    fn a_clock_that_is_set_back_begins_anew_and_one_that_slips_does_not() {
        let held = |second| GpuSample {
            throttle: Some(vec![Throttle::HardwareHeat]),
            ..sample(second)
        };
        let found = causes((0..130).chain(-3600..-3470).map(held));
        assert!(!found[129].is_empty());
        assert!(found[130].is_empty(), "for how long is not known");
        assert!(!found[259].is_empty(), "and told again after two minutes");
        let found = causes((0..130).chain(127..300).map(held));
        assert!(found[130..].iter().all(|causes| !causes.is_empty()));
    }

    #[test]
    fn a_link_of_a_quarter_of_its_lanes_is_told_and_half_is_not() {
        let link = |width: u32| {
            causes([0, 61].map(|second| GpuSample {
                pcie: PcieLink {
                    // At rest the generation falls; that is no trouble.
                    generation: Some(1),
                    width: Some(width),
                    max_generation: Some(4),
                    max_width: Some(16),
                },
                ..sample(second)
            }))
        };
        for (width, expected) in [(16, false), (8, false), (4, true), (1, true)] {
            assert_eq!(
                link(width)[1].contains(&"gpu.pcie_degraded"),
                expected,
                "x{width}"
            );
            assert!(link(width)[0].is_empty(), "not at once");
        }
    }

    #[test]
    fn a_nearly_full_card_is_told() {
        let memory = |used: Option<u64>, free: Option<u64>| {
            causes([0, 31].map(|second| GpuSample {
                memory_used: used,
                memory_free: free,
                memory_total: Some(16 * GIB),
                ..sample(second)
            }))
            .remove(1)
        };
        assert_eq!(memory(Some(16 * GIB - 1000), None), ["gpu.memory_low"]);
        assert_eq!(memory(None, Some(GIB / 4)), ["gpu.memory_low"]);
        assert!(memory(Some(15 * GIB), None).is_empty());
        assert!(memory(None, None).is_empty(), "not told is not full");
    }

    #[test]
    fn the_gravest_comes_first_with_its_evidence() {
        let mut condition = Condition::default();
        let mut last = sample(0);
        for second in 0..200 {
            last = GpuSample {
                temperature_c: Some(97),
                throttle: Some(vec![Throttle::HardwareHeat]),
                ..sample(second)
            };
            condition.see(&last);
        }
        let found = condition.found(&last);
        let codes: Vec<_> = found
            .iter()
            .filter_map(|o| o.cause)
            .map(Cause::code)
            .collect();
        assert_eq!(codes, ["gpu.hot", "gpu.throttled"]);
        assert_eq!(found[0].since, Some(sample(0).at));
        assert_eq!(found[0].checked_at, Some(last.at));
        assert_eq!(found[1].evidence[0].value, "hardware_heat");
    }
}
