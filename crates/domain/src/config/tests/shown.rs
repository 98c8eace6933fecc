//! What is shown of a drift and of a part: in few words, as text, without secrets.

use std::time::Instant;

use super::*;

fn digest(both: &Both) -> DriftDigest {
    both.drift().digest()
}

#[test]
fn a_value_that_file_and_api_both_say_counts_once() {
    let old = br#"{"sd_model_checkpoint":"a","samples":1}"#;
    let new = br#"{"sd_model_checkpoint":null,"samples":2}"#;
    let both =
        Both::of(PartId::ForgeConfig, old, new).with(PartId::ForgeOptions, Some(old), Some(new));
    let digest = digest(&both);
    assert_eq!(digest.changes, 2);
    let parts = [PartId::ForgeConfig, PartId::ForgeOptions];
    assert!(digest.named.iter().all(|one| one.parts == parts));
    assert_eq!(digest.origins.len(), 1);
    assert_eq!(digest.origins[0].origin.by, Origin::ApiCall);
    assert_eq!(digest.origins[0].count, 2);
}

#[test]
fn the_same_key_in_other_parts_is_another_value() {
    let both = Both::of(PartId::ForgeUiConfig, br#"{"a":1}"#, br#"{"a":2}"#).with(
        PartId::ForgeConfig,
        Some(br#"{"a":1}"#),
        Some(br#"{"a":2}"#),
    );
    assert_eq!(digest(&both).changes, 2);
}

#[test]
fn a_whole_part_is_one_change_and_what_is_not_read_is_unknown() {
    let mut both = Both::new().with(PartId::ForgeStyles, None, Some(b"x"));
    let unread = |part| Item {
        part,
        path: String::new(),
        state: ItemState::NotReadable {
            why: Unread::NoPlace,
            words: "nothing names one".to_owned(),
        },
    };
    for part in [PartId::Compose, PartId::ForgeConfig] {
        both.before.items.push(unread(part));
        both.after.items.push(unread(part));
    }
    let digest = digest(&both);
    assert_eq!(digest.changes, 1);
    assert_eq!(digest.named[0].key, Vec::<String>::new());
    let unknown: Vec<_> = digest
        .unknown
        .iter()
        .map(|u| (u.part, u.expected))
        .collect();
    assert_eq!(
        unknown,
        [(PartId::Compose, false), (PartId::ForgeConfig, true)]
    );
}

#[test]
fn many_changes_are_counted_beyond_those_that_are_listed() {
    let many = |value: u32| {
        let all: BTreeMap<String, u32> = (0..1_200).map(|n| (format!("k{n:04}"), value)).collect();
        serde_json::to_vec(&all).unwrap()
    };
    let both = Both::of(PartId::ForgeUiConfig, &many(1), &many(2));
    let digest = digest(&both);
    assert_eq!(digest.changes, 1_200);
    assert_eq!(digest.named.len(), MAX_NAMED);
}

#[test]
fn values_are_looked_at_one_a_line_and_without_secrets() {
    let text = br#"{"a":[1,2],"b":{"api_key":"s3cret","c":""},"cmd":["--api-auth","u:p"],"d":[{"token":"s3cret"}]}"#;
    let shown = look(Format::Json, text);
    assert!(shown.masked && !shown.cut && shown.problem.is_none());
    assert!(!shown.text.contains("s3cret"), "{}", shown.text);
    assert!(!shown.text.contains("u:p"), "{}", shown.text);
    assert!(shown.text.contains("  \"a\": [1,2]\n"), "{}", shown.text);
    assert!(
        shown.text.contains("    \"api_key\": ***\n"),
        "{}",
        shown.text
    );
    assert!(shown.text.contains("    \"c\": \"\"\n"), "{}", shown.text);
}

#[test]
fn secrets_below_their_names_are_masked() {
    for (text, secret) in [
        ("password: |\n  s3cret\n\n  s3cret\nuser: a\n", "user: a"),
        ("  token:\n    s3cret\n  user: a\n", "user: a"),
        ("- \"--api-auth\"\n- \"me:s3cret\"\n- user: a\n", "user: a"),
        ("  - --gradio-auth\n  - me:s3cret\n  - user: a\n", "user: a"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\ns3cret\n-----END RSA PRIVATE KEY-----\nuser: a\n",
            "user: a",
        ),
        ("WEB_PASSWORD=s3cret\nuser: a\n", "user: a"),
    ] {
        let shown = look(Format::Lines, text.as_bytes());
        assert!(shown.masked, "{text}");
        assert!(!shown.text.contains("s3cret"), "{}", shown.text);
        assert!(shown.text.contains(secret), "{}", shown.text);
    }
    let section = "secrets:\n  db:\n    file: ./db.txt\n";
    assert_eq!(look(Format::Lines, section.as_bytes()).text, section);
}

#[test]
fn a_secret_below_its_name_is_no_key_and_no_value_of_a_comparison_and_is_sealed() {
    for (old, new) in [
        ("password: |\n  old-s3cret\n", "password: |\n  new-s3cret\n"),
        ("a: 1\n", "a: 1\n  token:\n    s3cret: x\n"),
        ("- --api-auth\n- me:s3cret\n", "b: 2\n"),
    ] {
        let both = Both::of(PartId::Compose, old.as_bytes(), new.as_bytes());
        let said = format!("{:?}", both.drift().parts);
        assert!(!said.contains("s3cret") && said.contains("***"), "{said}");
        assert!(both.drift().changed());
        for text in [old, new]
            .into_iter()
            .filter(|text| text.contains("s3cret"))
        {
            assert!(holds_secret(Format::Lines, text.as_bytes()), "{text}");
        }
    }
}

#[test]
fn what_is_no_json_is_shown_by_its_lines_with_the_reason() {
    let shown = look(Format::Json, b"{\"password\": \"s3cret\",\n\"half");
    assert!(shown.problem.is_some_and(|words| words.contains("JSON")));
    assert!(!shown.text.contains("s3cret") && shown.text.contains("half"));
    let shown = look(Format::Lines, b"a\xff\xfeb\n");
    assert!(shown.problem.is_some_and(|words| words.contains("text")));
}

#[test]
fn a_look_is_limited() {
    let long = "x".repeat(MAX_LINE_CHARS + 10);
    let shown = look(Format::Lines, long.as_bytes());
    assert!(shown.cut);
    assert_eq!(shown.text.chars().count(), MAX_LINE_CHARS + 2);
    let shown = look(Format::Lines, "é\n".repeat(MAX_LINES + 1).as_bytes());
    assert!(shown.cut);
    assert_eq!(shown.text.lines().count(), MAX_LINES);
    let wide = format!("{}\n", "y".repeat(1_000)).repeat(1_000);
    let shown = look(Format::Lines, wide.as_bytes());
    assert!(shown.cut && shown.text.chars().count() <= MAX_CHARS + 2);
}

fn sides(diff: &TextDiff) -> Vec<String> {
    let each = diff.groups.iter().flatten().map(|line| {
        let sign = match line.side {
            LineSide::Both => ' ',
            LineSide::Before => '-',
            LineSide::After => '+',
        };
        format!("{sign}{}", line.text)
    });
    each.collect()
}

#[test]
fn a_text_is_compared_with_what_stands_around() {
    let old = "services:\n  myia:\n    image: a:1\n    ports:\n      - 1\n      - 2\n      - 3\n      - 4\n      - 5\n      - 6\n      - 7\n  other: x\n";
    let new = old.replace("a:1", "a:2").replace("other: x", "other: y");
    let diff = text_diff(old.as_bytes(), new.as_bytes(), None);
    assert_eq!(diff.groups.len(), 2);
    assert!(!diff.cut);
    let shown = sides(&diff);
    assert_eq!(shown[2], "-    image: a:1");
    assert_eq!(shown[3], "+    image: a:2");
    let changed = &diff.groups[0][2..4];
    assert_eq!((changed[0].before, changed[0].after), (Some(3), None));
    assert_eq!((changed[1].before, changed[1].after), (None, Some(3)));
    assert_eq!(diff.groups[0][0].before, Some(1));
    assert_eq!(diff.groups[0][0].after, Some(1));
}

#[test]
fn a_secret_that_changed_is_seen_and_not_shown() {
    let diff = text_diff(b"token: |\n  one\n", b"token: |\n  two\n", None);
    assert_eq!(sides(&diff), [" token: ***", "-  ***", "+  ***"]);
    assert!(diff.groups[0].iter().skip(1).all(|line| line.masked));
}

#[test]
fn a_text_without_end_is_compared_within_limits() {
    let old = "a\n".repeat(MAX_COMPARED + 5);
    let new = "b\n".repeat(MAX_COMPARED + 5);
    // Without time for the shortest answer, any true one will do.
    let diff = text_diff(old.as_bytes(), new.as_bytes(), Some(Instant::now()));
    assert!(diff.cut);
    assert!(diff.groups.iter().flatten().count() <= 2_000);
}
