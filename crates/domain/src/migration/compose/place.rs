//! A folder of this machine as the engine's machine names it.

/// Whose paths the engine understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineSide {
    /// Those of this machine: the engine runs on it, or translates them itself as Docker Desktop does.
    Here,
    /// Those of a Linux that sees this Windows machine's drives below `/mnt`.
    Wsl,
}

/// A path as the engine understands it; `None` where it has no such name there.
pub fn engine_path(path: &str, side: EngineSide) -> Option<String> {
    if side == EngineSide::Here || path.starts_with('/') {
        return Some(path.to_owned());
    }
    let plain = path.replace('\\', "/");
    let lower = plain.to_ascii_lowercase();
    // `\\wsl.localhost\Ubuntu\home\…`: the distribution, then its own path.
    for share in ["//wsl.localhost/", "//wsl$/"] {
        if lower.starts_with(share) {
            let (_, inside) = plain[share.len()..].split_once('/')?;
            return Some(format!("/{inside}"));
        }
    }
    let mut chars = plain.chars();
    let drive = chars.next().filter(char::is_ascii_alphabetic)?;
    let rest = chars.as_str().strip_prefix(":/")?;
    let rest = rest.trim_end_matches('/');
    Some(format!("/mnt/{}/{rest}", drive.to_ascii_lowercase()))
}
