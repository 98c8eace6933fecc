use crate::models::{Section, SectionEntry, YamlFault, remove_section, splice};

fn section() -> Section {
    let entry = |key: &str, paths: &[&str]| SectionEntry {
        key: key.to_owned(),
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
    };
    Section {
        base_path: "/forge models".to_owned(),
        entries: vec![
            entry("checkpoints", &["Stable-diffusion"]),
            entry("loras", &["Lora", "LyCORIS"]),
            entry("vae", &["a: b", "c # d", "é"]),
        ],
    }
}

const OURS: &str = "forgekeeper:\n    # Written by Forgekeeper: Forge's models for ComfyUI. Nothing is copied.\n    base_path: \"/forge models\"\n    checkpoints: Stable-diffusion\n    loras: |\n        Lora\n        LyCORIS\n    vae: \"a: b\\nc # d\\né\"\n";

/// A file as it is, and as it is with our section.
const FILES: &[(&str, &str, &str)] = &[
    ("none", "", "{}"),
    (
        "comments alone",
        "# paths\n#a111:\n#    base_path: x\n",
        "# paths\n#a111:\n#    base_path: x\n{}",
    ),
    (
        "another",
        "a111:\n    base_path: /x\n",
        "a111:\n    base_path: /x\n\n{}",
    ),
    (
        "without a last line's end",
        "a111:\n    base_path: /x",
        "a111:\n    base_path: /x\n\n{}",
    ),
    (
        "ours between others, with comments",
        "# top\na111:\n  base_path: /x # here\n\nforgekeeper:\n  base_path: /old\n  loras: |\n    a\n\n    b\n\n# of the next\nother: {base_path: 'C:\\m', loras: x}\n# end\n",
        "# top\na111:\n  base_path: /x # here\n\n{}\n# of the next\nother: {base_path: 'C:\\m', loras: x}\n# end\n",
    ),
    (
        "ours last",
        "a:\n  b: c\nforgekeeper:\n  base_path: /old\n",
        "a:\n  b: c\n{}",
    ),
    (
        "ours in braces",
        "forgekeeper: {base_path: /old}\na:\n  b: c\n",
        "{}a:\n  b: c\n",
    ),
    (
        "ours with nothing in it",
        "forgekeeper:\na:\n  b: c\n",
        "{}a:\n  b: c\n",
    ),
    (
        "a document's beginning",
        "---\na:\n  b: c\n",
        "---\na:\n  b: c\n\n{}",
    ),
    (
        "a byte order mark",
        "\u{feff}a:\n  b: c\n",
        "\u{feff}a:\n  b: c\n\n{}",
    ),
    (
        "our name as a key of another",
        "a:\n  forgekeeper: c\n",
        "a:\n  forgekeeper: c\n\n{}",
    ),
    (
        "letters of many bytes",
        "é:\n  b: ü\nforgekeeper:\n  a: b\nz:\n  c: d\n",
        "é:\n  b: ü\n{}z:\n  c: d\n",
    ),
];

#[test]
fn everything_else_stays_byte_for_byte() {
    for (what, before, after) in FILES {
        let wanted = after.replace("{}", OURS);
        let done = splice(Some(before.as_bytes()), &section()).expect(what);
        assert_eq!(done.text, wanted, "{what}");
        assert_eq!(
            done.replaced,
            before.contains("forgekeeper:") && !before.contains("  forgekeeper"),
            "{what}"
        );
        let again = splice(Some(wanted.as_bytes()), &section()).expect(what);
        assert!(again.unchanged, "{what}: a second time changes nothing");
    }
    assert_eq!(splice(None, &section()).expect("none").text, OURS);
}

#[test]
fn line_ends_of_windows_stay() {
    let before = "a:\r\n    b: c\r\n";
    let done = splice(Some(before.as_bytes()), &section()).expect("a file");
    assert_eq!(
        done.text,
        format!("{before}\r\n{}", OURS.replace('\n', "\r\n"))
    );
}

#[test]
fn ours_goes_again_and_nothing_else() {
    for (what, before, after) in FILES {
        let with = after.replace("{}", OURS);
        let without = remove_section(with.as_bytes()).expect(what).expect(what);
        assert!(!without.contains("Written by"), "{what}");
        let kept = without.trim_end();
        assert!(
            before.contains("forgekeeper:") || before.trim_end() == kept,
            "{what}: {without}"
        );
    }
    assert_eq!(remove_section(b"a:\n  b: c\n"), Ok(None));
}

#[test]
fn what_cannot_be_changed_safely_is_refused_with_its_line() {
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b]\n";
    let deep = format!("a:\n  b: {}x{}\n", "[".repeat(40), "]".repeat(40));
    let many = "a:\n".to_owned() + &"  - x\n".repeat(60_000);
    let long = "#".repeat(1024 * 1024 + 1);
    let cases: &[(&str, &[u8], YamlFault, Option<u32>)] = &[
        ("a bomb", bomb.as_bytes(), YamlFault::Anchor, Some(1)),
        (
            "a merge",
            b"a: {}\nb:\n  <<: *x\n",
            YamlFault::Syntax,
            Some(3),
        ),
        (
            "an anchor far below",
            b"a:\n  b: c\n\nd: &d\n  e: f\n",
            YamlFault::Anchor,
            Some(4),
        ),
        (
            "a tag",
            b"a:\n  b: !!python/object:os.system x\n",
            YamlFault::Tag,
            Some(2),
        ),
        (
            "two documents",
            b"a:\n  b: c\n---\nd: e\n",
            YamlFault::Documents,
            Some(3),
        ),
        (
            "an ended document",
            b"a:\n  b: c\n...\n",
            YamlFault::Documents,
            None,
        ),
        ("a list", b"- a\n- b\n", YamlFault::NotSections, Some(1)),
        ("a text", b"hello\n", YamlFault::NotSections, Some(1)),
        ("braces", b"{a: {b: c}}\n", YamlFault::Braces, Some(1)),
        (
            "ours twice",
            b"forgekeeper:\n  a: b\nforgekeeper:\n  a: c\n",
            YamlFault::Twice,
            Some(3),
        ),
        ("a tab", b"a:\n\tb: c\n", YamlFault::Syntax, Some(2)),
        ("half", b"a:\n  b: \"c\n", YamlFault::Syntax, None),
        (
            "other letters",
            b"a:\n  b: \xe9\n",
            YamlFault::NotText,
            Some(2),
        ),
        ("deep", deep.as_bytes(), YamlFault::TooMuch, Some(2)),
        ("much", many.as_bytes(), YamlFault::TooMuch, None),
        ("long", long.as_bytes(), YamlFault::TooMuch, None),
    ];
    for (what, file, fault, line) in cases {
        let problem = splice(Some(file), &section()).expect_err(what);
        assert_eq!(problem.fault, *fault, "{what}: {problem}");
        if line.is_some() {
            assert_eq!(problem.line, *line, "{what}: {problem}");
        }
        assert!(!problem.remedy().is_empty(), "{what}");
        assert!(problem.words.len() < 200, "{what}: {problem}");
    }
}

#[test]
fn paths_that_comfyui_would_change_are_refused() {
    for path in ["~/models", "/a/$HOME", "/a\nb", ""] {
        let mut section = section();
        section.base_path = path.to_owned();
        let problem = splice(None, &section).expect_err(path);
        assert_eq!(problem.fault, YamlFault::Path, "{path}");
    }
    for path in [
        r"D:\forge models",
        "//server/share",
        "/ends with:",
        "/a/'b'",
        "/a/\"b\"",
        "/true",
        "- x",
        "yes",
        "0x10",
    ] {
        let mut section = section();
        section.base_path = path.to_owned();
        splice(None, &section).unwrap_or_else(|problem| panic!("{path}: {problem}"));
    }
}
