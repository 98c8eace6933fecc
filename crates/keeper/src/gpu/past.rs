//! What cards did before now: each reading of the last hour, and each minute for the store.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use forgekeeper_domain::{
    gpu::{
        GpuSample,
        history::{Axis, Gathered, Values, values_of},
    },
    ids::GpuUuid,
};

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
    readings: VecDeque<Moment>,
    /// The minute that is not over yet.
    minute: i64,
    gathered: Gathered,
}

#[derive(Debug, Clone, Copy)]
struct Moment {
    second: i64,
    period_s: i64,
    values: Values,
}

impl Past {
    /// Takes readings in; returns the minutes that ended with them. `period` is how long it is until
    /// the next one.
    pub fn record(&self, samples: &[GpuSample], period: Duration) -> Vec<Minute> {
        let period_s = i64::try_from(period.as_secs()).unwrap_or(KEPT_S).max(1);
        let mut cards = self.lock();
        let mut ended = Vec::new();
        for sample in samples {
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
            let minute = moment.second.div_euclid(MINUTE_S);
            let card = cards.entry(sample.uuid.clone()).or_insert_with(|| Card {
                name: name.clone(),
                readings: VecDeque::new(),
                minute,
                gathered: Gathered::default(),
            });
            card.name = name;
            if card.minute != minute {
                ended.extend(card.end_minute());
                card.minute = minute;
            }
            card.gathered.add(&moment.values);
            card.push(moment);
        }
        ended
    }

    /// The minutes that are not over yet, for the store before the end.
    pub fn unfinished(&self) -> Vec<Minute> {
        let mut cards = self.lock();
        cards.values_mut().filter_map(Card::end_minute).collect()
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
            let Some(first) = card.readings.front() else {
                continue;
            };
            held_from.insert(uuid.clone(), first.second);
            let (_, line) = steps.entry(uuid.clone()).or_insert_with(|| {
                let steps = usize::try_from(axis.steps).unwrap_or(0);
                (card.name.clone(), vec![Gathered::default(); steps])
            });
            let next = card.readings.iter().skip(1).map(Some).chain([None]);
            for (moment, next) in card.readings.iter().zip(next) {
                let until = moment.stands_until(next);
                let step_s = i64::from(axis.step_s);
                let mut second = moment.second.max(axis.from_s);
                while second < until {
                    let Some(step) = axis.place(second).and_then(|place| line.get_mut(place))
                    else {
                        break;
                    };
                    step.add(&moment.values);
                    second = (second.div_euclid(step_s) + 1) * step_s;
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
    fn push(&mut self, moment: Moment) {
        // A clock that was set back begins anew: one line has one order.
        if self
            .readings
            .back()
            .is_some_and(|last| moment.second < last.second)
        {
            self.readings.clear();
        }
        // One reading a second is enough; while a proof is made there are more.
        if self
            .readings
            .back()
            .is_some_and(|last| moment.second == last.second)
        {
            self.readings.pop_back();
        }
        self.readings.push_back(moment);
        while self
            .readings
            .front()
            .is_some_and(|first| moment.second - first.second > KEPT_S)
        {
            self.readings.pop_front();
        }
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
mod tests {
    use forgekeeper_domain::{
        Timestamp,
        gpu::history::{GpuLine, GpuMetric},
    };

    use super::*;

    const START: i64 = 1_800_000_000;

    fn sample(second: i64, load: Option<u32>) -> GpuSample {
        let at = Timestamp::from_second(START + second).expect("a time");
        let uuid = GpuUuid::new("GPU-a").expect("an id");
        GpuSample {
            load_percent: load,
            ..GpuSample::unread(uuid, 0, "X", at)
        }
    }

    fn record(past: &Past, second: i64, load: u32, period: u64) -> Vec<Minute> {
        past.record(&[sample(second, Some(load))], Duration::from_secs(period))
    }

    fn means(past: &Past, from: i64, step_s: u32, steps: u32) -> Vec<Option<f32>> {
        let axis = Axis {
            from_s: START + from,
            step_s,
            steps,
        };
        let mut filled = BTreeMap::new();
        past.fill(&axis, &mut filled);
        let steps = filled.into_values().next().map(|(_, steps)| steps);
        GpuLine::of(GpuMetric::Load, &steps.unwrap_or_default()).mean
    }

    #[test]
    fn a_reading_stands_until_the_next_and_a_gap_is_a_gap() {
        let past = Past::default();
        record(&past, 0, 10, 1);
        record(&past, 1, 20, 1);
        // Nobody looks: once in ten seconds.
        record(&past, 2, 30, 10);
        record(&past, 12, 40, 10);
        // The driver was away.
        record(&past, 60, 50, 1);
        assert_eq!(
            means(&past, 0, 1, 14),
            [10, 20, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 40, 40]
                .map(|v: u16| Some(f32::from(v)))
        );
        let later = means(&past, 20, 1, 42);
        assert_eq!(later[0], Some(40.0), "for its own period");
        assert_eq!(later[2..40], [None; 38], "and not for longer");
        assert_eq!(later[40..], [Some(50.0), None]);
        assert_eq!(means(&past, 0, 60, 3), [Some(25.0), Some(50.0), None]);
        assert_eq!(means(&past, -600, 60, 3), [None, None, None]);
    }

    #[test]
    fn an_hour_is_kept_and_a_clock_set_back_begins_anew() {
        let past = Past::default();
        for second in 0..4000 {
            record(&past, second, 1, 1);
        }
        let held = |past: &Past| {
            let axis = Axis {
                from_s: START,
                step_s: 60,
                steps: 1,
            };
            past.fill(&axis, &mut BTreeMap::new()).into_values().next()
        };
        assert_eq!(held(&past), Some(START + 399));
        record(&past, 100, 2, 1);
        assert_eq!(held(&past), Some(START + 100));
    }

    #[test]
    fn a_minute_is_told_when_it_is_over() {
        let past = Past::default();
        assert_eq!(record(&past, 0, 10, 1), []);
        assert_eq!(record(&past, 59, 30, 1), []);
        let ended = record(&past, 60, 90, 1);
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].number, START / 60);
        let load = ended[0].gathered.spreads()[0].expect("told");
        assert_eq!((load.min, load.mean, load.max), (10.0, 20.0, 30.0));
        let rest = past.unfinished();
        assert_eq!(rest[0].number, START / 60 + 1);
        assert_eq!(past.unfinished(), []);
        // A minute in which nothing was told is no minute.
        past.record(&[sample(121, None)], Duration::from_secs(1));
        assert_eq!(record(&past, 181, 5, 1), []);
    }
}
