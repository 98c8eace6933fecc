//! Stable Diffusion WebUI Forge as a real HTTP server, with the surprises of the real one.

mod catalog;
mod disk;
mod generate;
mod infotext;
mod job;
mod options;
mod order;
mod packed;
mod request;
mod routes;
mod startup;
mod system;
mod trouble;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::disk::Disk;
use crate::door::Door;
use crate::faults::{Fault, FaultBoard};
use crate::gpu::{Activity, GpuBoard};
use crate::lock::lock;
use crate::logbook::Logbook;
use crate::pace::Pace;
use crate::tasks::Tasks;
use job::Job;

/// A connection that asks nothing for so long is closed.
const IDLE: std::time::Duration = std::time::Duration::from_secs(30);

/// The file of the program's own output inside the container.
pub const FORGE_LOG: &str = "/var/log/supervisor/forge.log";

/// The usual command line of the image.
pub const FORGE_ARGS: &str = "--api --api-log --listen --cuda-malloc --xformers";

/// Which Forge is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Build {
    /// Commit 2d3903d, baked into the last ai-dock image.
    Image,
    /// Commit dfdcbab, what an updated install runs.
    Head,
}

/// How far the program is in its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing listens.
    Down,
    /// The container's placeholder page answers every GET with 200 HTML.
    Placeholder,
    /// The web page answers, the API routes do not exist yet.
    PageOnly,
    /// The API answers.
    Ready,
}

/// What one Forge is like.
#[derive(Debug, Clone)]
pub struct ForgeSpec {
    /// Service id, also used for faults and GPU work.
    pub name: String,
    /// Which commit is played.
    pub build: Build,
    /// Checkpoint files, relative to the model folder.
    pub checkpoints: Vec<String>,
    /// LoRA names.
    pub loras: Vec<String>,
    /// VAE and text encoder files.
    pub modules: Vec<String>,
    /// `--api-auth`.
    pub auth: Option<(String, String)>,
    /// Index of the card it uses on the host.
    pub card: usize,
    /// Milliseconds of one 512 by 512 step at speed 1.
    pub step_ms: f64,
    /// Milliseconds to load a checkpoint at speed 1.
    pub load_ms: f64,
    /// MiB of a loaded checkpoint.
    pub model_mib: u64,
    /// Command line; `--nowebui` and a missing `--api` change what answers.
    pub args: String,
    /// Options that differ from the defaults.
    pub settings: Vec<(String, Value)>,
}

impl ForgeSpec {
    /// An ordinary Forge with two checkpoints on card 0.
    pub fn plain(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            build: Build::Image,
            checkpoints: vec![
                "sd_xl_base_1.0.safetensors".into(),
                "dreamshaper_8.safetensors".into(),
            ],
            loras: vec!["add-detail-xl".into(), "pixel-art-xl".into()],
            modules: vec!["sdxl_vae.safetensors".into(), "ae.safetensors".into()],
            auth: None,
            card: 0,
            step_ms: 160.0,
            load_ms: 6_000.0,
            model_mib: 6_890,
            args: FORGE_ARGS.into(),
            settings: Vec::new(),
        }
    }
}

/// A played Forge program.
#[derive(Debug)]
pub struct Forge {
    spec: ForgeSpec,
    pace: Pace,
    faults: FaultBoard,
    gpus: GpuBoard,
    log: Arc<Logbook>,
    tasks: Tasks,
    phase: watch::Sender<Phase>,
    /// The options in memory; `config.json` holds them from one start to the next.
    saved: Mutex<Map<String, Value>>,
    /// The folder of its own workspace.
    home: Arc<Disk>,
    /// The folder in use.
    disk: Mutex<Arc<Disk>>,
    /// Checkpoints used since the start: only these show a hash.
    used: Mutex<Vec<String>>,
    loaded: Mutex<Option<String>>,
    line: Arc<tokio::sync::Mutex<()>>,
    job: Mutex<Job>,
    waiting: Mutex<Vec<String>>,
    finished: Mutex<VecDeque<String>>,
    app_id: AtomicU64,
    cuda_broken: AtomicBool,
    oom_count: AtomicU64,
    run: Mutex<CancellationToken>,
}

impl Forge {
    /// A Forge that is not started yet.
    pub fn new(
        spec: ForgeSpec,
        pace: Pace,
        faults: FaultBoard,
        gpus: GpuBoard,
        log: Arc<Logbook>,
        tasks: Tasks,
    ) -> Arc<Self> {
        let saved = options::own(&spec);
        let home = disk::fresh(&saved);
        gpus.declare(&spec.name, spec.card);
        Arc::new(Self {
            spec,
            pace,
            faults,
            gpus,
            log,
            tasks,
            phase: watch::Sender::new(Phase::Down),
            saved: Mutex::new(saved),
            disk: Mutex::new(Arc::clone(&home)),
            home,
            used: Mutex::default(),
            loaded: Mutex::default(),
            line: Arc::default(),
            job: Mutex::default(),
            waiting: Mutex::default(),
            finished: Mutex::default(),
            app_id: AtomicU64::new(0),
            cuda_broken: AtomicBool::new(false),
            oom_count: AtomicU64::new(0),
            run: Mutex::new(CancellationToken::new()),
        })
    }

    /// The service id.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// Where the start has got to.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// True while a generation runs.
    pub fn busy(&self) -> bool {
        lock(&self.job).active
    }

    /// MiB of the loaded checkpoint, 0 if none is.
    pub fn held_mib(&self) -> u64 {
        if lock(&self.loaded).is_some() {
            self.spec.model_mib
        } else {
            0
        }
    }

    /// Puts the placeholder page of a container in preparation up.
    pub fn prepare(&self) {
        self.phase.send_replace(Phase::Placeholder);
    }

    /// Takes up the state of a program that has been running for a long time.
    pub fn be_ready(&self) {
        self.fresh();
        let first = self.spec.checkpoints.first().cloned();
        lock(&self.used).extend(first.clone());
        *lock(&self.loaded) = first;
        self.show_memory(false);
        self.phase.send_replace(Phase::Ready);
    }

    /// The program ends: its port closes, its jobs are gone, its card is free.
    pub fn die(&self) {
        self.phase.send_replace(Phase::Down);
        lock(&self.run).cancel();
        *lock(&self.loaded) = None;
        lock(&self.used).clear();
        *lock(&self.job) = Job::default();
        lock(&self.waiting).clear();
        lock(&self.finished).clear();
        self.cuda_broken.store(false, Ordering::SeqCst);
        self.oom_count.store(0, Ordering::SeqCst);
        self.gpus.release(&self.spec.name);
    }

    /// Goes on with the defaults, as after an unreadable settings file.
    pub fn forget_options(&self) {
        *lock(&self.saved) = options::defaults(None);
        self.move_settings_away();
    }

    /// Puts the settings back as they were at first, in its own workspace.
    pub fn restore_options(&self) {
        *lock(&self.disk) = Arc::clone(&self.home);
        *lock(&self.saved) = options::own(&self.spec);
        self.home.remove("tmp/config.json");
        self.save();
    }

    /// True if the command line holds this flag.
    fn flag(&self, flag: &str) -> bool {
        self.spec.args.split_whitespace().any(|word| word == flag)
    }

    /// Selects the first checkpoint again.
    pub fn restore_checkpoint(&self) {
        let first = self.spec.checkpoints.first().cloned();
        lock(&self.saved).insert("sd_model_checkpoint".into(), first.into());
        self.save();
    }

    fn fresh(&self) -> CancellationToken {
        let run = self.tasks.token().child_token();
        *lock(&self.run) = run.clone();
        let random = uuid::Uuid::new_v4().as_u64_pair().0;
        // Gradio's ids exceed 2^53, which breaks readers that use floating point.
        self.app_id.store(random | (1 << 60), Ordering::SeqCst);
        run
    }

    fn is(&self, fault: Fault) -> bool {
        self.faults.is(fault, &self.spec.name)
    }

    fn card(&self) -> usize {
        if self.is(Fault::PlacementWrong) {
            1 - self.spec.card.min(1)
        } else {
            self.spec.card
        }
    }

    fn show_memory(&self, busy: bool) {
        self.gpus.release(&self.spec.name);
        let activity = Activity {
            busy,
            held_mib: self.held_mib(),
        };
        self.gpus.set(self.card(), &self.spec.name, activity);
    }

    fn say(&self, text: &str) {
        for line in text.lines() {
            self.log.file(FORGE_LOG, line);
        }
    }

    /// Serves the program on `addr`; the port refuses whenever the program is down.
    pub fn serve(self: &Arc<Self>, addr: SocketAddr) -> io::Result<SocketAddr> {
        let door = Door::tcp(
            addr,
            routes::router(Arc::clone(self)),
            &self.tasks,
            Some(IDLE),
        )?;
        let bound = door.addr().unwrap_or(addr);
        let forge = Arc::clone(self);
        self.tasks.spawn(async move {
            let mut phases = forge.phase.subscribe();
            let mut faults = forge.faults.changes();
            loop {
                let refused = forge.is(Fault::ApiRefused);
                door.set(*phases.borrow_and_update() != Phase::Down && !refused)
                    .await;
                faults.borrow_and_update();
                tokio::select! {
                    changed = phases.changed() => if changed.is_err() { return },
                    changed = faults.changed() => if changed.is_err() { return },
                }
            }
        });
        Ok(bound)
    }
}
