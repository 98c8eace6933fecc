//! Incidents of graphics cards.

use super::*;

#[test]
fn a_card_in_trouble_is_an_incident_of_its_own() {
    let mut book = IncidentBook::default();
    let card = GpuUuid::new("GPU-a").expect("id");
    let time = |second: i64| Timestamp::from_second(T + second).expect("time");
    let well = || Outcome::ok(time(0));
    let lost = || Outcome::failing(Cause::GpuLost, time(0));
    let opened = book.observe(time(0), &[], &[(&card, &lost())]).opened;
    assert_eq!(opened[0].subject, Subject::Gpu(card.clone()));
    assert_eq!(
        (opened[0].rung, opened[0].cause),
        (Rung::Host, Cause::GpuLost)
    );
    let unread = Outcome::unknown(Cause::NotMeasurable);
    let changes = book.observe(time(10), &[], &[(&card, &unread)]);
    assert_eq!(
        (changes, book.open().len()),
        (Changes::default(), 1),
        "not read is not well"
    );
    let hot = Outcome::degraded(Cause::GpuHot, time(20));
    let changes = book.observe(time(20), &[], &[(&card, &hot)]);
    assert_eq!(
        (changes.opened.len(), changes.closed.len()),
        (1, 1),
        "another took its place"
    );
    let changes = book.observe(time(30), &[], &[(&card, &well())]);
    assert_eq!((changes.closed.len(), book.open().len()), (1, 0));
    book.observe(time(400), &[], &[(&card, &lost())]);
    let changes = book.observe(time(410), &[], &[]);
    assert_eq!(changes.closed.len(), 1, "taken out with its host");
    let last = changes.closed[0].evidence.last().expect("evidence");
    assert_eq!(
        (last.name.as_str(), last.value.as_str()),
        (NOT_KNOWN, time(400).to_string().as_str()),
        "that it ended does not say that it is well"
    );
}

#[test]
fn a_card_that_two_hosts_tell_of_is_well_when_both_say_so() {
    let card = GpuUuid::new("GPU-a").expect("id");
    let time = |second: i64| Timestamp::from_second(T + second).expect("time");
    let well = Outcome::ok(time(0));
    let lost = Outcome::failing(Cause::GpuLost, time(0));
    let unread = Outcome::unknown(Cause::NotMeasurable);
    for swapped in [false, true] {
        let mut book = IncidentBook::default();
        let mut see = |second, here: &Outcome, there: &Outcome| {
            let mut cards = [(&card, here), (&card, there)];
            if swapped {
                cards.reverse();
            }
            let changes = book.observe(time(second), &[], &cards);
            (changes.opened.len(), changes.closed.len())
        };
        assert_eq!(see(0, &lost, &well), (1, 0));
        assert_eq!(see(10, &lost, &well), (0, 0), "no flapping between the two");
        assert_eq!(see(20, &unread, &well), (0, 0), "well on the other host");
        assert_eq!(see(30, &well, &well), (0, 1));
    }
}
