//! The smaller answers of a Forge: lists, memory, ids, picture texts.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::catalog::{SAMPLERS, SCHEDULERS, UPSCALERS};
use super::{Build, Forge, infotext, request, routes};
use crate::docker::hex_id;
use crate::faults::Fault;
use crate::lock::lock;
use crate::reply;

/// Scripts of which one can be chosen by `script_name`.
pub(super) const SELECTABLE: &[&str] = &[
    "prompt matrix",
    "prompts from file or textbox",
    "x/y/z plot",
];
/// Scripts that `alwayson_scripts` addresses.
pub(super) const ALWAYS_ON: &[&str] = &["controlnet", "refiner", "seed", "sampler"];

const MODELS: &str = "/opt/stable-diffusion-webui-forge/models";

/// A checkpoint's name without folder separators and extension.
pub(super) fn model_name(file: &str) -> String {
    file.rsplit_once('.')
        .map_or(file, |(stem, _)| stem)
        .replace('/', "_")
}

/// Where a VAE or text encoder lies.
pub(super) fn module_path(file: &str) -> String {
    format!("{MODELS}/VAE/{file}")
}

fn mib(count: u64) -> u64 {
    count * 1024 * 1024
}

impl Forge {
    /// The hash of a checkpoint: of the file's name in the image, of its content in newer ones.
    pub(super) fn hash(&self, file: &str) -> String {
        let base = file.rsplit('/').next().unwrap_or(file);
        match self.spec.build {
            Build::Image => hex_id(base),
            Build::Head => hex_id(&format!("content of {base}")),
        }
    }

    pub(super) fn models(&self) -> Response {
        if self.is(Fault::ApiNoModels) {
            return reply::json(200, &json!([]));
        }
        let used = lock(&self.used).clone();
        let rows: Vec<Value> = self
            .spec
            .checkpoints
            .iter()
            .map(|file| {
                let hash = used.contains(file).then(|| self.hash(file));
                let title = match &hash {
                    Some(hash) => format!("{file} [{}]", &hash[..10]),
                    None => file.clone(),
                };
                json!({"title": title, "model_name": model_name(file),
                       "hash": hash.as_ref().map(|h| &h[..10]), "sha256": hash,
                       "filename": format!("{MODELS}/Stable-diffusion/{file}"), "config": null})
            })
            .collect();
        reply::json(200, &rows.into())
    }

    pub(super) fn modules(&self) -> Response {
        let rows: Vec<Value> = self
            .spec
            .modules
            .iter()
            .map(|file| json!({"model_name": file, "filename": module_path(file)}))
            .collect();
        reply::json(200, &rows.into())
    }

    pub(super) fn loras(&self) -> Response {
        let rows: Vec<Value> = self
            .spec
            .loras
            .iter()
            .map(|name| {
                json!({"name": name, "alias": name, "metadata": {},
                       "path": format!("{MODELS}/Lora/{name}.safetensors")})
            })
            .collect();
        reply::json(200, &rows.into())
    }

    #[expect(clippy::unused_self, reason = "all answers are methods of the program")]
    pub(super) fn samplers(&self) -> Response {
        let rows: Vec<Value> = SAMPLERS
            .iter()
            .map(|(name, alias, schedule)| {
                let options = if schedule.is_empty() {
                    json!({})
                } else {
                    json!({"scheduler": schedule})
                };
                json!({"name": name, "aliases": [alias], "options": options})
            })
            .collect();
        reply::json(200, &rows.into())
    }

    #[expect(clippy::unused_self, reason = "all answers are methods of the program")]
    pub(super) fn schedulers(&self) -> Response {
        let rows: Vec<Value> = SCHEDULERS
            .iter()
            .map(|(name, label, rho, inner)| {
                json!({"name": name, "label": label, "aliases": null, "default_rho": rho,
                       "need_inner_model": inner})
            })
            .collect();
        reply::json(200, &rows.into())
    }

    #[expect(clippy::unused_self, reason = "all answers are methods of the program")]
    pub(super) fn upscalers(&self) -> Response {
        let rows: Vec<Value> = UPSCALERS
            .iter()
            .map(|(name, model)| {
                json!({"name": name, "model_name": model, "model_path": null, "model_url": null,
                       "scale": 4.0})
            })
            .collect();
        reply::json(200, &rows.into())
    }

    #[expect(clippy::unused_self, reason = "all answers are methods of the program")]
    pub(super) fn latent_modes(&self) -> Response {
        let names = [
            "Latent",
            "Latent (antialiased)",
            "Latent (bicubic)",
            "Latent (bicubic antialiased)",
            "Latent (nearest)",
            "Latent (nearest-exact)",
        ];
        let rows: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
        reply::json(200, &rows.into())
    }

    #[expect(clippy::unused_self, reason = "all answers are methods of the program")]
    pub(super) fn face_restorers(&self) -> Response {
        reply::json(
            200,
            &json!([{"name": "CodeFormer", "cmd_dir": format!("{MODELS}/Codeformer")},
                    {"name": "GFPGAN", "cmd_dir": null}]),
        )
    }

    #[expect(clippy::unused_self, reason = "all answers are methods of the program")]
    pub(super) fn scripts(&self) -> Response {
        let names: Vec<&str> = SELECTABLE.iter().chain(ALWAYS_ON).copied().collect();
        reply::json(200, &json!({"txt2img": names, "img2img": names}))
    }

    pub(super) fn memory(&self) -> Response {
        let total = 67_108_864_000.0_f64;
        let Some(card) = self.gpus.read(self.card()) else {
            return reply::json(
                200,
                &json!({"ram": {"free": total * 0.4, "used": mib(6_020), "total": total},
                        "cuda": {"error": "unavailable"}}),
            );
        };
        let held = mib(self.held_mib());
        let peak = held + if held > 0 { mib(1_700) } else { 0 };
        let pair = json!({"current": held, "peak": peak});
        reply::json(
            200,
            &json!({
                "ram": {"free": total * 0.4, "used": mib(6_020), "total": total},
                "cuda": {
                    "system": {"free": mib(card.card.total_mib - card.used_mib), "used": mib(card.used_mib),
                               "total": mib(card.card.total_mib)},
                    "active": pair, "allocated": pair, "reserved": pair,
                    "inactive": {"current": mib(96), "peak": mib(410)},
                    "events": {"retries": 0, "oom": self.oom_count.load(Ordering::SeqCst)},
                },
            }),
        )
    }

    /// The newer commit frees the card; that of the image does nothing.
    pub(super) fn unload(&self) -> Response {
        if self.spec.build == Build::Head && !self.busy() {
            *lock(&self.loaded) = None;
            self.show_memory(false);
        }
        reply::json(200, &json!({}))
    }

    /// The page's own description; the real one has megabytes.
    pub(super) fn config(&self) -> Response {
        if self.flag("--gradio-auth") {
            return reply::json(401, &json!({"detail": "Not authenticated"}));
        }
        reply::json(
            200,
            &json!({"version": "4.40.0", "mode": "blocks", "title": "Stable Diffusion", "components": []}),
        )
    }

    pub(super) fn pending(&self) -> Response {
        let waiting = lock(&self.waiting).clone();
        reply::json(200, &json!({"size": waiting.len(), "tasks": waiting}))
    }

    pub(super) fn app_id(&self) -> Response {
        reply::json(200, &json!({"app_id": self.app_id.load(Ordering::SeqCst)}))
    }

    #[expect(clippy::unused_self, reason = "all answers are methods of the program")]
    pub(super) fn queue_status(&self) -> Response {
        reply::json(
            200,
            &json!({"msg": "estimation", "rank": null, "queue_size": 0, "rank_eta": null}),
        )
    }

    pub(super) fn version(&self) -> &'static str {
        match self.spec.build {
            Build::Image => "f2.0.1v1.10.1-previous-545-g2d3903d",
            Build::Head => "f2.0.1v1.10.1-previous-669-gdfdcbab6",
        }
    }

    pub(super) fn sysinfo(&self) -> Response {
        let text = json!({"Platform": "Linux-5.15.153.1-microsoft-standard-WSL2-x86_64-with-glibc2.35",
            "Python": "3.10.14", "Version": self.version(),
            "Commit": match self.spec.build { Build::Image => "2d3903d", Build::Head => "dfdcbab6" },
            "Commandline": ["launch.py", "--port", "17860"], "Torch env info": {"torch_version": "2.4.1+cu121"}});
        reply::typed(200, "text/plain; charset=utf-8", format!("{text:#}"))
    }

    #[expect(clippy::unused_self, reason = "all answers are methods of the program")]
    pub(super) fn profile(&self) -> Response {
        reply::json(
            200,
            &json!({"total": 34.7, "records": {"import torch": 11.9, "load scripts": 6.2}}),
        )
    }

    pub(super) fn openapi(&self) -> Response {
        let mut fields = json!({"prompt": {"type": "string"}, "steps": {"type": "integer"}});
        if self.spec.build == Build::Head {
            fields["hr_additional_modules"] = json!({"type": "array"});
        }
        reply::json(
            200,
            &json!({"openapi": "3.1.0", "info": {"title": "FastAPI", "version": "0.1.0"},
                "paths": {"/sdapi/v1/txt2img": {"post": {}}, "/sdapi/v1/sd-models": {"get": {}},
                          "/sdapi/v1/sd-modules": {"get": {}}, "/sdapi/v1/progress": {"get": {}}},
                "components": {"schemas": {"StableDiffusionProcessingTxt2Img": {"properties": fields}}}}),
        )
    }
}

/// `POST /internal/progress`: one job followed by its own id.
pub(super) async fn internal_progress(
    State(forge): State<Arc<Forge>>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let given = match request::body(routes::kind(&headers), &bytes) {
        Ok(map) => map,
        Err(refusal) => return *refusal,
    };
    let id = given
        .get("id_task")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let seen = given
        .get("id_live_preview")
        .and_then(Value::as_i64)
        .unwrap_or(-1);
    let waiting = lock(&forge.waiting).clone();
    let done = lock(&forge.finished).iter().any(|task| task == id);
    let job = lock(&forge.job);
    let active = job.active && job.task.as_deref() == Some(id);
    let place = waiting.iter().position(|task| task == id);
    let mut body = json!({"active": active, "queued": place.is_some(), "completed": done,
        "progress": null, "eta": null, "live_preview": null, "id_live_preview": -1, "textinfo": null});
    if active {
        body["progress"] = json!(job.share());
        body["eta"] = json!(job.eta());
        if let Some((base64, number)) = &job.preview {
            body["id_live_preview"] = json!(number);
            if *number != seen {
                body["live_preview"] = json!(format!("data:image/png;base64,{base64}"));
            }
        }
    } else if let Some(place) = place {
        body["textinfo"] = json!(format!("In queue: {}/{}", place + 1, waiting.len()));
    } else {
        body["textinfo"] = json!("Waiting...");
    }
    reply::json(200, &body)
}

/// `POST /sdapi/v1/png-info`.
pub(super) async fn png_info(headers: HeaderMap, bytes: Bytes) -> Response {
    let given = match request::body(routes::kind(&headers), &bytes) {
        Ok(map) => map,
        Err(refusal) => return *refusal,
    };
    let image = given
        .get("image")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let base64 = image.split_once(";base64,").map_or(image, |(_, rest)| rest);
    let wrong = || reply::json(500, &json!({"detail": "Invalid encoded image"}));
    let Ok(file) = STANDARD.decode(base64.trim()) else {
        return wrong();
    };
    let limits = png::Limits {
        bytes: 64 * 1024 * 1024,
    };
    let decoder = png::Decoder::new_with_limits(std::io::Cursor::new(file), limits);
    let Ok(reader) = decoder.read_info() else {
        return wrong();
    };
    let info = reader.info();
    let mut text = String::new();
    let mut items = json!({});
    for chunk in &info.uncompressed_latin1_text {
        if chunk.keyword == "parameters" {
            text.clone_from(&chunk.text);
        } else {
            items[&chunk.keyword] = json!(chunk.text);
        }
    }
    for chunk in &info.utf8_text {
        let body = chunk.get_text().unwrap_or_default();
        if chunk.keyword == "parameters" {
            text = body;
        } else {
            items[&chunk.keyword] = json!(body);
        }
    }
    let parameters = if text.is_empty() {
        json!({})
    } else {
        infotext::parse(&text).into()
    };
    reply::json(
        200,
        &json!({"info": text, "items": items, "parameters": parameters}),
    )
}
