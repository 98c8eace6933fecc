//! Since when a step has held without a break, by the flight recorder.

use super::super::{RecordAction, RecordEntry, RecordOutcome, StepId};
use crate::Timestamp;

/// Since when the public address has led to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried {
    /// Since when.
    pub since: Timestamp,
    /// Whether that was measured; the owner may have left the step out, and done it otherwise.
    pub measured: bool,
}

/// Reads it out of the recorder, whose entries are in the order of time. `None`: it does not hold now,
/// or nothing is written of it.
pub fn carried_since(record: &[RecordEntry], step: &StepId) -> Option<Carried> {
    let mut carried: Option<Carried> = None;
    for entry in record.iter().filter(|e| e.step.as_ref() == Some(step)) {
        let begins = |measured| {
            let since = entry.at;
            Some(Carried { since, measured })
        };
        carried = match (entry.action, entry.outcome) {
            (RecordAction::Check, RecordOutcome::Proved) => {
                carried.filter(|c| c.measured).or_else(|| begins(true))
            }
            (RecordAction::Check, RecordOutcome::Failed)
            | (RecordAction::Undo, RecordOutcome::Begun | RecordOutcome::Done)
            | (RecordAction::Unskip, _) => None,
            (RecordAction::Skip, RecordOutcome::Done) => carried.or_else(|| begins(false)),
            _ => carried,
        };
    }
    carried
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(second: i64, action: RecordAction, outcome: RecordOutcome) -> RecordEntry {
        let at = Timestamp::from_second(second).unwrap();
        let step = StepId::new("proxy-cutover").unwrap();
        RecordEntry::new(at, Some(step), action, outcome)
    }

    #[test]
    fn a_break_begins_it_anew_and_a_repeated_proof_does_not() {
        use RecordAction::{Check, Run, Skip, Undo};
        use RecordOutcome::{Begun, Done, Failed, Proved, Unknown};
        let cases: &[(&[(i64, RecordAction, RecordOutcome)], Option<i64>)] = &[
            (&[], None),
            (&[(1, Run, Done)], None),
            (
                &[(1, Run, Begun), (2, Check, Proved), (9, Check, Proved)],
                Some(2),
            ),
            (&[(2, Check, Proved), (3, Check, Unknown)], Some(2)),
            (&[(2, Check, Proved), (3, Undo, Begun)], None),
            (
                &[(2, Check, Proved), (3, Check, Failed), (5, Check, Proved)],
                Some(5),
            ),
            (&[(4, Skip, Done)], Some(4)),
            (&[(4, Skip, Done), (6, Check, Proved)], Some(6)),
        ];
        let step = StepId::new("proxy-cutover").unwrap();
        for (entries, since) in cases {
            let record: Vec<_> = entries.iter().map(|(s, a, o)| entry(*s, *a, *o)).collect();
            let found = carried_since(&record, &step).map(|c| c.since.as_second());
            assert_eq!(found, *since, "{entries:?}");
        }
        assert_eq!(
            carried_since(&[entry(1, Check, Proved)], &StepId::new("backup").unwrap()),
            None
        );
    }
}
