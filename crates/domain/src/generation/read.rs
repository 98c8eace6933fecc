//! What the parameters inside a picture ask for, and what of them no request can say.

use serde::{Deserialize, Serialize};

use super::{GenerationRequest, Hires, Seed, Variation, infotext::Infotext};

/// Most entries of [`ReadParameters::missing`].
pub(super) const MOST_MISSING: usize = 64;
/// Longest entry, in bytes.
const LONGEST_MISSING: usize = 100;
/// Settings without which a request is a guess.
const NEEDED: [&str; 5] = ["Steps", "Sampler", "CFG scale", "Seed", "Size"];
/// Settings that change nothing of the picture, or are inside others.
const SAID_ELSEWHERE: [&str; 14] = [
    "Version",
    "Model hash",
    "VAE hash",
    "Lora hashes",
    "TI hashes",
    "Hashes",
    "User",
    "Created Date",
    "Civitai resources",
    "Civitai metadata",
    "Variation seed strength",
    "Hires steps",
    "Hires upscaler",
    "Denoising strength",
];

/// Who wrote the parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum ParameterSource {
    /// The parameter text of A1111, Forge and their forks.
    A1111,
    /// A graph of ComfyUI.
    Comfyui,
}

/// The parameters of a picture as a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct ReadParameters {
    /// What they ask for; the founding request's values where they are silent. It may be out of the
    /// limits of a request.
    pub request: GenerationRequest,
    /// Who wrote them.
    pub source: ParameterSource,
    /// Settings and nodes that are not in the request, as they call themselves.
    pub missing: Vec<String>,
}

impl ReadParameters {
    /// Nothing read yet.
    pub(super) fn new(source: ParameterSource) -> Self {
        Self {
            request: GenerationRequest {
                prompt: String::new(),
                ..GenerationRequest::default()
            },
            source,
            missing: Vec::new(),
        }
    }

    /// Something is not in the request.
    pub(super) fn miss(&mut self, what: &str) {
        let what = &what[..what.floor_char_boundary(LONGEST_MISSING)];
        if self.missing.len() < MOST_MISSING && !self.missing.iter().any(|said| said == what) {
            self.missing.push(what.to_owned());
        }
    }
}

/// What a parameter text asks for.
pub fn from_infotext(text: &Infotext) -> ReadParameters {
    let mut read = ReadParameters::new(ParameterSource::A1111);
    read.request.prompt.clone_from(&text.prompt);
    read.request
        .negative_prompt
        .clone_from(&text.negative_prompt);
    let mut understood: Vec<&str> = SAID_ELSEWHERE.to_vec();
    {
        let mut take = |key: &'static str| {
            let value = text.get(key)?;
            understood.push(key);
            Some(value)
        };
        let request = &mut read.request;
        let mut wrong: Vec<&str> = Vec::new();
        macro_rules! number {
            ($key:literal) => {
                take($key).and_then(|value| {
                    let number = value.trim().parse().ok();
                    if number.is_none() {
                        wrong.push($key);
                    }
                    number
                })
            };
        }
        if let Some(steps) = number!("Steps") {
            request.steps = steps;
        }
        if let (Some(width), Some(height)) = (number!("Size-1"), number!("Size-2")) {
            (request.width, request.height) = (width, height);
        }
        if let Some(cfg) = number!("CFG scale") {
            request.cfg_scale = cfg;
        }
        request.seed = number!("Seed").map(Seed);
        request.distilled_cfg = number!("Distilled CFG Scale");
        request.clip_skip = number!("Clip skip");
        let name = |value: &str| Some(value.to_owned()).filter(|name| !name.is_empty());
        request.sampler = take("Sampler").and_then(name);
        request.scheduler = take("Schedule type").and_then(name);
        request.model = take("Model").and_then(name);
        let variation: Option<u64> = number!("Variation seed");
        if let Some(strength) = number!("Variation seed strength") {
            request.variation = Some(Variation {
                seed: variation.map(Seed),
                strength,
            });
        }
        // Either a factor, or the size it comes to.
        let side: Option<f64> = number!("Hires resize-1");
        take("Hires resize-2");
        let factor: Option<f64> = number!("Hires upscale");
        let scale = factor.or_else(|| Some(side? / f64::from(request.width)));
        if let Some(scale) = scale {
            request.hires = Some(Hires {
                scale,
                steps: number!("Hires steps").filter(|steps| *steps > 0),
                denoise: number!("Denoising strength").unwrap_or(0.7),
                upscaler: take("Hires upscaler").and_then(name),
            });
        } else if take("Denoising strength").is_some() {
            // Made from another picture.
            wrong.push("Denoising strength");
        }
        for key in ["VAE", "Module 1", "Module 2", "Module 3", "Module 4"] {
            let module = take(key).and_then(name);
            request
                .modules
                .extend(module.filter(|name| !matches!(name.as_str(), "Automatic" | "None")));
        }
        for key in wrong {
            read.miss(key);
        }
    }
    for key in NEEDED {
        let parts = [key.to_owned(), format!("{key}-1")];
        if parts.iter().all(|part| text.get(part).is_none()) {
            read.miss(key);
        }
    }
    for (key, _) in &text.settings {
        if !understood.contains(&key.as_str()) {
            read.miss(key.strip_suffix("-1").unwrap_or(key));
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use super::{super::infotext::parse, *};

    #[test]
    fn every_field_of_a_request_is_read_and_the_rest_is_named() {
        let read = from_infotext(&parse(
            "a fox\nNegative prompt: blurry\nSteps: 25, Sampler: DPM++ 2M, Schedule type: Karras, \
             CFG scale: 1, Distilled CFG Scale: 3.5, Seed: 18446744073709551615, Size: 512x768, \
             Model hash: 0123456789, Model: beta, Clip skip: 2, Variation seed: 7, \
             Variation seed strength: 0.25, Denoising strength: 0.4, Hires upscale: 1.5, \
             Hires steps: 10, Hires upscaler: Latent, Module 1: ae, Module 2: clip_l, \
             ControlNet 0: \"Module: canny, Weight: 1\", Version: f2.0.1v1.10.1",
        ));
        let expected = GenerationRequest {
            prompt: "a fox".to_owned(),
            negative_prompt: "blurry".to_owned(),
            steps: 25,
            width: 512,
            height: 768,
            cfg_scale: 1.0,
            seed: Some(Seed(u64::MAX)),
            sampler: Some("DPM++ 2M".to_owned()),
            scheduler: Some("Karras".to_owned()),
            model: Some("beta".to_owned()),
            batch: 1,
            distilled_cfg: Some(3.5),
            clip_skip: Some(2),
            variation: Some(Variation {
                seed: Some(Seed(7)),
                strength: 0.25,
            }),
            hires: Some(Hires {
                scale: 1.5,
                steps: Some(10),
                denoise: 0.4,
                upscaler: Some("Latent".to_owned()),
            }),
            modules: vec!["ae".to_owned(), "clip_l".to_owned()],
        };
        assert_eq!(read.request, expected);
        assert_eq!(read.missing, ["ControlNet 0"]);
    }

    #[test]
    fn what_is_absent_or_unreadable_is_named_and_not_guessed() {
        let read = from_infotext(&parse("just a prompt"));
        assert_eq!(read.request.prompt, "just a prompt");
        assert_eq!(read.missing, NEEDED);
        let read = from_infotext(&parse(
            "p\nSteps: many, Sampler: Euler, CFG scale: 7, Seed: -1, Size: 512x512, \
             Denoising strength: 0.5",
        ));
        assert_eq!(read.request.steps, GenerationRequest::default().steps);
        assert_eq!(read.request.seed, None);
        assert_eq!(read.missing, ["Steps", "Seed", "Denoising strength"]);
        let many: Vec<String> = (0..500).map(|n| format!("Odd {n}: x, ")).collect();
        let many = many.concat();
        let read = from_infotext(&parse(&format!("p\n{many}")));
        assert_eq!(read.missing.len(), MOST_MISSING);
    }

    #[test]
    fn a_size_to_come_to_is_a_factor() {
        let read = from_infotext(&parse(
            "p\nSteps: 1, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 512x512, \
             Denoising strength: 0.5, Hires resize: 1024x1024",
        ));
        assert_eq!(read.request.hires.map(|hires| hires.scale), Some(2.0));
        assert_eq!(read.missing, [""; 0]);
    }
}
