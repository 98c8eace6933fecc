//! `standby`: the old service is at rest and ready to come back, for two weeks.

use serde::{Deserialize, Serialize};

use super::{
    super::{Finding, STANDBY_DAYS, Words},
    Carried,
    stability::shortened,
    watched::{between, days, left, of_days},
};
use crate::Timestamp;

/// How often the way back is tried.
pub const DRILL_EVERY_DAYS: u16 = 7;

/// One try of the way back: start, one picture, stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// When it began.
    pub at: Timestamp,
    /// Whether a picture came, and the service was at rest again.
    pub passed: bool,
    /// From the request to the first answer of its API, milliseconds.
    pub start_ms: Option<u64>,
    /// How long the picture took, milliseconds.
    pub picture_ms: Option<u64>,
    /// How long the whole took, milliseconds.
    pub total_ms: u64,
    /// What went wrong, in the program's words.
    pub error: Option<String>,
}

/// What is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandbyFacts {
    /// The present moment.
    pub now: Timestamp,
    /// When the standby was begun; `None`: it was not.
    pub begun: Option<Timestamp>,
    /// Since when the public address has led to the target.
    pub carried: Option<Carried>,
    /// How many days are asked for.
    pub needed: u16,
    /// The last drill.
    pub drill: Option<Drill>,
    /// Whether the container is there; `None` where the engine does not tell.
    pub container: Option<bool>,
    /// Whether it is at rest; `None` where that is not known.
    pub at_rest: Option<bool>,
    /// Whether its image is there.
    pub image: Option<bool>,
}

/// When the next drill is due, if the standby was begun then.
pub fn drill_due(begun: Timestamp, last: Option<&Drill>) -> Option<Timestamp> {
    let from = last.map_or(begun, |drill| drill.at);
    let every = jiff::SignedDuration::from_hours(24 * i64::from(DRILL_EVERY_DAYS));
    from.checked_add(every).ok()
}

/// Judges it.
pub fn standby(facts: &StandbyFacts) -> Finding {
    let Some(begun) = facts.begun else {
        return Finding::failed(Words::both(
            "The standby has not begun: begin it with this step.",
            "La période de secours n’a pas commencé\u{202f}: la commencer par cette étape.",
        ));
    };
    let mut finding = ready(facts);
    // What the public address does is part of the standby: while people work with the old service, it is
    // no standby.
    let from = match facts.carried {
        None => {
            finding = finding.and(Finding::failed(Words::both(
                "The public address is not proved to lead to the target: these days do not count.",
                "Il n’est pas prouvé que l’adresse publique mène à la cible\u{202f}: ces jours ne comptent pas.",
            )));
            None
        }
        Some(carried) => Some(begun.max(carried.since)),
    };
    let counted = from.map_or(0, |from| between(from, facts.now));
    let needed = of_days(facts.needed);
    finding = finding.and(drilled(facts, begun));
    if from.is_some() && counted < needed {
        let (en, fr) = left(needed - counted);
        let (done, all) = (days(counted), facts.needed);
        finding = finding.and(Finding::unknown(Words::both(
            format!("Not yet: {done} of {all} days have passed, {en} are left."),
            format!("Pas encore\u{202f}: {done}\u{a0}jour(s) sur {all} écoulés, il reste {fr}."),
        )));
    }
    if facts.needed < STANDBY_DAYS {
        finding = finding.say(shortened("standby_days", facts.needed, STANDBY_DAYS));
    }
    let drill = facts.drill.as_ref();
    finding
        .with("begun_at", begun)
        .with_some("counted_from", from)
        .with("days_counted", days(counted))
        .with("days_needed", facts.needed)
        .with("days_of_report", STANDBY_DAYS)
        .with("days_left", days(needed.saturating_sub(counted)))
        .with_some(
            "ends_at",
            from.and_then(|from| {
                let all = jiff::SignedDuration::from_hours(24 * i64::from(facts.needed));
                from.checked_add(all).ok()
            }),
        )
        .with_some("last_drill", drill.map(|drill| drill.at))
        .with_some("last_drill_passed", drill.map(|drill| drill.passed))
        .with_some("drill_start_ms", drill.and_then(|drill| drill.start_ms))
        .with_some("drill_picture_ms", drill.and_then(|drill| drill.picture_ms))
        .with_some("drill_total_ms", drill.map(|drill| drill.total_ms))
        .with_some("next_drill_due", drill_due(begun, drill))
}

/// Whether it could come back.
fn ready(facts: &StandbyFacts) -> Finding {
    let judged = |known: Option<bool>, missing: Words, unknown: Words| match known {
        Some(true) => Finding::proved(),
        Some(false) => Finding::failed(missing),
        None => Finding::unknown(unknown),
    };
    let engine = || {
        Words::both(
            "The engine does not tell whether the old service could come back.",
            "Le moteur ne dit pas si l’ancien service pourrait revenir.",
        )
    };
    if facts.container.is_none() || facts.container == Some(true) && facts.image.is_none() {
        return Finding::unknown(engine());
    }
    let container = judged(
        facts.container,
        Words::both(
            "The container of the old service is gone: it cannot come back.",
            "Le conteneur de l’ancien service a disparu\u{202f}: il ne peut pas revenir.",
        ),
        engine(),
    );
    if facts.container == Some(false) {
        return container;
    }
    let image = judged(
        facts.image,
        Words::both(
            "The image of the old service is gone: its container cannot be made anew.",
            "L’image de l’ancien service a disparu\u{202f}: son conteneur ne peut pas être recréé.",
        ),
        engine(),
    );
    let rest = judged(
        facts.at_rest,
        Words::both(
            "The old service runs: it is not at rest.",
            "L’ancien service fonctionne\u{202f}: il n’est pas au repos.",
        ),
        engine(),
    );
    container.and(image).and(rest)
}

fn drilled(facts: &StandbyFacts, begun: Timestamp) -> Finding {
    let drill = facts.drill.as_ref();
    if let Some(drill) = drill
        && !drill.passed
    {
        let why = drill.error.clone().unwrap_or_default();
        return Finding::failed(Words::both(
            format!("The last drill did not pass: {why}"),
            format!("Le dernier exercice de retour n’a pas réussi\u{202f}: {why}"),
        ));
    }
    let late = drill_due(begun, drill).is_some_and(|due| due < facts.now);
    match drill {
        Some(_) if !late => Finding::proved(),
        None if !late => Finding::unknown(Words::both(
            "The way back was not tried yet: a drill starts the old service, makes a picture and stops it.",
            "Le retour n’a pas encore été essayé\u{202f}: un exercice démarre l’ancien service, génère une image et l’arrête.",
        )),
        _ => Finding::failed(Words::both(
            format!("The last drill is older than {DRILL_EVERY_DAYS} days: do one."),
            format!(
                "Le dernier exercice de retour a plus de {DRILL_EVERY_DAYS}\u{a0}jours\u{202f}: en faire un."
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::Found;

    fn day(count: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + count * 86_400).unwrap()
    }

    fn drill(at: i64, passed: bool) -> Option<Drill> {
        Some(Drill {
            at: day(at),
            passed,
            start_ms: Some(2_000),
            picture_ms: Some(900),
            total_ms: 4_000,
            error: (!passed).then(|| "no picture".to_owned()),
        })
    }

    fn facts(now: i64, drill: Option<Drill>) -> StandbyFacts {
        StandbyFacts {
            now: day(now),
            begun: Some(day(0)),
            carried: Some(Carried {
                since: day(-2),
                measured: true,
            }),
            needed: 14,
            drill,
            container: Some(true),
            at_rest: Some(true),
            image: Some(true),
        }
    }

    #[test]
    fn the_days_have_to_be_up_and_the_way_back_tried_lately() {
        let cases = [
            (facts(14, drill(8, true)), Found::Proved),
            (facts(13, drill(8, true)), Found::Unknown),
            (facts(14, drill(6, true)), Found::Failed),
            (facts(14, drill(10, false)), Found::Failed),
            (facts(3, None), Found::Unknown),
            (facts(8, None), Found::Failed),
            (
                StandbyFacts {
                    begun: None,
                    ..facts(14, None)
                },
                Found::Failed,
            ),
            (
                StandbyFacts {
                    carried: None,
                    ..facts(14, drill(10, true))
                },
                Found::Failed,
            ),
            // The address came back in the middle, and went over again.
            (
                StandbyFacts {
                    carried: Some(Carried {
                        since: day(6),
                        measured: true,
                    }),
                    ..facts(15, drill(10, true))
                },
                Found::Unknown,
            ),
            (
                StandbyFacts {
                    container: Some(false),
                    image: None,
                    ..facts(14, drill(10, true))
                },
                Found::Failed,
            ),
            (
                StandbyFacts {
                    image: Some(false),
                    ..facts(14, drill(10, true))
                },
                Found::Failed,
            ),
            (
                StandbyFacts {
                    at_rest: Some(false),
                    ..facts(14, drill(10, true))
                },
                Found::Failed,
            ),
            (
                StandbyFacts {
                    container: None,
                    ..facts(14, drill(10, true))
                },
                Found::Unknown,
            ),
        ];
        for (facts, expected) in cases {
            let found = standby(&facts);
            assert_eq!(found.found, expected, "{facts:#?} {found:#?}");
        }
    }

    #[test]
    fn what_is_left_is_told_and_a_shorter_time_says_so() {
        let found = standby(&facts(12, drill(8, true)));
        assert!(found.says[0].en.contains("12.0 of 14 days"), "{found:#?}");
        let value = |name: &str| {
            let found = found.evidence.iter().find(|e| e.name == name);
            found.map(|evidence| evidence.value.clone())
        };
        assert_eq!(value("days_left").as_deref(), Some("2.0"));
        assert_eq!(value("next_drill_due"), Some(day(15).to_string()));
        let short = StandbyFacts {
            needed: 0,
            ..facts(0, drill(0, true))
        };
        let found = standby(&short);
        assert_eq!(found.found, Found::Proved);
        assert!(found.says[0].en.contains("`standby_days`"));
    }
}
