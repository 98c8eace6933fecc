//! A request as a graph in ComfyUI's API format.

use forgekeeper_domain::generation::{GenerationRequest, infotext};
use serde_json::{Value, json};

/// The node that loads the checkpoint.
pub(super) const LOADER: &str = "1";
/// The node that samples.
pub(super) const SAMPLER: &str = "5";
/// The node that makes pixels of what was sampled.
pub(super) const DECODER: &str = "6";
/// The node that shows them.
pub(super) const OUTPUT: &str = "7";

/// What a request leaves open, chosen from what the server offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// As `/models/checkpoints` lists it.
    pub checkpoint: String,
    /// In `KSampler`'s words.
    pub sampler: String,
    /// In `KSampler`'s words.
    pub scheduler: String,
    /// Drawn where none was asked for.
    pub seed: u64,
}

impl Choice {
    /// As a parameter text names them.
    pub(super) fn names(&self) -> infotext::Names<'_> {
        infotext::Names {
            sampler: &self.sampler,
            scheduler: &self.scheduler,
            model: &self.checkpoint,
            program: "ComfyUI",
        }
    }
}

/// The graph of a request. Its pictures are previews: nothing is left in the output folder. `run`
/// stands beside the sampler's inputs, where no node reads it: a graph that ran before would be
/// answered from the cache, without any work and with the old file (`observed.md` §2.3).
pub(super) fn text_to_image(request: &GenerationRequest, choice: &Choice, run: &str) -> Value {
    let text = |text: &str| json!({"class_type": "CLIPTextEncode", "inputs": {"text": text, "clip": [LOADER, 1]}});
    json!({
        LOADER: {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": choice.checkpoint}},
        "2": text(&request.prompt),
        "3": text(&request.negative_prompt),
        "4": {"class_type": "EmptyLatentImage", "inputs": {
            "width": request.width, "height": request.height, "batch_size": request.batch}},
        SAMPLER: {"class_type": "KSampler", "inputs": {
            "model": [LOADER, 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0],
            "seed": choice.seed, "steps": request.steps, "cfg": request.cfg_scale,
            "sampler_name": choice.sampler, "scheduler": choice.scheduler, "denoise": 1.0,
            "forgekeeper_run": run}},
        DECODER: {"class_type": "VAEDecode", "inputs": {"samples": [SAMPLER, 0], "vae": [LOADER, 2]}},
        OUTPUT: {"class_type": "PreviewImage", "inputs": {"images": [DECODER, 0]}},
    })
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
mod tests {
    use super::*;

    #[test]
    fn the_checkpoint_of_a_graph_is_the_one_it_loads() {
        let choice = Choice {
            checkpoint: "sub/xl.safetensors".to_owned(),
            sampler: "euler".to_owned(),
            scheduler: "normal".to_owned(),
            seed: u64::MAX >> 1,
        };
        let graph = text_to_image(&GenerationRequest::default(), &choice, "run");
        assert_eq!(checkpoint_of(&graph), Some("sub/xl.safetensors"));
        assert_eq!(graph[SAMPLER]["inputs"]["seed"], choice.seed);
        for other in [
            json!({"1": {"class_type": "UNETLoader", "inputs": {"unet_name": "flux.safetensors"}}}),
            json!({"1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": ["2", 0]}}}),
            json!({"1": 5}),
            json!([]),
            json!(null),
        ] {
            assert_eq!(checkpoint_of(&other), None, "{other}");
        }
    }
}
