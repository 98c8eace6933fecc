//! What this program is doing to steps right now.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use forgekeeper_domain::ids::StepId;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{OwnPlanFile, StepEnd, StepProgress, Steps};

/// A step that this program does or takes back.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    /// Asks it to end.
    pub(crate) cancel: CancellationToken,
    /// How far it is.
    pub(crate) progress: watch::Receiver<Option<StepProgress>>,
    /// How it ended.
    pub(crate) end: watch::Receiver<Option<StepEnd>>,
}

/// The migration of one keeper.
#[derive(Debug)]
pub(crate) struct Migration {
    /// The owner's plan.
    pub(crate) file: OwnPlanFile,
    /// What steps can do.
    pub(crate) steps: Steps,
    live: Mutex<HashMap<StepId, Live>>,
    /// One look at a time: each may ask servers, and none is urgent.
    pub(crate) looking: tokio::sync::Mutex<()>,
    /// Between the question whether something may begin and its beginning.
    pub(crate) beginning: tokio::sync::Mutex<()>,
}

impl Migration {
    pub(crate) fn new(file: OwnPlanFile, steps: Steps) -> Self {
        Self {
            file,
            steps,
            live: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
            beginning: tokio::sync::Mutex::default(),
        }
    }

    /// What this program does to a step, or did last.
    pub(crate) fn live(&self, step: &StepId) -> Option<Live> {
        self.with(|live| live.get(step).cloned())
    }

    /// The same while it has not ended.
    pub(crate) fn running(&self, step: &StepId) -> Option<Live> {
        self.live(step).filter(|live| live.end.borrow().is_none())
    }

    /// Keeps what begins; its end stays readable until the next.
    pub(crate) fn put(&self, step: StepId, live: Live) {
        self.with(|all| all.insert(step, live));
    }

    fn with<T>(&self, f: impl FnOnce(&mut HashMap<StepId, Live>) -> T) -> T {
        f(&mut self.live.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
