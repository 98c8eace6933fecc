//! `forgekeeperctl logs`: lines in context, in groups, explained, and what is known of them.

use std::collections::BTreeMap;

use forgekeeper_standin::{DemoSite, Fault};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};

use crate::rig::{Place, SECOND, end_of_child, holds, interrupt, site};

/// A demo host, and a place that knows it.
async fn world() -> (DemoSite, Place) {
    let site = site(20.0).await;
    let place = Place::with(&site.config_toml());
    (site, place)
}

/// What `logs SERVICE` with these options prints, which ends well.
async fn logs(place: &Place, service: &str, options: &[&str]) -> Vec<String> {
    let ran = place.ctl(&[&["logs", service], options].concat()).await;
    let ran = ran.ends_with(0);
    assert_eq!(ran.stderr, "", "{options:?}");
    ran.stdout.lines().map(str::to_owned).collect()
}

async fn documents(place: &Place, service: &str, options: &[&str]) -> Vec<Value> {
    let lines = logs(place, service, &[options, &["--json"]].concat()).await;
    let read = |line: &String| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    lines.iter().map(read).collect()
}

/// Makes a picture, or fails to; the log tells.
async fn generate(place: &Place) {
    let out = place.folder.path().join("out");
    let out = out.to_string_lossy();
    place
        .ctl(&[
            "generate", "myia", "--prompt", "x", "--steps", "4", "--out", &out,
        ])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn matches_stand_among_the_lines_around_them() {
    let (site, place) = world().await;
    // Options without those of the context; lines around; pieces; matches; whether what is around
    // is of one program.
    for (options, around, pieces, matches, one_program) in [
        (&["--filter", "^Startup time"][..], "2", 1, 1, false),
        (&["--filter", "^Startup time"], "0", 1, 1, false),
        (
            &["--filter", "^Startup time|^Commit hash"],
            "3",
            2,
            2,
            false,
        ),
        (
            &["--filter", "^Total progress", "--tail", "2"],
            "0",
            2,
            2,
            false,
        ),
        // Between two of them stand two lines, each beside one.
        (
            &["--filter", "^Total progress", "--tail", "2"],
            "1",
            1,
            2,
            false,
        ),
        (
            &["--filter", "^Python", "--program", "forge"],
            "2",
            1,
            1,
            true,
        ),
        (&["--filter", "^no such line$"], "9", 0, 0, false),
        (
            &["--problems", "--until", "1970-01-01T00:00:00Z"],
            "9",
            0,
            0,
            false,
        ),
    ] {
        let all = [options, &["--context", around]].concat();
        let place_of = |line: &Value| line["seq"].as_u64().expect("a number");
        let lines = documents(&place, "myia", &all).await;
        let matched: Vec<&Value> = lines.iter().filter(|l| l["match"] == true).collect();
        assert_eq!(matched.len(), matches, "{all:?}: {lines:#?}");
        // The same lines match without a context.
        let alone = documents(&place, "myia", options).await;
        let texts = |lines: &[&Value]| lines.iter().map(|l| l["text"].clone()).collect::<Vec<_>>();
        assert_eq!(texts(&matched), texts(&alone.iter().collect::<Vec<_>>()));
        assert!(alone.iter().all(|l| l.get("match").is_none()), "{alone:#?}");
        let last = lines.last().map_or(0, |l| l["piece"].as_u64().expect("it"));
        assert_eq!(last, pieces, "{all:?}: {lines:#?}");
        let around: u64 = around.parse().expect("a number");
        for line in &lines {
            if one_program {
                let told = line["program"] == "forge" || line["marker"].is_object();
                assert!(told, "{all:?}: {line}");
            } else {
                let beside = |m: &&Value| place_of(m).abs_diff(place_of(line)) <= around;
                assert!(matched.iter().any(beside), "{all:?}: {line}");
            }
        }
        // Without JSON, the pieces are apart.
        let text = logs(&place, "myia", &all).await;
        let strokes = text.iter().filter(|line| *line == "--").count();
        assert_eq!(strokes as u64, pieces.saturating_sub(1), "{text:#?}");
        assert_eq!(text.len() - strokes, lines.len(), "{text:#?}");
    }
    // What is around is whole.
    let lines = documents(
        &place,
        "myia",
        &["--filter", "^Startup time", "--context", "2"],
    )
    .await;
    assert_eq!(lines.len(), 5, "{lines:#?}");
    let matches: Vec<bool> = lines.iter().map(|l| l["match"] == true).collect();
    assert_eq!(matches, [false, false, true, false, false]);
    site.shutdown().await;
}

/// The next line, in time.
async fn next<R: tokio::io::AsyncBufRead + Unpin>(lines: &mut Lines<R>) -> Value {
    let told = tokio::time::timeout(20 * SECOND, lines.next_line()).await;
    let told = told.expect("in time").expect("UTF-8").expect("a line");
    serde_json::from_str(&told).unwrap_or_else(|e| panic!("{e}: {told}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_match_is_shown_as_it_comes() {
    let (site, place) = world().await;
    let mut child = place
        .command(&[
            "logs",
            "myia",
            "--follow",
            "--json",
            "--program",
            "forge",
            "--filter",
            "^Startup time|^Total progress: 100%.*4/4",
            "--context",
            "1",
        ])
        .spawn()
        .expect("forgekeeperctl starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    // The past first: the start, long ago.
    for matched in [false, true, false] {
        let line = next(&mut lines).await;
        assert_eq!(
            (&line["match"], &line["piece"]),
            (&Value::from(matched), &Value::from(1)),
            "{line}"
        );
    }
    // Each picture is a piece of its own or joins the one before; its match comes at once, what
    // follows it with the next picture.
    generate(&place).await;
    let mut seen = Vec::new();
    while seen.last() != Some(&true) {
        let line = next(&mut lines).await;
        assert_eq!(line["piece"], 2, "{line}");
        seen.push(line["match"] == true);
    }
    assert_eq!(seen, [false, true], "one line before, then the match");
    generate(&place).await;
    let after = next(&mut lines).await;
    assert_eq!(
        (&after["match"], &after["piece"]),
        (&Value::from(false), &Value::from(2)),
        "{after}"
    );
    interrupt(&child);
    end_of_child(child).await.ends_with(0);
    site.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_one_shape_are_one_group() {
    let (site, place) = world().await;
    let lines = documents(&place, "myia", &["--program", "forge"]).await;
    let groups = documents(&place, "myia", &["--program", "forge", "--group"]).await;
    let count = |group: &Value| group["count"].as_u64().expect("a number");
    let counts: Vec<u64> = groups.iter().map(count).collect();
    assert!(counts.is_sorted_by(|a, b| a >= b), "{counts:?}");
    let with_words = lines.iter().filter(|l| l["text"] != "").count() as u64;
    assert_eq!(counts.iter().sum::<u64>(), with_words);
    let of: BTreeMap<&str, &Value> = groups
        .iter()
        .filter_map(|group| Some((group["shape"].as_str()?, group)))
        .collect();
    // Shape, how often, worst level.
    for (shape, count, level) in [
        ("Total progress: <n>%|<bar>| <n>/<n>", 20, "unknown"),
        ("*** Error loading script: <path>", 1, "error"),
    ] {
        let group = of.get(shape);
        let group = group.unwrap_or_else(|| panic!("`{shape}` is not among {:#?}", of.keys()));
        assert_eq!(group["count"], count, "{group}");
        assert_eq!(group["level"], level, "{group}");
        let words = shape.split('<').next().unwrap_or_default();
        let starts = |line: &&Value| line["text"].as_str().is_some_and(|t| t.starts_with(words));
        let newest = lines.iter().rfind(starts).expect("such a line");
        assert_eq!(group["last"], newest["at"], "{group}");
        assert_eq!(group["sample"], newest["text"], "{group}");
        let finder = group["finder"].as_str().expect("an expression");
        let found = documents(&place, "myia", &["--program", "forge", "--filter", finder]).await;
        assert_eq!(group["count"], found.len(), "{group} finds {found:#?}");
    }
    // The same for people, with a heading.
    let table = logs(&place, "myia", &["--program", "forge", "--group"]).await;
    assert_eq!(table.len(), groups.len() + 1, "{table:#?}");
    assert!(table[0].contains("COUNT"), "{table:#?}");
    assert!(table[1].trim_start().starts_with("20 "), "{table:#?}");
    let none = logs(&place, "myia", &["--filter", "^nothing$", "--group"]).await;
    assert_eq!(none, [""; 0]);
    site.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_has_a_name_is_explained_when_asked_for() {
    let (site, place) = world().await;
    let script = ["--filter", "Error loading script"];
    let plain = logs(&place, "myia", &script).await;
    let explained = logs(&place, "myia", &[&script[..], &["--explain"]].concat()).await;
    assert_eq!(explained[..1], plain[..], "{explained:#?}");
    assert_eq!(
        explained[1..],
        [
            "    = A script of an extension could not be loaded (works, but a part is missing or slower)"
        ]
    );
    let nameless = ["--filter", "^Skipping sync", "--explain"];
    assert_eq!(logs(&place, "myia", &nameless).await.len(), 1);
    let json = [&script[..], &["--explain"]].concat();
    let lines = documents(&place, "myia", &json).await;
    assert_eq!(lines, documents(&place, "myia", &script).await);
    assert_eq!(lines[0]["signature"], "ext.script-load");
    site.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calm_words_that_are_known_to_mean_trouble_are_problems() {
    let (site, place) = world().await;
    let words = ["--filter", "is not a mounted volume"];
    let problems = [&words[..], &["--problems"]].concat();
    assert_eq!(documents(&place, "myia", &problems).await, [Value::Null; 0]);
    site.inject(Fault::WorkspaceUnmounted, Some("myia"))
        .expect("a service of it");
    let said = || async { !documents(&place, "myia", &words).await.is_empty() };
    holds("the container says so", 20 * SECOND, said).await;
    let lines = documents(&place, "myia", &problems).await;
    assert_eq!(lines, documents(&place, "myia", &words).await);
    assert_eq!(lines[0]["signature"], "dock.no-mount", "{lines:#?}");
    assert_eq!(lines[0]["level"], "unknown", "{lines:#?}");
    // What is known to be harmless and has calm words stays out.
    let harmless = ["--filter", "^Startup time", "--problems"];
    assert_eq!(documents(&place, "myia", &harmless).await, [Value::Null; 0]);
    site.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_the_service_from_working_is_known_and_ends_with_1() {
    let known = &["logs", "myia", "--known"];
    // Fault, exit code, the signature that the log then tells, and its words.
    for (fault, code, signature, words) in [
        (
            None,
            0,
            "ext.ldm-missing-cause",
            "needs a package that Forge does not contain: attention.py",
        ),
        (
            Some(Fault::ImageOom),
            0,
            "oom.torch",
            "GPU memory exhausted",
        ),
        (
            Some(Fault::ImageCudaBroken),
            1,
            "cuda.illegal",
            "The CUDA context is broken — BLOCKS THE SERVICE",
        ),
    ] {
        let (site, place) = world().await;
        if let Some(fault) = fault {
            site.inject(fault, Some("myia")).expect("a service of it");
            generate(&place).await;
        }
        let said = place.ctl(&[&known[..], &["--json"]].concat()).await;
        let said = said.ends_with(code).json();
        let findings = said["findings"].as_array().expect("findings");
        let found = findings.iter().find(|f| f["id"] == signature);
        let found = found.unwrap_or_else(|| panic!("no {signature}: {said:#}"));
        assert_eq!(found["count"], 1, "{found}");
        assert_eq!(found["open"], true, "{found}");
        // It is what the state has.
        let state = place.ctl(&["status", "myia", "--json"]).await.json();
        let held = &state["services"][0]["log"]["said"];
        let keys = |value: &Value| -> Vec<String> {
            value
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, _)| key.clone())
                .collect()
        };
        assert_eq!(keys(held), keys(&said));

        let ran = place.ctl(known).await.ends_with(code);
        let table: Vec<&str> = ran.stdout.lines().collect();
        let row = table.iter().position(|line| line.contains(words));
        let row = row.unwrap_or_else(|| panic!("`{words}` is not said: {ran:#?}"));
        assert!(table[row].starts_with(found["severity"].as_str().expect("a word")));
        // What to do stands below.
        assert!(table[row + 1].starts_with("          "), "{ran:#?}");
        site.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_known_of_a_log_that_cannot_be_read() {
    let (site, place) = world().await;
    site.inject(Fault::ContainerGone, Some("myia"))
        .expect("a service of it");
    let ran = place.ctl(&["logs", "myia", "--known"]).await.ends_with(1);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("cannot be read"), "{ran:#?}");
    // A service that has said nothing worth a look is fine.
    let table = logs(&place, "comfyui", &["--known"]).await;
    assert_eq!(
        table.last().map(String::as_str),
        Some("nothing that is worth a look")
    );
    site.shutdown().await;
}

#[tokio::test]
async fn options_that_contradict_each_other_are_wrong_use() {
    let place = Place::new();
    for options in [
        &["--group", "--follow"][..],
        &["--group", "--context", "1"],
        &["--group", "--explain"],
        &["--known", "--follow"],
        &["--known", "--filter", "x"],
        &["--known", "--problems"],
        &["--known", "--program", "forge"],
        &["--known", "--since", "1h"],
        &["--known", "--until", "1h"],
        &["--known", "--tail", "1"],
        &["--known", "--context", "1"],
        &["--known", "--explain"],
        &["--known", "--group"],
        &["--context"],
        &["--context", "51"],
        &["--context=-1"],
        &["--context", "many"],
    ] {
        let ran = place
            .ctl(&[&["--demo", "logs", "myia"], options].concat())
            .await;
        assert_eq!(ran.code, Some(2), "{options:?}: {ran:#?}");
        let named = options[0].split('=').next().unwrap_or_default();
        assert!(ran.stderr.contains(named), "{options:?}: {ran:#?}");
        assert_eq!(ran.stdout, "", "{options:?}");
    }
}
