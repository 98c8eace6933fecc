//! PID 1: starts Forge, restarts it by supervisor's rules, shows its log, answers `supervisorctl`.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, Command};
use tokio::sync::Notify;

use super::{LOG, SOCKET};
use crate::lock::lock;

const START_SECONDS: Duration = Duration::from_secs(5);
const START_RETRIES: u32 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Stopped,
    Starting,
    Running,
    Backoff,
    Fatal,
}

#[derive(Debug)]
struct Program {
    state: State,
    since: Instant,
    pid: u32,
    /// What an administrator wants.
    wanted: bool,
    quick_deaths: u32,
}

#[derive(Debug)]
struct Supervisor {
    program: Mutex<Program>,
    changed: Notify,
    args: Vec<String>,
}

/// Writes a line to the container's log under its file's header.
fn show(source: &Mutex<String>, file: &str, line: &str) {
    let mut last = lock(source);
    let mut out = std::io::stdout().lock();
    if *last != file {
        file.clone_into(&mut last);
        // A closed log must not end PID 1.
        let _ = write!(out, "\n==> {file} <==\n");
    }
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

const OWN_LOG: &str = "/var/log/supervisor/supervisor.log";

/// Runs until SIGTERM; `args` are given to the Forge program.
pub async fn run(args: Vec<String>) -> std::io::Result<()> {
    for folder in ["/run", "/var/log/supervisor", "/tmp"] {
        std::fs::create_dir_all(folder)?;
    }
    // Left over from the last run of the same container.
    let _ = std::fs::remove_file(SOCKET);
    let listener = UnixListener::bind(SOCKET)?;
    let first = Program {
        state: State::Stopped,
        since: Instant::now(),
        pid: 0,
        wanted: true,
        quick_deaths: 0,
    };
    let me = Arc::new(Supervisor {
        program: Mutex::new(first),
        changed: Notify::new(),
        args,
    });
    let source = Arc::new(Mutex::new(String::new()));
    println!("/workspace is a mounted volume");
    show(&source, OWN_LOG, "INFO supervisord started with pid 1");
    let keeper = tokio::spawn(keep(Arc::clone(&me), Arc::clone(&source)));
    let server = Arc::clone(&me);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                // A client that leaves early is its own affair.
                let _ = answer(&server, stream).await;
            });
        }
    });
    super::program::wait_for_end().await;
    show(
        &source,
        OWN_LOG,
        "WARN received SIGTERM indicating exit request",
    );
    lock(&me.program).wanted = false;
    me.changed.notify_one();
    for _ in 0..100 {
        if lock(&me.program).state == State::Stopped {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    keeper.abort();
    Ok(())
}

impl Supervisor {
    fn set(&self, state: State, pid: u32) {
        let mut program = lock(&self.program);
        program.state = state;
        program.since = Instant::now();
        program.pid = pid;
    }

    fn spawn(&self) -> std::io::Result<Child> {
        Command::new("/proc/self/exe")
            .arg("forge")
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }
}

/// Copies a pipe of the program to its log file and to the container's log.
fn follow(pipe: impl tokio::io::AsyncRead + Unpin + Send + 'static, source: &Arc<Mutex<String>>) {
    let source = Arc::clone(source);
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
            show(&source, LOG, &line);
        }
    });
}

/// Keeps the program as it is wanted.
async fn keep(me: Arc<Supervisor>, source: Arc<Mutex<String>>) {
    let note = |text: &str| show(&source, OWN_LOG, text);
    loop {
        let (wanted, state) = {
            let program = lock(&me.program);
            (program.wanted, program.state)
        };
        if !wanted || state == State::Fatal {
            me.changed.notified().await;
            continue;
        }
        let mut child = match me.spawn() {
            Ok(child) => child,
            Err(error) => {
                note(&format!("CRIT could not spawn forge: {error}"));
                me.set(State::Fatal, 0);
                continue;
            }
        };
        let pid = child.id().unwrap_or(0);
        me.set(State::Starting, pid);
        note(&format!("INFO spawned: 'forge' with pid {pid}"));
        if let Some(pipe) = child.stdout.take() {
            follow(pipe, &source);
        }
        if let Some(pipe) = child.stderr.take() {
            follow(pipe, &source);
        }
        let began = Instant::now();
        let mut settled = false;
        let ended = loop {
            tokio::select! {
                status = child.wait() => break status.ok(),
                () = tokio::time::sleep(START_SECONDS.saturating_sub(began.elapsed())), if !settled => {
                    settled = true;
                    let mut program = lock(&me.program);
                    program.state = State::Running;
                    program.quick_deaths = 0;
                    drop(program);
                    note("INFO success: forge entered RUNNING state, process has stayed up for > than 5 seconds (startsecs)");
                }
                () = me.changed.notified() => {
                    if !lock(&me.program).wanted {
                        note("INFO waiting for forge to stop");
                        // Forge has nothing to save; the hard end saves the wait.
                        let _ = child.kill().await;
                        break None;
                    }
                }
            }
        };
        let Some(status) = ended else {
            me.set(State::Stopped, 0);
            note("INFO stopped: forge (terminated by SIGTERM)");
            continue;
        };
        note(&format!("INFO exited: forge ({status}; not expected)"));
        if settled {
            continue;
        }
        let deaths = {
            let mut program = lock(&me.program);
            program.quick_deaths += 1;
            program.quick_deaths
        };
        if deaths > START_RETRIES {
            me.set(State::Fatal, 0);
            note("INFO gave up: forge entered FATAL state, too many start retries too quickly");
        } else {
            me.set(State::Backoff, 0);
            tokio::time::sleep(Duration::from_secs(u64::from(deaths))).await;
        }
    }
}

fn status(me: &Supervisor) -> (String, i32) {
    let program = lock(&me.program);
    let seconds = program.since.elapsed().as_secs();
    let (word, detail) = match program.state {
        State::Running => (
            "RUNNING",
            format!(
                "pid {}, uptime {}:{:02}:{:02}",
                program.pid,
                seconds / 3_600,
                seconds / 60 % 60,
                seconds % 60
            ),
        ),
        State::Starting => ("STARTING", String::new()),
        State::Backoff => (
            "BACKOFF",
            "Exited too quickly (process log may have details)".into(),
        ),
        State::Fatal => (
            "FATAL",
            "Exited too quickly (process log may have details)".into(),
        ),
        State::Stopped => ("STOPPED", "Not started".into()),
    };
    let code = if program.state == State::Running {
        0
    } else {
        3
    };
    (
        format!("{:<32} {word:<9} {detail}", "forge")
            .trim_end()
            .to_owned()
            + "\n",
        code,
    )
}

async fn stop(me: &Supervisor) -> bool {
    {
        let mut program = lock(&me.program);
        if matches!(program.state, State::Stopped | State::Fatal) {
            program.wanted = false;
            return false;
        }
        program.wanted = false;
    }
    me.changed.notify_one();
    while lock(&me.program).state != State::Stopped {
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    true
}

async fn start(me: &Supervisor) -> (String, i32) {
    {
        let mut program = lock(&me.program);
        if matches!(program.state, State::Starting | State::Running) {
            return ("forge: ERROR (already started)\n".into(), 1);
        }
        program.wanted = true;
        program.quick_deaths = 0;
        program.state = State::Stopped;
    }
    me.changed.notify_one();
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        match lock(&me.program).state {
            State::Running => return ("forge: started\n".into(), 0),
            State::Fatal => return ("forge: ERROR (spawn error)\n".into(), 7),
            _ => {}
        }
    }
}

/// One request: words on one line; the answer is the exit code on a line, then the text.
async fn answer(me: &Supervisor, mut stream: UnixStream) -> std::io::Result<()> {
    let (read, mut write) = stream.split();
    let mut line = String::new();
    BufReader::new(read.take(4_096))
        .read_line(&mut line)
        .await?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let (text, code) = match words.as_slice() {
        ["status"] | ["status", "forge" | "all"] => status(me),
        ["stop", "forge"] => {
            if stop(me).await {
                ("forge: stopped\n".into(), 0)
            } else {
                ("forge: ERROR (not running)\n".into(), 1)
            }
        }
        ["start", "forge"] => start(me).await,
        ["restart", "forge"] => {
            let was = stop(me).await;
            let (text, code) = start(me).await;
            let first = if was {
                "forge: stopped\n"
            } else {
                "forge: ERROR (not running)\n"
            };
            (format!("{first}{text}"), code)
        }
        ["status" | "start" | "stop" | "restart", name, ..] => {
            (format!("{name}: ERROR (no such process)\n"), 4)
        }
        _ => (format!("*** Unknown syntax: {}\n", line.trim()), 2),
    };
    write
        .write_all(format!("{code}\n{text}").as_bytes())
        .await?;
    write.shutdown().await
}

/// True inside a prepared root file system.
pub fn in_container() -> bool {
    Path::new("/run").is_dir() && std::process::id() == 1
}
