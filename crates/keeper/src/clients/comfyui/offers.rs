//! What a ComfyUI server offers.

use forgekeeper_domain::generation::GenerationChoices;
use serde_json::Value;

use super::names;

/// Longest list of names offered.
const MAX_NAMES: usize = 5000;

/// Names by what they are for; lists that are not told are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Offers {
    /// Whole models: with encoders and VAE.
    pub checkpoints: Vec<String>,
    /// Models alone, such as Flux.
    pub diffusion_models: Vec<String>,
    /// As `KSampler` takes them.
    pub samplers: Vec<String>,
    /// As `KSampler` takes them.
    pub schedulers: Vec<String>,
    pub loras: Vec<String>,
    pub vaes: Vec<String>,
    pub text_encoders: Vec<String>,
    /// What enlarges a latent.
    pub latent_methods: Vec<String>,
    /// Models that enlarge a picture.
    pub upscale_models: Vec<String>,
}

impl Offers {
    /// As a request may name them. LoRAs are named as a prompt's tags name them.
    pub(super) fn choices(self) -> GenerationChoices {
        let both = |mut one: Vec<String>, other: Vec<String>| {
            one.extend(other);
            one
        };
        let loras = self.loras.iter();
        GenerationChoices {
            loras: loras.map(|name| names::stem(name).to_owned()).collect(),
            samplers: self.samplers,
            schedulers: self.schedulers,
            models: both(self.checkpoints, self.diffusion_models),
            upscalers: both(self.latent_methods, self.upscale_models),
            modules: both(self.vaes, self.text_encoders),
        }
    }
}

/// Names in a list of strings.
pub(super) fn names(list: &Value) -> Vec<String> {
    let names = list.as_array().into_iter().flatten();
    let names = names.filter_map(Value::as_str).map(str::to_owned);
    names.take(MAX_NAMES).collect()
}

/// The values of a node's input, from `/object_info/{class}`. Newer nodes say
/// `["COMBO", {"options": [...]}]` where older ones have the list itself (`comfyui-api.md` §12).
pub(super) fn inputs(info: &Value, class: &str, name: &str) -> Vec<String> {
    let input = info
        .get(class)
        .and_then(|node| node.get("input")?.get("required")?.get(name));
    let Some(input) = input else {
        return Vec::new();
    };
    match input.get(0) {
        Some(list @ Value::Array(_)) => names(list),
        _ => names(
            input
                .get(1)
                .and_then(|rest| rest.get("options"))
                .unwrap_or(&Value::Null),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_of_an_input_are_read() {
        let info =
            |input: Value| json!({"KSampler": {"input": {"required": {"scheduler": input}}}});
        let read = |info: &Value| inputs(info, "KSampler", "scheduler");
        for input in [
            json!([["normal", "karras"], {"default": "normal"}]),
            json!(["COMBO", {"options": ["normal", "karras"]}]),
        ] {
            assert_eq!(read(&info(input)), ["normal", "karras"]);
        }
        for odd in [json!({}), json!([]), info(json!(5)), info(json!(["COMBO"]))] {
            assert_eq!(read(&odd), [""; 0], "{odd}");
        }
    }
}
