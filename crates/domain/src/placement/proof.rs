//! The proof: cards are read before, while and after a service makes one tiny picture, and the one
//! that worked with it is found. Pure: readings come in, a finding comes out.
//!
//! Wrong is worse than unclear. A card counts as having worked only when most of its readings
//! during the picture lie above *every* reading at rest, and as idle only when none of them does by
//! much. Anything between is unclear, and the round is made again; a finding needs two rounds that
//! agree, with another pause between them, so that a neighbour's rhythm does not fit twice.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::GpuUuid;

/// Rounds that have to agree.
pub const AGREEING: usize = 2;
/// After so many rounds without agreement nothing can be told.
pub const MOST_ROUNDS: usize = 5;
/// Fewer readings than this on either side prove nothing.
pub const FEWEST_READINGS: usize = 4;

/// By so many points a load at work lies above every load at rest.
const RISE_POINTS: f64 = 8.0;
/// A card whose load stays within so many points did not work for this.
const FLAT_POINTS: f64 = 10.0;
/// A card that reaches more than this at rest has no room to show that it works for this as well.
const FULL_POINTS: f64 = 60.0;
/// Memory that a picture takes at least, when it takes any.
const RISE_BYTES: u64 = 192 * 1024 * 1024;
/// Memory that comes and goes without any picture.
const FLAT_BYTES: u64 = 64 * 1024 * 1024;

/// What a proof found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "found", rename_all = "snake_case")]
pub enum Found {
    /// This card did the work.
    Card {
        /// Which.
        uuid: GpuUuid,
    },
    /// No card did.
    Cpu,
    /// Not clear.
    Unclear {
        /// Why the last round was not.
        reason: Doubt,
    },
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Load and memory agree in every round, or every round was clear at once.
    High,
    /// Clear rounds agree, others were not clear or only one kind of value is told.
    Medium,
    /// Nothing was found.
    None,
}

/// Why a round was not clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// Too few readings before, while or after.
    TooFew,
    /// Several cards worked with it.
    Noise,
    /// A card moved by too little to count as work, and by too much to count as rest.
    Unsteady,
    /// A card was so busy at rest that more work would not show.
    Saturated,
    /// Another service of the host began or ended a picture meanwhile.
    Disturbed,
    /// No value of a card is told.
    Untold,
    /// Load and memory point at different cards.
    Contradiction,
    /// Clear rounds found different cards.
    Disagreement,
    /// A card is lost, or there was none to read.
    NoCards,
}

/// Part of a round in which a reading lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum LookPhase {
    /// Before the request was sent.
    Before,
    /// The picture is being sampled.
    Working,
    /// The model is loaded, or what is read is of two phases: shown and not counted.
    Between,
    /// The picture is done and the load has settled.
    After,
}

/// One look at all cards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Look {
    /// Milliseconds since the request was sent; negative before it.
    pub at_ms: i32,
    /// In which part of the round.
    pub phase: LookPhase,
    /// Load in percent of each card of the round, in its order.
    pub load: Vec<Option<u32>>,
    /// Used memory in MiB of each card.
    pub memory_mib: Vec<Option<u32>>,
}

/// One round: what was asked, what was seen, what follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Round {
    /// When the request was sent.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub at: Timestamp,
    /// Steps asked for.
    pub steps: u32,
    /// Width and height in pixels.
    pub pixels: u32,
    /// How long the request took, milliseconds.
    pub took_ms: u32,
    /// The cards, in the order of the values.
    pub cards: Vec<GpuUuid>,
    /// All looks, oldest first.
    pub looks: Vec<Look>,
    /// What this round says alone.
    pub finding: Found,
}

impl Round {
    /// Whether every card told its load while it was worked.
    fn tells_load(&self) -> bool {
        let working = |look: &&Look| look.phase == LookPhase::Working;
        (0..self.cards.len()).all(|place| {
            let told = |look: &&Look| look.load.get(place).copied().flatten().is_some();
            self.looks.iter().filter(working).filter(told).count() >= FEWEST_READINGS
        })
    }
}

/// How one value of one card changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Rose,
    Flat,
    /// So busy at rest that more work would not show.
    Full,
    Unsure,
    Untold,
}

impl Change {
    /// A load that rose: three quarters of the readings at work lie above every reading at rest.
    fn of_load(rest: &[u32], work: &[u32]) -> Self {
        if rest.len() < FEWEST_READINGS || work.len() < FEWEST_READINGS {
            return Self::Untold;
        }
        let sorted = sorted(work);
        let highest_rest = f64::from(rest.iter().copied().max().unwrap_or(0));
        let highest_work = f64::from(sorted.last().copied().unwrap_or(0));
        let quarter = f64::from(sorted[sorted.len() / 4]);
        if quarter >= highest_rest + RISE_POINTS {
            Self::Rose
        } else if highest_rest > FULL_POINTS {
            Self::Full
        } else if highest_work <= highest_rest + FLAT_POINTS
            && (mean(work) - mean(rest)).abs() <= FLAT_POINTS
        {
            Self::Flat
        } else {
            Self::Unsure
        }
    }

    /// Memory that rose while it worked, against before alone: what was loaded stays.
    fn of_memory(before: &[u32], work: &[u32]) -> Self {
        if before.is_empty() || work.is_empty() {
            return Self::Untold;
        }
        let mib = |bytes: u64| u32::try_from(bytes >> 20).unwrap_or(u32::MAX);
        let highest = before.iter().copied().max().unwrap_or(0);
        let risen = work
            .iter()
            .copied()
            .max()
            .unwrap_or(0)
            .saturating_sub(highest);
        if risen >= mib(RISE_BYTES) {
            Self::Rose
        } else if risen <= mib(FLAT_BYTES) {
            Self::Flat
        } else {
            Self::Unsure
        }
    }
}

/// What one round says alone. `all_seen`: whether no card of the host is out of sight. Else a card
/// may be found at work, but never that none was.
pub fn judge_round(cards: &[GpuUuid], looks: &[Look], all_seen: bool) -> Found {
    let unclear = |reason| Found::Unclear { reason };
    if cards.is_empty() {
        return unclear(Doubt::NoCards);
    }
    let values = |place: usize, phases: &[LookPhase], memory: bool| -> Vec<u32> {
        looks
            .iter()
            .filter(|look| phases.contains(&look.phase))
            .filter_map(|look| {
                let line = if memory { &look.memory_mib } else { &look.load };
                line.get(place).copied().flatten()
            })
            .collect()
    };
    let count = |phase: LookPhase| looks.iter().filter(|look| look.phase == phase).count();
    if count(LookPhase::Working) < FEWEST_READINGS
        || count(LookPhase::Before) + count(LookPhase::After) < FEWEST_READINGS
    {
        return unclear(Doubt::TooFew);
    }
    let places = 0..cards.len();
    let load: Vec<Change> = places
        .clone()
        .map(|place| {
            let rest = values(place, &[LookPhase::Before, LookPhase::After], false);
            Change::of_load(&rest, &values(place, &[LookPhase::Working], false))
        })
        .collect();
    let memory: Vec<Change> = places
        .map(|place| {
            // Loading the model is part of it: that is where most of the memory goes.
            let work = values(place, &[LookPhase::Between, LookPhase::Working], true);
            Change::of_memory(&values(place, &[LookPhase::Before], true), &work)
        })
        .collect();
    let of = |changes: &[Change], wanted: Change| -> Vec<usize> {
        let places = changes.iter().enumerate();
        places
            .filter(|(_, change)| **change == wanted)
            .map(|(place, _)| place)
            .collect()
    };
    let load_told = load.iter().all(|change| *change != Change::Untold);
    let changes = if load_told { &load } else { &memory };
    if changes.contains(&Change::Untold) {
        return unclear(Doubt::Untold);
    }
    let rose = of(changes, Change::Rose);
    if rose.len() > 1 {
        return unclear(Doubt::Noise);
    }
    if changes.contains(&Change::Unsure) {
        return unclear(Doubt::Unsteady);
    }
    let grown = of(&memory, Change::Rose);
    match rose.first() {
        Some(place) if grown.iter().all(|grown| grown == place) => Found::Card {
            uuid: cards[*place].clone(),
        },
        // Without any load told, memory that stays as it is proves nothing: it may all be there.
        None if !load_told => unclear(Doubt::Untold),
        None if !all_seen => unclear(Doubt::Untold),
        // A card that is full may do the work and not show it.
        None if changes.contains(&Change::Full) => unclear(Doubt::Saturated),
        None if grown.is_empty() => Found::Cpu,
        _ => unclear(Doubt::Contradiction),
    }
}

/// What all rounds so far say together; `None` while another one is needed.
pub fn judge(rounds: &[Round]) -> Option<(Found, Confidence)> {
    let unclear = |reason| Some((Found::Unclear { reason }, Confidence::None));
    let clear: Vec<&Found> = rounds
        .iter()
        .map(|round| &round.finding)
        .filter(|finding| !matches!(finding, Found::Unclear { .. }))
        .collect();
    if let Some(first) = clear.first()
        && clear.iter().any(|finding| finding != first)
    {
        return unclear(Doubt::Disagreement);
    }
    if clear.len() >= AGREEING {
        let all_clear = clear.len() == rounds.len();
        // Memory alone says where the model lies, which is nearly always where it is used.
        let confidence = if all_clear && rounds.iter().all(Round::tells_load) {
            Confidence::High
        } else {
            Confidence::Medium
        };
        return clear.first().map(|found| ((*found).clone(), confidence));
    }
    if rounds.len() < MOST_ROUNDS {
        return None;
    }
    let last = rounds.iter().rev().find_map(|round| match round.finding {
        Found::Unclear { reason } => Some(reason),
        Found::Card { .. } | Found::Cpu => None,
    });
    unclear(last.unwrap_or(Doubt::TooFew))
}

fn sorted(values: &[u32]) -> Vec<u32> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a round has some hundred readings"
)]
fn mean(values: &[u32]) -> f64 {
    let sum: u64 = values.iter().copied().map(u64::from).sum();
    sum as f64 / values.len().max(1) as f64
}

#[cfg(test)]
mod tests;
