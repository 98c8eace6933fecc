//! Whether single values can be used: addresses, engines, container names, paths.

use reqwest::Url;

/// Reason and remedy.
pub(super) type Objection = (String, String);

fn objection(reason: impl Into<String>, remedy: impl Into<String>) -> Objection {
    (reason.into(), remedy.into())
}

/// An address of a service: `http` or `https`, without credentials and fragments.
pub(super) fn address(key: &str, text: &str) -> Result<(), Objection> {
    let example = format!("write it like `{key} = \"http://localhost:7860\"`");
    // The parser would silently drop or repair these.
    if text
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || c == '\\')
    {
        return Err(objection(
            format!("`{key}` is no usable address: it contains blanks or backslashes"),
            example,
        ));
    }
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => {
            return Err(objection(
                format!("`{key}` is no usable address: {error}"),
                example,
            ));
        }
    };
    if !matches!(url.scheme(), "http" | "https") || !text.contains("://") {
        return Err(objection(
            format!(
                "`{key}` must begin with `http://` or `https://`, not `{}:`",
                url.scheme()
            ),
            example,
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(objection(
            format!("`{key}` contains a user name or a password"),
            "take them out of the file and enter them in the settings page: they belong in the \
             keyring",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(objection(
            format!("`{key}` has a `?` or `#` part"),
            "write the address up to its path only",
        ));
    }
    Ok(())
}

/// An engine: `auto`, an address with a known scheme, or a Docker context. Whether it can be
/// used on this machine is found out when it is used.
pub(super) fn engine(text: &str) -> Result<(), Objection> {
    const SCHEMES: [&str; 7] = [
        "npipe://", "unix://", "tcp://", "http://", "https://", "ssh://", "wsl://",
    ];
    let remedy = "use `auto`, `npipe:////./pipe/docker_engine`, `unix:///var/run/docker.sock`, \
                  `tcp://HOST:PORT`, `ssh://USER@HOST` or `context:NAME`";
    if text.trim().is_empty() {
        return Err(objection("`engine` is empty", remedy));
    }
    if text.chars().any(char::is_control) {
        return Err(objection("`engine` contains control characters", remedy));
    }
    if text == super::AUTO_ENGINE {
        return Ok(());
    }
    let rest = SCHEMES
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
        .or_else(|| text.strip_prefix("context:"));
    match rest {
        None => Err(objection(
            format!("`{}` is no engine", excerpt(text)),
            remedy,
        )),
        Some(rest) if rest.trim_matches('/').is_empty() => Err(objection(
            format!("the engine `{}` is not complete", excerpt(text)),
            remedy,
        )),
        Some(_) => Ok(()),
    }
}

/// A container's name, what Docker allows, since it travels into request paths; or compose's
/// `project/service`, whose container is looked for by its labels.
pub(super) fn container(text: &str) -> Result<(), Objection> {
    if text.trim().is_empty() {
        return Err(objection(
            "`container` is empty",
            "write the name that `docker ps` shows in its last column",
        ));
    }
    let is_name = |text: &str| {
        let mut chars = text.chars();
        chars.next().is_some_and(|c| c.is_ascii_alphanumeric())
            && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
    };
    let named = match text.split_once('/') {
        None => is_name(text),
        Some((project, service)) => is_name(project) && is_name(service),
    };
    if !named || text.len() > 255 {
        return Err(objection(
            format!("`{}` is no container name", excerpt(text)),
            "write the name that `docker ps` shows in its last column, without a slash before it, \
             or `project/service` of compose",
        ));
    }
    Ok(())
}

/// An amount of disk such as `5 GiB`, in MiB.
pub(super) fn size(key: &str, text: &str) -> Result<u32, Objection> {
    const MIB: f64 = 1024.0 * 1024.0;
    const UNITS: [(&str, f64); 6] = [
        ("MiB", MIB),
        ("GiB", 1024.0 * MIB),
        ("TiB", 1024.0 * 1024.0 * MIB),
        ("MB", 1e6),
        ("GB", 1e9),
        ("TB", 1e12),
    ];
    const LEAST_MIB: f64 = 64.0;
    const MOST_MIB: f64 = 64.0 * 1024.0 * 1024.0;
    let example = || format!("write it like `{key} = \"5 GiB\"`");
    let bare = text.trim();
    let digits = bare.len()
        - bare
            .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
            .len();
    let (number, unit) = bare.split_at(digits);
    let bytes = UNITS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit.trim()))
        .and_then(|(_, bytes)| Some(number.parse::<f64>().ok()? * bytes));
    let Some(mib) = bytes.map(|bytes| bytes / MIB) else {
        return Err(objection(
            format!("`{}` is no amount of disk", excerpt(text)),
            example(),
        ));
    };
    if !(LEAST_MIB..=MOST_MIB).contains(&mib) {
        return Err(objection(
            format!(
                "`{key}` must be from 64 MiB to 64 TiB, not {}",
                excerpt(text)
            ),
            example(),
        ));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within the limits above"
    )]
    let mib = mib.round() as u32;
    Ok(mib)
}

/// A path on this machine, in whatever notation its system has.
pub(super) fn path(key: &str, text: &str) -> Result<(), Objection> {
    if text.trim().is_empty() {
        return Err(objection(
            format!("`{key}` is empty"),
            "write the path, or take the line out",
        ));
    }
    // "D:\temp" between double quotes is a tab and "emp".
    if text.chars().any(char::is_control) {
        return Err(objection(
            format!("`{key}` contains a control character"),
            format!(
                "between double quotes a backslash begins an escape: write `{key} = 'D:\\…'` \
                     between single quotes"
            ),
        ));
    }
    Ok(())
}

/// At most 60 characters of a value, for a sentence.
pub(super) fn excerpt(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(60)
        .map(|c| if c.is_control() { '�' } else { c })
        .collect();
    if text.chars().count() > 60 {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in [
            "http://localhost:17861",
            "https://turbo.myia.io",
            "http://[::1]:8188/sd/",
        ] {
            assert_eq!(address("api", good), Ok(()), "{good}");
        }
        for (bad, reason) in [
            ("localhost:7860", "must begin with"),
            ("turbo.myia.io", "no usable address"),
            ("http:turbo", "must begin with"),
            ("ftp://x", "must begin with"),
            ("http://admin:geheim@x", "password"),
            ("http://x/?a=1", "`?`"),
            ("http://", "no usable address"),
            ("http://a b", "blanks"),
            ("http://x:99999", "no usable address"),
        ] {
            let (why, remedy) = address("api", bad).unwrap_err();
            assert!(why.contains(reason), "{bad}: {why}");
            assert!(!remedy.is_empty() && !why.contains("geheim"));
        }
    }

    #[test]
    fn engines() {
        for good in [
            "auto",
            "npipe:////./pipe/docker_engine",
            "unix:///var/run/docker.sock",
            "tcp://10.0.0.1:2375",
            "ssh://me@box",
            "wsl://Ubuntu",
            "context:desktop-linux",
        ] {
            assert_eq!(engine(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "docker",
            "tcp://",
            "context:",
            "unix:/x",
            "pigeon://roof",
            "auto\n",
        ] {
            assert!(engine(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn containers() {
        assert_eq!(container("myia-turbo-supervisor-1"), Ok(()));
        assert_eq!(container("myia-turbo/supervisor"), Ok(()));
        for bad in [
            "",
            "  ",
            "/x",
            "../../images/json",
            "a b",
            "-x",
            "x?force=1",
            "a/b/c",
            "a/",
            "a/../b",
        ] {
            assert!(container(bad).is_err(), "{bad}");
        }
    }
}
