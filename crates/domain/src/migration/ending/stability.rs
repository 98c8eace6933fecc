//! `stability`: the target carried the real work for days, and nothing stopped it.

use super::{
    super::{Finding, STABILITY_DAYS, Words},
    Carried, Watched,
    watched::{between, days, left, of_days},
};
use crate::Timestamp;

/// More of the time than this, in per cent, that nobody watched is told.
const GAP_TOLD: u64 = 2;

/// An incident that stopped the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// When it began.
    pub at: Timestamp,
    /// The code of its cause.
    pub cause: String,
}

/// What is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StabilityFacts {
    /// The present moment.
    pub now: Timestamp,
    /// Since when the target carries the work.
    pub carried: Option<Carried>,
    /// How many days are asked for.
    pub needed: u16,
    /// What stopped it since, in the order of time.
    pub stops: Vec<Stop>,
    /// What was seen of it since the last of these, or since it carries the work.
    pub counted: Watched,
    /// What was seen of it since it carries the work.
    pub target: Watched,
    /// What was seen of the old service before that.
    pub before: Watched,
    /// Whether it works now; `None` where that is not known.
    pub works: Option<bool>,
}

/// Whether a cause, by its code, stops a service: nobody gets a picture while it lasts.
pub fn stops(cause: &str) -> bool {
    const HARMLESS: &[&str] = &[
        "container.starting",
        "container.unhealthy",
        "program.starting",
        "api.starting",
        // Somebody has to log in, and can.
        "api.unauthorized",
        "api.login_page",
    ];
    const STOPPING: &[&str] = &["disk.full", "image.cuda_context_lost", "gpu.lost"];
    let (rung, _) = cause.split_once('.').unwrap_or((cause, ""));
    let low = matches!(rung, "host" | "engine" | "container" | "program" | "api");
    low && !HARMLESS.contains(&cause) || STOPPING.contains(&cause)
}

/// Judges it. Time that is not up is no failure: it is not known yet.
pub fn stability(facts: &StabilityFacts) -> Finding {
    let Some(carried) = facts.carried else {
        return Finding::unknown(Words::both(
            "The days are counted from the moment the public address is proved to lead to the target: it is not.",
            "Les jours sont comptés à partir du moment où il est prouvé que l’adresse publique mène à la cible\u{202f}: ce n’est pas le cas.",
        ));
    };
    let needed = of_days(facts.needed);
    let counted_from = facts.stops.last().map_or(carried.since, |stop| stop.at);
    let elapsed = between(counted_from, facts.now);
    let up = facts.counted.good >= needed;
    let finding = match (facts.works, facts.stops.last()) {
        (Some(false), _) => Finding::failed(Words::both(
            "The target does not work now.",
            "La cible ne fonctionne pas actuellement.",
        )),
        (None, _) => Finding::unknown(Words::both(
            "Whether the target works now is not known.",
            "On ignore si la cible fonctionne actuellement.",
        )),
        (Some(true), None) if up => Finding::proved(),
        (Some(true), Some(_)) if up => Finding::proved().say(Words::both(
            "Something stopped it earlier; since then it has carried the work for the days that are asked for.",
            "Quelque chose l’a arrêtée auparavant\u{202f}; depuis, elle a assuré le travail pendant les jours demandés.",
        )),
        (Some(true), Some(stop)) => Finding::failed(Words::both(
            format!(
                "An incident stopped it at {} ({}). The days are counted anew from then.",
                stop.at, stop.cause
            ),
            format!(
                "Un incident l’a arrêtée le {} ({}). Les jours sont comptés de nouveau à partir de là.",
                stop.at, stop.cause
            ),
        )),
        (Some(true), None) => {
            let (en, fr) = left(needed - facts.counted.good);
            let (done, all) = (days(facts.counted.good), facts.needed);
            Finding::unknown(Words::both(
                format!("Not yet: {done} of {all} days are counted. It takes another {en} at least."),
                format!("Pas encore\u{202f}: {done}\u{a0}jour(s) sur {all} comptés. Il faut encore {fr} au moins."),
            ))
        }
    };
    told(finding, facts, carried, elapsed)
}

/// Adds what it rests on.
fn told(mut finding: Finding, facts: &StabilityFacts, carried: Carried, elapsed: u64) -> Finding {
    let watched = facts.counted.good + facts.counted.bad;
    let gap = elapsed.saturating_sub(watched);
    if gap * 100 > elapsed * GAP_TOLD && gap > 1 && facts.needed > 0 {
        let (en, fr) = left(gap);
        finding = finding.say(Words::both(
            format!("For {en} nobody watched: Forgekeeper did not run, or could not see the service. That time is not counted."),
            format!("Pendant {fr}, personne n’a surveillé\u{202f}: Forgekeeper ne fonctionnait pas, ou ne voyait pas le service. Ce temps n’est pas compté."),
        ));
    }
    if !carried.measured {
        finding = finding.say(Words::both(
            "The cutover was left out of the plan: the days are counted from that moment.",
            "La bascule a été omise du plan\u{202f}: les jours sont comptés à partir de ce moment.",
        ));
    }
    if facts.needed < STABILITY_DAYS {
        finding = finding.say(shortened("stability_days", facts.needed, STABILITY_DAYS));
    }
    finding
        .with("since", carried.since)
        .with("days_counted", days(facts.counted.good))
        .with("days_needed", facts.needed)
        .with("days_of_report", STABILITY_DAYS)
        .with("incidents_that_stopped_it", facts.stops.len())
        .with_some(
            "last_incident",
            facts
                .stops
                .last()
                .map(|stop| format!("{} {}", stop.at, stop.cause)),
        )
        .with("minutes_not_watched", gap)
        .with_some("forge_availability_percent", facts.before.percent())
        .with_some("target_availability_percent", facts.target.percent())
        .with_some("forge_latency_ms", facts.before.latency_ms)
        .with_some("target_latency_ms", facts.target.latency_ms)
}

/// That the owner asks for less than the report.
pub(super) fn shortened(field: &str, days: u16, report: u16) -> Words {
    Words::both(
        format!(
            "Shortened by `{field}` in migration.toml: {days} days instead of the {report} of the report."
        ),
        format!(
            "Raccourci par `{field}` dans migration.toml\u{202f}: {days}\u{a0}jour(s) au lieu des {report} du rapport."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cause::Cause, migration::Found};

    const SINCE: i64 = 1_795_000_000;

    fn at(minutes: u64) -> Timestamp {
        Timestamp::from_second(SINCE + i64::try_from(minutes).unwrap() * 60).unwrap()
    }

    fn facts(elapsed: u64, good: u64) -> StabilityFacts {
        let watched = Watched {
            good,
            bad: 0,
            latency_ms: Some(12),
        };
        StabilityFacts {
            now: at(elapsed),
            carried: Some(Carried {
                since: at(0),
                measured: true,
            }),
            needed: 5,
            stops: Vec::new(),
            counted: watched,
            target: watched,
            before: Watched::default(),
            works: Some(true),
        }
    }

    fn value<'f>(finding: &'f Finding, name: &str) -> Option<&'f str> {
        let found = finding.evidence.iter().find(|e| e.name == name);
        found.map(|evidence| evidence.value.as_str())
    }

    #[test]
    fn time_has_to_be_up_watched_and_without_a_stop() {
        let day = 24 * 60;
        let whole = facts(5 * day, 5 * day);
        assert_eq!(stability(&whole).found, Found::Proved);
        assert_eq!(stability(&whole).says, []);

        let early = stability(&facts(3 * day, 3 * day));
        assert_eq!(early.found, Found::Unknown, "not yet is no failure");
        assert!(
            early.says[0].en.contains("another 2 days") || early.says[0].en.contains("48 hours")
        );
        assert_eq!(value(&early, "days_counted"), Some("3.0"));
        assert_eq!(value(&early, "forge_availability_percent"), None);

        let gaps = stability(&facts(6 * day, 4 * day));
        assert_eq!(gaps.found, Found::Unknown, "nobody watched for two days");
        assert_eq!(gaps.says.len(), 2, "{gaps:#?}");
        assert_eq!(value(&gaps, "minutes_not_watched"), Some("2880"));

        let stop = Stop {
            at: at(4 * day),
            cause: "container.oom_killed".to_owned(),
        };
        let stopped = StabilityFacts {
            stops: vec![stop],
            counted: facts(0, day).counted,
            ..facts(5 * day, 5 * day)
        };
        let found = stability(&stopped);
        assert_eq!(found.found, Found::Failed);
        assert!(found.says[0].en.contains("container.oom_killed"));
        let again = StabilityFacts {
            now: at(9 * day),
            counted: facts(0, 5 * day).counted,
            ..stopped
        };
        assert_eq!(stability(&again).found, Found::Proved);
        assert_eq!(
            value(&stability(&again), "incidents_that_stopped_it"),
            Some("1")
        );
    }

    #[test]
    fn what_is_not_known_now_proves_nothing_and_a_shorter_time_says_so() {
        let none = StabilityFacts {
            needed: 0,
            ..facts(0, 0)
        };
        let found = stability(&none);
        assert_eq!(found.found, Found::Proved);
        assert!(found.says[0].en.contains("0 days instead of the 5"));
        for (works, expected) in [(None, Found::Unknown), (Some(false), Found::Failed)] {
            let now = StabilityFacts {
                works,
                ..none.clone()
            };
            assert_eq!(stability(&now).found, expected);
        }
        let not_cut = StabilityFacts {
            carried: None,
            ..none
        };
        assert_eq!(stability(&not_cut).found, Found::Unknown);
    }

    #[test]
    fn causes_that_stop_are_those_after_which_nobody_gets_a_picture() {
        for (cause, expected) in [
            (Cause::ContainerOomKilled, true),
            (Cause::EngineTimeout, true),
            (Cause::ApiRefused, true),
            (Cause::ProgramCrashLoop, true),
            (Cause::GpuLost, true),
            (Cause::ApiStarting, false),
            (Cause::ContainerUnhealthy, false),
            (Cause::FreshnessAbandoned, false),
            (Cause::ImageNotSinceRestart, false),
            (Cause::GpuHot, false),
        ] {
            assert_eq!(stops(cause.code()), expected, "{cause}");
        }
    }
}
