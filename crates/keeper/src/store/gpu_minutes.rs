//! Minutes of graphics cards: minimum, mean and maximum of each value, for thirty days.

use std::collections::BTreeMap;

use forgekeeper_domain::{
    Timestamp,
    gpu::history::{Axis, Gathered, GpuMetric, KEPT_S, METRICS, Spread, parts},
    ids::{GpuUuid, HostId},
};
use rusqlite::{Connection, OptionalExtension as _, Row, params, params_from_iter, types::Value};

use super::{Store, StoreError};
use crate::gpu::past::{CardName, Minute};

/// Seconds of a minute.
const MINUTE_S: i64 = 60;
/// Values are kept in tenths.
const TENTHS: f32 = 10.0;
/// A minute may be so many minutes ahead of the clock, which is a day: a clock that goes wrong by a
/// time zone and is set right. What is further ahead was never now.
const AHEAD: i64 = 24 * 60;
/// Columns of a row that are not values: card and minute.
const KEYS: usize = 2;

/// Steps by card.
pub(crate) type Steps = BTreeMap<GpuUuid, (CardName, Vec<Gathered>)>;

/// The columns of a metric, in the order of their values.
fn columns() -> impl Iterator<Item = String> {
    let parts =
        |metric: &GpuMetric| ["min", "mean", "max"].map(|part| format!("{}_{part}", metric.name()));
    GpuMetric::ALL.iter().flat_map(parts)
}

/// The table of minutes; written out in the migration, and compared with it in a test.
#[cfg(test)]
pub(super) fn table() -> String {
    let values: Vec<String> = columns().map(|name| format!("{name} INTEGER")).collect();
    format!(
        "CREATE TABLE gpu_minutes (card INTEGER NOT NULL, minute INTEGER NOT NULL, {}, \
         PRIMARY KEY (card, minute)) STRICT, WITHOUT ROWID",
        values.join(", ")
    )
}

impl Store {
    /// Adds minutes of a host's cards, and drops what is too old. A minute that is there already
    /// (the program was started anew within it) is joined with; one that the clock is far from
    /// having reached is left out.
    pub async fn insert_gpu_minutes(
        &self,
        host: &HostId,
        mut minutes: Vec<Minute>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let host = host.clone();
        let now = now.as_second().div_euclid(MINUTE_S);
        let told = minutes.len();
        minutes.retain(|minute| minute.number <= now + AHEAD);
        if minutes.len() < told {
            tracing::warn!("minutes of graphics cards are of a time to come: the clock was wrong");
        }
        self.run(move |connection| {
            let change = connection.transaction()?;
            for minute in &minutes {
                let card = card_id(&change, &host, &minute.card)?;
                insert(&change, card, minute)?;
            }
            if let Some(newest) = minutes.iter().map(|minute| minute.number).max() {
                prune(&change, newest.min(now), now)?;
            }
            change.commit()?;
            Ok(())
        })
        .await
    }

    /// Adds the minutes of a range to steps. `held_from`: from this second on a card's past is in
    /// `steps` already.
    pub(crate) async fn gpu_minutes(
        &self,
        host: &HostId,
        axis: Axis,
        held_from: BTreeMap<GpuUuid, i64>,
        mut steps: Steps,
    ) -> Result<Steps, StoreError> {
        let host = host.clone();
        self.run(move |connection| {
            for (id, card) in cards(connection, &host)? {
                let until = held_from.get(&card.uuid).copied().unwrap_or(i64::MAX);
                let mut statement = connection.prepare_cached(&format!(
                    "SELECT card, minute, {} FROM gpu_minutes
                     WHERE card = ? AND minute >= ? AND minute <= ? ORDER BY minute",
                    columns().collect::<Vec<_>>().join(", ")
                ))?;
                let last = (axis.end_s().min(until) - 1).div_euclid(MINUTE_S);
                let mut rows =
                    statement.query(params![id, axis.from_s.div_euclid(MINUTE_S), last])?;
                while let Some(row) = rows.next()? {
                    let (_, line) = steps.entry(card.uuid.clone()).or_insert_with(|| {
                        let empty = Gathered::default();
                        (
                            card.clone(),
                            vec![empty; usize::try_from(axis.steps).unwrap_or(0)],
                        )
                    });
                    spread_out(&axis, line, row.get(1)?, &spreads(row)?, until);
                }
            }
            Ok(steps)
        })
        .await
    }

    /// Bytes on disk of the whole history, for the benchmark.
    pub async fn bytes(&self) -> Result<u64, StoreError> {
        self.run(|connection| {
            let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            let size: i64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
            Ok(u64::try_from(pages * size).unwrap_or(0))
        })
        .await
    }
}

/// Drops minutes that are older than is kept, or of a time to come, and cards without any minute.
///
/// A clock that by itself puts most of the history out of its place is not believed: it is the
/// clock that is wrong, and the minutes that it wrote are dropped when it is set right. One that
/// stays so has written more than there was before after a while, and is believed then.
fn prune(connection: &Connection, newest: i64, now: i64) -> Result<(), StoreError> {
    // By card, as the key begins with it: a range of minutes alone would read the whole table.
    let cards = "card IN (SELECT id FROM gpu_cards)";
    let (oldest, last) = (newest - KEPT_S / MINUTE_S, now + AHEAD);
    let outside: i64 = connection
        .prepare_cached(&format!(
            "SELECT (SELECT count(*) FROM gpu_minutes WHERE {cards} AND minute < ?1)
             + (SELECT count(*) FROM gpu_minutes WHERE {cards} AND minute > ?2)"
        ))?
        .query_row([oldest, last], |row| row.get(0))?;
    if outside == 0 {
        return Ok(());
    }
    // No more are counted than have to be.
    let inside: i64 = connection
        .prepare_cached(&format!(
            "SELECT count(*) FROM (SELECT 1 FROM gpu_minutes
             WHERE {cards} AND minute BETWEEN ?1 AND ?2 LIMIT ?3)"
        ))?
        .query_row([oldest, last, outside], |row| row.get(0))?;
    if inside < outside {
        tracing::debug!(outside, "the clock would drop most of the history of cards");
        return Ok(());
    }
    for (outside, minute) in [("minute < ?", oldest), ("minute > ?", last)] {
        connection
            .prepare_cached(&format!(
                "DELETE FROM gpu_minutes WHERE {cards} AND {outside}"
            ))?
            .execute([minute])?;
    }
    connection
        .prepare_cached(
            "DELETE FROM gpu_cards WHERE NOT EXISTS
             (SELECT 1 FROM gpu_minutes WHERE card = gpu_cards.id)",
        )?
        .execute([])?;
    Ok(())
}

fn insert(connection: &Connection, card: i64, minute: &Minute) -> Result<(), StoreError> {
    let names: Vec<String> = columns().collect();
    let mut gathered = minute.gathered;
    let before = connection
        .prepare_cached(&format!(
            "SELECT card, minute, {} FROM gpu_minutes WHERE card = ? AND minute = ?",
            names.join(", ")
        ))?
        .query_row(params![card, minute.number], |row| Ok(spreads(row)))
        .optional()?;
    if let Some(before) = before {
        // How long each half was is not kept: they count alike.
        let mut both = Gathered::default();
        both.add_spread(&before?, 1.0);
        both.add_spread(&gathered.spreads(), 1.0);
        gathered = both;
    }
    let values = gathered.spreads().into_iter().flat_map(|spread| {
        let parts = spread.map(|s| [s.min, s.mean, s.max]);
        (0..3)
            .map(move |part| parts.map_or(Value::Null, |parts| Value::Integer(tenths(parts[part]))))
    });
    let keys = [Value::Integer(card), Value::Integer(minute.number)];
    connection
        .prepare_cached(&format!(
            "INSERT OR REPLACE INTO gpu_minutes (card, minute, {}) VALUES ({})",
            names.join(", "),
            vec!["?"; names.len() + KEYS].join(", ")
        ))?
        .execute(params_from_iter(keys.into_iter().chain(values)))?;
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "plausible values fit")]
fn tenths(value: f32) -> i64 {
    (value * TENTHS).round() as i64
}

/// The values of a row.
fn spreads(row: &Row<'_>) -> Result<[Option<Spread>; METRICS], StoreError> {
    #[expect(clippy::cast_precision_loss, reason = "tenths of plausible values fit")]
    let value = |place: usize| -> rusqlite::Result<Option<f32>> {
        let tenths: Option<i64> = row.get(place)?;
        Ok(tenths.map(|tenths| tenths as f32 / TENTHS))
    };
    let mut spreads = [None; METRICS];
    for (metric, spread) in spreads.iter_mut().enumerate() {
        let first = KEYS + metric * 3;
        *spread = match (value(first)?, value(first + 1)?, value(first + 2)?) {
            (Some(min), Some(mean), Some(max)) => Some(Spread { min, mean, max }),
            _ => None,
        };
    }
    Ok(spreads)
}

/// Adds a minute to every step that it reaches into, each by the seconds it has there.
fn spread_out(
    axis: &Axis,
    line: &mut [Gathered],
    minute: i64,
    spreads: &[Option<Spread>; METRICS],
    until: i64,
) {
    let (from, to) = (minute * MINUTE_S, ((minute + 1) * MINUTE_S).min(until));
    for (second, seconds) in parts(from.max(axis.from_s), to, i64::from(axis.step_s)) {
        let Some(step) = axis.place(second).and_then(|place| line.get_mut(place)) else {
            return;
        };
        step.add_spread(spreads, seconds);
    }
}

fn card_id(connection: &Connection, host: &HostId, card: &CardName) -> Result<i64, StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO gpu_cards (host, uuid, name, place) VALUES (?, ?, ?, ?)
             ON CONFLICT (host, uuid) DO UPDATE SET name = excluded.name, place = excluded.place
             WHERE name <> excluded.name OR place <> excluded.place",
        )?
        .execute(params![
            host.as_str(),
            card.uuid.as_str(),
            card.name,
            card.index
        ])?;
    let id = connection
        .prepare_cached("SELECT id FROM gpu_cards WHERE host = ? AND uuid = ?")?
        .query_row(params![host.as_str(), card.uuid.as_str()], |row| row.get(0))?;
    Ok(id)
}

fn cards(connection: &Connection, host: &HostId) -> Result<Vec<(i64, CardName)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, uuid, name, place FROM gpu_cards WHERE host = ? ORDER BY place",
    )?;
    let rows = statement.query_map([host.as_str()], |row| {
        let uuid: String = row.get(1)?;
        Ok((row.get(0)?, uuid, row.get(2)?, row.get(3)?))
    })?;
    let mut cards = Vec::new();
    for row in rows {
        let (id, uuid, name, index) = row?;
        match GpuUuid::new(uuid) {
            Ok(uuid) => cards.push((id, CardName { uuid, name, index })),
            Err(error) => tracing::warn!(%error, "a card of the history has no usable UUID"),
        }
    }
    Ok(cards)
}

#[cfg(test)]
mod tests;
