//! What was seen of a service over a time, minute by minute.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Minutes of a day.
const DAY: u64 = 24 * 60;

/// The minutes in which a service was looked at. Those in which nobody looked are not in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// Minutes in which it worked all along.
    pub good: u64,
    /// Minutes in which it did not.
    pub bad: u64,
    /// The median of its answers, milliseconds.
    pub latency_ms: Option<u32>,
}

impl Watched {
    /// How many of a thousand minutes were good; `None` where nobody looked.
    pub fn permille(self) -> Option<u64> {
        (self.good * 1000).checked_div(self.good + self.bad)
    }

    /// The same in words, such as `99.8`.
    pub fn percent(self) -> Option<String> {
        let permille = self.permille()?;
        Some(format!("{}.{}", permille / 10, permille % 10))
    }
}

/// Days in words, cut to tenths: `4.9` is not yet five.
pub(super) fn days(minutes: u64) -> String {
    let tenths = minutes * 10 / DAY;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Minutes that so many days have.
pub(super) fn of_days(days: u16) -> u64 {
    u64::from(days) * DAY
}

/// Whole minutes from one moment to another; zero where it is none.
pub(super) fn between(from: Timestamp, to: Timestamp) -> u64 {
    let minutes = to.duration_since(from).as_mins();
    u64::try_from(minutes).unwrap_or(0)
}

/// A time that is left, in words of two languages: days from two days on, else hours or minutes, rounded up.
pub(super) fn left(minutes: u64) -> (String, String) {
    let (count, en, fr) = match minutes {
        0..120 => (minutes, "minute", "minute"),
        120..2_880 => (minutes.div_ceil(60), "hour", "heure"),
        _ => (minutes.div_ceil(DAY), "day", "jour"),
    };
    let plural = if count == 1 { "" } else { "s" };
    let plural_fr = if count < 2 { "" } else { "s" };
    (
        format!("{count} {en}{plural}"),
        format!("{count}\u{a0}{fr}{plural_fr}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_times_are_never_rounded_up_to_the_better() {
        let watched = |good, bad| Watched {
            good,
            bad,
            latency_ms: None,
        };
        assert_eq!(watched(0, 0).percent(), None, "nobody looked");
        assert_eq!(watched(9_999, 1).percent().as_deref(), Some("99.9"));
        assert_eq!(watched(5, 0).percent().as_deref(), Some("100.0"));
        assert_eq!(days(of_days(5) - 1), "4.9");
        assert_eq!(left(1).0, "1 minute");
        assert_eq!(left(121).1, "3\u{a0}heures");
        assert_eq!(left(of_days(3) + 1).0, "4 days");
    }
}
