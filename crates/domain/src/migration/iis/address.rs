//! The address a rule sends requests to, and where it stands inside the rule's `url`.

use std::{fmt, ops::Range};

use super::{Refusal, Why};

/// Longest address.
const MAX_CHARS: usize = 300;

/// `scheme://host[:port]`, and a path in front of every request's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `http://host:port`, as it is written.
    pub origin: String,
    /// `/prefix` without a slash at its end; `Some("")` for an address that ends with its slash and so says
    /// that there is none; `None` where nothing is said.
    pub prefix: Option<String>,
}

impl Address {
    /// Reads an address that somebody gives.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let text = text.trim();
        let bad = || Refusal::of(Why::BadAddress).what(excerpt(text));
        if text.len() > MAX_CHARS || !text.is_ascii() {
            return Err(bad());
        }
        let end = origin_end(text).ok_or_else(bad)?;
        let (origin, rest) = text.split_at(end);
        // A query or a computed part is no place to send everything to.
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~%".contains(c);
        if !rest.chars().all(plain) {
            return Err(bad());
        }
        Ok(Self {
            origin: origin.to_owned(),
            prefix: (!rest.is_empty()).then(|| rest.trim_end_matches('/').to_owned()),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{}",
            self.origin,
            self.prefix.as_deref().unwrap_or_default()
        )
    }
}

/// Where the address stands in the `url` of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The address, with its path up to the first part that is computed.
    pub(super) address: Address,
    /// `scheme://host[:port]` in the raw value.
    pub(super) origin: Range<usize>,
    /// The path that follows, without its last slash.
    pub(super) prefix: Range<usize>,
}

/// Finds the address in the value of an attribute as it is written, with its references.
pub(super) fn find(raw: &str) -> Result<Place, Why> {
    let letters = letters(raw).ok_or(Why::NoAddress)?;
    let plain: String = letters.iter().map(|(c, _)| *c).collect();
    // All that an address is made of is ASCII: a letter is a byte up to its end.
    let Some(end) = origin_end(&plain) else {
        let authority = plain.split_once("://").map_or("", |(_, rest)| rest);
        let authority = authority.split('/').next().unwrap_or_default();
        let computed = plain.starts_with('{') || authority.contains('{');
        return Err(if computed {
            Why::ComputedAddress
        } else {
            Why::NoAddress
        });
    };
    let path = plain[end..]
        .split(['{', '?', '#'])
        .next()
        .unwrap_or_default();
    // What stands right before a computed part belongs to it: `/x{R:1}` has no prefix.
    let prefix = path.rfind('/').map_or("", |last| &path[..last]);
    let whole_path = end + path.len() == plain.len();
    let prefix = if whole_path {
        path.trim_end_matches('/')
    } else {
        prefix
    };
    if !plain[..end + prefix.len()].is_ascii() {
        return Err(Why::NoAddress);
    }
    let raw_at = |letter: usize| letters.get(letter).map_or(raw.len(), |(_, at)| *at);
    let cut = end + prefix.len();
    Ok(Place {
        address: Address {
            origin: plain[..end].to_owned(),
            prefix: (!prefix.is_empty()).then(|| prefix.to_owned()),
        },
        origin: raw_at(0)..raw_at(end),
        prefix: raw_at(end)..raw_at(cut),
    })
}

/// Where `scheme://host[:port]` ends, if the text begins with one and nothing of it is computed.
fn origin_end(text: &str) -> Option<usize> {
    let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    let scheme = ["http://", "https://"]
        .iter()
        .find(|scheme| lower.starts_with(**scheme))?
        .len();
    let rest = &text[scheme..];
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let numbers = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let host_is_good = match numbers {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(name),
    };
    let port_is_good = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|n| n > 0));
    (host_is_good && port_is_good).then_some(scheme + end)
}

/// The characters of a value with the place of each in it; `None` where a reference is none.
fn letters(raw: &str) -> Option<Vec<(char, usize)>> {
    let mut letters = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(c) = raw[at..].chars().next() {
        if c != '&' {
            letters.push((c, at));
            at += c.len_utf8();
            continue;
        }
        let end = at + raw[at..].find(';')?;
        letters.push((reference(&raw[at + 1..end])?, at));
        at = end + 1;
    }
    Some(letters)
}

fn reference(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    })
}

/// The beginning of somebody's text, without what could disturb what stands around it.
pub(super) fn excerpt(text: &str) -> String {
    let clean = |c: char| {
        if crate::markup::is_disturbing(c) {
            '\u{fffd}'
        } else {
            c
        }
    };
    text.chars().map(clean).take(120).collect()
}
