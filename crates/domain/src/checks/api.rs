//! `api.models`: the service's API answers with the shape it should have.
//!
//! Status codes alone prove nothing here: `forge-container.md` §2 shows 200 with HTML.

use super::{Check, fresh, of_this_run, run_started, start_left_s, within_start};
use crate::{
    Timestamp,
    cause::Cause,
    facts::{ApiFact, Facts},
    ladder::Rung,
    outcome::Outcome,
};

pub(super) const CHECK: Check = Check {
    id: "api.models",
    rung: Rung::Api,
    judge: |facts| Some(judge(facts)),
};

fn judge(facts: &Facts) -> Outcome {
    if !facts.api_configured {
        return Outcome::not_configured(Cause::NotConfigured);
    }
    let measured = match fresh(facts.api.as_ref(), facts.now) {
        Ok(measured) => measured,
        Err(outcome) => return outcome,
    };
    if let Err(outcome) = of_this_run(facts, measured) {
        return outcome;
    }
    let at = measured.at;
    if run_started(facts).is_some_and(|started| at < started) {
        // Measured on the run before this one: it proves nothing about this one.
        return Outcome::unknown(Cause::NotMeasuredYet).checked(at);
    }
    match &measured.value {
        ApiFact::Answered {
            models: Some(0),
            latency_ms,
            ..
        } => Outcome::degraded(Cause::ApiNoModels, at).with("latency_ms", latency_ms),
        ApiFact::Answered {
            models,
            latency_ms,
            activity,
            version,
            ..
        } => Outcome::ok(at)
            .with("latency_ms", latency_ms)
            .with_some("models", *models)
            .with_some("busy_percent", activity.busy().and_then(|b| b.percent))
            .with_some("version", version.as_ref()),
        ApiFact::TimedOut {
            deadline_ms,
            progress_moves: true,
        } => Outcome::ok(at)
            .with("busy", "progress moves")
            .with("deadline_ms", deadline_ms),
        ApiFact::TimedOut {
            deadline_ms,
            progress_moves: false,
        } => starting_or(facts, at, Cause::ApiTimeout).with("deadline_ms", deadline_ms),
        ApiFact::Refused { reason } => {
            starting_or(facts, at, Cause::ApiRefused).with("detail", reason)
        }
        ApiFact::Dns { host } => Outcome::failing(Cause::ApiDns, at).with("host", host),
        // Never up, never down: something answers and will not say more to us.
        ApiFact::Unauthorized {
            status,
            sent_credentials,
        } => Outcome::degraded(Cause::ApiUnauthorized, at)
            .with("http_status", status)
            .with("credentials_sent", sent_credentials),
        ApiFact::LoginPage { location } => {
            Outcome::failing(Cause::ApiLoginPage, at).with_some("location", location.as_ref())
        }
        ApiFact::ServerError { status, message } => Outcome::failing(Cause::ApiServerError, at)
            .with("http_status", status)
            .with("message", message),
        ApiFact::Starting { what } => Outcome::degraded(Cause::ApiStarting, at)
            .with("answer", what)
            .with_some("left_s", start_left_s(facts))
            .transient_if(within_start(facts)),
        ApiFact::Disabled => Outcome::failing(Cause::ApiDisabled, at)
            .with("http_status", 404)
            .with("answer", "the page answers, the API does not exist"),
        ApiFact::BadAnswer { status, what } => Outcome::failing(Cause::ApiBadAnswer, at)
            .with("http_status", status)
            .with("answer", what),
    }
}

/// During a start a closed port is normal; afterwards it is the fault it looks like.
fn starting_or(facts: &Facts, at: Timestamp, cause: Cause) -> Outcome {
    if within_start(facts) {
        Outcome::degraded(Cause::ApiStarting, at)
            .with("answer", cause)
            .with_some("left_s", start_left_s(facts))
            .transient_if(true)
    } else {
        Outcome::failing(cause, at)
    }
}
