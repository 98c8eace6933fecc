//! Files that nobody should have.

use std::time::{Duration, Instant};

use super::*;

fn why(bytes: &[u8]) -> Why {
    point(bytes, "r", &to("http://127.0.0.1:8188"))
        .unwrap_err()
        .why
}

fn site(rules: &str) -> String {
    format!(
        "<configuration><system.webServer><rewrite><rules>{rules}</rules></rewrite></system.webServer></configuration>"
    )
}

const RULE: &str =
    "<rule name='r'><match url='.*'/><action type='Rewrite' url='http://h:1/{R:0}'/></rule>";

#[test]
fn broken_and_hostile_files_are_refused_in_no_time() {
    let laughs = "<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;&lol;\">]><configuration>&lol2;</configuration>";
    let outside = "<!DOCTYPE x SYSTEM \"http://127.0.0.1:1/x.dtd\"><configuration/>";
    let deep = format!(
        "<configuration>{}{}</configuration>",
        "<a>".repeat(60_000),
        "</a>".repeat(60_000)
    );
    let deep_open = format!("<configuration>{}", "<a>".repeat(200_000));
    let wide = site(&format!("{RULE}{}", "<clear/>".repeat(60_000)));
    let levels = format!(
        "<configuration>{}{}</configuration>",
        "<a>".repeat(100),
        "</a>".repeat(100)
    );
    let half = &file("two-hosts")[..700];
    let nulls = format!("{}{}", file("two-hosts"), "\0".repeat(512));
    let control = site(&RULE.replace("h:1", "h\u{1}:1"));
    let twice = site(&RULE.replace("name='r'", "name='r' name='r'"));
    let odd = site(&RULE.replace("'.*'", "'<'"));
    let unknown_entity = site(&RULE.replace("h:1", "&forge;"));
    let no_semicolon = site(&RULE.replace("{R:0}", "?a&b"));
    for (name, bytes, expected) in [
        ("billion laughs", laughs.as_bytes(), Why::Doctype),
        ("outside entity", outside.as_bytes(), Why::Doctype),
        ("60 000 levels", deep.as_bytes(), Why::TooLarge),
        ("60 000 levels, open", deep_open.as_bytes(), Why::TooLarge),
        ("60 000 elements", wide.as_bytes(), Why::TooLarge),
        ("100 levels", levels.as_bytes(), Why::TooLarge),
        ("half written", half.as_bytes(), Why::NoXml),
        ("nulls at its end", nulls.as_bytes(), Why::NoXml),
        ("a control character", control.as_bytes(), Why::NoXml),
        ("an attribute twice", twice.as_bytes(), Why::NoXml),
        ("a bare <", odd.as_bytes(), Why::NoXml),
        (
            "an entity of its own",
            unknown_entity.as_bytes(),
            Why::NoXml,
        ),
        ("a bare &", no_semicolon.as_bytes(), Why::NoXml),
        ("empty", b"", Why::NoXml),
        ("spaces", b" \r\n ", Why::NoXml),
        ("text", b"<Directory>", Why::NoXml),
        ("two roots", b"<configuration/><configuration/>", Why::NoXml),
        ("a page", b"<html><body/></html>", Why::NoConfiguration),
        (
            "no rules",
            b"<configuration><system.webServer/></configuration>",
            Why::NoRules,
        ),
    ] {
        let started = Instant::now();
        assert_eq!(why(bytes), expected, "{name}");
        assert!(started.elapsed() < Duration::from_secs(5), "{name}");
    }
    let large = site(&format!("{RULE}<!--{}-->", "x".repeat(10 * 1024 * 1024)));
    assert_eq!(why(large.as_bytes()), Why::TooLarge);
}

#[test]
fn encodings_that_would_have_to_be_guessed_are_refused_by_name() {
    let named = |name: &str| format!("<?xml version=\"1.0\" encoding=\"{name}\"?>{}", site(RULE));
    for name in ["windows-1252", "iso-8859-1", "UTF-16", "utf-7", "x"] {
        let refusal = point(named(name).as_bytes(), "r", &to("http://h:2")).unwrap_err();
        assert_eq!(
            (refusal.why, refusal.what.as_deref()),
            (Why::Encoding, Some(name))
        );
    }
    for name in ["utf-8", "UTF-8", "us-ascii"] {
        assert!(
            point(named(name).as_bytes(), "r", &to("http://h:2")).is_ok(),
            "{name}"
        );
    }
    let latin = [named("windows-1252").as_bytes(), b"<!-- \xe9 -->"].concat();
    let refusal = point(&latin, "r", &to("http://h:2")).unwrap_err();
    assert_eq!(
        (refusal.why, refusal.what.as_deref()),
        (Why::Encoding, Some("windows-1252"))
    );
    let mut odd = utf16(&site(RULE), u16::to_le_bytes);
    assert!(point(&odd, "r", &to("http://h:2")).is_ok());
    odd.push(b' ');
    assert_eq!(why(&odd), Why::Encoding);
    let lone = [utf16(&site(RULE), u16::to_le_bytes), vec![0x00, 0xd8]].concat();
    assert_eq!(why(&lone), Why::Encoding);
    let claims_utf8: Vec<u8> = format!("\u{feff}{}", named("utf-8"))
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(why(&claims_utf8), Why::Encoding);
}

#[test]
fn odd_spaces_around_a_value_are_no_trap() {
    let spaces = " ".repeat(1000);
    let text = site(&RULE.replace("url='http", &format!("url{spaces}={spaces}'http")));
    match point(text.as_bytes(), "r", &to("http://127.0.0.1:8188")) {
        Ok(edit) => assert_eq!(
            String::from_utf8(edit.bytes).unwrap(),
            text.replace("http://h:1", "http://127.0.0.1:8188")
        ),
        Err(refusal) => assert_eq!(refusal.why, Why::NotVerified),
    }
}

#[test]
fn a_refusal_hands_on_nothing_that_disturbs() {
    let name = "\u{202e}evil\n".repeat(100);
    let refusal = point(site(RULE).as_bytes(), &name, &to("http://h:2")).unwrap_err();
    let what = refusal.what.unwrap();
    assert!(what.chars().count() <= 120 && !what.contains(['\n', '\u{202e}']));
}
