//! How long it will take, from how long it took: median and spread, robust against one bad run.

use crate::job::Forecast;

/// Median and half of the quartile distance of earlier durations in milliseconds; `None` without runs.
pub fn forecast(durations_ms: &[u32]) -> Option<Forecast> {
    if durations_ms.is_empty() {
        return None;
    }
    let mut sorted = durations_ms.to_vec();
    sorted.sort_unstable();
    Some(Forecast {
        median_ms: quantile(&sorted, 2),
        spread_ms: (quantile(&sorted, 3) - quantile(&sorted, 1)) / 2,
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
            (vec![40_000], 40_000, 0),
            (vec![50_000, 40_000], 45_000, 2_500),
            (vec![38_000, 40_000, 41_000, 42_000, 600_000], 41_000, 1_000),
        ] {
            let f = forecast(&runs).expect("some runs");
            assert_eq!((f.median_ms, f.spread_ms), (median, spread), "{runs:?}");
        }
    }
}
