use crate::models::{HeaderFault, MAX_HEADER, header_length, read_header};

fn start(length: u64, rest: &[u8]) -> Vec<u8> {
    [&length.to_le_bytes()[..], rest].concat()
}

#[test]
fn a_length_is_never_believed() {
    let cases: &[(&str, Vec<u8>, u64, Result<u64, HeaderFault>)] = &[
        ("empty", Vec::new(), 0, Err(HeaderFault::TooShort)),
        ("seven bytes", vec![0; 7], 7, Err(HeaderFault::TooShort)),
        ("nothing behind", start(2, b""), 8, Err(HeaderFault::Length)),
        ("fits exactly", start(2, b"{}"), 10, Ok(2)),
        (
            "one too many",
            start(3, b"{}"),
            10,
            Err(HeaderFault::Length),
        ),
        (
            "the largest number",
            start(u64::MAX, b"{}"),
            u64::MAX,
            Err(HeaderFault::Length),
        ),
        (
            "above the format's limit",
            start(100_000_001, b"{"),
            1 << 40,
            Err(HeaderFault::Length),
        ),
        (
            "above ours",
            start(MAX_HEADER + 1, b"{"),
            1 << 40,
            Err(HeaderFault::TooLong),
        ),
        (
            "a web page",
            b"<!DOCTYPE html><html>".to_vec(),
            4_000,
            Err(HeaderFault::WebPage),
        ),
        (
            "another",
            b"\n <HTML><head>".to_vec(),
            4_000,
            Err(HeaderFault::WebPage),
        ),
        (
            "a pointer",
            b"version https://git-lfs.github.com/spec/v1\noid".to_vec(),
            130,
            Err(HeaderFault::LfsPointer),
        ),
    ];
    for (what, bytes, size, wanted) in cases {
        assert_eq!(header_length(bytes, *size), *wanted, "{what}");
    }
}

/// What is wrong with a header of this text in front of so many bytes.
fn fault(text: &str, data: u64) -> Option<HeaderFault> {
    match read_header(text.as_bytes(), 8 + text.len() as u64 + data) {
        Ok(header) => header.fault,
        Err(fault) => Some(fault),
    }
}

#[test]
fn a_header_is_never_believed() {
    let good = r#"{"a":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]},"b":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[12,16]}}"#;
    assert_eq!(fault(good, 16), None);
    assert_eq!(fault(good, 15), Some(HeaderFault::Incomplete));
    assert_eq!(fault(good, 17), Some(HeaderFault::Trailing));
    assert_eq!(fault("{}", 0), None);
    assert_eq!(fault("{}  \n", 0), None, "blanks fill a header up");
    let json = |text: &str| matches!(fault(text, 0), Some(HeaderFault::Json { .. }));
    for text in [
        "",
        "[]",
        "null",
        "{",
        "{}{}",
        r#"{"a":5}"#,
        r#"{"a":{"dtype":"F16","shape":[1]}}"#,
        r#"{"a":{"dtype":"F16","shape":[-1],"data_offsets":[0,2]}}"#,
        r#"{"a":{"dtype":"F16","shape":[1.5],"data_offsets":[0,2]}}"#,
        r#"{"a":{"dtype":"F16","shape":[1],"data_offsets":[0]}}"#,
        r#"{"a":{"dtype":"F16","shape":[1],"data_offsets":[0,18446744073709551616]}}"#,
        r#"{"__metadata__":[]}"#,
    ] {
        assert!(json(text), "{text}");
    }
    let deep = format!(
        r#"{{"__metadata__":{{"a":{}{}}}}}"#,
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    assert!(json(&deep), "deeper than any parser goes");
    assert!(matches!(
        read_header(b"{\"\xff\":1}", 100),
        Err(HeaderFault::Json { .. })
    ));
    let one = |shape: &str, from: u64, to: u64| {
        format!(r#"{{"a":{{"dtype":"F16","shape":{shape},"data_offsets":[{from},{to}]}}}}"#)
    };
    let shape = || {
        Some(HeaderFault::Shape {
            name: "a".to_owned(),
        })
    };
    assert_eq!(
        fault(&one("[2]", 0, 2), 2),
        shape(),
        "too few bytes for its shape"
    );
    assert_eq!(
        fault(&one("[2]", 4, 0), 4),
        shape(),
        "ends before it begins"
    );
    let huge = "[4294967296,4294967296,4294967296]";
    assert_eq!(
        fault(&one(huge, 0, 8), 8),
        shape(),
        "more numbers than there are"
    );
    let axes = format!("[{}]", vec!["1"; 40_000].join(","));
    assert_eq!(
        fault(&one(&axes, 0, 2), 2),
        shape(),
        "more axes than there are"
    );
    assert_eq!(
        fault(&one("[1]", 2, 4), 4),
        Some(HeaderFault::Layout),
        "a hole in front"
    );
    let twice = r#"{"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},"a":{"dtype":"F16","shape":[1],"data_offsets":[2,4]}}"#;
    assert_eq!(fault(twice, 4), Some(HeaderFault::Duplicate));
    let over = r#"{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"F16","shape":[2],"data_offsets":[2,6]}}"#;
    assert_eq!(fault(over, 6), Some(HeaderFault::Layout));
    let tomorrow = r#"{"a":{"dtype":"F3_NEW","shape":[2],"data_offsets":[0,1]}}"#;
    assert_eq!(fault(tomorrow, 1), None, "a form of numbers made later");
}

#[test]
fn long_notes_are_passed_over() {
    let text = format!(
        r#"{{"__metadata__":{{"modelspec.architecture":"flux-1-dev","ss_tag_frequency":"{}","odd":{{"a":[1]}}}}}}"#,
        "x".repeat(100_000)
    );
    let header = read_header(text.as_bytes(), 8 + text.len() as u64).expect("a header");
    assert_eq!(header.notes.len(), 1);
    assert_eq!(header.notes["modelspec.architecture"], "flux-1-dev");
}
