//! The loop behind a [`super::HostHandle`]: connect, watch, wait, connect again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use forgekeeper_domain::facts::{EngineFact, HostFact, Measured};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Asked, HostConfig, HostView, Timings,
    feed::{Fed, Feed},
    look::{Looks, known_id},
    seek::opened,
};
use crate::{
    docker::{
        endpoint::ResolvedEndpoint,
        engine::{ConnectFailure, Engine, Shared},
        error::DockerError,
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
    /// Wanted containers seen on the present connection.
    pub(super) looked: BTreeSet<String>,
    pub(super) shared: Shared,
    /// At the last attempt somebody took the connection, though no engine answered.
    somebody_there: bool,
    /// The endpoint that answered once. Another engine's containers are never shown in its place.
    pub(super) held: Option<ResolvedEndpoint>,
}

/// Why watching a connection ended.
enum Ended {
    /// The event stream broke after so long; the next attempt to connect tells what is wrong.
    Broken { lived: Duration },
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
        let shared = Shared {
            cancel: cancel.clone(),
            ..Shared::default()
        };
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
            looked: BTreeSet::new(),
            shared,
            somebody_there: false,
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
                    // Whatever is being asked at that moment: a shutdown does not wait for it.
                    let ended = tokio::select! {
                        () = cancel.cancelled() => return,
                        ended = self.watch(&engine) => ended,
                    };
                    self.engines.send_replace(None);
                    engine.give_up();
                    self.view.listing_complete = false;
                    match ended {
                        Ended::Failed(failure) => {
                            backoff = self.backoff();
                            self.note_failure(failure);
                        }
                        Ended::Broken { lived } if lived > self.timings().retry_first => {
                            backoff = self.backoff();
                            continue;
                        }
                        Ended::Broken { .. } => {}
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
            .without_max_times()
            .build()
    }

    fn note_failure(&mut self, failure: ConnectFailure) {
        tracing::debug!(host = %self.config.id, fact = ?failure.engine, "engine does not answer");
        let now = clock::now();
        self.view.trouble = None;
        self.view.engine = Some(Measured::new(failure.engine, now));
        self.view.host = Some(Measured::new(failure.host, now));
        self.somebody_there = failure.somebody_there;
    }

    /// The longest wait that keeps what is promised for this kind of absence.
    fn longest_wait(&self) -> Duration {
        let timings = self.timings();
        let engine = self.view.engine.as_ref().map(|engine| &engine.value);
        let reachable = self
            .view
            .host
            .as_ref()
            .is_none_or(|host| matches!(host.value, HostFact::Reachable));
        match engine {
            Some(EngineFact::TimedOut { .. }) => timings.retry_hung,
            Some(EngineFact::Refused { .. }) if self.somebody_there => timings.retry_hung,
            Some(EngineFact::Refused { .. }) if reachable => timings.retry_refused,
            _ => timings.retry_longest,
        }
    }

    /// Waits for the next attempt; false when cancelled.
    async fn wait(&mut self, backoff: &mut ExponentialBackoff) -> bool {
        let delay = backoff.next().unwrap_or(self.timings().retry_longest);
        let delay = jittered(delay.min(self.longest_wait()), chance());
        let engine = self.view.engine.as_ref().map(|engine| &engine.value);
        let nobody_there = !self.somebody_there
            && matches!(
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
        self.engines.send_replace(Some(engine.clone()));
        self.looked.clear();
        let mut looks = Looks::new(engine.clone());
        looks.at(self.wanted.iter().cloned());
        let mut feed = Feed::new(engine.clone(), timings.retry_first, timings.retry_longest);
        let asked = self.asked.clone();
        let mut next_ping = Instant::now() + self.ping_every();
        let mut next_resync = Instant::now() + SECOND_LOOK.min(timings.resync);
        let mut touched: BTreeSet<String> = BTreeSet::new();
        let mut gathered_at: Option<Instant> = None;
        loop {
            let gather = gathered_at.unwrap_or(next_ping);
            tokio::select! {
                fed = feed.next() => match fed {
                    Fed::Event(event) => {
                        if self.note_event(&event, &mut touched) && gathered_at.is_none() {
                            gathered_at = Some(Instant::now() + timings.gather);
                        }
                    }
                    Fed::Refused(error) => {
                        self.note_trouble(&error);
                        next_resync = next_resync.min(Instant::now() + self.ping_every());
                    }
                    Fed::Broken(error) => {
                        let lived = feed.lived();
                        // Either the engine is gone, which a ping tells, or only the stream.
                        if let Err(failure) = self.ping(engine).await {
                            return Ended::Failed(failure);
                        }
                        self.note_trouble(&error);
                        return Ended::Broken { lived };
                    }
                },
                looked = looks.next() => if let Some((names, error)) = self.take_look(&mut looks, looked) {
                    // A question broke or went unanswered: ask for a sign of life at once.
                    if error.is_connection() && let Err(failure) = self.ping(engine).await {
                        return Ended::Failed(failure);
                    }
                    self.note_unread(&names, &error);
                },
                () = tokio::time::sleep_until(gather), if gathered_at.is_some() => {
                    gathered_at = None;
                    looks.at(std::mem::take(&mut touched));
                }
                () = tokio::time::sleep_until(next_resync) => {
                    looks.at_idle(&self.wanted);
                    // Without announcements changes are seen by looking alone.
                    next_resync = Instant::now() + if feed.open_for().is_some() {
                        self.resync_every()
                    } else {
                        self.ping_every()
                    };
                }
                () = asked.work.notified() => {
                    let hidden = !self.visible;
                    let (all, names) = self.take_work();
                    next_ping = next_ping.min(Instant::now() + self.ping_every());
                    next_resync = next_resync.min(Instant::now() + self.resync_every());
                    if all || hidden && self.visible {
                        looks.at_idle(&self.wanted);
                    } else {
                        looks.at(names);
                    }
                }
                () = asked.retry.notified() => next_ping = Instant::now(),
                () = tokio::time::sleep_until(next_ping) => {
                    if feed.open_for().is_some_and(|open| open > timings.retry_first) {
                        self.view.trouble = None;
                    }
                    if let Err(failure) = self.ping(engine).await {
                        return Ended::Failed(failure);
                    }
                    next_ping = Instant::now() + self.ping_every();
                }
            }
        }
    }

    fn note_trouble(&mut self, error: &DockerError) {
        tracing::debug!(host = %self.config.id, %error, "no event stream");
        self.view.trouble = Some(error.to_string());
        self.publish();
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

    /// One ping, and a second, shorter one before an engine is called hung; over SSH a single one
    /// that may take a login.
    async fn ping(&mut self, engine: &Engine) -> Result<(), ConnectFailure> {
        let timings = self.timings();
        let answer = match engine.ping(timings.deadlines.ping).await {
            Err(ConnectFailure {
                engine: EngineFact::TimedOut { .. },
                ..
            }) if !engine.resolved().endpoint.is_ssh() => engine.ping(timings.confirm).await,
            answer => answer,
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
            self.looked.retain(|name| self.wanted.contains(name));
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

/// A wait between half and the whole of the longest that is allowed, so that many watchers of one
/// engine do not come back in step. `chance` is between 0 and 1.
fn jittered(longest: Duration, chance: f64) -> Duration {
    longest.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0))
}

fn chance() -> f64 {
    f64::from(uuid::Uuid::new_v4().as_fields().0) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_wait_is_longer_than_allowed_and_none_shorter_than_half() {
        let longest = Duration::from_secs(30);
        assert_eq!(jittered(longest, 1.0), longest);
        assert_eq!(jittered(longest, 0.0), longest / 2);
        for _ in 0..100 {
            let wait = jittered(longest, chance());
            assert!((longest / 2..=longest).contains(&wait), "{wait:?}");
        }
    }
}
