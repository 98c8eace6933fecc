#![expect(
    clippy::disallowed_methods,
    reason = "tests write rules files as editors do"
)]

use std::{fs, time::Duration};

use forgekeeper_domain::logs::{
    LogQuery, LogStream,
    rules::{Language, RuleDraft, RulesEdit, Silence},
    signature::{Blocking, Severity},
};
use tokio::{sync::watch, time::Instant};

use super::*;
use crate::{
    logs::ServiceLog,
    sys::{clock, tasks::Tasks},
};

const RULE: &str = "# mine\n[[signature]]\nid = 'own.tunnel'\npattern = 'tunnel \\d+ lost'\nseverity = 'degraded'\n";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn draft(id: &str, pattern: &str) -> RuleDraft {
    RuleDraft {
        id: id.to_owned(),
        pattern: pattern.to_owned(),
        severity: Severity::Warning,
        blocking: Blocking::No,
        sample: String::new(),
        language: Language::En,
        title: "Lost".to_owned(),
        remedy: String::new(),
    }
}

fn saved(id: &str, pattern: &str) -> RulesEdit {
    RulesEdit::Save {
        draft: Box::new(draft(id, pattern)),
        replaces: None,
    }
}

fn say(log: &ServiceLog, text: &str) {
    log.push(
        LogStream::Stdout,
        format!("{} {text}\n", clock::now()).as_bytes(),
    );
}

/// What the lines of a log are called.
async fn names(log: &ServiceLog) -> Vec<Option<String>> {
    let mut reader = log.read(&LogQuery::default()).unwrap();
    let batch = reader.next().await.unwrap();
    batch.lines.into_iter().map(|line| line.signature).collect()
}

/// What the newest of them is called.
async fn newest(log: &ServiceLog) -> Option<String> {
    names(log).await.pop().unwrap()
}

/// The next snapshot, before the slow look at the file comes: the notices are tested.
async fn next(watch: &mut watch::Receiver<RulesSnapshot>) -> RulesSnapshot {
    tokio::time::timeout(Duration::from_secs(4), watch.changed())
        .await
        .unwrap()
        .unwrap();
    watch.borrow_and_update().clone()
}

#[tokio::test]
async fn a_written_file_changes_what_lines_are_called_and_a_broken_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("made/rules.toml");
    let rules = OwnRules::new(&path);
    let tasks = Tasks::new();
    let mut watch = rules.watch(&tasks, clock::now);
    let first = watch.borrow_and_update().clone();
    assert_eq!((first.status.exists, first.status.own), (false, 0));
    let log = ServiceLog::new();
    log.obey(&first.in_force);
    let problems = LogQuery {
        level: Some(forgekeeper_domain::logs::LogLevel::Warning),
        ..LogQuery::default()
    };
    let mut reader = log.read(&problems).unwrap();
    say(&log, "ERROR: tunnel 1 lost");
    assert_eq!(newest(&log).await, None);
    assert_eq!(log.meter().said.unknown.len(), 1);
    assert_eq!(reader.next().await.unwrap().lines.len(), 1);

    fs::write(&path, RULE).unwrap();
    let written = next(&mut watch).await;
    assert_eq!((written.status.own, written.status.problems.len()), (1, 0));
    log.obey(&written.in_force);
    // Its words alone are no problem; what it is known to mean is one.
    say(&log, "tunnel 2 lost");
    assert_eq!(newest(&log).await.as_deref(), Some("own.tunnel"));
    let seen = reader.next().await.unwrap();
    assert_eq!(seen.lines[0].text, "tunnel 2 lost");
    let said = log.meter().said;
    assert_eq!((said.unknown.len(), said.findings[0].count), (0, 2));
    let names = names(&log).await;
    assert_eq!(names[0], None, "what is held keeps its name");

    for (broken, line) in [
        (
            "[[signature]]\nid = 'own.b'\npattern = '('\nseverity = 'info'\n",
            Some(3),
        ),
        ("[[signatu", Some(1)),
        ("[[signature]]\npattern = 'b'\nseverity = 'info'\n", Some(1)),
    ] {
        fs::write(&path, broken).unwrap();
        let told = next(&mut watch).await;
        assert_eq!(told.status.problems[0].line, line, "{told:?}");
        assert_eq!((told.status.version, told.status.own), (1, 1));
        assert!(told.in_force.names_like(&written.in_force));
        let refused = rules.apply(&saved("own.c", "c"), clock::now()).unwrap_err();
        assert!(refused.message.contains("fix it first"), "{refused:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), broken);
        assert_eq!(rules.view(clock::now()).rules.len(), 1);
    }
    fs::write(&path, b"\xff\xfe[\0").unwrap();
    let told = next(&mut watch).await;
    assert!(
        told.status.problems[0].reason.contains("UTF-16"),
        "{told:?}"
    );
    // A new file moved over the old one, as the careful editors do.
    fs::write(
        dir.path().join("made/x~"),
        RULE.replace("own.tunnel", "own.b"),
    )
    .unwrap();
    fs::rename(dir.path().join("made/x~"), &path).unwrap();
    let healed = next(&mut watch).await;
    assert_eq!(
        (healed.status.version, healed.status.problems.len()),
        (2, 0)
    );
    // Without the file there are no own rules.
    fs::remove_file(&path).unwrap();
    let gone = next(&mut watch).await;
    assert_eq!((gone.status.exists, gone.status.own), (false, 0));
    log.obey(&gone.in_force);
    say(&log, "tunnel 3 lost");
    assert_eq!(newest(&log).await, None);
    assert!(tasks.shutdown(Duration::from_secs(2)).await.is_empty());
}

#[tokio::test]
async fn an_edit_is_in_force_at_once_and_keeps_the_comments() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rules.toml");
    let rules = OwnRules::new(&path);
    let tasks = Tasks::new();
    let mut watch = rules.watch(&tasks, clock::now);
    watch.borrow_and_update();
    fs::write(&path, RULE).unwrap();
    rules.apply(&saved("own.b", "b+"), clock::now()).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.starts_with(RULE),
        "the file was read before it was written: {text}"
    );
    let ids: Vec<_> = rules
        .view(clock::now())
        .rules
        .into_iter()
        .map(|rule| rule.signature.id)
        .collect();
    assert_eq!(ids, ["own.tunnel", "own.b"]);
    assert_eq!(next(&mut watch).await.status.own, 2);
    assert!(rules.has("own.b") && !rules.has("own.c"));
    for (change, words) in [
        (saved("own.b", "c"), "also in line"),
        (saved("killed.137", "c"), "built-in"),
        (saved("own.c", ""), "every line"),
        (RulesEdit::Remove("own.x".to_owned()), "no rule"),
    ] {
        let refused = rules.apply(&change, clock::now()).unwrap_err();
        assert!(refused.message.contains(words), "{refused:?}");
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            text,
            "nothing was written"
        );
    }
    // Cut by a program that is going to write it: not the moment to write it ourselves.
    fs::write(&path, "").unwrap();
    let refused = rules.apply(&saved("own.c", "c"), clock::now()).unwrap_err();
    assert!(refused.message.contains("emptied"), "{refused:?}");
    assert!(tasks.shutdown(Duration::from_secs(2)).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_silence_ends_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let rules = OwnRules::new(dir.path().join("rules.toml"));
    let (began, start) = (Instant::now(), at("2026-11-27T10:00:00Z"));
    let clock = move || start.checked_add(began.elapsed()).unwrap();
    let tasks = Tasks::new();
    let mut watch = rules.watch(&tasks, clock);
    let log = ServiceLog::new();
    let lost = "RuntimeError: CUDA error: an illegal memory access was encountered";
    say(&log, lost);
    assert!(log.meter().said.findings[0].is_context_lost());
    for (id, until) in [
        ("cuda.illegal", "2026-11-27T11:30:00Z"),
        ("oom.torch", "2026-11-29T10:00:00Z"),
    ] {
        let until = at(until);
        let id = id.to_owned();
        rules
            .apply(&RulesEdit::Silence(Silence { id, until }), clock())
            .unwrap();
    }
    let silenced = |count: u32| move |now: &RulesSnapshot| now.status.silenced == count;
    let quiet = watch.wait_for(silenced(2)).await.unwrap().in_force.clone();
    log.obey(&quiet);
    say(&log, lost);
    assert_eq!(
        newest(&log).await.as_deref(),
        Some("cuda.illegal"),
        "it is named all the same"
    );
    let said = log.meter().said;
    assert_eq!((said.findings.len(), said.silenced), (0, 1), "{said:?}");

    let loud = watch.wait_for(silenced(1)).await.unwrap().in_force.clone();
    let late = clock().duration_since(at("2026-11-27T11:30:00Z"));
    assert!(late.as_secs() < 31 && !late.is_negative(), "{late:?}");
    log.obey(&loud);
    let said = log.meter().said;
    assert_eq!((said.findings[0].count, said.silenced), (2, 0));
    let view = rules.view(clock());
    let lasts: Vec<bool> = view.silences.iter().map(|silence| silence.lasts).collect();
    assert_eq!(lasts, [false, true]);
    rules
        .apply(&RulesEdit::Unsilence("oom.torch".to_owned()), clock())
        .unwrap();
    watch.wait_for(silenced(0)).await.unwrap();
    tasks.shutdown(Duration::from_secs(2)).await;
}

#[test]
fn a_pattern_is_tried_on_what_is_held() {
    let log = ServiceLog::new();
    for n in 0..30 {
        say(&log, &format!("tunnel {n} lost"));
        say(&log, "something else");
    }
    let tried = log.try_pattern(r"tunnel \d+ lost", 20).unwrap();
    assert_eq!((tried.looked, tried.count), (60, 30));
    let texts: Vec<_> = tried.newest.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(texts.len(), 20);
    assert_eq!((texts[0], texts[19]), ("tunnel 10 lost", "tunnel 29 lost"));
    assert!(log.try_pattern("(", 20).is_err());
}
