//! What can be a path, on this system or on another: the file is written for the machine that runs the
//! program, and is often carried there from elsewhere.

use super::words;
use crate::migration::Words;

/// Longest path in characters; Windows itself ends at 32 767.
const MAX_CHARS: usize = 2_000;

/// What is wrong with a path, and what to do.
pub(super) fn problem(path: &str) -> Option<(Words, Words)> {
    let whole = || {
        words(
            "Write it with its folders, as the file manager shows it.",
            "L’écrire avec ses dossiers, comme l’affiche l’explorateur de fichiers.",
        )
    };
    if path.chars().count() > MAX_CHARS {
        return Some((
            words("The path is too long.", "Le chemin est trop long."),
            words(
                format!("Shorten it to {MAX_CHARS} characters."),
                format!("Le raccourcir à {MAX_CHARS} caractères."),
            ),
        ));
    }
    if path.starts_with(['"', '\'']) || path.ends_with(['"', '\'']) {
        return Some((
            words(
                "The path stands in quotation marks.",
                "Le chemin est entre guillemets.",
            ),
            words(
                "Remove them; blanks need none.",
                "Les retirer\u{202f}: les espaces n’en demandent pas.",
            ),
        ));
    }
    if path.starts_with('~') || path.starts_with('$') || is_percent(path) {
        return Some((
            words(
                "Nobody replaces `~` or variables here.",
                "Ni `~` ni les variables ne sont remplacés ici.",
            ),
            whole(),
        ));
    }
    if is_windows(path) {
        of_windows(path)
    } else {
        None
    }
}

/// `%USERPROFILE%\x` is a path to a person, and a folder of that name to a program.
fn is_percent(path: &str) -> bool {
    path.strip_prefix('%')
        .is_some_and(|rest| rest.contains('%'))
}

fn drive(path: &str) -> Option<&str> {
    let mut chars = path.chars();
    let letter = chars.next()?.is_ascii_alphabetic();
    (letter && chars.next() == Some(':')).then_some(chars.as_str())
}

fn is_windows(path: &str) -> bool {
    drive(path).is_some() || path.contains('\\')
}

fn of_windows(path: &str) -> Option<(Words, Words)> {
    // The prefix of long paths lets everything through.
    let path = path.strip_prefix(r"\\?\").unwrap_or(path);
    let rest = drive(path);
    if rest.is_some_and(|rest| !rest.starts_with(['\\', '/'])) {
        return Some((
            words(
                "After the drive comes a backslash.",
                "Une barre oblique inverse suit la lettre du lecteur.",
            ),
            words(
                "Write it like `D:\\genai\\models`.",
                "L’écrire comme `D:\\genai\\models`.",
            ),
        ));
    }
    let rest = rest.unwrap_or(path);
    if let Some(odd) = rest
        .chars()
        .find(|c| matches!(c, '<' | '>' | '"' | '|' | '?' | '*' | ':'))
    {
        return Some((
            words(
                format!("Windows has no `{odd}` in names."),
                format!("Windows n’admet pas `{odd}` dans un nom."),
            ),
            words("Remove it.", "Le retirer."),
        ));
    }
    let trails = |name: &str| name.ends_with([' ', '.']) && name != "." && name != "..";
    let name = rest.split(['\\', '/']).find(|name| trails(name))?;
    Some((
        words(
            format!("Windows drops the end of `{name}`."),
            format!("Windows supprime la fin de `{name}`."),
        ),
        words(
            "Names end in no blank and no dot.",
            "Un nom ne finit ni par une espace ni par un point.",
        ),
    ))
}
