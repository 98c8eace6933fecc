//! The node classes that can be played, with inputs, limits and outputs.

use serde_json::{Map, Value, json};

use super::Comfy;

/// What an input takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// The output of another node, of this type.
    Link(&'static str),
    /// A whole number: default, least, most, step.
    Int(i128, i128, i128, i128),
    /// A number: default, least, most, step.
    Float(f64, f64, f64, f64),
    /// Text; true for many lines.
    Text(&'static str, bool),
    /// One of a list.
    One(List),
    /// One of a few words.
    Word(&'static [&'static str]),
    /// A file that was uploaded; the node itself checks it.
    File,
}

/// Lists of names.
#[derive(Debug, Clone, Copy)]
pub(super) enum List {
    Checkpoints,
    Diffusion,
    Encoders,
    Loras,
    Upscalers,
    Vaes,
    Samplers,
    Schedulers,
}

/// A node class.
#[derive(Debug)]
pub(super) struct Class {
    pub name: &'static str,
    pub title: &'static str,
    pub category: &'static str,
    pub inputs: &'static [(&'static str, Kind)],
    /// Inputs that may be left out.
    pub optional: &'static [(&'static str, Kind)],
    pub outputs: &'static [&'static str],
    /// It shows or saves something, so a graph can end in it.
    pub output_node: bool,
}

const MAX_SIDE: i128 = 16_384;
const MAX_SEED: i128 = u64::MAX as i128;

pub(super) const SAMPLERS: &[&str] = &[
    "euler",
    "euler_cfg_pp",
    "euler_ancestral",
    "euler_ancestral_cfg_pp",
    "heun",
    "heunpp2",
    "dpm_2",
    "dpm_2_ancestral",
    "lms",
    "dpm_fast",
    "dpm_adaptive",
    "dpmpp_2s_ancestral",
    "dpmpp_2s_ancestral_cfg_pp",
    "dpmpp_sde",
    "dpmpp_sde_gpu",
    "dpmpp_2m",
    "dpmpp_2m_cfg_pp",
    "dpmpp_2m_sde",
    "dpmpp_2m_sde_gpu",
    "dpmpp_2m_sde_heun",
    "dpmpp_2m_sde_heun_gpu",
    "dpmpp_3m_sde",
    "dpmpp_3m_sde_gpu",
    "ddpm",
    "lcm",
    "ipndm",
    "ipndm_v",
    "deis",
    "res_multistep",
    "res_multistep_cfg_pp",
    "res_multistep_ancestral",
    "res_multistep_ancestral_cfg_pp",
    "gradient_estimation",
    "gradient_estimation_cfg_pp",
    "er_sde",
    "seeds_2",
    "seeds_3",
    "sa_solver",
    "sa_solver_pece",
    "ddim",
    "uni_pc",
    "uni_pc_bh2",
];

pub(super) const SCHEDULERS: &[&str] = &[
    "simple",
    "sgm_uniform",
    "karras",
    "exponential",
    "ddim_uniform",
    "beta",
    "normal",
    "linear_quadratic",
    "kl_optimal",
];

/// What enlarges a latent.
const LATENT_METHODS: &[&str] = &["nearest-exact", "bilinear", "area", "bicubic", "bislerp"];
/// What enlarges a picture.
const IMAGE_METHODS: &[&str] = &["nearest-exact", "bilinear", "area", "bicubic", "lanczos"];
const CROPS: &[&str] = &["disabled", "center"];

use Kind::{File, Float, Int, Link, One, Text, Word};

/// All classes.
pub(super) const CLASSES: &[Class] = &[
    Class {
        name: "CheckpointLoaderSimple",
        title: "Load Checkpoint",
        category: "loaders",
        inputs: &[("ckpt_name", One(List::Checkpoints))],
        optional: &[],
        outputs: &["MODEL", "CLIP", "VAE"],
        output_node: false,
    },
    Class {
        name: "CLIPTextEncode",
        title: "CLIP Text Encode (Prompt)",
        category: "conditioning",
        inputs: &[("text", Text("", true)), ("clip", Link("CLIP"))],
        optional: &[],
        outputs: &["CONDITIONING"],
        output_node: false,
    },
    Class {
        name: "CLIPSetLastLayer",
        title: "CLIP Set Last Layer",
        category: "conditioning",
        inputs: &[
            ("clip", Link("CLIP")),
            ("stop_at_clip_layer", Int(-1, -24, -1, 1)),
        ],
        optional: &[],
        outputs: &["CLIP"],
        output_node: false,
    },
    Class {
        name: "LoraLoader",
        title: "Load LoRA",
        category: "loaders",
        inputs: &[
            ("model", Link("MODEL")),
            ("clip", Link("CLIP")),
            ("lora_name", One(List::Loras)),
            ("strength_model", Float(1.0, -100.0, 100.0, 0.01)),
            ("strength_clip", Float(1.0, -100.0, 100.0, 0.01)),
        ],
        optional: &[],
        outputs: &["MODEL", "CLIP"],
        output_node: false,
    },
    Class {
        name: "VAELoader",
        title: "Load VAE",
        category: "loaders",
        inputs: &[("vae_name", One(List::Vaes))],
        optional: &[],
        outputs: &["VAE"],
        output_node: false,
    },
    Class {
        name: "EmptyLatentImage",
        title: "Empty Latent Image",
        category: "latent",
        inputs: &[
            ("width", Int(512, 16, MAX_SIDE, 8)),
            ("height", Int(512, 16, MAX_SIDE, 8)),
            ("batch_size", Int(1, 1, 4096, 1)),
        ],
        optional: &[],
        outputs: &["LATENT"],
        output_node: false,
    },
    Class {
        name: "KSampler",
        title: "KSampler",
        category: "sampling",
        inputs: &[
            ("model", Link("MODEL")),
            ("seed", Int(0, 0, MAX_SEED, 1)),
            ("steps", Int(20, 1, 10_000, 1)),
            ("cfg", Float(8.0, 0.0, 100.0, 0.1)),
            ("sampler_name", One(List::Samplers)),
            ("scheduler", One(List::Schedulers)),
            ("positive", Link("CONDITIONING")),
            ("negative", Link("CONDITIONING")),
            ("latent_image", Link("LATENT")),
            ("denoise", Float(1.0, 0.0, 1.0, 0.01)),
        ],
        optional: &[],
        outputs: &["LATENT"],
        output_node: false,
    },
    Class {
        name: "VAEDecode",
        title: "VAE Decode",
        category: "latent",
        inputs: &[("samples", Link("LATENT")), ("vae", Link("VAE"))],
        optional: &[],
        outputs: &["IMAGE"],
        output_node: false,
    },
    Class {
        name: "UNETLoader",
        title: "Load Diffusion Model",
        category: "advanced/loaders",
        inputs: &[
            ("unet_name", One(List::Diffusion)),
            (
                "weight_dtype",
                Word(&["default", "fp8_e4m3fn", "fp8_e4m3fn_fast", "fp8_e5m2"]),
            ),
        ],
        optional: &[],
        outputs: &["MODEL"],
        output_node: false,
    },
    Class {
        name: "DualCLIPLoader",
        title: "DualCLIPLoader",
        category: "advanced/loaders",
        inputs: &[
            ("clip_name1", One(List::Encoders)),
            ("clip_name2", One(List::Encoders)),
            (
                "type",
                Word(&[
                    "sdxl",
                    "sd3",
                    "flux",
                    "hunyuan_video",
                    "hidream",
                    "hunyuan_image",
                ]),
            ),
        ],
        optional: &[("device", Word(&["default", "cpu"]))],
        outputs: &["CLIP"],
        output_node: false,
    },
    Class {
        name: "FluxGuidance",
        title: "FluxGuidance",
        category: "advanced/conditioning/flux",
        inputs: &[
            ("conditioning", Link("CONDITIONING")),
            ("guidance", Float(3.5, 0.0, 100.0, 0.1)),
        ],
        optional: &[],
        outputs: &["CONDITIONING"],
        output_node: false,
    },
    Class {
        name: "EmptySD3LatentImage",
        title: "EmptySD3LatentImage",
        category: "latent/sd3",
        inputs: &[
            ("width", Int(1024, 16, MAX_SIDE, 16)),
            ("height", Int(1024, 16, MAX_SIDE, 16)),
            ("batch_size", Int(1, 1, 4096, 1)),
        ],
        optional: &[],
        outputs: &["LATENT"],
        output_node: false,
    },
    Class {
        name: "LatentUpscale",
        title: "Upscale Latent",
        category: "latent",
        inputs: &[
            ("samples", Link("LATENT")),
            ("upscale_method", Word(LATENT_METHODS)),
            ("width", Int(512, 0, MAX_SIDE, 8)),
            ("height", Int(512, 0, MAX_SIDE, 8)),
            ("crop", Word(CROPS)),
        ],
        optional: &[],
        outputs: &["LATENT"],
        output_node: false,
    },
    Class {
        name: "LatentUpscaleBy",
        title: "Upscale Latent By",
        category: "latent",
        inputs: &[
            ("samples", Link("LATENT")),
            ("upscale_method", Word(LATENT_METHODS)),
            ("scale_by", Float(1.5, 0.01, 8.0, 0.01)),
        ],
        optional: &[],
        outputs: &["LATENT"],
        output_node: false,
    },
    Class {
        name: "UpscaleModelLoader",
        title: "Load Upscale Model",
        category: "loaders",
        inputs: &[("model_name", One(List::Upscalers))],
        optional: &[],
        outputs: &["UPSCALE_MODEL"],
        output_node: false,
    },
    Class {
        name: "ImageUpscaleWithModel",
        title: "Upscale Image (using Model)",
        category: "image/upscaling",
        inputs: &[
            ("upscale_model", Link("UPSCALE_MODEL")),
            ("image", Link("IMAGE")),
        ],
        optional: &[],
        outputs: &["IMAGE"],
        output_node: false,
    },
    Class {
        name: "ImageScale",
        title: "Upscale Image",
        category: "image/upscaling",
        inputs: &[
            ("image", Link("IMAGE")),
            ("upscale_method", Word(IMAGE_METHODS)),
            ("width", Int(512, 0, MAX_SIDE, 1)),
            ("height", Int(512, 0, MAX_SIDE, 1)),
            ("crop", Word(CROPS)),
        ],
        optional: &[],
        outputs: &["IMAGE"],
        output_node: false,
    },
    Class {
        name: "VAEEncode",
        title: "VAE Encode",
        category: "latent",
        inputs: &[("pixels", Link("IMAGE")), ("vae", Link("VAE"))],
        optional: &[],
        outputs: &["LATENT"],
        output_node: false,
    },
    Class {
        name: "EmptyImage",
        title: "EmptyImage",
        category: "image",
        inputs: &[
            ("width", Int(512, 1, MAX_SIDE, 1)),
            ("height", Int(512, 1, MAX_SIDE, 1)),
            ("batch_size", Int(1, 1, 4096, 1)),
            ("color", Int(0, 0, 0xFF_FFFF, 1)),
        ],
        optional: &[],
        outputs: &["IMAGE"],
        output_node: false,
    },
    Class {
        name: "LoadImage",
        title: "Load Image",
        category: "image",
        inputs: &[("image", File)],
        optional: &[],
        outputs: &["IMAGE", "MASK"],
        output_node: false,
    },
    Class {
        name: "SaveImage",
        title: "Save Image",
        category: "image",
        inputs: &[
            ("images", Link("IMAGE")),
            ("filename_prefix", Text("ComfyUI", false)),
        ],
        optional: &[],
        outputs: &[],
        output_node: true,
    },
    Class {
        name: "PreviewImage",
        title: "Preview Image",
        category: "image",
        inputs: &[("images", Link("IMAGE"))],
        optional: &[],
        outputs: &[],
        output_node: true,
    },
    Class {
        name: "SaveImageWebsocket",
        title: "SaveImageWebsocket",
        category: "api/image",
        inputs: &[("images", Link("IMAGE"))],
        optional: &[],
        outputs: &[],
        output_node: true,
    },
];

/// The class of a name.
pub(super) fn class(name: &str) -> Option<&'static Class> {
    CLASSES.iter().find(|class| class.name == name)
}

impl Comfy {
    /// The names a list holds now.
    pub(super) fn list(&self, list: List) -> Vec<String> {
        let fixed = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        match list {
            List::Checkpoints => self.checkpoints(),
            List::Diffusion => self.diffusion_models(),
            List::Encoders => self.models("text_encoders"),
            List::Loras => self.models("loras"),
            List::Upscalers => self.models("upscale_models"),
            List::Vaes => self.models("vae"),
            List::Samplers => fixed(SAMPLERS),
            List::Schedulers => fixed(SCHEDULERS),
        }
    }

    /// An input as `/object_info` describes it.
    pub(super) fn described(&self, kind: Kind) -> Value {
        let whole = |n: i128| {
            u64::try_from(n).map_or_else(|_| json!(i64::try_from(n).unwrap_or(0)), |n| json!(n))
        };
        match kind {
            Link(of) => json!([of]),
            Int(default, least, most, step) => {
                json!(["INT", {"default": whole(default), "min": whole(least),
                "max": whole(most), "step": whole(step)}])
            }
            Float(default, least, most, step) => {
                json!(["FLOAT", {"default": default, "min": least, "max": most, "step": step}])
            }
            Text(default, lines) => json!(["STRING", {"default": default, "multiline": lines}]),
            One(list) => json!([self.list(list)]),
            Word(words) => json!([words]),
            File => json!([self.uploads(), {"image_upload": true}]),
        }
    }

    /// The entry of a class in `/object_info`.
    pub(super) fn object_info(&self, class: &Class) -> Value {
        let described = |inputs: &[(&str, Kind)]| -> Map<String, Value> {
            let all = inputs.iter();
            all.map(|(name, kind)| ((*name).to_owned(), self.described(*kind)))
                .collect()
        };
        let names = |inputs: &[(&'static str, Kind)]| -> Vec<&str> {
            inputs.iter().map(|(name, _)| *name).collect()
        };
        let mut input = json!({ "required": described(class.inputs) });
        let mut order = json!({ "required": names(class.inputs) });
        if !class.optional.is_empty() {
            input["optional"] = described(class.optional).into();
            order["optional"] = json!(names(class.optional));
        }
        json!({
            "input": input, "input_order": order,
            "output": class.outputs, "output_is_list": vec![false; class.outputs.len()],
            "output_name": class.outputs, "name": class.name, "display_name": class.title,
            "description": "", "python_module": "nodes", "category": class.category,
            "output_node": class.output_node,
        })
    }

    /// The classes of the packs whose folders are there.
    pub(super) fn pack_classes(&self) -> Vec<(String, Value)> {
        let there = self.node_folders();
        let packs = self.spec.packs.iter();
        packs
            .filter(|(pack, _)| there.contains(pack))
            .flat_map(|(pack, classes)| classes.iter().map(move |class| (pack, class)))
            .map(|(pack, class)| {
                let about = json!({
                    "input": {"required": {}}, "input_order": {"required": []}, "output": ["IMAGE"],
                    "output_is_list": [false], "output_name": ["IMAGE"], "name": class,
                    "display_name": class, "description": "", "category": pack, "output_node": false,
                    "python_module": format!("custom_nodes.{pack}"),
                });
                (class.clone(), about)
            })
            .collect()
    }
}
