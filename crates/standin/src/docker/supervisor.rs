//! The process supervisor of the ai-dock image: programs, their states, and its own log.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Engine;
use super::container::{Container, ContainerSpec, Work};
use super::looping::Loop;
use crate::faults::Fault;
use crate::forge::Forge;
use crate::lock::lock;
use crate::logbook::Logbook;
use crate::programs::{self, ProgramState, Verb};

pub(crate) const SUPERVISORD_LOG: &str = "/var/log/supervisor/supervisor.log";
const START_SECONDS: f64 = 5_000.0;

/// The program the container is there for.
const MAIN: &str = "forge";
/// The one that feeds `docker logs`.
const LOG_TAIL: &str = "logtail";

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

#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub state: ProgramState,
    pub since: Option<Timestamp>,
    pub pid: u32,
    /// When it was stopped, if it ever was.
    pub stopped: Option<Timestamp>,
}

/// Supervisor inside one container.
#[derive(Debug)]
pub(crate) struct Supervisor {
    main: watch::Sender<Program>,
    /// The running programs beside Forge, and since when.
    sides: Mutex<BTreeMap<&'static str, Timestamp>>,
    run: Mutex<CancellationToken>,
    /// One order at a time, as in the real one.
    acting: tokio::sync::Mutex<()>,
    /// Where the loop of a program that dies again and again is held.
    pub(crate) looping: Loop,
}

fn clock() -> String {
    Timestamp::now()
        .strftime("%Y-%m-%d %H:%M:%S,%3f")
        .to_string()
}

fn seconds_since(at: Timestamp) -> u64 {
    u64::try_from(Timestamp::now().duration_since(at).as_secs()).unwrap_or(0)
}

fn sides(since: Timestamp) -> BTreeMap<&'static str, Timestamp> {
    let on = SIDES.iter().filter(|(_, on)| *on);
    on.map(|(name, _)| (*name, since)).collect()
}

impl Supervisor {
    pub(crate) fn new() -> Self {
        let idle = Program {
            state: ProgramState::Stopped,
            since: None,
            pid: 0,
            stopped: None,
        };
        Self {
            main: watch::Sender::new(idle),
            sides: Mutex::default(),
            run: Mutex::default(),
            acting: tokio::sync::Mutex::default(),
            looping: Loop::default(),
        }
    }

    pub(crate) fn be_old(&self, since: Timestamp) {
        *lock(&self.sides) = sides(since);
        self.set(ProgramState::Running, Some(since));
    }

    pub(crate) fn start_sides(&self) {
        *lock(&self.sides) = sides(Timestamp::now());
    }

    pub(crate) fn end(&self) {
        lock(&self.run).cancel();
        lock(&self.sides).clear();
        self.set(ProgramState::Stopped, None);
    }

    pub(crate) fn main(&self) -> Program {
        self.main.borrow().clone()
    }

    pub(crate) fn set(&self, state: ProgramState, since: Option<Timestamp>) {
        self.main.send_modify(|main| {
            if state == ProgramState::Starting {
                main.pid = 300 + (main.pid + 111) % 30_000;
            } else if main.pid == 0 {
                main.pid = 312;
            }
            if state == ProgramState::Stopped {
                main.stopped = Some(Timestamp::now());
            }
            main.state = state;
            main.since = since;
        });
    }

    pub(crate) fn note(log: &Logbook, text: &str) {
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

    /// Ends what the program is doing.
    pub(crate) fn cut(&self) {
        lock(&self.run).cancel();
    }

    /// Lets a spawned program start, waits until supervisor calls it running, and returns then.
    pub(crate) async fn run(
        &self,
        forge: &Arc<Forge>,
        log: &Arc<Logbook>,
        container: &Arc<Container>,
    ) {
        let Some(engine) = container.engine.upgrade() else {
            return;
        };
        let service = &container.spec.service;
        if engine.faults.is(Fault::ProgramFatal, service) {
            self.go_fatal(forge, log);
            return;
        }
        if self.come_up(forge, log, container, &engine).await
            && engine.faults.is(Fault::ProgramLoop, service)
        {
            let me = Arc::clone(container);
            engine.tasks.spawn(async move { me.program_loop().await });
        }
    }

    /// From the start of the process to RUNNING; false if it was ended before.
    pub(crate) async fn come_up(
        &self,
        forge: &Arc<Forge>,
        log: &Arc<Logbook>,
        container: &Arc<Container>,
        engine: &Arc<Engine>,
    ) -> bool {
        let token = lock(&container.run).child_token();
        *lock(&self.run) = token.clone();
        let (program, stop) = (Arc::clone(forge), token.clone());
        engine.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = program.launch() => {}
            }
        });
        tokio::select! {
            () = token.cancelled() => return false,
            () = engine.pace.wait(START_SECONDS) => {}
        }
        let since = self.main().since;
        self.set(ProgramState::Running, since);
        Self::note(
            log,
            "INFO success: forge entered RUNNING state, process has stayed up for > than 5 seconds (startsecs)",
        );
        true
    }

    /// Four quick deaths: supervisor gives up.
    pub(crate) fn go_fatal(&self, forge: &Forge, log: &Logbook) {
        self.cut();
        forge.die();
        Self::note(log, "INFO exited: forge (exit status 1; not expected)");
        Self::note(
            log,
            "INFO gave up: forge entered FATAL state, too many start retries too quickly",
        );
        self.set(ProgramState::Fatal, None);
    }

    fn line(&self, name: &str) -> Option<(String, bool)> {
        if name == MAIN {
            let main = self.main();
            let up = main.since.map_or(0, seconds_since);
            let text = programs::line(name, main.state, main.pid, up, main.stopped);
            return Some((text, main.state == ProgramState::Running));
        }
        let index = SIDES.iter().position(|(side, _)| *side == name)?;
        let since = lock(&self.sides).get(name).copied();
        let state = if since.is_some() {
            ProgramState::Running
        } else {
            ProgramState::Stopped
        };
        let pid = 58 + u32::try_from(index).unwrap_or(0);
        let up = since.map_or(0, seconds_since);
        Some((programs::line(name, state, pid, up, None), since.is_some()))
    }

    fn all() -> Vec<&'static str> {
        let mut all: Vec<&str> = SIDES.iter().map(|(name, _)| *name).collect();
        all.push(MAIN);
        all.sort_unstable();
        all
    }

    /// `supervisorctl status [NAME…]`: the text and the exit code.
    pub(crate) fn status(&self, names: &[&str]) -> (String, i64) {
        let all = Self::all();
        let asked = if names.is_empty() { &all } else { names };
        let (mut text, mut code) = (String::new(), 0);
        for name in asked {
            if let Some((line, running)) = self.line(name) {
                text.push_str(&line);
                if !running && code == 0 {
                    code = programs::NOT_RUNNING;
                }
            } else {
                text.push_str(&programs::unknown(name));
                code = programs::NO_SUCH_PROGRAM;
            }
        }
        (text, code)
    }

    /// `supervisorctl start|stop|restart NAME…`: the text and the exit code, after it is done.
    pub(crate) async fn act(
        &self,
        verb: Verb,
        names: &[&str],
        container: &Arc<Container>,
    ) -> (String, i64) {
        let _one = self.acting.lock().await;
        let all = Self::all();
        let asked = if names.contains(&"all") { &all } else { names };
        let (mut text, mut code) = (String::new(), 0);
        for name in asked {
            let (words, worse) = if *name == MAIN {
                self.act_on_main(verb, container).await
            } else if let Some((side, _)) = SIDES.iter().find(|(side, _)| side == name) {
                self.act_on_side(verb, side, &container.spec)
            } else {
                (programs::unknown(name), 1)
            };
            text.push_str(&words);
            code = if worse == 0 { code } else { worse };
        }
        (text, code)
    }

    /// The side programs have no behaviour of their own, except the one that feeds `docker logs`.
    fn act_on_side(&self, verb: Verb, name: &'static str, spec: &ContainerSpec) -> (String, i64) {
        let (mut text, mut code) = (String::new(), 0);
        let mut running = lock(&self.sides);
        if verb.stops() {
            if running.remove(name).is_some() {
                let _ = writeln!(text, "{name}: stopped");
            } else {
                let _ = writeln!(text, "{name}: ERROR (not running)");
                code = i64::from(verb == Verb::Stop);
            }
        }
        if verb.starts() {
            if running.contains_key(name) {
                let _ = writeln!(text, "{name}: ERROR (already started)");
                code = 1;
            } else {
                running.insert(name, Timestamp::now());
                let _ = writeln!(text, "{name}: started");
            }
        }
        if name == LOG_TAIL {
            spec.log.mute(!running.contains_key(name));
            if verb.starts() && code == 0 {
                // A fresh tail follows the right files again and begins with their last lines.
                spec.log.replay(512);
            }
        }
        (text, code)
    }

    async fn act_on_main(&self, verb: Verb, container: &Arc<Container>) -> (String, i64) {
        let (Work::Forge(forge), Some(engine)) = (&container.spec.work, container.engine.upgrade())
        else {
            return (programs::unknown(MAIN), 1);
        };
        let log = &container.spec.log;
        let (mut text, mut code) = (String::new(), 0);
        if verb.stops() {
            self.looping.end().await;
            if matches!(
                self.main().state,
                ProgramState::Running | ProgramState::Starting | ProgramState::Backoff
            ) {
                Self::note(log, "INFO waiting for forge to stop");
                engine.pace.wait(500.0).await;
                self.cut();
                forge.die();
                self.set(ProgramState::Stopped, None);
                Self::note(log, "INFO stopped: forge (terminated by SIGTERM)");
                text.push_str("forge: stopped\n");
            } else {
                text.push_str("forge: ERROR (not running)\n");
                code = i64::from(verb == Verb::Stop);
            }
        }
        if verb.starts() {
            if matches!(
                self.main().state,
                ProgramState::Running | ProgramState::Starting
            ) {
                text.push_str("forge: ERROR (already started)\n");
                return (text, 1);
            }
            self.spawned(log);
            self.run(forge, log, container).await;
            if self.main().state == ProgramState::Running {
                text.push_str("forge: started\n");
                code = 0;
            } else {
                text.push_str("forge: ERROR (spawn error)\n");
                code = programs::SPAWN_ERROR;
            }
        }
        (text, code)
    }
}
