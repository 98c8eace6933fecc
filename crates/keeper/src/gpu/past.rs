//! What cards did before now: each reading of the last hour, and each minute for the store.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use forgekeeper_domain::{
    Timestamp,
    gpu::{
        GpuSample,
        history::{Axis, Gathered, Values, parts, values_of},
        is_late,
    },
    ids::GpuUuid,
};

use super::MOST_REMEMBERED;

/// Readings are kept for so long, in seconds.
const KEPT_S: i64 = 3600;
/// A reading stands for the time until the next one, unless that fails to come within so many
/// periods.
const HOLDS_PERIODS: i64 = 3;
/// Seconds of a minute.
const MINUTE_S: i64 = 60;

/// One minute of one card.
#[derive(Debug, Clone, PartialEq)]
pub struct Minute {
    /// The card, with its name and index of that minute.
    pub card: CardName,
    /// Minutes since 1970.
    pub number: i64,
    /// Its values.
    pub gathered: Gathered,
}

/// How a card is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardName {
    pub uuid: GpuUuid,
    pub name: String,
    pub index: u32,
}

/// The past of one host's cards; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Past {
    cards: Arc<Mutex<BTreeMap<GpuUuid, Card>>>,
}

#[derive(Debug)]
struct Card {
    name: CardName,
    /// When the newest reading was begun, to tell one that comes late.
    newest: Option<Timestamp>,
    readings: VecDeque<Moment>,
    /// Whether older readings were dropped: then the store has what was before the first.
    cut: bool,
    /// The minute that is not over yet.
    minute: i64,
    gathered: Gathered,
    /// Up to this second readings are counted in minutes.
    counted_until: i64,
}

#[derive(Debug, Clone, Copy)]
struct Moment {
    second: i64,
    period_s: i64,
    values: Values,
}

impl Past {
    /// Takes readings in; returns the minutes that ended with them. `period` is how long it is until
    /// the next one. A card that was not read for the kept hour is dropped; while too many are held,
    /// no other card is taken in, so that made-up ones fill neither memory nor store.
    pub fn record(&self, samples: &[GpuSample], period: Duration, now: Timestamp) -> Vec<Minute> {
        let period_s = i64::try_from(period.as_secs()).unwrap_or(KEPT_S).max(1);
        let mut cards = self.lock();
        let mut ended = Vec::new();
        cards.retain(|_, card| {
            let kept = card.is_of_the_hour(now.as_second());
            if !kept {
                ended.extend(card.end_now());
            }
            kept
        });
        for sample in samples {
            if cards.len() >= MOST_REMEMBERED && !cards.contains_key(&sample.uuid) {
                continue;
            }
            let name = CardName {
                uuid: sample.uuid.clone(),
                name: sample.name.clone(),
                index: sample.index,
            };
            let moment = Moment {
                second: sample.at.as_second(),
                period_s,
                values: values_of(sample),
            };
            let card = cards
                .entry(sample.uuid.clone())
                .or_insert_with(|| Card::new(name.clone(), moment.second));
            if card
                .newest
                .is_some_and(|newest| is_late(sample.at, newest, now))
            {
                continue;
            }
            card.newest = Some(sample.at);
            card.name = name;
            card.take(moment, &mut ended);
        }
        ended
    }

    /// The minutes that are not over yet, for the store before the end.
    pub fn unfinished(&self) -> Vec<Minute> {
        let mut cards = self.lock();
        cards.values_mut().filter_map(Card::end_now).collect()
    }

    /// Adds what is held of the axis to steps by card; returns the second from which on each card's
    /// past is held here: what was before is the store's.
    pub(crate) fn fill(
        &self,
        axis: &Axis,
        steps: &mut BTreeMap<GpuUuid, (CardName, Vec<Gathered>)>,
    ) -> BTreeMap<GpuUuid, i64> {
        let cards = self.lock();
        let mut held_from = BTreeMap::new();
        for (uuid, card) in cards.iter() {
            let Some(from) = card.held_from() else {
                continue;
            };
            held_from.insert(uuid.clone(), from);
            let (_, line) = steps.entry(uuid.clone()).or_insert_with(|| {
                let steps = usize::try_from(axis.steps).unwrap_or(0);
                (card.name.clone(), vec![Gathered::default(); steps])
            });
            let begin = from.max(axis.from_s);
            let next = card.readings.iter().skip(1).map(Some).chain([None]);
            for (moment, next) in card.readings.iter().zip(next) {
                let stood = (moment.second.max(begin), moment.stands_until(next));
                for (second, seconds) in parts(stood.0, stood.1, i64::from(axis.step_s)) {
                    let Some(step) = axis.place(second).and_then(|place| line.get_mut(place))
                    else {
                        break;
                    };
                    step.add(&moment.values, seconds);
                }
            }
        }
        held_from
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<GpuUuid, Card>> {
        self.cards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Moment {
    /// Until the next reading, when that came in time; else for its own period.
    fn stands_until(&self, next: Option<&Moment>) -> i64 {
        match next {
            Some(next) if next.second - self.second <= self.period_s * HOLDS_PERIODS => next.second,
            _ => self.second + self.period_s,
        }
    }
}

impl Card {
    fn new(name: CardName, second: i64) -> Self {
        Self {
            name,
            newest: None,
            readings: VecDeque::new(),
            cut: false,
            minute: second.div_euclid(MINUTE_S),
            gathered: Gathered::default(),
            counted_until: second,
        }
    }

    /// Whether its newest reading is kept still, before or, where the clock was set back, after now.
    fn is_of_the_hour(&self, now_s: i64) -> bool {
        let last = self.readings.back();
        last.is_some_and(|last| (now_s - last.second).abs() <= KEPT_S)
    }

    /// Takes a reading in, and tells the minutes that ended with it.
    fn take(&mut self, moment: Moment, ended: &mut Vec<Minute>) {
        match self.readings.back().copied() {
            // A clock that was set back begins anew: one line has one order.
            Some(last) if moment.second < last.second => {
                ended.extend(self.end_now());
                let newest = self.newest;
                *self = Self::new(self.name.clone(), moment.second);
                self.newest = newest;
            }
            // One reading a second is enough; while a proof is made there are more.
            Some(last) if moment.second == last.second => {
                self.readings.pop_back();
            }
            // Only now it is known how long the last one stood.
            Some(last) => self.count(&last, last.stands_until(Some(&moment)), ended),
            None => {}
        }
        self.turn_to(moment.second.div_euclid(MINUTE_S), ended);
        self.readings.push_back(moment);
        while self
            .readings
            .front()
            .is_some_and(|first| moment.second - first.second > KEPT_S + MINUTE_S)
        {
            self.readings.pop_front();
            self.cut = true;
        }
    }

    /// Counts the seconds for which a reading stood in their minutes.
    fn count(&mut self, moment: &Moment, until: i64, ended: &mut Vec<Minute>) {
        for (second, seconds) in parts(moment.second.max(self.counted_until), until, MINUTE_S) {
            self.turn_to(second.div_euclid(MINUTE_S), ended);
            self.gathered.add(&moment.values, seconds);
        }
        self.counted_until = self.counted_until.max(until);
    }

    fn turn_to(&mut self, minute: i64, ended: &mut Vec<Minute>) {
        if self.minute != minute {
            ended.extend(self.end_minute());
            self.minute = minute;
        }
    }

    /// The second from which on the past is told from here. Where the store has what was before, a
    /// minute is told by one of the two: half of its readings here and its whole mean there would
    /// be another mean.
    fn held_from(&self) -> Option<i64> {
        let first = self.readings.front()?.second;
        let whole = (first + MINUTE_S - 1).div_euclid(MINUTE_S) * MINUTE_S;
        Some(if self.cut { whole } else { first })
    }

    /// The minute that is not over yet; the newest reading stands for its own period in it.
    fn end_now(&mut self) -> Option<Minute> {
        if let Some(last) = self.readings.back().copied() {
            let over = (self.minute + 1) * MINUTE_S;
            self.count(&last, last.stands_until(None).min(over), &mut Vec::new());
        }
        self.end_minute()
    }

    fn end_minute(&mut self) -> Option<Minute> {
        let gathered = std::mem::take(&mut self.gathered);
        (!gathered.is_empty()).then(|| Minute {
            card: self.name.clone(),
            number: self.minute,
            gathered,
        })
    }
}

#[cfg(test)]
mod tests;
