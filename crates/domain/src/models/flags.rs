//! Folders that Forge's command line names.

use super::folders::{FOLDERS, FolderId};

/// Arguments that are looked at.
const MAX_WORDS: usize = 512;

/// The folders that a command line names beside the usual ones, such as `--ckpt-dir /models`. Paths with
/// blanks stand in quotes, as a shell takes them.
pub fn folders_of_command(text: &str) -> Vec<(FolderId, String)> {
    let words = words(text);
    let mut found = Vec::new();
    for (number, word) in words.iter().enumerate() {
        let (flag, given) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        let Some(row) = FOLDERS.iter().find(|row| row.flags.contains(&flag)) else {
            continue;
        };
        let value = given.or_else(|| words.get(number + 1).cloned());
        let value = value.filter(|value| !value.is_empty() && !value.starts_with("--"));
        if let Some(value) = value {
            found.push((row.id, value));
        }
    }
    found
}

/// The words of a line, quotes taken off.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
        if words.len() >= MAX_WORDS {
            return words;
        }
    }
    words.extend(word);
    words
}
