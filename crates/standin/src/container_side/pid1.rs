//! PID 1: starts Forge, restarts it by supervisor's rules, shows its log, answers `supervisorctl`.

use std::io::Write as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::{FAULT_FILE, FAULTS_VARIABLE, LOG, SOCKET, faults};
use crate::faults::{Fault, FaultBoard};
use crate::flood;
use crate::lock::lock;
use crate::programs::{self, Order, ProgramState, Verb};

const START_SECONDS: Duration = Duration::from_secs(5);
const START_RETRIES: u32 = 3;
/// How long the end of the program may take when the container ends.
const LAST_WAIT: Duration = Duration::from_secs(8);
/// What a restarted tail shows again.
const REPLAYED: usize = 512;
const MAIN: &str = "forge";
const OWN_LOG: &str = "/var/log/supervisor/supervisor.log";

/// What an administrator wants; each order has a number, so that an old one can tell that it was
/// overtaken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wish {
    up: bool,
    number: u64,
}

#[derive(Debug, Clone)]
struct Program {
    state: ProgramState,
    since: Instant,
    pid: u32,
    stopped: Option<jiff::Timestamp>,
}

/// The container's log: the lines of several files under their headers, as `tail -f` shows them.
#[derive(Debug)]
struct Screen {
    last: Mutex<String>,
    faults: FaultBoard,
}

impl Screen {
    fn show(&self, file: &str, line: &str) {
        if self.faults.any(Fault::LogSilent) {
            return;
        }
        let mut last = lock(&self.last);
        let mut out = std::io::stdout().lock();
        if *last != file {
            file.clone_into(&mut last);
            // A closed log must not end PID 1.
            let _ = write!(out, "\n==> {file} <==\n");
        }
        let _ = writeln!(out, "{line}");
        let _ = out.flush();
    }

    fn replay(&self) {
        let text = std::fs::read(LOG).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        for line in &lines[lines.len().saturating_sub(REPLAYED)..] {
            self.show(LOG, line);
        }
    }
}

#[derive(Debug)]
struct Supervisor {
    wish: watch::Sender<Wish>,
    program: watch::Sender<Program>,
    screen: Arc<Screen>,
    args: Vec<String>,
}

/// Runs until SIGTERM; `args` are given to the Forge program.
pub async fn run(args: Vec<String>) -> std::io::Result<()> {
    for folder in ["/run", "/var/log/supervisor", "/tmp"] {
        std::fs::create_dir_all(folder)?;
    }
    let board = faults::first(Path::new(FAULT_FILE), std::env::var(FAULTS_VARIABLE).ok())?;
    // Left over from the last run of the same container.
    let _ = std::fs::remove_file(SOCKET);
    let listener = UnixListener::bind(SOCKET)?;
    let screen = Arc::new(Screen {
        last: Mutex::default(),
        faults: board.clone(),
    });
    let first = Program {
        state: ProgramState::Stopped,
        since: Instant::now(),
        pid: 0,
        stopped: None,
    };
    let me = Arc::new(Supervisor {
        wish: watch::Sender::new(Wish {
            up: true,
            number: 0,
        }),
        program: watch::Sender::new(first),
        screen: Arc::clone(&screen),
        args,
    });
    println!("/workspace is a mounted volume");
    screen.show(OWN_LOG, "INFO supervisord started with pid 1");
    let shown = Arc::clone(&screen);
    let watched = tokio::spawn(async move {
        let raised = |fault| match fault {
            Fault::LogReplay => shown.replay(),
            Fault::LogFlood => flood::burst().iter().for_each(|line| shown.show(LOG, line)),
            _ => {}
        };
        faults::follow(Path::new(FAULT_FILE), &board, raised).await;
    });
    let keeper = tokio::spawn(Arc::clone(&me).keep());
    let server = tokio::spawn(Arc::clone(&me).serve(listener));
    super::program::wait_for_end().await;
    screen.show(OWN_LOG, "WARN received SIGTERM indicating exit request");
    me.want(false);
    let _ = tokio::time::timeout(LAST_WAIT, me.until_stopped()).await;
    for task in [watched, keeper, server] {
        task.abort();
    }
    Ok(())
}

/// How a process that was started came to its end.
enum End {
    /// By itself; true if it had been up long enough.
    Died(Option<ExitStatus>, bool),
    /// Nobody wants it any more.
    Unwanted,
}

impl Supervisor {
    fn note(&self, text: &str) {
        self.screen.show(OWN_LOG, text);
    }

    fn set(&self, state: ProgramState, pid: u32) {
        self.program.send_modify(|program| {
            program.state = state;
            program.since = Instant::now();
            program.pid = pid;
            if state == ProgramState::Stopped {
                program.stopped = Some(jiff::Timestamp::now());
            }
        });
    }

    fn state(&self) -> ProgramState {
        self.program.borrow().state
    }

    /// States a wish; its number.
    fn want(&self, up: bool) -> u64 {
        let mut number = 0;
        self.wish.send_modify(|wish| {
            wish.up = up;
            wish.number += 1;
            number = wish.number;
        });
        number
    }

    fn spawn(&self) -> std::io::Result<Child> {
        Command::new("/proc/self/exe")
            .arg("forge")
            .args(&self.args)
            // The file has them by now, and there they can be lifted.
            .env_remove(FAULTS_VARIABLE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }

    /// Copies a pipe of the program to its log file and to the container's log.
    fn follow(&self, pipe: impl tokio::io::AsyncRead + Unpin + Send + 'static) {
        let screen = Arc::clone(&self.screen);
        tokio::spawn(async move {
            let mut lines = BufReader::new(pipe).split(b'\n');
            while let Ok(Some(line)) = lines.next_segment().await {
                let line = String::from_utf8_lossy(&line).into_owned();
                if let Ok(mut file) = std::fs::OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(LOG)
                {
                    // A full disk costs lines of the file, not the program.
                    let _ = writeln!(file, "{line}");
                }
                screen.show(LOG, &line);
            }
        });
    }

    /// Keeps the program as it is wanted. The senders live in `self`, so that no wait for one of
    /// them can fail.
    async fn keep(self: Arc<Self>) {
        let mut wishes = self.wish.subscribe();
        loop {
            let _ = wishes.wait_for(|wish| wish.up).await;
            let number = wishes.borrow_and_update().number;
            let mut quick_deaths = 0;
            loop {
                let (status, settled) = match self.live(&mut wishes).await {
                    End::Unwanted => {
                        self.set(ProgramState::Stopped, 0);
                        self.note("INFO stopped: forge (terminated by SIGTERM)");
                        break;
                    }
                    End::Died(status, settled) => (status, settled),
                };
                let told = status.map_or_else(|| "no status".to_owned(), |s| s.to_string());
                self.note(&format!("INFO exited: forge ({told}; not expected)"));
                quick_deaths = if settled { 0 } else { quick_deaths + 1 };
                let changed = |wish: &Wish| !wish.up || wish.number != number;
                let over = if quick_deaths > START_RETRIES {
                    self.note("INFO gave up: forge entered FATAL state, too many start retries too quickly");
                    self.set(ProgramState::Fatal, 0);
                    // Nothing is tried again until somebody says so.
                    let _ = wishes.wait_for(changed).await;
                    true
                } else if quick_deaths > 0 {
                    self.set(ProgramState::Backoff, 0);
                    let pause = Duration::from_secs(u64::from(quick_deaths));
                    tokio::select! {
                        () = tokio::time::sleep(pause) => false,
                        () = async { let _ = wishes.wait_for(changed).await; } => true,
                    }
                } else {
                    false
                };
                if over {
                    if !self.wish.borrow().up {
                        self.set(ProgramState::Stopped, 0);
                    }
                    break;
                }
            }
        }
    }

    /// One life of the process.
    async fn live(&self, wishes: &mut watch::Receiver<Wish>) -> End {
        let mut child = match self.spawn() {
            Ok(child) => child,
            Err(error) => {
                self.note(&format!("CRIT could not spawn forge: {error}"));
                return End::Died(None, false);
            }
        };
        let pid = child.id().unwrap_or(0);
        self.set(ProgramState::Starting, pid);
        self.note(&format!("INFO spawned: 'forge' with pid {pid}"));
        if let Some(pipe) = child.stdout.take() {
            self.follow(pipe);
        }
        if let Some(pipe) = child.stderr.take() {
            self.follow(pipe);
        }
        let settling = tokio::time::sleep(START_SECONDS);
        tokio::pin!(settling);
        let mut settled = false;
        loop {
            tokio::select! {
                status = child.wait() => return End::Died(status.ok(), settled),
                () = &mut settling, if !settled => {
                    settled = true;
                    self.program.send_modify(|program| program.state = ProgramState::Running);
                    self.note("INFO success: forge entered RUNNING state, process has stayed up for > than 5 seconds (startsecs)");
                }
                () = async { let _ = wishes.wait_for(|wish| !wish.up).await; } => {
                    self.note("INFO waiting for forge to stop");
                    // Forge has nothing to save; the hard end saves the wait.
                    let _ = child.kill().await;
                    return End::Unwanted;
                }
            }
        }
    }

    async fn until_stopped(&self) {
        let mut program = self.program.subscribe();
        let _ = program
            .wait_for(|p| matches!(p.state, ProgramState::Stopped | ProgramState::Fatal))
            .await;
    }

    fn status(&self, names: &[&str]) -> (String, i64) {
        let names = if names.is_empty() { &[MAIN] } else { names };
        let (mut text, mut code) = (String::new(), 0);
        for name in names {
            if *name == MAIN {
                let program = self.program.borrow().clone();
                let up = program.since.elapsed().as_secs();
                let (state, pid) = (program.state, program.pid);
                text.push_str(&programs::line(name, state, pid, up, program.stopped));
                if state != ProgramState::Running && code == 0 {
                    code = programs::NOT_RUNNING;
                }
            } else {
                text.push_str(&programs::unknown(name));
                code = programs::NO_SUCH_PROGRAM;
            }
        }
        (text, code)
    }

    async fn stop(&self) -> bool {
        if matches!(self.state(), ProgramState::Stopped | ProgramState::Fatal) {
            return false;
        }
        let mine = self.want(false);
        let mut wishes = self.wish.subscribe();
        tokio::select! {
            () = self.until_stopped() => {}
            // Somebody wants it again: it was stopped or will be up, and neither is ours to wait for.
            () = async { let _ = wishes.wait_for(|wish| wish.number != mine && wish.up).await; } => {}
        }
        true
    }

    async fn start(&self) -> (String, i64) {
        if matches!(self.state(), ProgramState::Starting | ProgramState::Running) {
            return ("forge: ERROR (already started)\n".into(), 1);
        }
        // Seen from here on: the state before is not the answer.
        let mut program = self.program.subscribe();
        program.borrow_and_update();
        let mine = self.want(true);
        let mut wishes = self.wish.subscribe();
        let ended = async {
            loop {
                // The sender lives in `self`.
                let _ = program.changed().await;
                match program.borrow_and_update().state {
                    ProgramState::Running => return true,
                    ProgramState::Fatal => return false,
                    _ => {}
                }
            }
        };
        let up = tokio::select! {
            up = ended => up,
            () = async { let _ = wishes.wait_for(|wish| wish.number != mine && !wish.up).await; } => false,
        };
        if up {
            ("forge: started\n".into(), 0)
        } else {
            ("forge: ERROR (spawn error)\n".into(), programs::SPAWN_ERROR)
        }
    }

    async fn act(&self, verb: Verb, names: &[&str]) -> (String, i64) {
        let (mut text, mut code) = (String::new(), 0);
        for name in names {
            if !matches!(*name, MAIN | "all") {
                text.push_str(&programs::unknown(name));
                code = 1;
                continue;
            }
            if verb.stops() {
                if self.stop().await {
                    text.push_str("forge: stopped\n");
                } else {
                    text.push_str("forge: ERROR (not running)\n");
                    code = i64::from(verb == Verb::Stop);
                }
            }
            if verb.starts() {
                let (words, worse) = self.start().await;
                text.push_str(&words);
                code = worse;
            }
        }
        (text, code)
    }

    async fn serve(self: Arc<Self>, listener: UnixListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let me = Arc::clone(&self);
                    tokio::spawn(async move {
                        // A client that leaves early is its own affair.
                        let _ = me.answer(stream).await;
                    });
                }
                // Out of file descriptors, usually: it passes.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// One request: words on one line; the answer is the exit code on a line, then the text.
    async fn answer(&self, mut stream: UnixStream) -> std::io::Result<()> {
        let (read, mut write) = stream.split();
        let mut line = String::new();
        BufReader::new(read.take(4_096))
            .read_line(&mut line)
            .await?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let (text, code) = match programs::order(&words, 1) {
            Order::Status(names) => self.status(&names),
            Order::Act(verb, names) => self.act(verb, &names).await,
            Order::Said(text, code) => (text, code),
        };
        write
            .write_all(format!("{code}\n{text}").as_bytes())
            .await?;
        write.shutdown().await
    }
}
