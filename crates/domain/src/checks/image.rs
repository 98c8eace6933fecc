//! `image.last`: the last real picture since the last start.

use super::{Check, run_started};
use crate::{
    cause::Cause, facts::Facts, generation::GenerationVerdict, ladder::Rung, outcome::Outcome,
};

pub(super) const CHECK: Check = Check {
    id: "image.last",
    rung: Rung::Image,
    judge: |facts| Some(judge(facts)),
};

fn judge(facts: &Facts) -> Outcome {
    let measured = match &facts.image {
        Some(measured) if run_started(facts).is_none_or(|started| measured.at >= started) => {
            measured
        }
        _ => return Outcome::unknown(Cause::ImageNotSinceRestart),
    };
    let failing = |cause| Outcome::failing(cause, measured.at);
    let outcome = match measured.value.verdict {
        GenerationVerdict::Proved if measured.value.on_cpu => failing(Cause::ImageCpuFallback),
        GenerationVerdict::Proved => Outcome::ok(measured.at),
        GenerationVerdict::Blank => failing(Cause::ImageBlank),
        GenerationVerdict::Undecodable => failing(Cause::ImageUndecodable),
        GenerationVerdict::OutOfMemory => failing(Cause::ImageOutOfMemory),
        GenerationVerdict::CudaContextLost => failing(Cause::ImageCudaContextLost),
        GenerationVerdict::Failed => failing(Cause::ImageFailed),
        GenerationVerdict::Interrupted => {
            Outcome::unknown(Cause::ImageInterrupted).checked(measured.at)
        }
    };
    outcome.with("took_ms", measured.value.took_ms).with_some(
        "message",
        measured.value.error.as_ref().map(|(_, text)| text),
    )
}
