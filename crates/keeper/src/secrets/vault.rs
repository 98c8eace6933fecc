//! The keyring on a thread of its own: its calls block, and may wait for a person to unlock it.

use std::{fmt, time::Duration};

use forgekeeper_domain::ids::ServiceId;
use tokio::sync::{mpsc, oneshot};

use super::Sensitive;

/// Name of our entries' service in the keyring; the user is the id of ours.
const ENTRY: &str = "forgekeeper";
/// Name of the entry that holds the key which seals configurations; its service is none of ours.
const SEAL_ENTRY: (&str, &str) = ("forgekeeper configuration guard", "key");
/// A keyring that takes longer waits for a person, or hangs.
const DEADLINE: Duration = Duration::from_secs(3);
/// Questions that may wait.
const QUEUE: usize = 32;

/// Why the keyring gave nothing. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum VaultError {
    /// There is none.
    #[error("no keyring is available: {0}")]
    Unavailable(String),
    /// It did not answer in time.
    #[error("the keyring did not answer within {} s", DEADLINE.as_secs())]
    Slow,
    /// It refused.
    #[error("the keyring refused: {0}")]
    Refused(String),
    /// More than it keeps.
    #[error("too long for the keyring")]
    TooLong,
}

/// A place for secrets; calls may block.
pub(super) trait Vault {
    fn status(&self) -> Result<(), VaultError>;
    fn read(&self, service: &ServiceId) -> Result<Option<Sensitive<String>>, VaultError>;
    fn write(&self, service: &ServiceId, text: &str) -> Result<(), VaultError>;
    fn delete(&self, service: &ServiceId) -> Result<(), VaultError>;
    /// The key that seals configurations, as text; `None` when none was made yet.
    fn read_seal(&self) -> Result<Option<Sensitive<String>>, VaultError>;
    fn write_seal(&self, text: &str) -> Result<(), VaultError>;
}

type Question = Box<dyn FnOnce(&dyn Vault) + Send>;

/// The thread. It ends when this is dropped.
pub(super) struct VaultThread {
    questions: mpsc::Sender<Question>,
}

impl fmt::Debug for VaultThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VaultThread")
    }
}

impl VaultThread {
    /// `None` when the system has no thread left.
    pub(super) fn start(open: impl FnOnce() -> Box<dyn Vault> + Send + 'static) -> Option<Self> {
        let (questions, mut asked) = mpsc::channel::<Question>(QUEUE);
        let thread = std::thread::Builder::new()
            .name("keyring".to_owned())
            .spawn(move || {
                let vault = open();
                while let Some(question) = asked.blocking_recv() {
                    question(&*vault);
                }
            });
        if let Err(error) = thread {
            tracing::error!(%error, "the keyring's thread cannot be started");
            return None;
        }
        Some(Self { questions })
    }

    /// Asks, and waits for the answer no longer than the deadline.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Vault) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, VaultError> {
        let (answer, answered) = oneshot::channel();
        let question: Question = Box::new(move |vault| {
            // Nobody waits any more: a question asked behind a hung one is not carried out late.
            if !answer.is_closed() {
                let _ = answer.send(question(vault));
            }
        });
        self.questions
            .try_send(question)
            .map_err(|_| VaultError::Slow)?;
        match tokio::time::timeout(DEADLINE, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(VaultError::Unavailable("its thread has ended".to_owned())),
            Err(_) => Err(VaultError::Slow),
        }
    }
}

/// The operating system's keyring.
pub(super) struct Keyring;

impl Keyring {
    fn entry(service: &ServiceId) -> Result<keyring::Entry, VaultError> {
        keyring::Entry::new(ENTRY, service.as_str()).map_err(|error| typed(&error))
    }

    fn seal() -> Result<keyring::Entry, VaultError> {
        let (service, user) = SEAL_ENTRY;
        keyring::Entry::new(service, user).map_err(|error| typed(&error))
    }
}

impl Vault for Keyring {
    fn status(&self) -> Result<(), VaultError> {
        match keyring::Entry::store_status() {
            Ok(()) => Ok(()),
            Err(error) => Err(VaultError::Unavailable(words(error))),
        }
    }

    fn read(&self, service: &ServiceId) -> Result<Option<Sensitive<String>>, VaultError> {
        match Self::entry(service)?.get_password() {
            Ok(text) => Ok(Some(Sensitive::new(text))),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(error) => Err(typed(&error)),
        }
    }

    fn write(&self, service: &ServiceId, text: &str) -> Result<(), VaultError> {
        Self::entry(service)?
            .set_password(text)
            .map_err(|error| typed(&error))
    }

    fn delete(&self, service: &ServiceId) -> Result<(), VaultError> {
        match Self::entry(service)?.delete_credential() {
            Ok(()) | Err(keyring::Error::NoEntry) => Ok(()),
            Err(error) => Err(typed(&error)),
        }
    }

    fn read_seal(&self) -> Result<Option<Sensitive<String>>, VaultError> {
        match Self::seal()?.get_password() {
            Ok(text) => Ok(Some(Sensitive::new(text))),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(error) => Err(typed(&error)),
        }
    }

    fn write_seal(&self, text: &str) -> Result<(), VaultError> {
        Self::seal()?
            .set_password(text)
            .map_err(|error| typed(&error))
    }
}

fn typed(error: &keyring::Error) -> VaultError {
    match error {
        keyring::Error::NoDefaultStore => VaultError::Unavailable(words(error)),
        keyring::Error::TooLong(..) => VaultError::TooLong,
        _ => VaultError::Refused(words(error)),
    }
}

/// The error in words; those that carry the entry's bytes are named only.
fn words(error: &keyring::Error) -> String {
    match error {
        keyring::Error::BadEncoding(_) | keyring::Error::BadDataFormat(..) => {
            "the entry is not readable".to_owned()
        }
        keyring::Error::NoDefaultStore => "this system offers none".to_owned(),
        keyring::Error::Ambiguous(_) => "there are several entries of the same name".to_owned(),
        error => error.to_string(),
    }
}
