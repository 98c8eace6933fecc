//! Two runs of one set, prompt by prompt.

use std::collections::BTreeMap;

use super::{
    GoldenComparison, GoldenFinding, GoldenRow, GoldenRun, GoldenSummary, Likeness, Pace,
    SideSummary, Vote,
};
use crate::generation::{GenerationRecord, GenerationVerdict};

/// From this similarity on two pictures of one seed differ by no more than the noise of another
/// driver or another batch of kernels. Calibrated on the pictures of the tests: the same scene with
/// rounding noise stays above, another seed of the same prompt far below.
pub const ALIKE: f64 = 0.95;

/// Less than this part apart, two times are the same: one service takes as much longer or shorter
/// from run to run.
pub const AS_FAST: f64 = 0.03;
/// From so much more time on somebody should look.
pub const MUCH_SLOWER: f64 = 0.1;

/// The run that others are measured by, of runs listed newest first: the oldest complete one on a
/// service, so that small changes do not add up unseen from run to run.
pub fn reference(runs: &[GoldenRun], is_wanted: impl Fn(&GoldenRun) -> bool) -> Option<&GoldenRun> {
    runs.iter().rfind(|run| run.complete && is_wanted(run))
}

/// The two of all runs, newest first, that a comparison begins with: the reference, and the newest
/// complete one besides. Runs that were cut short stand in where there is no complete one.
pub fn to_compare(runs: &[GoldenRun]) -> [Option<&GoldenRun>; 2] {
    let old = reference(runs, |_| true).or(runs.last());
    let others = || {
        runs.iter()
            .filter(|run| old.is_some_and(|old| old.id != run.id))
    };
    let new = others().find(|run| run.complete).or(others().next());
    [old, new]
}

/// A time by another one, in a word.
fn pace(slower: f64) -> Pace {
    if (slower - 1.0).abs() < AS_FAST {
        Pace::AsFast
    } else if slower < 1.0 {
        Pace::Faster
    } else if slower <= 1.0 + MUCH_SLOWER {
        Pace::Slower
    } else {
        Pace::MuchSlower
    }
}

/// Compares two runs of one set. `likeness` tells by prompt how alike the first pictures of the two
/// records are, where both have one.
pub fn compare(
    reference: &GoldenRun,
    candidate: &GoldenRun,
    votes: &BTreeMap<String, Vote>,
    likeness: &BTreeMap<String, Likeness>,
) -> GoldenComparison {
    let of = |run: &GoldenRun, prompt: &str| {
        let entry = run.entries.iter().find(|entry| entry.prompt == prompt);
        entry.map(|entry| entry.record.clone())
    };
    let only_there = candidate
        .entries
        .iter()
        .filter(|entry| of(reference, &entry.prompt).is_none());
    let rows: Vec<GoldenRow> = reference
        .entries
        .iter()
        .chain(only_there)
        .map(|entry| {
            let (old, new) = (of(reference, &entry.prompt), of(candidate, &entry.prompt));
            let both = old.as_ref().zip(new.as_ref());
            let proved = both.filter(|(old, new)| proved(old) && proved(new));
            let slower = proved
                .filter(|(old, _)| old.took_ms > 0)
                .map(|(old, new)| f64::from(new.took_ms) / f64::from(old.took_ms));
            GoldenRow {
                likeness: likeness.get(&entry.prompt).copied(),
                slower,
                pace: slower.map(pace),
                vote: votes.get(&entry.prompt).copied(),
                prompt: entry.prompt.clone(),
                reference: old,
                candidate: new,
            }
        })
        .collect();
    let summary = summary(&rows);
    let services = [reference.service.clone(), candidate.service.clone()];
    GoldenComparison {
        set: reference.set.clone(),
        reference: reference.id.clone(),
        candidate: candidate.id.clone(),
        holds: match summary.finding {
            GoldenFinding::Same | GoldenFinding::Alike => true,
            GoldenFinding::Different => services[0] != services[1],
            GoldenFinding::Worse | GoldenFinding::Nothing => false,
        },
        services,
        rows,
        summary,
    }
}

fn proved(record: &GenerationRecord) -> bool {
    record.verdict == GenerationVerdict::Proved
}

fn summary(rows: &[GoldenRow]) -> GoldenSummary {
    let votes = [Vote::Reference, Vote::Candidate, Vote::Equal, Vote::Neither];
    let slower = median(rows.iter().filter_map(|row| row.slower));
    GoldenSummary {
        finding: finding(rows),
        reference: side(rows.iter().map(|row| row.reference.as_ref())),
        candidate: side(rows.iter().map(|row| row.candidate.as_ref())),
        identical: count(rows, |row| row.likeness.is_some_and(|l| l.identical)),
        slower,
        pace: slower.map(pace),
        similarity: median(rows.iter().filter_map(|row| row.likeness?.similarity)),
        votes: votes.map(|vote| count(rows, |row| row.vote == Some(vote))),
    }
}

fn finding(rows: &[GoldenRow]) -> GoldenFinding {
    let mut found = GoldenFinding::Nothing;
    for row in rows {
        // A prompt that gave nothing in the reference says nothing of the candidate.
        if !row.reference.as_ref().is_some_and(proved) {
            continue;
        }
        if !row.candidate.as_ref().is_some_and(proved) {
            return GoldenFinding::Worse;
        }
        let this = match row.likeness {
            Some(Likeness {
                identical: true, ..
            }) => GoldenFinding::Same,
            Some(Likeness {
                similarity: Some(similarity),
                ..
            }) if similarity >= ALIKE => GoldenFinding::Alike,
            // Other sizes, or a picture that is gone: not the same, as far as can be told.
            _ => GoldenFinding::Different,
        };
        found = match (found, this) {
            (GoldenFinding::Different, _) | (_, GoldenFinding::Different) => {
                GoldenFinding::Different
            }
            (GoldenFinding::Alike, _) | (_, GoldenFinding::Alike) => GoldenFinding::Alike,
            (_, this) => this,
        };
    }
    found
}

fn side<'a>(records: impl Iterator<Item = Option<&'a GenerationRecord>> + Clone) -> SideSummary {
    let good = || records.clone().flatten().filter(|record| proved(record));
    let peaks = good().filter_map(|record| record.card.as_ref()?.memory_peak_bytes);
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    SideSummary {
        proved: number(good().count()),
        failed: number(
            records
                .clone()
                .flatten()
                .filter(|record| !proved(record))
                .count(),
        ),
        median_ms: median(good().map(|record| f64::from(record.took_ms))),
        memory_peak_bytes: peaks.reduce(f64::max),
    }
}

fn count(rows: &[GoldenRow], is: impl Fn(&GoldenRow) -> bool) -> u32 {
    u32::try_from(rows.iter().filter(|row| is(row)).count()).unwrap_or(u32::MAX)
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
mod tests;
