//! Words that say "not finished" have no place in what is committed.

use super::{Finding, Rule};
use crate::repo::Repo;

pub(super) const RULE: Rule = Rule {
    id: "words",
    what: "no note of unfinished work in committed files",
    check,
};

/// Written in halves, or this file would break its own rule.
const WORDS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("HA", "CK:"),
];

const ENDINGS: &[&str] = &[
    ".rs", ".ts", ".js", ".mjs", ".svelte", ".css", ".html", ".sh", ".ps1", ".py", ".toml", ".md",
    "en.json", "fr.json",
];

fn check(repo: &Repo) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for path in repo.files("", ENDINGS)? {
        // Captured files may say what they like.
        if path.starts_with("tests/fixtures/") {
            continue;
        }
        for (index, line) in repo.read(&path)?.lines().enumerate() {
            if let Some(word) = WORDS.iter().find(|word| stands_alone(line, word)) {
                findings.push(Finding::new(
                    format!("{path}:{}", index + 1),
                    format!("{word}: finish it, or open an issue"),
                ));
            }
        }
    }
    Ok(findings)
}

/// Whether the word is there and not a part of a longer one.
fn stands_alone(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !inside(before) && !inside(after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::testing::scratch;

    #[test]
    fn notes_are_found_with_their_line() {
        let text = format!("fn a() {{}}\n// {} later\n", WORDS[0]);
        let scratch = scratch(&[("crates/a/src/a.rs", &text), ("tests/fixtures/x.md", &text)]);
        let found = check(&scratch.repo).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "crates/a/src/a.rs:2");
    }

    #[test]
    fn longer_words_are_no_notes() {
        assert!(!stands_alone("MASTODON", WORDS[0]));
        assert!(!stands_alone(&format!("{}S_ARE_FINE", WORDS[0]), WORDS[0]));
        assert!(stands_alone(&format!("// {}(me)", WORDS[0]), WORDS[0]));
    }
}
