//! `--context`: lines that match with those around them, in pieces.

use std::collections::VecDeque;

use forgekeeper_domain::logs::LogLine;

/// A line that is shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) line: LogLine,
    /// Whether it matches, or stands near one that does.
    pub(super) matched: bool,
    /// Whether lines were left out between the one shown before and this.
    pub(super) apart: bool,
}

/// Chooses, line by line, what stands near enough to a match.
#[derive(Debug)]
pub(super) struct Neighbours {
    around: usize,
    /// The newest lines that are not shown, in case a match follows.
    before: VecDeque<LogLine>,
    /// So many lines are shown, whatever they are.
    after: usize,
    left_out: bool,
    begun: bool,
}

impl Neighbours {
    pub(super) fn new(around: u8) -> Self {
        Self {
            around: usize::from(around),
            before: VecDeque::new(),
            after: 0,
            left_out: false,
            begun: false,
        }
    }

    /// Takes the next line; returns what is shown because of it.
    pub(super) fn take(&mut self, line: LogLine, matched: bool) -> Vec<Shown> {
        let mut shown = Vec::new();
        if matched {
            while let Some(line) = self.before.pop_front() {
                shown.push(self.show(line, false));
            }
            shown.push(self.show(line, true));
            self.after = self.around;
        } else if self.after > 0 {
            self.after -= 1;
            shown.push(self.show(line, false));
        } else {
            self.before.push_back(line);
            if self.before.len() > self.around {
                self.before.pop_front();
                self.left_out = true;
            }
        }
        shown
    }

    /// Lines are missing here.
    pub(super) fn leave_out(&mut self) {
        self.before.clear();
        self.after = 0;
        self.left_out = true;
    }

    fn show(&mut self, line: LogLine, matched: bool) -> Shown {
        let apart = std::mem::take(&mut self.left_out) && self.begun;
        self.begun = true;
        Shown {
            line,
            matched,
            apart,
        }
    }
}

/// The past, looked at from its newest line backwards, so that no more of it is read than is shown.
#[derive(Debug)]
pub(super) struct Backwards {
    neighbours: Neighbours,
    /// Newest first.
    kept: Vec<Shown>,
    /// So many more matches are wanted; `None` is all.
    wanted: Option<u32>,
    matches: usize,
}

impl Backwards {
    pub(super) fn new(around: u8, wanted: Option<u32>) -> Self {
        Self {
            neighbours: Neighbours::new(around),
            kept: Vec::new(),
            wanted,
            matches: 0,
        }
    }

    /// Takes the next older line.
    pub(super) fn take(&mut self, line: LogLine, matched: bool) {
        let matched = matched && self.wanted != Some(0);
        if matched {
            self.matches += 1;
            self.wanted = self.wanted.map(|wanted| wanted - 1);
        }
        self.kept.extend(self.neighbours.take(line, matched));
    }

    /// From here on, only the lines around the last match are of interest.
    pub(super) fn no_more_matches(&mut self) {
        self.wanted = Some(0);
    }

    /// Whether no older line can be shown.
    pub(super) fn is_done(&self) -> bool {
        self.wanted == Some(0) && self.neighbours.after == 0
    }

    /// How many matches there were.
    pub(super) fn matches(&self) -> usize {
        self.matches
    }

    /// How many lines are shown.
    pub(super) fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Number of the newest line shown.
    fn newest(&self) -> Option<u32> {
        self.kept.first().map(|shown| shown.line.seq)
    }

    /// What is shown, oldest first, and how it goes on after the lines `held`, oldest first, which
    /// were the first to be taken.
    pub(super) fn turn(mut self, held: Vec<LogLine>) -> (Vec<Shown>, Neighbours) {
        let newest = self.newest();
        let known = held.iter().rposition(|line| Some(line.seq) == newest);
        let mut onwards = Neighbours::new(0);
        onwards.around = self.neighbours.around;
        let mut shown = Vec::with_capacity(self.kept.len());
        let mut apart = false;
        while let Some(next) = self.kept.pop() {
            if apart {
                onwards.leave_out();
            }
            apart = next.apart;
            shown.extend(onwards.take(next.line, next.matched));
        }
        if known.is_none() && newest.is_some() && !held.is_empty() {
            onwards.leave_out();
        }
        for line in held.into_iter().skip(known.map_or(0, |at| at + 1)) {
            shown.extend(onwards.take(line, false));
        }
        (shown, onwards)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::print::tests::line, *};

    /// Lines as a text in which capital letters match, each with its place as its number.
    fn lines(text: &str) -> Vec<(LogLine, bool)> {
        text.chars()
            .zip(0..)
            .map(|(c, seq)| (line(seq, &c.to_string()), c.is_uppercase()))
            .collect()
    }

    /// What is shown as a text, with a stroke between two pieces.
    fn told(shown: &[Shown]) -> String {
        let mut text = String::new();
        for shown in shown {
            if shown.apart {
                text.push('|');
            }
            text.push_str(&shown.line.text);
            let matches = shown.line.text.chars().all(char::is_uppercase);
            assert!(matches || !shown.matched, "{shown:?}");
        }
        text
    }

    /// Around, all lines, what is shown of them.
    const PIECES: &[(u8, &str, &str)] = &[
        (0, "", ""),
        (2, "abc", ""),
        (0, "aBcDEf", "B|DE"),
        (1, "aBcdEf", "aBcdEf"),
        (1, "abCdefGhi", "bCd|fGh"),
        (1, "AbcdE", "Ab|dE"),
        (2, "AbcdE", "AbcdE"),
        (2, "abcdEfghijKl", "cdEfg|ijKl"),
        (2, "AbcdefghiJ", "Abc|hiJ"),
        (50, "abCde", "abCde"),
    ];

    #[test]
    fn pieces_are_those_of_grep() {
        for (around, text, expected) in PIECES {
            let mut neighbours = Neighbours::new(*around);
            let taken = lines(text)
                .into_iter()
                .flat_map(|(line, matched)| neighbours.take(line, matched));
            assert_eq!(
                told(&taken.collect::<Vec<_>>()),
                *expected,
                "{around} {text}"
            );
        }
    }

    #[test]
    fn a_line_that_was_missed_separates() {
        let mut neighbours = Neighbours::new(2);
        let mut shown = Vec::new();
        for (line, matched) in lines("aBc") {
            shown.extend(neighbours.take(line, matched));
        }
        neighbours.leave_out();
        for (line, matched) in lines("deF") {
            shown.extend(neighbours.take(line, matched));
        }
        assert_eq!(told(&shown), "aBc|deF");
    }

    /// The past that is read backwards and the lines that come show the same as all lines would,
    /// wherever the past ends and however many of its lines are only stored.
    #[test]
    fn backwards_and_onwards_show_the_same() {
        for (around, text, expected) in PIECES {
            let all = lines(text);
            for present in 0..=all.len() {
                for first_held in 0..=present {
                    let mut back = Backwards::new(*around, None);
                    for (line, matched) in all[..present].iter().rev() {
                        back.take(line.clone(), *matched);
                    }
                    let held = all[first_held..present].iter();
                    let held: Vec<LogLine> = held.map(|(line, _)| line.clone()).collect();
                    // With next to nothing held, what was left out may be told where nothing was.
                    if held.len() <= usize::from(*around) && first_held > 0 {
                        continue;
                    }
                    let (mut shown, mut onwards) = back.turn(held);
                    for (line, matched) in &all[present..] {
                        shown.extend(onwards.take(line.clone(), *matched));
                    }
                    let place = format!("{around} {text} {first_held} {present}");
                    assert_eq!(told(&shown), *expected, "{place}");
                }
            }
        }
    }

    #[test]
    fn the_newest_matches_are_shown_and_no_more_is_read_than_needed() {
        // Around, wanted, all lines, what is shown, how many lines are read for it.
        for (around, wanted, text, expected, read) in [
            (1, 1, "AbCdefGh", "fGh", 3),
            (1, 2, "AbCdefGh", "bCd|fGh", 7),
            // An older match is only a neighbour.
            (2, 1, "aBCd", "aBCd", 4),
            (0, 1, "AbC", "C", 1),
            (3, 0, "AbC", "", 0),
            (1, 9, "AbC", "AbC", 3),
        ] {
            let mut back = Backwards::new(around, Some(wanted));
            let all = lines(text);
            let mut looked = 0;
            for (line, matched) in all.iter().rev() {
                if back.is_done() {
                    break;
                }
                looked += 1;
                back.take(line.clone(), *matched);
            }
            assert_eq!(looked, read, "{around} {wanted} {text}");
            let found = text.chars().filter(|c| c.is_uppercase()).count();
            assert_eq!(back.matches(), found.min(wanted as usize), "{text}");
            let held = all.into_iter().map(|(line, _)| line).collect();
            let (shown, _) = back.turn(held);
            assert_eq!(told(&shown), expected, "{around} {wanted} {text}");
            let matches = shown.iter().filter(|shown| shown.matched).count();
            assert!(matches <= wanted as usize, "{text}");
        }
    }
}
