//! A fixed-capacity time series in which a missing second is a gap, never a zero.

use std::collections::VecDeque;

use jiff::Timestamp;

/// One value a second, oldest first.
#[derive(Debug, Clone)]
pub struct Series<T> {
    capacity: usize,
    newest_second: Option<i64>,
    values: VecDeque<Option<T>>,
}

impl<T: Copy> Series<T> {
    /// Room for `capacity` seconds.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            newest_second: None,
            values: VecDeque::with_capacity(capacity),
        }
    }

    /// Adds the value of a second; seconds in between become gaps. A second value within the
    /// same second replaces the first. A clock that jumps back begins anew.
    pub fn push(&mut self, at: Timestamp, value: Option<T>) {
        let second = at.as_second();
        match self.newest_second {
            Some(newest) if second == newest => {
                self.values.pop_back();
            }
            Some(newest) if second > newest => {
                let gaps = usize::try_from(second - newest - 1).unwrap_or(usize::MAX);
                for _ in 0..gaps.min(self.capacity) {
                    self.append(None);
                }
            }
            Some(_) => self.values.clear(),
            None => {}
        }
        self.newest_second = Some(second);
        self.append(value);
    }

    fn append(&mut self, value: Option<T>) {
        if self.values.len() == self.capacity {
            self.values.pop_front();
        }
        self.values.push_back(value);
    }

    /// Oldest first.
    pub fn values(&self) -> Vec<Option<T>> {
        self.values.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("valid")
    }

    #[test]
    fn gaps_are_gaps() {
        let mut series = Series::new(5);
        series.push(at(10), Some(1));
        series.push(at(13), Some(4));
        assert_eq!(series.values(), [Some(1), None, None, Some(4)]);
        series.push(at(13), Some(5));
        assert_eq!(
            series.values(),
            [Some(1), None, None, Some(5)],
            "same second replaces"
        );
        series.push(at(100), Some(9));
        assert_eq!(series.values(), [None, None, None, None, Some(9)]);
    }

    #[test]
    fn a_clock_that_jumps_back_begins_anew() {
        let mut series = Series::new(5);
        series.push(at(1000), Some(1));
        series.push(at(10), Some(2));
        assert_eq!(series.values(), [Some(2)]);
    }
}
