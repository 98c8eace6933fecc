use super::*;
use crate::logs::{events::Classifier, prepare::LinePreparer};

/// A log as it is read, told to be the next run where a line says `RUN`.
fn read(main_program: Option<&str>, raw: &str) -> Findings {
    let set = SignatureSet::built_in();
    let mut preparer = LinePreparer::new();
    let mut classifier = Classifier::new();
    let mut findings = Findings::new(main_program);
    let mut lines = preparer.push(LogStream::Stdout, raw.as_bytes());
    lines.extend(preparer.finish());
    for line in lines {
        if line.text == "RUN" {
            findings.new_run(line.at);
            continue;
        }
        let mark = classifier.mark(set, &line);
        findings.fold(set, &line, mark);
    }
    findings
}

fn counts(run: &Run) -> Vec<(&str, u32)> {
    run.findings
        .iter()
        .map(|finding| (finding.id.as_str(), finding.count))
        .collect()
}

const OOM: &str = "Traceback (most recent call last):\n  File \"/a.py\", line 1\ntorch.OutOfMemoryError: CUDA out of memory. Tried to allocate 4.00 GiB. GPU 0\n";
const LAUNCH: &str = "Launching Web UI with arguments: --api\n";
const STARTED: &str = "Startup time: 52.3s (import torch: 27.8s).\n";
const ILLEGAL: &str = "RuntimeError: CUDA error: an illegal memory access was encountered\n";

#[test]
fn equal_messages_are_one_finding() {
    let raw = "2025-10-11T10:00:00Z Skipping broken symlink: a.pt\n\
               2025-10-11T10:00:05Z Skipping broken symlink: b.pt\n\
               2025-10-11T10:00:09Z Skipping broken symlink: b.pt\n";
    let findings = read(None, raw);
    let finding = &findings.current().findings[0];
    assert_eq!((finding.id.as_str(), finding.count), ("forge.symlink", 3));
    assert_eq!(finding.first, Some("2025-10-11T10:00:00Z".parse().unwrap()));
    assert_eq!(finding.last, Some("2025-10-11T10:00:09Z".parse().unwrap()));
    assert_eq!(finding.text, "Skipping broken symlink: b.pt");
    let names: Vec<_> = finding
        .names
        .iter()
        .map(|name| name.value.as_str())
        .collect();
    assert_eq!(names, ["a.pt", "b.pt"]);
}

#[test]
fn a_start_makes_history_of_what_was_before() {
    let spawned =
        |name: &str| format!("2025-10-11 10:11:07,131 INFO spawned: '{name}' with pid 812\n");
    let (forge, caddy) = (spawned("forge"), spawned("caddy"));
    for (raw, current, previous) in [
        (
            format!("{OOM}{LAUNCH}"),
            &[("forge.launch", 1)][..],
            Some(&[("oom.torch", 1)][..]),
        ),
        (
            format!("{OOM}RUN\n{STARTED}"),
            &[("forge.started", 1)],
            Some(&[("oom.torch", 1)]),
        ),
        (
            format!("{OOM}{caddy}"),
            &[("oom.torch", 1), ("sup.spawned", 1)],
            None,
        ),
        (
            format!("{OOM}{forge}"),
            &[("sup.spawned", 1)],
            Some(&[("oom.torch", 1)]),
        ),
        (
            format!("{OOM}Starting server\n"),
            &[("comfy.starting", 1)],
            Some(&[("oom.torch", 1)]),
        ),
        // The steps of one start are one run.
        (
            format!("{OOM}RUN\n{forge}Device: cpu\n{LAUNCH}"),
            &[("sup.spawned", 1), ("forge.cpu", 1), ("forge.launch", 1)],
            Some(&[("oom.torch", 1)]),
        ),
        // The imports of ComfyUI fail before its own line.
        (
            "RUN\nIMPORT FAILED: a.py\nStarting server\n".to_owned(),
            &[("comfy.import-failed", 1), ("comfy.starting", 1)],
            None,
        ),
        // Only the last of the older runs is kept.
        (
            format!("{OOM}{forge}Device: cpu\n{forge}Killed\n{forge}"),
            &[("sup.spawned", 1)],
            Some(&[("sup.spawned", 1), ("killed.line", 1)]),
        ),
        // A start of a program that was ready is another run.
        (
            format!("{LAUNCH}{STARTED}{LAUNCH}"),
            &[("forge.launch", 1)],
            Some(&[("forge.launch", 1), ("forge.started", 1)]),
        ),
        ("RUN\nRUN\nRUN\n".to_owned(), &[], None),
    ] {
        let findings = read(Some("forge"), &raw);
        assert_eq!(counts(findings.current()), current, "{raw}");
        assert_eq!(
            findings.previous().map(counts).as_deref(),
            previous,
            "{raw}"
        );
    }
}

#[test]
fn the_worst_of_what_blocks_the_service_tells_its_state() {
    for (raw, expected) in [
        (String::new(), None),
        (OOM.to_owned(), None),
        ("Killed\n".to_owned(), Some("killed.line")),
        (format!("{ILLEGAL}Killed\n"), Some("killed.line")),
        (
            format!("{LAUNCH}Stopping server...\n"),
            Some("forge.stopping"),
        ),
        // What a start puts an end to, and what comes back.
        (format!("Killed\n{STARTED}"), None),
        (format!("Killed\n{STARTED}Killed\n"), Some("killed.line")),
        (format!("Killed\n{LAUNCH}"), None),
        // A broken context ends with its process alone.
        (format!("{ILLEGAL}{STARTED}"), Some("cuda.illegal")),
        (
            format!("RuntimeError: CUDA error: device-side assert triggered\n{STARTED}"),
            Some("cuda.assert"),
        ),
        (format!("{ILLEGAL}{LAUNCH}{STARTED}"), None),
        // A degraded extension does not turn the service red.
        ("*** Error loading script: a.py\n".to_owned(), None),
    ] {
        let findings = read(None, &raw);
        let id = findings.blocking().map(|finding| finding.id.as_str());
        assert_eq!(id, expected, "{raw}");
    }
    let findings = read(None, &format!("{ILLEGAL}Killed\n"));
    let loud = findings.blocking_except(|id| id == "killed.line");
    assert_eq!(
        loud.map(|finding| finding.id.as_str()),
        Some("cuda.illegal")
    );
}

#[test]
fn a_script_and_its_cause_are_one_finding_named_after_the_file() {
    let report = |cause: &str| {
        format!(
            "*** Error loading script: attention.py\n    Traceback (most recent call last):\n      File \"/a.py\"\n    {cause}\n\n---\n"
        )
    };
    let findings = read(None, &report("ModuleNotFoundError: No module named 'ldm'"));
    assert_eq!(counts(findings.current()), [("ext.ldm-missing-cause", 1)]);
    assert_eq!(
        findings.current().findings[0].names[0].value,
        "attention.py"
    );

    let findings = read(None, &report("KeyError: 'x'"));
    assert_eq!(counts(findings.current()), [("ext.script-load", 1)]);
    assert_eq!(
        findings.current().findings[0].text,
        "attention.py: KeyError: 'x'"
    );
    assert!(findings.current().unknown.is_empty());

    // Without a block of its own, the next traceback is another matter.
    let raw = "*** Error loading script: attention.py\nReloading\nTraceback (most recent call last):\n  x\nKeyError: 'x'\n";
    let findings = read(None, raw);
    assert_eq!(counts(findings.current()), [("ext.script-load", 1)]);
    assert_eq!(findings.current().unknown.len(), 1);
}

#[test]
fn the_last_cause_of_a_block_is_the_one_that_counts() {
    let chain = |first: &str, last: &str| {
        format!(
            "Traceback (most recent call last):\n  x\n{first}\n\nDuring handling of the above exception, another exception occurred:\n\n\
             Traceback (most recent call last):\n  y\n{last}\n"
        )
    };
    let oom = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 4.00 GiB.";
    let findings = read(None, &chain("KeyError: 'x'", oom));
    assert_eq!(counts(findings.current()), [("oom.torch", 1)]);
    assert!(findings.current().unknown.is_empty());
    let findings = read(None, &chain(oom, "KeyError: 'x'"));
    assert_eq!(counts(findings.current()), [("oom.torch", 0); 0]);
    assert_eq!(findings.current().unknown[0].shape, "KeyError: <text>");
}

#[test]
fn unknown_errors_are_grouped_by_shape() {
    let raw = "ERROR: widget 12 broke\nERROR: widget 13 broke\nwidget 14 is fine\n\
               Traceback (most recent call last):\n  ERROR: inside\nlib.OddThing: 5\nWARNING: x\n";
    let findings = read(None, &format!("{raw}{LAUNCH}{raw}ERROR: new\n"));
    let shapes = |run: &Run| -> Vec<(String, u32, bool)> {
        run.unknown
            .iter()
            .map(|error| (error.shape.clone(), error.count, error.before))
            .collect()
    };
    let expected = |before| {
        [
            ("ERROR: widget <n> broke".to_owned(), 2, before),
            ("lib.OddThing: <n>".to_owned(), 1, before),
        ]
    };
    assert_eq!(shapes(findings.previous().unwrap()), expected(false));
    let current = shapes(findings.current());
    assert_eq!(current[..2], expected(true));
    assert_eq!(current[2], ("ERROR: new".to_owned(), 1, false));
    let error = &findings.current().unknown[0];
    assert_eq!(
        (error.sample.as_str(), error.level),
        ("ERROR: widget 12 broke", LogLevel::Error)
    );
}

#[test]
fn nothing_grows_without_end() {
    let letters = |n: u32| {
        n.to_string()
            .bytes()
            .map(|b| char::from(b + 49))
            .collect::<String>()
    };
    let mut raw = String::new();
    for n in 0..1_000 {
        raw.push_str(&format!(
            "==> /var/log/p{n}.log <==\nERROR: w{}z\nSkipping broken symlink: {n}.pt\n",
            letters(n)
        ));
        raw.push_str("*** Error loading script: a.py\n");
    }
    raw.push_str(&format!(
        "Skipping broken symlink: {}\n",
        "é".repeat(10_000)
    ));
    let findings = read(None, &raw);
    let run = findings.current();
    assert_eq!((run.unknown.len(), run.others), (200, 800));
    assert_eq!(
        counts(run),
        [("forge.symlink", 1_001), ("ext.script-load", 1_000)]
    );
    assert_eq!(run.findings[0].names.len(), 16);
    assert!(run.findings[0].text.len() <= 400);
    assert_eq!(findings.voices.len(), 64);
}

#[test]
fn a_new_rule_takes_its_messages_from_the_unknown_and_gives_them_back() {
    let raw = "2025-10-11T10:00:00Z ERROR: tunnel 1 lost\n\
               2025-10-11T10:00:01Z ERROR: tunnel 2 lost\n\
               RUN\n\
               2025-10-11T10:01:00Z ERROR: tunnel 3 lost\n\
               2025-10-11T10:01:01Z ERROR: something else\n\
               2025-10-11T10:01:02Z Skipping broken symlink: a.pt\n";
    let mut findings = read(None, raw);
    let before = findings.clone();
    let rule = "[[signature]]\nid = 'own.tunnel'\npattern = 'tunnel (?P<n>\\d+) lost'\nseverity = 'degraded'\nblocking = 'service'\n";
    let own = |text: &str| SignatureSet::with_rules(crate::logs::rules::parse(text).unwrap().rules);
    findings.rename(&own(rule));
    let run = findings.current();
    assert_eq!(counts(run), [("forge.symlink", 1), ("own.tunnel", 1)]);
    let finding = &run.findings[1];
    assert_eq!((finding.severity, finding.open), (Severity::Degraded, true));
    assert_eq!(finding.names[0].value, "3");
    assert_eq!(run.unknown.len(), 1);
    assert_eq!(counts(findings.previous().unwrap()), [("own.tunnel", 2)]);
    // Another id for the same words, graver than before.
    let renamed = rule
        .replace("own.tunnel", "own.other")
        .replace("degraded", "fatal");
    findings.rename(&own(&renamed));
    let finding = &findings.current().findings[1];
    assert_eq!(
        (finding.id.as_str(), finding.severity),
        ("own.other", Severity::Fatal)
    );
    findings.rename(SignatureSet::built_in());
    let (run, old) = (findings.current(), before.current());
    assert_eq!(run.findings, old.findings);
    let mut unknown = run.unknown.clone();
    unknown.sort_by_key(|error| error.first);
    assert_eq!(unknown, old.unknown, "as if there had been no rule");
}

#[test]
fn a_snapshot_leaves_out_what_is_silenced_and_counts_it() {
    let raw = format!("{OOM}{ILLEGAL}Skipping broken symlink: a.pt\n");
    let findings = read(None, &raw);
    let told = |silenced: &[&str]| {
        let brief = findings.current().brief(|id| silenced.contains(&id));
        let ids: Vec<String> = brief.findings.into_iter().map(|f| f.id).collect();
        (ids.join(" "), brief.silenced)
    };
    let all = told(&[]);
    assert_eq!(all.1, 0);
    assert!(
        all.0.contains("cuda.illegal") && all.0.contains("oom."),
        "{all:?}"
    );
    let some = told(&["cuda.illegal", "no.such"]);
    assert_eq!(some.1, 1);
    assert!(
        !some.0.contains("cuda.illegal") && some.0.contains("oom."),
        "{some:?}"
    );
}
