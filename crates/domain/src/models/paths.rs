//! One folder has three names: this machine's, the engine's and the container's.

use crate::config::Mount;

/// How the engine may name a path of this machine. Windows reaches WSL's folders through a share, and
/// Docker Desktop its drives through folders of its own.
pub fn engine_path(here: &str) -> Vec<String> {
    let plain = here.replace('\\', "/");
    let plain = plain.strip_prefix("//?/").unwrap_or(&plain);
    let plain = trimmed(plain);
    let lower = plain.to_ascii_lowercase();
    for start in ["//wsl.localhost/", "//wsl$/"] {
        if lower.starts_with(start) {
            // The distribution's name, then its own path.
            let rest = &plain[start.len()..];
            let path = rest.split_once('/').map_or("", |(_, path)| path);
            return vec![format!("/{path}")];
        }
    }
    let mut drive = plain.chars();
    let (letter, colon) = (drive.next(), drive.next());
    if let (Some(letter), Some(':')) = (letter.filter(char::is_ascii_alphabetic), colon) {
        let rest = trimmed(drive.as_str());
        let letter = letter.to_ascii_lowercase();
        let starts = ["/run/desktop/mnt/host/", "/host_mnt/", "/mnt/", "/"];
        let mut all = vec![format!("{letter}:{rest}")];
        all.extend(starts.iter().map(|start| format!("{start}{letter}{rest}")));
        return all;
    }
    vec![plain.to_owned()]
}

fn trimmed(path: &str) -> &str {
    let short = path.trim_end_matches('/');
    if short.is_empty() { path } else { short }
}

/// Where a container has a folder of this machine or of the engine's, through the nearest mount.
pub fn seen_at<'a>(mounts: &'a [Mount], path: &str) -> Option<(&'a Mount, String)> {
    let wanted = engine_path(path);
    let inside = mounts.iter().filter_map(|mount| {
        let names = engine_path(&mount.source);
        let below = names.iter().find_map(|name| {
            let mut wanted = wanted.iter();
            wanted.find_map(|wanted| below(wanted, name))
        })?;
        Some((mount, below))
    });
    let (mount, rest) = inside.min_by_key(|(_, rest)| rest.len())?;
    let target = mount.target.trim_end_matches('/');
    let path = format!("{target}{rest}");
    Some((
        mount,
        if path.is_empty() {
            "/".to_owned()
        } else {
            path
        },
    ))
}

/// What is left of a path below another, beginning with a slash, or nothing where they are the same.
fn below(path: &str, above: &str) -> Option<String> {
    // Windows does not tell `D:\Models` from `d:\models`.
    let any_case = path.chars().nth(1) == Some(':') && above.chars().nth(1) == Some(':');
    let above = above.trim_end_matches('/');
    let start = path.get(..above.len())?;
    let same = if any_case {
        start.eq_ignore_ascii_case(above)
    } else {
        start == above
    };
    let rest = &path[above.len()..];
    (same && (rest.is_empty() || rest.starts_with('/'))).then(|| rest.to_owned())
}
