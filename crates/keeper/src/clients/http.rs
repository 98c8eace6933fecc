//! One HTTP client for every service: bounded in time and in memory, follows no redirect, sends no
//! `Origin`, and says in a type how a request ended.

use std::{
    error::Error as StdError,
    io,
    sync::{Arc, Once, OnceLock},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use reqwest::{
    Method, Url,
    header::{
        ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, WWW_AUTHENTICATE,
    },
    redirect::Policy,
};
use serde::{Deserialize, Serialize};
use tokio_tungstenite::tungstenite::{
    client::IntoClientRequest as _, handshake::client::Request as Handshake,
};

use crate::secrets::Credentials;

/// Largest body of a probe.
pub const PROBE_LIMIT: usize = 4 * 1024 * 1024;
/// How long a connection may take to open.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// Servers of this kind close an idle connection after 30 s; leaving first avoids most resets.
const POOL_IDLE: Duration = Duration::from_secs(15);
/// Longest header value that is kept, in bytes: signed addresses of stores are long.
const MAX_HEADER_BYTES: usize = 8192;

/// How a request ended without an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum HttpError {
    /// Nothing listens there, or the network does not lead there.
    #[error("the connection was refused: {0}")]
    Refused(String),
    /// The host name does not resolve.
    #[error("the name `{host}` does not resolve")]
    Dns {
        /// The name.
        host: String,
    },
    /// No answer, or not the whole of it, in time.
    #[error("no answer within {deadline_ms} ms")]
    TimedOut {
        /// The deadline in milliseconds.
        deadline_ms: u32,
    },
    /// The connection ended before any byte of an answer.
    #[error("the connection was closed before an answer: {0}")]
    Reset(String),
    /// The TLS handshake failed.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The address or the request cannot be used.
    #[error("the address cannot be used: {0}")]
    Address(String),
}

/// Why a body is not whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// Larger than allowed; the rest was not read.
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The connection broke, or the encoding was wrong.
    Broken {
        /// In words.
        reason: String,
    },
}

/// An answer, whole or cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`, lower case.
    pub content_type: Option<String>,
    /// `Location` of a redirect, not followed.
    pub location: Option<String>,
    /// `WWW-Authenticate`: what the server wants to know first.
    pub challenge: Option<String>,
    /// The body after decompression, at most the limit of the request.
    pub body: Bytes,
    /// Why the body is not whole.
    pub cut: Option<Cut>,
    /// From sending to the last byte read.
    pub took: Duration,
    /// From sending to the head of the answer: what was asked for was ready then.
    pub ready: Duration,
}

impl HttpAnswer {
    /// Whether the answer calls itself JSON.
    pub fn is_json(&self) -> bool {
        self.content_type
            .as_deref()
            .is_some_and(|t| t.contains("json"))
    }

    /// Whether the answer calls itself a page, or is one without saying so.
    pub fn is_html(&self) -> bool {
        self.content_type
            .as_deref()
            .is_some_and(|t| t.contains("html"))
            || self.body.trim_ascii_start().starts_with(b"<")
    }

    /// Round trip in whole milliseconds.
    pub fn took_ms(&self) -> u32 {
        u32::try_from(self.took.as_millis()).unwrap_or(u32::MAX)
    }
}

/// What to ask and how long to wait.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    method: Method,
    path: &'a str,
    pub(super) body: Option<Bytes>,
    deadline: Option<Duration>,
    pub(super) limit: usize,
    accept: Option<&'static str>,
}

impl<'a> Ask<'a> {
    /// A GET below the base address; `path` begins with `/`.
    pub fn get(path: &'a str, deadline: Duration) -> Self {
        Self {
            method: Method::GET,
            path,
            body: None,
            deadline: Some(deadline),
            limit: PROBE_LIMIT,
            accept: None,
        }
    }

    /// A POST of a JSON document.
    pub fn post(path: &'a str, json: &serde_json::Value, deadline: Duration) -> Self {
        Self::post_text(path, json.to_string(), deadline)
    }

    /// The same, written already.
    pub(super) fn post_text(path: &'a str, json: String, deadline: Duration) -> Self {
        Self {
            method: Method::POST,
            path,
            body: Some(Bytes::from(json)),
            deadline: Some(deadline),
            limit: PROBE_LIMIT,
            accept: None,
        }
    }

    /// What is asked for.
    pub(crate) fn path(&self) -> &str {
        self.path
    }

    /// Largest accepted body in bytes.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Names the kinds of documents that are understood.
    #[must_use]
    pub fn accept(mut self, kinds: &'static str) -> Self {
        self.accept = Some(kinds);
        self
    }

    /// No deadline of its own: the caller watches for signs of life and drops the request.
    #[must_use]
    pub fn patient(mut self) -> Self {
        self.deadline = None;
        self
    }
}

/// The address of a service with the credentials that go there and nowhere else.
#[derive(Debug, Clone)]
pub struct Target {
    pub(super) base: Url,
    pub(super) credentials: Option<Credentials>,
}

impl Target {
    /// Checks the address: `http` or `https`, with a host; a path is kept as a prefix.
    pub fn new(base_url: &str, credentials: Option<Credentials>) -> Result<Self, HttpError> {
        let base = Url::parse(base_url.trim()).map_err(|e| HttpError::Address(e.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(HttpError::Address(
                "it must begin with http:// or https://".to_owned(),
            ));
        }
        Ok(Self { base, credentials })
    }

    /// Whether requests carry credentials.
    pub fn has_credentials(&self) -> bool {
        self.credentials.is_some() || !self.base.username().is_empty()
    }

    fn url(&self, path: &str) -> Url {
        let (path, query) = path
            .split_once('?')
            .map_or((path, None), |(p, q)| (p, Some(q)));
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url.set_query(query);
        url.set_fragment(None);
        url
    }

    /// A handshake for a WebSocket below the base address, with the same credentials and, as
    /// everywhere, no `Origin`.
    pub(crate) fn websocket(&self, path: &str) -> Result<Handshake, HttpError> {
        let unusable = |error: &dyn std::fmt::Display| HttpError::Address(error.to_string());
        let mut url = self.url(path);
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        url.set_scheme(scheme)
            .map_err(|()| unusable(&"no WebSocket there"))?;
        let mut handshake = url
            .as_str()
            .into_client_request()
            .map_err(|error| unusable(&error))?;
        if let Some(credentials) = &self.credentials {
            let value = authorization(credentials)?;
            handshake.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(handshake)
    }

    fn host(&self) -> String {
        self.base.host_str().unwrap_or_default().to_owned()
    }
}

/// The client; cheap to clone, one connection pool.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
    /// For requests that must not be sent twice: servers close kept connections after an error,
    /// and what is sent on one of these fails with nobody knowing whether it arrived. Made when
    /// it is needed first.
    unpooled: Arc<OnceLock<reqwest::Client>>,
}

impl Http {
    /// Builds the client and installs the TLS provider for the process, once.
    pub fn new() -> Result<Self, HttpError> {
        install_provider();
        Ok(Self {
            client: build(builder)?,
            unpooled: Arc::default(),
        })
    }

    /// The same for one request to one place: the system's certificates, which take their time, are
    /// read only where they are needed.
    pub(super) fn for_one(target: &Target) -> Result<Self, HttpError> {
        install_provider();
        let unpooled = || builder().pool_max_idle_per_host(0);
        // No redirect is followed: what begins without encryption stays without.
        let client = if target.base.scheme() == "https" {
            build(unpooled)?
        } else {
            build(|| unpooled().tls_certs_only([]))?
        };
        Ok(Self {
            unpooled: Arc::new(OnceLock::from(client.clone())),
            client,
        })
    }

    fn client_for(&self, method: &Method) -> Result<&reqwest::Client, HttpError> {
        if *method == Method::GET {
            return Ok(&self.client);
        }
        if let Some(client) = self.unpooled.get() {
            return Ok(client);
        }
        let client = build(|| builder().pool_max_idle_per_host(0))?;
        Ok(self.unpooled.get_or_init(|| client))
    }

    /// Sends a request and reads the answer up to its limit. A GET is sent once more when the
    /// connection was dead before any byte came (servers close kept connections after an error).
    pub async fn send(&self, target: &Target, ask: &Ask<'_>) -> Result<HttpAnswer, HttpError> {
        match self.send_once(target, ask).await {
            Err(HttpError::Reset(_)) if ask.method == Method::GET => {
                self.send_once(target, ask).await
            }
            answer => answer,
        }
    }

    async fn send_once(&self, target: &Target, ask: &Ask<'_>) -> Result<HttpAnswer, HttpError> {
        let Some(deadline) = ask.deadline else {
            return self.exchange(target, ask).await;
        };
        match tokio::time::timeout(deadline, self.exchange(target, ask)).await {
            Ok(answer) => answer,
            Err(_) => Err(HttpError::TimedOut {
                deadline_ms: millis(deadline),
            }),
        }
    }

    async fn exchange(&self, target: &Target, ask: &Ask<'_>) -> Result<HttpAnswer, HttpError> {
        let started = Instant::now();
        let mut request = self
            .client_for(&ask.method)?
            .request(ask.method.clone(), target.url(ask.path));
        if let Some(credentials) = &target.credentials {
            request = request.header(AUTHORIZATION, authorization(credentials)?);
        }
        if let Some(kinds) = ask.accept {
            request = request.header(ACCEPT, kinds);
        }
        if let Some(body) = &ask.body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone());
        }
        let mut response = request
            .send()
            .await
            .map_err(|error| classify(error, &target.host(), ask.deadline))?;
        let ready = started.elapsed();
        let status = response.status().as_u16();
        let content_type =
            header(response.headers(), CONTENT_TYPE.as_str()).map(|t| t.to_lowercase());
        let location = header(response.headers(), LOCATION.as_str());
        let challenge = header(response.headers(), WWW_AUTHENTICATE.as_str());
        let mut body = BytesMut::new();
        let mut cut = None;
        // Chunks come decompressed, so the limit holds for what lands in memory.
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    let room = ask.limit - body.len();
                    body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                    if chunk.len() > room {
                        cut = Some(Cut::TooLarge { limit: ask.limit });
                        break;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    cut = Some(Cut::Broken {
                        reason: words(&error),
                    });
                    break;
                }
            }
        }
        let took = started.elapsed();
        Ok(HttpAnswer {
            status,
            content_type,
            location,
            challenge,
            body: body.freeze(),
            cut,
            took,
            ready,
        })
    }
}

fn install_provider() {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Err means that another part of the program installed one before: as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

fn build(builder: impl Fn() -> reqwest::ClientBuilder) -> Result<reqwest::Client, HttpError> {
    let client = builder().build().or_else(|error| {
        // A system without any certificate store must still reach http:// services.
        tracing::warn!(%error, "no system certificates; https services will be refused");
        builder().tls_certs_only([]).build()
    });
    client.map_err(|e| HttpError::Address(words(&e)))
}

fn builder() -> reqwest::ClientBuilder {
    // No proxy from the environment: these are the admin's own machines, and a proxy's error page
    // would be taken for the service's answer.
    reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .connect_timeout(CONNECT_DEADLINE)
        .pool_idle_timeout(POOL_IDLE)
        .user_agent(concat!("forgekeeper/", env!("CARGO_PKG_VERSION")))
}

fn authorization(credentials: &Credentials) -> Result<HeaderValue, HttpError> {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let text = match credentials {
        Credentials::Basic { user, password } => {
            format!(
                "Basic {}",
                BASE64_STANDARD.encode(format!("{user}:{}", password.expose()))
            )
        }
        Credentials::Bearer { token } => format!("Bearer {}", token.expose()),
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| {
        HttpError::Address("the credentials hold a character that HTTP cannot carry".to_owned())
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.as_bytes();
    Some(String::from_utf8_lossy(&value[..value.len().min(MAX_HEADER_BYTES)]).into_owned())
}

fn classify(error: reqwest::Error, host: &str, deadline: Option<Duration>) -> HttpError {
    // The address may hold a password; the sentence must not.
    let error = error.without_url();
    let reason = words(&error);
    // A peer that hangs up on the handshake is an end of file without a type of its own.
    if chain(&error).any(is_tls) || error.is_connect() && reason.contains("tls handshake") {
        return HttpError::Tls(reason);
    }
    if error.is_builder() {
        return HttpError::Address(reason);
    }
    if error.is_timeout() {
        return HttpError::TimedOut {
            deadline_ms: millis(deadline.unwrap_or(CONNECT_DEADLINE).min(CONNECT_DEADLINE)),
        };
    }
    if error.is_connect() {
        let dns = chain(&error).any(|cause| cause.to_string().starts_with("dns error"));
        return if dns {
            HttpError::Dns {
                host: host.to_owned(),
            }
        } else {
            HttpError::Refused(reason)
        };
    }
    HttpError::Reset(reason)
}

fn is_tls(cause: &(dyn StdError + 'static)) -> bool {
    cause.is::<rustls::Error>()
        || cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .is_some_and(<dyn StdError + Send + Sync>::is::<rustls::Error>)
}

fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |cause| (*cause).source())
}

/// The innermost causes in words; the outer ones only say that a request failed.
fn words(error: &(dyn StdError + 'static)) -> String {
    let mut parts: Vec<String> = chain(error)
        .skip(1)
        .map(ToString::to_string)
        .filter(|part| !part.starts_with("client error ("))
        .collect();
    parts.dedup();
    if parts.is_empty() {
        error.to_string()
    } else {
        parts.join(": ")
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
