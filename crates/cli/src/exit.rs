//! Exit codes, as documented in `docs/cli.md`.

use forgekeeper_domain::{
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
        | ErrorCode::BadFilter => WRONG_USE,
        ErrorCode::Engine | ErrorCode::EngineTimeout | ErrorCode::NotProved => UNKNOWN,
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
}
