//! The nodes at work: loading, sampling with previews, decoding, saving.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::graph::{class_of, input};
use super::plan::{Source, extent, upstream, whole};
use super::run::{Halt, Run};
use super::{Comfy, view};
use crate::faults::Fault;
use crate::lock::lock;
use crate::picture::{Picture, Scene};

impl Comfy {
    fn fail(node: &str, kind: &'static str, text: &str) -> Halt {
        Halt::Failed {
            node: node.to_owned(),
            kind,
            text: text.to_owned(),
        }
    }

    fn interrupted(&self, node: &str) -> Result<(), Halt> {
        if *lock(&self.interrupt) {
            return Err(Halt::Interrupted {
                node: node.to_owned(),
            });
        }
        Ok(())
    }

    /// Runs a node; what it shows, if it is one that shows something.
    pub(super) async fn execute(
        &self,
        run: &mut Run<'_>,
        graph: &Map<String, Value>,
        node: &str,
    ) -> Result<Option<Value>, Halt> {
        self.interrupted(node)?;
        let Some(class) = class_of(graph, node) else {
            return Ok(None);
        };
        match class.name {
            "CheckpointLoaderSimple" | "UNETLoader" => {
                let name = ["ckpt_name", "unet_name"]
                    .iter()
                    .find_map(|key| input(graph, node, key)?.as_str())
                    .unwrap_or_default();
                if lock(&self.loaded).as_deref() != Some(name) {
                    self.say("model weight dtype torch.float16, manual cast: None");
                    self.pace.wait(self.spec.load_ms).await;
                    *lock(&self.loaded) = Some(name.to_owned());
                    self.show_memory(false);
                }
                Ok(None)
            }
            "LoadImage" => {
                let name = input(graph, node, "image").and_then(Value::as_str);
                let name = name.unwrap_or_default();
                if self.input_picture(name).is_none() {
                    let text = format!("cannot identify image file '/root/ComfyUI/input/{name}'");
                    return Err(Self::fail(node, "PIL.UnidentifiedImageError", &text));
                }
                Ok(None)
            }
            "DualCLIPLoader" => {
                self.say("CLIP/text encoder model load device: cuda:0, offload device: cpu, current: cpu, dtype: torch.float16");
                self.pace.wait(self.spec.load_ms / 4.0).await;
                Ok(None)
            }
            "ImageUpscaleWithModel" => {
                self.pace.wait(900.0).await;
                Ok(None)
            }
            "KSampler" => self.sample(run, graph, node).await.map(|()| None),
            "VAEDecode" => {
                self.pace.wait(350.0).await;
                Ok(None)
            }
            "SaveImage" | "PreviewImage" | "SaveImageWebsocket" => {
                self.save(run, graph, node, class.name).await
            }
            _ => {
                self.pace.wait(20.0).await;
                Ok(None)
            }
        }
    }

    async fn sample(
        &self,
        run: &mut Run<'_>,
        graph: &Map<String, Value>,
        node: &str,
    ) -> Result<(), Halt> {
        let on_cpu = self.is(Fault::ImageCpuFallback);
        self.show_memory(!on_cpu);
        self.say("Requested to load SDXL");
        self.say("loaded completely 9.5367431640625e+25 4897.0483474731445 True");
        if *lock(&self.cuda_broken) || self.is(Fault::ImageCudaBroken) {
            self.faults.spend(Fault::ImageCudaBroken, &self.spec.name);
            *lock(&self.cuda_broken) = true;
            let text = "CUDA error: an illegal memory access was encountered";
            return Err(Self::fail(node, "RuntimeError", text));
        }
        if self.is(Fault::ImageOom) || self.is(Fault::GpuFull) {
            *lock(&self.loaded) = None;
            let text = "Allocation on device 0 would exceed allowed memory. (out of memory)\nThis error means you ran out of memory on your GPU.";
            return Err(Self::fail(node, "torch.OutOfMemoryError", text));
        }
        let steps = u64::try_from(whole(graph, node, "steps", 20))
            .unwrap_or(20)
            .clamp(1, 10_000);
        let (width, height, batch) = extent(graph, node).unwrap_or((512, 512, 1));
        let pixels = f64::from(width) * f64::from(height) / (512.0 * 512.0);
        let slow = if on_cpu { 12.0 } else { 1.0 };
        let step_ms = self.spec.step_ms * slow * pixels.max(0.15) * (0.4 + 0.6 * batch as f64);
        let scene = Arc::new(Scene::of(
            &run.signatures.get(node).cloned().unwrap_or_default(),
        ));
        let mut bar = String::new();
        for step in 1..=steps {
            let done = self.preview(&scene, width, height, step as f32 / steps as f32);
            let ((), image) = tokio::join!(self.pace.wait(step_ms), done);
            self.interrupted(node)?;
            let client = run.job.client.as_deref();
            let about = json!({"node_id": node, "prompt_id": run.job.id, "display_node_id": node,
                "parent_node_id": null, "real_node_id": node, "image_type": "image/jpeg"});
            let progress =
                json!({"value": step, "max": steps, "prompt_id": run.job.id, "node": node});
            let first = self.sockets.wants_metadata(client);
            if let (Some(image), true) = (&image, first) {
                self.sockets.picture(client, 1, image, &about);
            }
            self.state(run, node, step as f64, steps as f64, "running");
            self.sockets
                .text(run.job.client.as_deref(), "progress", &progress);
            if let (Some(image), false) = (&image, first) {
                self.sockets
                    .picture(run.job.client.as_deref(), 1, image, &about);
            }
            let percent = step * 100 / steps;
            bar.push_str(&format!(
                "\r{percent:>3}%|          | {step}/{steps} [00:00<00:00, {:>5.2}it/s]",
                1000.0 / step_ms
            ));
        }
        self.say(bar.trim_start_matches('\r'));
        Ok(())
    }

    /// A JPEG that fits 512 by 512, scaled up if need be.
    async fn preview(
        &self,
        scene: &Arc<Scene>,
        width: u32,
        height: u32,
        share: f32,
    ) -> Option<Vec<u8>> {
        if !self.spec.previews {
            return None;
        }
        let scene = Arc::clone(scene);
        let long = width.max(height).max(1);
        let (w, h) = ((width * 512 / long).max(1), (height * 512 / long).max(1));
        tokio::task::spawn_blocking(move || {
            let small = scene.draw((w / 8).max(1), (h / 8).max(1), 1.0 - share);
            small.enlarged(w, h).jpeg(80).ok()
        })
        .await
        .ok()
        .flatten()
    }

    async fn save(
        &self,
        run: &mut Run<'_>,
        graph: &Map<String, Value>,
        node: &str,
        kind: &str,
    ) -> Result<Option<Value>, Halt> {
        let source = upstream(graph, node, "images").and_then(|images| {
            let file = input(graph, &images, "image").and_then(Value::as_str);
            match file {
                Some(file) => self.input_picture(file).map(Source::File),
                None => run.source(&images),
            }
        });
        let Some(source) = source else {
            return Err(Self::fail(
                node,
                "ValueError",
                "no picture reaches this node",
            ));
        };
        let black = self.is(Fault::ImageBlack) || self.is(Fault::ImageNan);
        if self.is(Fault::ImageNan) {
            self.say(
                "/root/ComfyUI/nodes.py:1591: RuntimeWarning: invalid value encountered in cast",
            );
        }
        let (width, height, batch) = match &source {
            Source::Scene {
                width,
                height,
                batch,
                ..
            }
            | Source::Plain {
                width,
                height,
                batch,
                ..
            } => (*width, *height, *batch),
            Source::File(picture) => (picture.width, picture.height, 1),
        };
        let mut texts = vec![("prompt".to_owned(), view::ascii_json(&graph.clone().into()))];
        if let Some(Value::Object(extra)) = run.job.extra.get("extra_pnginfo") {
            texts.extend(
                extra
                    .iter()
                    .map(|(key, value)| (key.clone(), view::ascii_json(value))),
            );
        }
        let mut images = Vec::new();
        for index in 0..batch {
            let key = match &source {
                Source::Scene { key, .. } => format!("{key}|{index}"),
                _ => String::new(),
            };
            let fixed = match &source {
                _ if black => Some(Picture::plain(width, height, [0, 0, 0])),
                Source::Plain { colour, .. } => Some(Picture::plain(width, height, *colour)),
                Source::File(picture) => Some(picture.clone()),
                Source::Scene { .. } => None,
            };
            let texts = texts.clone();
            let drawn = tokio::task::spawn_blocking(move || {
                let picture = fixed.unwrap_or_else(|| Scene::of(&key).draw(width, height, 0.0));
                let chunks: Vec<(&str, &str)> = texts
                    .iter()
                    .map(|(k, v)| (k.as_str(), v.as_str()))
                    .collect();
                picture.png(&chunks)
            });
            let Ok(Ok(file)) = drawn.await else {
                return Err(Self::fail(node, "OSError", "cannot write the picture"));
            };
            if kind == "SaveImageWebsocket" {
                let begin =
                    json!({"value": index, "max": batch, "prompt_id": run.job.id, "node": node});
                self.sockets.text(run.client(), "progress", &begin);
                self.sockets.picture(run.client(), 2, &file, &json!({}));
                continue;
            }
            let temporary = kind == "PreviewImage";
            let asked = input(graph, node, "filename_prefix")
                .and_then(Value::as_str)
                .unwrap_or("ComfyUI");
            let prefix = if temporary { "ComfyUI_temp" } else { asked };
            if prefix.contains("..") || prefix.starts_with('/') {
                return Err(Self::fail(
                    node,
                    "Exception",
                    "**** ERROR: Saving image outside the output folder is not allowed.",
                ));
            }
            images.push(self.keep(prefix, if temporary { "temp" } else { "output" }, file));
        }
        if kind == "SaveImageWebsocket" {
            return Ok(None);
        }
        Ok(Some(json!({ "images": images })))
    }
}
