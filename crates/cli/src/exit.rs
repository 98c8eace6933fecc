//! Exit codes, as documented in `docs/cli.md`.

use forgekeeper_domain::{
    action::Refusal,
    error::{ErrorCode, ErrorInfo},
    outcome::Status,
};

/// Everything asked for is ok.
pub(crate) const OK: u8 = 0;
/// Something is degraded or failing, or an action failed.
pub(crate) const NOT_OK: u8 = 1;
/// Wrong use or wrong configuration.
pub(crate) const WRONG_USE: u8 = 2;
/// It could not be measured.
pub(crate) const UNKNOWN: u8 = 3;

/// The code of a set of services: the worst that was measured, else unknown, else ok.
pub(crate) fn of_statuses(statuses: impl IntoIterator<Item = Status>) -> u8 {
    let mut code = OK;
    for status in statuses {
        match status {
            Status::Degraded | Status::Failing => return NOT_OK,
            Status::Unknown | Status::Asleep => code = UNKNOWN,
            Status::Ok | Status::NotConfigured => {}
        }
    }
    code
}

/// The code of an error.
pub(crate) fn of_error(error: &ErrorInfo) -> u8 {
    match error.code {
        ErrorCode::BadRequest
        | ErrorCode::UnknownService
        | ErrorCode::Settings
        | ErrorCode::BadFilter
        | ErrorCode::BadWorkflow
        | ErrorCode::EditorWorkflow => WRONG_USE,
        ErrorCode::Engine | ErrorCode::EngineTimeout | ErrorCode::GpuUnreadable => UNKNOWN,
        // A proof that did not come was waited for and looked at: that is a failure.
        ErrorCode::NotProved
        | ErrorCode::UnknownJob
        | ErrorCode::Refused
        | ErrorCode::EngineRefusedAction
        | ErrorCode::ContainerMissing
        | ErrorCode::PortInUse
        | ErrorCode::GpuRuntime
        | ErrorCode::Api
        | ErrorCode::Unauthorized
        | ErrorCode::OutOfMemory
        | ErrorCode::CudaContextLost
        | ErrorCode::BadPicture
        | ErrorCode::BlankPicture
        | ErrorCode::Cancelled
        | ErrorCode::PictureMissing
        | ErrorCode::KeyringUnavailable
        | ErrorCode::Io
        | ErrorCode::DiskFull
        | ErrorCode::NotAllowed
        | ErrorCode::Store
        | ErrorCode::ServiceBusy
        | ErrorCode::GpuMemoryLow
        | ErrorCode::ChangedMeanwhile
        | ErrorCode::Internal => NOT_OK,
    }
}

/// The code of an action that was not begun: unknown when it is the state that is not known.
pub(crate) fn of_refusal(refusal: Refusal) -> u8 {
    match refusal {
        Refusal::EngineNotAnswering | Refusal::StateUnknown => UNKNOWN,
        _ => NOT_OK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_trouble_outweighs_what_is_unknown() {
        use Status::{Asleep, Degraded, Failing, NotConfigured, Ok, Unknown};
        for (statuses, code) in [
            (vec![], OK),
            (vec![Ok, NotConfigured], OK),
            (vec![Ok, Unknown], UNKNOWN),
            (vec![Asleep], UNKNOWN),
            (vec![Unknown, Failing], NOT_OK),
            (vec![Degraded, Unknown], NOT_OK),
        ] {
            assert_eq!(of_statuses(statuses.clone()), code, "{statuses:?}");
        }
    }
    #[test]
    fn every_error_has_the_code_that_the_manual_promises() {
        let unknown = ["engine", "engine_timeout", "gpu_unreadable"];
        let wrong_use = [
            "bad_request",
            "unknown_service",
            "settings",
            "bad_filter",
            "bad_workflow",
            "editor_workflow",
        ];
        for code in ErrorCode::ALL {
            let name = code.code();
            let expected = match name {
                name if unknown.contains(&name) => 3,
                name if wrong_use.contains(&name) => 2,
                _ => 1,
            };
            assert_eq!(of_error(&ErrorInfo::new(*code, "x")), expected, "{name}");
        }
    }

    #[test]
    fn a_refusal_for_want_of_knowledge_is_unknown() {
        for (refusal, code) in [
            (Refusal::EngineNotAnswering, 3),
            (Refusal::StateUnknown, 3),
            (Refusal::ContainerMissing, 1),
            (Refusal::AlreadyActing, 1),
            (Refusal::GenerationRunning, 1),
            (Refusal::AlreadyRunning, 1),
            (Refusal::AlreadyStopped, 1),
            (Refusal::ContainerNotRunning, 1),
            (Refusal::NoProgram, 1),
        ] {
            assert_eq!(of_refusal(refusal), code, "{refusal:?}");
        }
    }
}
