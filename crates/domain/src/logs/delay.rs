//! How far a log that is followed is behind what its program writes.
//!
//! The engine stamps a line when it is written, we see when it comes; but these are two clocks, and
//! that of WSL stands still while Windows sleeps. So a live line is compared with the quickest one
//! of the last minutes: what all lines have in common is the difference of the clocks.

use jiff::Timestamp;

/// The quickest line is looked for among those of so many milliseconds, up to twice as many.
const WINDOW_MS: i64 = 300_000;

/// Measures one log.
#[derive(Debug, Default)]
pub struct Delay {
    opened_at: Option<Timestamp>,
    catching_up: bool,
    /// Between the writing and the coming of the newest line, milliseconds.
    last: Option<i64>,
    quickest: Quickest,
}

/// The least delay of this stretch of time and of the one before.
#[derive(Debug, Default)]
struct Quickest {
    since: Option<Timestamp>,
    now: Option<i64>,
    before: Option<i64>,
}

impl Quickest {
    fn take(&mut self, delay: i64, now: Timestamp) {
        let age = self.since.map(|since| millis(since, now));
        if age.is_none_or(|age| !(0..WINDOW_MS).contains(&age)) {
            self.before = self.now.take();
            self.since = Some(now);
        }
        self.now = Some(self.now.map_or(delay, |least| least.min(delay)));
    }

    fn least(&self) -> Option<i64> {
        [self.now, self.before].into_iter().flatten().min()
    }
}

impl Delay {
    /// The stream was opened: what was written before comes first.
    pub fn opened(&mut self, now: Timestamp) {
        *self = Self {
            opened_at: Some(now),
            ..Self::default()
        };
    }

    /// A line written at `at` has come.
    pub fn line(&mut self, at: Timestamp, now: Timestamp) {
        let Some(opened_at) = self.opened_at else {
            return;
        };
        let delay = millis(at, now);
        self.last = Some(delay);
        if self.quickest.since.is_none() && at < opened_at {
            self.catching_up = true;
            return;
        }
        self.catching_up = false;
        self.quickest.take(delay, now);
    }

    /// Nothing has come for a moment: all that was written before is here. Whether that is news.
    pub fn paused(&mut self, now: Timestamp) -> bool {
        if !self.catching_up {
            return false;
        }
        self.catching_up = false;
        self.last = None;
        self.quickest.since = Some(now);
        true
    }

    /// The stream is not connected any more.
    pub fn closed(&mut self) {
        *self = Self::default();
    }

    /// How long after it was written the newest line came, in milliseconds, to a tenth of a second.
    pub fn behind_ms(&self) -> Option<u32> {
        let common = if self.catching_up {
            0
        } else {
            self.quickest.least()?
        };
        let behind = (self.last? - common).max(0) / 100 * 100;
        Some(u32::try_from(behind).unwrap_or(u32::MAX))
    }

    /// Whether lines from before the stream was opened are still coming.
    pub fn catching_up(&self) -> bool {
        self.catching_up
    }
}

fn millis(from: Timestamp, to: Timestamp) -> i64 {
    let millis = to.duration_since(from).as_millis();
    i64::try_from(millis).unwrap_or(if millis < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap()
    }

    #[test]
    fn nothing_is_known_before_a_line_and_after_the_end() {
        let mut delay = Delay::default();
        delay.line(at(0), at(5_000));
        assert_eq!(delay.behind_ms(), None, "not opened");
        delay.opened(at(0));
        assert_eq!((delay.behind_ms(), delay.catching_up()), (None, false));
        delay.line(at(100), at(150));
        assert_eq!(delay.behind_ms(), Some(0));
        delay.closed();
        assert_eq!((delay.behind_ms(), delay.catching_up()), (None, false));
    }

    #[test]
    fn what_was_written_before_is_caught_up_with() {
        let mut delay = Delay::default();
        delay.opened(at(0));
        delay.line(at(-3_600_000), at(100));
        assert!(delay.catching_up());
        assert_eq!(delay.behind_ms(), Some(3_600_100));
        delay.line(at(-60_000), at(900));
        assert_eq!(delay.behind_ms(), Some(60_900));
        assert!(delay.paused(at(1_200)));
        assert!(!delay.paused(at(1_500)), "told once");
        assert_eq!((delay.behind_ms(), delay.catching_up()), (None, false));
        // The clock of the host is slow: these are live all the same.
        delay.line(at(-118_000), at(2_000));
        assert_eq!((delay.behind_ms(), delay.catching_up()), (Some(0), false));
    }

    #[test]
    fn a_lively_log_is_caught_up_with_at_its_first_new_line() {
        let mut delay = Delay::default();
        delay.opened(at(0));
        delay.line(at(-10), at(20));
        assert!(delay.catching_up());
        delay.line(at(5), at(25));
        assert_eq!((delay.behind_ms(), delay.catching_up()), (Some(0), false));
    }

    #[test]
    fn what_all_lines_have_in_common_is_the_clocks_affair() {
        for clocks in [-90_000, 0, 90_000] {
            let mut delay = Delay::default();
            delay.opened(at(0));
            delay.paused(at(300));
            let mut come = |written: i64, after: i64| {
                delay.line(at(written + clocks), at(written + after));
                delay.behind_ms()
            };
            let first = come(100_000, 40);
            let late = come(101_000, 12_740);
            let prompt = come(120_000, 40);
            assert_eq!(late, Some(12_700), "clocks differ by {clocks}");
            assert_eq!(prompt, Some(0));
            assert!(first.is_some());
        }
    }

    #[test]
    fn a_clock_that_was_set_is_believed_after_a_while() {
        let mut delay = Delay::default();
        delay.opened(at(0));
        delay.line(at(1_000), at(1_020));
        // The host slept for an hour, its clock with it.
        let slept = 3_600_000;
        delay.line(at(2_000), at(2_000 + slept));
        assert_eq!(delay.behind_ms(), Some(3_599_900));
        for minute in 1..12 {
            let written = 2_000 + minute * 60_000;
            delay.line(at(written), at(written + slept));
        }
        assert_eq!(delay.behind_ms(), Some(0));
    }
}
