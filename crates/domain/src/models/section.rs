//! Our section of `extra_model_paths.yaml`.

use serde::{Deserialize, Serialize};

/// Its name; everything else in the file is its owner's.
pub const SECTION: &str = "forgekeeper";

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct SectionEntry {
    /// ComfyUI's name of the folder.
    pub key: String,
    /// Paths below the section's own, or absolute.
    pub paths: Vec<String>,
}

/// The section as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Section {
    /// Where the container has the models.
    pub base_path: String,
    /// Key by key.
    pub entries: Vec<SectionEntry>,
}

impl Section {
    /// The path that cannot be written so that ComfyUI reads the same one: it expands variables and a
    /// leading tilde, and takes lines apart.
    pub fn unwritable(&self) -> Option<&str> {
        let paths = self.entries.iter().flat_map(|entry| &entry.paths);
        let all = std::iter::once(&self.base_path).chain(paths);
        let bad = |path: &&String| {
            path.is_empty()
                || path.starts_with('~')
                || path.contains('$')
                || path.chars().any(char::is_control)
        };
        all.into_iter().find(bad).map(String::as_str)
    }

    /// As lines of YAML, each ending with `eol`.
    pub fn yaml(&self, eol: &str) -> String {
        let mut lines = vec![
            format!("{SECTION}:"),
            "    # Written by Forgekeeper: Forge's models for ComfyUI. Nothing is copied."
                .to_owned(),
            format!("    base_path: {}", scalar(&self.base_path)),
        ];
        for entry in &self.entries {
            match &entry.paths[..] {
                [one] => lines.push(format!("    {}: {}", entry.key, scalar(one))),
                many if many.iter().all(|path| is_plain(path)) => {
                    lines.push(format!("    {}: |", entry.key));
                    lines.extend(many.iter().map(|path| format!("        {path}")));
                }
                many => {
                    let text = many.join("\n");
                    lines.push(format!("    {}: {}", entry.key, quoted(&text)));
                }
            }
        }
        lines
            .iter()
            .fold(String::new(), |text, line| text + line + eol)
    }
}

/// Whether YAML of any version reads these letters as they are, and as a text.
fn is_plain(text: &str) -> bool {
    let first = text
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '/');
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let word = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word));
    first && text.chars().all(rest) && !word
}

fn scalar(text: &str) -> String {
    if is_plain(text) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// In double quotes: the only form in which every letter can be written.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
