//! Python tracebacks: which line of one says why.

use std::sync::LazyLock;

use regex::Regex;

/// A dotted exception name at the start of a line, alone or before its message. Frames and their
/// source text are indented and never match.
static CAUSE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^(?: {4})?(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Exit)(?::\s|$)")
        .ok()
});

/// Whether a line is the cause line of a traceback (`log-catalogue.md` §1): the last one of a
/// block names what the program saw.
pub fn is_cause_line(text: &str) -> bool {
    CAUSE.as_ref().is_some_and(|cause| cause.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_and_what_looks_like_one() {
        for (text, cause) in [
            (
                "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
                true,
            ),
            (
                "RuntimeError: CUDA error: an illegal memory access was encountered",
                true,
            ),
            ("KeyboardInterrupt", true),
            ("    ModuleNotFoundError: No module named 'ldm'", true),
            (
                "modules.devices.NansException: A tensor with all NaNs was produced",
                true,
            ),
            ("    raise RuntimeError: inside a frame", false),
            ("*** Error loading script: attention.py", false),
            ("Error: no name of an exception class before it", false),
            ("FutureWarning: You are using `torch.load`", false),
            ("Total progress: 100%", false),
        ] {
            assert_eq!(is_cause_line(text), cause, "{text}");
        }
    }
}
