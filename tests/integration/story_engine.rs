//! An engine of our own with published ports, so that containers may carry the names of a real
//! site: on an engine in use, `myia-supervisor-1` could be somebody's service.
//!
//! Its bridge is made here and given to it by name, and it writes no firewall rules: the bridge
//! `docker0` and the rules of an engine in use are left alone. Ports are served by its proxy.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::rig::SECOND;

/// Recognised as Forge by its name, as the real image is.
pub const IMAGE: &str = "forgekeeper-test/stable-diffusion-webui-forge:story";

/// A bridge that only this test uses.
struct Bridge {
    name: String,
}

impl Bridge {
    fn new() -> Self {
        remove_left_over();
        // Device names have fifteen characters at most.
        let name = format!("fkt{}", std::process::id());
        // A network for documentation (RFC 5737): in use nowhere.
        for words in [
            &["link", "add", &name, "type", "bridge"][..],
            &["addr", "add", "203.0.113.1/24", "dev", &name],
            &["link", "set", &name, "up"],
        ] {
            let status = Command::new("ip").args(words).status();
            assert!(
                status.expect("iproute2 is installed").success(),
                "ip {words:?}"
            );
        }
        Self { name }
    }
}

/// Bridges of runs that were killed: their addresses would be in the way.
fn remove_left_over() {
    let bridges = fs::read_dir("/sys/class/net").expect("network devices");
    for bridge in bridges.flatten() {
        let name = bridge.file_name().to_string_lossy().into_owned();
        let Some(run) = name.strip_prefix("fkt").filter(|run| !run.is_empty()) else {
            continue;
        };
        if run.bytes().all(|b| b.is_ascii_digit()) && !Path::new("/proc").join(run).exists() {
            drop(Command::new("ip").args(["link", "delete", &name]).status());
        }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let gone = Command::new("ip")
            .args(["link", "delete", &self.name])
            .status();
        if !gone.is_ok_and(|status| status.success()) {
            eprintln!("the bridge {} was left behind", self.name);
        }
    }
}

/// Its bridge has one name and one network: one engine at a time.
static ALONE: Mutex<()> = Mutex::new(());

pub struct StoryEngine {
    process: Child,
    folder: tempfile::TempDir,
    bridge: Bridge,
    // Dropped last.
    _alone: MutexGuard<'static, ()>,
}

/// The stand-in as one static binary: only that runs in a container without anything else.
fn standin() -> PathBuf {
    let path = std::env::var_os("FORGEKEEPER_TEST_STANDIN")
        .expect("FORGEKEEPER_TEST_STANDIN names the static stand-in (scripts/static-standin.sh)");
    path.into()
}

impl StoryEngine {
    /// Starts it and imports the stand-in as an image.
    pub fn start() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().expect("a folder");
        let bridge = Bridge::new();
        let process = daemon(folder.path(), &bridge);
        let engine = Self {
            process,
            folder,
            bridge,
            _alone: alone,
        };
        engine.wait();
        engine.import(IMAGE, "supervisor");
        engine
    }

    /// Imports the stand-in as an image that plays this program.
    pub fn import(&self, image: &str, program: &str) {
        let without = (program != "supervisor").then_some("--no-supervisor");
        let mut tree = Command::new(standin())
            .arg("rootfs")
            .args(without)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the stand-in starts");
        let archive = tree.stdout.take().expect("its output");
        let imported = self
            .command(&["import"])
            .args(["--change", r#"ENTRYPOINT ["/bin/forgekeeper-standin"]"#])
            .args(["--change", &format!(r#"CMD ["{program}"]"#)])
            .args(["-", image])
            .stdin(archive)
            .output()
            .expect("docker import");
        assert!(imported.status.success(), "{imported:?}");
        assert!(tree.wait().expect("its end").success());
    }

    pub fn endpoint(&self) -> String {
        format!(
            "unix://{}",
            self.folder.path().join("docker.sock").display()
        )
    }

    /// One Forge container as compose would make it. Its port is named: one that the engine
    /// draws would be another after each restart.
    pub fn run(&self, project: &str, card: &str) {
        self.run_at(project, card, &format!("127.0.0.1:{}", free_port()));
    }

    /// As [`StoryEngine::run`], at this address.
    pub fn run_at(&self, project: &str, card: &str, published: &str) {
        let name = format!("{project}-supervisor-1");
        self.ok(&[
            "run",
            "-d",
            "--name",
            &name,
            "--restart",
            "unless-stopped",
            "--label",
            &format!("com.docker.compose.project={project}"),
            "--label",
            "com.docker.compose.service=supervisor",
            "-p",
            &format!("{published}:17860"),
            "-e",
            &format!("STANDIN_GPU={card}"),
            "-e",
            &format!("STANDIN_NAME={project}"),
            "-e",
            "STANDIN_SPEED=8",
            IMAGE,
        ]);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command
            .args(["-H", &self.endpoint()])
            .args(arguments)
            .env_remove("DOCKER_HOST")
            .env_remove("DOCKER_CONTEXT");
        command
    }

    fn docker(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("docker")
    }

    /// The command line that nobody here wrote, as the other hand on the engine.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.docker(arguments);
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker {arguments:?}: {words}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Ends the daemon as its service would.
    pub fn stop_daemon(&mut self) {
        self.signal("-TERM");
        self.process.wait().expect("its end");
    }

    /// Starts it again in the same place.
    pub fn start_daemon(&mut self) {
        self.process = daemon(self.folder.path(), &self.bridge);
    }

    fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        let told = Command::new("kill").args([signal, &id]).status();
        assert!(told.expect("kill").success());
    }

    fn wait(&self) {
        let started = Instant::now();
        while !self.docker(&["version"]).status.success() {
            let log = self.folder.path().join("dockerd.log");
            assert!(
                started.elapsed() < 60 * SECOND,
                "dockerd does not answer: {}",
                fs::read_to_string(log).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A port that nobody holds, below those that the system hands out by itself.
fn free_port() -> u16 {
    let first = 20_000 + u16::try_from(std::process::id() % 8_000).expect("below 8000");
    (first..first + 4_000)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

impl Drop for StoryEngine {
    fn drop(&mut self) {
        if self.process.try_wait().is_ok_and(|ended| ended.is_none()) {
            // The engine is this test's own, and what is left of its networks would outlive it.
            let all = self.docker(&["ps", "-aq"]).stdout;
            for id in String::from_utf8_lossy(&all).lines() {
                self.docker(&["rm", "-f", id]);
            }
            self.docker(&["network", "prune", "-f"]);
            self.signal("-TERM");
        }
        drop(self.process.wait());
    }
}

fn daemon(folder: &Path, bridge: &Bridge) -> Child {
    let log = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("dockerd.log"))
        .expect("a log");
    let errors = log.try_clone().expect("a log");
    let option = |name: &str, path: &str| format!("--{name}={}", folder.join(path).display());
    Command::new("dockerd")
        .args([
            option("data-root", "data"),
            option("exec-root", "exec"),
            option("pidfile", "pid"),
            format!("--host=unix://{}", folder.join("docker.sock").display()),
            format!("--bridge={}", bridge.name),
            "--iptables=false".to_owned(),
            "--ip6tables=false".to_owned(),
            "--ip-forward=false".to_owned(),
            "--ip-masq=false".to_owned(),
            "--containerd-namespace=forgekeeper-story".to_owned(),
            "--containerd-plugins-namespace=forgekeeper-story-plugins".to_owned(),
        ])
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .expect("dockerd is installed, and this is root")
}
