//! The process supervisor of the ai-dock image: programs, their states, and its own log.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::container::{Container, Work};
use crate::faults::Fault;
use crate::forge::Forge;
use crate::lock::lock;
use crate::logbook::Logbook;
use crate::pace::Pace;

pub(crate) const SUPERVISORD_LOG: &str = "/var/log/supervisor/supervisor.log";
const START_SECONDS: f64 = 5_000.0;

/// Programs beside Forge, with their usual state.
const SIDES: &[(&str, bool)] = &[
    ("caddy", true),
    ("cf_tunnel", false),
    ("jupyter", true),
    ("logtail", true),
    ("serviceportal", true),
    ("sshd", true),
    ("storagemonitor", true),
    ("syncthing", true),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProgramState {
    Stopped,
    Starting,
    Running,
    Backoff,
    Fatal,
}

#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub state: ProgramState,
    pub since: Option<Timestamp>,
    pub pid: u32,
}

/// Supervisor inside one container.
#[derive(Debug)]
pub(crate) struct Supervisor {
    main: watch::Sender<Program>,
    sides: Mutex<Option<Timestamp>>,
    run: Mutex<CancellationToken>,
}

fn clock() -> String {
    Timestamp::now()
        .strftime("%Y-%m-%d %H:%M:%S,%3f")
        .to_string()
}

/// `1 day, 2:03:04` or `20:58:41`, as supervisor writes uptimes.
fn uptime(since: Timestamp) -> String {
    let seconds = Timestamp::now().duration_since(since).as_secs().max(0);
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60);
    match days {
        0 => clock,
        1 => format!("1 day, {clock}"),
        n => format!("{n} days, {clock}"),
    }
}

impl Supervisor {
    pub(crate) fn new() -> Self {
        let idle = Program {
            state: ProgramState::Stopped,
            since: None,
            pid: 0,
        };
        Self {
            main: watch::Sender::new(idle),
            sides: Mutex::default(),
            run: Mutex::default(),
        }
    }

    pub(crate) fn be_old(&self, since: Timestamp) {
        *lock(&self.sides) = Some(since);
        self.set(ProgramState::Running, Some(since));
    }

    pub(crate) fn start_sides(&self) {
        *lock(&self.sides) = Some(Timestamp::now());
    }

    pub(crate) fn end(&self) {
        lock(&self.run).cancel();
        *lock(&self.sides) = None;
        self.set(ProgramState::Stopped, None);
    }

    pub(crate) fn main(&self) -> Program {
        self.main.borrow().clone()
    }

    fn set(&self, state: ProgramState, since: Option<Timestamp>) {
        self.main.send_modify(|main| {
            if state == ProgramState::Starting {
                main.pid = 300 + (main.pid + 111) % 30_000;
            } else if main.pid == 0 {
                main.pid = 312;
            }
            main.state = state;
            main.since = since;
        });
    }

    fn note(log: &Logbook, text: &str) {
        log.file(SUPERVISORD_LOG, &format!("{} {text}", clock()));
    }

    /// The program's script was started; it counts as starting from here.
    pub(crate) fn spawned(&self, log: &Logbook) {
        self.set(ProgramState::Starting, Some(Timestamp::now()));
        Self::note(
            log,
            &format!("INFO spawned: 'forge' with pid {}", self.main().pid),
        );
    }

    /// Lets a spawned program start, waits until supervisor calls it running, and returns then.
    pub(crate) async fn run(
        &self,
        forge: Arc<Forge>,
        log: &Arc<Logbook>,
        pace: Pace,
        container: &Arc<Container>,
    ) {
        let Some(engine) = container.engine.upgrade() else {
            return;
        };
        if engine
            .faults
            .is(Fault::ProgramFatal, &container.spec.service)
        {
            self.go_fatal(&forge, log);
            return;
        }
        let token = lock(&container.run).child_token();
        *lock(&self.run) = token.clone();
        let (program, stop) = (Arc::clone(&forge), token.clone());
        engine.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = program.launch(1.0) => {}
            }
        });
        tokio::select! {
            () = token.cancelled() => return,
            () = pace.wait(START_SECONDS) => {}
        }
        let since = self.main().since;
        self.set(ProgramState::Running, since);
        Self::note(
            log,
            "INFO success: forge entered RUNNING state, process has stayed up for > than 5 seconds (startsecs)",
        );
        if engine
            .faults
            .is(Fault::ProgramLoop, &container.spec.service)
        {
            let me = Arc::clone(container);
            engine.tasks.spawn(async move { me.program_loop().await });
        }
    }

    /// Four quick deaths: supervisor gives up.
    pub(crate) fn go_fatal(&self, forge: &Forge, log: &Logbook) {
        lock(&self.run).cancel();
        forge.die();
        Self::note(log, "INFO exited: forge (exit status 1; not expected)");
        Self::note(
            log,
            "INFO gave up: forge entered FATAL state, too many start retries too quickly",
        );
        self.set(ProgramState::Fatal, None);
    }

    fn line(&self, name: &str) -> Option<(String, bool)> {
        if name == "forge" {
            let main = self.main();
            let (word, detail) = match (main.state, main.since) {
                (ProgramState::Running, Some(since)) => (
                    "RUNNING",
                    format!("pid {}, uptime {}", main.pid, uptime(since)),
                ),
                (ProgramState::Running, None) => ("RUNNING", format!("pid {}", main.pid)),
                (ProgramState::Starting, _) => ("STARTING", String::new()),
                (ProgramState::Backoff, _) => (
                    "BACKOFF",
                    "Exited too quickly (process log may have details)".to_owned(),
                ),
                (ProgramState::Fatal, _) => (
                    "FATAL",
                    "Exited too quickly (process log may have details)".to_owned(),
                ),
                (ProgramState::Stopped, _) => (
                    "STOPPED",
                    Timestamp::now().strftime("%b %d %I:%M %p").to_string(),
                ),
            };
            let running = main.state == ProgramState::Running;
            return Some((format!("{name:<32} {word:<9} {detail}"), running));
        }
        let (index, (_, on)) = SIDES
            .iter()
            .enumerate()
            .find(|(_, (side, _))| *side == name)?;
        let since = *lock(&self.sides);
        Some(match since {
            Some(since) if *on => (
                format!(
                    "{name:<32} {:<9} pid {}, uptime {}",
                    "RUNNING",
                    58 + index,
                    uptime(since)
                ),
                true,
            ),
            _ => (format!("{name:<32} {:<9} Not started", "STOPPED"), false),
        })
    }

    /// `supervisorctl status [NAME…]`: the text and the exit code.
    pub(crate) fn status(&self, names: &[&str]) -> (String, i64) {
        let mut all: Vec<&str> = SIDES
            .iter()
            .map(|(name, _)| *name)
            .chain(["forge"])
            .collect();
        all.sort_unstable();
        let asked = if names.is_empty() || names == ["all"] {
            &all
        } else {
            names
        };
        let (mut text, mut code) = (String::new(), 0);
        for name in asked {
            if let Some((line, running)) = self.line(name) {
                let _ = writeln!(text, "{}", line.trim_end());
                if !running && code == 0 {
                    code = 3;
                }
            } else {
                let _ = writeln!(text, "{name}: ERROR (no such process)");
                code = 4;
            }
        }
        (text, code)
    }

    fn knows(name: &str) -> bool {
        name == "forge" || name == "all" || SIDES.iter().any(|(side, _)| *side == name)
    }

    /// `supervisorctl start|stop|restart NAME`: the text and the exit code, after it is done.
    pub(crate) async fn act(
        &self,
        verb: &str,
        name: &str,
        container: &Arc<Container>,
    ) -> (String, i64) {
        if !Self::knows(name) {
            return (format!("{name}: ERROR (no such process)\n"), 1);
        }
        let (Work::Forge(forge), Some(engine)) = (&container.spec.work, container.engine.upgrade())
        else {
            return (format!("{name}: ERROR (no such process)\n"), 1);
        };
        let log = &container.spec.log;
        let mut text = String::new();
        let mut code = 0;
        if name != "forge" {
            // The side programs have no behaviour of their own.
            for word in if verb == "restart" {
                vec!["stopped", "started"]
            } else {
                vec![if verb == "stop" { "stopped" } else { "started" }]
            } {
                let _ = writeln!(text, "{name}: {word}");
            }
            return (text, 0);
        }
        if verb == "stop" || verb == "restart" {
            let was = self.main().state;
            if matches!(
                was,
                ProgramState::Running | ProgramState::Starting | ProgramState::Backoff
            ) {
                Self::note(log, "INFO waiting for forge to stop");
                engine.pace.wait(500.0).await;
                lock(&self.run).cancel();
                forge.die();
                self.set(ProgramState::Stopped, None);
                Self::note(log, "INFO stopped: forge (terminated by SIGTERM)");
                text.push_str("forge: stopped\n");
            } else {
                text.push_str("forge: ERROR (not running)\n");
                code = i64::from(verb == "stop");
            }
        }
        if verb == "start" || verb == "restart" {
            if matches!(
                self.main().state,
                ProgramState::Running | ProgramState::Starting
            ) {
                text.push_str("forge: ERROR (already started)\n");
                return (text, 1);
            }
            self.spawned(log);
            self.run(Arc::clone(forge), log, engine.pace, container)
                .await;
            if self.main().state == ProgramState::Running {
                text.push_str("forge: started\n");
                code = 0;
            } else {
                text.push_str("forge: ERROR (spawn error)\n");
                code = 7;
            }
        }
        (text, code)
    }
}

impl Container {
    /// Forge dies again and again while the container stays up.
    pub(crate) async fn program_loop(self: &Arc<Self>) {
        let (Some(engine), Some(supervisor), Work::Forge(forge)) =
            (self.engine.upgrade(), &self.supervisor, &self.spec.work)
        else {
            return;
        };
        let log = &self.spec.log;
        while engine.faults.is(Fault::ProgramLoop, &self.spec.service) && self.running() {
            engine.pace.wait(3_000.0).await;
            forge.die();
            lock(&supervisor.run).cancel();
            log.file(
                crate::forge::FORGE_LOG,
                "RuntimeError: CUDA error: unknown error",
            );
            Supervisor::note(log, "INFO exited: forge (exit status 1; not expected)");
            supervisor.set(ProgramState::Backoff, None);
            engine.pace.wait(400.0).await;
            supervisor.spawned(log);
            let token = lock(&self.run).child_token();
            *lock(&supervisor.run) = token.clone();
            let program = Arc::clone(forge);
            engine.tasks.spawn(async move {
                tokio::select! { () = token.cancelled() => {}, () = program.launch(1.0) => {} }
            });
            engine.pace.wait(START_SECONDS).await;
            let since = supervisor.main().since;
            supervisor.set(ProgramState::Running, since);
        }
    }
}
