//! What a registry wants to know first: `WWW-Authenticate: Bearer realm="…",service="…",scope="…"`.

use std::collections::HashMap;

/// Where a token is to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) realm: String,
    pub(super) service: Option<String>,
    pub(super) scope: Option<String>,
}

/// Reads the header; `None` where it asks for something else than a token.
pub(super) fn read(header: &str) -> Option<Challenge> {
    let (scheme, rest) = header.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let mut values = values(rest);
    Some(Challenge {
        realm: values.remove("realm")?,
        service: values.remove("service"),
        scope: values.remove("scope"),
    })
}

/// `name="value"` pairs between commas; a value may hold commas itself.
fn values(text: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',']).to_ascii_lowercase();
        let value;
        if let Some(quoted) = after.strip_prefix('"') {
            let Some((inner, behind)) = quoted.split_once('"') else {
                break;
            };
            (value, rest) = (inner, behind);
        } else {
            (value, rest) = after.split_once(',').unwrap_or((after, ""));
        }
        found.entry(name).or_insert_with(|| value.trim().to_owned());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_and_anything_else_is_none() {
        let full = read(
            "Bearer realm=\"https://auth.test/token\",service=\"registry.test\",scope=\"repository:a/b:pull,push\"",
        );
        let full = full.unwrap();
        assert_eq!(full.realm, "https://auth.test/token");
        assert_eq!(full.scope.as_deref(), Some("repository:a/b:pull,push"));
        assert_eq!(
            read("bearer realm=x, service=y")
                .unwrap()
                .service
                .as_deref(),
            Some("y")
        );
        for none in [
            "",
            "Bearer",
            "Basic realm=\"x\"",
            "Bearer service=\"x\"",
            "Bearer realm=\"x",
        ] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
