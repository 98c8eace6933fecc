//! What ends and starts again by itself: a container under its restart policy, a program under
//! supervisor. At most one such loop is at work in each, and whoever stops it waits for its end.

use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Engine;
use super::container::{Container, Status, Work};
use super::supervisor::Supervisor;
use crate::faults::Fault;
use crate::lock::lock;
use crate::programs::ProgramState;

/// The place of one loop.
#[derive(Debug, Default)]
pub(crate) struct Loop {
    stop: Mutex<CancellationToken>,
    busy: watch::Sender<bool>,
}

/// Held by a loop for as long as it runs.
pub(crate) struct Held<'a> {
    place: &'a Loop,
    stop: CancellationToken,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.place.busy.send_replace(false);
    }
}

impl Loop {
    /// Takes the place; none while another loop holds it. `life` ends the loop, too.
    fn begin(&self, life: &CancellationToken) -> Option<Held<'_>> {
        let taken = self
            .busy
            .send_if_modified(|busy| !std::mem::replace(busy, true));
        if !taken {
            return None;
        }
        let stop = life.child_token();
        *lock(&self.stop) = stop.clone();
        Some(Held { place: self, stop })
    }

    /// True while a loop is at work.
    pub(crate) fn busy(&self) -> bool {
        *self.busy.borrow()
    }

    /// Asks the loop to end and waits until it has.
    pub(crate) async fn end(&self) {
        let mut busy = self.busy.subscribe();
        if *busy.borrow_and_update() {
            lock(&self.stop).cancel();
            // The sender lives in `self`: waiting ends by the condition alone.
            let _ = busy.wait_for(|busy| !busy).await;
        }
    }
}

impl Container {
    /// Exits at once after every start, again and again, until the fault is lifted, which heals
    /// it, or somebody stops the container.
    ///
    /// Boxed, because a start may begin this loop and the loop ends with a start.
    pub(crate) fn crash_loop(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move { self.crash_until_lifted().await })
    }

    async fn crash_until_lifted(self: &Arc<Self>) {
        let Some(engine) = self.engine.upgrade() else {
            return;
        };
        let lifted = {
            let Some(held) = self.crashing.begin(engine.tasks.token()) else {
                return;
            };
            let lifted = tokio::select! {
                () = held.stop.cancelled() => false,
                () = self.crash_on(&engine) => true,
            };
            if lifted && self.running() {
                self.fall();
            }
            lifted
        };
        if lifted {
            // Once more, and this time it stays.
            self.start_by_policy().await;
        }
    }

    async fn crash_on(&self, engine: &Engine) {
        let service = &self.spec.service;
        let broken = || engine.faults.is(Fault::CrashLoop, service);
        while broken() {
            if self.running() {
                self.spec.log.plain(
                    "/opt/ai-dock/bin/init.sh: line 12: cannot open /etc/forge_args.conf: \
                     Input/output error",
                );
                self.fall();
            }
            engine.pace.wait(700.0).await;
            if !broken() {
                return;
            }
            {
                let mut state = lock(&self.state);
                state.restarts += 1;
                state.status = Status::Running;
                state.started = Some(Timestamp::now());
            }
            engine.events.tell(self, "start", &[]);
            engine.pace.wait(300.0).await;
        }
    }

    /// A container that restarts in a loop under its policy.
    pub(crate) fn looping(&self) -> bool {
        self.crashing.busy()
    }

    /// Forge dies again and again while the container stays up, until the fault is lifted or
    /// somebody stops the program or the container.
    pub(crate) async fn program_loop(self: &Arc<Self>) {
        let (Some(engine), Some(supervisor)) = (self.engine.upgrade(), &self.supervisor) else {
            return;
        };
        // A program on its way up begins its loop when it has come up.
        if supervisor.main().state != ProgramState::Running {
            return;
        }
        let run = lock(&self.run).clone();
        let Some(held) = supervisor.looping.begin(&run) else {
            return;
        };
        tokio::select! {
            () = held.stop.cancelled() => {}
            () = self.die_on(&engine, supervisor) => {}
        }
    }

    async fn die_on(self: &Arc<Self>, engine: &Arc<Engine>, supervisor: &Supervisor) {
        let Work::Forge(forge) = &self.spec.work else {
            return;
        };
        let log = &self.spec.log;
        let broken = || engine.faults.is(Fault::ProgramLoop, &self.spec.service) && self.running();
        while broken() {
            // Long enough to count as a good start: supervisor begins again for ever.
            engine.pace.wait(20_000.0).await;
            if !broken() {
                return;
            }
            forge.die();
            supervisor.cut();
            log.file(
                crate::forge::FORGE_LOG,
                "RuntimeError: CUDA error: unknown error",
            );
            Supervisor::note(log, "INFO exited: forge (exit status 1; not expected)");
            supervisor.set(ProgramState::Backoff, None);
            engine.pace.wait(400.0).await;
            supervisor.spawned(log);
            supervisor.come_up(forge, log, self, engine).await;
        }
    }
}
