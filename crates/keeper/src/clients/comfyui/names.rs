//! Names of files as a request writes them, found among those that a server lists: with or without
//! folder and ending, and never guessed where several could be meant.

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::samplers::Match,
};

/// Endings of files that hold weights.
const ENDINGS: &[&str] = &[
    ".safetensors",
    ".sft",
    ".ckpt",
    ".pth",
    ".pt",
    ".bin",
    ".gguf",
];

/// What was found for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// One file; near when it lies in another folder than was written.
    One(&'a str, Match),
    /// None of that name.
    Nothing,
    /// At least these two.
    Several(&'a str, &'a str),
}

/// A name without the ending of a file of weights.
pub(super) fn stem(name: &str) -> &str {
    ENDINGS
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .unwrap_or(name)
}

/// A name without its folders.
pub(super) fn file(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

/// Whether a name that is listed is meant.
type Test<'a> = &'a dyn Fn(&str) -> bool;

/// Finds the file that a name means: the same one, then without the ending, then in any folder.
pub(super) fn find<'a>(asked: &str, offered: &'a [String]) -> Found<'a> {
    let plain = |name: &str| name.replace('\\', "/");
    let wanted = plain(asked);
    let tests: [(Test<'_>, Match); 4] = [
        (&|name| name == asked, Match::Exact),
        (&|name| stem(&plain(name)) == stem(&wanted), Match::Exact),
        (&|name| file(name) == file(&wanted), Match::Near),
        (&|name| stem(file(name)) == stem(file(&wanted)), Match::Near),
    ];
    for (test, matching) in tests {
        let mut alike = offered.iter().filter(|name| test(name));
        match (alike.next(), alike.next()) {
            (None, _) => {}
            (Some(one), None) => return Found::One(one, matching),
            (Some(one), Some(other)) => return Found::Several(one, other),
        }
    }
    Found::Nothing
}

/// The file that a name means, or why not; `what` is one of those, `plural` several.
pub(super) fn one<'a>(
    asked: &str,
    offered: &'a [String],
    (what, plural): (&str, &str),
) -> Result<(&'a str, Match), ErrorInfo> {
    let refused = |message: String| ErrorInfo::new(ErrorCode::BadRequest, message);
    match find(asked, offered) {
        Found::One(name, matching) => Ok((name, matching)),
        Found::Nothing => Err(refused(format!("ComfyUI offers no {what} `{asked}`."))
            .hint("Share the folder of models with it, or choose one that it offers.")),
        Found::Several(one, other) => Err(refused(format!(
            "ComfyUI offers several {plural} of that name: `{one}`, `{other}`."
        ))
        .hint("Name one with its folder.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_with_and_without_folder_and_ending() {
        let offered: Vec<String> = [
            "a.safetensors",
            "sub/b.safetensors",
            "other/b.safetensors",
            "win\\c.pt",
            "d.pt",
            "d.safetensors",
            "deep/er/e.v1.safetensors",
        ]
        .map(str::to_owned)
        .to_vec();
        let exact = |name| Found::One(name, Match::Exact);
        let near = |name| Found::One(name, Match::Near);
        for (asked, found) in [
            ("a.safetensors", exact("a.safetensors")),
            ("a", exact("a.safetensors")),
            ("elsewhere/a", near("a.safetensors")),
            ("sub/b", exact("sub/b.safetensors")),
            (
                "b",
                Found::Several("sub/b.safetensors", "other/b.safetensors"),
            ),
            ("win/c", exact("win\\c.pt")),
            ("c", near("win\\c.pt")),
            ("d", Found::Several("d.pt", "d.safetensors")),
            ("d.pt", exact("d.pt")),
            ("e.v1", near("deep/er/e.v1.safetensors")),
            ("e", Found::Nothing),
            ("A", Found::Nothing),
            ("", Found::Nothing),
        ] {
            assert_eq!(find(asked, &offered), found, "{asked}");
        }
    }
}
