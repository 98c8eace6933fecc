//! Minutes of graphics cards: minimum, mean and maximum of each value, for thirty days.

use std::collections::BTreeMap;

use forgekeeper_domain::{
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
    /// Adds minutes of a host's cards. A minute that is there already (the program was started anew
    /// within it) is joined with.
    pub async fn insert_gpu_minutes(
        &self,
        host: &HostId,
        minutes: Vec<Minute>,
    ) -> Result<(), StoreError> {
        let host = host.clone();
        self.run(move |connection| {
            let change = connection.transaction()?;
            for minute in &minutes {
                let card = card_id(&change, &host, &minute.card)?;
                insert(&change, card, minute)?;
            }
            if let Some(newest) = minutes.iter().map(|minute| minute.number).max() {
                change
                    .prepare_cached("DELETE FROM gpu_minutes WHERE card IN (SELECT id FROM gpu_cards WHERE host = ?) AND minute < ?")?
                    .execute(params![host.as_str(), newest - KEPT_S / MINUTE_S])?;
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
mod tests {
    use forgekeeper_domain::gpu::history::{GpuLine, METRICS, Values};

    use super::*;

    const NOON: i64 = 1_800_000_000 / MINUTE_S;

    fn host() -> HostId {
        HostId::new("local").expect("an id")
    }

    fn minute(card: &str, number: i64, load: f32) -> Minute {
        let mut gathered = Gathered::default();
        let mut values: Values = [None; METRICS];
        for load in [load - 4.0, load + 4.0] {
            values[0] = Some(load);
            gathered.add(&values, 1.0);
        }
        Minute {
            card: CardName {
                uuid: GpuUuid::new(card).expect("an id"),
                name: "NVIDIA GeForce RTX 3080".to_owned(),
                index: 0,
            },
            number,
            gathered,
        }
    }

    async fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, _) = Store::open(folder.path()).await.expect("open");
        (folder, store)
    }

    async fn loads(store: &Store, axis: Axis, held: &[(&str, i64)]) -> Vec<(String, GpuLine)> {
        let held = held
            .iter()
            .map(|(card, from)| (GpuUuid::new(*card).expect("an id"), *from))
            .collect();
        let steps = store.gpu_minutes(&host(), axis, held, Steps::new()).await;
        let line = |steps: &[Gathered]| GpuLine::of(GpuMetric::Load, steps);
        steps
            .expect("read")
            .into_iter()
            .map(|(uuid, (_, steps))| (uuid.to_string(), line(&steps)))
            .collect()
    }

    #[tokio::test]
    async fn minutes_come_back_as_they_were_with_their_gaps() {
        let (_folder, store) = store().await;
        let minutes = vec![
            minute("GPU-a", NOON, 10.0),
            minute("GPU-a", NOON + 2, 30.0),
            minute("GPU-b", NOON + 1, 50.0),
        ];
        store
            .insert_gpu_minutes(&host(), minutes)
            .await
            .expect("kept");
        let other = HostId::new("other").expect("an id");
        let far = vec![minute("GPU-c", NOON, 99.0)];
        store.insert_gpu_minutes(&other, far).await.expect("kept");
        let axis = Axis {
            from_s: NOON * MINUTE_S,
            step_s: 60,
            steps: 4,
        };
        let found = loads(&store, axis, &[]).await;
        assert_eq!(found.len(), 2, "another host's cards are not these");
        assert_eq!(found[0].0, "GPU-a");
        assert_eq!(found[0].1.mean, [Some(10.0), None, Some(30.0), None]);
        assert_eq!(found[0].1.min, [Some(6.0), None, Some(26.0), None]);
        assert_eq!(found[0].1.max, [Some(14.0), None, Some(34.0), None]);
        assert_eq!(found[1].1.mean, [None, Some(50.0), None, None]);
    }

    #[tokio::test]
    async fn a_minute_is_spread_over_smaller_steps_and_gathered_in_larger_ones() {
        let (_folder, store) = store().await;
        let minutes = vec![minute("GPU-a", NOON, 10.0), minute("GPU-a", NOON + 1, 30.0)];
        store
            .insert_gpu_minutes(&host(), minutes)
            .await
            .expect("kept");
        let fine = Axis {
            from_s: NOON * MINUTE_S + 30,
            step_s: 30,
            steps: 4,
        };
        assert_eq!(
            loads(&store, fine, &[]).await[0].1.mean,
            [Some(10.0), Some(30.0), Some(30.0), None]
        );
        let coarse = Axis {
            from_s: NOON * MINUTE_S,
            step_s: 3600,
            steps: 1,
        };
        assert_eq!(loads(&store, coarse, &[]).await[0].1.mean, [Some(20.0)]);
        // What is held in memory is not taken twice.
        let held = NOON * MINUTE_S + 60;
        assert_eq!(
            loads(&store, coarse, &[("GPU-a", held)]).await[0].1.mean,
            [Some(10.0)]
        );
    }

    #[tokio::test]
    async fn a_minute_cut_by_a_new_start_is_one_minute() {
        let (_folder, store) = store().await;
        for load in [10.0, 30.0] {
            let minutes = vec![minute("GPU-a", NOON, load)];
            store
                .insert_gpu_minutes(&host(), minutes)
                .await
                .expect("kept");
        }
        let axis = Axis {
            from_s: NOON * MINUTE_S,
            step_s: 60,
            steps: 1,
        };
        let line = &loads(&store, axis, &[]).await[0].1;
        assert_eq!(
            (line.min[0], line.mean[0], line.max[0]),
            (Some(6.0), Some(20.0), Some(34.0))
        );
    }

    #[tokio::test]
    async fn thirty_days_are_kept_and_no_more() {
        let (_folder, store) = store().await;
        let days = KEPT_S / MINUTE_S;
        let minutes = vec![
            minute("GPU-a", NOON - days - 1, 1.0),
            minute("GPU-a", NOON - days, 2.0),
        ];
        store
            .insert_gpu_minutes(&host(), minutes)
            .await
            .expect("kept");
        let now = vec![minute("GPU-a", NOON, 3.0)];
        store.insert_gpu_minutes(&host(), now).await.expect("kept");
        let axis = Axis {
            from_s: (NOON - days - 10) * MINUTE_S,
            step_s: 86_400,
            steps: 40,
        };
        let means: Vec<f32> = loads(&store, axis, &[]).await[0]
            .1
            .mean
            .iter()
            .flatten()
            .copied()
            .collect();
        assert_eq!(means, [2.0, 3.0]);
    }
}
