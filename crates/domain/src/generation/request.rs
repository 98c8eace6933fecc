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
}

/// Longest prompt in characters; the longest seen in practice are a tenth of this.
const MAX_PROMPT_CHARS: usize = 20_000;
/// Longest sampler, scheduler or model name.
const MAX_NAME_CHARS: usize = 512;

impl GenerationRequest {
    /// Refuses what no server should be asked, before anything is sent.
    pub fn check(&self) -> Result<(), RequestProblem> {
        let ranges: [(&'static str, f64, f64, f64); 5] = [
            ("steps", f64::from(self.steps), 1.0, 150.0),
            ("width", f64::from(self.width), 64.0, 2048.0),
            ("height", f64::from(self.height), 64.0, 2048.0),
            ("cfg", self.cfg_scale, 0.0, 30.0),
            ("batch", f64::from(self.batch), 1.0, 8.0),
        ];
        for (field, value, min, max) in ranges {
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
        let texts: [(&'static str, &str, usize); 5] = [
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
        for (field, text, max) in texts {
            if text.chars().count() > max {
                return Err(RequestProblem::Length { field, max });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_refused_with_the_field_that_is_wrong() {
        let ok = GenerationRequest::default();
        assert_eq!(ok.check(), Ok(()));
        let cases: [(GenerationRequest, &str); 7] = [
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
    fn a_seed_beyond_javascript_numbers_survives_the_wire() {
        let text = serde_json::to_string(&Seed(u64::MAX)).expect("serialises");
        assert_eq!(text, "\"18446744073709551615\"");
        assert_eq!(
            serde_json::from_str::<Seed>(&text).expect("parses"),
            Seed(u64::MAX)
        );
    }
}
