//! Model files on a real disk: headers as real ones have them, and as long as real ones, but sparse: they
//! take a few kilobytes.

use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, json};
use tempfile::TempDir;

/// What a file is made to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    /// Stable Diffusion 1.5, whole.
    Sd15,
    /// Stable Diffusion XL, whole.
    Sdxl,
    /// Flux with its encoders.
    Flux,
    /// Flux alone.
    FluxModel,
    /// A LoRA of Stable Diffusion XL.
    LoraSdxl,
    /// A VAE.
    Vae,
    /// A textual inversion of Stable Diffusion 1.5.
    Embedding,
    /// A pickle: no header at all.
    Pickle,
}

type Tensors = &'static [(&'static str, &'static [u64])];

impl Make {
    /// Names and shapes by which programs know such a file.
    fn tensors(self) -> Tensors {
        match self {
            Self::Sd15 => &[
                (
                    "cond_stage_model.transformer.text_model.encoder.layers.0.self_attn.k_proj.weight",
                    &[768, 768],
                ),
                ("first_stage_model.decoder.conv_in.weight", &[512, 4, 3, 3]),
                (
                    "model.diffusion_model.input_blocks.0.0.weight",
                    &[320, 4, 3, 3],
                ),
                (
                    "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
                    &[320, 768],
                ),
            ],
            Self::Sdxl => &[
                (
                    "conditioner.embedders.0.transformer.text_model.encoder.layers.0.self_attn.k_proj.weight",
                    &[768, 768],
                ),
                (
                    "conditioner.embedders.1.model.transformer.resblocks.0.attn.in_proj_weight",
                    &[3840, 1280],
                ),
                ("first_stage_model.decoder.conv_in.weight", &[512, 4, 3, 3]),
                (
                    "model.diffusion_model.input_blocks.0.0.weight",
                    &[320, 4, 3, 3],
                ),
                (
                    "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight",
                    &[640, 2048],
                ),
            ],
            Self::Flux => &[
                (
                    "model.diffusion_model.double_blocks.0.img_attn.qkv.weight",
                    &[9216, 3072],
                ),
                (
                    "model.diffusion_model.single_blocks.0.linear1.weight",
                    &[21504, 3072],
                ),
                (
                    "text_encoders.t5xxl.transformer.encoder.block.0.layer.0.SelfAttention.q.weight",
                    &[4096, 4096],
                ),
                ("vae.decoder.conv_in.weight", &[512, 16, 3, 3]),
            ],
            Self::FluxModel => &[
                ("double_blocks.0.img_attn.qkv.weight", &[9216, 3072]),
                ("single_blocks.0.linear1.weight", &[21504, 3072]),
            ],
            Self::LoraSdxl => &[
                (
                    "lora_te1_text_model_encoder_layers_0_self_attn_k_proj.lora_down.weight",
                    &[8, 768],
                ),
                (
                    "lora_te2_text_model_encoder_layers_0_self_attn_k_proj.lora_down.weight",
                    &[8, 1280],
                ),
                (
                    "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k.lora_down.weight",
                    &[8, 2048],
                ),
            ],
            Self::Vae => &[
                ("decoder.conv_in.weight", &[512, 4, 3, 3]),
                ("encoder.conv_in.weight", &[128, 3, 3, 3]),
                ("quant_conv.weight", &[8, 8, 1, 1]),
            ],
            Self::Embedding => &[("emb_params", &[8, 768])],
            Self::Pickle => &[],
        }
    }
}

/// Writes a file of this make and about this length. Where a file system knows no sparse files, it has its
/// distinctive tensors alone.
pub fn write_model(path: &Path, make: Make, bytes: u64) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::create(path)?;
    if make == Make::Pickle {
        file.write_all(b"\x80\x02}q\x00.")?;
        return file.set_len(if cfg!(unix) { bytes } else { 4_096 });
    }
    let (header, data) = header(make.tensors(), bytes);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&header)?;
    let start = 8 + header.len() as u64;
    file.set_len(start + data)?;
    // Files of one make differ in their numbers.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    for at in [
        start,
        u64::midpoint(start, start + data),
        (start + data).saturating_sub(256),
    ] {
        file.seek(SeekFrom::Start(at.max(start)))?;
        let room = usize::try_from((start + data) - at.max(start)).unwrap_or(usize::MAX);
        let words = name.as_bytes();
        file.write_all(&words[..words.len().min(room)])?;
    }
    Ok(())
}

/// A header and how many bytes follow it.
fn header(tensors: Tensors, bytes: u64) -> (Vec<u8>, u64) {
    let mut all = Map::new();
    let mut at = 0;
    let mut put = |name: &str, shape: &[u64]| {
        let end = at + shape.iter().product::<u64>() * 2;
        let entry = json!({"dtype": "F16", "shape": shape, "data_offsets": [at, end]});
        all.insert(name.to_owned(), entry);
        at = end;
    };
    for (name, shape) in tensors {
        put(name, shape);
    }
    let own: u64 = tensors
        .iter()
        .map(|(_, shape)| shape.iter().product::<u64>() * 2)
        .sum();
    if cfg!(unix) && bytes > own + 4_096 {
        put("model.rest.weight", &[(bytes - own) / 2]);
    }
    let mut text = json!(all).to_string().into_bytes();
    // As the library fills it up.
    text.resize(text.len().next_multiple_of(8), b' ');
    (text, at)
}

const GB: u64 = 1_000_000_000;
const MB: u64 = 1_000_000;

/// A file of one Forge's folder: its path below `models`, make and length.
type Row = (&'static str, Make, u64);

/// What both Forge services of the demo host have, exactly what they list.
const COMMON: &[Row] = &[
    ("Lora/add-detail-xl.safetensors", Make::LoraSdxl, 228 * MB),
    ("Lora/pixel-art-xl.safetensors", Make::LoraSdxl, 170 * MB),
    ("VAE/sdxl_vae.safetensors", Make::Vae, 335 * MB),
    ("VAE/ae.safetensors", Make::Vae, 335 * MB),
    ("ESRGAN/4x-UltraSharp.pth", Make::Pickle, 67 * MB),
];

const MYIA: &[Row] = &[
    (
        "Stable-diffusion/sd_xl_base_1.0.safetensors",
        Make::Sdxl,
        6_938 * MB,
    ),
    (
        "Stable-diffusion/dreamshaper_8.safetensors",
        Make::Sd15,
        2_132 * MB,
    ),
    (
        "Stable-diffusion/juggernautXL_v9.safetensors",
        Make::Sdxl,
        7_105 * MB,
    ),
];

const TURBO: &[Row] = &[
    (
        "Stable-diffusion/sd_xl_turbo_1.0_fp16.safetensors",
        Make::Sdxl,
        6_938 * MB,
    ),
    (
        "Stable-diffusion/dreamshaperXL_v21TurboDPMSDE.safetensors",
        Make::Sdxl,
        6_938 * MB,
    ),
    (
        "Stable-diffusion/flux/flux1-schnell-fp8.safetensors",
        Make::Flux,
        17 * GB,
    ),
];

/// ComfyUI's own, as an administrator who tried it before has it.
const PATHS_FILE: &str = "# added by hand, before the migration\nforge:\n    base_path: /models/\n    checkpoints: Stable-diffusion\n    loras: Lora\n";

/// The real folders of a demo host; they go with it.
#[derive(Debug)]
pub struct Shelf {
    folder: TempDir,
}

impl Shelf {
    /// Writes everything.
    pub fn new() -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("forgekeeper-models-")
            .tempdir()?;
        let shelf = Self { folder };
        for (service, own) in [("myia", MYIA), ("myia-turbo", TURBO)] {
            let models = shelf.models(service);
            for (name, make, bytes) in own.iter().chain(COMMON) {
                write_model(&models.join(name), *make, *bytes)?;
            }
            for empty in ["text_encoder", "ControlNet"] {
                fs::create_dir_all(models.join(empty))?;
            }
        }
        let paths = shelf.extra_model_paths();
        fs::create_dir_all(shelf.comfyui().join("ComfyUI"))?;
        fs::write(paths, PATHS_FILE)?;
        Ok(shelf)
    }

    /// The folder `models` of a Forge service.
    pub fn models(&self, service: &str) -> PathBuf {
        self.folder.path().join(service).join("models")
    }

    /// The folder that ComfyUI's container has as `/root`.
    pub fn comfyui(&self) -> PathBuf {
        self.folder.path().join("comfyui")
    }

    /// The file beside ComfyUI's `main.py`.
    pub fn extra_model_paths(&self) -> PathBuf {
        self.comfyui().join("ComfyUI/extra_model_paths.yaml")
    }
}
