//! Names of images, read as Docker reads them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::known::defaults;

/// Longest name of a repository with its registry.
const MAX_NAME: usize = 255;
/// Longest tag.
const MAX_TAG: usize = 128;
/// The tag that is meant when none is given.
const LATEST: &str = "latest";

/// One image in one registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageRef {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

/// Why a text names no image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImageRefProblem {
    /// There is nothing.
    #[error("no image is named; write one as `owner/name:tag`")]
    Empty,
    /// It is an address.
    #[error("an image is named without `http://` or `https://`; leave that out")]
    Address,
    /// The name is too long.
    #[error("the name is longer than 255 characters; check what was pasted")]
    TooLong,
    /// The part in front of the first slash is no `host` or `host:port`.
    #[error("the registry is no `host` or `host:port`; correct what stands before the first slash")]
    Registry,
    /// A part of the name is none.
    #[error(
        "a name has small letters, digits, and single `.`, `_` or `-` between them; correct what stands between the slashes"
    )]
    Name,
    /// The tag is none.
    #[error(
        "a tag has letters, digits, `_`, `.` and `-`, at most 128; correct what stands behind the colon"
    )]
    Tag,
    /// The digest is none.
    #[error("a digest is `sha256:` and 64 hexadecimal digits; copy it whole")]
    Digest,
}

impl ImageRef {
    /// Reads a name: `name`, `owner/name:tag`, `host:port/path/name@sha256:…`.
    pub fn read(text: &str) -> Result<Self, ImageRefProblem> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ImageRefProblem::Empty);
        }
        if text.contains("://") {
            return Err(ImageRefProblem::Address);
        }
        let (text, digest) = match text.split_once('@') {
            None => (text, None),
            Some((name, digest)) => (name, Some(read_digest(digest)?)),
        };
        // A colon behind the last slash begins the tag; one before it a port.
        let last = text.rfind('/').map_or(0, |at| at + 1);
        let (name, tag) = match text[last..].find(':') {
            None => (text, None),
            Some(at) => (&text[..last + at], Some(&text[last + at + 1..])),
        };
        if name.len() > MAX_NAME {
            return Err(ImageRefProblem::TooLong);
        }
        if let Some(tag) = tag
            && !is_tag(tag)
        {
            return Err(ImageRefProblem::Tag);
        }
        let defaults = defaults();
        let (registry, path) = match name.split_once('/') {
            Some((first, rest)) if is_registry_word(first) => (first.to_ascii_lowercase(), rest),
            _ => (defaults.registry.clone(), name),
        };
        if !is_registry(&registry) {
            return Err(ImageRefProblem::Registry);
        }
        if path.is_empty() || !path.split('/').all(is_component) {
            return Err(ImageRefProblem::Name);
        }
        let registry = if defaults.aliases.contains(&registry) {
            defaults.registry.clone()
        } else {
            registry
        };
        let repository = if registry == defaults.registry && !path.contains('/') {
            format!("{}/{path}", defaults.official)
        } else {
            path.to_owned()
        };
        Ok(Self {
            registry,
            repository,
            tag: tag.map(str::to_owned),
            digest,
        })
    }

    /// `host` or `host:port`; that of Docker itself where none was named.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The name inside the registry, with the owner.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag that was named.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest that was named.
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// What to ask a registry for: the digest, else the tag, else `latest`.
    pub fn wanted(&self) -> &str {
        self.digest().or(self.tag()).unwrap_or(LATEST)
    }

    /// Whether the registry is Docker's own.
    pub fn is_default_registry(&self) -> bool {
        self.registry == defaults().registry
    }

    /// Whether it is the same repository of the same registry.
    pub fn same_repository(&self, other: &Self) -> bool {
        self.registry == other.registry && self.repository == other.repository
    }

    /// As people write it: without Docker's own registry, without what is official there.
    fn familiar(&self) -> String {
        if !self.is_default_registry() {
            return format!("{}/{}", self.registry, self.repository);
        }
        let official = format!("{}/", defaults().official);
        let name = self.repository.strip_prefix(&official);
        name.filter(|name| !name.contains('/'))
            .unwrap_or(&self.repository)
            .to_owned()
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.familiar())?;
        match (&self.tag, &self.digest) {
            (None, None) => write!(f, ":{LATEST}")?,
            (Some(tag), _) => write!(f, ":{tag}")?,
            (None, Some(_)) => {}
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl TryFrom<String> for ImageRef {
    type Error = ImageRefProblem;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::read(&text)
    }
}

impl From<ImageRef> for String {
    fn from(image: ImageRef) -> Self {
        image.to_string()
    }
}

/// Docker takes the part in front of the first slash for a registry only where it cannot be an owner.
fn is_registry_word(word: &str) -> bool {
    word.contains(['.', ':', '[']) || word == "localhost" || word.chars().any(char::is_uppercase)
}

fn is_registry(text: &str) -> bool {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else {
            return false;
        };
        if address.parse::<std::net::Ipv6Addr>().is_err() {
            return false;
        }
        (None, port)
    } else {
        match text.find(':') {
            Some(at) => (Some(&text[..at]), &text[at..]),
            None => (Some(text), ""),
        }
    };
    let port_fits = match port.strip_prefix(':') {
        None => port.is_empty(),
        Some(digits) => digits.parse::<u16>().is_ok_and(|port| port != 0),
    };
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    port_fits && host.is_none_or(|host| host.split('.').all(label))
}

/// Small letters and digits, with `.`, `_`, `__` or dashes between them.
fn is_component(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let mut separator = String::new();
    for c in text.chars() {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            let good = matches!(separator.as_str(), "" | "." | "_" | "__")
                || separator.bytes().all(|b| b == b'-');
            if !good {
                return false;
            }
            separator.clear();
        } else if matches!(c, '.' | '_' | '-') {
            separator.push(c);
        } else {
            return false;
        }
    }
    edge(text.chars().next()) && edge(text.chars().next_back())
}

fn is_tag(text: &str) -> bool {
    let mut chars = text.chars();
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= MAX_TAG
        && chars.next().is_some_and(word)
        && chars.all(|c| word(c) || matches!(c, '.' | '-'))
}

fn read_digest(text: &str) -> Result<String, ImageRefProblem> {
    let (algorithm, digits) = text.split_once(':').ok_or(ImageRefProblem::Digest)?;
    let length = match algorithm {
        "sha256" => 64,
        "sha512" => 128,
        _ => return Err(ImageRefProblem::Digest),
    };
    let good = digits.len() == length
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    good.then(|| text.to_owned()).ok_or(ImageRefProblem::Digest)
}
