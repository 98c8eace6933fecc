//! A request from a graph of ComfyUI in its API format, as it stands in the `prompt` text of a picture.
//!
//! From the sampler that the output hangs on, along its links, to texts, model and size. A graph may say
//! anything, and lead in circles: every walk is bounded, and what lies on the way and has no place in
//! a request is named.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{
    Hires, Seed,
    read::{ParameterSource, ReadParameters},
};

/// Most nodes of a graph that is read.
const MOST_NODES: usize = 5_000;
/// Most links followed from one place.
const MOST_STEPS: usize = 200;
/// Inputs that belong to a sampler whose parts are nodes of their own.
const PARTS: [&str; 4] = ["guider", "noise", "sampler", "sigmas"];
/// Inputs through which conditioning passes.
const CONDITIONING: [&str; 5] = [
    "conditioning",
    "conditioning_1",
    "conditioning_2",
    "conditioning_to",
    "conditioning_from",
];
/// Texts of an encoder, in the order of their weight.
const TEXTS: [&str; 4] = ["text", "t5xxl", "text_g", "text_l"];
/// Inputs under which a node hands on a single value.
const VALUES: [&str; 7] = [
    "value",
    "seed",
    "noise_seed",
    "int",
    "float",
    "string",
    "text",
];

/// What a graph asks for; `None` when it is no graph, or has no sampler.
pub fn from_graph(text: &str) -> Option<ReadParameters> {
    let nodes = parse(text)?;
    if nodes.len() > MOST_NODES {
        return None;
    }
    let graph = Graph { nodes: &nodes };
    let last = graph.last_sampler()?;
    let mut read = ReadParameters::new(ParameterSource::Comfyui);
    let first = graph.size(last, &mut read);
    graph.sampling(first, &mut read);
    graph.texts(first, &mut read);
    graph.model(first, &mut read);
    graph.decoder(&mut read);
    Some(read)
}

/// Python writes `NaN` and `Infinity`, which are no JSON: `null` stands for them then.
fn parse(text: &str) -> Option<Map<String, Value>> {
    let parsed = serde_json::from_str(text).or_else(|_| serde_json::from_str(&plain(text)));
    match parsed {
        Ok(Value::Object(nodes)) => Some(nodes),
        _ => None,
    }
}

fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let (mut quoted, mut rest) = (false, text);
    while let Some(c) = rest.chars().next() {
        let word = ["-Infinity", "Infinity", "NaN"]
            .into_iter()
            .find(|word| !quoted && rest.starts_with(word));
        if let Some(word) = word {
            plain.push_str("null");
            rest = &rest[word.len()..];
            continue;
        }
        plain.push(c);
        rest = &rest[c.len_utf8()..];
        match c {
            '"' => quoted = !quoted,
            '\\' if quoted => {
                if let Some(escaped) = rest.chars().next() {
                    plain.push(escaped);
                    rest = &rest[escaped.len_utf8()..];
                }
            }
            _ => {}
        }
    }
    plain
}

/// A node of the graph.
#[derive(Clone, Copy)]
struct Node<'g> {
    id: &'g str,
    class: &'g str,
    inputs: &'g Map<String, Value>,
}

impl<'g> Node<'g> {
    fn is_sampler(&self) -> bool {
        let linked = |key| self.inputs.get(key).is_some_and(Value::is_array);
        linked("latent_image") && (linked("positive") || linked("guider"))
    }

    fn text(&self, key: &str) -> Option<&'g str> {
        self.inputs.get(key)?.as_str()
    }
}

struct Graph<'g> {
    nodes: &'g Map<String, Value>,
}

impl<'g> Graph<'g> {
    fn node(&self, id: &str) -> Option<Node<'g>> {
        let (id, node) = self.nodes.get_key_value(id)?;
        Some(Node {
            id,
            class: node.get("class_type")?.as_str()?,
            inputs: node.get("inputs")?.as_object()?,
        })
    }

    fn all(&self) -> impl Iterator<Item = Node<'g>> {
        self.nodes.keys().filter_map(|id| self.node(id))
    }

    /// The node behind an input, and which of its outputs.
    fn behind(&self, node: Node<'g>, input: &str) -> Option<(Node<'g>, u64)> {
        let link = node.inputs.get(input)?.as_array()?;
        let id = match link.first()? {
            Value::String(id) => id.clone(),
            Value::Number(id) => id.to_string(),
            _ => return None,
        };
        Some((self.node(&id)?, link.get(1)?.as_u64()?))
    }

    /// The nodes behind an input, one behind the other, each through the first of the inputs that leads
    /// on; the first node comes first.
    fn chain(&self, node: Node<'g>, input: &str, through: &[&str]) -> Vec<Node<'g>> {
        let mut chain = Vec::new();
        let mut seen = HashSet::new();
        let mut next = self.behind(node, input);
        while let Some((node, _)) = next
            && chain.len() < MOST_STEPS
            && seen.insert(node.id)
        {
            chain.push(node);
            next = through.iter().find_map(|input| self.behind(node, input));
        }
        chain
    }

    /// The sampler that no other one builds on; the first of several that stand beside one another.
    fn last_sampler(&self) -> Option<Node<'g>> {
        let built_on: HashSet<&str> = self
            .all()
            .filter(Node::is_sampler)
            .filter_map(|sampler| Some(self.sampler_below(sampler)?.0.id))
            .collect();
        let mut samplers = self.all().filter(Node::is_sampler);
        let last = samplers.find(|sampler| !built_on.contains(sampler.id));
        last.or_else(|| self.all().find(Node::is_sampler))
    }

    /// The sampler whose picture another one works on, and the nodes between them.
    fn sampler_below(&self, sampler: Node<'g>) -> Option<(Node<'g>, Vec<Node<'g>>)> {
        let through = ["samples", "latent", "pixels", "image", "latent_image"];
        let mut between = Vec::new();
        for node in self.chain(sampler, "latent_image", &through) {
            if node.is_sampler() {
                return (node.id != sampler.id).then_some((node, between));
            }
            between.push(node);
        }
        None
    }

    /// An input of a sampler or of one of its parts.
    fn input(&self, sampler: Node<'g>, key: &str) -> Option<&'g Value> {
        let own = sampler.inputs.get(key);
        let of_part = || {
            let mut parts = PARTS.iter().filter_map(|part| self.behind(sampler, part));
            parts.find_map(|(part, _)| part.inputs.get(key))
        };
        self.value(own.or_else(of_part)?)
    }

    /// A value, or the one that a node behind a link hands on.
    fn value(&self, value: &'g Value) -> Option<&'g Value> {
        let mut value = value;
        for _ in 0..16 {
            let Some(link) = value.as_array() else {
                return Some(value);
            };
            let node = self.node(link.first()?.as_str()?)?;
            value = VALUES.iter().find_map(|key| node.inputs.get(*key))?;
        }
        None
    }

    /// Size and second pass; the sampler that makes the first one.
    fn size(&self, last: Node<'g>, read: &mut ReadParameters) -> Node<'g> {
        let mut first = last;
        if let Some((below, between)) = self.sampler_below(last) {
            first = below;
            self.second_pass(last, &between, read);
            if self.sampler_below(first).is_some() {
                read.miss("a third pass");
            }
        }
        let latent = self.behind(first, "latent_image").map(|(node, _)| node);
        let side = |key| latent.and_then(|node| whole(self.value(node.inputs.get(key)?)?));
        match (side("width"), side("height")) {
            (Some(width), Some(height)) => {
                (read.request.width, read.request.height) = (width, height);
                read.request.batch = side("batch_size").unwrap_or(1);
            }
            _ => read.miss(latent.map_or("latent_image", |node| node.class)),
        }
        if let Some(hires) = &mut read.request.hires
            && hires.scale <= 0.0
        {
            // What was noted is the width it comes to.
            hires.scale = -hires.scale / f64::from(read.request.width);
        }
        first
    }

    fn second_pass(&self, last: Node<'g>, between: &[Node<'g>], read: &mut ReadParameters) {
        let mut hires = Hires {
            scale: 1.0,
            steps: self.input(last, "steps").and_then(whole),
            denoise: self
                .input(last, "denoise")
                .and_then(Value::as_f64)
                .unwrap_or(1.0),
            upscaler: None,
        };
        for node in between {
            let number = |key| self.value(node.inputs.get(key)?)?.as_f64();
            if let Some(scale) = number("scale_by") {
                hires.scale = scale;
            } else if let Some(width) = number("width") {
                hires.scale = -width;
            } else if !node.class.starts_with("VAE") {
                read.miss(node.class);
            }
            if let Some(method) = node.text("upscale_method") {
                hires.upscaler = Some(method.to_owned());
            }
        }
        read.request.hires = Some(hires);
    }

    fn sampling(&self, sampler: Node<'g>, read: &mut ReadParameters) {
        let seed = ["seed", "noise_seed"]
            .iter()
            .find_map(|key| self.input(sampler, key)?.as_u64());
        read.request.seed = seed.map(Seed);
        if seed.is_none() {
            read.miss("seed");
        }
        match self.input(sampler, "steps").and_then(whole) {
            Some(steps) => read.request.steps = steps,
            None => read.miss("steps"),
        }
        match self.input(sampler, "cfg").and_then(Value::as_f64) {
            Some(cfg) => read.request.cfg_scale = cfg,
            // A guider without it gives no guidance.
            None if self.behind(sampler, "guider").is_some() => read.request.cfg_scale = 1.0,
            None => read.miss("cfg"),
        }
        let word = |key| Some(self.input(sampler, key)?.as_str()?.to_owned());
        read.request.sampler = word("sampler_name");
        read.request.scheduler = word("scheduler");
        for (key, name) in [
            ("sampler_name", &read.request.sampler),
            ("scheduler", &read.request.scheduler),
        ] {
            if name.is_none() && !read.missing.iter().any(|said| said == key) {
                read.missing.push(key.to_owned());
            }
        }
        let denoise = self.input(sampler, "denoise").and_then(Value::as_f64);
        if denoise.is_some_and(|denoise| denoise < 1.0) {
            read.miss("denoise");
        }
    }

    fn texts(&self, sampler: Node<'g>, read: &mut ReadParameters) {
        let from = |input: &str| {
            let own = self.behind(sampler, input);
            own.or_else(|| self.behind(self.behind(sampler, "guider")?.0, input))
        };
        let positive = from("positive").or_else(|| from("conditioning"));
        read.request.prompt = self.text_behind(positive, "positive", read);
        read.request.negative_prompt = self.text_behind(from("negative"), "negative", read);
    }

    /// Every text that a conditioning is made of.
    fn text_behind(
        &self,
        from: Option<(Node<'g>, u64)>,
        side: &str,
        read: &mut ReadParameters,
    ) -> String {
        let mut texts: Vec<&str> = Vec::new();
        let mut seen = HashSet::new();
        let mut open: Vec<(Node<'g>, u64)> = from.into_iter().collect();
        while let Some((node, output)) = open.pop() {
            if !seen.insert((node.id, output)) || seen.len() > MOST_STEPS {
                continue;
            }
            let text = TEXTS
                .iter()
                .find_map(|key| self.value(node.inputs.get(*key)?)?.as_str());
            if let Some(text) = text {
                texts.push(text);
                self.encoder(node, read);
                continue;
            }
            if node.class == "FluxGuidance" {
                let guidance = node.inputs.get("guidance").and_then(|v| self.value(v));
                read.request.distilled_cfg = guidance.and_then(Value::as_f64);
            } else if node.class == "ConditioningZeroOut" {
                // Nothing of what is behind it is left.
                continue;
            } else {
                read.miss(node.class);
            }
            // A node that hands on both has them in this order.
            let both = if output == 1 { "negative" } else { "positive" };
            let inputs = CONDITIONING.iter().copied().chain([both]);
            let before = open.len();
            open.extend(inputs.filter_map(|input| self.behind(node, input)));
            open[before..].reverse();
        }
        if texts.is_empty() && from.is_some_and(|(node, _)| node.class != "ConditioningZeroOut") {
            read.miss(side);
        }
        texts.join("\n")
    }

    /// The layer at which an encoder stops, and its own files.
    fn encoder(&self, node: Node<'g>, read: &mut ReadParameters) {
        if let Some(guidance) = node.inputs.get("guidance").and_then(|v| self.value(v)) {
            read.request.distilled_cfg = guidance.as_f64();
        }
        for node in self.chain(node, "clip", &["clip"]) {
            if let Some(layer) = node
                .inputs
                .get("stop_at_clip_layer")
                .and_then(Value::as_i64)
            {
                read.request.clip_skip = u32::try_from(layer.saturating_neg()).ok();
            }
            for key in ["clip_name", "clip_name1", "clip_name2", "clip_name3"] {
                add_module(node.text(key), read);
            }
        }
    }

    fn model(&self, sampler: Node<'g>, read: &mut ReadParameters) {
        let own = self.behind(sampler, "model").is_some();
        let holder = PARTS.iter().filter_map(|part| self.behind(sampler, part));
        let from = if own {
            Some(sampler)
        } else {
            holder
                .map(|(node, _)| node)
                .find(|node| self.behind(*node, "model").is_some())
        };
        let chain = from.map_or_else(Vec::new, |from| self.chain(from, "model", &["model"]));
        let mut tags = String::new();
        for node in chain {
            if let Some(name) = node.text("lora_name") {
                let weight = node
                    .inputs
                    .get("strength_model")
                    .and_then(|v| self.value(v));
                let weight = weight.and_then(Value::as_f64).unwrap_or(1.0);
                // The one next to the model was loaded first.
                tags = format!("<lora:{}:{weight}>{tags}", stem(name));
            } else if let Some(name) = ["ckpt_name", "unet_name", "model_name"]
                .iter()
                .find_map(|key| node.text(key))
            {
                read.request.model = Some(name.to_owned());
            } else {
                read.miss(node.class);
            }
        }
        if read.request.model.is_none() {
            read.miss("model");
        }
        if !tags.is_empty() {
            let prompt = &mut read.request.prompt;
            let tagged = format!("{prompt} {tags}");
            tagged.trim_start().clone_into(prompt);
        }
    }

    /// A VAE of its own.
    fn decoder(&self, read: &mut ReadParameters) {
        let vaes = self
            .all()
            .filter(|node| node.class.starts_with("VAEDecode"))
            .filter_map(|node| self.behind(node, "vae")?.0.text("vae_name"));
        for name in vaes {
            add_module(Some(name), read);
        }
    }
}

fn add_module(name: Option<&str>, read: &mut ReadParameters) {
    if let Some(name) = name
        && read.request.modules.len() < 8
        && !read.request.modules.iter().any(|module| module == name)
    {
        read.request.modules.push(name.to_owned());
    }
}

/// A LoRA's file without folder and ending, as tags name it.
fn stem(file: &str) -> &str {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    name.strip_suffix(".safetensors").unwrap_or(name)
}

/// A whole number that fits; widgets write some of them as floats.
fn whole(value: &Value) -> Option<u32> {
    let float = || {
        value
            .as_f64()
            .filter(|n| n.fract() == 0.0 && (0.0..4e9).contains(n))
    };
    match value.as_u64() {
        Some(number) => u32::try_from(number).ok(),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "within the limits above"
        )]
        None => float().map(|n| n as u32),
    }
}

#[cfg(test)]
mod tests;
