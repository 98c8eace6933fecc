//! Paths below the source, as they stand in manifests: the same on every system.

use std::{
    borrow::Cow,
    path::{Component, Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// A path below the source, its parts between slashes. Never empty, never leading out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(Box<[u8]>);

impl Name {
    /// Of a relative path; `None` for one that leads elsewhere, or whose name has no form here.
    pub(crate) fn of(relative: &Path) -> Option<Self> {
        let mut bytes = Vec::new();
        for part in relative.components() {
            let Component::Normal(part) = part else {
                return None;
            };
            if !bytes.is_empty() {
                bytes.push(b'/');
            }
            #[cfg(unix)]
            {
                use std::os::unix::ffi::OsStrExt as _;
                bytes.extend_from_slice(part.as_bytes());
            }
            #[cfg(not(unix))]
            bytes.extend_from_slice(part.to_str()?.as_bytes());
        }
        Self::from_bytes(bytes)
    }

    /// Of bytes that come from a file: whatever could lead out of a folder is refused.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let good = |part: &[u8]| !part.is_empty() && part != b"." && part != b"..";
        let harmless = !bytes.contains(&0)
            && bytes.split(|b| *b == b'/').all(good)
            && (cfg!(unix) || is_name_on_windows(&bytes));
        harmless.then(|| Self(bytes.into_boxed_slice()))
    }

    /// As text, or as base64 where it is none.
    pub(crate) fn written(&self) -> Result<&str, String> {
        std::str::from_utf8(&self.0).map_err(|_| STANDARD.encode(&self.0))
    }

    /// From what [`Name::written`] gave as base64.
    pub(crate) fn from_base64(text: &str) -> Option<Self> {
        Self::from_bytes(STANDARD.decode(text).ok()?)
    }

    /// For people.
    pub(crate) fn shown(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// Below a folder.
    pub(crate) fn below(&self, folder: &Path) -> PathBuf {
        let mut path = folder.to_owned();
        for part in self.0.split(|b| *b == b'/') {
            #[cfg(unix)]
            {
                use std::os::unix::ffi::OsStrExt as _;
                path.push(std::ffi::OsStr::from_bytes(part));
            }
            #[cfg(not(unix))]
            // It was text when it was made.
            path.push(&*String::from_utf8_lossy(part));
        }
        path
    }

    /// Whether it is this folder or lies in it.
    pub(crate) fn is_within(&self, folder: &Name) -> bool {
        self.0
            .strip_prefix(&*folder.0)
            .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }

    /// The first name that can lie in this folder; those that do follow each other from there on.
    pub(crate) fn first_within(&self) -> Self {
        let mut bytes = self.0.to_vec();
        bytes.push(b'/');
        Self(bytes.into_boxed_slice())
    }

    /// The part before the first slash; empty for what lies right in the source.
    pub(crate) fn first_folder(&self) -> Cow<'_, str> {
        let slash = self.0.iter().position(|b| *b == b'/').unwrap_or(0);
        String::from_utf8_lossy(&self.0[..slash])
    }
}

/// Whether Windows takes it as what it is: a colon would name a stream of another file.
fn is_name_on_windows(bytes: &[u8]) -> bool {
    bytes.split(|b| *b == b'/').all(|part| {
        let odd = |b: &u8| *b < 32 || b"<>:\"|?*\\".contains(b);
        !part.iter().any(odd) && !matches!(part.last(), Some(b'.' | b' '))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::of(Path::new(text)).unwrap()
    }

    #[test]
    fn a_name_never_leads_out() {
        for bad in [
            "", "/", "/a", "a//b", "a/", "..", "a/../b", "./a", "a/.", "a\0b",
        ] {
            assert_eq!(Name::from_bytes(bad.into()), None, "{bad:?}");
        }
        for bad in ["../a", "a/../b", "/a", ""] {
            assert_eq!(Name::of(Path::new(bad)), None, "{bad:?}");
        }
        for bad in ["a:b", "a?", "a.", "a ", "x/b\\c", "\u{1}"] {
            assert!(!is_name_on_windows(bad.as_bytes()), "{bad:?}");
        }
        assert!(is_name_on_windows("a b/c.d é".as_bytes()));
        let long = name("a/b/c.txt");
        assert_eq!(long.below(Path::new("/x")), Path::new("/x/a/b/c.txt"));
        assert_eq!(long.first_folder(), "a");
        assert_eq!(name("x").first_folder(), "");
    }

    #[test]
    fn what_lies_in_a_folder_is_known() {
        let folder = name("a/b");
        assert!(name("a/b").is_within(&folder) && name("a/b/c").is_within(&folder));
        assert!(!name("a/bc").is_within(&folder) && !name("a").is_within(&folder));
        assert!(folder.first_within() <= name("a/b/!"));
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_no_text_survive() {
        use std::os::unix::ffi::OsStrExt as _;
        let odd = Path::new(std::ffi::OsStr::from_bytes(b"a/\xff\xfe"));
        let name = Name::of(odd).unwrap();
        let written = name.written().unwrap_err();
        assert_eq!(Name::from_base64(&written), Some(name.clone()));
        assert_eq!(name.below(Path::new("x")), Path::new("x").join(odd));
    }
}
