//! The lists of deny.toml, checked without cargo-deny: licences of everything linked, and bans.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::{Finding, Rule};
use crate::repo::Repo;

pub(super) const RULE: Rule = Rule {
    id: "licences",
    what: "every crate has a licence that deny.toml allows, none that it bans is there",
    check,
};

#[derive(Debug, Deserialize)]
struct Deny {
    licenses: Licences,
    bans: Bans,
}

#[derive(Debug, Deserialize)]
struct Licences {
    allow: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

fn check(repo: &Repo) -> Result<Vec<Finding>, String> {
    let deny: Deny =
        toml::from_str(&repo.read("deny.toml")?).map_err(|error| format!("deny.toml: {error}"))?;
    judge(&repo.metadata()?, &deny).ok_or_else(|| "cargo metadata has an unknown form".to_owned())
}

fn judge(metadata: &Value, deny: &Deny) -> Option<Vec<Finding>> {
    let mut findings = Vec::new();
    for package in metadata["packages"].as_array()? {
        let name = package["name"].as_str()?;
        let place = format!("{name} {}", package["version"].as_str()?);
        if let Some(ban) = deny.bans.deny.iter().find(|ban| ban.name == name) {
            findings.push(Finding::new(&place, format!("is banned: {}", ban.reason)));
        }
        match package["license"].as_str() {
            None => findings.push(Finding::new(&place, "names no licence")),
            Some(expression) if !allowed(expression, &deny.licenses.allow) => {
                findings.push(Finding::new(
                    &place,
                    format!("licence {expression} is not allowed"),
                ));
            }
            Some(_) => {}
        }
    }
    Some(findings)
}

/// Whether an SPDX expression can be fulfilled with the allowed licences. Old crates write `/`
/// for OR.
fn allowed(expression: &str, allow: &BTreeSet<String>) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    either(&words, &mut at, allow) == Some(true) && at == words.len()
}

fn either(words: &[&str], at: &mut usize, allow: &BTreeSet<String>) -> Option<bool> {
    let mut result = both(words, at, allow)?;
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        result |= both(words, at, allow)?;
    }
    Some(result)
}

fn both(words: &[&str], at: &mut usize, allow: &BTreeSet<String>) -> Option<bool> {
    let mut result = one(words, at, allow)?;
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        result &= one(words, at, allow)?;
    }
    Some(result)
}

fn one(words: &[&str], at: &mut usize, allow: &BTreeSet<String>) -> Option<bool> {
    let word = *words.get(*at)?;
    *at += 1;
    if word == "(" {
        let result = either(words, at, allow)?;
        if words.get(*at) != Some(&")") {
            return None;
        }
        *at += 1;
        return Some(result);
    }
    if words.get(*at) == Some(&"WITH") {
        let exception = words.get(*at + 1)?;
        *at += 2;
        return Some(allow.contains(&format!("{word} WITH {exception}")));
    }
    Some(allow.contains(word))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deny() -> Deny {
        toml::from_str(
            "[licenses]\nallow = ['MIT', 'Zlib', 'Apache-2.0 WITH LLVM-exception']\n\
             [bans]\ndeny = [{ crate = 'bad', reason = 'two of them' }]",
        )
        .unwrap()
    }

    #[test]
    fn expressions() {
        let allow = deny().licenses.allow;
        for (expression, expected) in [
            ("MIT", true),
            ("MIT OR GPL-3.0", true),
            ("GPL-3.0/MIT", true),
            ("MIT AND GPL-3.0", false),
            ("(MIT OR GPL-3.0) AND Zlib", true),
            ("MIT OR GPL-3.0 AND Zlib", true),
            ("(GPL-3.0 OR AGPL-3.0) AND MIT", false),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("Apache-2.0", false),
            ("MIT OR (", false),
            ("MIT MIT", false),
            ("", false),
        ] {
            assert_eq!(allowed(expression, &allow), expected, "{expression}");
        }
    }

    #[test]
    fn bans_and_missing_licences_are_found() {
        let metadata = json!({ "packages": [
            { "name": "bad", "version": "1.0.0", "license": "MIT" },
            { "name": "mute", "version": "2.0.0", "license": null },
            { "name": "good", "version": "3.0.0", "license": "MIT" },
        ] });
        let found = judge(&metadata, &deny()).unwrap();
        let places: Vec<_> = found.iter().map(|f| f.place.as_str()).collect();
        assert_eq!(places, ["bad 1.0.0", "mute 2.0.0"]);
    }
}
