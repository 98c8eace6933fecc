//! How fast it goes, and how long it will take: only where that was measured.

use std::{collections::VecDeque, time::Duration};

/// How far back a rate looks.
const LATELY: Duration = Duration::from_secs(15);
/// A shorter look says nothing.
const LEAST: Duration = Duration::from_secs(2);
/// Nothing that long is foretold.
const LONGEST_S: f64 = 30.0 * 24.0 * 3600.0;

/// Bytes over time.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    seen: VecDeque<(Duration, u64)>,
}

impl Pace {
    /// So many bytes were done after so long; both only grow.
    pub fn add(&mut self, after: Duration, bytes: u64) {
        self.seen.push_back((after, bytes));
        // One beyond the range stays, so that the range is covered.
        while self
            .seen
            .get(1)
            .is_some_and(|(at, _)| after.saturating_sub(*at) >= LATELY)
        {
            self.seen.pop_front();
        }
    }

    /// Bytes a second; `None` before that was measured.
    pub fn rate(&self) -> Option<f64> {
        let ((from, before), (to, now)) = (self.seen.front()?, self.seen.back()?);
        let span = to.checked_sub(*from).filter(|span| *span >= LEAST)?;
        Some(now.saturating_sub(*before) as f64 / span.as_secs_f64())
    }

    /// Seconds that so many bytes will take; `None` when nothing moves, or nothing was measured.
    pub fn remaining_s(&self, bytes: u64) -> Option<u32> {
        let rate = self.rate().filter(|rate| *rate >= 1.0)?;
        let seconds = (bytes as f64 / rate).ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "within the limits"
        )]
        (seconds <= LONGEST_S).then_some(seconds as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn nothing_is_foretold_before_it_was_measured() {
        let mut pace = Pace::default();
        assert_eq!((pace.rate(), pace.remaining_s(1)), (None, None));
        pace.add(after(0), 0);
        pace.add(after(1_900), 1_000_000);
        assert_eq!(pace.rate(), None);
        pace.add(after(2_000), 2_000_000);
        assert_eq!(pace.rate(), Some(1_000_000.0));
        assert_eq!(pace.remaining_s(5_500_000), Some(6));
        assert_eq!(pace.remaining_s(0), Some(0));
    }

    #[test]
    fn what_was_long_ago_does_not_count_and_a_standstill_has_no_end() {
        let mut pace = Pace::default();
        for second in 0..100 {
            let bytes = if second < 50 { second * 1_000 } else { 50_000 };
            pace.add(after(second * 1_000), bytes);
        }
        assert_eq!(pace.rate(), Some(0.0));
        assert_eq!(pace.remaining_s(10), None);
        assert!(pace.seen.len() < 20);
        let mut slow = Pace::default();
        slow.add(after(0), 0);
        slow.add(after(10_000), 100);
        assert_eq!(slow.remaining_s(u64::MAX), None, "not foretold");
    }
}
