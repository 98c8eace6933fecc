use super::*;

const CONFIG: &str = "{\n    \"jpeg_quality\": 80.0,\n    \"sd_model_checkpoint\": \"a.safetensors\",\n    \"eta\": 1e-05,\n    \"list\": [\n        \"a\",\n        \"b\"\n    ],\n    \"nested\": {\n        \"é\": 1,\n        \"y\": 2\n    }\n}";

/// What is put back, and how it stands now.
struct Case {
    snapshot: Snapshot,
    bytes: BTreeMap<String, Bytes>,
    present: Vec<Present>,
    container: ContainerRef,
    undo: bool,
}

impl Case {
    fn of(part: PartId, then: Option<&[u8]>, now: Option<&[u8]>) -> Self {
        let both = Both::new().with(part, then, None);
        let state = match now {
            Some(bytes) => PresentState::Bytes(bytes.to_vec()),
            None => PresentState::Absent,
        };
        let path = part.as_str().to_owned();
        Self {
            snapshot: both.before,
            bytes: both.bytes,
            present: vec![Present { part, path, state }],
            container: container(),
            undo: false,
        }
    }

    fn prepared(&self, scope: &RestoreScope) -> Prepared {
        prepare(
            scope,
            &RestoreFacts {
                id: &id("then"),
                snapshot: &self.snapshot,
                bytes: &self.bytes,
                present: &self.present,
                container: Some(&self.container),
                at: at(500),
                undo: self.undo,
            },
        )
    }

    /// What will be there, or why it stays.
    fn all(&self) -> Result<Vec<u8>, Option<WhyLeft>> {
        outcome(self.prepared(&RestoreScope::All))
    }
}

fn outcome(mut prepared: Prepared) -> Result<Vec<u8>, Option<WhyLeft>> {
    assert_eq!(prepared.plan.files.len(), prepared.writes.len());
    match prepared.writes.pop() {
        Some(write) => Ok(write.after.unwrap_or_default()),
        None => Err(prepared.plan.left.first().map(|left| left.why)),
    }
}

fn key_of(part: PartId, key: &[&str]) -> RestoreScope {
    RestoreScope::Key {
        file: FileName { part, path: None },
        key: key.iter().map(|k| (*k).to_owned()).collect(),
    }
}

/// One key of a settings file.
fn one(then: &str, now: &str, key: &[&str]) -> Result<String, Option<WhyLeft>> {
    let part = PartId::ForgeConfig;
    let case = Case::of(part, Some(then.as_bytes()), Some(now.as_bytes()));
    let bytes = outcome(case.prepared(&key_of(part, key)))?;
    Ok(String::from_utf8(bytes).unwrap())
}

#[test]
fn one_key_goes_back_and_no_other_byte_changes() {
    let swap = |from: &str, to: &str| CONFIG.replace(from, to);
    let unset = swap("\"a.safetensors\"", "null");
    assert_eq!(
        one(CONFIG, &unset, &["sd_model_checkpoint"]).unwrap(),
        CONFIG
    );
    // What else changed stays changed.
    let both = unset.replace("80.0", "91");
    let back = one(CONFIG, &both, &["sd_model_checkpoint"]).unwrap();
    assert_eq!(back, swap("80.0", "91"));
    for (key, now) in [
        (&["nested", "é"][..], swap("\"é\": 1", "\"é\": 7")),
        (&["list"], swap("\"a\",\n        \"b\"", "\"c\"")),
        (&["nested"], swap("\"y\": 2", "\"y\": [3]")),
        // Gone: first, last, between, with what is below it.
        (&["nested", "y"], swap(",\n        \"y\": 2", "")),
        (
            &["nested"],
            swap(
                ",\n    \"nested\": {\n        \"é\": 1,\n        \"y\": 2\n    }",
                "",
            ),
        ),
        (&["jpeg_quality"], CONFIG.replace("80.0", "1e3")),
    ] {
        assert_eq!(one(CONFIG, &now, key).unwrap(), CONFIG, "{key:?}");
    }
    // A key that is back stands last; where it stood is not known to the file.
    let gone = swap("    \"eta\": 1e-05,\n", "");
    let back = one(CONFIG, &gone, &["eta"]).unwrap();
    assert!(back.ends_with("    },\n    \"eta\": 1e-05\n}"), "{back}");
    let flat = one(CONFIG, "{\n    \"a\": 1\n}", &["nested", "y"]).unwrap();
    assert_eq!(
        flat,
        "{\n    \"a\": 1,\n    \"nested\": {\n        \"y\": 2\n    }\n}"
    );
    assert_eq!(
        one("{\"k\": 1}", "{}", &["k"]).unwrap(),
        "{\n    \"k\": 1\n}"
    );
    assert_eq!(
        one("{\"k\": 1}", "{\"a\":2}", &["k"]).unwrap(),
        "{\"a\":2, \"k\": 1}"
    );
}

#[test]
fn a_key_that_was_not_there_goes() {
    let without = |what: &str| CONFIG.replacen(what, "", 1);
    for (key, then) in [
        ("jpeg_quality", without("    \"jpeg_quality\": 80.0,\n")),
        ("eta", without(",\n    \"eta\": 1e-05")),
    ] {
        assert_eq!(one(&then, CONFIG, &[key]).unwrap(), then, "{key}");
    }
    assert_eq!(one("{}", "{ \"only\": 1 }", &["only"]).unwrap(), "{}");
    assert_eq!(
        one("{\"a\": 1}", "{\"b\":2,\"a\": 1}", &["b"]).unwrap(),
        "{\"a\": 1}"
    );
}

#[test]
fn hostile_files_are_refused_and_never_half_written() {
    let deep = format!("{}1{}", "{\"a\":".repeat(500), "}".repeat(500));
    let long = "k".repeat(300_000);
    let named = format!("{{\n    \"{long}\": 1\n}}");
    let twice = "{\"a\": 1, \"a\": 2}";
    for (then, now, key, why) in [
        (
            CONFIG,
            "{\"jpeg_quality\": 8",
            &["jpeg_quality"][..],
            WhyLeft::BrokenNow,
        ),
        ("{\"a\": 1", CONFIG, &["a"], WhyLeft::WasBroken),
        (CONFIG, "", &["eta"], WhyLeft::BrokenNow),
        (CONFIG, "[]", &["eta"], WhyLeft::OtherShape),
        (CONFIG, "null", &["eta"], WhyLeft::OtherShape),
        (
            CONFIG,
            "{\"nested\": 5}",
            &["nested", "y"],
            WhyLeft::OtherShape,
        ),
        (
            CONFIG,
            "{\"list\": []}",
            &["list", "0"],
            WhyLeft::OtherShape,
        ),
        (CONFIG, twice, &["a"], WhyLeft::KeyTwice),
        (twice, "{\"a\": 3}", &["a"], WhyLeft::KeyTwice),
        (CONFIG, "{\"x\": 1}", &["nothing"], WhyLeft::NoSuchKey),
        (CONFIG, "{\"x\": 1}", &[], WhyLeft::OtherShape),
        (&deep, CONFIG, &["a"], WhyLeft::WasBroken),
        (CONFIG, CONFIG, &["eta"], WhyLeft::SameAlready),
        (CONFIG, &named, &["kk"], WhyLeft::NoSuchKey),
        // The same value is the same file, however much else differs.
        (CONFIG, "{\"eta\": 1e-05}", &["eta"], WhyLeft::SameAlready),
    ] {
        assert_eq!(one(then, now, key), Err(Some(why)), "{key:?} of {now:.40}");
    }
    assert_eq!(one(&named, "{}", &[&long]).unwrap(), named);
    let escaped = one(r#"{"a\"\u00e9": "x\u0000"}"#, "{}", &["a\"é"]).unwrap();
    assert_eq!(escaped, "{\n    \"a\\\"é\": \"x\\u0000\"\n}");
    let big = format!("{{\"a\": \"{}\"}}", "x".repeat(4 << 20));
    assert_eq!(one(&big, "{\"b\": 1}", &["a"]), Err(Some(WhyLeft::TooLong)));
}

#[test]
fn a_byte_order_mark_and_line_ends_stay() {
    let now = "\u{feff}{\r\n    \"a\": 1,\r\n    \"b\": 2\r\n}";
    assert_eq!(
        one("{\"b\": 3}", now, &["b"]).unwrap(),
        now.replace('2', "3")
    );
    let env = |then: &str, now: &str, key: &str| {
        let case = Case::of(PartId::EnvFile, Some(then.as_bytes()), Some(now.as_bytes()));
        let bytes = outcome(case.prepared(&key_of(PartId::EnvFile, &[key])))?;
        Ok::<_, Option<WhyLeft>>(String::from_utf8(bytes).unwrap())
    };
    let then = "# ports\nA=1\nexport B = two words \nC=3\n";
    for (now, key, expected) in [
        ("A=9\r\nC=3\r\n", "A", "A=1\r\nC=3\r\n"),
        ("A=7\nA=8\nC=3", "A", "A=7\nA=1\nC=3"),
        ("C=3", "B", "C=3\nexport B = two words \n"),
        ("", "C", "C=3\n"),
        ("A=1\nD=4\n#D=5\nD=6", "D", "A=1\n#D=5\n"),
    ] {
        assert_eq!(env(then, now, key).unwrap(), expected, "{key} in {now:?}");
    }
    assert_eq!(env(then, "A=1\n", "Z"), Err(Some(WhyLeft::NoSuchKey)));
    assert_eq!(env(then, "A=1\n", "A"), Err(Some(WhyLeft::SameAlready)));
}

#[test]
fn a_file_goes_back_as_it_was_to_the_byte() {
    for (part, then) in [
        (PartId::ForgeConfig, CONFIG.as_bytes()),
        (
            PartId::ForgeStyles,
            b"\xef\xbb\xbfname,prompt\r\n\"a\",b\r\n",
        ),
        (PartId::Compose, b"services:\n  a: {}\n"),
        (PartId::ComfyPaths, b"# none\r\n"),
    ] {
        for now in [Some(&b"{}"[..]), Some(b"{\"half"), None] {
            assert_eq!(
                Case::of(part, Some(then), now).all().unwrap(),
                then,
                "{part:?}"
            );
        }
        assert_eq!(
            Case::of(part, Some(then), Some(then)).all(),
            Err(None),
            "{part:?}"
        );
    }
}

#[test]
fn what_does_not_go_back_says_why() {
    let then = Some(CONFIG.as_bytes());
    for (part, why) in [
        (PartId::Container, WhyLeft::OfContainer),
        (PartId::Environment, WhyLeft::OfEnvironment),
        (PartId::ForgeOptions, WhyLeft::OfApi),
        (PartId::ForgeExtensions, WhyLeft::OfCheckouts),
        (PartId::ForgeConfigMoved, WhyLeft::MovedAway),
    ] {
        assert_eq!(
            Case::of(part, then, Some(b"{}")).all(),
            Err(Some(why)),
            "{part:?}"
        );
    }
    // What is not known to be the same is not called so.
    let mut unknown = Case::of(PartId::Environment, then, Some(b"{}"));
    unknown.snapshot.items[0].state = ItemState::InMemory(content("x"));
    let plan = unknown.prepared(&RestoreScope::All).plan;
    assert_eq!(
        (plan.unchanged, plan.left[0].why),
        (0, WhyLeft::OfEnvironment)
    );
    assert!(plan.left[0].words.is_some());
    let config = |change: &dyn Fn(&mut Case)| {
        let mut case = Case::of(PartId::ForgeConfig, then, Some(b"{}"));
        change(&mut case);
        case.all().expect_err("it stays")
    };
    for (state, why) in [
        (ItemState::InMemory(content("x")), WhyLeft::NotKept),
        (ItemState::Kept(content("nowhere")), WhyLeft::Gone),
        (ItemState::Absent, WhyLeft::WasNotThere),
        (
            ItemState::NotReadable {
                why: Unread::NotInTime,
                words: String::new(),
            },
            WhyLeft::NotReadThen,
        ),
    ] {
        let left = config(&|case| case.snapshot.items[0].state = state.clone());
        assert_eq!(left, Some(why), "{state:?}");
    }
    for (trouble, why) in [
        (Uncomparable::Damaged, WhyLeft::Damaged),
        (Uncomparable::Sealed, WhyLeft::Sealed),
        (Uncomparable::Missing, WhyLeft::Gone),
        (Uncomparable::NotKept, WhyLeft::NotKept),
    ] {
        let left = config(&|case| {
            for bytes in case.bytes.values_mut() {
                *bytes = Err(trouble);
            }
        });
        assert_eq!(left, Some(why));
    }
    let unread = PresentState::NotReadable(Unread::Engine, "no engine".to_owned());
    let left = config(&|case| case.present[0].state = unread.clone());
    assert_eq!(left, Some(WhyLeft::NotReadNow));
    assert_eq!(
        config(&|case| case.present.clear()),
        Some(WhyLeft::PlaceUnknown)
    );
    let half = Case::of(PartId::ForgeConfig, Some(b"{\"a\": "), Some(b"{}"));
    assert_eq!(half.all(), Err(Some(WhyLeft::WasBroken)));
}

#[test]
fn a_file_that_somebody_named_goes_back_under_that_name_only() {
    let mut case = Case::of(PartId::Compose, Some(b"a: 1\n"), Some(b"a: 2\n"));
    case.present[0].path = "/elsewhere/compose.yaml".to_owned();
    assert_eq!(case.all(), Err(Some(WhyLeft::PlaceUnknown)));
    // The program's folder may lie elsewhere by now: its file is still its file.
    let mut case = Case::of(PartId::ForgeConfig, Some(b"{\"a\": 1}"), Some(b"{}"));
    case.present[0].path = "/opt/forge/config.json".to_owned();
    let prepared = case.prepared(&RestoreScope::All);
    assert_eq!(prepared.writes[0].path, "/opt/forge/config.json");
}

#[test]
fn what_nobody_named_is_missed_only_by_who_asks_for_it() {
    let mut case = Case::of(PartId::Compose, None, None);
    let unread = (Unread::NoPlace, "nothing names it".to_owned());
    case.snapshot.items[0].state = ItemState::NotReadable {
        why: unread.0,
        words: unread.1.clone(),
    };
    case.present[0].state = PresentState::NotReadable(unread.0, unread.1);
    let plan = case.prepared(&RestoreScope::All).plan;
    assert_eq!(
        (plan.unchanged, plan.left.len(), plan.files.len()),
        (0, 0, 0)
    );
    let files = vec![FileName {
        part: PartId::Compose,
        path: None,
    }];
    let plan = case.prepared(&RestoreScope::Files { files }).plan;
    assert_eq!(plan.left[0].why, WhyLeft::NotReadThen);
}

#[test]
fn only_an_undo_takes_a_file_away() {
    let mut case = Case::of(PartId::ForgeConfig, None, Some(b"{}"));
    assert_eq!(case.all(), Err(Some(WhyLeft::WasNotThere)));
    case.undo = true;
    let prepared = case.prepared(&RestoreScope::All);
    assert_eq!(prepared.plan.files[0].deed, Deed::Remove);
    assert_eq!(prepared.writes[0].after, None);
    // And goes back to half a file, if that is what was there.
    let mut half = Case::of(PartId::ForgeConfig, Some(b"{\"a\": "), Some(b"{}"));
    half.undo = true;
    assert_eq!(half.all().unwrap(), b"{\"a\": ");
}

#[test]
fn a_scope_has_what_it_names() {
    let mut both = Both::new()
        .with(PartId::ForgeConfig, Some(b"{\"a\": 1}"), None)
        .with(PartId::ForgeStyles, Some(b"x"), None);
    both.before.items.push(Item {
        part: PartId::EnvFile,
        path: "/srv/other.env".to_owned(),
        state: ItemState::Absent,
    });
    let present = both.before.items.iter().map(|item| Present {
        part: item.part,
        path: item.path.clone(),
        state: PresentState::Bytes(b"{}".to_vec()),
    });
    let case = Case {
        present: present.collect(),
        snapshot: both.before,
        bytes: both.bytes,
        container: container(),
        undo: false,
    };
    let file = |part, path: Option<&str>| FileName {
        part,
        path: path.map(str::to_owned),
    };
    let parts = |files: Vec<FileName>| {
        let plan = case.prepared(&RestoreScope::Files { files }).plan;
        let files: Vec<PartId> = plan.files.iter().map(|file| file.part).collect();
        let left: Vec<WhyLeft> = plan.left.iter().map(|left| left.why).collect();
        (files, left)
    };
    let (config, styles) = (PartId::ForgeConfig, PartId::ForgeStyles);
    assert_eq!(parts(vec![file(config, None)]), (vec![config], vec![]));
    let both = vec![file(config, None), file(styles, Some("forge_styles"))];
    assert_eq!(parts(both), (vec![config, styles], vec![]));
    let other = vec![file(PartId::EnvFile, Some("/srv/other.env"))];
    assert_eq!(parts(other), (vec![], vec![WhyLeft::WasNotThere]));
    for nowhere in [file(PartId::ComfyPaths, None), file(config, Some("/else"))] {
        assert_eq!(parts(vec![nowhere]), (vec![], vec![WhyLeft::NotInSnapshot]));
    }
}

#[test]
fn a_plan_shows_what_changes_and_what_it_takes() {
    let now = CONFIG
        .replace("80.0", "91")
        .replace("\"é\": 1,\n        ", "");
    let case = Case::of(
        PartId::ForgeConfig,
        Some(CONFIG.as_bytes()),
        Some(now.as_bytes()),
    );
    let plan = case.prepared(&RestoreScope::All).plan;
    assert!(plan.stops_writer());
    let file = &plan.files[0];
    assert_eq!((file.deed, file.effect), (Deed::Replace, Effect::AtStart));
    let values = |v: &RestoredValue| (v.key.join("/"), v.now.clone(), v.then.clone());
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        file.values.iter().map(values).collect::<Vec<_>>(),
        [
            ("jpeg_quality".to_owned(), text("91"), text("80.0")),
            ("nested/é".to_owned(), None, text("1")),
        ]
    );
    let words = describe_restore(&plan).join("\n");
    assert!(words.contains("jpeg_quality: 91 → 80.0"), "{words}");

    let compose = Case::of(
        PartId::Compose,
        Some(b"image: a\nWEB_TOKEN=s3cret\n"),
        Some(b"image: b\nWEB_TOKEN=s4cret\n"),
    );
    let plan = compose.prepared(&RestoreScope::All).plan;
    assert!(!plan.stops_writer());
    assert_eq!(plan.files[0].effect, Effect::AtRecreate);
    let words = describe_restore(&plan).join("\n");
    assert!(words.contains("image: image: b → image: a"), "{words}");
    assert!(
        !words.contains("3cret") && !words.contains("4cret"),
        "{words}"
    );
}

#[test]
fn what_should_be_known_before_is_said() {
    let mut case = Case::of(PartId::ForgeConfig, Some(b"{\"a\": 1}"), Some(b"{}"));
    let cautions = |case: &Case| case.prepared(&RestoreScope::All).plan.cautions;
    assert_eq!(cautions(&case), []);
    case.snapshot.healthy = None;
    case.container.shared_with = vec!["turbo".to_owned()];
    case.container.workspace = Some("/srv/b".to_owned());
    assert_eq!(
        cautions(&case),
        [
            Caution::NotGood,
            Caution::WorkspaceMoved {
                then: Some("/srv/a".to_owned()),
                now: Some("/srv/b".to_owned()),
            },
            Caution::Shared {
                services: vec!["turbo".to_owned()],
            },
        ]
    );
    case.container.workspace = None;
    assert!(cautions(&case).contains(&Caution::WorkspaceNotMounted));
}

#[test]
fn extensions_are_named_with_the_commits_that_they_had() {
    let then = br#"{"a": {"commit": "1111"}, "b": {"commit": "2222"}, "gone": {"commit": "3333"}}"#;
    let now = br#"{"a": {"commit": "1111"}, "b": {"commit": "9999"}, "new": {"commit": "4444"}}"#;
    let case = Case::of(PartId::ForgeExtensions, Some(then), Some(now));
    let plan = case.prepared(&RestoreScope::All).plan;
    assert_eq!(plan.left[0].to_do, ["b: 2222", "gone: 3333", "new: -"]);
}
