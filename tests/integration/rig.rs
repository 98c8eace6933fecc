//! What every story needs: the real command line, a keeper on a demo host, a folder for both.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use forgekeeper_domain::{cause::Cause, ids::ServiceId, ladder::Rung, outcome::Status};
use forgekeeper_keeper::{
    keeper::{Keeper, KeeperHandle, KeeperOptions, Paths},
    state::{KeeperState, ServiceState},
};
use forgekeeper_standin::{DemoOptions, DemoSite};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
};

pub const SECOND: Duration = Duration::from_secs(1);
/// Longer than anything a command may take here.
const COMMAND: Duration = Duration::from_secs(90);

/// `forgekeeperctl` as built beside this test, unless `FORGEKEEPER_TEST_CTL` names another.
pub fn ctl() -> PathBuf {
    if let Some(path) = std::env::var_os("FORGEKEEPER_TEST_CTL") {
        return path.into();
    }
    let here = std::env::current_exe().expect("this test");
    let path = here
        .parent()
        .and_then(Path::parent)
        .expect("target/debug/deps")
        .join("forgekeeperctl");
    assert!(
        path.exists(),
        "{} is missing: run `cargo build -p forgekeeper-cli` first, or set FORGEKEEPER_TEST_CTL",
        path.display()
    );
    path
}

/// A user's configuration file and data folder, gone with the test.
pub struct Place {
    pub folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    pub fn with(settings: &str) -> Self {
        let place = Self::new();
        place.write(settings);
        place
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("forgekeeper.toml")
    }

    pub fn write(&self, settings: impl AsRef<[u8]>) {
        std::fs::write(self.config(), settings).expect("written");
    }

    pub fn paths(&self) -> Paths {
        Paths {
            config_file: self.config(),
            data_dir: self.folder.path().join("keeper"),
        }
    }

    /// A keeper over the file, which keeps its hands off the user's keyring.
    pub async fn keeper(&self) -> Keeper {
        let options = KeeperOptions {
            secrets_in_memory: true,
            ..KeeperOptions::for_file(self.paths())
        };
        Keeper::start(options).await.expect("a keeper")
    }

    /// The program, in an environment where nothing of the user's is found.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(ctl());
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("FORGEKEEPER_DATA", self.folder.path().join("cli"))
            .env("FORGEKEEPER_CONFIG", self.config())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs the program to its end.
    pub async fn ctl(&self, arguments: &[&str]) -> Ran {
        end_of(self.command(arguments)).await
    }
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
    /// Most memory it held at once, as seen while it ran; zero when it ended too fast to be seen.
    pub peak_bytes: u64,
}

impl Ran {
    #[track_caller]
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// The one document that was printed.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:#?}"))
    }

    /// One document for each line.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    }
}

pub async fn end_of(mut command: Command) -> Ran {
    end_of_child(command.spawn().expect("forgekeeperctl starts")).await
}

pub async fn end_of_child(mut child: Child) -> Ran {
    let started = Instant::now();
    let status = PathBuf::from(format!("/proc/{}/status", child.id().expect("it runs")));
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let mut peak_bytes = 0;
    let watch = async {
        loop {
            if let Some(seen) = peak_of(&status) {
                peak_bytes = seen.max(peak_bytes);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let ended = async { tokio::join!(child.wait(), text(out), text(err)) };
    let ((status, stdout, stderr), took) = tokio::select! {
        ended = ended => (ended, started.elapsed()),
        () = watch => unreachable!("watches for ever"),
        () = tokio::time::sleep(COMMAND) => panic!("no end within {COMMAND:?}"),
    };
    Ran {
        code: status.expect("its end").code(),
        stdout,
        stderr,
        took,
        peak_bytes,
    }
}

/// Ctrl+C.
pub fn interrupt(child: &Child) {
    tell(child, "-INT");
}

/// Sends a signal.
pub fn tell(child: &Child, signal: &str) {
    let pid = child.id().expect("it runs").to_string();
    let told = std::process::Command::new("kill")
        .args([signal, &pid])
        .status();
    assert!(told.expect("kill").success());
}

async fn text(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut bytes).await.expect("its output");
    }
    String::from_utf8(bytes).expect("UTF-8 whatever the world sends")
}

/// `VmHWM` of a process, while it is there.
fn peak_of(status: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// A demo host at this speed.
pub async fn site(speed: f64) -> DemoSite {
    DemoSite::start(DemoOptions {
        speed,
        ..DemoOptions::default()
    })
    .await
    .expect("a demo host")
}

/// A keeper on a demo host, with everything green.
pub struct Kept {
    pub site: DemoSite,
    pub keeper: Keeper,
    _folder: tempfile::TempDir,
}

impl Kept {
    pub async fn start(speed: f64) -> Self {
        let site = site(speed).await;
        let folder = tempfile::tempdir().expect("a folder");
        let paths = Paths {
            config_file: folder.path().join("forgekeeper.toml"),
            data_dir: folder.path().join("data"),
        };
        let options = KeeperOptions::for_demo(paths, "test".to_owned(), site.config_toml());
        let keeper = Keeper::start(options).await.expect("a keeper");
        let kept = Self {
            site,
            keeper,
            _folder: folder,
        };
        let green = |s: &KeeperState| {
            s.services.len() == 3 && s.services.iter().all(|v| v.status == Status::Ok)
        };
        until(&kept.handle(), "a green demo host", 20 * SECOND, green).await;
        kept
    }

    pub fn handle(&self) -> KeeperHandle {
        self.keeper.handle()
    }

    /// Ends both; the keeper's tasks that did not end are returned.
    pub async fn end(self) -> Vec<&'static str> {
        let left = self.keeper.shutdown().await;
        self.site.shutdown().await;
        left
    }
}

pub fn id(text: &str) -> ServiceId {
    ServiceId::new(text).expect("an id")
}

pub fn service<'a>(state: &'a KeeperState, name: &str) -> Option<&'a ServiceState> {
    state.services.iter().find(|s| s.id.as_str() == name)
}

/// The state of one rung as `status cause`.
pub fn rung(state: &KeeperState, name: &str, rung: Rung) -> Option<(Status, Option<&'static str>)> {
    let outcome = service(state, name)?.ladder.outcome(rung)?;
    Some((outcome.status, outcome.cause.map(Cause::code)))
}

/// Causes of the open incidents.
pub fn causes(state: &KeeperState) -> Vec<&'static str> {
    state.incidents.iter().map(|i| i.cause.code()).collect()
}

/// Waits until the state is as expected; says how long that took, or what stood there instead.
pub async fn seen(
    handle: &KeeperHandle,
    what: &str,
    deadline: Duration,
    mut good: impl FnMut(&KeeperState) -> bool,
) -> Result<Duration, String> {
    let started = Instant::now();
    let mut state = handle.state();
    let waited = tokio::time::timeout(deadline, state.wait_for(|s| good(s))).await;
    if waited.is_ok() {
        return Ok(started.elapsed());
    }
    let last = Arc::clone(&handle.state().borrow());
    let ladders: Vec<String> = last.services.iter().map(brief).collect();
    let open = causes(&last);
    Err(format!(
        "{what}: not within {deadline:?}; open {open:?}; {ladders:#?}"
    ))
}

/// As [`seen`], where anything else fails the test.
#[track_caller]
pub fn until(
    handle: &KeeperHandle,
    what: &str,
    deadline: Duration,
    good: impl FnMut(&KeeperState) -> bool,
) -> impl Future<Output = Duration> {
    let place = std::panic::Location::caller();
    async move {
        let seen = seen(handle, what, deadline, good).await;
        seen.unwrap_or_else(|e| panic!("{place}: {e}"))
    }
}

fn brief(service: &ServiceState) -> String {
    let rungs: Vec<String> = service
        .ladder
        .rungs
        .iter()
        .map(|r| {
            let cause = r.outcome.cause.map_or("", |c| c.code());
            format!("{:?}={:?} {cause}", r.rung, r.outcome.status)
        })
        .collect();
    format!("{}: {}", service.id, rungs.join(", "))
}

/// The status and the first bytes of what answers a GET; `None` when nothing does.
pub async fn get(url: &str) -> Option<(u16, String)> {
    exchange("GET", url, "").await
}

/// Posts a JSON document.
pub async fn post(url: &str, json: &str) -> Option<(u16, String)> {
    exchange("POST", url, json).await
}

/// Deletes what is there.
pub async fn delete(url: &str) -> Option<(u16, String)> {
    exchange("DELETE", url, "").await
}

async fn exchange(method: &str, url: &str, body: &str) -> Option<(u16, String)> {
    let rest = url.strip_prefix("http://").expect("plain HTTP");
    let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
    let ask = async {
        let mut stream = tokio::net::TcpStream::connect(place).await.ok()?;
        let request = format!(
            "{method} /{path} HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut bytes = Vec::new();
        stream.take(64 * 1024).read_to_end(&mut bytes).await.ok()?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let code = head.split(' ').nth(1)?.parse().ok()?;
        Some((code, body.to_owned()))
    };
    tokio::time::timeout(2 * SECOND, ask).await.ok().flatten()
}

/// Whether a Forge really answers there: a list of models, not a placeholder.
pub async fn forge_answers(api: &str) -> bool {
    let answer = get(&format!("{api}/sdapi/v1/sd-models")).await;
    answer.is_some_and(|(code, body)| code == 200 && body.contains("model_name"))
}

/// Asks again until it holds.
#[track_caller]
pub fn holds<F: Future<Output = bool>>(
    what: &str,
    deadline: Duration,
    mut test: impl FnMut() -> F,
) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    async move {
        let started = Instant::now();
        while !test().await {
            assert!(
                started.elapsed() < deadline,
                "{place}: {what}: not within {deadline:?}"
            );
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }
}
