//! Patterns of what is left out.

use std::path::Path;

use globset::{Glob, GlobBuilder, GlobSet};

use super::names::Name;

/// Longest pattern, bytes.
const MAX_PATTERN: usize = 500;

/// What is left out.
#[derive(Debug, Clone)]
pub(crate) struct Excludes {
    set: GlobSet,
}

impl Excludes {
    /// Patterns that were checked; a wrong one is an error in words.
    pub(crate) fn new(patterns: &[String]) -> Result<Self, String> {
        let mut set = GlobSet::builder();
        for pattern in patterns {
            set.add(glob(pattern)?);
        }
        let set = set.build().map_err(|error| error.kind().to_string())?;
        Ok(Self { set })
    }

    /// Whether a name is left out, with everything below it.
    pub(crate) fn leave_out(&self, name: &Name) -> bool {
        !self.set.is_empty() && self.set.is_match(Path::new(&*name.shown()))
    }
}

/// Whether a pattern can be used.
pub(crate) fn check(pattern: &str) -> Result<(), String> {
    glob(pattern).map(drop)
}

fn glob(pattern: &str) -> Result<Glob, String> {
    if pattern.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    if pattern.len() > MAX_PATTERN {
        return Err(format!("it is longer than {MAX_PATTERN} bytes"));
    }
    if pattern.starts_with('/') || pattern.contains('\\') || pattern.contains(':') {
        return Err("it is no path below the source, with slashes".to_owned());
    }
    // `outputs/` and `outputs/**` mean the folder.
    let bare = pattern.trim_end_matches("/**").trim_end_matches('/');
    GlobBuilder::new(bare)
        .literal_separator(true)
        .backslash_escape(false)
        .case_insensitive(cfg!(windows))
        .build()
        .map_err(|error| error.kind().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_folders_and_files_below_the_source() {
        let all = [
            "outputs/",
            "**/*.log",
            "models/**/*.ckpt",
            "cache/**",
            "{a,b}.txt",
        ];
        let all = Excludes::new(&all.map(str::to_owned)).unwrap();
        for (path, out) in [
            ("outputs", true),
            ("x/outputs", false),
            ("a.log", true),
            ("x/y/a.log", true),
            ("a.log.txt", false),
            ("models/a.ckpt", true),
            ("models/sd/old/a.ckpt", true),
            ("cache", true),
            ("b.txt", true),
            ("x/b.txt", false),
        ] {
            let name = Name::of(Path::new(path)).unwrap();
            assert_eq!(all.leave_out(&name), out, "{path}");
        }
        for bad in ["", "  ", "/outputs", "D:\\x", "a[", "{a", &"x".repeat(501)] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
