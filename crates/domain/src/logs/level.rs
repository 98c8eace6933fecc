//! Severity by words. What the words do not tell is unknown; the stream tells nothing.

use std::sync::LazyLock;

use regex::Regex;

use super::LogLevel;

/// How much of a line is looked at, in bytes.
const LOOKED_AT: usize = 2_048;

/// What may stand before the level: a time, names in brackets, logger names between dashes.
const HEAD: &str = r"^(?:[\[(]?[0-9][0-9:.,/TZ+ -]*[\])]?[ \t:-]*)?(?:\[[^\]]*\][ \t]*[-:]?[ \t]*)*(?:[A-Za-z0-9_.+/-]+[ \t]+[-|:][ \t]+)*[\[(<]?";

/// Rules in the order of their precedence; the first that matches decides. `HEAD` stands for the
/// expression above.
const RULES: &[(LogLevel, &str)] = {
    use LogLevel::{Debug, Error, Fatal, Info, Unknown, Warning};
    &[
        // What people wrote, and where code stands, tells nothing.
        (Unknown, r#"^\s*File ".*", line \d+"#),
        (
            Unknown,
            r"(?i)^\W{0,3}(?:(?:positive|negative)[ _]?)?prompt['\x22]?\s*[:=]",
        ),
        // Statements of a supervisor or shell about a whole program.
        (Fatal, r"entered FATAL state"),
        (Error, r"(?:exited|terminated): [\w-]+ \(.*not expected\)"),
        (Fatal, r"^(?:\S+: line \d+:\s+\d+ )?Killed(?:\s|$)"),
        (Fatal, r"^Segmentation fault"),
        (Fatal, r"exited with code (?:[1-9]\d*)\b"),
        (Fatal, r"Stable diffusion model failed to load, exiting"),
        (Fatal, r"Critical directory \S+ is missing"),
        (Fatal, r"RuntimeError: Couldn't install "),
        (
            Fatal,
            r"OSError: (?:Cannot find empty port|All ports from \d+)",
        ),
        (Fatal, r"error while attempting to bind on address"),
        // A level by its own word.
        (
            Fatal,
            r"HEAD(?:FATAL|CRITICAL|PANIC|EMERG)(?:[\])>:,|]|\s|$)",
        ),
        (Error, r"HEAD(?:ERROR|ERR|SEVERE)(?:[\])>\[:,|]|\s|$)"),
        (Warning, r"HEAD(?:WARNING|WARN)(?:[\])>\[:,|]|\s|$)"),
        (Info, r"HEAD(?:INFO|NOTICE)(?:[\])>\[:,|]|\s|$)"),
        (Debug, r"HEAD(?:DEBUG|TRACE)(?:[\])>\[:,|]|\s|$)"),
        (Error, r"HEAD(?i:error|fatal|fatal error)(?:\]|:)(?:\s|$)"),
        (Warning, r"HEAD(?i:warning|warn)(?:\]|:)(?:\s|$)"),
        (Info, r"HEAD(?i:info|notice)(?:\]|:)(?:\s|$)"),
        (Debug, r"HEAD(?i:debug|trace)(?:\]|:)(?:\s|$)"),
        (Fatal, r#""level"\s*:\s*"(?i:fatal|panic|critical)""#),
        (Error, r#""level"\s*:\s*"(?i:error)""#),
        (Warning, r#""level"\s*:\s*"(?i:warn|warning)""#),
        (Info, r#""level"\s*:\s*"(?i:info)""#),
        (Debug, r#""level"\s*:\s*"(?i:debug|trace)""#),
        (Error, r"(?:^|\s)level=(?i:error|fatal|panic)(?:\s|$)"),
        (Warning, r"(?:^|\s)level=(?i:warn|warning)(?:\s|$)"),
        (Info, r"(?:^|\s)level=(?i:info)(?:\s|$)"),
        (Debug, r"(?:^|\s)level=(?i:debug|trace)(?:\s|$)"),
        // One letter: Jupyter, TensorFlow, glog.
        (
            Error,
            r"^(?:\[[EC] [\d:. -]+|[\d-]+ [\d:.]+: [EF] \S+/|[EF]\d{4} \d\d:\d\d:)",
        ),
        (
            Warning,
            r"^(?:\[W [\d:. -]+|[\d-]+ [\d:.]+: W \S+/|W\d{4} \d\d:\d\d:)",
        ),
        (
            Info,
            r"^(?:\[I [\d:. -]+|[\d-]+ [\d:.]+: I \S+/|I\d{4} \d\d:\d\d:)",
        ),
        // Python.
        (Error, r"^\s*Traceback \(most recent call last\)"),
        (
            Error,
            r"^\s*(?:\w+\.)*[A-Z]\w*(?:Error|Exception)(?::|\s*$)",
        ),
        (Warning, r"(?:^|[\s:.])[A-Z]\w*Warning: "),
        // The programs' own words.
        (Warning, r"(?i)out of memory\b.*(?:retrying|trying again)"),
        (Error, r"^\S.*\bCUDA error:|^CUDA error"),
        (Error, r"^\S.*(?:OutOfMemoryError|CUDA out of memory)"),
        (Error, r"^Got an OOM,"),
        (
            Error,
            r"^\*{3} (?:API error|Error |.*(?:likely corrupted|[Ff]ailed))",
        ),
        (Error, r"^!!! Exception during processing"),
        (Error, r"^(?:invalid prompt:|Failed to validate prompt)"),
        (Error, r"\bHTTP Error [45]\d\d\b|Basemodel fetch error"),
        (
            Error,
            r"\(IMPORT FAILED\)|^IMPORT FAILED:|^Cannot import .+ module for custom nodes",
        ),
        (
            Error,
            r"^(?:Failed to (?:load|fetch|initialize NVML)|File corrupted:)",
        ),
        (Error, r"^The safetensors file is corrupt"),
        (Error, r"^NVRM: .*(?:Xid|fallen off the bus)"),
        (
            Error,
            r"^nvidia-container-cli: |could not select device driver|^error during connect:",
        ),
        (
            Error,
            r"driver failed programming external connectivity|^failed to bind host port",
        ),
        (
            Error,
            r"^(?:Error response from daemon|permission denied while trying)",
        ),
        (Error, r"is not a mounted volume\."),
        (
            Warning,
            r"^(?:INCOMPATIBLE PYTHON VERSION|Failed to (?:use|initialize database))",
        ),
        (
            Warning,
            r"^\[Low VRAM Warning\]|^Could not pick default device",
        ),
        (
            Warning,
            r"^Arg --\S+ is removed in Forge|^You are running (?:torch|xformers|gradio) ",
        ),
        (Warning, r"^Running on public URL:|^Skipping broken symlink"),
        (
            Warning,
            r"^Checkpoint .+ not found; loading fallback|LoRA version mismatch",
        ),
        (
            Info,
            r"^(?:Launching (?:Web UI|API server) with arguments|Startup time: )",
        ),
        (
            Info,
            r"^\s*(?:\* )?Running on local URL:|^To see the GUI go to:",
        ),
        (
            Info,
            r"^(?:Model loaded in|Loading Model:|Loading weights|Model selected:) ?",
        ),
        (
            Info,
            r"^(?:got prompt$|Prompt executed in|Starting server$|Stopping server\.\.\.)",
        ),
        (
            Info,
            r"^(?i:pytorch version): |^Total VRAM \d+|^Device: |^Python \d+\.\d+",
        ),
    ]
};

static COMPILED: LazyLock<Vec<Option<Regex>>> =
    LazyLock::new(|| patterns().iter().map(|p| Regex::new(p).ok()).collect());

/// The rules' expressions, whole and in their order.
pub(super) fn patterns() -> Vec<String> {
    RULES
        .iter()
        .map(|(_, pattern)| pattern.replacen("HEAD", HEAD, 1))
        .collect()
}

/// Guesses the level of a prepared line. `places` are the rules that can match it at all, in their
/// order.
pub(super) fn guess_among(text: &str, mut places: impl Iterator<Item = usize>) -> LogLevel {
    let head = &text[..text.floor_char_boundary(LOOKED_AT)];
    places
        .find(|place| {
            let regex = COMPILED.get(*place).and_then(Option::as_ref);
            regex.is_some_and(|regex| regex.is_match(head))
        })
        .and_then(|first| RULES.get(first))
        .map_or(LogLevel::Unknown, |(level, _)| *level)
}

/// Guesses the level of any text.
pub fn guess(text: &str) -> LogLevel {
    guess_among(text, 0..RULES.len())
}

/// What stands behind a level in brackets at the head of a text, as ComfyUI may write it:
/// `[INFO] got prompt`.
pub(crate) fn behind_level(text: &str) -> Option<&str> {
    const LEVELS: &[&str] = &["INFO", "WARNING", "ERROR", "DEBUG", "CRITICAL"];
    let inside = text.strip_prefix('[')?;
    LEVELS
        .iter()
        .find_map(|level| inside.strip_prefix(level)?.strip_prefix("] "))
}

#[cfg(test)]
mod tests;
