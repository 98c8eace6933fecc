//! Whether the pictures of the new service are accepted: what a person preferred without knowing which is
//! which, pair by pair.

use serde::{Deserialize, Serialize};

use crate::{
    generation::{GenerationRecord, GenerationVerdict},
    golden::{GoldenComparison, Vote},
};

/// So many of a hundred pairs the target has to win or tie.
pub const ACCEPTED_PERCENT: u32 = 75;
/// Fewer pairs say nothing.
pub const MIN_PAIRS: u32 = 3;

/// What the votes on two runs of one set come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QualityCount {
    /// Prompts of which the old service made a picture.
    pub pairs: u32,
    /// Those of them of which the target made none: lost without a vote.
    pub missing: u32,
    /// Pairs with two pictures and no vote yet.
    pub unvoted: u32,
    /// The target's picture was preferred.
    pub won: u32,
    /// They were as good as each other.
    pub equal: u32,
    /// The old one's picture was preferred.
    pub lost: u32,
    /// Neither was usable.
    pub neither: u32,
}

/// What that says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QualityVerdict {
    /// Every pair has its vote, and enough of them speak for the target.
    Accepted,
    /// Every pair has its vote, and too few do.
    Rejected,
    /// Votes are missing.
    Unvoted,
    /// There are too few pairs to say anything.
    TooFew,
}

/// Counts the votes of a comparison whose reference is the old service.
pub fn count_votes(compared: &GoldenComparison) -> QualityCount {
    let mut count = QualityCount::default();
    for row in &compared.rows {
        // A prompt that gave nothing on the old service says nothing of the new one.
        if !proved(row.reference.as_ref()) {
            continue;
        }
        count.pairs += 1;
        let of = if proved(row.candidate.as_ref()) {
            match row.vote {
                None => &mut count.unvoted,
                Some(Vote::Candidate) => &mut count.won,
                Some(Vote::Equal) => &mut count.equal,
                Some(Vote::Reference) => &mut count.lost,
                Some(Vote::Neither) => &mut count.neither,
            }
        } else {
            &mut count.missing
        };
        *of += 1;
    }
    count
}

/// The prompts of the pairs that wait for a vote.
pub fn unvoted(compared: &GoldenComparison) -> impl Iterator<Item = &str> {
    let rows = compared.rows.iter();
    rows.filter(|row| {
        row.vote.is_none() && proved(row.reference.as_ref()) && proved(row.candidate.as_ref())
    })
    .map(|row| row.prompt.as_str())
}

fn proved(record: Option<&GenerationRecord>) -> bool {
    record.is_some_and(|record| record.verdict == GenerationVerdict::Proved)
}

impl QualityCount {
    /// Pairs with a vote.
    pub fn voted(&self) -> u32 {
        self.won + self.equal + self.lost + self.neither
    }

    /// Of a hundred pairs, those that the target won or tied; rounded down, so that no pair is given to it.
    pub fn accepted_percent(&self) -> u32 {
        let good = u64::from(self.won + self.equal) * 100;
        u32::try_from(good / u64::from(self.pairs.max(1))).unwrap_or(100)
    }

    /// What it says.
    pub fn verdict(&self) -> QualityVerdict {
        if self.pairs < MIN_PAIRS {
            QualityVerdict::TooFew
        } else if self.unvoted > 0 {
            QualityVerdict::Unvoted
        } else if self.accepted_percent() >= ACCEPTED_PERCENT {
            QualityVerdict::Accepted
        } else {
            QualityVerdict::Rejected
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(pairs: [u32; 6]) -> QualityCount {
        let [missing, unvoted, won, equal, lost, neither] = pairs;
        QualityCount {
            pairs: pairs.iter().sum(),
            missing,
            unvoted,
            won,
            equal,
            lost,
            neither,
        }
    }

    #[test]
    fn only_votes_on_every_pair_accept_or_reject() {
        use QualityVerdict as V;
        // missing, unvoted, won, equal, lost, neither
        let rows = [
            ([0, 0, 0, 0, 0, 0], V::TooFew, 0),
            ([0, 0, 1, 1, 0, 0], V::TooFew, 100),
            ([0, 1, 9, 0, 0, 0], V::Unvoted, 90),
            ([0, 1, 0, 0, 9, 0], V::Unvoted, 0),
            ([0, 0, 3, 0, 1, 0], V::Accepted, 75),
            ([0, 0, 0, 3, 0, 0], V::Accepted, 100),
            ([0, 0, 2, 0, 1, 0], V::Rejected, 66),
            ([0, 0, 2, 0, 0, 1], V::Rejected, 66),
            ([2, 0, 2, 2, 0, 0], V::Rejected, 66),
            ([0, 0, 224, 0, 76, 0], V::Rejected, 74),
        ];
        for (pairs, verdict, percent) in rows {
            let count = count(pairs);
            assert_eq!(count.verdict(), verdict, "{pairs:?}");
            assert_eq!(count.accepted_percent(), percent, "{pairs:?}");
        }
    }
}
