//! `/sdapi/v1/options`: what is saved in `config.json`.

use std::net::{IpAddr, Ipv4Addr};

use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::generate::Crash;
use super::{Build, Forge, ForgeSpec, system};
use crate::lock::lock;
use crate::reply;

/// Option keys and defaults as JSON text.
const OPTIONS: &[(&str, &str)] = &[
    ("samples_save", "true"),
    ("samples_format", "\"png\""),
    ("samples_filename_pattern", "\"\""),
    ("grid_save", "true"),
    ("return_grid", "true"),
    ("enable_pnginfo", "true"),
    ("jpeg_quality", "80.0"),
    ("webp_lossless", "false"),
    ("export_for_4chan", "true"),
    ("outdir_txt2img_samples", "\"output/txt2img-images\""),
    ("outdir_img2img_samples", "\"output/img2img-images\""),
    ("outdir_grids", "\"\""),
    ("sd_checkpoints_limit", "1.0"),
    ("sd_checkpoint_cache", "0"),
    ("sd_vae", "\"Automatic\""),
    ("sd_unet", "\"Automatic\""),
    ("CLIP_stop_at_last_layers", "1.0"),
    ("randn_source", "\"GPU\""),
    ("emphasis", "\"Original\""),
    ("eta_noise_seed_delta", "0"),
    ("enable_batch_seeds", "true"),
    ("upcast_attn", "false"),
    ("tiling", "false"),
    ("hires_fix_refiner_pass", "\"second pass\""),
    ("forge_preset", "\"xl\""),
    ("forge_unet_storage_dtype", "\"Automatic\""),
    ("forge_inference_memory", "1024.0"),
    ("forge_async_loading", "\"Queue\""),
    ("forge_pin_shared_memory", "\"CPU\""),
    ("forge_try_reproduce", "\"None\""),
    ("forge_additional_modules", "[]"),
    ("live_previews_enable", "true"),
    ("live_previews_image_format", "\"png\""),
    ("show_progress_every_n_steps", "10.0"),
    ("show_progress_type", "\"Approx NN\""),
    ("live_preview_refresh_period", "1000.0"),
    ("interrupt_after_current", "true"),
    ("save_images_before_face_restoration", "false"),
    ("face_restoration", "false"),
    ("face_restoration_model", "\"CodeFormer\""),
    ("memmon_poll_rate", "8.0"),
    ("api_enable_requests", "true"),
    ("api_forbid_local_requests", "true"),
    ("api_useragent", "\"\""),
    ("img2img_color_correction", "false"),
    ("initial_noise_multiplier", "1.0"),
    ("sd_lora", "\"None\""),
    ("lora_preferred_name", "\"Alias from file\""),
    ("CLIP_ignore_last_layers", "0"),
];

/// VAE and text encoders beside the model.
const MODULES: &str = "forge_additional_modules";

/// Keys that the commit of the image skips silently.
const SKIPPED: &[&str] = &[
    "api_enable_requests",
    "api_forbid_local_requests",
    "api_useragent",
];

pub(super) fn defaults(checkpoint: Option<&str>) -> Map<String, Value> {
    let mut map: Map<String, Value> = OPTIONS
        .iter()
        .map(|(key, text)| {
            (
                (*key).to_owned(),
                serde_json::from_str(text).unwrap_or(Value::Null),
            )
        })
        .collect();
    map.insert("sd_model_checkpoint".into(), checkpoint.into());
    map.insert("sd_checkpoint_hash".into(), "".into());
    map
}

/// The settings of this Forge before anybody changed them through the API.
pub(super) fn own(spec: &ForgeSpec) -> Map<String, Value> {
    let mut map = defaults(spec.checkpoints.first().map(String::as_str));
    map.extend(spec.settings.iter().cloned());
    map
}

/// Options that hold for one request.
pub(super) struct Overridden<'a> {
    forge: &'a Forge,
    before: Map<String, Value>,
}

impl Drop for Overridden<'_> {
    fn drop(&mut self) {
        lock(&self.forge.saved).extend(std::mem::take(&mut self.before));
    }
}

impl Forge {
    /// An option that only ever holds a whole number.
    #[expect(clippy::cast_possible_truncation, reason = "options are small numbers")]
    pub(super) fn whole_option(&self, key: &str, otherwise: i64) -> i64 {
        lock(&self.saved)
            .get(key)
            .and_then(Value::as_f64)
            .map_or(otherwise, |f| f as i64)
    }

    /// A switch; what is no truth value counts as `otherwise`.
    pub(super) fn switch(&self, key: &str, otherwise: bool) -> bool {
        lock(&self.saved)
            .get(key)
            .and_then(Value::as_bool)
            .unwrap_or(otherwise)
    }

    /// Sets the options of one request; they go back when the guard is dropped, unless they are
    /// to stay. The commit of the image ignores them altogether.
    pub(super) fn overridden(
        &self,
        given: &Map<String, Value>,
    ) -> Result<Option<Overridden<'_>>, Crash> {
        let Some(Value::Object(wanted)) = given.get("override_settings") else {
            return Ok(None);
        };
        if self.spec.build == Build::Image {
            return Ok(None);
        }
        let mut saved = lock(&self.saved);
        if let Some(key) = wanted.keys().find(|key| !saved.contains_key(*key)) {
            return Err(Crash("KeyError", format!("'{key}'")));
        }
        let mut before = Map::new();
        for (key, value) in wanted {
            let value = if key == "sd_model_checkpoint" {
                // An unknown checkpoint is passed over in silence.
                match value.as_str().and_then(|name| self.checkpoint_named(name)) {
                    Some(file) => file.into(),
                    None => continue,
                }
            } else if key == MODULES {
                self.known_modules(value)
            } else {
                value.clone()
            };
            if let Some(old) = saved.insert(key.clone(), value) {
                before.insert(key.clone(), old);
            }
        }
        drop(saved);
        let stay = given.get("override_settings_restore_afterwards") == Some(&Value::Bool(false));
        Ok((!stay).then(|| Overridden {
            forge: self,
            before,
        }))
    }

    /// True when a value of a wrong type was stored, which breaks reading and generation alike.
    pub(super) fn poisoned(&self) -> bool {
        let saved = lock(&self.saved);
        OPTIONS.iter().any(|(key, text)| {
            let fresh: Value = serde_json::from_str(text).unwrap_or(Value::Null);
            let same = match saved.get(*key) {
                None | Some(Value::Null) => true,
                Some(v) => std::mem::discriminant(v) == std::mem::discriminant(&fresh),
            };
            !same
        })
    }

    /// Paths of those of a list that there are; the newer commit drops the others in silence.
    fn known_modules(&self, asked: &Value) -> Value {
        let asked = asked.as_array().into_iter().flatten();
        let paths = asked.filter_map(|name| {
            let name = name.as_str()?;
            let mut all = self.spec.modules.iter();
            let file = all.find(|file| *file == name || system::module_path(file) == name)?;
            Some(Value::from(system::module_path(file)))
        });
        paths.collect()
    }

    /// The VAE and the text encoders that are chosen beside the model.
    pub(super) fn chosen_modules(&self) -> Vec<String> {
        let saved = lock(&self.saved);
        let chosen = saved.get(MODULES).and_then(Value::as_array);
        let chosen = chosen.into_iter().flatten();
        chosen
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }

    /// The file that a checkpoint name, stem, title or hash means.
    pub(super) fn checkpoint_named(&self, asked: &str) -> Option<String> {
        let bare = asked.split(" [").next().unwrap_or(asked);
        self.spec
            .checkpoints
            .iter()
            .find(|file| {
                let hash = self.hash(file);
                let base = file.rsplit('/').next().unwrap_or(file);
                *file == bare
                    || base == bare
                    || base.rsplit_once('.').is_some_and(|(stem, _)| stem == bare)
                    || hash == asked
                    || hash[..10] == *asked
            })
            .cloned()
    }

    /// A careless client changes one option and sends nothing else: the commit of the image empties
    /// the checkpoint by it.
    pub fn careless_request(&self) {
        let one = Map::from_iter([("samples_save".to_owned(), json!(true))]);
        let neighbour = IpAddr::V4(Ipv4Addr::new(172, 18, 0, 1));
        self.post_options(one, neighbour);
    }

    pub(super) fn get_options(&self) -> Response {
        if self.poisoned() {
            return self.crash("ValueError", "could not convert string to float");
        }
        reply::json(200, &Value::Object(lock(&self.saved).clone()))
    }

    /// A request of this client changes some of the options.
    pub(super) fn post_options(&self, given: Map<String, Value>, client: IpAddr) -> Response {
        let response = self.change_options(given);
        if self.flag("--api-log") {
            // The real one tells of every question, too; the probes would fill the played log.
            self.say(&format!(
                "API {} {} http/1.1 POST /sdapi/v1/options {client} 0.0031",
                Timestamp::now().strftime("%Y-%m-%d %H:%M:%S.%6f"),
                response.status().as_u16(),
            ));
        }
        response
    }

    fn change_options(&self, given: Map<String, Value>) -> Response {
        let known = |key: &str| lock(&self.saved).contains_key(key);
        if let Some(key) = given.keys().find(|key| !known(key)) {
            return self.crash("KeyError", &format!("'{key}'"));
        }
        let asked = given.get("sd_model_checkpoint");
        let mut selected = None;
        if let Some(name) = asked.and_then(Value::as_str) {
            if self.checkpoint_named(name).is_none() {
                return self.crash("RuntimeError", &format!("model '{name}' not found"));
            }
            selected = Some(name.split(" [").next().unwrap_or(name).to_owned());
        }
        let mut saved = lock(&self.saved);
        for (key, value) in given {
            if self.spec.build == Build::Image && SKIPPED.contains(&key.as_str()) {
                continue;
            }
            if key == MODULES && self.spec.build == Build::Head {
                let known = self.known_modules(&value);
                saved.insert(key, known);
            } else if key != "sd_model_checkpoint" {
                saved.insert(key, value);
            }
        }
        if selected.is_some() {
            saved.insert("sd_model_checkpoint".into(), selected.into());
        } else if self.spec.build == Build::Image {
            // The commit of the image forgets the checkpoint on any partial request.
            saved.insert("sd_model_checkpoint".into(), Value::Null);
        }
        drop(saved);
        self.save();
        reply::json(200, &json!(null))
    }
}
