//! What a model file is.

use serde::{Deserialize, Serialize};

/// What a file does in a picture's making.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A whole model: with text encoder or VAE.
    Checkpoint,
    /// The model alone, such as most files of Flux.
    DiffusionModel,
    /// A small change to a model.
    Lora,
    /// Turns pictures into latents and back.
    Vae,
    /// A textual inversion.
    Embedding,
    /// Steers by a picture: ControlNet and T2I adapters.
    Controlnet,
    /// Reads the prompt.
    TextEncoder,
    /// Reads a picture.
    ClipVision,
    /// Steers by a picture's content.
    IpAdapter,
    /// Enlarges pictures.
    Upscaler,
}

impl Role {
    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint",
            Self::DiffusionModel => "diffusion_model",
            Self::Lora => "lora",
            Self::Vae => "vae",
            Self::Embedding => "embedding",
            Self::Controlnet => "controlnet",
            Self::TextEncoder => "text_encoder",
            Self::ClipVision => "clip_vision",
            Self::IpAdapter => "ip_adapter",
            Self::Upscaler => "upscaler",
        }
    }
}

/// For which models a file is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Stable Diffusion 1.x.
    Sd15,
    /// Stable Diffusion 2.x.
    Sd2,
    /// Stable Diffusion XL.
    Sdxl,
    /// The second model of Stable Diffusion XL.
    SdxlRefiner,
    /// Stable Diffusion 3 and 3.5.
    Sd3,
    /// Flux.
    Flux,
}

impl Family {
    /// Its name as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sd15 => "SD 1.5",
            Self::Sd2 => "SD 2",
            Self::Sdxl => "SDXL",
            Self::SdxlRefiner => "SDXL refiner",
            Self::Sd3 => "SD 3",
            Self::Flux => "Flux",
        }
    }
}

/// How a file is written, by its extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum FileForm {
    /// A header in JSON, then numbers: can be read without running anything.
    Safetensors,
    /// A Python pickle: reading it may run what its author wrote, so it is never read.
    Pickle,
    /// llama.cpp's form.
    Gguf,
    /// Not a model by its extension.
    Other,
}

impl FileForm {
    /// By a file's name.
    pub fn of_name(name: &str) -> Self {
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        match ending.to_ascii_lowercase().as_str() {
            "safetensors" | "sft" => Self::Safetensors,
            "ckpt" | "pt" | "pt2" | "pth" | "pkl" | "bin" => Self::Pickle,
            "gguf" => Self::Gguf,
            _ => Self::Other,
        }
    }

    /// Whether it is a model by its extension.
    pub fn is_model(self) -> bool {
        self != Self::Other
    }
}

/// What a file's header says it is. What it does not say is unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct ModelKind {
    /// What it does.
    pub role: Option<Role>,
    /// For which models.
    pub family: Option<Family>,
}

impl ModelKind {
    /// In words, such as `SDXL lora`.
    pub fn words(self) -> String {
        match (self.family, self.role) {
            (Some(family), Some(role)) => {
                format!("{} {}", family.name(), role.as_str().replace('_', " "))
            }
            (None, Some(role)) => role.as_str().replace('_', " "),
            (Some(family), None) => family.name().to_owned(),
            (None, None) => "unknown".to_owned(),
        }
    }
}
