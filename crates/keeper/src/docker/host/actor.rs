//! The loop behind a [`super::HostHandle`]: connect, watch, wait, connect again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use forgekeeper_domain::facts::{EngineFact, HostFact, Measured};
use futures_util::StreamExt as _;
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{Asked, HostConfig, HostView, Timings, look::known_id, seek::opened};
use crate::{
    docker::{
        endpoint::ResolvedEndpoint,
        engine::{ConnectFailure, Engine},
        events::EngineEvent,
        follow::{self, StartWatch},
    },
    sys::clock,
};

/// After a reconnect, one more look: events may have slipped between listing and subscribing.
const SECOND_LOOK: Duration = Duration::from_secs(1);

pub(super) struct Actor {
    pub(super) config: HostConfig,
    pub(super) view: HostView,
    views: watch::Sender<Arc<HostView>>,
    engines: watch::Sender<Option<Engine>>,
    asked: Arc<Asked>,
    cancel: CancellationToken,
    pub(super) wanted: Vec<String>,
    visible: bool,
    pub(super) starts: BTreeMap<String, StartWatch>,
    /// The endpoint that answered once. Another engine's containers are never shown in its place.
    pub(super) held: Option<ResolvedEndpoint>,
}

/// Why watching a connection ended.
enum Ended {
    Cancelled,
    /// A stream or question broke; the next attempt to connect tells what is wrong.
    Broken,
    /// The engine does not answer.
    Failed(ConnectFailure),
}

impl Actor {
    pub(super) fn new(
        config: HostConfig,
        view: HostView,
        views: watch::Sender<Arc<HostView>>,
        engines: watch::Sender<Option<Engine>>,
        asked: Arc<Asked>,
        cancel: CancellationToken,
    ) -> Self {
        let wanted = config.wanted.clone();
        Self {
            config,
            view,
            views,
            engines,
            asked,
            cancel,
            wanted,
            visible: true,
            starts: BTreeMap::new(),
            held: None,
        }
    }

    pub(super) async fn run(mut self) {
        let cancel = self.cancel.clone();
        let mut backoff = self.backoff();
        loop {
            let attempt = tokio::select! {
                () = cancel.cancelled() => return,
                attempt = self.connect() => attempt,
            };
            match attempt {
                Ok(engine) => {
                    let since = Instant::now();
                    let ended = self.watch(&engine).await;
                    self.engines.send_replace(None);
                    engine.give_up();
                    self.view.listing_complete = false;
                    match ended {
                        Ended::Cancelled => return,
                        Ended::Failed(failure) => {
                            backoff = self.backoff();
                            self.note_failure(failure);
                        }
                        Ended::Broken if since.elapsed() > self.timings().retry_first => {
                            backoff = self.backoff();
                            continue;
                        }
                        Ended::Broken => {}
                    }
                }
                Err(failure) => self.note_failure(failure),
            }
            if !self.wait(&mut backoff).await {
                return;
            }
        }
    }

    pub(super) fn timings(&self) -> Timings {
        self.config.timings
    }

    fn backoff(&self) -> ExponentialBackoff {
        ExponentialBuilder::default()
            .with_min_delay(self.timings().retry_first)
            .with_max_delay(self.timings().retry_longest)
            .with_jitter()
            .without_max_times()
            .build()
    }

    fn note_failure(&mut self, failure: ConnectFailure) {
        tracing::debug!(host = %self.config.id, fact = ?failure.engine, "engine does not answer");
        let now = clock::now();
        self.view.engine = Some(Measured::new(failure.engine, now));
        self.view.host = Some(Measured::new(failure.host, now));
    }

    /// Waits for the next attempt; false when cancelled.
    async fn wait(&mut self, backoff: &mut ExponentialBackoff) -> bool {
        let mut delay = backoff.next().unwrap_or(self.timings().retry_longest);
        let engine = self.view.engine.as_ref().map(|engine| &engine.value);
        if matches!(engine, Some(EngineFact::TimedOut { .. })) {
            delay = delay.min(self.timings().retry_hung);
        }
        let nobody_there = matches!(
            engine,
            Some(EngineFact::Refused { .. } | EngineFact::NotFound { .. })
        );
        self.view.retry_in_ms = Some(u32::try_from(delay.as_millis()).unwrap_or(u32::MAX));
        self.publish();
        let until = Instant::now() + delay;
        let knock = self.timings().knock;
        let asked = self.asked.clone();
        let doors = if nobody_there {
            self.doors()
        } else {
            Vec::new()
        };
        loop {
            tokio::select! {
                () = self.cancel.cancelled() => return false,
                () = asked.retry.notified() => break,
                () = asked.work.notified() => {
                    self.take_work();
                    self.publish();
                }
                () = tokio::time::sleep_until(until) => break,
                () = opened(&doors, knock), if !doors.is_empty() => break,
            }
        }
        self.view.retry_in_ms = None;
        true
    }

    async fn watch(&mut self, engine: &Engine) -> Ended {
        let timings = self.timings();
        let returning = self.held.is_some();
        self.held = Some(engine.resolved().clone());
        self.view.resolved.clone_from(&self.held);
        self.view.retry_in_ms = None;
        if returning {
            self.starts.values_mut().for_each(StartWatch::after_absence);
        }
        if let Err(failure) = self.ping(engine).await {
            return Ended::Failed(failure);
        }
        let mut events = engine.events();
        self.engines.send_replace(Some(engine.clone()));
        if !self.resync(engine).await {
            return self.broken(engine).await;
        }
        let asked = self.asked.clone();
        let cancel = self.cancel.clone();
        let mut next_ping = Instant::now() + self.ping_every();
        let mut next_resync = Instant::now() + SECOND_LOOK.min(timings.resync);
        let mut touched: BTreeSet<String> = BTreeSet::new();
        let mut gathered_at: Option<Instant> = None;
        loop {
            let gather = gathered_at.unwrap_or(next_ping);
            let good = tokio::select! {
                () = cancel.cancelled() => return Ended::Cancelled,
                event = events.next() => match event {
                    Some(Ok(event)) => {
                        if self.note_event(&event, &mut touched) && gathered_at.is_none() {
                            gathered_at = Some(Instant::now() + timings.gather);
                        }
                        true
                    }
                    Some(Err(error)) => {
                        tracing::debug!(host = %self.config.id, %error, "event stream ended");
                        return self.broken(engine).await;
                    }
                    None => return self.broken(engine).await,
                },
                () = tokio::time::sleep_until(gather), if gathered_at.is_some() => {
                    gathered_at = None;
                    let names = std::mem::take(&mut touched);
                    self.look_at(engine, &names).await
                }
                () = tokio::time::sleep_until(next_resync) => {
                    let good = self.resync(engine).await;
                    next_resync = Instant::now() + self.resync_every();
                    good
                }
                () = asked.work.notified() => {
                    let (all, names) = self.take_work();
                    next_ping = next_ping.min(Instant::now() + self.ping_every());
                    next_resync = next_resync.min(Instant::now() + self.resync_every());
                    if all { self.resync(engine).await } else { self.look_at(engine, &names).await }
                }
                () = asked.retry.notified() => { next_ping = Instant::now(); true }
                () = tokio::time::sleep_until(next_ping) => {
                    if let Err(failure) = self.ping(engine).await {
                        return Ended::Failed(failure);
                    }
                    next_ping = Instant::now() + self.ping_every();
                    true
                }
            };
            if !good {
                // A question broke or went unanswered: ask for a sign of life at once.
                if let Err(failure) = engine.ping(timings.confirm).await {
                    return Ended::Failed(failure);
                }
                next_resync = next_resync.min(Instant::now() + timings.ping);
            }
        }
    }

    /// The event stream ended: either the engine is gone, which a ping tells, or only the stream.
    async fn broken(&self, engine: &Engine) -> Ended {
        match engine.ping(self.timings().confirm).await {
            Ok(_) => Ended::Broken,
            Err(failure) => Ended::Failed(failure),
        }
    }

    fn ping_every(&self) -> Duration {
        if self.visible {
            self.timings().ping
        } else {
            self.timings().ping_hidden
        }
    }

    fn resync_every(&self) -> Duration {
        if self.visible {
            self.timings().resync
        } else {
            self.timings().resync_hidden
        }
    }

    /// One ping, and a second, shorter one before an engine is called hung.
    async fn ping(&mut self, engine: &Engine) -> Result<(), ConnectFailure> {
        let timings = self.timings();
        let cancel = self.cancel.clone();
        let answer = tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            answer = async {
                match engine.ping(timings.deadlines.ping).await {
                    Err(ConnectFailure { engine: EngineFact::TimedOut { .. }, .. }) => {
                        engine.ping(timings.confirm).await
                    }
                    answer => answer,
                }
            } => answer,
        };
        let round_trip = answer?;
        let now = clock::now();
        self.view.engine = Some(Measured::new(engine.answering(round_trip), now));
        self.view.host = Some(Measured::new(HostFact::Reachable, now));
        self.publish();
        Ok(())
    }

    /// Takes over what the handles asked for: whether everything is to be looked at, or which.
    fn take_work(&mut self) -> (bool, BTreeSet<String>) {
        let (wanted, visible, refresh, expected) = {
            let mut asked = self.asked.lock();
            (
                asked.wanted.clone(),
                asked.visible,
                std::mem::take(&mut asked.refresh),
                std::mem::take(&mut asked.expected),
            )
        };
        self.visible = visible;
        for (name, until) in expected {
            self.starts.entry(name).or_default().expect_start(until);
        }
        let changed = wanted != self.wanted;
        if changed {
            self.wanted = wanted;
            self.view
                .containers
                .retain(|name, _| self.wanted.contains(name));
            self.starts.retain(|name, _| self.wanted.contains(name));
            for name in &self.wanted {
                self.view.containers.entry(name.clone()).or_default();
            }
            self.view.listing_complete = false;
        }
        let refresh = refresh
            .into_iter()
            .filter(|name| self.wanted.contains(name))
            .collect();
        (changed, refresh)
    }

    fn note_event(&mut self, event: &EngineEvent, touched: &mut BTreeSet<String>) -> bool {
        let mut any = false;
        for name in &self.wanted {
            let known = self.view.containers.get(name).and_then(known_id);
            if follow::concerns(name, known, event) {
                if event.is_asked_end() {
                    self.starts
                        .entry(name.clone())
                        .or_default()
                        .ended_on_request();
                }
                touched.insert(name.clone());
                any = true;
            }
        }
        any
    }

    pub(super) fn publish(&mut self) {
        self.view.at = clock::now();
        self.views.send_replace(Arc::new(self.view.clone()));
    }
}
