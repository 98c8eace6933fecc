//! Lines that say the same, as one: a million lines read as fifty rows.

use std::{cmp::Reverse, collections::HashMap};

use serde::{Deserialize, Serialize};

use super::{
    LogLevel, LogLine,
    shape::{LOOKED_AT, finder, shape, shortened},
};
use crate::Timestamp;

/// Most groups told.
pub const MOST_GROUPS: usize = 1_000;
/// Most shapes that are counted apart; what is frequent in old lines must not be lost among the
/// rare shapes of newer ones.
const MOST_SHAPES: usize = 10_000;
/// Longest kept sample in bytes: longer than what a shape looks at, to tell that there is more.
const SAMPLE_BYTES: usize = LOOKED_AT + 4;

/// Lines of one shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Group {
    /// What they have in common.
    pub shape: String,
    /// How many.
    pub count: u32,
    /// Time of the first, when known.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub first: Option<Timestamp>,
    /// Time of the last, when known.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub last: Option<Timestamp>,
    /// Number of the last line.
    pub last_seq: u32,
    /// The last of them, shortened.
    pub sample: String,
    /// The worst level among them.
    pub level: LogLevel,
    /// Id of the signature that names the last of them that has a name.
    pub signature: Option<String>,
    /// An expression that finds them.
    pub finder: String,
}

/// Lines by their shapes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Groups {
    /// The most frequent first; of equally frequent ones the one with the newest line.
    pub groups: Vec<Group>,
    /// Lines of further shapes.
    pub others: u32,
}

/// Counts lines by their shapes, from the newest line to the oldest.
#[derive(Debug)]
pub struct Grouping {
    /// In the order of their newest lines, without their finders.
    found: Vec<Group>,
    places: HashMap<String, usize>,
    /// Most shapes counted apart.
    most: usize,
    others: u32,
}

impl Default for Grouping {
    fn default() -> Self {
        Self {
            found: Vec::new(),
            places: HashMap::new(),
            most: MOST_SHAPES,
            others: 0,
        }
    }
}

impl Grouping {
    /// For a part of a log that is small anyway: it is merged without loss.
    pub fn of_part() -> Self {
        Self {
            most: usize::MAX,
            ..Self::default()
        }
    }

    /// Counts a line that is older than those before. What happened to the container and lines
    /// without any text say nothing.
    pub fn take(&mut self, line: &LogLine) {
        if line.marker.is_some() || line.text.trim().is_empty() {
            return;
        }
        let shape = shape(&line.text);
        if let Some(group) = self.known(&shape) {
            group.count = group.count.saturating_add(1);
            group.first = line.at.or(group.first);
            group.last = group.last.or(line.at);
            group.level = group.level.max(line.level);
            if group.signature.is_none() {
                group.signature.clone_from(&line.signature);
            }
        } else {
            self.add(Group {
                shape,
                count: 1,
                first: line.at,
                last: line.at,
                last_seq: line.seq,
                sample: shortened(&line.text, SAMPLE_BYTES),
                level: line.level,
                signature: line.signature.clone(),
                finder: String::new(),
            });
        }
    }

    /// Adds what was counted among older lines.
    pub fn merge(&mut self, older: Self) {
        self.others = self.others.saturating_add(older.others);
        for old in older.found {
            let Some(group) = self.known(&old.shape) else {
                self.add(old);
                continue;
            };
            group.count = group.count.saturating_add(old.count);
            group.first = old.first.or(group.first);
            group.last = group.last.or(old.last);
            group.level = group.level.max(old.level);
            group.signature = group.signature.take().or(old.signature);
        }
    }

    /// The most frequent shapes; the others are counted together.
    pub fn groups(&self) -> Groups {
        let mut order: Vec<&Group> = self.found.iter().collect();
        order.sort_by_key(|group| Reverse(group.count));
        let (told, more) = order.split_at(order.len().min(MOST_GROUPS));
        let others = more
            .iter()
            .fold(self.others, |sum, group| sum.saturating_add(group.count));
        let groups = told.iter().map(|group| Group {
            finder: finder(&group.sample),
            ..(*group).clone()
        });
        Groups {
            groups: groups.collect(),
            others,
        }
    }

    fn known(&mut self, shape: &str) -> Option<&mut Group> {
        let place = self.places.get(shape)?;
        self.found.get_mut(*place)
    }

    fn add(&mut self, group: Group) {
        if self.found.len() >= self.most {
            self.others = self.others.saturating_add(group.count);
            return;
        }
        self.places.insert(group.shape.clone(), self.found.len());
        self.found.push(group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::{LineFilter, LogQuery, LogStream, Marker};

    fn line(seq: u32, text: &str) -> LogLine {
        LogLine {
            seq,
            at: Timestamp::from_second(i64::from(seq)).ok(),
            stream: LogStream::Stderr,
            program: None,
            level: LogLevel::Info,
            text: text.to_owned(),
            cut_bytes: 0,
            spans: Vec::new(),
            signature: None,
            trace: None,
            marker: None,
        }
    }

    fn counted(lines: &[LogLine]) -> Grouping {
        let mut grouping = Grouping::default();
        lines.iter().rev().for_each(|line| grouping.take(line));
        grouping
    }

    /// Words of letters alone, different for each number.
    fn word(n: u32) -> String {
        n.to_string().bytes().map(|b| char::from(b + 49)).collect()
    }

    /// Lines of four shapes, the second with a name and a worse level, one without a time.
    fn lines() -> Vec<LogLine> {
        let mut lines = vec![
            line(1, "took 1.0s"),
            line(2, "failed"),
            line(3, "took 22.5s"),
            Marker::Lost { lines: 2 }.between_lines(Timestamp::UNIX_EPOCH),
            line(5, "  "),
            line(6, "once"),
            line(7, "took 3s"),
            line(8, "last"),
        ];
        lines[2].level = LogLevel::Warning;
        lines[2].signature = Some("a.b".to_owned());
        lines[6].at = None;
        lines
    }

    #[test]
    fn the_same_apart_from_numbers_is_one_group() {
        let lines = lines();
        let found = counted(&lines).groups();
        let shapes: Vec<(&str, u32)> = found
            .groups
            .iter()
            .map(|group| (group.shape.as_str(), group.count))
            .collect();
        let expected = [("took <time>", 3), ("last", 1), ("once", 1), ("failed", 1)];
        assert_eq!(shapes, expected);
        assert_eq!(found.others, 0);
        let took = &found.groups[0];
        assert_eq!((took.first, took.last), (lines[0].at, lines[2].at));
        assert_eq!((took.last_seq, took.sample.as_str()), (7, "took 3s"));
        assert_eq!(took.level, LogLevel::Warning);
        assert_eq!(took.signature.as_deref(), Some("a.b"));
        let finder = LineFilter::compile(&LogQuery {
            filter: took.finder.clone(),
            regex: true,
            ..LogQuery::default()
        });
        let finder = finder.unwrap();
        let of_group = lines.iter().filter(|line| finder.matches(line));
        assert_eq!(of_group.count(), 3);
    }

    #[test]
    fn parts_make_the_same_groups_as_the_whole() {
        let lines: Vec<LogLine> = lines()
            .into_iter()
            .chain((20..3_020).map(|n| line(n, &word(n % 1_200))))
            .collect();
        let whole = counted(&lines).groups();
        for size in [1, 3, 1_000] {
            let mut parts = Grouping::default();
            for part in lines.rchunks(size) {
                let mut of_part = Grouping::of_part();
                part.iter().rev().for_each(|line| of_part.take(line));
                parts.merge(of_part);
            }
            assert_eq!(parts.groups(), whole, "in parts of {size} lines");
        }
    }

    #[test]
    fn memory_is_bounded_and_nothing_is_uncounted() {
        let many: Vec<LogLine> = (0..50_000).map(|n| line(n, &word(n))).collect();
        let mut grouping = counted(&many);
        let found = grouping.groups();
        assert_eq!((found.groups.len(), found.others), (1_000, 49_000));
        assert_eq!(grouping.found.len(), MOST_SHAPES);
        // What is frequent in older lines is found behind many rare shapes of newer ones.
        let mut often = counted(&many[..5_000]);
        for _ in 0..7 {
            let mut older = Grouping::of_part();
            older.take(&line(1, "again 5"));
            often.merge(older);
        }
        let found = often.groups();
        assert_eq!(
            (found.groups[0].shape.as_str(), found.groups[0].count),
            ("again <n>", 7)
        );
        assert_eq!(found.others, 5_000 - 999);
        grouping.merge(counted(&many[..7]));
        assert_eq!(grouping.groups().others, 49_007);

        let long = format!("{}{}", "x ".repeat(500), "é".repeat(60_000));
        let found = counted(&[line(1, &long)]).groups();
        assert!(found.groups[0].sample.len() <= SAMPLE_BYTES);
        assert!(!found.groups[0].finder.ends_with('$'), "it goes on");
    }
}
