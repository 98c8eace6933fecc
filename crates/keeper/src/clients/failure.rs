//! Why a test picture failed: from the words of a program on PyTorch, or from a silence, to a verdict
//! and a next step. Forge and ComfyUI fail in the same words.

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::GenerationVerdict,
};

use super::{http::HttpError, judge};

/// A verdict with its reason.
pub type Failure = (GenerationVerdict, ErrorInfo);

/// The failure that a cause line of the service's log tells of. The image's Forge answers a plain
/// `Internal Server Error`; its reason exists only there (`forge-api.md` §3).
pub fn told_by_log(cause_line: &str) -> Failure {
    by_words(cause_line, "The service failed (HTTP 500).")
}

/// The failure that a program's words tell of; `otherwise` is said where they are not known.
pub(super) fn by_words(words: &str, otherwise: &str) -> Failure {
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
        ErrorInfo::new(ErrorCode::Api, otherwise)
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
mod tests {
    use super::*;

    #[test]
    fn ends_without_an_answer_say_so() {
        for (error, words) in [
            (HttpError::Reset("eof".to_owned()), "closed the connection"),
            (HttpError::Refused("refused".to_owned()), "Nothing answers"),
            (
                HttpError::Dns {
                    host: "h".to_owned(),
                },
                "`h` does not resolve",
            ),
            (HttpError::TimedOut { deadline_ms: 5 }, "in time"),
            (HttpError::Tls("bad".to_owned()), "encrypted"),
            (HttpError::Address("bad".to_owned()), "address"),
        ] {
            let (verdict, info) = unanswered(&error);
            assert_eq!(verdict, GenerationVerdict::Failed);
            assert!(info.message.contains(words), "{}", info.message);
        }
    }
}
