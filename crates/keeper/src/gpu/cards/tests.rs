use forgekeeper_domain::outcome::Status;

use super::*;
use crate::gpu::SilentCard;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).expect("a time")
}

fn uuid(name: &str) -> GpuUuid {
    GpuUuid::new(name).expect("an id")
}

fn sample(name: &str, second: i64, load: Option<u32>, degrees: Option<u32>) -> GpuSample {
    GpuSample {
        load_percent: load,
        temperature_c: degrees,
        slowdown_c: Some(90),
        ..nameless(uuid(name), 0, at(second))
    }
}

fn read(cards: &mut Cards, second: i64, degrees: Option<u32>) -> GpuCard {
    let samples = vec![sample("GPU-a", second, Some(10), degrees)];
    cards.take(
        Reading {
            samples,
            ..Reading::default()
        },
        at(second),
    );
    cards.view(at(second)).remove(0)
}

#[test]
fn load_is_kept_for_a_minute_with_gaps() {
    let mut cards = Cards::default();
    for second in 0..100 {
        if second != 97 {
            let load = (second != 98).then_some(u32::try_from(second).expect("small"));
            let samples = vec![sample("GPU-a", second, load, None)];
            cards.take(
                Reading {
                    samples,
                    ..Reading::default()
                },
                at(second),
            );
        }
    }
    let card = cards.view(at(99)).remove(0);
    assert_eq!(card.load_history.len(), 60);
    assert_eq!(card.load_history[0], Some(40));
    assert_eq!(card.load_history[56..], [Some(96), None, None, Some(99)]);
}

#[test]
fn an_old_reading_is_not_current_and_not_green() {
    let mut cards = Cards::default();
    let card = read(&mut cards, 0, Some(50));
    assert!(card.current);
    assert_eq!(
        (card.outcome.status, card.outcome.since),
        (Status::Ok, Some(at(0)))
    );
    assert_eq!(cards.next_stale_ms(at(2)), Some(3050));
    let card = cards.view(at(6)).remove(0);
    assert!(!card.current);
    assert_eq!(
        (card.outcome.status, card.outcome.cause),
        (Status::Unknown, Some(Cause::NotMeasurable))
    );
    assert_eq!(cards.next_stale_ms(at(6)), None);
    assert!(read(&mut cards, 7, Some(50)).current);
}

#[test]
fn hot_needs_thirty_seconds_and_ends_with_a_margin() {
    let mut cards = Cards::default();
    for second in 0..30 {
        assert_eq!(
            read(&mut cards, second, Some(91)).outcome.status,
            Status::Ok,
            "after {second} s"
        );
    }
    let card = read(&mut cards, 30, Some(90));
    assert_eq!(
        (card.outcome.status, card.outcome.cause),
        (Status::Degraded, Some(Cause::GpuHot))
    );
    assert_eq!(card.outcome.evidence_value("temperature_c"), Some("90"));
    assert_eq!(card.outcome.evidence_value("slowdown_c"), Some("90"));
    assert_eq!(
        (card.outcome.since, card.outcome.checked_at),
        (Some(at(0)), Some(at(30)))
    );
    assert_eq!(
        read(&mut cards, 31, Some(88)).outcome.status,
        Status::Degraded,
        "just below is still hot"
    );
    assert_eq!(read(&mut cards, 32, Some(86)).outcome.status, Status::Ok);
    // A short rise is none, and a temperature that is not told says nothing of it.
    for (second, degrees) in [(33, Some(95)), (50, Some(60)), (51, Some(95)), (70, None)] {
        assert_eq!(
            read(&mut cards, second, degrees).outcome.status,
            Status::Ok,
            "at {second} s"
        );
    }
    assert_eq!(
        read(&mut cards, 81, Some(95)).outcome.status,
        Status::Degraded,
        "since 51 s, as far as anybody knows"
    );
}

#[test]
fn a_card_that_was_lost_before_it_was_read_comes_back_as_one() {
    let mut cards = Cards::default();
    let lost = SilentCard {
        uuid: uuid("index-0"),
        index: 0,
        message: "GPU is lost".to_owned(),
    };
    let reading = Reading {
        // The driver took its time to say so.
        at: Some(at(-1)),
        lost: vec![lost],
        ..Reading::default()
    };
    cards.take(reading, at(0));
    let shown = cards.view(at(60));
    assert_eq!(shown[0].outcome.cause, Some(Cause::GpuLost));
    assert_eq!(
        shown[0].outcome.checked_at,
        Some(at(0)),
        "said then, not now"
    );
    let card = read(&mut cards, 61, Some(50));
    assert_eq!(card.outcome.status, Status::Ok);
    assert_eq!(cards.view(at(61)).len(), 1, "no card twice");
}

#[test]
fn a_card_that_tells_nothing_is_not_well() {
    let mut cards = Cards::default();
    let silent = sample("GPU-a", 0, None, None);
    let reading = Reading {
        samples: vec![silent],
        ..Reading::default()
    };
    cards.take(reading, at(0));
    let card = cards.view(at(0)).remove(0);
    assert!(card.current);
    assert_eq!(card.outcome.status, Status::Unknown);
}

#[test]
fn a_lost_card_stays_lost_until_it_is_read_again() {
    let mut cards = Cards::default();
    read(&mut cards, 0, Some(50));
    let lost = |name: &str| Reading {
        lost: vec![SilentCard {
            uuid: uuid(name),
            index: 3,
            message: "GPU is lost".to_owned(),
        }],
        ..Reading::default()
    };
    cards.take(lost("GPU-a"), at(1));
    cards.take(lost("GPU-a"), at(2));
    let card = cards.view(at(2)).remove(0);
    assert_eq!(
        (card.outcome.status, card.outcome.cause),
        (Status::Failing, Some(Cause::GpuLost))
    );
    assert_eq!(
        (card.outcome.since, card.outcome.checked_at),
        (Some(at(1)), Some(at(2)))
    );
    assert_eq!(
        card.outcome.evidence_value("driver_message"),
        Some("GPU is lost")
    );
    assert!(!card.current);
    cards.take(Reading::default(), at(5000));
    assert_eq!(
        cards.view(at(5000)).len(),
        1,
        "a lost card is not forgotten"
    );
    assert_eq!(read(&mut cards, 5001, Some(50)).outcome.status, Status::Ok);

    // Lost before it was ever read: shown without a single value.
    cards.take(lost("GPU-b"), at(5002));
    let shown = cards.view(at(5002));
    assert_eq!(
        (
            shown[1].latest.index,
            shown[1].latest.load_percent,
            shown[1].latest.memory_total
        ),
        (3, None, None)
    );
}

#[test]
fn a_card_that_was_taken_out_is_forgotten() {
    let mut cards = Cards::default();
    read(&mut cards, 0, None);
    let other = |second| Reading {
        samples: vec![sample("GPU-b", second, None, None)],
        ..Reading::default()
    };
    cards.take(other(599), at(599));
    assert_eq!(cards.view(at(599)).len(), 2);
    cards.take(other(600), at(600));
    assert_eq!(cards.view(at(600)).len(), 1);
}

#[test]
fn made_up_cards_have_bounds_and_crowd_out_no_real_one() {
    let mut cards = Cards::default();
    for second in 0..20 {
        let made_up = |n: i64| sample(&format!("GPU-{}", second * 100 + n), second, None, None);
        let lost = |n: i64| SilentCard {
            uuid: uuid(&format!("pci-{}", second * 100 + n)),
            index: 50,
            message: "GPU is lost".to_owned(),
        };
        let samples = std::iter::once(sample("GPU-a", second, Some(10), None))
            .chain((0..20).map(made_up))
            .collect();
        let reading = Reading {
            samples,
            lost: (0..20).map(lost).collect(),
            ..Reading::default()
        }
        .bounded();
        assert_eq!(reading.samples.len() + reading.lost.len(), 32);
        assert_eq!(
            reading.problems,
            ["41 GPUs are told of: only 32 of them are shown"]
        );
        cards.take(reading, at(second));
    }
    let shown = cards.view(at(19));
    assert_eq!(shown.len(), MOST_REMEMBERED);
    assert!(shown.iter().any(|card| card.latest.uuid == uuid("GPU-a")));
}

#[test]
fn an_answer_that_comes_late_changes_nothing() {
    let mut cards = Cards::default();
    read(&mut cards, 10, Some(50));
    // The driver was asked at 5, hung, and another source answered meanwhile.
    let late = Reading {
        at: Some(at(5)),
        samples: vec![sample("GPU-a", 5, Some(99), Some(80))],
        ..Reading::default()
    };
    cards.take(late, at(11));
    let card = cards.view(at(11)).remove(0);
    assert_eq!(
        (card.latest.at, card.load_history.len()),
        (at(10), 1),
        "{card:?}"
    );
    let late = Reading {
        at: Some(at(5)),
        lost: vec![SilentCard {
            uuid: uuid("GPU-a"),
            index: 0,
            message: "GPU is lost".to_owned(),
        }],
        ..Reading::default()
    };
    cards.take(late, at(11));
    assert_eq!(cards.view(at(11))[0].outcome.status, Status::Ok);
}

#[test]
fn a_clock_that_is_set_back_freezes_nothing() {
    let mut cards = Cards::default();
    read(&mut cards, 3600, Some(50));
    let card = read(&mut cards, 1, Some(60));
    assert_eq!((card.latest.at, card.current), (at(1), true));
    assert_eq!(read(&mut cards, 2, Some(61)).latest.at, at(2));
}

#[test]
fn a_card_that_cannot_be_opened_stays_with_the_drivers_words_and_is_not_well() {
    let mut cards = Cards::default();
    read(&mut cards, 0, Some(50));
    let shut = |second| Reading {
        samples: vec![sample("GPU-b", second, None, Some(40))],
        unread: vec![SilentCard {
            uuid: uuid("GPU-a"),
            index: 0,
            message: "an unknown error".to_owned(),
        }],
        ..Reading::default()
    };
    for second in [1, 700, 1400] {
        cards.take(shut(second), at(second));
        let card = cards.view(at(second)).remove(0);
        assert_eq!(card.latest.uuid, uuid("GPU-a"), "after {second} s");
        assert_eq!(
            (card.outcome.status, card.outcome.cause, card.current),
            (Status::Unknown, Some(Cause::NotMeasurable), false)
        );
        assert_eq!(card.outcome.checked_at, Some(at(second)));
        assert_eq!(
            card.outcome.evidence_value("driver_message"),
            Some("an unknown error")
        );
    }
    assert_eq!(read(&mut cards, 1401, Some(50)).outcome.status, Status::Ok);
    // A lost one that cannot be opened is lost all the same.
    let lost = Reading {
        lost: shut(0).unread,
        ..Reading::default()
    };
    cards.take(lost, at(1402));
    cards.take(shut(1403), at(1403));
    let card = cards.view(at(1403)).remove(0);
    assert_eq!(card.outcome.cause, Some(Cause::GpuLost));
}
