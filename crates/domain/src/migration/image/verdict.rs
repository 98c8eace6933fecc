//! What follows from what a registry and the source repository told about an image.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{ImageRef, known::defaults};
use crate::{Timestamp, outcome::Evidence};

/// Days after which a build is no build of lately.
pub const MAX_BUILD_AGE_DAYS: i64 = 180;
/// Days without a push after which a source repository is left alone.
pub const MAX_PUSH_AGE_DAYS: i64 = 365;
/// Seconds of 2013-01-01: Docker is not older. Builds that are meant to be repeated exactly say 1970 or 1980.
const OLDEST_BUILD: i64 = 1_356_998_400;

/// For which machines a build is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Platform {
    /// `linux`, `windows`.
    pub os: String,
    /// `amd64`, `arm64`.
    pub architecture: String,
}

impl Platform {
    /// Whether it is the one that the host has.
    pub fn fits(&self) -> bool {
        self.os == "linux" && self.architecture == "amd64"
    }
}

/// The build for this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltImage {
    /// Digest of its manifest.
    pub digest: String,
    /// When it was built, as its configuration says.
    pub created: Option<Timestamp>,
    /// What is transferred to have it, bytes.
    pub bytes: Option<u64>,
    /// Where it says it is built from.
    pub source: Option<String>,
}

/// Why something could not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Unasked {
    /// Nothing answers there: offline, or a name that does not resolve.
    Unreachable,
    /// No answer in time.
    NotInTime,
    /// Asked too often for now.
    RateLimited,
    /// The other side has a fault of its own.
    ServerFault,
    /// What came is not what such a server answers, or larger than accepted.
    Unexpected,
    /// It leads to another address more often than is followed, or to one that is not.
    Redirected,
}

/// What the registry told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum RegistryAnswer {
    /// The tag is there.
    Found {
        /// For which machines.
        platforms: Vec<Platform>,
        /// The build for this host; `None` when there is none.
        build: Option<BuiltImage>,
    },
    /// No such tag, or no such repository.
    NotThere,
    /// Not without a login. Registries answer so for repositories that do not exist, too.
    Denied,
    /// Not known.
    Unknown {
        /// Why.
        why: Unasked,
        /// In words.
        words: String,
    },
}

/// What a source repository is like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryFacts {
    /// `owner/name`.
    pub name: String,
    /// The last push.
    pub pushed_at: Option<Timestamp>,
    /// Whether its owner closed it.
    pub archived: bool,
}

/// What the source's interface told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum SourceAnswer {
    /// It is there.
    Found(RepositoryFacts),
    /// It is not there any more, or not public.
    NotThere,
    /// Nothing names a repository whose interface is known.
    NotNamed,
    /// Not known.
    Unknown {
        /// Why.
        why: Unasked,
        /// In words.
        words: String,
    },
}

/// Everything that was asked about an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// Which.
    pub image: ImageRef,
    /// What the registry told.
    pub registry: RegistryAnswer,
    /// What its source told.
    pub source: SourceAnswer,
    /// When.
    pub at: Timestamp,
}

/// What is wrong with an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum ImageFault {
    /// The registry has no such tag.
    NotThere,
    /// The registry does not give it without a login, which may mean that it does not exist.
    Denied,
    /// There is no build for linux/amd64.
    NoBuild,
    /// Built too long ago.
    Old,
    /// Its source is archived.
    Archived,
    /// Its source received nothing for too long.
    Abandoned,
    /// Its source is gone.
    SourceGone,
}

/// The verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum ImageVerdict {
    /// It is there, for this host, built lately, and its source is alive or not named.
    Good,
    /// Something was measured that speaks against it.
    Bad {
        /// What; the gravest.
        fault: ImageFault,
    },
    /// Not all of it could be measured, and nothing of what was speaks against it.
    Unknown {
        /// Why.
        why: Unasked,
        /// Whether it is the source that could not be asked.
        source: bool,
    },
    /// The build does not say when it was made, and no source says it instead.
    AgeNotTold,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct ImageFinding {
    /// What was looked at, with its value.
    pub evidence: Evidence,
    /// Whether it speaks for the image; `None`: for neither.
    pub good: Option<bool>,
}

/// A verdict with what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageReport {
    /// The verdict.
    pub verdict: ImageVerdict,
    /// What was looked at, in order.
    pub findings: Vec<ImageFinding>,
}

/// Judges an image. Faults that were measured count even where something else could not be asked.
pub fn judge(facts: &ImageFacts) -> ImageReport {
    let mut findings = Findings::default();
    findings.say("image", &facts.image, None);
    let fault = of_registry(facts, &mut findings);
    let source_fault = of_source(facts, &mut findings);
    let unknown = |why, source| ImageVerdict::Unknown { why, source };
    let verdict = match (fault, source_fault, &facts.registry, &facts.source) {
        (Some(fault), ..) | (None, Some(fault), ..) => ImageVerdict::Bad { fault },
        (_, _, RegistryAnswer::Unknown { why, .. }, _) => unknown(*why, false),
        (_, _, _, SourceAnswer::Unknown { why, .. }) => unknown(*why, true),
        _ if build_age(facts).is_none() && push_age(facts).is_none() => ImageVerdict::AgeNotTold,
        _ => ImageVerdict::Good,
    };
    ImageReport {
        verdict,
        findings: findings.0,
    }
}

fn of_registry(facts: &ImageFacts, findings: &mut Findings) -> Option<ImageFault> {
    match &facts.registry {
        RegistryAnswer::NotThere => {
            findings.say("registry", "not_there", Some(false));
            Some(ImageFault::NotThere)
        }
        RegistryAnswer::Denied => {
            findings.say("registry", "denied", Some(false));
            Some(ImageFault::Denied)
        }
        RegistryAnswer::Unknown { words, .. } => {
            findings.say("registry", words, None);
            None
        }
        RegistryAnswer::Found { platforms, build } => {
            let names: Vec<String> = platforms
                .iter()
                .map(|p| format!("{}/{}", p.os, p.architecture))
                .collect();
            findings.say("platforms", names.join(", "), Some(build.is_some()));
            let Some(build) = build else {
                return Some(ImageFault::NoBuild);
            };
            findings.say("digest", &build.digest, None);
            if let Some(bytes) = build.bytes {
                findings.say("bytes", bytes, None);
            }
            let Some(days) = build_age(facts) else {
                findings.say("built", "not_told", None);
                return None;
            };
            let lately = days <= MAX_BUILD_AGE_DAYS;
            if let Some(created) = build.created {
                findings.say("built", created, Some(lately));
            }
            findings.say("built_days_ago", days, Some(lately));
            (!lately).then_some(ImageFault::Old)
        }
    }
}

fn of_source(facts: &ImageFacts, findings: &mut Findings) -> Option<ImageFault> {
    match &facts.source {
        SourceAnswer::NotNamed => {
            findings.say("source", "not_named", None);
            None
        }
        SourceAnswer::NotThere => {
            findings.say("source", "not_there", Some(false));
            Some(ImageFault::SourceGone)
        }
        SourceAnswer::Unknown { words, .. } => {
            findings.say("source", words, None);
            None
        }
        SourceAnswer::Found(repository) => {
            findings.say("source", &repository.name, None);
            findings.say("archived", repository.archived, Some(!repository.archived));
            let days = push_age(facts);
            if let Some(days) = days {
                findings.say("pushed_days_ago", days, Some(days <= MAX_PUSH_AGE_DAYS));
            }
            if repository.archived {
                Some(ImageFault::Archived)
            } else {
                days.filter(|days| *days > MAX_PUSH_AGE_DAYS)
                    .map(|_| ImageFault::Abandoned)
            }
        }
    }
}

/// Days since the build; `None` where it does not say so, or says what cannot be.
fn build_age(facts: &ImageFacts) -> Option<i64> {
    let RegistryAnswer::Found {
        build: Some(build), ..
    } = &facts.registry
    else {
        return None;
    };
    let created = build.created?;
    (created.as_second() >= OLDEST_BUILD)
        .then(|| days_between(created, facts.at))
        .flatten()
}

fn push_age(facts: &ImageFacts) -> Option<i64> {
    match &facts.source {
        SourceAnswer::Found(repository) => days_between(repository.pushed_at?, facts.at),
        _ => None,
    }
}

/// Whole days; a clock may be a day off, more is no time that has come.
fn days_between(then: Timestamp, now: Timestamp) -> Option<i64> {
    let passed = now.duration_since(then);
    (passed >= -SignedDuration::from_hours(24)).then(|| (passed.as_hours() / 24).max(0))
}

/// The `owner/name` that an address of a source repository leads to, where its interface is known.
pub fn source_repository(address: &str) -> Option<String> {
    let rest = address
        .trim()
        .strip_prefix("https://")
        .or_else(|| address.trim().strip_prefix("http://"))?;
    let (host, path) = rest.split_once('/')?;
    let host = host.strip_prefix("www.").unwrap_or(host);
    if !host.eq_ignore_ascii_case(&defaults().source_page) {
        return None;
    }
    let mut parts = path.split(['/', '?', '#']);
    let (owner, name) = (parts.next()?, parts.next()?);
    let name = name.strip_suffix(".git").unwrap_or(name);
    let good = |word: &str| {
        !word.is_empty()
            && word.len() <= 100
            && word != "."
            && word != ".."
            && word
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    (good(owner) && good(name)).then(|| format!("{owner}/{name}"))
}

#[derive(Default)]
struct Findings(Vec<ImageFinding>);

impl Findings {
    fn say(&mut self, name: &str, value: impl ToString, good: Option<bool>) {
        self.0.push(ImageFinding {
            evidence: Evidence::new(name, value),
            good,
        });
    }
}
