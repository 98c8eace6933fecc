//! Bodies of Forge's API, as sent and as read.

use forgekeeper_domain::generation::GenerationRequest;
use serde::Deserialize;
use serde_json::{Value, json};

/// The body of `POST /sdapi/v1/txt2img`. Options are overridden only for a model that was asked for:
/// an override costs a reload of the model whenever it alternates.
pub(super) fn txt2img(request: &GenerationRequest, task: &str) -> Value {
    let mut body = json!({
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "steps": request.steps,
        "width": request.width,
        "height": request.height,
        "cfg_scale": request.cfg_scale,
        "seed": request.seed.map_or(json!(-1), |seed| json!(seed.0)),
        "batch_size": request.batch,
        "n_iter": 1,
        "send_images": true,
        "save_images": false,
        "force_task_id": task,
    });
    for (key, value) in [
        ("sampler_name", &request.sampler),
        ("scheduler", &request.scheduler),
    ] {
        if let Some(value) = value {
            body[key] = json!(value);
        }
    }
    if let Some(model) = &request.model {
        body["override_settings"] = json!({ "sd_model_checkpoint": bare_model(model) });
    }
    body
}

/// A model's title without its ` [hash]`, the form every commit accepts.
pub(super) fn bare_model(title: &str) -> &str {
    match title.rsplit_once(" [") {
        Some((name, hash)) if hash.ends_with(']') => name,
        _ => title,
    }
}

/// The answer of `POST /sdapi/v1/txt2img`.
#[derive(Debug, Deserialize)]
pub(super) struct Txt2Img {
    /// Base64, without prefix.
    pub images: Vec<String>,
    /// A JSON document inside a string.
    #[serde(default)]
    pub info: Option<String>,
}

/// What the server really used; each value may be missing in a fork.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Info {
    pub seed: Option<u64>,
    pub all_seeds: Vec<u64>,
    pub sampler_name: Option<String>,
    pub steps: Option<u32>,
    pub sd_model_name: Option<String>,
    pub sd_model_hash: Option<String>,
    pub index_of_first_image: usize,
    pub infotexts: Vec<String>,
}

impl Info {
    /// Reads the inner document; a fork that changed a type costs that value, not the picture.
    pub(super) fn read(text: &str) -> Self {
        let Ok(value) = serde_json::from_str::<Value>(text) else {
            return Self::default();
        };
        if let Ok(info) = Self::deserialize(&value) {
            return info;
        }
        let string = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let list = |key: &str| {
            value
                .get(key)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
        Self {
            seed: value.get("seed").and_then(Value::as_u64),
            all_seeds: list("all_seeds").iter().map_while(Value::as_u64).collect(),
            sampler_name: string("sampler_name"),
            steps: value
                .get("steps")
                .and_then(Value::as_u64)
                .and_then(|n| u32::try_from(n).ok()),
            sd_model_name: string("sd_model_name"),
            sd_model_hash: string("sd_model_hash"),
            index_of_first_image: value
                .get("index_of_first_image")
                .and_then(Value::as_u64)
                .and_then(|n| usize::try_from(n).ok())
                .unwrap_or(0),
            infotexts: list("infotexts")
                .iter()
                .map_while(|t| t.as_str().map(str::to_owned))
                .collect(),
        }
    }
}

/// `POST /internal/progress`: one job by its own id.
#[derive(Debug, Default, Deserialize)]
pub(super) struct TaskProgress {
    pub active: bool,
    pub queued: bool,
    pub completed: bool,
    #[serde(default)]
    pub progress: Option<f64>,
    #[serde(default)]
    pub live_preview: Option<String>,
    #[serde(default)]
    pub id_live_preview: Option<i64>,
}

/// The question for [`TaskProgress`].
pub(super) fn task_question(task: &str, known_preview: i64) -> Value {
    json!({ "id_task": task, "id_live_preview": known_preview, "live_preview": true })
}
