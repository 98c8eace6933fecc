//! What a server used in place of what was asked for.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! replaced {
    ($($(#[$doc:meta])* $variant:ident = $code:literal,)+) => {
        /// What a server can replace. Each has its words in the window: a name that is not in this list
        /// cannot be said.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "specta", derive(specta::Type))]
        pub enum Replaced {
            $($(#[$doc])* #[serde(rename = $code)] $variant,)+
        }

        impl Replaced {
            /// The stable code.
            pub fn as_str(self) -> &'static str {
                match self { $(Replaced::$variant => $code,)+ }
            }
        }
    };
}

replaced! {
    /// What the picture shows.
    Prompt = "prompt",
    /// Model.
    Model = "model",
    /// Sampler.
    Sampler = "sampler",
    /// Scheduler.
    Scheduler = "scheduler",
    /// Sampling steps.
    Steps = "steps",
    /// Seed.
    Seed = "seed",
    /// Pixels.
    Width = "width",
    /// Pixels.
    Height = "height",
    /// Layers of the text encoder that are left out.
    ClipSkip = "clip_skip",
    /// Distilled guidance.
    DistilledCfg = "distilled_cfg",
    /// How much larger the second pass is.
    HiresScale = "hires_scale",
    /// How much the second pass draws anew.
    HiresDenoise = "hires_denoise",
    /// Steps of the second pass.
    HiresSteps = "hires_steps",
    /// What enlarges for the second pass.
    HiresUpscaler = "hires_upscaler",
    /// Strength of the second noise.
    Variation = "variation",
    /// Seed of the second noise.
    VariationSeed = "variation_seed",
    /// Separate VAE and text encoders.
    Modules = "modules",
    /// Options that were lent and could not be put back: not of this picture, but of every one after it.
    OptionsAfterwards = "options_afterwards",
}

impl fmt::Display for Replaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something the server used instead of what was asked, without saying so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Substitution {
    /// What was replaced.
    pub field: Replaced,
    /// As asked.
    pub asked: String,
    /// As used.
    pub used: String,
}
