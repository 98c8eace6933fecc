//! `image.placement`: the card that is declared does the work, by a placement proof.

use super::Check;
use crate::{
    cause::Cause, facts::Facts, ids::ServiceId, ladder::Rung, outcome::Outcome,
    placement::PlacementVerdict,
};

pub(super) const CHECK: Check = Check {
    id: "image.placement",
    rung: Rung::Image,
    judge,
};

fn judge(facts: &Facts) -> Option<Outcome> {
    let measured = facts.placement.as_ref()?;
    let fact = &measured.value;
    if !fact.verdict.is_wrong() {
        return None;
    }
    if fact.faded {
        // Neither is it known to be wrong any more, nor proved to be right.
        return Some(Outcome::unknown(Cause::Stale).checked(measured.at));
    }
    let outcome = match fact.verdict {
        PlacementVerdict::Cpu => Outcome::failing(Cause::ImageCpuFallback, measured.at),
        _ => Outcome::degraded(Cause::PlacementMismatch, measured.at),
    };
    let shared: Vec<&str> = fact.shared_with.iter().map(ServiceId::as_str).collect();
    Some(
        outcome
            .with_some("declared_card", fact.declared.as_ref())
            .with_some("measured_card", fact.measured.as_ref())
            .with_some(
                "shared_with",
                (!shared.is_empty()).then(|| shared.join(", ")),
            ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Timestamp,
        facts::{Measured, PlacementFact},
        outcome::Status,
    };

    #[test]
    fn only_a_proof_that_counts_breaks_the_rung() {
        use PlacementVerdict::{Agrees, CouldNotTell, Cpu, Differs, SharedCard, Undeclared};
        let at = Timestamp::from_second(1_800_000_000).expect("a time");
        let judged = |verdict, faded| {
            let fact = PlacementFact {
                verdict,
                faded,
                declared: Some("GPU 0 · RTX 3080".to_owned()),
                measured: Some("GPU 1 · RTX 3090".to_owned()),
                shared_with: vec![ServiceId::new("myia-turbo").expect("an id")],
            };
            let facts = Facts {
                placement: Some(Measured::new(fact, at)),
                ..Facts::none(at)
            };
            judge(&facts).map(|outcome| (outcome.status, outcome.cause))
        };
        for verdict in [Agrees, Undeclared, CouldNotTell] {
            assert_eq!(judged(verdict, false), None, "{verdict:?} has no say");
            assert_eq!(judged(verdict, true), None);
        }
        let mismatch = Some((Status::Degraded, Some(Cause::PlacementMismatch)));
        assert_eq!(judged(Differs, false), mismatch);
        assert_eq!(judged(SharedCard, false), mismatch);
        assert_eq!(
            judged(Cpu, false),
            Some((Status::Failing, Some(Cause::ImageCpuFallback)))
        );
        for verdict in [Differs, SharedCard, Cpu] {
            let faded = Some((Status::Unknown, Some(Cause::Stale)));
            assert_eq!(judged(verdict, true), faded, "not proved gone");
        }
        assert_eq!(judge(&Facts::none(at)), None);
    }
}
