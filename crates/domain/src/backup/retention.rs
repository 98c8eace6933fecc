//! Which runs of a dated backup go.

/// A run of a dated backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    /// Its folder, which begins with its date: names sort by age.
    pub name: String,
    /// Whether everything is in it.
    pub whole: bool,
}

/// The runs that go when so many stay: the newest whole ones stay, and as many of the newest incomplete
/// ones, so that runs with problems never push out the last good one.
pub fn to_remove(runs: &[RunFolder], keep: u32) -> Vec<String> {
    let keep = keep.max(1) as usize;
    let mut sorted: Vec<&RunFolder> = runs.iter().collect();
    sorted.sort_by(|a, b| b.name.cmp(&a.name));
    let beyond = |whole: bool| {
        let of_kind = sorted.iter().filter(move |run| run.whole == whole);
        of_kind.skip(keep).map(|run| run.name.clone())
    };
    let mut gone: Vec<String> = beyond(true).chain(beyond(false)).collect();
    gone.sort();
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(text: &str) -> Vec<RunFolder> {
        text.split_whitespace()
            .map(|word| RunFolder {
                name: word.trim_end_matches('!').to_owned(),
                whole: !word.ends_with('!'),
            })
            .collect()
    }

    #[test]
    fn the_last_good_one_never_goes_for_incomplete_ones() {
        for (there, keep, gone) in [
            ("", 3, ""),
            ("1 2 3", 3, ""),
            ("3 1 2 4", 3, "1"),
            ("1 2! 3! 4! 5!", 2, "2 3"),
            ("1! 2! 3!", 1, "1 2"),
            ("1 2", 0, "1"),
        ] {
            let expected: Vec<&str> = gone.split_whitespace().collect();
            assert_eq!(to_remove(&runs(there), keep), expected, "{there}");
        }
    }
}
