//! Credentials of services: in the operating system's keyring, or in memory where there is none.
//! Never in a file, a log or a report.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
};
use serde::Deserialize;

use crate::state::SecretPlace;

mod seal;
mod vault;

pub(crate) use seal::SealKey;

use vault::{VaultError, VaultThread};

/// A keyring that did not answer, or was not there, is asked again after this time at the earliest.
pub(crate) const ASK_AGAIN: Duration = Duration::from_mins(1);
/// Longest user name, password or token, bytes: what fits into every keyring (Windows keeps 2560).
const MAX_SECRET_BYTES: usize = 1024;

/// A value that is never shown: it prints as a placeholder and cannot be serialised.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(transparent)]
pub struct Sensitive<T>(T);

impl<T> Sensitive<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for the one place that must send it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<T> fmt::Display for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What a service's API wants to see.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "scheme", rename_all = "snake_case")]
pub enum Credentials {
    /// HTTP Basic.
    Basic {
        /// User name.
        user: String,
        /// Password.
        password: Sensitive<String>,
    },
    /// `Authorization: Bearer`.
    Bearer {
        /// Token.
        token: Sensitive<String>,
    },
}

impl Credentials {
    /// Whether HTTP can carry them and a keyring keep them.
    fn check(&self) -> Result<(), ErrorInfo> {
        let bad = |message: &str| Err(ErrorInfo::new(ErrorCode::BadRequest, message));
        let (name, secret) = match self {
            Credentials::Basic { user, password } => (user.as_str(), password.expose()),
            Credentials::Bearer { token } => ("-", token.expose()),
        };
        if name.is_empty() || secret.is_empty() {
            return bad("the credentials are not complete");
        }
        if name.contains(':') {
            return bad("a user name must not contain a colon");
        }
        if name.chars().chain(secret.chars()).any(char::is_control) {
            return bad("the credentials contain a line break or another control character");
        }
        if name.len() > MAX_SECRET_BYTES || secret.len() > MAX_SECRET_BYTES {
            return bad("the credentials are too long");
        }
        Ok(())
    }

    /// As kept in the keyring; it must go nowhere that others can read.
    pub(crate) fn sealed(&self) -> String {
        match self {
            Credentials::Basic { user, password } => serde_json::json!({
                "scheme": "basic", "user": user, "password": password.expose(),
            }),
            Credentials::Bearer { token } => serde_json::json!({
                "scheme": "bearer", "token": token.expose(),
            }),
        }
        .to_string()
    }
}

/// What is known of one service.
#[derive(Debug, Clone)]
enum Known {
    Present(Credentials, SecretPlace),
    Absent,
    /// There was no keyring to ask; one may come with the desktop session.
    NoKeyring(Instant),
    /// The keyring did not answer, or is locked: there may be some.
    NotAnswered(Instant),
}

impl Known {
    fn place(&self) -> Option<SecretPlace> {
        match self {
            Known::Present(_, place) => Some(*place),
            Known::NotAnswered(_) => Some(SecretPlace::Unknown),
            Known::Absent | Known::NoKeyring(_) => None,
        }
    }

    /// Whether it is worth asking again.
    fn is_stale(&self) -> bool {
        match self {
            Known::NoKeyring(at) | Known::NotAnswered(at) => at.elapsed() >= ASK_AGAIN,
            Known::Present(..) | Known::Absent => false,
        }
    }
}

/// All credentials. Clones share them.
#[derive(Debug, Clone)]
pub struct Secrets {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    known: Mutex<HashMap<ServiceId, Known>>,
    /// The key that seals configurations, or when the keyring gave none.
    seal: tokio::sync::Mutex<Option<Result<SealKey, Instant>>>,
    /// `None`: nothing is to touch the keyring (demo host, tests).
    vault: Option<VaultThread>,
}

impl Secrets {
    /// In memory alone, or with the keyring behind. Does not touch the keyring yet.
    pub fn open(in_memory: bool) -> Self {
        let vault = (!in_memory).then(|| VaultThread::start(|| Box::new(vault::Keyring)));
        Self::with(vault.flatten())
    }

    fn with(vault: Option<VaultThread>) -> Self {
        Self {
            shared: Arc::new(Shared {
                known: Mutex::default(),
                seal: tokio::sync::Mutex::default(),
                vault,
            }),
        }
    }

    /// The credentials of a service. The keyring is asked once, and again after a while where it
    /// gave no answer.
    pub async fn get(&self, service: &ServiceId) -> Option<Credentials> {
        match self.look_up(service).await {
            Known::Present(credentials, _) => Some(credentials),
            Known::Absent | Known::NoKeyring(_) | Known::NotAnswered(_) => None,
        }
    }

    /// Where a service's credentials are kept, if it has any.
    pub async fn place(&self, service: &ServiceId) -> Option<SecretPlace> {
        self.look_up(service).await.place()
    }

    /// Whether the keyring gave no answer yet on whether this service has any.
    pub fn is_unsettled(&self, service: &ServiceId) -> bool {
        self.with_known(|known| {
            let known = known.get(service);
            matches!(known, Some(Known::NoKeyring(_) | Known::NotAnswered(_)))
        })
    }

    /// Keeps credentials, in the keyring where that is possible; tells where.
    pub async fn set(
        &self,
        service: &ServiceId,
        credentials: Credentials,
    ) -> Result<SecretPlace, ErrorInfo> {
        credentials.check()?;
        let mut place = SecretPlace::Memory;
        if let Some(vault) = &self.shared.vault {
            let (entry, sealed) = (service.clone(), Sensitive::new(credentials.sealed()));
            match vault
                .ask(move |vault| vault.write(&entry, sealed.expose()))
                .await
            {
                Ok(()) => place = SecretPlace::Keyring,
                Err(VaultError::TooLong) => {
                    return Err(ErrorInfo::new(
                        ErrorCode::BadRequest,
                        "the credentials are too long for this system's keyring",
                    ));
                }
                Err(error) => {
                    tracing::warn!(%service, %error, "credentials are kept in memory only");
                }
            }
        }
        self.with_known(|known| known.insert(service.clone(), Known::Present(credentials, place)));
        Ok(place)
    }

    /// Forgets a service's credentials, in the keyring too.
    pub async fn forget(&self, service: &ServiceId) -> Result<(), ErrorInfo> {
        if let Some(vault) = &self.shared.vault {
            let entry = service.clone();
            let deleted = vault.ask(move |vault| vault.delete(&entry)).await;
            let in_memory = self.with_known(|known| {
                matches!(
                    known.get(service),
                    Some(Known::Present(_, SecretPlace::Memory))
                )
            });
            match deleted {
                Ok(()) | Err(VaultError::Unavailable(_)) => {}
                Err(error) if in_memory => {
                    tracing::debug!(%service, %error, "the keyring had nothing to forget");
                }
                Err(error) => {
                    return Err(ErrorInfo::new(
                        ErrorCode::KeyringUnavailable,
                        "the credentials could not be removed from the keyring",
                    )
                    .hint("Unlock the keyring and try again.")
                    .detail(error.to_string()));
                }
            }
        }
        self.with_known(|known| known.insert(service.clone(), Known::Absent));
        Ok(())
    }

    /// Whether a keyring can be used; `false` too while it does not answer.
    pub async fn keyring_available(&self) -> bool {
        match &self.shared.vault {
            None => false,
            Some(vault) => vault.ask(|vault| vault.status()).await.is_ok(),
        }
    }

    /// The key that seals configurations, made when there is none yet. `None` without a keyring that
    /// keeps it: what it sealed could not be opened by the next run.
    pub(crate) async fn seal_key(&self) -> Option<SealKey> {
        let vault = self.shared.vault.as_ref()?;
        let mut known = self.shared.seal.lock().await;
        let stale = match &*known {
            None => true,
            Some(Ok(_)) => false,
            Some(Err(at)) => at.elapsed() >= ASK_AGAIN,
        };
        if stale {
            let asked = vault.ask(seal::read_or_make).await;
            *known = Some(asked.map_err(|error| {
                tracing::warn!(%error, "nothing can be sealed");
                Instant::now()
            }));
        }
        known.clone()?.ok()
    }

    async fn look_up(&self, service: &ServiceId) -> Known {
        let known = self.with_known(|known| known.get(service).cloned());
        if let Some(known) = known.filter(|known| !known.is_stale()) {
            return known;
        }
        let found = match &self.shared.vault {
            None => Known::Absent,
            Some(vault) => {
                let entry = service.clone();
                match vault.ask(move |vault| vault.read(&entry)).await {
                    Ok(text) => text
                        .as_ref()
                        .and_then(|text| unsealed(service, text))
                        .map_or(Known::Absent, |credentials| {
                            Known::Present(credentials, SecretPlace::Keyring)
                        }),
                    Err(VaultError::Unavailable(_)) => Known::NoKeyring(Instant::now()),
                    Err(error) => {
                        tracing::warn!(%service, %error, "the keyring does not answer");
                        Known::NotAnswered(Instant::now())
                    }
                }
            }
        };
        self.with_known(|known| {
            // Set or forgotten meanwhile: that is newer than what was read.
            let entry = known
                .entry(service.clone())
                .or_insert_with(|| found.clone());
            if entry.is_stale() {
                *entry = found;
            }
            entry.clone()
        })
    }

    fn with_known<T>(&self, f: impl FnOnce(&mut HashMap<ServiceId, Known>) -> T) -> T {
        f(&mut self
            .shared
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner))
    }
}

fn unsealed(service: &ServiceId, text: &Sensitive<String>) -> Option<Credentials> {
    let read = serde_json::from_str(text.expose());
    if read.is_err() {
        // Not the error itself: it may quote the entry.
        tracing::warn!(%service, "the keyring's entry is none of ours and is not used");
    }
    read.ok()
}

#[cfg(test)]
mod tests;
