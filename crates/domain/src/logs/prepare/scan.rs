//! One pass over a line for everything that is looked for in each: secrets, and what tells its
//! level. Most lines hold neither, and then no expression has to be tried.

use std::sync::LazyLock;

use super::mask;
use crate::logs::{
    level,
    prefilter::{Candidates, Prefilter},
};

/// The expressions for secrets, then those for levels.
struct Both {
    prefilter: Prefilter,
    secrets: usize,
}

static BOTH: LazyLock<Both> = LazyLock::new(|| {
    let (secrets, levels) = (mask::patterns(), level::patterns());
    Both {
        prefilter: Prefilter::new(secrets.iter().chain(&levels).map(String::as_str)),
        secrets: secrets.len(),
    }
});

/// What can match a text.
pub(super) struct Scan(Candidates);

impl Scan {
    pub(super) fn of(text: &str) -> Self {
        Self(BOTH.prefilter.candidates(text))
    }

    /// Places among the rules for secrets, in rising order.
    pub(super) fn secrets(&self) -> impl Iterator<Item = usize> + use<> {
        let count = BOTH.secrets;
        self.0.iter().take_while(move |place| *place < count)
    }

    /// Places among the rules for levels, in rising order.
    pub(super) fn levels(&self) -> impl Iterator<Item = usize> + use<> {
        let count = BOTH.secrets;
        self.0
            .iter()
            .filter_map(move |place| place.checked_sub(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_skipped_on_most_lines() {
        let plain = Scan::of("Moving along");
        assert_eq!(plain.secrets().count(), 0);
        assert_eq!(plain.levels().count(), 0);
        let mut always = BOTH.prefilter.without_literal().into_iter();
        assert!(
            always.all(|place| place >= BOTH.secrets),
            "each secret has its words"
        );
    }

    #[test]
    fn the_scan_decides_as_trying_all_rules_does() {
        let samples = crate::logs::signature::samples();
        assert!(samples.len() > 300);
        for text in samples {
            let scan = Scan::of(&text);
            let level = level::guess_among(&text, scan.levels());
            assert_eq!(level, level::guess(&text), "{text:?}");
            let masked = mask::mask(text.clone(), scan.secrets());
            assert_eq!(masked, mask::mask(text, 0..BOTH.secrets));
        }
    }

    #[test]
    fn places_are_those_of_their_own_rules() {
        let both = Scan::of("ERROR: token=abc");
        let secret = &mask::patterns()[both.secrets().last().unwrap()];
        assert!(secret.contains("token"), "{secret}");
        let level = &level::patterns()[both.levels().next().unwrap()];
        assert!(level.contains("ERROR"), "{level}");
    }
}
