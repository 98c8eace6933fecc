//! Start, stop, kill, restart, removal, and what the container does meanwhile.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;

use super::container::{Container, Status, Work};
use super::real;
use super::{Engine, supervisor};
use crate::faults::Fault;
use crate::lock::lock;

/// Why an action was refused, with the engine's status code and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal(pub u16, pub String);

/// How an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    Changed,
    /// 304: it was so already.
    Already,
}

fn gone() -> Refusal {
    Refusal(500, "the engine is shutting down".into())
}

impl Container {
    fn owner(&self) -> Result<Arc<Engine>, Refusal> {
        self.engine.upgrade().ok_or_else(gone)
    }

    pub(crate) async fn start(self: &Arc<Self>) -> Result<Done, Refusal> {
        let _one = self.acting.lock().await;
        self.start_now().await
    }

    async fn start_now(self: &Arc<Self>) -> Result<Done, Refusal> {
        // A container that waits for its policy counts as up already.
        if matches!(
            lock(&self.state).status,
            Status::Running | Status::Restarting
        ) {
            return Ok(Done::Already);
        }
        self.bring_up().await
    }

    /// The restart policy starts what still waits for it.
    pub(crate) async fn start_by_policy(self: &Arc<Self>) {
        let _one = self.acting.lock().await;
        if lock(&self.state).status == Status::Restarting {
            // A start that fails has another fault, which has its own end.
            let _ = self.bring_up().await;
        }
    }

    async fn bring_up(self: &Arc<Self>) -> Result<Done, Refusal> {
        let engine = self.owner()?;
        engine.pace.wait(300.0).await;
        if let Some(text) = self.start_failure(&engine) {
            let mut state = lock(&self.state);
            state.error.clone_from(&text);
            state.code = 128;
            if state.status != Status::Created {
                state.status = Status::Exited;
            }
            return Err(Refusal(500, text));
        }
        self.serve_if_made()?;
        let run = self.fresh_run();
        {
            let mut state = lock(&self.state);
            state.status = Status::Running;
            state.started = Some(Timestamp::now());
            state.code = 0;
            state.oom = false;
            state.error.clear();
            // Only the policy's own restarts are counted.
            state.restarts = 0;
            state.pid = 4_000 + std::process::id() % 9_000;
        }
        engine.events.tell(self, "start", &[]);
        let me = Arc::clone(self);
        let pace = engine.pace;
        let broken = engine.faults.is(Fault::CrashLoop, &self.spec.service);
        engine.tasks.spawn(async move {
            if broken {
                return me.crash_loop().await;
            }
            tokio::select! {
                () = run.cancelled() => {}
                () = me.boot(pace) => {}
            }
        });
        Ok(Done::Changed)
    }

    /// The program of a container that was made through the API takes its port at the first start, and
    /// gives it back when the container goes.
    fn serve_if_made(&self) -> Result<(), Refusal> {
        let (Work::Comfy(comfy), Some(port), Some(_)) =
            (&self.spec.work, self.spec.ports.first(), &self.spec.network)
        else {
            return Ok(());
        };
        if self.serving.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let port = port.host;
        comfy.serve_while(port, self.exists.clone()).map_err(|_| {
            self.serving.store(false, Ordering::Relaxed);
            let text = format!(
                "driver failed programming external connectivity on endpoint {} ({}): Bind for \
                 {port} failed: port is already allocated",
                self.spec.name,
                super::container::hex_id("endpoint")
            );
            lock(&self.state).error.clone_from(&text);
            Refusal(500, text)
        })?;
        Ok(())
    }

    fn start_failure(&self, engine: &Engine) -> Option<String> {
        let service = &self.spec.service;
        if engine.faults.is(Fault::StartFailsPort, service) {
            let port = self.spec.ports.first().map_or(0, |p| p.host.port());
            return Some(format!(
                "driver failed programming external connectivity on endpoint {} ({}): Bind for \
                 0.0.0.0:{port} failed: port is already allocated",
                self.spec.name,
                super::container::hex_id("endpoint")
            ));
        }
        if engine.faults.is(Fault::DiskFull, service) {
            return Some(format!(
                "error creating overlay mount to /var/lib/docker/overlay2/{}/merged: no space left \
                 on device",
                super::container::hex_id(&self.spec.name)
            ));
        }
        engine.faults.is(Fault::StartFailsGpu, service).then(|| {
            "failed to create task for container: failed to create shim task: OCI runtime create \
             failed: runc create failed: unable to start container process: error during container \
             init: error running hook #0: error running hook: exit status 1, stdout: , stderr: \
             Auto-detected mode as 'legacy'\nnvidia-container-cli: initialization error: WSL \
             environment detected but no adapters were found: unknown"
                .to_owned()
        })
    }

    /// What happens inside from PID 1's first line on.
    async fn boot(self: &Arc<Self>, pace: crate::pace::Pace) {
        let log = &self.spec.log;
        log.begin();
        match (&self.spec.work, &self.supervisor) {
            (Work::Forge(forge), Some(programs)) => {
                lock(&self.state).preparing = true;
                if let Some(workspace) = self.workspace() {
                    log.plain("/workspace is a mounted volume");
                    if let Some(disk) = self.disk_of(&workspace) {
                        forge.mount(disk);
                    }
                } else {
                    log.plain("/workspace is not a mounted volume");
                    forge.use_throw_away();
                }
                pace.wait(250.0).await;
                forge.prepare();
                log.file(
                    supervisor::SUPERVISORD_LOG,
                    "INFO supervisord started with pid 42",
                );
                programs.start_sides();
                // The program's script waits for the end of the preparation, yet counts as started.
                programs.spawned(log);
                for (file, line, wait) in [
                    (
                        "/var/log/sync.log",
                        "Skipping sync: .move_complete exists",
                        500.0,
                    ),
                    (
                        "/var/log/preflight.log",
                        "Writing FORGE_ARGS to /etc/forge_args.conf",
                        400.0,
                    ),
                    (
                        "/var/log/provisioning.log",
                        "Provisioning complete:  Web UI will start now",
                        900.0,
                    ),
                ] {
                    pace.wait(wait).await;
                    log.file(file, line);
                }
                lock(&self.state).preparing = false;
                log.plain("Init complete: 2 s");
                programs.run(forge, log, self).await;
            }
            (Work::Comfy(comfy), _) => {
                comfy.mount(real::mounts(self));
                Arc::clone(comfy).launch().await;
            }
            _ => {}
        }
        // PID 1 stays until somebody ends it.
        std::future::pending::<()>().await;
    }

    /// The run is over, and nobody starts another.
    pub(crate) fn end(&self, code: i64, oom: bool) {
        self.end_as(Status::Exited, code, oom);
    }

    /// The run is over and the restart policy begins the next one. As with the engine, nobody sees
    /// the container exited in between.
    pub(crate) fn fall(&self) {
        self.end_as(Status::Restarting, 1, false);
    }

    /// Everything inside is gone.
    fn end_as(&self, status: Status, code: i64, oom: bool) {
        lock(&self.run).cancel();
        match &self.spec.work {
            Work::Forge(forge) => forge.die(),
            Work::Comfy(comfy) => comfy.die(),
            Work::Idle => {}
        }
        if let Some(supervisor) = &self.supervisor {
            supervisor.end();
        }
        {
            let mut state = lock(&self.state);
            state.status = status;
            state.finished = Some(Timestamp::now());
            state.code = code;
            state.oom = oom;
            state.pid = 0;
            state.preparing = false;
        }
        self.ends.send_modify(|count| *count += 1);
        if let Ok(engine) = self.owner() {
            if oom {
                engine.events.tell(self, "oom", &[]);
            }
            engine
                .events
                .tell(self, "die", &[("exitCode", code.to_string())]);
        }
    }

    /// What a program answers SIGTERM with: bash as PID 1 gives 143, a Python server 0.
    fn term_code(&self) -> i64 {
        if matches!(self.spec.work, Work::Forge(_)) {
            143
        } else {
            0
        }
    }

    pub(crate) async fn stop(self: &Arc<Self>, code: Option<i64>) -> Result<Done, Refusal> {
        let _one = self.acting.lock().await;
        self.stop_now(code).await
    }

    async fn stop_now(self: &Arc<Self>, code: Option<i64>) -> Result<Done, Refusal> {
        let engine = self.owner()?;
        self.crashing.end().await;
        let status = lock(&self.state).status;
        if status != Status::Running && status != Status::Restarting {
            return Ok(Done::Already);
        }
        engine.events.tell(self, "kill", &[("signal", "15".into())]);
        if matches!(self.spec.work, Work::Forge(_)) {
            self.spec.log.file(
                supervisor::SUPERVISORD_LOG,
                "WARN received SIGTERM indicating exit request",
            );
        }
        engine.pace.wait(700.0).await;
        self.end(code.unwrap_or_else(|| self.term_code()), false);
        engine.events.tell(self, "stop", &[]);
        Ok(Done::Changed)
    }

    pub(crate) async fn kill(self: &Arc<Self>, signal: &str, oom: bool) -> Result<Done, Refusal> {
        let _one = self.acting.lock().await;
        let engine = self.owner()?;
        if !self.running() {
            let text = format!(
                "Cannot kill container: {}: Container {} is not running",
                self.spec.name,
                self.id()
            );
            return Err(Refusal(409, text));
        }
        let number = match signal.trim_start_matches("SIG") {
            "HUP" | "1" => 1,
            "INT" | "2" => 2,
            "TERM" | "15" => 15,
            "" | "KILL" | "9" => 9,
            "USR1" | "10" => 10,
            other => return Err(Refusal(400, format!("Invalid signal: {other}"))),
        };
        engine
            .events
            .tell(self, "kill", &[("signal", number.to_string())]);
        if number != 10 && number != 1 {
            self.crashing.end().await;
            self.end(
                if number == 15 {
                    self.term_code()
                } else {
                    128 + number
                },
                oom,
            );
        }
        Ok(Done::Changed)
    }

    pub(crate) async fn restart(self: &Arc<Self>) -> Result<Done, Refusal> {
        let _one = self.acting.lock().await;
        let engine = self.owner()?;
        self.stop_now(None).await?;
        self.start_now().await?;
        engine.events.tell(self, "restart", &[]);
        Ok(Done::Changed)
    }

    /// Removes it from the engine's list.
    pub(crate) async fn remove(self: &Arc<Self>, force: bool) -> Result<Done, Refusal> {
        let _one = self.acting.lock().await;
        let engine = self.owner()?;
        if force {
            self.crashing.end().await;
        }
        if self.running() {
            if !force {
                let text = format!(
                    "cannot remove container \"/{}\": container is running: stop the container \
                     before removing or force remove",
                    self.spec.name
                );
                return Err(Refusal(409, text));
            }
            engine.events.tell(self, "kill", &[("signal", "9".into())]);
            self.end(137, false);
        }
        lock(&engine.containers).retain(|c| !Arc::ptr_eq(c, self));
        engine.gone(self);
        self.exists.cancel();
        engine.events.tell(self, "destroy", &[]);
        Ok(Done::Changed)
    }

    /// Puts a removed container back under the same name with a new id, and starts it.
    pub(crate) async fn recreate(self: &Arc<Self>) -> Result<Done, Refusal> {
        self.owner()?;
        if !self.come_back() {
            return Ok(Done::Already);
        }
        self.start().await
    }

    /// Puts a removed container back under the same name with a new id, not started; false when it is
    /// there.
    pub(crate) fn come_back(self: &Arc<Self>) -> bool {
        let Ok(engine) = self.owner() else {
            return false;
        };
        {
            let mut all = lock(&engine.containers);
            if all.iter().any(|c| Arc::ptr_eq(c, self)) {
                return false;
            }
            self.renew();
            all.push(Arc::clone(self));
        }
        engine.of_compose(self);
        engine.events.tell(self, "create", &[]);
        true
    }
}
