use std::collections::HashSet;

use super::*;
use crate::logs::{LogStream, filter::expression, prepare::LinePreparer};

fn set() -> &'static SignatureSet {
    SignatureSet::built_in()
}

/// A line as it comes out of the real preparation.
fn prepared(raw: &str) -> String {
    let mut preparer = LinePreparer::new();
    let mut lines = preparer.push(LogStream::Stdout, raw.as_bytes());
    lines.extend(preparer.finish());
    assert_eq!(lines.len(), 1, "{raw:?}");
    lines.remove(0).text
}

#[test]
fn every_area_can_be_read() {
    for (area, text) in AREAS {
        if let Err(error) = toml::from_str::<File>(text) {
            panic!("{area}: {error}");
        }
    }
    assert_eq!(records().count(), 157, "records of the catalogue");
    assert_eq!(set().len(), 157);
}

#[test]
fn every_record_is_whole() {
    let mut ids = HashSet::new();
    for (_, record) in records() {
        let id = &record.id;
        assert!(ids.insert(id.clone()), "{id} is there twice");
        assert!(expression(&record.pattern).is_ok(), "{id} does not compile");
        assert!(!record.source.is_empty(), "{id} has no source");
        assert!(!record.near_miss.is_empty(), "{id} has no near miss");
        for (language, wording) in [("en", &record.en), ("fr", &record.fr)] {
            for text in [&wording.title, &wording.cause, &wording.remedy] {
                assert!(!text.trim().is_empty(), "{id} lacks a text in {language}");
            }
            assert!(
                wording.title.chars().count() <= 60,
                "{id}: the title in {language} is long"
            );
        }
        assert_ne!(record.en, record.fr, "{id} is not translated");
    }
}

#[test]
fn every_sample_is_named_first_by_its_own_record_and_no_near_miss_is() {
    let mut wrong = Vec::new();
    for (_, record) in records() {
        for text in [record.sample.clone(), prepared(&record.sample)] {
            let found = set().find(&text).map(|signature| signature.id.as_str());
            if found != Some(&record.id) {
                wrong.push(format!("{}: {text:?} is {found:?}", record.id));
            }
        }
        let own = expression(&record.pattern).unwrap();
        for text in &record.near_miss {
            if own.is_match(text) || own.is_match(&prepared(text)) {
                wrong.push(format!("{}: its near miss {text:?} matches", record.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_filter_finds_what_trying_all_in_order_finds() {
    let all: Vec<_> = set()
        .iter()
        .map(|signature| (&signature.id, expression(&signature.pattern).unwrap()))
        .collect();
    for (_, record) in records() {
        for text in record.near_miss.iter().chain([&record.sample]) {
            let slow = all.iter().find(|(_, regex)| regex.is_match(text));
            let fast = set().find(text);
            assert_eq!(fast.map(|f| &f.id), slow.map(|(id, _)| *id), "{text:?}");
        }
    }
}

#[test]
fn few_signatures_are_tried_on_every_line() {
    assert_eq!(set().without_literal(), [""; 0]);
}

#[test]
fn named_groups_are_read_and_shortened() {
    for (text, expected) in [
        (
            "Checkpoint old.safetensors not found; loading fallback new.safetensors [e3b0c442]",
            &[
                ("path", "new.safetensors [e3b0c442]"),
                ("name", "old.safetensors"),
            ][..],
        ),
        (
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 4.00 GiB. GPU 0",
            &[("size", "4.00 GiB")],
        ),
        ("Device: cpu", &[]),
    ] {
        let index = set().find_index(text).unwrap();
        let names = set().names(index, text);
        let names: Vec<_> = names
            .iter()
            .map(|name| (name.group.as_str(), name.value.as_str()))
            .collect();
        assert_eq!(names, expected, "{text}");
    }
    let text = format!("IMPORT FAILED: {}", "é".repeat(1_000));
    let index = set().find_index(&text).unwrap();
    assert_eq!(set().names(index, &text)[0].value.len(), 256);
}

#[test]
fn a_level_before_the_text_hides_no_signature() {
    let mut wrong = Vec::new();
    for (_, record) in records().filter(|(_, record)| record.scope == Scope::Comfyui) {
        let plain = prepared(&record.sample);
        let index = set().find_index(&plain);
        for level in ["INFO", "WARNING", "ERROR"] {
            let text = format!("[{level}] {plain}");
            let found = set().find_index(&text);
            let names = |index: Option<SignatureIndex>, text: &str| {
                index.map(|index| set().names(index, text))
            };
            if found != index || names(found, &text) != names(index, &plain) {
                wrong.push(format!("{text:?} is {found:?}, not {index:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let tried = records().filter(|(_, record)| record.scope == Scope::Comfyui);
    assert!(tried.count() > 10, "there are records to try");
    for (text, known) in [
        ("[INFO] got prompt", true),
        ("[INFO]got prompt", false),
        ("[NOISE] got prompt", false),
        // What begins with a bracket of its own keeps its name.
        ("[GPU Setting] You will use 90.00% GPU memory", true),
    ] {
        assert_eq!(set().find(text).is_some(), known, "{text}");
    }
}

#[test]
fn own_rules_come_first() {
    let own = Signature {
        id: "own.cpu".to_owned(),
        area: "own".to_owned(),
        scope: Scope::Own,
        pattern: "^Device: c".to_owned(),
        severity: Severity::Error,
        blocking: Blocking::No,
        action: None,
        source: String::new(),
        en: None,
        fr: None,
    };
    let broken = Signature {
        id: "own.broken".to_owned(),
        pattern: "(".to_owned(),
        ..own.clone()
    };
    let set = SignatureSet::with_rules(vec![broken, own]);
    assert_eq!(set.find("Device: cpu").unwrap().id, "own.cpu");
    assert_eq!(set.find("Killed").unwrap().id, "killed.line");
    let place = set.index_of("killed.line").unwrap();
    assert_eq!(set.find_index("Killed"), Some(place));
    assert_eq!(set.get(place).unwrap().id, "killed.line");
    let many = vec![set.get(place).unwrap().clone(); 1_000];
    assert_eq!(SignatureSet::with_rules(many).len(), 512);
}

#[test]
fn the_other_language_stands_in() {
    let (_, record) = records().next().unwrap();
    let mut signature = Signature::built_in("x", record);
    assert_eq!(signature.wording("fr"), signature.fr.as_ref());
    assert_eq!(signature.wording("fr-CA"), signature.fr.as_ref());
    assert_eq!(signature.wording("de"), signature.en.as_ref());
    signature.fr = None;
    assert_eq!(signature.wording("fr"), signature.en.as_ref());
}
