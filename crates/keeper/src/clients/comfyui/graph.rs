//! A request as a graph in ComfyUI's API format.

use forgekeeper_domain::generation::{GenerationRequest, infotext};
use serde_json::{Map, Value, json};

/// The node that shows the pictures.
pub(super) const OUTPUT: &str = "7";
/// Unread by any node: a graph that ran before would be answered from the cache, without any work and
/// with the old file (`observed.md` §2.3).
pub(super) const RUN: &str = "forgekeeper_run";

const LOADER: &str = "1";
const POSITIVE: &str = "2";
const NEGATIVE: &str = "3";
const LATENT: &str = "4";
const SAMPLER: &str = "5";
const DECODER: &str = "6";
const ENCODERS: &str = "8";
const VAE: &str = "9";
const CLIP_SKIP: &str = "10";
const GUIDANCE: &str = "11";
const SECOND_SAMPLER: &str = "12";
const UPSCALE: &str = "13";
const FIRST_DECODER: &str = "14";
const UPSCALE_MODEL: &str = "15";
const UPSCALE_BY_MODEL: &str = "16";
const ENCODER: &str = "17";
/// LoRAs are numbered from here.
const FIRST_LORA: usize = 20;

/// What a request leaves open, chosen from what the server offers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Choice {
    pub model: Model,
    /// In place of a checkpoint's own.
    pub vae: Option<String>,
    pub loras: Vec<LoadedLora>,
    /// The prompt without what ComfyUI does not read.
    pub text: String,
    /// Of a distilled model.
    pub guidance: Option<f64>,
    /// Layer of the text encoder counted from its end, where it is not the last.
    pub clip_skip: Option<u32>,
    pub second: Option<SecondPass>,
    /// In `KSampler`'s words.
    pub sampler: String,
    /// In `KSampler`'s words.
    pub scheduler: String,
    /// Drawn where none was asked for.
    pub seed: u64,
}

/// What samples, encodes and decodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Model {
    /// As `/models/checkpoints` lists it; all in one.
    Checkpoint(String),
    /// Each part from its own file.
    Flux {
        /// As `/models/diffusion_models` lists it.
        diffusion: String,
        /// As `/models/text_encoders` lists them.
        encoders: [String; 2],
        /// As `/models/vae` lists it.
        vae: String,
    },
}

impl Model {
    /// The file that samples.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Checkpoint(name) => name,
            Self::Flux { diffusion, .. } => diffusion,
        }
    }
}

/// A LoRA with its weights.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LoadedLora {
    /// As `/models/loras` lists it.
    pub file: String,
    pub model: f64,
    pub encoder: f64,
}

/// A second pass at a larger size.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SecondPass {
    pub enlarge: Enlarge,
    /// Pixels of the finished picture.
    pub size: (u32, u32),
    pub steps: u32,
    pub denoise: f64,
}

/// How the first pass' picture is enlarged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Enlarge {
    /// As a latent, by this method.
    Latent(String),
    /// As a picture, by this method.
    Pixels(String),
    /// As a picture, by this model and then to size.
    Model(String),
}

impl Choice {
    /// As a parameter text names them.
    pub(super) fn names(&self) -> infotext::Names<'_> {
        infotext::Names {
            sampler: &self.sampler,
            scheduler: &self.scheduler,
            model: self.model.name(),
            program: "ComfyUI",
        }
    }
}

/// An output of a node.
type Link = (String, usize);

fn link(node: &str, output: usize) -> Link {
    (node.to_owned(), output)
}

/// A graph that grows.
#[derive(Default)]
struct Nodes(Map<String, Value>);

impl Nodes {
    fn add(&mut self, id: &str, class: &str, inputs: Value) {
        let node = json!({ "class_type": class, "inputs": inputs });
        self.0.insert(id.to_owned(), node);
    }
}

/// The graph of a request. Its pictures are previews: nothing is left in the output folder. `run` is
/// another one each time.
pub(super) fn text_to_image(request: &GenerationRequest, choice: &Choice, run: &str) -> Value {
    let mut nodes = Nodes::default();
    let (model, clip, vae) = loaded(&mut nodes, choice);
    nodes.add(
        POSITIVE,
        "CLIPTextEncode",
        json!({"text": choice.text, "clip": clip}),
    );
    nodes.add(
        NEGATIVE,
        "CLIPTextEncode",
        json!({"text": request.negative_prompt, "clip": clip}),
    );
    let mut positive = link(POSITIVE, 0);
    if let Some(guidance) = choice.guidance {
        nodes.add(
            GUIDANCE,
            "FluxGuidance",
            json!({"conditioning": positive, "guidance": guidance}),
        );
        positive = link(GUIDANCE, 0);
    }
    let empty = match choice.model {
        Model::Checkpoint(_) => "EmptyLatentImage",
        Model::Flux { .. } => "EmptySD3LatentImage",
    };
    nodes.add(
        LATENT,
        empty,
        json!({"width": request.width, "height": request.height, "batch_size": request.batch}),
    );
    let sampler = |latent: Link, steps: u32, denoise: f64| {
        json!({
            "model": model, "positive": positive, "negative": link(NEGATIVE, 0), "latent_image": latent,
            "seed": choice.seed, "steps": steps, "cfg": request.cfg_scale,
            "sampler_name": choice.sampler, "scheduler": choice.scheduler, "denoise": denoise})
    };
    let mut first = sampler(link(LATENT, 0), request.steps, 1.0);
    first[RUN] = json!(run);
    nodes.add(SAMPLER, "KSampler", first);
    let mut samples = link(SAMPLER, 0);
    if let Some(second) = &choice.second {
        let enlarged = enlarged(&mut nodes, second, &vae);
        let inputs = sampler(enlarged, second.steps, second.denoise);
        nodes.add(SECOND_SAMPLER, "KSampler", inputs);
        samples = link(SECOND_SAMPLER, 0);
    }
    nodes.add(
        DECODER,
        "VAEDecode",
        json!({"samples": samples, "vae": vae}),
    );
    nodes.add(OUTPUT, "PreviewImage", json!({"images": link(DECODER, 0)}));
    Value::Object(nodes.0)
}

/// Loads the model with its LoRAs: what samples, what encodes, what decodes.
fn loaded(nodes: &mut Nodes, choice: &Choice) -> (Link, Link, Link) {
    let (mut model, mut clip, mut vae) = match &choice.model {
        Model::Checkpoint(name) => {
            let inputs = json!({ "ckpt_name": name });
            nodes.add(LOADER, "CheckpointLoaderSimple", inputs);
            (link(LOADER, 0), link(LOADER, 1), link(LOADER, 2))
        }
        Model::Flux {
            diffusion,
            encoders: [one, other],
            vae,
        } => {
            let inputs = json!({"unet_name": diffusion, "weight_dtype": "default"});
            nodes.add(LOADER, "UNETLoader", inputs);
            let inputs = json!({"clip_name1": one, "clip_name2": other, "type": "flux"});
            nodes.add(ENCODERS, "DualCLIPLoader", inputs);
            nodes.add(VAE, "VAELoader", json!({ "vae_name": vae }));
            (link(LOADER, 0), link(ENCODERS, 0), link(VAE, 0))
        }
    };
    if let Some(name) = &choice.vae {
        nodes.add(VAE, "VAELoader", json!({ "vae_name": name }));
        vae = link(VAE, 0);
    }
    for (number, lora) in choice.loras.iter().enumerate() {
        let id = (FIRST_LORA + number).to_string();
        let inputs = json!({"model": model, "clip": clip, "lora_name": lora.file,
            "strength_model": lora.model, "strength_clip": lora.encoder});
        nodes.add(&id, "LoraLoader", inputs);
        (model, clip) = (link(&id, 0), link(&id, 1));
    }
    if let Some(skip) = choice.clip_skip {
        let inputs = json!({"clip": clip, "stop_at_clip_layer": -i64::from(skip)});
        nodes.add(CLIP_SKIP, "CLIPSetLastLayer", inputs);
        clip = link(CLIP_SKIP, 0);
    }
    (model, clip, vae)
}

/// Enlarges what the first pass made; the latent for the second. The size is said, not the factor:
/// ComfyUI rounds a factor in another way than A1111.
fn enlarged(nodes: &mut Nodes, second: &SecondPass, vae: &Link) -> Link {
    let (width, height) = second.size;
    let to_size = |from: &str, input: Link, method: &str| {
        let mut inputs =
            json!({"upscale_method": method, "width": width, "height": height, "crop": "disabled"});
        inputs[from] = json!(input);
        inputs
    };
    let mut decoded = || {
        let inputs = json!({"samples": link(SAMPLER, 0), "vae": vae});
        nodes.add(FIRST_DECODER, "VAEDecode", inputs);
        link(FIRST_DECODER, 0)
    };
    let (picture, method) = match &second.enlarge {
        Enlarge::Latent(method) => {
            let inputs = to_size("samples", link(SAMPLER, 0), method);
            nodes.add(UPSCALE, "LatentUpscale", inputs);
            return link(UPSCALE, 0);
        }
        Enlarge::Pixels(method) => (decoded(), method.as_str()),
        Enlarge::Model(file) => {
            let picture = decoded();
            let inputs = json!({ "model_name": file });
            nodes.add(UPSCALE_MODEL, "UpscaleModelLoader", inputs);
            let inputs = json!({"upscale_model": link(UPSCALE_MODEL, 0), "image": picture});
            nodes.add(UPSCALE_BY_MODEL, "ImageUpscaleWithModel", inputs);
            // As A1111 brings it to size.
            (link(UPSCALE_BY_MODEL, 0), "lanczos")
        }
    };
    nodes.add(UPSCALE, "ImageScale", to_size("image", picture, method));
    let inputs = json!({"pixels": link(UPSCALE, 0), "vae": vae});
    nodes.add(ENCODER, "VAEEncode", inputs);
    link(ENCODER, 0)
}

/// What the sampler of a graph of ours was asked for.
pub(super) fn sampling_of(graph: &Value) -> Option<&Value> {
    graph.get(SAMPLER)?.get("inputs")
}

/// The checkpoint that a graph loads, when it loads one in the usual way.
pub(super) fn checkpoint_of(graph: &Value) -> Option<&str> {
    graph.as_object()?.values().find_map(|node| {
        let loads = node
            .get("class_type")?
            .as_str()?
            .starts_with("CheckpointLoader");
        loads.then(|| node.get("inputs")?.get("ckpt_name")?.as_str())?
    })
}

#[cfg(test)]
mod tests;
