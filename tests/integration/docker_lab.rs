//! A real engine to experiment on: one that is given, or one of our own that may be hurt.
//!
//! On a given engine (`FORGEKEEPER_TEST_DOCKER`, such as `unix:///var/run/docker.sock`) nothing is
//! touched but containers and an image with names and labels of this run, removed at the end.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use forgekeeper_domain::{
    container::ContainerSnapshot,
    facts::{ContainerFact, EngineFact},
    ids::HostId,
};
use forgekeeper_keeper::{
    docker::{
        Endpoint, Engine, Env, HostActor, HostConfig, HostHandle, HostView, ResolvedEndpoint,
        Timings, engine::Deadlines,
    },
    sys::tasks::Tasks,
};

static RUNS: AtomicU32 = AtomicU32::new(0);

/// An engine, an image on it, and a label for all that is made.
pub struct Lab {
    pub endpoint: String,
    pub run: String,
    pub image: String,
    folder: tempfile::TempDir,
    own: Option<Daemon>,
}

struct Daemon {
    process: Child,
    socket: PathBuf,
}

impl Lab {
    /// On the engine that is given.
    pub fn given() -> Self {
        let endpoint = std::env::var("FORGEKEEPER_TEST_DOCKER")
            .expect("FORGEKEEPER_TEST_DOCKER names the engine to test on");
        Self::on(endpoint, tempfile::tempdir().expect("a folder"), None)
    }

    /// On an engine of our own, with a private socket and data folder, without any network.
    pub fn own() -> Self {
        Self::own_with(&[])
    }

    /// As [`Lab::own`], with more options for the daemon.
    pub fn own_with(options: &[String]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("docker.sock");
        let daemon = Daemon::start(folder.path(), socket.clone(), options);
        Self::on(format!("unix://{}", socket.display()), folder, Some(daemon))
    }

    fn on(endpoint: String, folder: tempfile::TempDir, own: Option<Daemon>) -> Self {
        let number = RUNS.fetch_add(1, Ordering::Relaxed);
        let run = format!("fk{}-{number}", std::process::id());
        let image = format!("forgekeeper-test/stable-diffusion-webui-forge:{run}");
        let lab = Self {
            endpoint,
            run,
            image,
            folder,
            own,
        };
        let tar = root_file_system(lab.folder.path());
        lab.docker_ok(&["import", &tar.to_string_lossy(), &lab.image]);
        lab
    }

    /// A container name of this run.
    pub fn name(&self, short: &str) -> String {
        format!("{}-{short}", self.run)
    }

    /// `docker run -d` with our label; the rest as given, the image and a shell line last.
    pub fn start(&self, short: &str, options: &[&str], script: &str) -> String {
        let name = self.name(short);
        let output = self.create(&name, "run", options, script);
        assert!(
            output.status.success(),
            "run: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        name
    }

    /// `docker run -d` or `docker create`, whatever comes of it.
    pub fn create(&self, name: &str, verb: &str, options: &[&str], script: &str) -> Output {
        let label = format!("forgekeeper.test={}", self.run);
        let mut arguments = vec![verb, "--name", name, "--label", &label];
        if verb == "run" {
            arguments.push("-d");
        }
        if !options.contains(&"-p") {
            arguments.extend(["--network", "none"]);
        }
        arguments.extend(options);
        arguments.extend([self.image.as_str(), "/bin/sh", "-c", script]);
        self.docker(&arguments)
    }

    /// The command line that nobody here wrote, as the other hand on the engine.
    pub fn docker(&self, arguments: &[&str]) -> Output {
        Command::new("docker")
            .args(["-H", &self.endpoint])
            .args(arguments)
            .env_remove("DOCKER_HOST")
            .env_remove("DOCKER_CONTEXT")
            .output()
            .expect("the docker command line is installed")
    }

    pub fn docker_ok(&self, arguments: &[&str]) -> String {
        let output = self.docker(arguments);
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker {arguments:?}: {words}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub fn resolved(&self) -> ResolvedEndpoint {
        ResolvedEndpoint {
            endpoint: Endpoint::parse(&self.endpoint, &Env::default()).expect("an endpoint"),
            origin: "test".to_owned(),
        }
    }

    pub async fn engine(&self) -> Engine {
        Engine::connect(&self.resolved(), Deadlines::default())
            .await
            .expect("an engine")
    }

    /// Follows these containers with the usual timings.
    pub fn watch(&self, names: &[&str]) -> Watched {
        Watched::new(&self.endpoint, names)
    }

    /// Process id of our own daemon, whose network is a separate one.
    pub fn daemon_id(&self) -> u32 {
        self.own
            .as_ref()
            .expect("an engine of our own")
            .process
            .id()
    }

    /// Sends a signal to our own daemon.
    pub fn signal(&self, signal: &str) {
        let daemon = self.own.as_ref().expect("an engine of our own");
        let status = Command::new("kill")
            .args([signal, &daemon.process.id().to_string()])
            .status()
            .expect("kill");
        assert!(status.success());
    }

    /// Ends our own daemon and waits for its end.
    pub fn end_daemon(&mut self) {
        self.signal("-TERM");
        let daemon = self.own.as_mut().expect("an engine of our own");
        daemon.process.wait().expect("its end");
    }

    /// Starts our own daemon again in the same place; returns when it answers.
    pub fn start_daemon_again(&mut self) {
        let socket = self.own.take().expect("an engine of our own").socket;
        self.own = Some(Daemon::start(self.folder.path(), socket, &[]));
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let filter = format!("label=forgekeeper.test={}", self.run);
        let listed = self.docker(&["ps", "-aq", "--filter", &filter]);
        let ids = String::from_utf8_lossy(&listed.stdout).into_owned();
        for id in ids.split_whitespace() {
            self.docker(&["rm", "-f", id]);
        }
        self.docker(&["rmi", "-f", &self.image]);
        if let Some(daemon) = &mut self.own {
            let id = daemon.process.id().to_string();
            // A stopped process takes no TERM.
            for signal in ["-CONT", "-TERM"] {
                drop(Command::new("kill").args([signal, &id]).status());
            }
            drop(daemon.process.wait());
        }
    }
}

impl Daemon {
    fn start(folder: &Path, socket: PathBuf, options: &[String]) -> Self {
        let log = fs::File::create(folder.join("dockerd.log")).expect("a log");
        let errors = log.try_clone().expect("a log");
        let option = |name: &str, path: &str| format!("--{name}={}", folder.join(path).display());
        // In a network of its own: a daemon without a bridge takes away the bridge `docker0`, which
        // may be that of an engine in use. And in namespaces of its own of a shared containerd.
        let process = Command::new("unshare")
            .args(["--net", "sh", "-c"])
            .arg("busybox ifconfig lo 127.0.0.1 up && exec dockerd \"$@\"")
            .arg("dockerd")
            .args([
                option("data-root", "data"),
                option("exec-root", "exec"),
                option("pidfile", "pid"),
                format!("--host=unix://{}", socket.display()),
                "--bridge=none".to_owned(),
                "--iptables=false".to_owned(),
                "--live-restore".to_owned(),
                "--containerd-namespace=forgekeeper-test".to_owned(),
                "--containerd-plugins-namespace=forgekeeper-test-plugins".to_owned(),
            ])
            .args(options)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .expect("dockerd is installed, and this is root");
        let daemon = Self { process, socket };
        let started = Instant::now();
        let endpoint = format!("unix://{}", daemon.socket.display());
        loop {
            let answer = Command::new("docker")
                .args(["-H", &endpoint, "version"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .expect("docker");
            if answer.success() {
                return daemon;
            }
            assert!(
                started.elapsed() < Duration::from_mins(1),
                "dockerd does not answer: {}",
                fs::read_to_string(folder.join("dockerd.log")).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A tar of busybox and a supervisorctl that says what a file tells it to say.
fn root_file_system(folder: &Path) -> PathBuf {
    let root = folder.join("root");
    let bin = root.join("bin");
    fs::create_dir_all(&bin).expect("a folder");
    fs::create_dir_all(root.join("tmp")).expect("a folder");
    let busybox = ["/bin/busybox", "/usr/bin/busybox"]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .expect("busybox-static is installed");
    fs::copy(busybox, bin.join("busybox")).expect("copied");
    for applet in [
        "sh", "sleep", "echo", "cat", "tail", "head", "kill", "true", "false", "yes", "usleep",
        "ls", "ln", "mkdir",
    ] {
        symlink("busybox", bin.join(applet)).expect("linked");
    }
    let tar = folder.join("root.tar");
    let status = Command::new("tar")
        .args([
            "-cf",
            &tar.to_string_lossy(),
            "-C",
            &root.to_string_lossy(),
            ".",
        ])
        .status()
        .expect("tar");
    assert!(status.success());
    tar
}

/// A watcher with its tasks; ends them all when it goes.
pub struct Watched {
    pub host: HostHandle,
    pub tasks: Tasks,
}

impl Watched {
    pub fn new(engine: &str, names: &[&str]) -> Self {
        Self::with(engine, names, Timings::default())
    }

    pub fn with(engine: &str, names: &[&str], timings: Timings) -> Self {
        let tasks = Tasks::new();
        let config = HostConfig {
            id: HostId::new("test").expect("an id"),
            engine: engine.to_owned(),
            env: Env::default(),
            wanted: names.iter().map(|name| (*name).to_owned()).collect(),
            timings,
        };
        Self {
            host: HostActor::spawn(&tasks, config),
            tasks,
        }
    }

    /// Waits until the view is as expected, and says how long that took.
    pub async fn until(
        &self,
        what: &str,
        deadline: Duration,
        mut good: impl FnMut(&HostView) -> bool,
    ) -> Duration {
        let started = Instant::now();
        let mut view = self.host.view();
        let waited = tokio::time::timeout(deadline, view.wait_for(|view| good(view))).await;
        assert!(
            waited.is_ok(),
            "{what}: not within {deadline:?}; last seen: {:#?}",
            self.host.view().borrow()
        );
        started.elapsed()
    }

    pub async fn until_listed(&self) {
        self.until("listed", Duration::from_secs(15), |view| {
            view.listing_complete
        })
        .await;
    }

    /// Waits until a container is present and as expected.
    pub async fn until_container(
        &self,
        name: &str,
        deadline: Duration,
        good: impl Fn(&ContainerSnapshot) -> bool,
    ) -> ContainerSnapshot {
        self.until(name, deadline, |view| {
            present(view, name).is_some_and(&good)
        })
        .await;
        present(&self.host.view().borrow(), name)
            .cloned()
            .expect("present")
    }

    /// Ends everything and says what did not end by itself.
    pub async fn end(self) -> Vec<&'static str> {
        drop(self.host);
        self.tasks.shutdown(Duration::from_secs(5)).await
    }
}

pub fn fact<'a>(view: &'a HostView, name: &str) -> Option<&'a ContainerFact> {
    Some(&view.containers.get(name)?.fact.as_ref()?.value)
}

pub fn present<'a>(view: &'a HostView, name: &str) -> Option<&'a ContainerSnapshot> {
    match fact(view, name)? {
        ContainerFact::Present(container) => Some(container),
        ContainerFact::Missing { .. } | ContainerFact::NotMeasurable { .. } => None,
    }
}

pub fn engine_fact(view: &HostView) -> Option<&EngineFact> {
    view.engine.as_ref().map(|engine| &engine.value)
}
