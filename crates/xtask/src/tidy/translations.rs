//! Every row and code that people can see has its words, in both languages.

use std::collections::{BTreeMap, BTreeSet};

use forgekeeper_domain::{cause::Cause, checks::CHECKS, error::ErrorCode, service::KINDS};

use super::{Finding, Rule};
use crate::repo::Repo;

pub(super) const RULE: Rule = Rule {
    id: "translations",
    what: "English and French have the same keys and placeholders; every kind, rung, cause and error has its key",
    check,
};

type Messages = BTreeMap<String, String>;

fn check(repo: &Repo) -> Result<Vec<Finding>, String> {
    let load = |path: &str| -> Result<Messages, String> {
        let all: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(&repo.read(path)?).map_err(|error| format!("{path}: {error}"))?;
        // Keys like `$schema` belong to editors.
        Ok(all
            .into_iter()
            .filter(|(key, _)| !key.starts_with('$'))
            .map(|(key, value)| (key, value.as_str().map_or(value.to_string(), str::to_owned)))
            .collect())
    };
    let english = load("ui/messages/en.json")?;
    let french = load("ui/messages/fr.json")?;
    let mut findings = compare(&english, &french);
    findings.extend(lacking(&english, &wanted()));
    Ok(findings)
}

/// Keys that the tables of the domain ask for.
fn wanted() -> BTreeSet<String> {
    let kinds = KINDS.iter().map(|kind| format!("kind.{}", kind.id()));
    // Wire names are the names in keys.
    let rungs = CHECKS
        .iter()
        .map(|check| format!("rung.{:?}", check.rung).to_lowercase());
    let causes = Cause::ALL
        .iter()
        .map(|cause| format!("cause.{}", cause.code()));
    let errors = ErrorCode::ALL
        .iter()
        .map(|code| format!("error.{}", code.code()));
    kinds.chain(rungs).chain(causes).chain(errors).collect()
}

fn lacking(messages: &Messages, wanted: &BTreeSet<String>) -> Vec<Finding> {
    wanted
        .iter()
        .filter(|key| !messages.contains_key(*key))
        .map(|key| Finding::new(key, "has no text in ui/messages/en.json"))
        .collect()
}

fn compare(english: &Messages, french: &Messages) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, text) in english {
        match french.get(key) {
            None => findings.push(Finding::new(key, "is missing in ui/messages/fr.json")),
            Some(other) if placeholders(text) != placeholders(other) => {
                findings.push(Finding::new(key, "has other placeholders in French"));
            }
            Some(other) if text.trim().is_empty() || other.trim().is_empty() => {
                findings.push(Finding::new(key, "is empty"));
            }
            Some(_) => {}
        }
    }
    for key in french.keys().filter(|key| !english.contains_key(*key)) {
        findings.push(Finding::new(
            key,
            "is missing in ui/messages/en.json, the source",
        ));
    }
    findings
}

/// Names in braces, without what follows a comma or a bar.
fn placeholders(text: &str) -> BTreeSet<&str> {
    text.split('{')
        .skip(1)
        .filter_map(|rest| rest.split(['}', ',', '|']).next())
        .map(str::trim)
        .filter(|name| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(rows: &[(&str, &str)]) -> Messages {
        rows.iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn the_two_languages_are_compared_both_ways() {
        let english = messages(&[("a", "A {n}"), ("b", "B"), ("c", "C"), ("e", " ")]);
        let french = messages(&[("a", "A {m}"), ("b", "B"), ("d", "D"), ("e", "E")]);
        let places: Vec<_> = compare(&english, &french)
            .into_iter()
            .map(|f| f.place)
            .collect();
        assert_eq!(places, ["a", "c", "e", "d"]);
        assert!(compare(&english, &english).iter().all(|f| f.place == "e"));
    }

    #[test]
    fn a_row_without_words_is_found() {
        let wanted = BTreeSet::from(["cause.api.refused".to_owned(), "kind.forge".to_owned()]);
        let found = lacking(&messages(&[("kind.forge", "Forge")]), &wanted);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "cause.api.refused");
    }

    #[test]
    fn every_table_asks_for_something() {
        let wanted = wanted();
        for prefix in ["kind.", "rung.", "cause.", "error."] {
            assert!(wanted.iter().any(|key| key.starts_with(prefix)), "{prefix}");
        }
    }
}
