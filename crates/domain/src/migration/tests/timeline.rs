use jiff::civil::Date;

use super::*;

fn window(earliest: Date, latest: Date) -> Option<Window> {
    Some(Window { earliest, latest })
}

#[test]
fn nothing_assigned_and_nothing_proved_has_no_date() {
    let found = standing(&OwnPlan::default(), &Proofs::new());
    assert_eq!(found.dates.len(), 19);
    for (step, dates) in &found.dates {
        assert_eq!((dates.start, dates.end), (None, None), "{step}");
        assert_eq!(dates.basis, DateBasis::Unknown, "{step}");
    }
}

#[test]
fn durations_count_from_the_last_proof_but_not_from_the_past() {
    let proofs = all_passed(
        &["target-image", "gpu-plan", "disk-space"],
        "2026-12-09T12:00:00Z",
    );
    let found = standing(&OwnPlan::default(), &proofs);
    let dates = |step: &str| found.dates[&id(step)];
    assert_eq!(dates("gpu-plan").basis, DateBasis::Proved);
    assert_eq!(
        dates("gpu-plan").end,
        window(date(2026, 12, 9), date(2026, 12, 9))
    );
    // Proved yesterday: what comes next cannot begin before today.
    assert_eq!(
        dates("read-docs").start,
        window(date(2026, 12, 10), date(2026, 12, 10))
    );
    assert_eq!(
        dates("read-docs").end,
        window(date(2026, 12, 11), date(2026, 12, 12))
    );
    assert_eq!(dates("backup").start, dates("read-docs").end);
    assert_eq!(dates("backup").basis, DateBasis::Computed);
    // Four to seven weeks of the report, and two of standby.
    let end = window(date(2027, 1, 21), date(2027, 2, 11));
    assert_eq!(dates("decommission").end, end);
}

#[test]
fn an_assigned_date_is_kept_and_what_follows_counts_from_it() {
    let own = read(
        "[[change]]\nid = 'proxy-cutover'\nstart = 2027-03-01\n[[change]]\nid = 'stability'\nskip = 'x'\n",
    );
    let found = standing(&own, &Proofs::new());
    let dates = |step: &str| found.dates[&id(step)];
    assert_eq!(dates("quality").basis, DateBasis::Unknown);
    assert_eq!(dates("proxy-cutover").basis, DateBasis::Assigned);
    assert_eq!(
        dates("stability"),
        StepDates {
            start: None,
            end: None,
            basis: DateBasis::Skipped
        }
    );
    assert_eq!(
        dates("standby").start,
        window(date(2027, 3, 2), date(2027, 3, 2))
    );
    // Its backup has no date, so this has none, however near it seems.
    assert_eq!(dates("decommission").basis, DateBasis::Unknown);
    let found = standing(&own, &all_passed(&["backup"], NOW));
    assert_eq!(
        found.dates[&id("decommission")].end,
        window(date(2027, 3, 17), date(2027, 3, 17))
    );
}

#[test]
fn a_running_step_counts_from_its_beginning_and_ends_no_earlier_than_today() {
    let begun = proof("2026-12-01T12:00:00Z", Verdict::Running, Basis::Measured);
    let found = standing(
        &OwnPlan::default(),
        &Proofs::from([(id("target-image"), vec![begun])]),
    );
    let first = found.dates[&id("target-image")];
    assert_eq!(
        (first.basis, first.start),
        (
            DateBasis::Begun,
            window(date(2026, 12, 1), date(2026, 12, 1))
        )
    );
    let next = found.dates[&id("gpu-plan")];
    assert_eq!(next.start, window(date(2026, 12, 10), date(2026, 12, 10)));
}

#[test]
fn days_are_those_of_the_place() {
    let zone = TimeZone::fixed(jiff::tz::offset(13));
    let proofs = all_passed(&["target-image"], NOW);
    let found = Standing::of(&OwnPlan::default(), &proofs, at(NOW), &zone);
    let end = found.dates[&id("target-image")].end;
    assert_eq!(end, window(date(2026, 12, 11), date(2026, 12, 11)));
}

#[test]
fn dates_at_the_end_of_time_are_unknown_and_no_panic() {
    let mut own = OwnPlan::default();
    let start = Some(date(9999, 12, 31));
    own.changes.insert(
        id("target-image"),
        Change {
            start,
            ..Change::default()
        },
    );
    let found = standing(&own, &Proofs::new());
    assert_eq!(found.dates[&id("target-image")].end, None);
    assert_eq!(found.dates[&id("gpu-plan")].basis, DateBasis::Unknown);
}
