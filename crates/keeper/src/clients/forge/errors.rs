//! Why a generation failed: from the server's words to a verdict and a next step.

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::GenerationVerdict,
};

use super::super::{
    http::{HttpAnswer, HttpError},
    judge,
};

/// A verdict with its reason.
pub(super) type Failure = (GenerationVerdict, ErrorInfo);

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
        500..=599 => server_error(answer.status, &words),
        status => failed(ErrorInfo::new(
            ErrorCode::Api,
            format!("The service answered with HTTP {status}."),
        )),
    }
}

/// The failure that a cause line of the service's log tells of. The image's Forge answers a plain
/// `Internal Server Error`; its reason exists only there (`forge-api.md` §3).
pub fn told_by_log(cause_line: &str) -> (GenerationVerdict, ErrorInfo) {
    server_error(500, cause_line)
}

/// A 5xx by its words.
fn server_error(status: u16, words: &str) -> Failure {
    let lower = words.to_lowercase();
    let has = |list: &[&str]| list.iter().any(|word| lower.contains(word));
    // Before out of memory: an illegal access also mentions CUDA, and only a restart helps then.
    if has(&[
        "illegal memory access",
        "illegal instruction",
        "misaligned address",
        "unspecified launch failure",
        "device-side assert",
        "cudaerrorillegaladdress",
        "context is destroyed",
        "uncorrectable ecc",
        "an illegal",
    ]) {
        return (
            GenerationVerdict::CudaContextLost,
            ErrorInfo::new(
                ErrorCode::CudaContextLost,
                "The program's CUDA context is broken.",
            )
            .hint("Restart the program: every further picture fails until then.")
            .detail(words),
        );
    }
    if has(&[
        "outofmemory",
        "out of memory",
        "cublas_status_alloc_failed",
        "cudnn_status_alloc_failed",
    ]) {
        return (
            GenerationVerdict::OutOfMemory,
            ErrorInfo::new(
                ErrorCode::OutOfMemory,
                "CUDA ran out of memory during the picture.",
            )
            .hint("See which program holds the card's memory, or ask for a smaller picture.")
            .detail(words),
        );
    }
    let info = if has(&[
        "nansexception",
        "all nans",
        "produced nan",
        "tensor with nan",
    ]) {
        ErrorInfo::new(
            ErrorCode::Api,
            "The model produced NaN instead of a picture.",
        )
        .hint("Start the program with --no-half-vae, or use another VAE.")
    } else if has(&["do not have any model", "no checkpoints found"]) {
        ErrorInfo::new(
            ErrorCode::Api,
            "The service has no model to make a picture with.",
        )
        .hint("Check whether the models folder is mounted and holds a checkpoint.")
    } else if has(&["failed to recognize model type", "corrupted file"]) {
        ErrorInfo::new(ErrorCode::Api, "The service cannot read its model.")
            .hint("Look for a model file renamed to *.corrupted, and download it again.")
    } else if has(&["do not have clip", "do not have vae", "do not have t5"]) {
        ErrorInfo::new(
            ErrorCode::Api,
            "The model needs a VAE or text encoders that are not selected.",
        )
        .hint("Select them in the service's own window.")
    } else if lower.trim() == "internal server error" {
        ErrorInfo::new(ErrorCode::Api, "The service failed and does not say why.")
            .hint("The reason is the last traceback in its log.")
    } else {
        ErrorInfo::new(
            ErrorCode::Api,
            format!("The service failed (HTTP {status})."),
        )
        .hint("The reason is the last traceback in its log.")
    };
    (GenerationVerdict::Failed, info.detail(words))
}

/// A request that ended without an answer.
pub(super) fn unanswered(error: &HttpError) -> Failure {
    let info = match error {
        HttpError::Reset(_) => ErrorInfo::new(
            ErrorCode::Api,
            "The service closed the connection without an answer.",
        )
        .hint("The program probably ended; see its log and its uptime."),
        HttpError::Refused(_) => {
            ErrorInfo::new(ErrorCode::Api, "Nothing answers at the service's address.")
        }
        HttpError::Dns { host } => ErrorInfo::new(
            ErrorCode::Api,
            format!("The name `{host}` does not resolve."),
        ),
        HttpError::TimedOut { .. } => {
            ErrorInfo::new(ErrorCode::Api, "The service cannot be reached in time.")
        }
        HttpError::Tls(_) => ErrorInfo::new(
            ErrorCode::Api,
            "The encrypted connection to the service failed.",
        ),
        HttpError::Address(_) => {
            ErrorInfo::new(ErrorCode::Settings, "The service's address cannot be used.")
        }
    };
    (
        GenerationVerdict::Failed,
        info.detail(judge::shorten(&error.to_string())),
    )
}

#[cfg(test)]
mod tests;
