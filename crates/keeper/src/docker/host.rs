//! One host: its engine and the containers wanted on it, watched for ever.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use forgekeeper_domain::{
    Timestamp,
    container::ContainerSnapshot,
    facts::{ContainerFact, EngineFact, HostFact, Measured, RecentStarts},
    ids::HostId,
};
use tokio::sync::{Notify, watch};
use tokio_util::sync::DropGuard;

use super::{
    endpoint::{Env, ResolvedEndpoint},
    engine::{Deadlines, Engine},
};
use crate::sys::{clock, tasks::Tasks};

mod actor;
mod feed;
mod look;
mod seek;

/// How often and how long. Tests shrink them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// Between two pings while somebody looks.
    pub ping: Duration,
    /// Between two pings while nobody looks.
    pub ping_hidden: Duration,
    /// Deadline of the second ping, after one went unanswered.
    pub confirm: Duration,
    /// Between two full listings while somebody looks.
    pub resync: Duration,
    /// Between two full listings while nobody looks.
    pub resync_hidden: Duration,
    /// How long events are gathered before containers are inspected.
    pub gather: Duration,
    /// First wait before connecting again.
    pub retry_first: Duration,
    /// Longest wait before connecting again.
    pub retry_longest: Duration,
    /// Longest wait while somebody is there, hung or starting: its return makes no sound.
    pub retry_hung: Duration,
    /// Longest wait while a reachable machine refuses: its engine is back within ten seconds of
    /// its return (`faults.md`) though nobody can be heard knocking from here.
    pub retry_refused: Duration,
    /// Between two looks whether anybody listens on a local socket of a stopped engine.
    pub knock: Duration,
    /// How long an unasked start is remembered.
    pub starts_window: Duration,
    /// Deadlines of single questions.
    pub deadlines: Deadlines,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            ping: Duration::from_secs(2),
            ping_hidden: Duration::from_secs(5),
            confirm: Duration::from_secs(1),
            resync: Duration::from_secs(15),
            // Events tell of changes; verdicts fade after 90 s.
            resync_hidden: Duration::from_mins(1),
            gather: Duration::from_millis(60),
            retry_first: Duration::from_secs(1),
            retry_longest: Duration::from_secs(30),
            retry_hung: Duration::from_secs(4),
            retry_refused: Duration::from_secs(8),
            knock: Duration::from_secs(1),
            starts_window: Duration::from_mins(15),
            deadlines: Deadlines::default(),
        }
    }
}

/// What to watch.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// Its id.
    pub id: HostId,
    /// The engine setting: `auto`, `context:NAME`, an address.
    pub engine: String,
    /// Environment that `auto` looks at.
    pub env: Env,
    /// Container names, or compose `project/service`, to follow.
    pub wanted: Vec<String>,
    /// How often and how long.
    pub timings: Timings,
}

impl HostConfig {
    /// With the environment of this process and the usual timings.
    pub fn new(id: HostId, engine: impl Into<String>, wanted: Vec<String>) -> Self {
        let (env, timings) = (Env::of_process(), Timings::default());
        Self {
            id,
            engine: engine.into(),
            env,
            wanted,
            timings,
        }
    }
}

/// A followed container.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WatchedContainer {
    /// As last seen; `None` before the first complete look.
    pub fact: Option<Measured<ContainerFact>>,
    /// Why the engine did not tell about it when last asked; `None` when it did.
    pub unread: Option<Measured<String>>,
    /// Starts that nobody asked for.
    pub starts: RecentStarts,
}

impl WatchedContainer {
    /// The container as last seen, when it existed then.
    pub fn present(&self) -> Option<&ContainerSnapshot> {
        match &self.fact.as_ref()?.value {
            ContainerFact::Present(container) => Some(container),
            ContainerFact::Missing { .. } | ContainerFact::NotMeasurable { .. } => None,
        }
    }
}

/// What is known of a host. Old facts stay, with their times, while the engine is away.
#[derive(Debug, Clone, PartialEq)]
pub struct HostView {
    /// Its id.
    pub id: HostId,
    /// When this view was made.
    pub at: Timestamp,
    /// The endpoint in use, or tried last.
    pub resolved: Option<ResolvedEndpoint>,
    /// The engine; `None` before the first attempt ended.
    pub engine: Option<Measured<EngineFact>>,
    /// The machine; `None` before the first attempt ended.
    pub host: Option<Measured<HostFact>>,
    /// Followed containers by the name they were asked for.
    pub containers: BTreeMap<String, WatchedContainer>,
    /// Every followed container was looked at on the present connection.
    pub listing_complete: bool,
    /// What is wrong with the engine although it answers: it announces no events, so that changes
    /// are seen late.
    pub trouble: Option<String>,
    /// Milliseconds from `at` to the next attempt to connect, while not connected.
    pub retry_in_ms: Option<u32>,
}

impl HostView {
    /// Whether the engine answered when last asked.
    pub fn answers(&self) -> bool {
        self.engine
            .as_ref()
            .is_some_and(|e| matches!(e.value, EngineFact::Answering { .. }))
    }

    /// A followed container as last seen, or why it cannot be seen.
    pub fn container_fact(&self, name: &str) -> Option<Measured<ContainerFact>> {
        let watched = self.containers.get(name)?;
        match &watched.unread {
            Some(unread) => Some(Measured::new(
                ContainerFact::NotMeasurable {
                    reason: unread.value.clone(),
                },
                unread.at,
            )),
            None => watched.fact.clone(),
        }
    }

    /// What the engine calls a followed container: compose's `project/service`, and the names that
    /// its two versions give, differ from what was asked for. `None` while that is not known.
    pub fn real_name(&self, wanted: &str) -> Option<String> {
        let present = self.containers.get(wanted).and_then(|c| c.present());
        match present {
            Some(container) => Some(container.name.clone()),
            None => (!wanted.contains('/')).then(|| wanted.to_owned()),
        }
    }

    /// Its starts that nobody asked for.
    pub fn unasked_starts(&self, name: &str) -> RecentStarts {
        self.containers
            .get(name)
            .map(|c| c.starts.clone())
            .unwrap_or_default()
    }
}

/// The watcher of one host; see [`HostHandle`].
#[derive(Debug)]
pub struct HostActor;

impl HostActor {
    /// Starts watching; ends when the last handle is dropped or the tasks are shut down.
    pub fn spawn(tasks: &Tasks, config: HostConfig) -> HostHandle {
        let cancel = tasks.token().child_token();
        let view = HostView {
            id: config.id.clone(),
            at: clock::now(),
            resolved: None,
            engine: None,
            host: None,
            containers: config
                .wanted
                .iter()
                .map(|name| (name.clone(), WatchedContainer::default()))
                .collect(),
            listing_complete: false,
            trouble: None,
            retry_in_ms: None,
        };
        let (view_sender, view_receiver) = watch::channel(Arc::new(view.clone()));
        let (engine_sender, engine_receiver) = watch::channel(None);
        let asked = Arc::new(Asked::default());
        asked.lock().visible = true;
        asked.lock().wanted.clone_from(&config.wanted);
        let actor = actor::Actor::new(
            config,
            view,
            view_sender,
            engine_sender,
            asked.clone(),
            cancel.clone(),
        );
        tasks.spawn("host", actor.run());
        HostHandle {
            view: view_receiver,
            engine: engine_receiver,
            asked,
            _stop: Arc::new(cancel.drop_guard()),
        }
    }
}

/// Reads what the watcher knows and tells it what to do. Clones share one watcher.
#[derive(Debug, Clone)]
pub struct HostHandle {
    view: watch::Receiver<Arc<HostView>>,
    engine: watch::Receiver<Option<Engine>>,
    asked: Arc<Asked>,
    _stop: Arc<DropGuard>,
}

impl HostHandle {
    /// What is known, and every change of it.
    pub fn view(&self) -> watch::Receiver<Arc<HostView>> {
        self.view.clone()
    }

    /// What the engine calls a followed container now; see [`HostView::real_name`].
    pub fn real_name(&self, wanted: &str) -> Option<String> {
        self.view.borrow().real_name(wanted)
    }

    /// The connected engine; `None` while it does not answer.
    pub fn engine(&self) -> Option<Engine> {
        self.engine.borrow().clone()
    }

    /// Each connection as it comes and goes: for streams that must be opened again.
    pub fn engines(&self) -> watch::Receiver<Option<Engine>> {
        self.engine.clone()
    }

    /// Connects at once instead of waiting, or pings at once when connected.
    pub fn retry_now(&self) {
        self.asked.retry.notify_one();
    }

    /// The containers that are to be followed, in the order of their asking.
    pub fn wanted(&self) -> Vec<String> {
        self.asked.lock().wanted.clone()
    }

    /// Follows these containers from now on.
    pub fn want(&self, names: Vec<String>) {
        self.asked.lock().wanted = names;
        self.asked.work.notify_one();
    }

    /// Inspects one followed container at once.
    pub fn refresh(&self, name: &str) {
        self.asked.lock().refresh.insert(name.to_owned());
        self.asked.work.notify_one();
    }

    /// Whether somebody looks; questions are asked less often when nobody does.
    pub fn set_visible(&self, visible: bool) {
        self.asked.lock().visible = visible;
        self.asked.work.notify_one();
    }

    /// Says before an action of ours that the container's next start within this time is asked
    /// for, so that it does not count as a crash.
    pub fn expect_start(&self, name: &str, within: Duration) {
        let until = clock::now() + jiff::SignedDuration::try_from(within).unwrap_or_default();
        self.asked.lock().expected.insert(name.to_owned(), until);
        self.asked.work.notify_one();
    }
}

/// What the handles ask of the watcher.
#[derive(Debug, Default)]
struct Asked {
    retry: Notify,
    work: Notify,
    inner: Mutex<AskedInner>,
}

#[derive(Debug, Default)]
struct AskedInner {
    wanted: Vec<String>,
    visible: bool,
    refresh: BTreeSet<String>,
    expected: BTreeMap<String, Timestamp>,
}

impl Asked {
    fn lock(&self) -> MutexGuard<'_, AskedInner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
