//! `decommission`: what goes, what stays, and that the models are as they were.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What is known of one file without reading all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMark {
    /// Its length.
    pub size: u64,
    /// When it was last written, nanoseconds since 1970.
    pub modified_ns: i64,
    /// SHA-256 of its beginning.
    pub head: String,
}

/// How the files of a folder are, compared with how they were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilesLeft {
    /// How many are as they were.
    pub untouched: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Names of those that are gone.
    pub gone: Vec<String>,
    /// Names of those that are others now.
    pub changed: Vec<String>,
    /// How many came since; that harms none of the others.
    pub more: u64,
}

impl FilesLeft {
    /// Whether each file of before is there as it was.
    pub fn holds(&self) -> bool {
        self.gone.is_empty() && self.changed.is_empty()
    }
}

/// Compares what a folder holds with what it held.
pub fn untouched(
    before: &BTreeMap<String, FileMark>,
    now: &BTreeMap<String, FileMark>,
) -> FilesLeft {
    let mut left = FilesLeft::default();
    for (name, mark) in before {
        match now.get(name) {
            None => left.gone.push(name.clone()),
            Some(is) if is != mark => left.changed.push(name.clone()),
            Some(is) => {
                left.untouched += 1;
                left.bytes = left.bytes.saturating_add(is.size);
            }
        }
    }
    let more = now.keys().filter(|name| !before.contains_key(*name));
    left.more = u64::try_from(more.count()).unwrap_or(u64::MAX);
    left
}

/// Why an image stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptWhy {
    /// Other containers are made from it.
    Used,
    /// The owner wants it to stay.
    Wanted,
    /// The registry does not have it any more: the way back would be lost.
    NotInRegistry,
    /// Whether the registry has it is not known.
    RegistryUnknown,
    /// It is not there.
    Absent,
}

/// What becomes of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFate {
    /// It goes; whether it can be pulled again.
    Goes {
        /// By the word of its registry.
        comes_back: bool,
    },
    /// It stays.
    Stays(KeptWhy),
}

/// Decides. `wish` is what the owner's plan says; without it an image stays for as long as nobody knows
/// that it can be pulled again. `in_registry` is `None` where its registry was not reached.
pub fn image_fate(
    there: bool,
    used_by_others: bool,
    wish: Option<bool>,
    in_registry: Option<bool>,
) -> ImageFate {
    match (there, used_by_others, wish, in_registry) {
        (false, ..) => ImageFate::Stays(KeptWhy::Absent),
        (_, true, ..) => ImageFate::Stays(KeptWhy::Used),
        (_, _, Some(false), _) => ImageFate::Stays(KeptWhy::Wanted),
        (_, _, Some(true), known) => ImageFate::Goes {
            comes_back: known == Some(true),
        },
        (_, _, None, Some(true)) => ImageFate::Goes { comes_back: true },
        (_, _, None, Some(false)) => ImageFate::Stays(KeptWhy::NotInRegistry),
        (_, _, None, None) => ImageFate::Stays(KeptWhy::RegistryUnknown),
    }
}

/// Whether a network is the engine's own, which nobody removes.
pub fn is_shared_network(name: &str) -> bool {
    matches!(name, "" | "bridge" | "host" | "none" | "default") || name.starts_with("container:")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(size: u64, head: &str) -> FileMark {
        FileMark {
            size,
            modified_ns: 5,
            head: head.to_owned(),
        }
    }

    fn folder(files: &[(&str, FileMark)]) -> BTreeMap<String, FileMark> {
        let files = files.iter();
        files.map(|(n, m)| ((*n).to_owned(), m.clone())).collect()
    }

    #[test]
    fn a_file_is_untouched_only_where_everything_known_of_it_is_as_it_was() {
        let before = folder(&[
            ("a", mark(7, "x")),
            ("b", mark(9, "y")),
            ("c", mark(1, "z")),
        ]);
        assert_eq!(
            untouched(&before, &before),
            FilesLeft {
                untouched: 3,
                bytes: 17,
                ..FilesLeft::default()
            }
        );
        let later = FileMark {
            modified_ns: 6,
            ..mark(9, "y")
        };
        let now = folder(&[("a", mark(7, "q")), ("b", later), ("d", mark(2, "n"))]);
        let left = untouched(&before, &now);
        assert!(!left.holds());
        assert_eq!((left.untouched, left.more), (0, 1));
        assert_eq!(
            (left.gone, left.changed),
            (vec!["c".into()], vec!["a".into(), "b".into()])
        );
    }

    #[test]
    fn an_image_goes_only_when_it_can_come_back_or_its_owner_says_so() {
        use ImageFate::{Goes, Stays};
        let goes = |comes_back| Goes { comes_back };
        for (there, used, wish, registry, fate) in [
            (true, false, None, Some(true), goes(true)),
            (
                true,
                false,
                None,
                Some(false),
                Stays(KeptWhy::NotInRegistry),
            ),
            (true, false, None, None, Stays(KeptWhy::RegistryUnknown)),
            (true, false, Some(true), Some(false), goes(false)),
            (true, false, Some(true), None, goes(false)),
            (true, false, Some(false), Some(true), Stays(KeptWhy::Wanted)),
            (true, true, Some(true), Some(true), Stays(KeptWhy::Used)),
            (false, false, Some(true), Some(true), Stays(KeptWhy::Absent)),
        ] {
            assert_eq!(image_fate(there, used, wish, registry), fate);
        }
    }
}
