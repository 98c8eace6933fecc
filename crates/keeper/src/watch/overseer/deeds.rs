//! What a service was seen to do: each deed is proof that its log must have spoken.

use forgekeeper_domain::{
    Timestamp,
    facts::{Activity, ApiFact, Measured},
    service::ServiceKind,
};

/// The deeds of one service.
#[derive(Debug, Default)]
pub(super) struct Deeds {
    /// Begin of the first one since the log last spoke; of the newest, while it does.
    at: Option<Timestamp>,
    /// When the service was last seen at rest.
    rested_at: Option<Timestamp>,
    /// What runs began after this moment and leaves lines.
    runs_since: Option<Timestamp>,
}

impl Deeds {
    /// Begin of the deed of which the log must have spoken since.
    pub(super) fn at(&self) -> Option<Timestamp> {
        self.at
    }

    /// Something ended well that had begun at a moment; the log spoke last at another. One more
    /// deed does not make a silence younger.
    pub(super) fn done(&mut self, began: Timestamp, spoke_at: Option<Timestamp>) {
        if self.at.is_none_or(|deed| spoke_at >= Some(deed)) {
            self.at = Some(began);
        }
    }

    /// Takes what the API says of its work, whoever asked for it. Only what was seen from rest to
    /// rest counts: between two looks its lines may have come at any moment, and the last of them
    /// comes with its end.
    pub(super) fn saw(
        &mut self,
        api: &Measured<ApiFact>,
        kind: &dyn ServiceKind,
        spoke_at: Option<Timestamp>,
    ) {
        match &api.value {
            ApiFact::Answered {
                activity: Activity::Idle,
                ..
            } => {
                if let Some(began) = self.runs_since.take() {
                    self.done(began, spoke_at);
                }
                self.rested_at = Some(api.at);
            }
            ApiFact::Answered {
                activity: Activity::Busy(busy),
                ..
            } => {
                if self.runs_since.is_none() && kind.leaves_lines(busy) {
                    self.runs_since = self.rested_at;
                }
            }
            // It works on what it was seen to begin.
            ApiFact::TimedOut {
                progress_moves: true,
                ..
            } => {}
            _ => (self.rested_at, self.runs_since) = (None, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use forgekeeper_domain::{
        facts::Busy,
        service::{KindId, kind},
    };

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_760_000_000 + second).expect("a time")
    }

    fn idle() -> Activity {
        Activity::Idle
    }

    fn sampling() -> Activity {
        Activity::Busy(Busy {
            percent: Some(40),
            loading_model: false,
            eta_s: None,
        })
    }

    /// Preparing, or a job without steps.
    fn preparing() -> Activity {
        Activity::Busy(Busy {
            percent: None,
            loading_model: true,
            eta_s: None,
        })
    }

    fn answered(activity: Activity) -> ApiFact {
        ApiFact::Answered {
            models: None,
            latency_ms: 5,
            activity,
            version: None,
            device: None,
        }
    }

    /// The deed after looks, one every five seconds, at a log that last spoke long ago.
    fn after(id: KindId, looks: Vec<ApiFact>) -> Option<Timestamp> {
        let mut deeds = Deeds::default();
        for (look, fact) in (0..).zip(looks) {
            deeds.saw(&Measured::new(fact, at(5 * look)), kind(id), Some(at(-99)));
        }
        deeds.at()
    }

    #[test]
    fn what_was_seen_from_rest_to_rest_is_a_deed_from_the_last_rest_on() {
        let seen =
            |looks: Vec<Activity>| after(KindId::Forge, looks.into_iter().map(answered).collect());
        assert_eq!(
            seen(vec![idle(), idle(), sampling(), sampling()]),
            None,
            "it runs"
        );
        assert_eq!(
            seen(vec![idle(), idle(), preparing(), sampling(), idle()]),
            Some(at(5))
        );
        assert_eq!(
            seen(vec![sampling(), idle()]),
            None,
            "its begin was not seen"
        );
        assert_eq!(
            seen(vec![idle(), preparing(), idle()]),
            None,
            "a job without steps may leave no line"
        );
    }

    #[test]
    fn comfyui_tells_of_every_prompt() {
        let looks = vec![answered(idle()), answered(preparing()), answered(idle())];
        assert_eq!(after(KindId::Comfyui, looks), Some(at(0)));
    }

    #[test]
    fn an_api_that_fails_in_between_proves_nothing_and_a_busy_one_does() {
        let refused = ApiFact::Refused {
            reason: "refused".to_owned(),
        };
        let busy = ApiFact::TimedOut {
            deadline_ms: 5_000,
            progress_moves: true,
        };
        let with = |between| {
            let looks = vec![
                answered(idle()),
                answered(sampling()),
                between,
                answered(idle()),
            ];
            after(KindId::Forge, looks)
        };
        assert_eq!(with(refused), None);
        assert_eq!(with(busy), Some(at(0)));
    }

    #[test]
    fn a_silence_begins_with_the_first_deed_that_left_no_line() {
        let mut deeds = Deeds::default();
        for (began, spoke_at, expected) in [
            (0, 2, 0),
            (10, 2, 10),
            (20, 12, 20),
            (30, 12, 20),
            (40, 12, 20),
            (50, 41, 50),
        ] {
            deeds.done(at(began), Some(at(spoke_at)));
            assert_eq!(deeds.at(), Some(at(expected)), "{began}");
        }
    }
}
