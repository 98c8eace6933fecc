//! What is asked of a service, checked before it is sent.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A seed; a string on the wire because it may exceed 2^53.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "specta", specta(type = String))]
pub struct Seed(pub u64);

impl TryFrom<String> for Seed {
    type Error = std::num::ParseIntError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.trim().parse().map(Seed)
    }
}

impl From<Seed> for String {
    fn from(seed: Seed) -> String {
        seed.0.to_string()
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A test generation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GenerationRequest {
    /// What the picture shows.
    pub prompt: String,
    /// What it must not show.
    #[serde(default)]
    pub negative_prompt: String,
    /// Sampling steps.
    pub steps: u32,
    /// Pixels, a multiple of 8.
    pub width: u32,
    /// Pixels, a multiple of 8.
    pub height: u32,
    /// Guidance.
    pub cfg_scale: f64,
    /// `None` lets the server draw one.
    #[serde(default)]
    pub seed: Option<Seed>,
    /// Sampler name; `None` is the server's default.
    #[serde(default)]
    pub sampler: Option<String>,
    /// Scheduler label; `None` is the server's default.
    #[serde(default)]
    pub scheduler: Option<String>,
    /// Model title; `None` is the model in use.
    #[serde(default)]
    pub model: Option<String>,
    /// Pictures.
    #[serde(default = "one")]
    pub batch: u32,
    /// Guidance of distilled models (Flux), which take no `cfg_scale`; `None` is the server's default.
    #[serde(default)]
    pub distilled_cfg: Option<f64>,
    /// Layer of the text encoder counted from its end, 1 is the last; `None` is the server's default.
    #[serde(default)]
    pub clip_skip: Option<u32>,
    /// A second noise mixed into the first.
    #[serde(default)]
    pub variation: Option<Variation>,
    /// A second pass at a larger size.
    #[serde(default)]
    pub hires: Option<Hires>,
    /// Files of a separate VAE and of text encoders; none leaves it to the server and the model.
    #[serde(default)]
    pub modules: Vec<String>,
}

/// A second noise mixed into the first (A1111: subseed).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Variation {
    /// `None` lets the server draw one.
    #[serde(default)]
    pub seed: Option<Seed>,
    /// 0 keeps the first noise, 1 takes the second.
    pub strength: f64,
}

/// A second pass at a larger size (A1111: hires fix).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Hires {
    /// Of both sides.
    pub scale: f64,
    /// Sampling steps of the second pass; `None` takes as many as the first.
    #[serde(default)]
    pub steps: Option<u32>,
    /// How much of the enlarged picture is made anew, 0 to 1.
    pub denoise: f64,
    /// Upscaler name; `None` is the server's default.
    #[serde(default)]
    pub upscaler: Option<String>,
}

fn one() -> u32 {
    1
}

impl Default for GenerationRequest {
    /// The founding document's test: 512×512, 20 steps.
    fn default() -> Self {
        Self {
            prompt: "test image".to_owned(),
            negative_prompt: String::new(),
            steps: 20,
            width: 512,
            height: 512,
            cfg_scale: 7.0,
            seed: None,
            sampler: None,
            scheduler: None,
            model: None,
            batch: 1,
            distilled_cfg: None,
            clip_skip: None,
            variation: None,
            hires: None,
            modules: Vec::new(),
        }
    }
}

/// What is wrong with a request: the field and its limits.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RequestProblem {
    /// A number out of its range.
    #[error("{field} must be between {min} and {max}, not {value}")]
    Range {
        /// Which.
        field: &'static str,
        /// Lowest allowed.
        min: f64,
        /// Highest allowed.
        max: f64,
        /// As given.
        value: f64,
    },
    /// Not a multiple of 8: servers round silently, and the picture would differ from the request.
    #[error("{field} must be a multiple of 8, not {value}")]
    Multiple {
        /// Which.
        field: &'static str,
        /// As given.
        value: u32,
    },
    /// A text too long.
    #[error("{field} must not be longer than {max} characters")]
    Length {
        /// Which.
        field: &'static str,
        /// Longest allowed.
        max: usize,
    },
    /// A list too long.
    #[error("there must not be more than {max} {field}")]
    Many {
        /// Which.
        field: &'static str,
        /// Most allowed.
        max: usize,
    },
}

impl RequestProblem {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Range {
                field, min, max, ..
            } => format!("Choose a value from {min} to {max} for {field}."),
            Self::Multiple { value, .. } => format!(
                "The nearest are {} and {}.",
                value / 8 * 8,
                value.saturating_add(7) / 8 * 8
            ),
            Self::Length { field, max } => {
                format!("Shorten the {field} to {max} characters.")
            }
            Self::Many { field, max } => format!("Leave at most {max} {field}."),
        }
    }
}

/// Longest prompt in characters; the longest seen in practice are a tenth of this.
const MAX_PROMPT_CHARS: usize = 20_000;
/// Longest sampler, scheduler or model name.
const MAX_NAME_CHARS: usize = 512;
/// Most separate files of a model; Flux takes three.
const MAX_MODULES: usize = 8;

impl GenerationRequest {
    /// Refuses what no server should be asked, before anything is sent.
    pub fn check(&self) -> Result<(), RequestProblem> {
        let ranges: [(&'static str, Option<f64>, f64, f64); 11] = [
            ("steps", Some(f64::from(self.steps)), 1.0, 150.0),
            ("width", Some(f64::from(self.width)), 64.0, 2048.0),
            ("height", Some(f64::from(self.height)), 64.0, 2048.0),
            ("cfg", Some(self.cfg_scale), 0.0, 30.0),
            ("batch", Some(f64::from(self.batch)), 1.0, 8.0),
            ("distilled_cfg", self.distilled_cfg, 0.0, 30.0),
            ("clip_skip", self.clip_skip.map(f64::from), 1.0, 12.0),
            ("variation", self.variation.map(|v| v.strength), 0.0, 1.0),
            (
                "hires_scale",
                self.hires.as_ref().map(|h| h.scale),
                1.0,
                4.0,
            ),
            (
                "hires_denoise",
                self.hires.as_ref().map(|h| h.denoise),
                0.0,
                1.0,
            ),
            (
                "hires_steps",
                self.hires.as_ref().and_then(|h| h.steps).map(f64::from),
                1.0,
                150.0,
            ),
        ];
        for (field, value, min, max) in ranges {
            let Some(value) = value else { continue };
            if !(min..=max).contains(&value) {
                return Err(RequestProblem::Range {
                    field,
                    min,
                    max,
                    value,
                });
            }
        }
        for (field, value) in [("width", self.width), ("height", self.height)] {
            if value % 8 != 0 {
                return Err(RequestProblem::Multiple { field, value });
            }
        }
        if self.modules.len() > MAX_MODULES {
            return Err(RequestProblem::Many {
                field: "modules",
                max: MAX_MODULES,
            });
        }
        let upscaler = self.hires.as_ref().and_then(|h| h.upscaler.as_deref());
        let modules = self
            .modules
            .iter()
            .map(|name| ("modules", &**name, MAX_NAME_CHARS));
        let texts: [(&'static str, &str, usize); 6] = [
            (
                "hires_upscaler",
                upscaler.unwrap_or_default(),
                MAX_NAME_CHARS,
            ),
            ("prompt", &self.prompt, MAX_PROMPT_CHARS),
            ("negative", &self.negative_prompt, MAX_PROMPT_CHARS),
            (
                "sampler",
                self.sampler.as_deref().unwrap_or_default(),
                MAX_NAME_CHARS,
            ),
            (
                "scheduler",
                self.scheduler.as_deref().unwrap_or_default(),
                MAX_NAME_CHARS,
            ),
            (
                "model",
                self.model.as_deref().unwrap_or_default(),
                MAX_NAME_CHARS,
            ),
        ];
        for (field, text, max) in texts.into_iter().chain(modules) {
            if text.chars().count() > max {
                return Err(RequestProblem::Length { field, max });
            }
        }
        Ok(())
    }

    /// Pixels of the finished pictures: those asked for, enlarged by a second pass. Rounded down as
    /// A1111 and Forge do it, to whole pixels and then to a multiple of 8.
    pub fn picture_size(&self) -> (u32, u32) {
        let Some(hires) = &self.hires else {
            return (self.width, self.height);
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float cast saturates, and a checked request is far from there"
        )]
        let enlarged = |side: u32| ((f64::from(side) * hires.scale) as u32 / 8 * 8).max(8);
        (enlarged(self.width), enlarged(self.height))
    }

    /// Pixels of all pictures together.
    pub fn pixels(&self) -> u64 {
        let (width, height) = self.picture_size();
        (u64::from(width) * u64::from(height)).saturating_mul(u64::from(self.batch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_refused_with_the_field_that_is_wrong() {
        let ok = GenerationRequest::default();
        assert_eq!(ok.check(), Ok(()));
        let hires = Hires {
            scale: 2.0,
            steps: None,
            denoise: 0.5,
            upscaler: None,
        };
        let with_hires = |hires| GenerationRequest {
            hires: Some(hires),
            ..ok.clone()
        };
        let cases: [(GenerationRequest, &str); 13] = [
            (
                with_hires(Hires {
                    scale: 5.0,
                    ..hires.clone()
                }),
                "hires_scale",
            ),
            (
                with_hires(Hires {
                    denoise: f64::NAN,
                    ..hires.clone()
                }),
                "hires_denoise",
            ),
            (
                with_hires(Hires {
                    steps: Some(0),
                    ..hires.clone()
                }),
                "hires_steps",
            ),
            (
                GenerationRequest {
                    clip_skip: Some(0),
                    ..ok.clone()
                },
                "clip_skip",
            ),
            (
                GenerationRequest {
                    variation: Some(Variation {
                        seed: None,
                        strength: -0.1,
                    }),
                    ..ok.clone()
                },
                "variation",
            ),
            (
                GenerationRequest {
                    modules: vec!["vae".to_owned(); 9],
                    ..ok.clone()
                },
                "more than 8 modules",
            ),
            (
                GenerationRequest {
                    steps: 0,
                    ..ok.clone()
                },
                "steps",
            ),
            (
                GenerationRequest {
                    width: 66,
                    ..ok.clone()
                },
                "width must be a multiple of 8",
            ),
            (
                GenerationRequest {
                    height: 4096,
                    ..ok.clone()
                },
                "height",
            ),
            (
                GenerationRequest {
                    cfg_scale: f64::NAN,
                    ..ok.clone()
                },
                "cfg",
            ),
            (
                GenerationRequest {
                    batch: 9,
                    ..ok.clone()
                },
                "batch",
            ),
            (
                GenerationRequest {
                    prompt: "x".repeat(20_001),
                    ..ok.clone()
                },
                "prompt",
            ),
            (
                GenerationRequest {
                    sampler: Some("x".repeat(600)),
                    ..ok.clone()
                },
                "sampler",
            ),
        ];
        for (request, word) in cases {
            let problem = request.check().expect_err(word);
            assert!(problem.to_string().contains(word), "{problem}");
        }
    }

    #[test]
    fn a_second_pass_makes_larger_pictures() {
        let size = |width, height, scale| {
            let hires = Hires {
                scale,
                steps: None,
                denoise: 0.5,
                upscaler: None,
            };
            let request = GenerationRequest {
                width,
                height,
                hires: Some(hires),
                ..GenerationRequest::default()
            };
            request.picture_size()
        };
        assert_eq!(GenerationRequest::default().picture_size(), (512, 512));
        assert_eq!(size(512, 768, 2.0), (1024, 1536));
        assert_eq!(size(520, 64, 1.5), (776, 96), "780 is no multiple of 8");
        assert_eq!(size(2048, 64, 4.0), (8192, 256));
        assert_eq!(size(64, 64, 1.0), (64, 64));
        assert_eq!(size(64, u32::MAX, f64::NAN), (8, 8), "never checked");
    }

    #[test]
    fn a_seed_beyond_javascript_numbers_survives_the_wire() {
        let text = serde_json::to_string(&Seed(u64::MAX)).expect("serialises");
        assert_eq!(text, "\"18446744073709551615\"");
        assert_eq!(
            serde_json::from_str::<Seed>(&text).expect("parses"),
            Seed(u64::MAX)
        );
    }
}
