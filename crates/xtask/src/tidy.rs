//! `cargo xtask tidy`: rules of the house that no compiler knows, one file and one row each.

use crate::repo::Repo;

mod fixtures;
mod layers;
mod licences;
mod modules;
mod sizes;
mod translations;
mod words;

/// One breach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// File, crate or table row.
    pub(crate) place: String,
    /// What is wrong and what to do.
    pub(crate) why: String,
}

impl Finding {
    fn new(place: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            why: why.into(),
        }
    }
}

/// One rule.
struct Rule {
    /// Stable short name.
    id: &'static str,
    /// In one sentence.
    what: &'static str,
    /// Looks at the checkout; an error means that it could not look.
    check: fn(&Repo) -> Result<Vec<Finding>, String>,
}

const RULES: &[Rule] = &[
    layers::RULE,
    sizes::RULE,
    modules::RULE,
    fixtures::RULE,
    translations::RULE,
    words::RULE,
    licences::RULE,
];

/// Checks everything, prints what was found, and says whether all is well.
pub(crate) fn run(repo: &Repo) -> bool {
    let mut failed = 0;
    for rule in RULES {
        let findings = (rule.check)(repo).unwrap_or_else(|why| vec![Finding::new(rule.id, why)]);
        println!(
            "{} {}: {}",
            if findings.is_empty() { "ok  " } else { "FAIL" },
            rule.id,
            rule.what
        );
        for finding in &findings {
            println!("     {}: {}", finding.place, finding.why);
        }
        failed += usize::from(!findings.is_empty());
    }
    println!(
        "{} passed, {failed} failed, 0 skipped",
        RULES.len() - failed
    );
    failed == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_own_name() {
        for (index, rule) in RULES.iter().enumerate() {
            assert!(
                RULES[..index].iter().all(|r| r.id != rule.id),
                "{} is there twice",
                rule.id
            );
        }
    }
}
