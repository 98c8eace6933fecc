//! What a registry says of one image: its index, the manifest for this host, the configuration with the
//! date of the build. What has a digest is compared with it.

use forgekeeper_domain::{
    Timestamp,
    migration::image::{BuiltImage, ImageRef, Platform, RegistryAnswer, Unasked, defaults},
};
use reqwest::Url;
use serde::Deserialize;
use sha2::{Digest, Sha256, Sha512};
use tokio::time::Instant;

use super::{
    challenge,
    walk::{self, Question, Trouble, trouble},
};
use crate::{clients::http::Http, docker::error::shortened};

/// Largest manifest, index or configuration: the API's own limit for manifests.
const MAX_DOCUMENT: usize = 4 * 1024 * 1024;
/// Largest answer with a token.
const MAX_TOKEN: usize = 64 * 1024;
/// Most entries of an index that are looked at.
const MAX_ENTRIES: usize = 500;
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json";
const ANYTHING: &str = "*/*";
/// Where an image says what it is built from.
const SOURCE_LABEL: &str = "org.opencontainers.image.source";

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    manifests: Option<Vec<Entry>>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Entry {
    digest: String,
    platform: Option<PlatformWords>,
}

#[derive(Deserialize)]
struct PlatformWords {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    #[serde(default)]
    size: u64,
}

#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    created: Option<String>,
    config: Option<Runtime>,
}

#[derive(Deserialize)]
struct Runtime {
    #[serde(rename = "Labels")]
    labels: Option<std::collections::BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// How a question ends that has no document.
enum End {
    NotThere,
    Denied,
    Trouble(Trouble),
}

impl From<Trouble> for End {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// Asks the registry of an image about it.
pub(super) async fn ask(http: &Http, image: &ImageRef, deadline: Instant) -> RegistryAnswer {
    match found(http, image, deadline).await {
        Ok(answer) => answer,
        Err(End::NotThere) => RegistryAnswer::NotThere,
        Err(End::Denied) => RegistryAnswer::Denied,
        Err(End::Trouble(Trouble { why, words })) => RegistryAnswer::Unknown {
            why,
            words: shortened(&words),
        },
    }
}

async fn found(http: &Http, image: &ImageRef, deadline: Instant) -> Result<RegistryAnswer, End> {
    let mut registry = Registry {
        http,
        base: base_of(image)?,
        repository: image.repository(),
        token: None,
        deadline,
    };
    let bytes = registry.manifest(image.wanted()).await?;
    if let Some(digest) = image.digest() {
        verify(&bytes, digest)?;
    }
    let top: Document = document(&bytes)?;
    let Some(entries) = top.manifests else {
        let digest = match image.digest() {
            Some(digest) => digest.to_owned(),
            None => digest_of(&bytes),
        };
        let (platform, build) = registry.build(top, digest).await?;
        let fits = platform.fits();
        return Ok(RegistryAnswer::Found {
            platforms: vec![platform],
            build: fits.then_some(build),
        });
    };
    let mut platforms = Vec::new();
    let mut ours = None;
    for entry in entries.into_iter().take(MAX_ENTRIES) {
        let Some(words) = entry.platform else {
            continue;
        };
        let platform = Platform {
            os: shortened(&words.os),
            architecture: shortened(&words.architecture),
        };
        // Notes about how it was built stand among the builds, for a platform that is none.
        if platform.os == "unknown" {
            continue;
        }
        if platform.fits() && ours.is_none() {
            ours = Some(entry.digest);
        }
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    let build = match ours {
        None => None,
        Some(digest) => {
            let bytes = registry.manifest(&digest).await?;
            verify(&bytes, &digest)?;
            let (_, build) = registry.build(document(&bytes)?, digest).await?;
            Some(build)
        }
    };
    Ok(RegistryAnswer::Found { platforms, build })
}

struct Registry<'a> {
    http: &'a Http,
    base: Url,
    repository: &'a str,
    token: Option<String>,
    deadline: Instant,
}

impl Registry<'_> {
    async fn manifest(&mut self, wanted: &str) -> Result<Vec<u8>, End> {
        let path = format!("/v2/{}/manifests/{wanted}", self.repository);
        self.get(&path, MANIFESTS).await
    }

    /// A document of the API; a registry that wants a token first gets one that anybody may have.
    async fn get(&mut self, path: &str, accept: &'static str) -> Result<Vec<u8>, End> {
        let mut url = self.base.clone();
        url.set_path(path);
        for attempt in 0..2 {
            let question = Question {
                url: &url,
                token: self.token.as_deref(),
                accept,
                limit: MAX_DOCUMENT,
                deadline: self.deadline,
            };
            let answer = walk::ask(self.http, &question).await?;
            match answer.status {
                200 => return Ok(answer.body.to_vec()),
                401 if attempt == 0 => {
                    let challenge = answer.challenge.as_deref().and_then(challenge::read);
                    self.token = Some(self.token_for(challenge.ok_or(End::Denied)?).await?);
                }
                401 | 403 => return Err(End::Denied),
                404 => return Err(End::NotThere),
                status => {
                    return Err(trouble(
                        Unasked::Unexpected,
                        format!("the registry answers {status}"),
                    )
                    .into());
                }
            }
        }
        Err(End::Denied)
    }

    async fn token_for(&self, challenge: challenge::Challenge) -> Result<String, End> {
        let unusable = || trouble(Unasked::Unexpected, "it names no place that gives tokens");
        let mut url = Url::parse(&challenge.realm).map_err(|_| unusable())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(unusable().into());
        }
        if self.base.scheme() == "https" && url.scheme() == "http" {
            return Err(trouble(
                Unasked::Redirected,
                "tokens are to be had without encryption only, and are not asked for",
            )
            .into());
        }
        let scope = format!("repository:{}:pull", self.repository);
        {
            let mut query = url.query_pairs_mut();
            if let Some(service) = &challenge.service {
                query.append_pair("service", service);
            }
            query.append_pair("scope", challenge.scope.as_deref().unwrap_or(&scope));
        }
        let question = Question {
            url: &url,
            token: None,
            accept: ANYTHING,
            limit: MAX_TOKEN,
            deadline: self.deadline,
        };
        let answer = walk::ask(self.http, &question).await?;
        match answer.status {
            200 => {}
            401 | 403 => return Err(End::Denied),
            status => {
                return Err(trouble(
                    Unasked::Unexpected,
                    format!("the place that gives tokens answers {status}"),
                )
                .into());
            }
        }
        let token: Token = document(&answer.body)?;
        let token = token.token.or(token.access_token);
        token
            .filter(|token| !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic()))
            .ok_or_else(|| trouble(Unasked::Unexpected, "no token came").into())
    }

    /// The build that a manifest describes, with what its configuration says.
    async fn build(
        &mut self,
        manifest: Document,
        digest: String,
    ) -> Result<(Platform, BuiltImage), End> {
        let config = manifest.config.ok_or_else(|| {
            trouble(
                Unasked::Unexpected,
                "the manifest has no configuration; it is of a form that engines no longer take",
            )
        })?;
        let path = format!("/v2/{}/blobs/{}", self.repository, config.digest);
        if !is_digest(&config.digest) {
            return Err(trouble(Unasked::Unexpected, "the configuration has no digest").into());
        }
        let bytes = self.get(&path, ANYTHING).await?;
        verify(&bytes, &config.digest)?;
        let found: Configuration = document(&bytes)?;
        let bytes = manifest
            .layers
            .iter()
            .map(|layer| layer.size)
            .fold(config.size, u64::saturating_add);
        let labels = found.config.and_then(|runtime| runtime.labels);
        let source = labels.and_then(|mut labels| labels.remove(SOURCE_LABEL));
        let platform = Platform {
            os: shortened(&found.os),
            architecture: shortened(&found.architecture),
        };
        let build = BuiltImage {
            digest,
            created: found.created.and_then(|at| at.parse::<Timestamp>().ok()),
            bytes: Some(bytes).filter(|bytes| *bytes > 0),
            source: source.map(|source| shortened(&source)),
        };
        Ok((platform, build))
    }
}

/// Where the registry answers. As with Docker, one on this very machine needs no encryption.
fn base_of(image: &ImageRef) -> Result<Url, Trouble> {
    let text = if image.is_default_registry() {
        defaults().endpoint.clone()
    } else {
        let registry = image.registry();
        let scheme = if is_loopback(registry) {
            "http"
        } else {
            "https"
        };
        format!("{scheme}://{registry}")
    };
    Url::parse(&text)
        .map_err(|_| trouble(Unasked::Unexpected, "the registry's address cannot be used"))
}

fn is_loopback(registry: &str) -> bool {
    Url::parse(&format!("http://{registry}")).is_ok_and(|url| match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    })
}

fn document<'d, T: Deserialize<'d>>(bytes: &'d [u8]) -> Result<T, Trouble> {
    serde_json::from_slice(bytes).map_err(|error| {
        trouble(
            Unasked::Unexpected,
            format!("what came is not what a registry sends: {error}"),
        )
    })
}

fn is_digest(text: &str) -> bool {
    let length = match text.split_once(':') {
        Some(("sha256", digits)) => digits.len() == 64,
        Some(("sha512", digits)) => digits.len() == 128,
        _ => false,
    };
    length && text[7..].bytes().all(|b| b.is_ascii_hexdigit())
}

fn verify(bytes: &[u8], digest: &str) -> Result<(), Trouble> {
    let is = match digest.split_once(':') {
        Some(("sha256", _)) => digest_of(bytes),
        Some(("sha512", _)) => format!("sha512:{}", hex::encode(Sha512::digest(bytes))),
        _ => {
            return Err(trouble(
                Unasked::Unexpected,
                "the index names a digest of a kind that is not known",
            ));
        }
    };
    if is == digest {
        return Ok(());
    }
    Err(trouble(
        Unasked::Unexpected,
        "what came is not what its digest says",
    ))
}

fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
