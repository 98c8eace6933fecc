use forgekeeper_domain::gpu::history::{GpuLine, METRICS, Values};

use super::*;

const NOON: i64 = 1_800_000_000 / MINUTE_S;

/// So many minutes after noon.
fn after(minutes: i64) -> Timestamp {
    Timestamp::from_second((NOON + minutes) * MINUTE_S).expect("a time")
}

async fn keep_at(store: &Store, minutes: Vec<Minute>, now: Timestamp) {
    let kept = store.insert_gpu_minutes(&host(), minutes, now).await;
    kept.expect("kept");
}

/// Minutes that the store holds, of all cards.
async fn held(store: &Store) -> Vec<i64> {
    let numbers = store.run(|connection| {
        let mut found = connection.prepare("SELECT minute FROM gpu_minutes ORDER BY minute")?;
        let rows = found.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<Vec<i64>, _>>()?)
    });
    numbers.await.expect("read")
}

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
    keep_at(&store, minutes, after(3)).await;
    let other = HostId::new("other").expect("an id");
    let far = vec![minute("GPU-c", NOON, 99.0)];
    let kept = store.insert_gpu_minutes(&other, far, after(3)).await;
    kept.expect("kept");
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
    keep_at(&store, minutes, after(3)).await;
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
        keep_at(&store, minutes, after(3)).await;
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
async fn a_clock_that_was_far_ahead_once_drops_nothing_and_leaves_nothing() {
    let (_folder, store) = store().await;
    let day: Vec<Minute> = (0..60).map(|n| minute("GPU-a", NOON + n, 10.0)).collect();
    keep_at(&store, day, after(60)).await;
    // Decades ahead for some minutes.
    let far = 70 * 365 * 1440;
    for n in 0..5 {
        let minutes = vec![minute("GPU-b", NOON + far + n, 20.0)];
        keep_at(&store, minutes, after(far + n + 1)).await;
    }
    assert_eq!(held(&store).await.len(), 65, "the whole history is there");
    // It is set right: what came late is not taken, what is there goes, and so does its card.
    let late = vec![
        minute("GPU-a", NOON + 60, 10.0),
        minute("GPU-c", NOON + far + 6, 10.0),
    ];
    keep_at(&store, late, after(61)).await;
    assert_eq!(held(&store).await, (NOON..=NOON + 60).collect::<Vec<_>>());
    let cards = store.run(|connection| {
        let count = "SELECT count(*) FROM gpu_cards";
        Ok(connection.query_row(count, [], |row| row.get::<_, i64>(0))?)
    });
    assert_eq!(cards.await.expect("read"), 1);
}

#[tokio::test]
async fn a_clock_that_was_far_behind_once_drops_nothing() {
    let (_folder, store) = store().await;
    let day: Vec<Minute> = (0..60).map(|n| minute("GPU-a", NOON + n, 10.0)).collect();
    keep_at(&store, day, after(60)).await;
    let far = -26 * 365 * 1440;
    keep_at(
        &store,
        vec![minute("GPU-a", NOON + far, 1.0)],
        after(far + 1),
    )
    .await;
    assert_eq!(
        held(&store).await.len(),
        61,
        "most of it is not of a time to come"
    );
    keep_at(&store, vec![minute("GPU-a", NOON + 60, 1.0)], after(61)).await;
    assert_eq!(held(&store).await, (NOON..=NOON + 60).collect::<Vec<_>>());
}

#[tokio::test]
async fn thirty_days_are_kept_and_no_more() {
    let (_folder, store) = store().await;
    let days = KEPT_S / MINUTE_S;
    let minutes = vec![
        minute("GPU-a", NOON - days - 1, 1.0),
        minute("GPU-a", NOON - days, 2.0),
    ];
    keep_at(&store, minutes, after(-days)).await;
    let now = vec![minute("GPU-a", NOON, 3.0)];
    keep_at(&store, now, after(1)).await;
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
