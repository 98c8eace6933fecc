use super::{
    TracePart::{Body, Cause, Head, LaterCause},
    *,
};
use crate::logs::prepare::LinePreparer;

fn set() -> &'static SignatureSet {
    SignatureSet::built_in()
}

/// Id and part of each line.
fn marks(raw: &str) -> Vec<(Option<&'static str>, Option<TracePart>)> {
    let mut preparer = LinePreparer::new();
    let mut lines = preparer.push(LogStream::Stderr, raw.as_bytes());
    lines.extend(preparer.finish());
    let mut classifier = Classifier::new();
    lines
        .iter()
        .map(|line| {
            let mark = classifier.mark(set(), line);
            let id = mark.signature.and_then(|at| set().get(at));
            (id.map(|signature| signature.id.as_str()), mark.trace)
        })
        .collect()
}

#[test]
fn tracebacks_are_named_by_their_cause() {
    let none = (None, None);
    let part = |part| (None, Some(part));
    for (raw, expected) in [
        // Plain.
        (
            "Traceback (most recent call last):\n  File \"/a.py\", line 3, in f\n    raise RuntimeError(\"CUDA error: out of memory\")\n\
             torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 4.00 GiB. GPU 0\nStartup time: 1.0s\n",
            vec![
                part(Head),
                part(Body),
                part(Body),
                (Some("oom.torch"), Some(Cause)),
                (Some("forge.started"), None),
            ],
        ),
        // Forge's own report.
        (
            "*** Error loading script: attention.py\n    Traceback (most recent call last):\n      File \"/a.py\", line 3, in f\n        \
             import ldm\n    ModuleNotFoundError: No module named 'ldm'\n\n---\nDevice: cpu\n",
            vec![
                (Some("ext.script-load"), None),
                part(Head),
                part(Body),
                part(Body),
                (Some("ext.ldm-missing-cause"), Some(Cause)),
                none,
                part(Body),
                (Some("forge.cpu"), None),
            ],
        ),
        // One leads to another; the message has a second line.
        (
            "Traceback (most recent call last):\n  File \"/a.py\", line 3\nRuntimeError: CUDA error: unspecified launch failure\n\
             CUDA kernel errors might be asynchronously reported at some other API call\n\n\
             During handling of the above exception, another exception occurred:\n\n\
             Traceback (most recent call last):\n  File \"/b.py\", line 1\nValueError: A\nKilled\n",
            vec![
                part(Head),
                part(Body),
                (Some("cuda.illegal"), Some(Cause)),
                (Some("cuda.async-note"), None),
                none,
                part(Body),
                part(Body),
                part(Head),
                part(Body),
                part(LaterCause),
                (Some("killed.line"), None),
            ],
        ),
        // Two that have nothing to do with each other.
        (
            "Traceback (most recent call last):\nValueError\nTraceback (most recent call last):\nqueue.Empty\n",
            vec![part(Head), part(Cause), part(Head), part(Cause)],
        ),
        // A line from elsewhere in between, and a block that never ends.
        (
            "Traceback (most recent call last):\n  File \"/a\"\n100 % done\n  x\nKeyError: 'a'\n",
            vec![part(Head), part(Body), none, part(Body), part(Cause)],
        ),
        (
            "Traceback (most recent call last):\n  File \"/a\"\nlower case\nlower again\n   Killed\nKilled\n",
            vec![
                part(Head),
                part(Body),
                none,
                none,
                none,
                (Some("killed.line"), None),
            ],
        ),
        // As `rich` draws it.
        (
            "╭──────── Traceback (most recent call last) ────────╮\n│ /a.py:3 in f │\n│ Killed │\n╰────╯\nAssertionError: Torch not compiled with CUDA enabled\n",
            vec![
                part(Head),
                part(Body),
                part(Body),
                part(Body),
                (Some("torch.no-cuda"), Some(Cause)),
            ],
        ),
        (
            "---\nDuring handling of the above exception\nValueError: x\n",
            vec![none, none, none],
        ),
    ] {
        assert_eq!(marks(raw), expected, "{raw}");
    }
}

#[test]
fn what_a_prefix_introduces_is_preferred() {
    for (raw, id) in [
        (
            "!!! Exception during processing !!! Allocation on device 0 would exceed allowed memory. (out of memory)",
            "oom.async",
        ),
        (
            "!!! Exception during processing !!! probe failure",
            "comfy.exception",
        ),
        (
            "*** API error: POST: http://127.0.0.1:7860/sdapi/v1/txt2img {'error': 'OutOfMemoryError', 'detail': '', 'body': '', 'errors': 'CUDA out of memory. Tried to allocate 2.00 GiB.'}",
            "oom.torch",
        ),
        (
            "*** API error: POST: http://127.0.0.1:7860/sdapi/v1/txt2img {'error': 'RuntimeError', 'detail': '', 'body': '', 'errors': 'x'}",
            "api.error",
        ),
    ] {
        assert_eq!(marks(raw), [(Some(id), None)], "{raw}");
    }
}

#[test]
fn a_level_before_the_head_hides_no_traceback() {
    let raw = "[ERROR] !!! Exception during processing !!! CUDA out of memory\n\
        [ERROR] Traceback (most recent call last):\n  File \"/a.py\", line 1, in error\n\
        torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 4.00 GiB\n";
    let plain = raw.replace("[ERROR] ", "");
    assert_eq!(marks(raw), marks(&plain));
    let parts: Vec<_> = marks(raw).into_iter().map(|(_, part)| part).collect();
    assert_eq!(parts, [None, Some(Head), Some(Body), Some(Cause)]);
}

#[test]
fn programs_do_not_mix() {
    let raw = "==> /var/log/forge.log <==\nTraceback (most recent call last):\n  File \"/a.py\"\n\n\
        ==> /var/log/caddy.log <==\n  indented\nKilled\n\n==> /var/log/forge.log <==\n    Killed\nKeyError: 'x'\n";
    let parts: Vec<_> = marks(raw).into_iter().map(|(_, part)| part).collect();
    assert_eq!(
        parts,
        [Some(Head), Some(Body), None, None, Some(Body), Some(Cause)]
    );
}

#[test]
fn a_block_and_the_programs_are_bounded() {
    let mut raw = "Traceback (most recent call last):\n".to_owned();
    raw.push_str(&"  x\n".repeat(3_000));
    let inside = marks(&raw)
        .into_iter()
        .filter(|(_, part)| part.is_some())
        .count();
    assert_eq!(inside, 2_000);

    let mut raw = String::new();
    for n in 0..1_000 {
        raw.push_str(&format!("==> /var/log/p{n}.log <==\nx\n"));
    }
    let mut preparer = LinePreparer::new();
    let mut classifier = Classifier::new();
    for line in preparer.push(LogStream::Stdout, raw.as_bytes()) {
        classifier.mark(set(), &line);
        assert!(classifier.voices.len() <= MAX_PROGRAMS);
    }
}
