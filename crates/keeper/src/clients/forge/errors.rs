//! Why a generation failed: from the server's words to a verdict and a next step.

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::GenerationVerdict,
};

use super::super::{
    failure::{Failure, by_words},
    http::HttpAnswer,
    judge,
};

/// An answer that is no success.
pub(super) fn refused(answer: &HttpAnswer, sent_credentials: bool) -> Failure {
    let words = judge::error_message(answer);
    let failed = |info: ErrorInfo| (GenerationVerdict::Failed, info.detail(words.clone()));
    match answer.status {
        401 | 403 => failed(
            ErrorInfo::new(
                ErrorCode::Unauthorized,
                if sent_credentials {
                    "The service refuses the stored credentials."
                } else {
                    "The service wants credentials."
                },
            )
            .hint("Enter the user and password given to --api-auth in the service's settings."),
        ),
        404 => failed(
            ErrorInfo::new(
                ErrorCode::Api,
                "The service has no route for test pictures.",
            )
            .hint("Forge still starts, or it runs without --api."),
        ),
        422 => failed(ErrorInfo::new(
            ErrorCode::BadRequest,
            format!("The service refused the request: {words}."),
        )),
        status @ 500..=599 => by_words(&words, &format!("The service failed (HTTP {status}).")),
        status => failed(ErrorInfo::new(
            ErrorCode::Api,
            format!("The service answered with HTTP {status}."),
        )),
    }
}

#[cfg(test)]
mod tests;
