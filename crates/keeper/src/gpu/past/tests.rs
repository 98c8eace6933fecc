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
    let sample = sample(second, Some(load));
    let now = sample.at;
    past.record(&[sample], Duration::from_secs(period), now)
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
        [10, 20, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 40, 40].map(|v: u16| Some(f32::from(v)))
    );
    let later = means(&past, 20, 1, 42);
    assert_eq!(later[0], Some(40.0), "for its own period");
    assert_eq!(later[2..40], [None; 38], "and not for longer");
    assert_eq!(later[40..], [Some(50.0), None]);
    assert_eq!(means(&past, 0, 60, 3), [Some(33.2), Some(50.0), None]);
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
    assert_eq!(
        held(&past),
        Some(START + 360),
        "from a whole minute on: the store has what was before"
    );
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
    let silent = sample(121, None);
    past.record(
        std::slice::from_ref(&silent),
        Duration::from_secs(1),
        silent.at,
    );
    assert_eq!(record(&past, 181, 5, 1), []);
}

#[test]
fn a_minute_weighs_each_reading_by_the_seconds_it_stood() {
    let past = Past::default();
    let mut ended = Vec::new();
    // Nobody looks, and the card rests; then somebody does, and it works.
    for second in [0, 10, 20, 30, 40] {
        ended.extend(record(&past, second, 0, 10));
    }
    for second in 50..=60 {
        ended.extend(record(&past, second, 60, 1));
    }
    let load = ended[0].gathered.spreads()[0].expect("told");
    assert_eq!((load.min, load.mean, load.max), (0.0, 10.0, 60.0));
    // A reading that stood beyond its minute counts in both.
    let past = Past::default();
    let mut ended = Vec::new();
    for (second, load) in [(55, 10), (65, 40), (125, 0)] {
        ended.extend(record(&past, second, load, 30));
    }
    let means: Vec<f32> = ended
        .iter()
        .map(|minute| minute.gathered.spreads()[0].expect("told").mean)
        .collect();
    // 5 s of 10; 5 s of 10 and 55 s of 40.
    assert_eq!(means, [10.0, 37.5]);
}

#[test]
fn what_was_kept_before_the_end_is_not_counted_twice() {
    let past = Past::default();
    record(&past, 0, 10, 10);
    let kept = past.unfinished()[0].gathered.spreads()[0].expect("told");
    assert_eq!((kept.min, kept.mean), (10.0, 10.0));
    record(&past, 10, 50, 10);
    record(&past, 20, 50, 10);
    let load = record(&past, 60, 0, 10)[0].gathered.spreads()[0].expect("told");
    assert_eq!(
        (load.min, load.mean),
        (50.0, 50.0),
        "the first ten seconds are kept already"
    );
}

/// A card that is read every ten seconds, with one odd value a minute, for two hours.
#[tokio::test]
async fn store_and_memory_tell_the_same_mean_on_both_sides_of_their_border() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = crate::store::Store::open(folder.path())
        .await
        .expect("open");
    let host = forgekeeper_domain::ids::HostId::new("local").expect("an id");
    let past = Past::default();
    for second in (3..7200).step_by(10) {
        let load = if second % 60 == 53 { 90 } else { 30 };
        let ended = record(&past, second, load, 10);
        let now = sample(second, None).at;
        let kept = store.insert_gpu_minutes(&host, ended, now).await;
        kept.expect("kept");
    }
    let axis = Axis {
        from_s: START,
        step_s: 60,
        steps: 120,
    };
    let mut steps = BTreeMap::new();
    let held_from = past.fill(&axis, &mut steps);
    let border = held_from.values().next().copied().expect("held");
    assert!((3480..=3600).contains(&(border - START)), "{border}");
    let steps = store.gpu_minutes(&host, axis, held_from, steps).await;
    let (_, line) = steps.expect("read").into_values().next().expect("a card");
    let means = GpuLine::of(GpuMetric::Load, &line).mean;
    // Three seconds of the odd value of the minute before, seven of its own.
    assert_eq!(means[1..119], [Some(40.0); 118]);
}

/// A reading of a card by its number.
fn of_card(number: usize, second: i64) -> GpuSample {
    let uuid = GpuUuid::new(format!("GPU-{number}")).expect("an id");
    GpuSample {
        uuid,
        ..sample(second, Some(5))
    }
}

#[test]
fn a_card_that_is_gone_for_the_kept_hour_is_dropped_with_its_last_minute() {
    let past = Past::default();
    let take = |number: usize, second: i64| {
        let sample = of_card(number, second);
        let now = sample.at;
        past.record(&[sample], Duration::from_secs(1), now)
    };
    take(0, 0);
    assert_eq!(take(1, 3600), []);
    let ended = take(1, 3601);
    assert_eq!((ended.len(), ended[0].number), (1, START / 60));
    assert_eq!(past.lock().len(), 1);
    // What was read before the clock was set back by hours goes, too.
    take(2, -7200);
    assert_eq!(past.lock().len(), 1);
}

#[test]
fn made_up_cards_crowd_out_no_other_one() {
    let past = Past::default();
    for second in 0..100 {
        let number = usize::try_from(second).expect("small");
        let made_up = (0..32).map(|card| of_card(1000 + number * 32 + card, second));
        let samples: Vec<_> = std::iter::once(of_card(0, second)).chain(made_up).collect();
        past.record(&samples, Duration::from_secs(1), samples[0].at);
    }
    let cards = past.lock();
    assert_eq!(cards.len(), MOST_REMEMBERED);
    let real = cards.values().next().expect("the first");
    assert_eq!(real.readings.len(), 100);
}

#[test]
fn an_answer_that_comes_late_changes_nothing_of_the_past() {
    let past = Past::default();
    record(&past, 0, 10, 1);
    record(&past, 5, 20, 1);
    let late = sample(2, Some(90));
    let now = sample(6, None).at;
    past.record(&[late], Duration::from_secs(1), now);
    let seconds = [Some(10.0), None, None, None, None, Some(20.0)];
    assert_eq!(means(&past, 0, 1, 6), seconds);
}
