//! ComfyUI 0.3.64 as a real HTTP and WebSocket server, with the surprises of the real one.

mod execute;
mod files;
mod graph;
mod nodes;
mod plan;
mod prompt;
mod queue;
mod routes;
mod run;
mod search;
mod socket;
mod trouble;
mod view;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::disk::Disk;
use crate::door::Door;
use crate::faults::{Fault, FaultBoard};
use crate::gpu::{Activity, GpuBoard};
use crate::lock::lock;
use crate::logbook::{Logbook, Stream};
use crate::pace::Pace;
use crate::tasks::Tasks;
use files::Files;
use queue::Queue;
use socket::Sockets;

/// What one ComfyUI is like.
#[derive(Debug, Clone)]
pub struct ComfySpec {
    /// Service id, also used for faults and GPU work.
    pub name: String,
    /// Checkpoint files.
    pub checkpoints: Vec<String>,
    /// LoRA files.
    pub loras: Vec<String>,
    /// VAE files.
    pub vaes: Vec<String>,
    /// Models without encoders and VAE, such as Flux.
    pub diffusion_models: Vec<String>,
    /// Text encoder files.
    pub text_encoders: Vec<String>,
    /// Models that enlarge pictures.
    pub upscale_models: Vec<String>,
    /// Index of the card it uses on the host.
    pub card: usize,
    /// Milliseconds of one 512 by 512 step at speed 1.
    pub step_ms: f64,
    /// Milliseconds to load a checkpoint at speed 1.
    pub load_ms: f64,
    /// MiB of a loaded checkpoint.
    pub model_mib: u64,
    /// `--preview-method auto` was given.
    pub previews: bool,
    /// Packs of custom nodes beside the manager, with the classes they bring.
    pub packs: Vec<(String, Vec<String>)>,
}

impl ComfySpec {
    /// An ordinary ComfyUI with two checkpoints on card 0.
    pub fn plain(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            checkpoints: vec![
                "sd_xl_turbo_1.0_fp16.safetensors".into(),
                "sd_xl_base_1.0.safetensors".into(),
            ],
            loras: vec!["add-detail-xl.safetensors".into()],
            vaes: vec!["sdxl_vae.safetensors".into(), "ae.safetensors".into()],
            diffusion_models: vec!["flux1-dev-fp8.safetensors".into()],
            text_encoders: vec![
                "clip_l.safetensors".into(),
                "t5xxl_fp8_e4m3fn.safetensors".into(),
            ],
            upscale_models: vec!["4x-UltraSharp.pth".into()],
            card: 0,
            step_ms: 140.0,
            load_ms: 4_000.0,
            model_mib: 6_700,
            previews: true,
            packs: Vec::new(),
        }
    }
}

/// What lies in its folder.
const FILES: &[(&str, &str)] = &[
    ("main.py", "import comfy.options\n"),
    (
        "extra_model_paths.yaml",
        "forge:\n    base_path: /models/\n    checkpoints: Stable-diffusion\n    loras: Lora\n",
    ),
    (
        "user/default/comfy.settings.json",
        "{\n    \"Comfy.ColorPalette\": \"dark\",\n    \"Comfy.Queue.MaxHistoryItems\": 64\n}",
    ),
    (
        "custom_nodes/ComfyUI-Manager/.git/HEAD",
        "ref: refs/heads/main\n",
    ),
    (
        "custom_nodes/ComfyUI-Manager/.git/refs/heads/main",
        "1f3a5c7e9b2d4f6081a3c5e7f9b1d3e5f7091b3d\n",
    ),
    ("custom_nodes/websocket_image_save.py", "# a single file\n"),
];

/// Results of nodes of the last graph: signature to what the node showed.
type Cache = HashMap<String, Option<Value>>;

/// A played ComfyUI program.
#[derive(Debug)]
pub struct Comfy {
    spec: ComfySpec,
    pace: Pace,
    faults: FaultBoard,
    gpus: GpuBoard,
    log: Arc<Logbook>,
    tasks: Tasks,
    ready: watch::Sender<bool>,
    queue: Mutex<Queue>,
    wake: Notify,
    history: Mutex<Vec<(String, Value)>>,
    sockets: Sockets,
    cache: Mutex<Cache>,
    files: Mutex<Files>,
    counters: Mutex<BTreeMap<String, u64>>,
    interrupt: Mutex<bool>,
    loaded: Mutex<Option<String>>,
    cuda_broken: Mutex<bool>,
    run: Mutex<CancellationToken>,
    disk: Arc<Disk>,
    search: Mutex<search::Search>,
}

impl Comfy {
    /// A ComfyUI that is not started yet.
    pub fn new(
        spec: ComfySpec,
        pace: Pace,
        faults: FaultBoard,
        gpus: GpuBoard,
        log: Arc<Logbook>,
        tasks: Tasks,
    ) -> Arc<Self> {
        gpus.declare(&spec.name, spec.card);
        let disk = Disk::with(FILES);
        for (pack, _) in &spec.packs {
            disk.put(&format!("custom_nodes/{pack}/__init__.py"), "# nodes\n");
        }
        Arc::new(Self {
            spec,
            pace,
            faults,
            gpus,
            log,
            tasks,
            ready: watch::Sender::new(false),
            queue: Mutex::default(),
            wake: Notify::new(),
            history: Mutex::default(),
            sockets: Sockets::default(),
            cache: Mutex::default(),
            files: Mutex::default(),
            counters: Mutex::default(),
            interrupt: Mutex::default(),
            loaded: Mutex::default(),
            cuda_broken: Mutex::default(),
            run: Mutex::default(),
            search: Mutex::default(),
            disk: Arc::new(disk),
        })
    }

    /// Serves the program on `addr`; the port refuses whenever the program is down.
    pub fn serve(self: &Arc<Self>, addr: SocketAddr) -> io::Result<SocketAddr> {
        self.serve_while(addr, self.tasks.token().child_token())
    }

    /// The same until the token is cancelled, which gives the port back.
    pub(crate) fn serve_while(
        self: &Arc<Self>,
        addr: SocketAddr,
        exists: CancellationToken,
    ) -> io::Result<SocketAddr> {
        let door = Door::tcp(addr, routes::router(Arc::clone(self)), &self.tasks, None)?;
        let bound = door.addr().unwrap_or(addr);
        let comfy = Arc::clone(self);
        self.tasks.spawn(async move {
            let mut ready = comfy.ready.subscribe();
            let mut faults = comfy.faults.changes();
            loop {
                let refused = comfy.is(Fault::ApiRefused);
                door.set(*ready.borrow_and_update() && !refused).await;
                faults.borrow_and_update();
                tokio::select! {
                    () = exists.cancelled() => return,
                    changed = ready.changed() => if changed.is_err() { return },
                    changed = faults.changed() => if changed.is_err() { return },
                }
            }
        });
        Ok(bound)
    }

    /// The files of its folder.
    pub fn disk(&self) -> Arc<Disk> {
        Arc::clone(&self.disk)
    }

    /// The folders of its custom nodes.
    fn node_folders(&self) -> std::collections::BTreeSet<String> {
        let files = self.disk.all();
        let below = files.keys().filter_map(|path| {
            let (folder, _) = path.strip_prefix("custom_nodes/")?.split_once('/')?;
            Some(folder.to_owned())
        });
        below.collect()
    }

    /// True while a graph runs.
    pub fn busy(&self) -> bool {
        lock(&self.queue).running.is_some()
    }

    /// MiB of the loaded checkpoint, 0 if none is.
    pub fn held_mib(&self) -> u64 {
        if lock(&self.loaded).is_some() {
            self.spec.model_mib
        } else {
            0
        }
    }

    /// Lines of the program's start.
    pub fn old_start(&self) -> Vec<String> {
        let card = self.gpus.cards().get(self.spec.card);
        let name = card.map_or("NVIDIA GeForce RTX 3080", |c| c.name.as_str());
        let vram = card.map_or(16_384, |c| c.total_mib);
        [
            "Checkpoint files will always be loaded safely.".to_owned(),
            format!("Total VRAM {vram} MB, total RAM 64000 MB"),
            "pytorch version: 2.8.0+cu126".into(),
            "Set vram state to: NORMAL_VRAM".into(),
            format!("Device: cuda:0 {name} : cudaMallocAsync"),
            "Using pytorch attention".into(),
            "Python version: 3.12.11 (main, Jun  4 2025, 08:56:18) [GCC 13.3.0]".into(),
            "ComfyUI version: 0.3.64".into(),
            "ComfyUI frontend version: 1.27.10".into(),
            "[Prompt Server] web root: /root/ComfyUI/web".into(),
            String::new(),
            "Import times for custom nodes:".into(),
            "   0.0 seconds: /root/ComfyUI/custom_nodes/websocket_image_save.py".into(),
            "   0.4 seconds: /root/ComfyUI/custom_nodes/ComfyUI-Manager".into(),
            String::new(),
            "Context impl SQLiteImpl.".into(),
            "Will assume non-transactional DDL.".into(),
            "No target revision found.".into(),
            "Starting server".into(),
            String::new(),
            "To see the GUI go to: http://0.0.0.0:8188".into(),
        ]
        .to_vec()
    }

    /// Runs the program from its first line on, for as long as the container runs.
    pub async fn launch(self: Arc<Self>) {
        let mut lines = self.read_paths();
        lines.extend(self.old_start());
        for line in lines {
            let slow = if self.is(Fault::ProgramStarting) {
                4_500.0
            } else {
                450.0
            };
            self.pace.wait(slow).await;
            self.say(&line);
        }
        self.be_ready();
    }

    /// Takes up the state of a program that was started long ago, with the files of now.
    pub(crate) fn take_up(self: &Arc<Self>) {
        self.read_paths();
        self.be_ready();
    }

    /// Takes up the state of a program that has been started.
    pub fn be_ready(self: &Arc<Self>) {
        let run = self.tasks.token().child_token();
        *lock(&self.run) = run.clone();
        let comfy = Arc::clone(self);
        self.tasks.spawn(async move {
            tokio::select! {
                () = run.cancelled() => {}
                () = comfy.work() => {}
            }
        });
        self.ready.send_replace(true);
    }

    /// The program ends: queue, history and sockets are gone, numbers begin at 0 again.
    pub fn die(&self) {
        self.ready.send_replace(false);
        lock(&self.run).cancel();
        *lock(&self.queue) = Queue::default();
        lock(&self.history).clear();
        self.sockets.forget();
        lock(&self.cache).clear();
        *lock(&self.loaded) = None;
        *lock(&self.cuda_broken) = false;
        self.gpus.release(&self.spec.name);
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

    /// ComfyUI writes everything to standard error.
    fn say(&self, text: &str) {
        self.log
            .write(jiff::Timestamp::now(), Stream::Err, None, text);
    }

    fn checkpoints(&self) -> Vec<String> {
        self.unless_unmounted(&self.with_found("checkpoints", self.spec.checkpoints.clone()))
    }

    fn diffusion_models(&self) -> Vec<String> {
        let own = self.spec.diffusion_models.clone();
        self.unless_unmounted(&self.with_found("diffusion_models", own))
    }

    /// The models of a sort, by ComfyUI's name for it.
    fn models(&self, sort: &str) -> Vec<String> {
        match sort {
            "checkpoints" => self.checkpoints(),
            "diffusion_models" => self.diffusion_models(),
            _ => self.with_found(sort, self.own_models(sort)),
        }
    }

    /// Those in its own folder.
    fn own_models(&self, sort: &str) -> Vec<String> {
        match sort {
            "checkpoints" => self.spec.checkpoints.clone(),
            "diffusion_models" => self.spec.diffusion_models.clone(),
            "loras" => self.spec.loras.clone(),
            "vae" => self.spec.vaes.clone(),
            "text_encoders" => self.spec.text_encoders.clone(),
            "upscale_models" => self.spec.upscale_models.clone(),
            _ => Vec::new(),
        }
    }

    fn unless_unmounted(&self, models: &[String]) -> Vec<String> {
        if self.is(Fault::ApiNoModels) {
            Vec::new()
        } else {
            models.to_vec()
        }
    }
}
