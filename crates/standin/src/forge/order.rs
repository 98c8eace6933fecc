//! A checked request: what is really made, and the text that goes into the picture.

use serde_json::{Map, Value};

use super::generate::Crash;
use super::{Forge, catalog, infotext, system};
use crate::docker::hex_id;

/// A checked request.
pub(super) struct Order {
    pub given: Map<String, Value>,
    pub prompt: String,
    pub negative: String,
    pub seed: u64,
    pub steps: u64,
    pub cfg: f64,
    pub sampler: &'static str,
    pub scheduler: String,
    pub asked_size: (u32, u32),
    pub size: (u32, u32),
    pub batch: u64,
    pub iterations: u64,
    pub img2img: bool,
    pub hires: Option<Hires>,
    /// What tells two input pictures apart.
    pub source: String,
    pub subseed: u64,
    pub strength: f64,
}

/// The second pass at a larger size.
pub(super) struct Hires {
    pub size: (u32, u32),
    /// `None` when the size itself was asked for.
    pub scale: Option<f64>,
    /// As many as asked for; the text says nothing of those that follow the first pass.
    pub own_steps: Option<u64>,
    pub steps: u64,
    pub upscaler: String,
}

/// Most pixels of one batch; beyond it a card of this size is out of memory.
const MOST_PIXELS: u64 = 16 * 1024 * 1024;

fn random() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}

/// The second pass, if one is asked for.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates; what is too large is out of memory"
)]
fn hires(given: &Map<String, Value>, size: (u32, u32), steps: u64) -> Result<Option<Hires>, Crash> {
    if given.get("enable_hr") != Some(&Value::Bool(true)) {
        return Ok(None);
    }
    let upscaler = given
        .get("hr_upscaler")
        .and_then(Value::as_str)
        .unwrap_or("Latent");
    let known = upscaler.starts_with("Latent")
        || catalog::UPSCALERS.iter().any(|(name, _)| *name == upscaler);
    if !known {
        let message = format!("could not find upscaler named {upscaler}");
        return Err(Crash("Exception", message));
    }
    let side = |key: &str, of: u32| {
        let asked = given.get(key).and_then(Value::as_u64).unwrap_or(0);
        let scale = given.get("hr_scale").and_then(Value::as_f64);
        let wanted = match u32::try_from(asked) {
            Ok(0) => (f64::from(of) * scale.unwrap_or(2.0)) as u32,
            other => other.unwrap_or(u32::MAX),
        };
        (wanted / 8 * 8).max(8)
    };
    let second = given
        .get("hr_second_pass_steps")
        .and_then(Value::as_u64)
        .filter(|steps| *steps > 0);
    let resized = ["hr_resize_x", "hr_resize_y"]
        .iter()
        .any(|key| given.get(*key).and_then(Value::as_u64).unwrap_or(0) > 0);
    let scale = given.get("hr_scale").and_then(Value::as_f64);
    Ok(Some(Hires {
        size: (side("hr_resize_x", size.0), side("hr_resize_y", size.1)),
        scale: (!resized).then(|| scale.unwrap_or(2.0)),
        own_steps: second,
        steps: second.unwrap_or(steps).min(1_000),
        upscaler: upscaler.to_owned(),
    }))
}

impl Forge {
    pub(super) fn order(&self, given: Map<String, Value>, img2img: bool) -> Result<Order, Crash> {
        let whole =
            |key: &str, otherwise: i64| given.get(key).and_then(Value::as_i64).unwrap_or(otherwise);
        let text = |key: &str| {
            given
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let seed = match given.get("seed") {
            Some(Value::Number(n)) if n.as_i64() == Some(-1) => None,
            Some(Value::Number(n)) => match n.as_u64() {
                Some(seed) => Some(seed),
                None => return Err(Crash("RuntimeError", "Overflow when unpacking long".into())),
            },
            _ => None,
        };
        let steps = u64::try_from(whole("steps", 50)).unwrap_or(0);
        if steps == 0 {
            let message = "integer division or modulo by zero".to_owned();
            return Err(Crash("ZeroDivisionError", message));
        }
        let batch = u64::try_from(whole("batch_size", 1)).unwrap_or(0);
        let iterations = u64::try_from(whole("n_iter", 1)).unwrap_or(0);
        if batch == 0 || iterations == 0 {
            return Err(Crash("IndexError", "list index out of range".into()));
        }
        let side = |key: &str| u32::try_from(whole(key, 512)).unwrap_or(0);
        let asked_size = (side("width"), side("height"));
        let size = (asked_size.0 / 8 * 8, asked_size.1 / 8 * 8);
        if size.0 == 0 || size.1 == 0 {
            let message = "Calculated padded input size per channel: (0 x 0). Kernel size: (3 x 3). \
                           Kernel size can't be greater than actual input size";
            return Err(Crash("RuntimeError", message.into()));
        }
        let hires = hires(&given, size, steps)?;
        let drawn = hires.as_ref().map_or(size, |hires| hires.size);
        let pixels = u64::from(drawn.0) * u64::from(drawn.1) * batch;
        let all = pixels.saturating_mul(iterations);
        if pixels > MOST_PIXELS
            || all > 4 * MOST_PIXELS
            || batch.saturating_mul(iterations) > 64
            || steps > 1_000
        {
            return Err(self.out_of_memory());
        }
        let (subseed, strength) = (
            given.get("subseed").and_then(Value::as_u64),
            given.get("subseed_strength").and_then(Value::as_f64),
        );
        let source = if img2img {
            let images = given.get("init_images").map(Value::to_string);
            let denoise = given.get("denoising_strength").map(Value::to_string);
            hex_id(&format!("{images:?} {denoise:?}"))
        } else {
            String::new()
        };
        let asked = match text("sampler_name") {
            name if name.is_empty() => text("sampler_index"),
            name => name,
        };
        let (sampler, schedule, known) = catalog::sampler(&asked);
        let wanted = text("scheduler");
        // An unknown sampler takes the first of the list together with its own schedule.
        let scheduler = if known {
            catalog::scheduler(if wanted.is_empty() {
                "Automatic"
            } else {
                &wanted
            })
        } else {
            catalog::scheduler(schedule)
        };
        Ok(Order {
            prompt: text("prompt"),
            negative: text("negative_prompt"),
            seed: seed.unwrap_or_else(|| random() % 4_294_967_294),
            steps,
            cfg: given
                .get("cfg_scale")
                .and_then(Value::as_f64)
                .unwrap_or(7.0),
            sampler,
            scheduler: scheduler.to_owned(),
            asked_size,
            size,
            batch,
            iterations,
            img2img,
            hires,
            source,
            subseed: subseed.unwrap_or_else(|| random() % 4_294_967_294),
            strength: strength.unwrap_or(0.0),
            given,
        })
    }

    pub(super) fn infotext(&self, order: &Order, file: &str, seed: u64) -> String {
        let mut text = order.prompt.clone();
        if !order.negative.is_empty() {
            text.push_str("\nNegative prompt: ");
            text.push_str(&order.negative);
        }
        let stem = system::model_name(file);
        let hash = self.hash(file);
        text.push_str(&format!(
            "\nSteps: {}, Sampler: {}, Schedule type: {}, CFG scale: {:?}, {}Seed: {seed}, Size: {}x{}, \
             Model hash: {}, Model: {}{}, Version: {}",
            order.steps,
            order.sampler,
            order.scheduler,
            order.cfg,
            order.distilled(file),
            order.asked_size.0,
            order.asked_size.1,
            &hash[..10],
            infotext::quoted(&stem),
            order.besides(self.whole_option("CLIP_stop_at_last_layers", 1)),
            self.version(),
        ));
        for (number, module) in self.chosen_modules().iter().enumerate() {
            let file = module.rsplit('/').next().unwrap_or(module);
            let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
            let stem = infotext::quoted(stem);
            text.push_str(&format!(", Module {}: {stem}", number + 1));
        }
        text
    }
}

impl Order {
    /// What decides how a picture looks.
    pub(super) fn key(&self, file: &str, index: u64) -> String {
        format!(
            "{file}|{}|{}|{}|{}|{}|{}|{}|{:?}|{}|{}",
            self.prompt,
            self.negative,
            self.seed_of(index),
            self.sampler,
            self.scheduler,
            self.steps,
            self.cfg,
            self.drawn(),
            self.source,
            if self.strength > 0.0 {
                format!("{} {}", self.subseed.wrapping_add(index), self.strength)
            } else {
                String::new()
            }
        )
    }

    /// Guidance that only distilled models use, and only their text tells.
    fn distilled(&self, file: &str) -> String {
        if !file.contains("flux") {
            return String::new();
        }
        let scale = self.given.get("distilled_cfg_scale");
        let scale = scale.and_then(Value::as_f64).unwrap_or(3.5);
        format!("Distilled CFG Scale: {scale:?}, ")
    }

    /// Settings behind the model, in the original's order.
    fn besides(&self, clip_skip: i64) -> String {
        let mut text = String::new();
        if self.strength > 0.0 {
            text.push_str(&format!(
                ", Variation seed: {}, Variation seed strength: {:?}",
                self.subseed, self.strength
            ));
        }
        let denoise = self.given.get("denoising_strength");
        if let Some(denoise) = denoise.and_then(Value::as_f64) {
            text.push_str(&format!(", Denoising strength: {denoise:?}"));
        }
        if clip_skip > 1 {
            text.push_str(&format!(", Clip skip: {clip_skip}"));
        }
        if let Some(hires) = &self.hires {
            text.push_str(&match hires.scale {
                Some(scale) => format!(", Hires upscale: {scale:?}"),
                None => format!(", Hires resize: {}x{}", hires.size.0, hires.size.1),
            });
            if let Some(steps) = hires.own_steps {
                text.push_str(&format!(", Hires steps: {steps}"));
            }
            let upscaler = infotext::quoted(&hires.upscaler);
            text.push_str(&format!(", Hires upscaler: {upscaler}"));
        }
        text
    }

    /// Pixels of the finished pictures.
    pub(super) fn drawn(&self) -> (u32, u32) {
        self.hires.as_ref().map_or(self.size, |hires| hires.size)
    }

    /// Seeds count up, unless a variation seed does.
    pub(super) fn seed_of(&self, index: u64) -> u64 {
        if self.strength > 0.0 {
            self.seed
        } else {
            self.seed.wrapping_add(index)
        }
    }
}
