//! No `mod.rs`: a module is `name.rs` beside `name/`, so that every tab of an editor has a name.

use super::{Finding, Rule};
use crate::repo::Repo;

pub(super) const RULE: Rule = Rule {
    id: "modules",
    what: "modules are name.rs plus name/, never mod.rs",
    check,
};

fn check(repo: &Repo) -> Result<Vec<Finding>, String> {
    Ok(repo
        .files("", &["mod.rs"])?
        .into_iter()
        .filter(|path| path == "mod.rs" || path.ends_with("/mod.rs"))
        .map(|path| Finding::new(path, "name it after its folder, one level up"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::testing::scratch;

    #[test]
    fn a_mod_rs_is_found_and_a_longer_name_is_not() {
        let scratch = scratch(&[
            ("crates/a/src/b/mod.rs", ""),
            ("crates/a/src/odd_mod.rs", ""),
        ]);
        let found = check(&scratch.repo).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "crates/a/src/b/mod.rs");
    }
}
