//! A checked request: what is really made, and the text that goes into the picture.

use serde_json::{Map, Value};

use super::generate::Crash;
use super::{Forge, catalog, infotext, system};

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
        let pixels = u64::from(size.0) * u64::from(size.1) * batch;
        if pixels > 16 * 1024 * 1024 || batch * iterations > 64 || steps > 1_000 {
            return Err(self.out_of_memory());
        }
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
            seed: seed.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 % 4_294_967_294),
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
        let hash = system::name_hash(file);
        text.push_str(&format!(
            "\nSteps: {}, Sampler: {}, Schedule type: {}, CFG scale: {:?}, Seed: {seed}, Size: {}x{}, \
             Model hash: {}, Model: {}, Version: {}",
            order.steps,
            order.sampler,
            order.scheduler,
            order.cfg,
            order.asked_size.0,
            order.asked_size.1,
            &hash[..10],
            infotext::quoted(&stem),
            self.version(),
        ));
        text
    }
}

impl Order {
    /// What decides how a picture looks.
    pub(super) fn key(&self, file: &str, index: u64) -> String {
        format!(
            "{file}|{}|{}|{}|{}|{}|{}",
            self.prompt,
            self.negative,
            self.seed.wrapping_add(index),
            self.sampler,
            self.steps,
            self.cfg
        )
    }
}
