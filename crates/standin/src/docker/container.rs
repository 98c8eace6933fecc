//! A container: what it was made from and how it is.

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, Weak};

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Engine;
use super::looping::Loop;
use super::stats::Totals;
use super::supervisor::Supervisor;
use crate::comfyui::Comfy;
use crate::disk::Disk;
use crate::faults::Fault;
use crate::forge::Forge;
use crate::lock::lock;
use crate::logbook::Logbook;

/// Where the image keeps its data.
pub(crate) const WORKSPACE: &str = "/workspace";

/// GPUs asked for at creation.
#[derive(Debug, Clone)]
pub enum Devices {
    /// `device_ids`, as written in the compose file.
    Ids(Vec<String>),
    /// `count`.
    Count(i64),
    /// None.
    None,
}

/// A published port.
#[derive(Debug, Clone, Copy)]
pub struct Published {
    /// Port inside the container.
    pub inner: u16,
    /// Where the host really answers.
    pub host: SocketAddr,
}

/// The program a container is there for.
#[derive(Debug, Clone)]
pub enum Work {
    /// Forge under supervisor, as in the ai-dock image.
    Forge(Arc<Forge>),
    /// ComfyUI as the container's only program.
    Comfy(Arc<Comfy>),
    /// Nothing that serves.
    Idle,
}

/// What a container is made from.
#[derive(Debug, Clone)]
pub struct ContainerSpec {
    /// Service id, for faults.
    pub service: String,
    /// Container name without slash.
    pub name: String,
    /// Image reference.
    pub image: String,
    /// Compose project and service, if it came from compose.
    pub compose: Option<(String, String)>,
    /// Further labels.
    pub labels: Vec<(String, String)>,
    /// Command and arguments.
    pub command: Vec<String>,
    /// Environment.
    pub env: Vec<String>,
    /// Published ports.
    pub ports: Vec<Published>,
    /// GPUs asked for.
    pub devices: Devices,
    /// Indices of the cards that are visible inside.
    pub cards: Vec<usize>,
    /// Host path and path inside.
    pub binds: Vec<(String, String)>,
    /// Host path of another service's workspace, which `config-second-writer` mounts instead.
    pub other_workspace: Option<String>,
    /// A terminal is attached: the log is not multiplexed.
    pub tty: bool,
    /// The program.
    pub work: Work,
    /// Its log.
    pub log: Arc<Logbook>,
    /// The network it was made in, unless compose's own.
    pub network: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Created,
    Running,
    Restarting,
    Exited,
}

impl Status {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct State {
    pub status: Status,
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    pub code: i64,
    pub oom: bool,
    pub error: String,
    pub restarts: u64,
    pub pid: u32,
    /// `/run/container_config` exists: the container prepares itself.
    pub preparing: bool,
}

/// A container of the played engine.
#[derive(Debug)]
pub struct Container {
    pub(crate) spec: ContainerSpec,
    id: Mutex<String>,
    pub(crate) created: Mutex<Timestamp>,
    pub(crate) state: Mutex<State>,
    /// Running totals of the statistics.
    pub(crate) totals: Mutex<Option<Totals>>,
    /// Mounts stay as they were at the creation.
    pub(crate) binds: Mutex<Vec<(String, String)>>,
    pub(crate) supervisor: Option<Supervisor>,
    /// Counts the ends of runs; followers of the log end with a run.
    pub(crate) ends: watch::Sender<u64>,
    pub(crate) run: Mutex<CancellationToken>,
    /// One start, stop or restart at a time, as in the engine.
    pub(crate) acting: tokio::sync::Mutex<()>,
    /// Where the loop of a container that exits again and again is held.
    pub(crate) crashing: Loop,
    pub(crate) engine: Weak<Engine>,
    /// Held by a program that serves for as long as the container exists.
    pub(crate) exists: CancellationToken,
    /// Its program has taken the port.
    pub(crate) serving: AtomicBool,
}

pub(crate) fn hex_id(seed: &(impl AsRef<[u8]> + ?Sized)) -> String {
    use std::fmt::Write as _;
    Sha256::digest(seed.as_ref())
        .iter()
        .fold(String::new(), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}

impl Container {
    pub(crate) fn new(spec: ContainerSpec, engine: &Arc<Engine>) -> Arc<Self> {
        let supervisor = match &spec.work {
            Work::Forge(_) => Some(Supervisor::new()),
            _ => None,
        };
        Arc::new(Self {
            id: Mutex::new(hex_id(&format!("container {}", spec.name))),
            created: Mutex::new(Timestamp::now()),
            state: Mutex::new(State {
                status: Status::Created,
                started: None,
                finished: None,
                code: 0,
                oom: false,
                error: String::new(),
                restarts: 0,
                pid: 0,
                preparing: false,
            }),
            supervisor,
            totals: Mutex::default(),
            binds: Mutex::new(spec.binds.clone()),
            ends: watch::Sender::new(0),
            run: Mutex::new(CancellationToken::new()),
            acting: tokio::sync::Mutex::default(),
            crashing: Loop::default(),
            engine: Arc::downgrade(engine),
            serving: AtomicBool::new(false),
            exists: engine.tasks.token().child_token(),
            spec,
        })
    }

    /// The full id; a recreated container gets another.
    pub fn id(&self) -> String {
        lock(&self.id).clone()
    }

    /// Name without slash.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// The program.
    pub fn work(&self) -> &Work {
        &self.spec.work
    }

    /// True while PID 1 lives.
    pub fn running(&self) -> bool {
        lock(&self.state).status == Status::Running
    }

    pub(crate) fn renew(&self) {
        let fresh = hex_id(&format!(
            "container {} {}",
            self.spec.name,
            uuid::Uuid::new_v4()
        ));
        *lock(&self.id) = fresh;
        *lock(&self.created) = Timestamp::now();
        *lock(&self.binds) = self.wanted_binds();
        let mut state = lock(&self.state);
        state.status = Status::Created;
        state.restarts = 0;
        state.oom = false;
        state.error.clear();
    }

    fn wanted_binds(&self) -> Vec<(String, String)> {
        let is = |fault| {
            let engine = self.engine.upgrade();
            engine.is_some_and(|engine| engine.faults.is(fault, &self.spec.service))
        };
        let mut binds = self.spec.binds.clone();
        if is(Fault::WorkspaceUnmounted) {
            binds.retain(|(_, target)| target != WORKSPACE);
        }
        if let (true, Some(other)) = (is(Fault::ConfigSecondWriter), &self.spec.other_workspace) {
            for (source, target) in &mut binds {
                if target == WORKSPACE {
                    source.clone_from(other);
                }
            }
        }
        binds
    }

    /// Where its workspace is on the host; `None` when a throw-away copy is used.
    pub(crate) fn workspace(&self) -> Option<String> {
        let binds = lock(&self.binds);
        let bind = binds.iter().find(|(_, target)| target == WORKSPACE);
        bind.map(|(source, _)| source.clone())
    }

    /// What lies in a workspace: it belongs to the service that was made with it.
    pub(crate) fn disk_of(&self, workspace: &str) -> Option<Arc<Disk>> {
        let engine = self.engine.upgrade()?;
        engine.all().iter().find_map(|container| {
            let mut binds = container.spec.binds.iter();
            let its = binds.any(|(source, target)| source == workspace && target == WORKSPACE);
            match &container.spec.work {
                Work::Forge(forge) if its => Some(forge.home()),
                _ => None,
            }
        })
    }

    /// Takes up the state of a container that was started long ago.
    pub fn be_old(self: &Arc<Self>, started: Timestamp, created: Timestamp) {
        *lock(&self.created) = created;
        {
            let mut state = lock(&self.state);
            state.status = Status::Running;
            state.started = Some(started);
            state.finished = None;
            state.pid = 1_200 + u32::from(self.spec.ports.first().map_or(1, |p| p.inner % 997));
        }
        self.fresh_run();
        if let Some(supervisor) = &self.supervisor {
            supervisor.be_old(started);
        }
        match &self.spec.work {
            Work::Forge(forge) => forge.be_ready(),
            Work::Comfy(comfy) => {
                comfy.mount(super::real::mounts(self));
                comfy.take_up();
            }
            Work::Idle => {}
        }
    }

    pub(crate) fn fresh_run(&self) -> CancellationToken {
        let token = self
            .engine
            .upgrade()
            .map_or_else(CancellationToken::new, |engine| {
                engine.tasks.token().child_token()
            });
        *lock(&self.run) = token.clone();
        token
    }

    pub(crate) fn labels(&self) -> Vec<(String, String)> {
        let mut labels = self.spec.labels.clone();
        if let Some((project, service)) = &self.spec.compose {
            let folder = format!("/home/jesse/SD/{project}");
            for (key, value) in [
                ("project", project.clone()),
                ("service", service.clone()),
                ("container-number", "1".to_owned()),
                ("oneoff", "False".to_owned()),
                ("version", "2.29.2".to_owned()),
                ("project.working_dir", folder.clone()),
                (
                    "project.config_files",
                    format!("{folder}/docker-compose.yaml"),
                ),
                ("config-hash", hex_id(&self.spec.image)),
            ] {
                labels.push((format!("com.docker.compose.{key}"), value));
            }
        }
        labels
    }
}
