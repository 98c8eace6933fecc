//! Two texts line by line, with what stands around the lines that differ.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use similar::{Algorithm, DiffOp, capture_diff_slices_deadline, group_diff_ops};

use super::look::{MAX_LINE_CHARS, masked_lines, short};

/// Lines of each that are compared.
pub const MAX_COMPARED: usize = 10_000;
/// Lines that are shown.
const MAX_SHOWN: usize = 2_000;
/// Lines that are the same before and after those that differ.
const AROUND: usize = 3;

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum LineSide {
    /// In both.
    Both,
    /// In the older alone.
    Before,
    /// In the younger alone.
    After,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct DiffLine {
    /// Where it stands.
    pub side: LineSide,
    /// Its number in the older, from 1.
    pub before: Option<u32>,
    /// Its number in the younger.
    pub after: Option<u32>,
    /// The line without its secrets, at most so long.
    pub text: String,
    /// Something in it is masked: two such lines may differ and look the same.
    pub masked: bool,
}

/// Two texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct TextDiff {
    /// Lines that differ with those around them; between two groups others were left out.
    pub groups: Vec<Vec<DiffLine>>,
    /// There is more than what is compared or shown.
    pub cut: bool,
}

/// Compares two texts. After the deadline what is found may be longer than it had to be, and is as
/// true.
pub fn text_diff(before: &[u8], after: &[u8], deadline: Option<Instant>) -> TextDiff {
    let texts = [before, after].map(|bytes| {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        String::from_utf8_lossy(bytes).into_owned()
    });
    let [old, new] = texts
        .each_ref()
        .map(|text| text.lines().take(MAX_COMPARED).collect::<Vec<_>>());
    let beyond = texts
        .iter()
        .any(|text| text.lines().nth(MAX_COMPARED).is_some());
    // Masked beside, never before: what differs only in a secret differs.
    let [old_shown, new_shown] = [&old, &new].map(|lines| masked_lines(lines.iter().copied()));
    let ops = capture_diff_slices_deadline(Algorithm::Myers, &old, &new, deadline);
    let mut diff = TextDiff {
        groups: Vec::new(),
        cut: beyond,
    };
    let mut left = MAX_SHOWN;
    for group in group_diff_ops(ops, AROUND) {
        let mut lines = Vec::new();
        for op in &group {
            lines.extend(lines_of(op, &old_shown, &new_shown));
        }
        if lines.len() > left {
            lines.truncate(left);
            diff.cut = true;
        }
        left -= lines.len();
        if !lines.is_empty() {
            diff.groups.push(lines);
        }
    }
    diff
}

fn lines_of(op: &DiffOp, old: &[(String, bool)], new: &[(String, bool)]) -> Vec<DiffLine> {
    let line = |side, before: Option<usize>, after: Option<usize>, from: &(String, bool)| {
        let number = |place: usize| u32::try_from(place + 1).unwrap_or(u32::MAX);
        DiffLine {
            side,
            before: before.map(number),
            after: after.map(number),
            text: short(&from.0, MAX_LINE_CHARS).0,
            masked: from.1,
        }
    };
    let (olds, news) = (op.old_range(), op.new_range());
    if let DiffOp::Equal { .. } = op {
        let both = olds.zip(news).zip(new.iter().skip(op.new_range().start));
        return both
            .map(|((a, b), text)| line(LineSide::Both, Some(a), Some(b), text))
            .collect();
    }
    let gone = olds.clone().zip(old.iter().skip(olds.start));
    let come = news.clone().zip(new.iter().skip(news.start));
    gone.map(|(at, text)| line(LineSide::Before, Some(at), None, text))
        .chain(come.map(|(at, text)| line(LineSide::After, None, Some(at), text)))
        .collect()
}
