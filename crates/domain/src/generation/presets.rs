//! Requests that are asked for again and again, by name: one table for the window and the command
//! line.

use serde::{Deserialize, Serialize};

use super::GenerationRequest;

/// What a preset sets; what it leaves open stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Preset {
    /// Its name on the command line, and the key of its words.
    pub name: &'static str,
    /// Sampling steps.
    pub steps: u32,
    /// Width and height in pixels.
    pub side: Option<u32>,
    /// Guidance.
    pub cfg_scale: Option<f64>,
}

/// A preset of one's own: a whole request by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct OwnPreset {
    /// Its name; never one of [`PRESETS`].
    pub name: String,
    /// What it asks for.
    pub request: GenerationRequest,
}

/// All presets, smallest first.
pub const PRESETS: [Preset; 4] = [
    // Proves that a picture comes at all.
    Preset {
        name: "smoke",
        steps: 1,
        side: Some(64),
        cfg_scale: None,
    },
    // Distilled models want few steps and no guidance, at any size.
    Preset {
        name: "turbo",
        steps: 4,
        side: None,
        cfg_scale: Some(1.0),
    },
    // The test of the founding document.
    Preset {
        name: "founding",
        steps: 20,
        side: Some(512),
        cfg_scale: Some(7.0),
    },
    Preset {
        name: "sdxl",
        steps: 30,
        side: Some(1024),
        cfg_scale: Some(7.0),
    },
];

impl Preset {
    /// The preset of a name.
    pub fn of(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    /// Sets what it sets.
    pub fn apply(&self, request: &mut GenerationRequest) {
        request.steps = self.steps;
        if let Some(side) = self.side {
            (request.width, request.height) = (side, side);
        }
        if let Some(cfg_scale) = self.cfg_scale {
            request.cfg_scale = cfg_scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_a_request_that_may_be_sent() {
        for preset in &PRESETS {
            let mut request = GenerationRequest::default();
            preset.apply(&mut request);
            assert_eq!(request.check(), Ok(()), "{}", preset.name);
            assert_eq!(request.steps, preset.steps);
            assert_eq!(Preset::of(preset.name), Some(preset));
        }
        assert_eq!(Preset::of("Smoke"), None);
    }

    #[test]
    fn what_a_preset_leaves_open_stays() {
        let mut request = GenerationRequest {
            width: 768,
            ..GenerationRequest::default()
        };
        Preset::of("turbo").expect("there").apply(&mut request);
        assert_eq!((request.width, request.steps), (768, 4));
        let mut founding = request.clone();
        Preset::of("founding").expect("there").apply(&mut founding);
        assert_eq!(founding, GenerationRequest::default());
    }
}
