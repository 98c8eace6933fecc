//! What is remembered of each card between readings: one minute of load, heat, loss.

use std::{collections::BTreeMap, time::Duration};

use forgekeeper_domain::{
    Timestamp,
    cause::Cause,
    gpu::{GpuCard, GpuSample, condition::Condition, is_late},
    ids::GpuUuid,
    outcome::Outcome,
    series::Series,
};

use super::{MOST_REMEMBERED, Reading};

/// One minute, one value a second.
const HISTORY: usize = 60;
/// Older than this, a reading is not of this moment any more, unless cards are read less often.
const CURRENT_MS: i64 = 5_000;
/// A reading is of this moment until the second one after it failed to come.
const CURRENT_PERIODS: f64 = 2.5;
/// A card of which other readings tell nothing for so long was taken out.
const FORGET_S: i64 = 600;

/// The cards of one host.
#[derive(Debug)]
pub(crate) struct Cards {
    cards: BTreeMap<GpuUuid, Card>,
    current_ms: i64,
}

impl Default for Cards {
    fn default() -> Self {
        Self {
            cards: BTreeMap::new(),
            current_ms: CURRENT_MS,
        }
    }
}

#[derive(Debug)]
struct Card {
    latest: GpuSample,
    load: Series<u32>,
    condition: Condition,
    lost: Option<Said>,
    /// Counted by the driver, and not to be read now.
    unread: Option<Said>,
    outcome: Option<Outcome>,
}

/// What the driver says of a card in place of its values.
#[derive(Debug)]
struct Said {
    message: String,
    since: Timestamp,
    /// When it said so last.
    told_at: Timestamp,
}

impl Cards {
    /// Says how long it is until the next reading.
    pub(crate) fn read_every(&mut self, period: Duration) {
        let periods = i64::try_from(period.mul_f64(CURRENT_PERIODS).as_millis());
        self.current_ms = periods.unwrap_or(i64::MAX).max(CURRENT_MS);
    }

    /// Takes a reading in; an answer that comes after a newer one changes nothing.
    pub(crate) fn take(&mut self, reading: Reading, now: Timestamp) {
        let begun = reading.at.unwrap_or(now);
        // One that was lost before it was ever read had no name but its place.
        let samples = &reading.samples;
        self.cards.retain(|uuid, card| {
            let nameless = ["index-", "pci-"]
                .iter()
                .any(|p| uuid.as_str().starts_with(p));
            !(nameless && samples.iter().any(|s| s.index == card.latest.index))
        });
        for sample in reading.samples {
            match self.cards.get_mut(&sample.uuid) {
                Some(card) if is_late(sample.at, card.latest.at, now) => {}
                Some(card) => card.read(sample),
                None => {
                    self.cards.insert(sample.uuid.clone(), Card::new(sample));
                }
            }
        }
        for (silent, is_lost) in reading
            .lost
            .into_iter()
            .map(|card| (card, true))
            .chain(reading.unread.into_iter().map(|card| (card, false)))
        {
            let card = self.cards.entry(silent.uuid.clone()).or_insert_with(|| {
                let mut card = Card::new(nameless(silent.uuid.clone(), silent.index, begun));
                card.load = Series::new(HISTORY);
                card
            });
            if !is_late(begun, card.latest.at, now) {
                card.say(silent.message, is_lost, now);
            }
        }
        self.cards
            .retain(|_, card| card.lost.is_some() || seconds(card.told_at(), now) < FORGET_S);
        self.crowd_out();
    }

    /// Forgets the cards that were told of longest ago, while there are too many.
    fn crowd_out(&mut self) {
        while self.cards.len() > MOST_REMEMBERED {
            let oldest = self.cards.iter().min_by_key(|(_, card)| card.told_at());
            let Some(uuid) = oldest.map(|(uuid, _)| uuid.clone()) else {
                return;
            };
            self.cards.remove(&uuid);
        }
    }

    /// The cards as shown at a moment, by index.
    pub(crate) fn view(&mut self, now: Timestamp) -> Vec<GpuCard> {
        let current_ms = self.current_ms;
        let cards = self.cards.values_mut();
        let mut shown: Vec<GpuCard> = cards.map(|card| card.show(now, current_ms)).collect();
        shown.sort_by(|a, b| {
            a.latest
                .index
                .cmp(&b.latest.index)
                .then_with(|| a.latest.uuid.cmp(&b.latest.uuid))
        });
        shown
    }

    /// When the next card stops being current, if any is.
    pub(crate) fn next_stale_ms(&self, now: Timestamp) -> Option<u64> {
        let current_ms = self.current_ms;
        let cards = self.cards.values();
        let left = cards
            .filter(|card| card.is_current(now, current_ms))
            .map(|card| current_ms + 50 - millis(card.latest.at, now))
            .min()?;
        u64::try_from(left).ok()
    }
}

impl Card {
    fn new(sample: GpuSample) -> Self {
        let mut card = Self {
            load: Series::new(HISTORY),
            latest: sample.clone(),
            condition: Condition::default(),
            lost: None,
            unread: None,
            outcome: None,
        };
        card.read(sample);
        card
    }

    fn read(&mut self, sample: GpuSample) {
        self.lost = None;
        self.unread = None;
        self.load.push(sample.at, sample.load_percent);
        self.condition.see(&sample);
        self.latest = sample;
    }

    /// Keeps what the driver says in place of values. One that is lost stays so until it is read: that
    /// it cannot be opened is no news of it.
    fn say(&mut self, message: String, is_lost: bool, now: Timestamp) {
        let said = if is_lost || self.lost.is_some() {
            &mut self.lost
        } else {
            &mut self.unread
        };
        let since = said.as_ref().map_or(now, |said| said.since);
        *said = Some(Said {
            message,
            since,
            told_at: now,
        });
        self.load.push(now, None);
    }

    /// When the driver told of it last.
    fn told_at(&self) -> Timestamp {
        let said = self.lost.iter().chain(&self.unread);
        said.fold(self.latest.at, |at, said| at.max(said.told_at))
    }

    fn is_current(&self, now: Timestamp, current_ms: i64) -> bool {
        let silent = self.lost.is_some() || self.unread.is_some();
        !silent && (-CURRENT_MS..current_ms).contains(&millis(self.latest.at, now))
    }

    fn show(&mut self, now: Timestamp, current_ms: i64) -> GpuCard {
        let mut remarks = Vec::new();
        let outcome = match (&self.lost, &self.unread) {
            (Some(lost), _) => Outcome {
                checked_at: Some(lost.told_at),
                ..Outcome::failing(Cause::GpuLost, lost.since).with("driver_message", &lost.message)
            },
            (None, Some(unread)) => Outcome::unknown(Cause::NotMeasurable)
                .checked(unread.told_at)
                .with("driver_message", &unread.message),
            (None, None) if !self.is_current(now, current_ms) => {
                Outcome::unknown(Cause::NotMeasurable)
            }
            (None, None) => {
                let found = self.condition.found(&self.latest);
                // That little memory is free is no fault of the card: models are there to fill it.
                let (beside, mut wrong): (Vec<_>, Vec<_>) = found
                    .into_iter()
                    .partition(|outcome| outcome.cause == Some(Cause::GpuMemoryLow));
                let gravest = (!wrong.is_empty()).then(|| wrong.remove(0));
                remarks = wrong.into_iter().chain(beside).collect();
                let latest = &self.latest;
                let told = latest.load_percent.is_some()
                    || latest.memory_used.is_some()
                    || latest.temperature_c.is_some();
                let well = || {
                    if told {
                        Outcome::ok(latest.at)
                    } else {
                        // It is there, and nothing that would say how it is.
                        Outcome::unknown(Cause::NotMeasurable).checked(latest.at)
                    }
                };
                gravest.unwrap_or_else(well)
            }
        };
        let outcome = outcome.continuing(self.outcome.as_ref());
        self.outcome = Some(outcome.clone());
        GpuCard {
            latest: self.latest.clone(),
            load_history: self.load.values(),
            current: self.is_current(now, current_ms),
            outcome,
            remarks,
            shares: None,
        }
    }
}

/// A card of which nothing is known but that it cannot be read.
fn nameless(uuid: GpuUuid, index: u32, at: Timestamp) -> GpuSample {
    GpuSample::unread(uuid, index, format!("GPU {index}"), at)
}

fn millis(from: Timestamp, to: Timestamp) -> i64 {
    to.as_millisecond() - from.as_millisecond()
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    to.as_second() - from.as_second()
}

#[cfg(test)]
mod tests;
