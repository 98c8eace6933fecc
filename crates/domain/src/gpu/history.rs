//! A card's past on one axis of time: steps of equal length, each with minimum, mean and maximum,
//! and a gap where nothing was read.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{GpuSample, Throttle};
use crate::ids::{GpuUuid, HostId, ServiceId};

/// Most steps of one answer.
pub const MOST_STEPS: u32 = 2000;
/// Seconds that minutes are kept for: 30 days.
pub const KEPT_S: i64 = 30 * 86_400;

macro_rules! metrics {
    ($($(#[$doc:meta])* $variant:ident = $name:literal => $read:expr,)+) => {
        /// A value with a history.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
        )]
        #[cfg_attr(feature = "specta", derive(specta::Type))]
        #[serde(rename_all = "snake_case")]
        pub enum GpuMetric {
            $($(#[$doc])* $variant,)+
        }

        impl GpuMetric {
            /// Every metric; the order is the one of [`Values`] and of the store's columns.
            pub const ALL: &[GpuMetric] = &[$(GpuMetric::$variant,)+];

            /// Its name on the wire, in the store and in an exported table.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Its value in a reading.
            fn of(self, sample: &GpuSample) -> Option<f64> {
                let read: fn(&GpuSample) -> Option<f64> = match self { $(Self::$variant => $read,)+ };
                read(sample)
            }
        }
    };
}

metrics! {
    /// Compute load, percent.
    Load = "load" => |s| s.load_percent.map(f64::from),
    /// Load of the memory controller, percent.
    MemoryLoad = "memory_load" => |s| s.memory_load_percent.map(f64::from),
    /// Used memory, MiB.
    Memory = "memory" => |s| s.memory_used.map(mebibytes),
    /// Degrees Celsius.
    Temperature = "temperature" => |s| s.temperature_c.map(f64::from),
    /// Watts.
    Power = "power" => |s| s.power_w,
    /// Graphics clock, megahertz.
    Clock = "clock" => |s| s.graphics_mhz.map(f64::from),
    /// Fan, percent.
    Fan = "fan" => |s| s.fan_percent.map(f64::from),
    /// 100 while heat or a lack of power holds the clocks back, else 0; its mean is a share of time.
    Throttled = "throttled" => |s| s.throttle.as_ref().map(|reasons| {
        if reasons.iter().any(|reason| Throttle::is_trouble(*reason)) { 100.0 } else { 0.0 }
    }),
}

/// How many metrics there are.
pub const METRICS: usize = GpuMetric::ALL.len();

/// The values of one moment, by [`GpuMetric::ALL`].
pub type Values = [Option<f32>; METRICS];

#[expect(
    clippy::cast_precision_loss,
    reason = "a card has far fewer than 2^53 bytes"
)]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

/// The values of a reading that have a history.
#[expect(clippy::cast_possible_truncation, reason = "plausible values fit")]
pub fn values_of(sample: &GpuSample) -> Values {
    let mut values = [None; METRICS];
    for (value, metric) in values.iter_mut().zip(GpuMetric::ALL) {
        *value = metric.of(sample).map(|number| number as f32);
    }
    values
}

/// Smallest, mean and largest of some values of one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Smallest.
    pub min: f32,
    /// Mean.
    pub mean: f32,
    /// Largest.
    pub max: f32,
}

/// Gathers values of all metrics; what was never told stays a gap.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Gathered([Sum; METRICS]);

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sum {
    min: f32,
    max: f32,
    total: f64,
    weight: f64,
}

impl Gathered {
    /// Adds the values of a moment that stood for so many seconds.
    pub fn add(&mut self, values: &Values, seconds: f64) {
        let spread = |value: f32| Spread {
            min: value,
            mean: value,
            max: value,
        };
        self.add_spread(&values.map(|value| value.map(spread)), seconds);
    }

    /// Adds what was gathered before, for so many seconds.
    pub fn add_spread(&mut self, spreads: &[Option<Spread>; METRICS], seconds: f64) {
        for (sum, spread) in self.0.iter_mut().zip(spreads) {
            if let Some(spread) = spread {
                sum.add(*spread, seconds);
            }
        }
    }

    /// What was gathered of each metric.
    #[must_use]
    pub fn spreads(&self) -> [Option<Spread>; METRICS] {
        self.0.map(Sum::spread)
    }

    /// Whether nothing was told at all.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|sum| sum.weight <= 0.0)
    }
}

impl Sum {
    fn add(&mut self, spread: Spread, weight: f64) {
        if self.weight > 0.0 {
            self.min = self.min.min(spread.min);
            self.max = self.max.max(spread.max);
        } else {
            (self.min, self.max) = (spread.min, spread.max);
        }
        self.total += f64::from(spread.mean) * weight;
        self.weight += weight;
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a mean lies between two f32"
    )]
    fn spread(self) -> Option<Spread> {
        (self.weight > 0.0).then(|| Spread {
            min: self.min,
            mean: (self.total / self.weight) as f32,
            max: self.max,
        })
    }
}

/// The parts of a stretch of time that lie in steps of equal length, each with the second at which
/// it begins and its length in seconds. Whatever weighs values by time counts with these, so that
/// the same time has the same mean wherever it is kept.
pub fn parts(from_s: i64, until_s: i64, step_s: i64) -> impl Iterator<Item = (i64, f64)> {
    let mut next = from_s;
    std::iter::from_fn(move || {
        let begins = next;
        if begins >= until_s {
            return None;
        }
        let step_s = step_s.max(1);
        next = ((begins.div_euclid(step_s) + 1) * step_s).min(until_s);
        let seconds = u32::try_from(next - begins).unwrap_or(u32::MAX);
        Some((begins, f64::from(seconds)))
    })
}

/// What is asked of the past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GpuHistoryQuery {
    /// Of which host.
    pub host: HostId,
    /// From here.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub from: Timestamp,
    /// Until here, without it.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub to: Timestamp,
    /// About how many steps; at most [`MOST_STEPS`].
    pub steps: u32,
    /// Which values.
    pub metrics: Vec<GpuMetric>,
}

/// The axis of time of an answer: steps that begin at multiples of their own length, so that a
/// later answer of the same range has the same steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis {
    /// Second since 1970 at which the first step begins.
    pub from_s: i64,
    /// Length of a step in seconds.
    pub step_s: u32,
    /// How many steps.
    pub steps: u32,
}

/// Lengths of a step that read well on an axis, in seconds.
const STEPS_S: &[u32] = &[
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400,
];

impl Axis {
    /// The axis of a range in about so many steps; `None` for a range without a second in it.
    pub fn over(from: Timestamp, to: Timestamp, steps: u32) -> Option<Self> {
        let (from, to) = (from.as_second(), to.as_second());
        let seconds = to.checked_sub(from).filter(|seconds| *seconds > 0)?;
        let wanted = i64::from(steps.clamp(2, MOST_STEPS));
        let longest = STEPS_S.last().copied().unwrap_or(1);
        let step_s = STEPS_S
            .iter()
            .copied()
            .find(|step| seconds <= wanted * i64::from(*step))
            .unwrap_or(longest);
        let from_s = from.div_euclid(i64::from(step_s)) * i64::from(step_s);
        let steps = (to - from_s + i64::from(step_s) - 1) / i64::from(step_s);
        Some(Self {
            from_s,
            step_s,
            steps: u32::try_from(steps).ok()?.min(MOST_STEPS + 1),
        })
    }

    /// The step in which a second lies.
    pub fn place(&self, second: i64) -> Option<usize> {
        let distance = second.checked_sub(self.from_s)?;
        let place = usize::try_from(distance).ok()? / usize::try_from(self.step_s).ok()?;
        (place < usize::try_from(self.steps).ok()?).then_some(place)
    }

    /// Where the last step ends, in seconds since 1970.
    pub fn end_s(&self) -> i64 {
        self.from_s + i64::from(self.step_s) * i64::from(self.steps)
    }
}

/// The past of a host's cards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GpuHistory {
    /// Where the first step begins.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub from: Timestamp,
    /// Length of a step in seconds.
    pub step_s: u32,
    /// How many steps.
    pub steps: u32,
    /// Cards that were read within the range, by their last known index.
    pub cards: Vec<GpuTrack>,
    /// What happened within the range, oldest first.
    pub markers: Vec<GpuMarker>,
    /// What could not be read of the past, in plain words.
    pub problem: Option<String>,
}

/// One card's past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GpuTrack {
    /// The card.
    pub uuid: GpuUuid,
    /// Its name when it was last read.
    pub name: String,
    /// Its index when it was last read.
    pub index: u32,
    /// One line for each metric asked for, in the order asked.
    pub lines: Vec<GpuLine>,
}

/// One metric of one card, one value a step; `null` is a gap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GpuLine {
    /// Which.
    pub metric: GpuMetric,
    /// Smallest of each step.
    pub min: Vec<Option<f32>>,
    /// Mean of each step.
    pub mean: Vec<Option<f32>>,
    /// Largest of each step.
    pub max: Vec<Option<f32>>,
}

impl GpuLine {
    /// The line of a metric over steps; values are rounded to a tenth.
    pub fn of(metric: GpuMetric, steps: &[Gathered]) -> Self {
        let place = GpuMetric::ALL
            .iter()
            .position(|m| *m == metric)
            .unwrap_or(0);
        let spreads: Vec<Option<Spread>> =
            steps.iter().map(|step| step.0[place].spread()).collect();
        let line = |pick: fn(Spread) -> f32| {
            let tenth = |value: f32| (value * 10.0).round() / 10.0;
            spreads.iter().map(|s| s.map(|s| tenth(pick(s)))).collect()
        };
        Self {
            metric,
            min: line(|s| s.min),
            mean: line(|s| s.mean),
            max: line(|s| s.max),
        }
    }
}

/// What a marker on the axis of time stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum GpuMarkerKind {
    /// A test picture was made.
    Generation,
    /// A service was started, stopped or restarted through Forgekeeper.
    Action,
    /// A placement proof.
    Placement,
}

/// Something that happened to a service of the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GpuMarker {
    /// What.
    pub kind: GpuMarkerKind,
    /// To which service.
    pub service: ServiceId,
    /// When it began.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub at: Timestamp,
    /// How long it took, in milliseconds, when known.
    pub took_ms: Option<u32>,
    /// Whether it ended well; `None` when not known.
    pub ok: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    #[test]
    fn steps_read_well_and_begin_at_multiples_of_their_length() {
        for (seconds, steps, expected) in [
            (60, 60, 1),
            (3600, 720, 5),
            (3600, 3600, 2),
            (86_400, 1440, 60),
            (86_400, 720, 120),
            (30 * 86_400, 720, 3600),
            (30 * 86_400, 2000, 1800),
            (3650 * 86_400, 100, 86_400),
        ] {
            let axis = Axis::over(at(1_000_007), at(1_000_007 + seconds), steps).expect("an axis");
            assert_eq!(axis.step_s, expected, "{seconds} s in {steps} steps");
            assert_eq!(axis.from_s % i64::from(axis.step_s), 0);
            assert!(axis.from_s <= 1_000_007);
            assert!(axis.end_s() >= 1_000_007 + seconds || axis.steps > MOST_STEPS);
            assert!(axis.steps <= MOST_STEPS + 1);
        }
        for (from, to) in [(10, 10), (10, 9)] {
            assert_eq!(Axis::over(at(from), at(to), 60), None);
        }
    }

    #[test]
    fn a_second_lies_in_its_step_and_no_other() {
        let axis = Axis {
            from_s: 120,
            step_s: 60,
            steps: 3,
        };
        for (second, expected) in [
            (119, None),
            (120, Some(0)),
            (179, Some(0)),
            (180, Some(1)),
            (299, Some(2)),
            (300, None),
            (i64::MIN, None),
            (i64::MAX, None),
        ] {
            assert_eq!(axis.place(second), expected, "{second}");
        }
    }

    #[test]
    fn what_was_not_told_is_a_gap_and_never_zero() {
        let mut first = Gathered::default();
        let mut values: Values = [None; METRICS];
        values[0] = Some(10.0);
        first.add(&values, 1.0);
        values[0] = Some(40.06);
        first.add(&values, 1.0);
        let empty = Gathered::default();
        assert!(empty.is_empty() && !first.is_empty());
        let line = GpuLine::of(GpuMetric::Load, &[first, empty]);
        assert_eq!(line.min, [Some(10.0), None]);
        assert_eq!(line.mean, [Some(25.0), None]);
        assert_eq!(line.max, [Some(40.1), None]);
        let other = GpuLine::of(GpuMetric::Power, &[first, empty]);
        assert_eq!(other.mean, [None, None]);
    }

    #[test]
    fn values_are_weighed_by_the_time_they_stood() {
        let mut gathered = Gathered::default();
        let mut values: Values = [None; METRICS];
        values[0] = Some(10.0);
        gathered.add(&values, 30.0);
        values[0] = Some(100.0);
        gathered.add(&values, 15.0);
        let found = gathered.spreads()[0].expect("told");
        assert_eq!((found.min, found.mean, found.max), (10.0, 40.0, 100.0));
    }

    #[test]
    fn a_stretch_is_parted_where_steps_meet() {
        let parted = |from, until, step| parts(from, until, step).collect::<Vec<_>>();
        assert_eq!(parted(50, 130, 60), [(50, 10.0), (60, 60.0), (120, 10.0)]);
        assert_eq!(parted(60, 61, 60), [(60, 1.0)]);
        assert_eq!(parted(-1, 1, 60), [(-1, 1.0), (0, 1.0)]);
        assert_eq!(parted(60, 60, 60), []);
        assert_eq!(parted(2, 4, 0), [(2, 1.0), (3, 1.0)], "a step has a length");
    }

    #[test]
    fn spreads_of_minutes_are_weighed_by_their_time() {
        let spread = |mean: f32| {
            let mut spreads = [None; METRICS];
            spreads[3] = Some(Spread {
                min: mean - 1.0,
                mean,
                max: mean + 1.0,
            });
            spreads
        };
        let mut gathered = Gathered::default();
        gathered.add_spread(&spread(40.0), 60.0);
        gathered.add_spread(&spread(70.0), 30.0);
        let found = gathered.spreads()[3].expect("told");
        assert_eq!((found.min, found.mean, found.max), (39.0, 50.0, 71.0));
    }

    #[test]
    fn every_metric_reads_its_own_value() {
        let uuid = GpuUuid::new("GPU-a").expect("an id");
        let sample = GpuSample {
            load_percent: Some(1),
            memory_load_percent: Some(2),
            memory_used: Some(3 << 20),
            temperature_c: Some(4),
            power_w: Some(5.5),
            graphics_mhz: Some(6),
            fan_percent: Some(7),
            throttle: Some(vec![Throttle::PowerLimit, Throttle::HardwareHeat]),
            ..GpuSample::unread(uuid.clone(), 0, "X", at(0))
        };
        let expected = [1.0, 2.0, 3.0, 4.0, 5.5, 6.0, 7.0, 100.0];
        assert_eq!(values_of(&sample), expected.map(Some));
        let silent = GpuSample::unread(uuid, 0, "X", at(0));
        assert_eq!(values_of(&silent), [None; METRICS]);
        for metric in GpuMetric::ALL {
            let wire = serde_json::to_value(metric).expect("serialises");
            assert_eq!(wire, metric.name());
        }
    }
}
