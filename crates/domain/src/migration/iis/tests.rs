//! Files as people have them, files as nobody should have them, and what looks prove.

use super::*;
use crate::service::KindId;

mod hostile;
mod looks;

const FILES: &[(&str, &str)] = &[
    (
        "two-hosts",
        include_str!("../../../../../tests/fixtures/webconfig/two-hosts.config"),
    ),
    (
        "grown",
        include_str!("../../../../../tests/fixtures/webconfig/grown.config"),
    ),
    (
        "locations",
        include_str!("../../../../../tests/fixtures/webconfig/locations.config"),
    ),
    (
        "one-line",
        include_str!("../../../../../tests/fixtures/webconfig/one-line.config"),
    ),
    (
        "elsewhere",
        include_str!("../../../../../tests/fixtures/webconfig/elsewhere.config"),
    ),
];

fn file(name: &str) -> &'static str {
    FILES.iter().find(|(n, _)| *n == name).unwrap().1
}

fn read(text: &str) -> WebConfig {
    WebConfig::read(&Source::read(text.as_bytes()).unwrap()).unwrap()
}

fn to(text: &str) -> Address {
    Address::read(text).unwrap()
}

fn advised(text: &str, rule: &str) -> Vec<Advice> {
    let source = Source::read(text.as_bytes()).unwrap();
    advice(&source, &WebConfig::read(&source).unwrap(), rule)
}

fn utf16(text: &str, spell: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let declared = text
        .replace("\"utf-8\"", "\"utf-16\"")
        .replace("\"UTF-8\"", "\"UTF-16\"");
    let marked = format!("\u{feff}{declared}");
    marked.encode_utf16().flat_map(spell).collect()
}

/// A text as editors and systems spell it.
fn spellings(text: &str) -> Vec<Vec<u8>> {
    let unix = text.replace("\r\n", "\n");
    let windows = unix.replace('\n', "\r\n");
    // As after an edit on another system.
    let mixed = unix.replacen("<rule", "\r\n<rule", 2);
    let mut spelled = Vec::new();
    for text in [unix, windows, mixed] {
        spelled.push(text.clone().into_bytes());
        spelled.push(format!("\u{feff}{text}").into_bytes());
        spelled.push(utf16(&text, u16::to_le_bytes));
        spelled.push(utf16(&text, u16::to_be_bytes));
    }
    spelled
}

#[test]
fn only_the_address_of_one_rule_changes_in_any_file_however_it_is_spelled() {
    let mut changes = 0;
    for (name, text) in FILES {
        for bytes in spellings(text) {
            let source = Source::read(&bytes).unwrap();
            let config = WebConfig::read(&source).unwrap();
            for rule in &config.rules {
                for new in [
                    "http://127.0.0.1:8188",
                    "https://comfy.lan/ui",
                    "http://[::1]:8188/",
                ] {
                    let Ok(edit) = point(&bytes, &rule.name, &to(new)) else {
                        continue;
                    };
                    changes += 1;
                    let place = format!("{name}: {} to {new}", rule.name);
                    let (start, end) = (edit.replaced.start, edit.replaced.end);
                    assert_eq!(edit.bytes[..start], bytes[..start], "{place}");
                    let after = start + edit.replacement.len();
                    assert_eq!(edit.bytes[after..], bytes[end..], "{place}");
                    assert_eq!(edit.bytes[start..after], edit.replacement, "{place}");
                    let was = decoded(&source, &bytes[start..end]);
                    assert!(was.to_lowercase().starts_with("http"), "{place}: {was}");
                    assert!(!was.contains(['{', '?', ' ']), "{place}: {was}");
                    let back = Source::read(&edit.bytes).unwrap();
                    assert_eq!(decoded(&back, &edit.replacement), edit.to.to_string());
                    let again = WebConfig::read(&back).unwrap();
                    assert_eq!(again.rules.len(), config.rules.len(), "{place}");
                }
            }
        }
    }
    // Nine rules of these files have an address, and none of them is left out.
    assert_eq!(changes, 9 * 12 * 3);
}

fn decoded(source: &Source<'_>, bytes: &[u8]) -> String {
    let units = |from: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| from(*pair))
            .collect();
        String::from_utf16(&units).unwrap()
    };
    match source.encoding {
        Encoding::Utf8 => String::from_utf8(bytes.to_vec()).unwrap(),
        Encoding::Utf16Le => units(u16::from_le_bytes),
        Encoding::Utf16Be => units(u16::from_be_bytes),
    }
}

#[test]
fn pointing_there_and_back_leaves_the_same_bytes() {
    let bytes = file("two-hosts").as_bytes();
    let there = point(bytes, "myia", &to("http://127.0.0.1:8188")).unwrap();
    assert_eq!(there.line, 12);
    assert!(
        there
            .line_before
            .contains("url=\"http://localhost:36525/{R:1}\"")
    );
    assert!(
        there
            .line_after
            .contains("url=\"http://127.0.0.1:8188/{R:1}\"")
    );
    assert_eq!(there.from.to_string(), "http://localhost:36525");
    assert!(
        there.diff.starts_with("@@ -9,7 +9,7 @@\n"),
        "{}",
        there.diff
    );
    assert_eq!(
        there
            .diff
            .lines()
            .filter(|l| l.starts_with(['-', '+']))
            .count(),
        2
    );
    let text = String::from_utf8(there.bytes.clone()).unwrap();
    // A comment with the very address is a comment.
    assert!(text.contains("toucher ! http://localhost:36525/ -->"));
    let back = point(&there.bytes, "myia", &there.from).unwrap();
    assert_eq!(back.bytes, bytes);
}

#[test]
fn a_prefix_stays_unless_the_new_address_says_what_it_is() {
    let url = |new: &str| {
        let edit = point(file("grown").as_bytes(), "forge & ws", &to(new)).unwrap();
        let config = read(std::str::from_utf8(&edit.bytes).unwrap());
        config
            .rule("forge & ws")
            .unwrap()
            .action
            .clone()
            .unwrap()
            .url
            .unwrap()
    };
    let rest = "{R:1}?a=1&from={HTTP_HOST}";
    assert_eq!(
        url("http://127.0.0.1:8188"),
        format!("http://127.0.0.1:8188/forge/{rest}")
    );
    assert_eq!(
        url("http://127.0.0.1:8188/"),
        format!("http://127.0.0.1:8188/{rest}")
    );
    assert_eq!(
        url("http://127.0.0.1:8188/ui"),
        format!("http://127.0.0.1:8188/ui/{rest}")
    );
}

#[test]
fn what_a_rule_says_is_read() {
    let config = read(file("grown"));
    assert_eq!(config.websocket, Some(true));
    assert_eq!(config.upload_limit, Some(209_715_200));
    assert_eq!(config.outbound.len(), 1);
    assert_eq!(config.elsewhere.len(), 1, "{:?}", config.elsewhere);
    let rule = config.rule("forge & ws").unwrap();
    assert!(rule.enabled && rule.stop_processing && rule.any);
    assert_eq!(rule.conditions[0].input, "{HTTP_HOST}");
    assert_eq!(rule.variables[1].0, "HTTP_SEC_WEBSOCKET_EXTENSIONS");
    assert!(!config.rule("turbo").unwrap().enabled);
    let config = read(file("locations"));
    assert_eq!(
        config.rule("turbo é").unwrap().location.as_deref(),
        Some("turbo")
    );
    assert_eq!(config.rule("root").unwrap().location, None);
}

#[test]
fn what_cannot_be_told_is_refused_with_its_line_and_a_remedy() {
    let why = |name: &str, rule: &str, new: &str| {
        let refusal = point(file(name).as_bytes(), rule, &to(new)).unwrap_err();
        (refusal.why, refusal.line)
    };
    let new = "http://127.0.0.1:8188";
    for (name, rule, new, expected) in [
        ("two-hosts", "none", new, (Why::UnknownRule, None)),
        (
            "two-hosts",
            "myia",
            "http://localhost:36525",
            (Why::Nothing, Some(12)),
        ),
        ("locations", "same", new, (Why::DoubleRule, Some(14))),
        ("grown", "mapped", new, (Why::ComputedAddress, Some(44))),
        ("grown", "computed", new, (Why::ComputedAddress, Some(45))),
        (
            "grown",
            "HTTP to HTTPS",
            new,
            (Why::ComputedAddress, Some(24)),
        ),
        ("grown", "inside", new, (Why::NoAddress, Some(46))),
        ("grown", "no action", new, (Why::NoAction, Some(47))),
        ("grown", "Let's Encrypt", new, (Why::NoAction, Some(20))),
        ("elsewhere", "myia", new, (Why::Elsewhere, Some(5))),
    ] {
        assert_eq!(why(name, rule, new), expected, "{name} {rule}");
    }
    for text in [
        "",
        "127.0.0.1:8188",
        "ftp://a/",
        "http://",
        "http://a b",
        "http://u:p@h:1",
        "http://h:0",
        "http://h:99999",
        "http://h/{R:1}",
        "http://h/?x",
        "http://h\"/",
        "http://[::g]",
        "http://é",
        "http://h/a&b",
    ] {
        assert_eq!(
            Address::read(text).unwrap_err().why,
            Why::BadAddress,
            "{text}"
        );
    }
}

#[test]
fn what_a_knowing_person_would_say_is_said() {
    use Advice::*;
    let always = [WebsocketCompressed, PreserveHost, Buffering, SmallUploads];
    assert_eq!(advised(file("two-hosts"), "myia"), always);
    assert_eq!(
        advised(file("grown"), "forge & ws"),
        [
            PatternUnknown,
            OutboundNamesOld,
            PrefixStays,
            KeptElsewhere,
            PreserveHost,
            Buffering
        ]
    );
    assert_eq!(
        advised(file("grown"), "turbo"),
        [
            Disabled,
            KeptElsewhere,
            WebsocketCompressed,
            PreserveHost,
            Buffering
        ]
    );
    assert!(advised(file("grown"), "farm").contains(&MaybeFarm));
    assert!(advised(file("grown"), "HTTP to HTTPS").contains(&Redirect));
    assert!(advised(file("locations"), "turbo é").contains(&InLocation));
    let site = |rules: &str| {
        format!(
            "<configuration><system.webServer><webSocket enabled='false'/><rewrite><rules>{rules}</rules></rewrite></system.webServer></configuration>"
        )
    };
    let rule = |name: &str, url: &str| {
        format!(
            "<rule name='{name}' stopProcessing='true'><match url='{url}'/><action type='Rewrite' url='http://h:1/{{R:0}}'/></rule>"
        )
    };
    let text = site(&[rule("all", ".*"), rule("api", "^sdapi/(.*)")].concat());
    let said = advised(&text, "api");
    assert!(
        [WebsocketOff, Shadowed, PatternMisses, OthersStay]
            .iter()
            .all(|a| said.contains(a)),
        "{said:?}"
    );
    assert!(!advised(&text, "all").contains(&Shadowed));
}

#[test]
fn every_sentence_is_there_in_both_languages_with_french_typography() {
    let mut all: Vec<crate::migration::Words> = Advice::ALL.iter().map(|a| a.words()).collect();
    all.extend(Trouble::ALL.iter().map(|t| t.words()));
    for why in Why::ALL {
        let refusal = Refusal {
            why: *why,
            line: Some(3),
            what: Some("x".to_owned()),
        };
        all.extend([refusal.reason(), refusal.remedy()]);
    }
    let mut seen = std::collections::BTreeSet::new();
    for words in &all {
        assert!(!words.en.is_empty() && !words.fr.is_empty());
        assert_ne!(words.en, words.fr);
        seen.insert(&words.en);
        assert!(!words.fr.contains('\''), "{}", words.fr);
        for (at, sign) in words.fr.char_indices().filter(|(_, c)| ";!?»".contains(*c)) {
            assert!(
                words.fr[..at].ends_with('\u{202f}'),
                "{sign} in {}",
                words.fr
            );
        }
        assert!(!words.fr.contains(" :"), "{}", words.fr);
    }
    let codes: std::collections::BTreeSet<&str> = Advice::ALL
        .iter()
        .map(|a| a.code())
        .chain(Why::ALL.iter().map(|w| w.code()))
        .collect();
    assert_eq!(codes.len(), Advice::ALL.len() + Why::ALL.len());
}
