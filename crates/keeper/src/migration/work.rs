//! What one step can do.

use std::time::Duration;

use forgekeeper_domain::{
    Timestamp,
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
    migration::{AfterKill, Deed, Finding, StepPreview, Target, Words},
};
use futures_util::future::BoxFuture;
use jiff::SignedDuration;
use serde_json::Value;

use super::{Site, StepRun};

/// One step of the plan that a machine can measure.
///
/// A step keeps nothing itself: what it needs to go on after a kill, or to take back what it did, it
/// tells [`StepRun::remember`] before it does it.
pub trait StepWork: Send + Sync {
    /// Measures whether the step holds. Changes nothing, and is called by the clock, too: it stays
    /// cheap, bounded in time, and says `unknown` for whatever it cannot see.
    fn check<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Finding>;

    /// How long that may take before nothing is known.
    fn deadline(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// How old a look at a step that has been proved may be before the clock looks again.
    fn every(&self) -> SignedDuration {
        SignedDuration::from_hours(24)
    }

    /// Whether time alone may make it hold: then the clock looks again before there is a verdict, once
    /// somebody has looked.
    fn waits(&self) -> bool {
        false
    }

    /// Whether there is something to do besides looking.
    fn can_run(&self) -> bool {
        false
    }

    /// Whether what was done can be taken back.
    fn can_undo(&self) -> bool {
        false
    }

    /// Whether its way back can be tried, with everything as it was afterwards.
    fn can_drill(&self) -> bool {
        false
    }

    /// The service that it has brought to rest, and since when, as it remembers it: that its container
    /// is down is no news then.
    fn rests(&self, _target: &Target, _memory: &Value) -> Option<(ServiceId, Timestamp)> {
        None
    }

    /// What becomes of it when the program ends in the middle. A drill is always called again, to put
    /// everything as it was.
    fn after_kill(&self) -> AfterKill {
        AfterKill::Tell
    }

    /// What [`Self::run`] would do, found out by looking alone.
    fn preview<'a>(&'a self, _site: &'a Site) -> BoxFuture<'a, Result<StepPreview, ErrorInfo>> {
        Box::pin(async { Ok(only_looked_at()) })
    }

    /// What [`Self::undo`] would do. `run` has what was remembered.
    fn preview_undo<'a>(
        &'a self,
        _site: &'a Site,
        _run: &'a StepRun,
    ) -> BoxFuture<'a, Result<StepPreview, ErrorInfo>> {
        Box::pin(async { Ok(StepPreview::default()) })
    }

    /// Does it. Whether it holds afterwards is not for it to say: it is checked right after.
    fn run<'a>(
        &'a self,
        _site: &'a Site,
        _run: &'a StepRun,
    ) -> BoxFuture<'a, Result<Deed, ErrorInfo>> {
        Box::pin(async { Err(nothing_to_do()) })
    }

    /// Takes it back, also where it was done by half. `run` has what was remembered.
    fn undo<'a>(
        &'a self,
        _site: &'a Site,
        _run: &'a StepRun,
    ) -> BoxFuture<'a, Result<Deed, ErrorInfo>> {
        Box::pin(async { Err(nothing_to_do()) })
    }

    /// What [`Self::drill`] would do. `run` has what was remembered.
    fn preview_drill<'a>(
        &'a self,
        _site: &'a Site,
        _run: &'a StepRun,
    ) -> BoxFuture<'a, Result<StepPreview, ErrorInfo>> {
        Box::pin(async { Ok(StepPreview::default()) })
    }

    /// Tries the way back. Called after one that was cut short, it only puts everything as it was.
    fn drill<'a>(
        &'a self,
        _site: &'a Site,
        _run: &'a StepRun,
    ) -> BoxFuture<'a, Result<Deed, ErrorInfo>> {
        Box::pin(async { Err(nothing_to_do()) })
    }
}

fn only_looked_at() -> StepPreview {
    StepPreview::default()
        .looks(Words::both(
            "This step is only measured: nothing is changed.",
            "Cette étape est seulement mesurée\u{202f}: rien n’est modifié.",
        ))
        .undone_by(Words::both(
            "There is nothing to take back.",
            "Il n’y a rien à annuler.",
        ))
}

fn nothing_to_do() -> ErrorInfo {
    ErrorInfo::new(ErrorCode::Refused, "this step does nothing itself")
        .hint("Check it instead: it is measured.")
}
