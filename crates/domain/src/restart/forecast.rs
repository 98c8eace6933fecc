//! How long it will take, from how long it took: median and spread, robust against one bad run.

use serde::{Deserialize, Serialize};

use crate::{
    action::RestartTarget,
    job::{Forecast, JobKind},
};

/// What earlier runs say of each kind of action on one service: a start is not as long as a
/// restart, and a stop even less.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Forecasts {
    /// Of a start.
    pub start: Option<Forecast>,
    /// Of a stop.
    pub stop: Option<Forecast>,
    /// Of a restart of the container.
    pub container: Option<Forecast>,
    /// Of a restart of the program alone.
    pub program: Option<Forecast>,
}

impl Forecasts {
    /// The forecast of a job; generations have none.
    pub fn of(&self, kind: JobKind) -> Option<Forecast> {
        match kind {
            JobKind::Start => self.start,
            JobKind::Stop => self.stop,
            JobKind::Restart {
                target: RestartTarget::Container,
            } => self.container,
            JobKind::Restart {
                target: RestartTarget::Program,
            } => self.program,
            JobKind::Generate | JobKind::Golden | JobKind::ProvePlacement | JobKind::Restore => {
                None
            }
        }
    }
}

/// Median and half of the quartile distance of earlier durations in milliseconds; `None` without runs.
pub fn forecast(durations_ms: &[u32]) -> Option<Forecast> {
    if durations_ms.is_empty() {
        return None;
    }
    let mut sorted = durations_ms.to_vec();
    sorted.sort_unstable();
    Some(Forecast {
        median_ms: quantile(&sorted, 2),
        spread_ms: (sorted.len() > 1).then(|| (quantile(&sorted, 3) - quantile(&sorted, 1)) / 2),
        runs: u32::try_from(sorted.len()).unwrap_or(u32::MAX),
    })
}

/// The `quarter`-th quartile of a sorted slice, by linear interpolation.
fn quantile(sorted: &[u32], quarter: usize) -> u32 {
    let scaled = (sorted.len() - 1) * quarter;
    let (low, rest) = (scaled / 4, scaled % 4);
    let high = (low + 1).min(sorted.len() - 1);
    let (a, b) = (u64::from(sorted[low]), u64::from(sorted[high]));
    let rest = rest as u64;
    u32::try_from((a * (4 - rest) + b * rest) / 4).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_spread() {
        assert_eq!(forecast(&[]), None);
        for (runs, median, spread) in [
            (vec![40_000], 40_000, None),
            (vec![50_000, 40_000], 45_000, Some(2_500)),
            (
                vec![38_000, 40_000, 41_000, 42_000, 600_000],
                41_000,
                Some(1_000),
            ),
        ] {
            let f = forecast(&runs).expect("some runs");
            assert_eq!((f.median_ms, f.spread_ms), (median, spread), "{runs:?}");
        }
    }

    #[test]
    fn each_kind_of_action_has_its_own() {
        let one = |ms| forecast(&[ms]);
        let all = Forecasts {
            start: one(1),
            stop: one(2),
            container: one(3),
            program: one(4),
        };
        let target = |target| JobKind::Restart { target };
        for (kind, median) in [
            (JobKind::Start, Some(1)),
            (JobKind::Stop, Some(2)),
            (target(RestartTarget::Container), Some(3)),
            (target(RestartTarget::Program), Some(4)),
            (JobKind::Generate, None),
            (JobKind::ProvePlacement, None),
            (JobKind::Golden, None),
        ] {
            assert_eq!(all.of(kind).map(|f| f.median_ms), median, "{kind:?}");
        }
    }
}
