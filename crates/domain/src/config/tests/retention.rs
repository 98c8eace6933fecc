use jiff::SignedDuration;

use super::{super::*, at, id};
use crate::ids::SnapshotId;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

fn kept(name: &str, age: i64) -> Kept {
    Kept {
        id: id(name),
        taken_at: at(-age),
        good: false,
        pinned: false,
        contents: vec![(name.to_owned(), 100)],
    }
}

fn gone(all: &[Kept], rules: &Retention) -> Vec<String> {
    let ids: Vec<SnapshotId> = to_remove(all, at(0), rules);
    ids.iter().map(|id| id.as_str().to_owned()).collect()
}

#[test]
fn one_a_day_then_one_a_week_then_none() {
    // One each six hours for two years.
    let all: Vec<Kept> = (0..4 * 730)
        .map(|n| kept(&format!("s{n:04}"), n * 6 * HOUR))
        .collect();
    let gone = gone(&all, &RETENTION);
    let stay: Vec<&Kept> = all
        .iter()
        .filter(|one| !gone.contains(&one.id.as_str().to_owned()))
        .collect();
    let within = |from: i64, to: i64| {
        let ages = stay
            .iter()
            .map(|one| at(0).duration_since(one.taken_at).as_secs());
        ages.filter(|age| (from..to).contains(age)).count()
    };
    assert_eq!(within(0, DAY), 4, "all of the last day");
    let days = within(DAY, 30 * DAY);
    assert!((29..=30).contains(&days), "one a day: {days}");
    let weeks = within(30 * DAY, 365 * DAY);
    assert!((47..=49).contains(&weeks), "one a week: {weeks}");
    assert_eq!(within(365 * DAY, 1000 * DAY), 0, "nothing older");
}

#[test]
fn the_newest_the_last_good_and_the_pinned_stay_whatever_happens() {
    let old = 500 * DAY;
    let mut all: Vec<Kept> = (0..6)
        .map(|n| kept(&format!("s{n}"), old + n * DAY))
        .collect();
    all[2].good = true;
    all[3].good = true;
    all[5].pinned = true;
    let none = Retention {
        bytes: 0,
        ..RETENTION
    };
    for rules in [RETENTION, none] {
        assert_eq!(gone(&all, &rules), ["s4", "s3", "s1"]);
    }
    assert_eq!(gone(&[], &RETENTION), [""; 0]);
    // A clock that went back makes nobody old.
    assert_eq!(
        gone(&[kept("a", -5 * DAY), kept("b", -4 * DAY)], &RETENTION),
        [""; 0]
    );
}

#[test]
fn the_oldest_go_until_the_rest_fits_and_shared_bytes_count_once() {
    let mut all: Vec<Kept> = (0..5).map(|n| kept(&format!("s{n}"), n * 60)).collect();
    let rules = Retention {
        bytes: 250,
        all: SignedDuration::from_hours(24),
        ..RETENTION
    };
    assert_eq!(gone(&all, &rules), ["s4", "s3", "s2"]);
    for one in &mut all {
        one.contents = vec![("same".to_owned(), 240)];
    }
    assert_eq!(gone(&all, &rules), [""; 0]);
}
