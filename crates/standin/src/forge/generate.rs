//! txt2img and img2img: one FIFO lock, real time, real pictures.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::job::Job;
use super::order::Order;
use super::{Build, Forge, request, routes, system};
use crate::faults::Fault;
use crate::lock::lock;
use crate::picture::{self, Picture, PictureError, Scene};
use crate::reply;

/// An exception of the played program.
pub(super) struct Crash(pub &'static str, pub String);

impl From<PictureError> for Crash {
    fn from(error: PictureError) -> Self {
        Self("OSError", error.to_string())
    }
}

/// One run of the sampler over a batch.
struct Pass {
    iteration: u64,
    /// How many passes are done before this one, and how many there will be.
    number: u64,
    count: u64,
    steps: u64,
    step_ms: f64,
}

/// Why the scripts of a request are refused, if they are; names are compared in lower case.
fn wrong_script(given: &Map<String, Value>) -> Option<String> {
    let among = |list: &[&str], name: &str| list.contains(&name.to_lowercase().as_str());
    if let Some(name) = given.get("script_name").and_then(Value::as_str)
        && !name.is_empty()
        && !among(system::SELECTABLE, name)
    {
        return Some(format!("Script '{name}' not found"));
    }
    let scripts = given.get("alwayson_scripts").and_then(Value::as_object)?;
    scripts.keys().find_map(|name| {
        if among(system::ALWAYS_ON, name) {
            None
        } else if among(system::SELECTABLE, name) {
            Some("Cannot have a selectable script in the always on scripts params".to_owned())
        } else {
            Some(format!("Script '{name}' not found"))
        }
    })
}

pub(super) async fn txt2img(
    State(f): State<Arc<Forge>>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    f.enter(&headers, &bytes, false).await
}

pub(super) async fn img2img(
    State(f): State<Arc<Forge>>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    f.enter(&headers, &bytes, true).await
}

impl Forge {
    async fn enter(self: &Arc<Self>, headers: &HeaderMap, bytes: &[u8], img2img: bool) -> Response {
        let read = request::body(routes::kind(headers), bytes)
            .and_then(|given| request::filled(&given, img2img, self.spec.build));
        let given = match read {
            Ok(given) => given,
            Err(refusal) => return *refusal,
        };
        if let Some(text) = wrong_script(&given) {
            return reply::json(422, &json!({ "detail": text }));
        }
        if img2img {
            let first = given
                .get("init_images")
                .and_then(Value::as_array)
                .and_then(|a| a.first());
            let Some(first) = first.and_then(Value::as_str) else {
                return reply::json(404, &json!({"detail": "Init image not found"}));
            };
            let base64 = first.split_once(";base64,").map_or(first, |(_, rest)| rest);
            if STANDARD.decode(base64).is_err() {
                return reply::json(500, &json!({"detail": "Invalid encoded image"}));
            }
        }
        let (tell, told) = oneshot::channel();
        let forge = Arc::clone(self);
        let run = lock(&self.run).clone();
        // A client that leaves does not stop its run, so the run is a task of its own.
        self.tasks.spawn(async move {
            tokio::select! {
                () = run.cancelled() => {}
                answer = forge.queue(given, img2img) => { let _ = tell.send(answer); }
            }
        });
        match told.await {
            Ok(answer) => answer,
            // The program died under the request: the connection is cut with its door.
            Err(_) => std::future::pending().await,
        }
    }

    async fn queue(&self, given: Map<String, Value>, img2img: bool) -> Response {
        let task = given
            .get("force_task_id")
            .and_then(Value::as_str)
            .map_or_else(
                || format!("task({})", uuid::Uuid::new_v4().simple()),
                str::to_owned,
            );
        lock(&self.waiting).push(task.clone());
        let line = Arc::clone(&self.line);
        let held = line.lock().await;
        lock(&self.waiting).retain(|waiting| *waiting != task);
        // The first polls of a run still see an idle server.
        self.pace.wait(120.0).await;
        // Until the new run samples, the steps of the last one are shown.
        let old_steps = lock(&self.job).steps;
        *lock(&self.job) = Job {
            active: true,
            task: Some(task.clone()),
            name: if img2img {
                "scripts_img2img"
            } else {
                "scripts_txt2img"
            }
            .to_owned(),
            count: -1,
            stamp: Timestamp::now().strftime("%Y%m%d%H%M%S").to_string(),
            steps: old_steps,
            started: Some(Instant::now()),
            ..Job::default()
        };
        let done = self.run_order(given, img2img).await;
        {
            let mut job = lock(&self.job);
            job.active = false;
            job.preview = None;
        }
        self.show_memory(false);
        let answer = match done {
            Ok(body) => {
                let mut finished = lock(&self.finished);
                finished.push_back(task);
                if finished.len() > 16 {
                    finished.pop_front();
                }
                reply::json(200, &body)
            }
            Err(Crash(kind, message)) => self.crash(kind, &message),
        };
        drop(held);
        answer
    }

    pub(super) fn out_of_memory(&self) -> Crash {
        self.oom_count.fetch_add(1, Ordering::SeqCst);
        let total = self
            .gpus
            .cards()
            .get(self.card())
            .map_or(24_576, |c| c.total_mib);
        Crash(
            "torch.OutOfMemoryError",
            format!(
                "CUDA out of memory. Tried to allocate 4.50 GiB. GPU 0 has a total capacity of {}.00 GiB \
                 of which 1.21 GiB is free. Process 17 has 17179869184.00 GiB memory in use.",
                total / 1024
            ),
        )
    }

    fn broken_cuda() -> Crash {
        Crash(
            "RuntimeError",
            "CUDA error: an illegal memory access was encountered\n\
             CUDA kernel errors might be asynchronously reported at some other API call, so the \
             stacktrace below might be incorrect."
                .into(),
        )
    }

    async fn load_model(&self) -> Result<String, Crash> {
        let selected = lock(&self.saved)
            .get("sd_model_checkpoint")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let file = selected
            .and_then(|name| self.checkpoint_named(&name))
            .or_else(|| self.spec.checkpoints.first().cloned());
        let Some(file) = file.filter(|_| !self.is(Fault::ApiNoModels)) else {
            self.say("You do not have any model! Please download at least one model in [models/Stable-diffusion].");
            return Err(Crash(
                "AttributeError",
                "'NoneType' object has no attribute 'filename'".into(),
            ));
        };
        if lock(&self.loaded).as_deref() == Some(&file) {
            return Ok(file);
        }
        self.say(&format!(
            "Loading Model: {{'checkpoint_info': {{'filename': '/opt/stable-diffusion-webui-forge/models/Stable-diffusion/{file}', 'hash': ''}}, 'additional_modules': [], 'unet_storage_dtype': None}}\n\
             [Unload] Trying to free all memory for cuda:0 with 0 models keep loaded ... Done.\n\
             StateDict Keys: {{'unet': 1680, 'vae': 250, 'text_encoder': 197, 'text_encoder_2': 518, 'ignore': 0}}"
        ));
        self.pace.wait(self.spec.load_ms).await;
        *lock(&self.loaded) = Some(file.clone());
        let mut used = lock(&self.used);
        if !used.contains(&file) {
            used.push(file.clone());
        }
        drop(used);
        self.say(&format!(
            "Model loaded in {:.1}s (unload existing model: 0.2s, forge model load: {:.1}s).",
            self.spec.load_ms / 1000.0 + 0.2,
            self.spec.load_ms / 1000.0
        ));
        Ok(file)
    }

    async fn run_order(&self, given: Map<String, Value>, img2img: bool) -> Result<Value, Crash> {
        if self.poisoned() {
            return Err(Crash(
                "ValueError",
                "could not convert string to float: 'x'".into(),
            ));
        }
        if self.cuda_broken.load(Ordering::SeqCst) {
            return Err(Self::broken_cuda());
        }
        let order = self.order(given, img2img)?;
        let _options = self.overridden(&order.given)?;
        let file = self.load_model().await?;
        // The commit of the image takes nothing but paths, and looks at them only now.
        let there = |module: &String| {
            let mut all = self.spec.modules.iter();
            all.any(|file| system::module_path(file) == *module)
        };
        if let Some(gone) = self.chosen_modules().iter().find(|module| !there(module)) {
            let message = format!("[Errno 2] No such file or directory: '{gone}'");
            return Err(Crash("FileNotFoundError", message));
        }
        let on_cpu = self.is(Fault::ImageCpuFallback);
        self.show_memory(!on_cpu);
        if self.is(Fault::ImageOom) || self.is(Fault::GpuFull) {
            self.pace.wait(400.0).await;
            return Err(self.out_of_memory());
        }
        if self.is(Fault::ImageCudaBroken) {
            self.pace.wait(400.0).await;
            // The fault breaks the context once; the context stays broken until a restart.
            self.faults.spend(Fault::ImageCudaBroken, &self.spec.name);
            self.cuda_broken.store(true, Ordering::SeqCst);
            return Err(Self::broken_cuda());
        }
        let no_modules = order
            .given
            .get("hr_additional_modules")
            .is_none_or(Value::is_null);
        if order.hires.is_some() && self.spec.build == Build::Head && no_modules {
            let message = "argument of type 'NoneType' is not iterable";
            return Err(Crash("TypeError", message.into()));
        }
        let slow = if on_cpu { 12.0 } else { 1.0 };
        let step_ms = |size: (u32, u32)| {
            let pixels = f64::from(size.0) * f64::from(size.1) / (512.0 * 512.0);
            self.spec.step_ms * slow * pixels.max(0.15) * (0.4 + 0.6 * order.batch as f64)
        };
        let passes: u64 = if order.hires.is_some() { 2 } else { 1 };
        let mut finished = 0;
        for iteration in 0..order.iterations {
            finished = iteration;
            let first = Pass {
                iteration,
                number: iteration * passes,
                count: order.iterations * passes,
                steps: order.steps,
                step_ms: step_ms(order.size),
            };
            let mut going = self.sample(&order, &first, &file).await;
            if let (true, Some(hires)) = (going, &order.hires) {
                let second = Pass {
                    number: first.number + 1,
                    steps: hires.steps,
                    step_ms: step_ms(hires.size),
                    ..first
                };
                going = self.sample(&order, &second, &file).await;
            }
            finished += 1;
            if !going {
                break;
            }
            self.pace.wait(250.0 * slow).await;
        }
        self.answer(&order, &file, finished).await
    }

    /// Runs one pass; false when it was interrupted.
    async fn sample(&self, order: &Order, pass: &Pass, file: &str) -> bool {
        let Pass {
            iteration,
            steps,
            step_ms,
            ..
        } = *pass;
        {
            let mut job = lock(&self.job);
            job.count = i64::try_from(pass.count).unwrap_or(1);
            job.number = i64::try_from(pass.number).unwrap_or(0);
            job.step = 0;
            job.steps = steps;
            job.skipped = false;
            if order.iterations > 1 {
                job.name = format!("Batch {} out of {}", iteration + 1, order.iterations);
            }
        }
        let every = if self.switch("live_previews_enable", true) {
            self.whole_option("show_progress_every_n_steps", 10)
        } else {
            -1
        };
        let scene = Scene::of(&order.key(file, iteration * order.batch));
        let mut bar = String::new();
        let began = Instant::now();
        let mut going = true;
        for step in 0..steps {
            self.pace.wait(step_ms).await;
            let done = step + 1;
            {
                let mut job = lock(&self.job);
                job.step = step.max(done.min(steps - 1));
                if job.interrupted {
                    going = false;
                    break;
                }
                if job.skipped {
                    break;
                }
            }
            if let Ok(every) = u64::try_from(every)
                && every > 0
                && done.is_multiple_of(every)
            {
                let (w, h) = (
                    (order.size.0 / 4).clamp(8, 256),
                    (order.size.1 / 4).clamp(8, 256),
                );
                let noise = 1.0 - done as f32 / steps as f32;
                if let Ok(file) = scene.draw(w, h, noise).png_alpha() {
                    let mut job = lock(&self.job);
                    let number = job.preview.as_ref().map_or(1, |(_, n)| n + 1);
                    job.preview = Some((STANDARD.encode(file), number));
                }
            }
            let percent = done * 100 / steps;
            let blocks = usize::try_from(percent / 10).unwrap_or(10);
            bar.push_str(&format!(
                "\r{percent:>3}%|{:<10}| {done}/{} [00:{:02}<00:{:02}, {:>5.2}it/s]",
                "\u{2588}".repeat(blocks),
                steps,
                began.elapsed().as_secs().min(59),
                0,
                1000.0 / step_ms,
            ));
        }
        self.say(bar.trim_start_matches('\r'));
        self.say(&format!(
            "Total progress: 100%|\u{2588}\u{2588}\u{2588}\u{2588}\u{2588}| {steps}/{steps}"
        ));
        going
    }

    async fn answer(&self, order: &Order, file: &str, iterations: u64) -> Result<Value, Crash> {
        let interrupted = lock(&self.job).interrupted;
        let share = lock(&self.job).step as f32 / order.steps as f32;
        let all = order.batch * order.iterations;
        let black = self.is(Fault::ImageBlack) || self.is(Fault::ImageNan);
        if self.is(Fault::ImageNan) {
            self.say("/opt/stable-diffusion-webui-forge/modules/processing.py:1010: RuntimeWarning: invalid value encountered in cast\n  x_sample = x_sample.astype(np.uint8)");
        }
        let infotexts: Vec<String> = (0..all)
            .map(|i| self.infotext(order, file, order.seed_of(i)))
            .collect();
        let mut images = Vec::new();
        for index in 0..(iterations * order.batch).min(all) {
            if order.given.get("send_images") == Some(&Value::Bool(false)) {
                break;
            }
            let key = order.key(file, index);
            let text = infotexts[usize::try_from(index).unwrap_or(0)].clone();
            let size = order.drawn();
            let noise = if interrupted {
                (1.0 - share).clamp(0.2, 0.9)
            } else {
                0.0
            };
            let drawn = tokio::task::spawn_blocking(move || {
                let picture = if black {
                    Picture::plain(size.0, size.1, [0, 0, 0])
                } else {
                    Scene::of(&key).draw(size.0, size.1, noise)
                };
                picture.png(&[("parameters", &text)])
            });
            let mut bytes = match drawn.await {
                Ok(bytes) => bytes?,
                Err(_) => return Err(Crash("RuntimeError", "image worker ended".into())),
            };
            if self.is(Fault::ImageBomb) {
                bytes = picture::bomb()?;
            }
            let mut base64 = STANDARD.encode(bytes);
            if self.is(Fault::ImageCorrupt) {
                base64 = format!("{}***not base64***", &base64[..base64.len() / 2]);
            }
            images.push(base64);
        }
        self.pace.wait(150.0).await;
        let seeds: Vec<u64> = (0..all).map(|i| order.seed_of(i)).collect();
        let subseeds: Vec<u64> = (0..all).map(|i| order.subseed.wrapping_add(i)).collect();
        let clip_skip = self.whole_option("CLIP_stop_at_last_layers", 1);
        let stem = system::model_name(file);
        let hash = self.hash(file);
        let info = json!({
            "prompt": order.prompt, "all_prompts": vec![&order.prompt; seeds.len()],
            "negative_prompt": order.negative, "all_negative_prompts": vec![&order.negative; seeds.len()],
            "seed": order.seed, "all_seeds": seeds, "subseed": order.subseed, "all_subseeds": subseeds,
            "subseed_strength": order.strength, "width": order.asked_size.0, "height": order.asked_size.1,
            "sampler_name": order.sampler, "cfg_scale": order.cfg, "steps": order.steps,
            "batch_size": order.batch, "restore_faces": false, "face_restoration_model": null,
            "sd_model_name": stem, "sd_model_hash": &hash[..10], "sd_vae_name": null, "sd_vae_hash": null,
            "seed_resize_from_w": -1, "seed_resize_from_h": -1,
            "denoising_strength": order.given.get("denoising_strength"),
            "extra_generation_params": {"Schedule type": order.scheduler}, "index_of_first_image": 0,
            "infotexts": infotexts, "styles": [], "job_timestamp": lock(&self.job).stamp, "clip_skip": clip_skip,
            "is_using_inpainting_conditioning": false, "version": self.version(),
        });
        let mut parameters = order.given.clone();
        if order.img2img {
            parameters.insert("init_images".into(), Value::Null);
        }
        Ok(json!({"images": images, "parameters": parameters, "info": info.to_string()}))
    }
}
