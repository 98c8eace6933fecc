//! Bodies of Forge's API, as sent and as read.

use forgekeeper_domain::generation::GenerationRequest;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::offers::Dialect;

/// The body of `POST /sdapi/v1/txt2img`. What is left open is left out, but where the server's own
/// default spoils the picture. `options` hold for this generation alone; the image's Forge ignores
/// them here, so there they are set in another way.
pub(super) fn txt2img(
    request: &GenerationRequest,
    task: &str,
    dialect: Option<Dialect>,
    options: &Map<String, Value>,
) -> Value {
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
    if let Some(guidance) = request.distilled_cfg {
        body["distilled_cfg_scale"] = json!(guidance);
    }
    if let Some(variation) = &request.variation {
        body["subseed"] = variation.seed.map_or(json!(-1), |seed| json!(seed.0));
        body["subseed_strength"] = json!(variation.strength);
    }
    if let Some(hires) = &request.hires {
        body["enable_hr"] = json!(true);
        body["hr_scale"] = json!(hires.scale);
        body["denoising_strength"] = json!(hires.denoise);
        // 0 takes as many as the first pass.
        body["hr_second_pass_steps"] = json!(hires.steps.unwrap_or(0));
        if let Some(upscaler) = &hires.upscaler {
            body["hr_upscaler"] = json!(upscaler);
        }
        // Left at its default of 1 the second pass drops the negative prompt.
        body["hr_cfg"] = json!(request.cfg_scale);
        if let Some(guidance) = request.distilled_cfg {
            body["hr_distilled_cfg"] = json!(guidance);
        }
        if dialect == Some(Dialect::Head) {
            // Left out, this one fails.
            body["hr_additional_modules"] = json!(["Use same choices"]);
        }
    }
    if !options.is_empty() && dialect != Some(Dialect::Image) {
        body["override_settings"] = Value::Object(options.clone());
        body["override_settings_restore_afterwards"] = json!(true);
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
    /// Comes as a broken number from some.
    pub clip_skip: Option<f64>,
    pub subseed: Option<u64>,
    pub subseed_strength: Option<f64>,
    pub sd_vae_name: Option<String>,
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
            clip_skip: value.get("clip_skip").and_then(Value::as_f64),
            subseed: value.get("subseed").and_then(Value::as_u64),
            subseed_strength: value.get("subseed_strength").and_then(Value::as_f64),
            sd_vae_name: string("sd_vae_name"),
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
    #[serde(default)]
    pub textinfo: Option<String>,
}

impl TaskProgress {
    /// Generations that come before a waiting one: `In queue: 2/3` counts those that wait, and one
    /// more runs.
    pub(super) fn ahead(&self) -> Option<u32> {
        let place = self.textinfo.as_deref()?.strip_prefix("In queue: ")?;
        place.split_once('/')?.0.trim().parse().ok()
    }
}

/// The question for [`TaskProgress`].
pub(super) fn task_question(task: &str, known_preview: i64) -> Value {
    json!({ "id_task": task, "id_live_preview": known_preview, "live_preview": true })
}
