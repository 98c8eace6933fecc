//! One step being done: its progress, its end, and what it remembers.

use std::sync::{Arc, Mutex, PoisonError};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    migration::Words,
};
use futures_util::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Most that a step may remember, in bytes of JSON.
const MAX_MEMORY: usize = 256 * 1024;

/// How far a step is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct StepProgress {
    /// What is done now.
    pub doing: Words,
    /// Of a hundred, where that can be told.
    pub percent: Option<u8>,
}

/// Stores what a step remembers; it is safe once this returns.
pub(crate) type Keep =
    Box<dyn Fn(Value) -> BoxFuture<'static, Result<(), ErrorInfo>> + Send + Sync>;

/// A step being done or taken back.
pub struct StepRun {
    /// Cancelled when somebody wants it to end, and when the program does. The step ends where that
    /// leaves nothing broken, with [`StepRun::cancelled`].
    pub cancel: CancellationToken,
    progress: watch::Sender<Option<StepProgress>>,
    memory: Arc<Mutex<Option<Value>>>,
    keep: Keep,
}

impl std::fmt::Debug for StepRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StepRun")
    }
}

impl StepRun {
    /// A run that begins, with what an earlier one remembered.
    pub(crate) fn new(cancel: CancellationToken, memory: Option<Value>, keep: Keep) -> Self {
        Self {
            cancel,
            progress: watch::channel(None).0,
            memory: Arc::new(Mutex::new(memory)),
            keep,
        }
    }

    /// Its progress.
    pub(crate) fn progress(&self) -> watch::Receiver<Option<StepProgress>> {
        self.progress.subscribe()
    }

    /// Tells what is done now.
    pub fn say(&self, doing: Words, percent: Option<u8>) {
        let percent = percent.map(|percent| percent.min(100));
        self.progress
            .send_replace(Some(StepProgress { doing, percent }));
    }

    /// Stores what it takes to go on or to take back what comes next, in place of what was remembered
    /// before. To be called before doing it; nothing is to be done if this fails.
    pub async fn remember(&self, what: &impl Serialize) -> Result<(), ErrorInfo> {
        let value = serde_json::to_value(what).map_err(|error| unkept(&error.to_string()))?;
        if value.to_string().len() > MAX_MEMORY {
            return Err(unkept("it is too large"));
        }
        (self.keep)(value.clone()).await?;
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        Ok(())
    }

    /// What was remembered last, in this run or in the one before; `None` also where it has another
    /// form than this version of the program writes.
    pub fn remembered<T: DeserializeOwned>(&self) -> Option<T> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        serde_json::from_value(memory.clone()?).ok()
    }

    /// The error of a step that was asked to end.
    pub fn cancelled() -> ErrorInfo {
        ErrorInfo::new(ErrorCode::Cancelled, "the step was asked to end")
    }

    /// An error once somebody wants it to end.
    pub fn go_on(&self) -> Result<(), ErrorInfo> {
        if self.cancel.is_cancelled() {
            return Err(Self::cancelled());
        }
        Ok(())
    }
}

fn unkept(why: &str) -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::Internal,
        "what the step has to remember cannot be kept",
    )
    .detail(why)
}
