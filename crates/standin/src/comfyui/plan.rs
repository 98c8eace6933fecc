//! What a graph asks for: the order of its nodes, their signatures, and where pictures come from.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::graph::{Given, class_of, converted, input, link};
use super::nodes::Kind;
use super::run::Run;
use crate::docker::hex_id;
use crate::picture::Picture;

/// What a graph's pictures are made from.
pub(super) enum Source {
    Scene {
        key: String,
        width: u32,
        height: u32,
        batch: u64,
    },
    /// A loaded picture.
    File(Picture),
    Plain {
        colour: [u8; 3],
        width: u32,
        height: u32,
        batch: u64,
    },
}

/// Class, inputs and everything upstream of a node, in one word.
pub(super) fn signature(
    graph: &Map<String, Value>,
    id: &str,
    known: &mut BTreeMap<String, String>,
    depth: usize,
) -> String {
    if let Some(done) = known.get(id) {
        return done.clone();
    }
    let mut text = String::new();
    if let (Some(class), true) = (class_of(graph, id), depth < 200) {
        text.push_str(class.name);
        for (name, _) in class.inputs {
            let value = input(graph, id, name).unwrap_or(&Value::Null);
            text.push_str(&match link(value) {
                Some((from, index)) => {
                    format!(
                        "|{name}={index}@{}",
                        signature(graph, &from, known, depth + 1)
                    )
                }
                None => format!("|{name}={value}"),
            });
        }
        // An input that the node does not read counts, too, as in the original.
        let given = graph
            .get(id)
            .and_then(|node| node.get("inputs")?.as_object());
        for (name, value) in given.into_iter().flatten() {
            if class.inputs.iter().all(|(known, _)| known != name) {
                text.push_str(&format!("|{name}={value}"));
            }
        }
    }
    let done = hex_id(&text);
    known.insert(id.to_owned(), done.clone());
    done
}

/// Nodes in the order they run: what a node needs comes before it.
pub(super) fn order(
    graph: &Map<String, Value>,
    id: &str,
    seen: &mut BTreeSet<String>,
    out: &mut Vec<String>,
) {
    if !seen.insert(id.to_owned()) {
        return;
    }
    if let Some(class) = class_of(graph, id) {
        for (name, _) in class.inputs {
            if let Some((from, _)) = input(graph, id, name).and_then(link) {
                order(graph, &from, seen, out);
            }
        }
        out.push(id.to_owned());
    }
}

pub(super) fn whole(graph: &Map<String, Value>, id: &str, name: &str, otherwise: i128) -> i128 {
    let kind = Kind::Int(0, 0, 0, 0);
    match input(graph, id, name).and_then(|value| converted(kind, value)) {
        Some(Given::Int(number)) => number,
        _ => otherwise,
    }
}

/// The node that feeds an input.
pub(super) fn upstream(graph: &Map<String, Value>, id: &str, name: &str) -> Option<String> {
    input(graph, id, name).and_then(link).map(|(from, _)| from)
}

pub(super) fn size(graph: &Map<String, Value>, id: &str, floor: i128) -> (u32, u32, u64) {
    let side = |name| {
        u32::try_from(whole(graph, id, name, 512) / floor * floor)
            .unwrap_or(512)
            .clamp(1, 4_096)
    };
    let batch = u64::try_from(whole(graph, id, "batch_size", 1))
        .unwrap_or(1)
        .clamp(1, 16);
    (side("width"), side("height"), batch)
}

impl Run<'_> {
    pub(super) fn graph(&self) -> &Map<String, Value> {
        &self.job.graph.sent
    }

    pub(super) fn client(&self) -> Option<&str> {
        self.job.client.as_deref()
    }

    pub(super) fn source(&self, images: &str) -> Option<Source> {
        let graph = self.graph();
        match class_of(graph, images)?.name {
            "EmptyImage" => {
                let (width, height, batch) = size(graph, images, 1);
                let bytes = u32::try_from(whole(graph, images, "color", 0))
                    .unwrap_or(0)
                    .to_be_bytes();
                Some(Source::Plain {
                    colour: [bytes[1], bytes[2], bytes[3]],
                    width,
                    height,
                    batch,
                })
            }
            "VAEDecode" => {
                let sampler = upstream(graph, images, "samples")?;
                let latent = match class_of(graph, &sampler)?.name {
                    "KSampler" => upstream(graph, &sampler, "latent_image")?,
                    _ => sampler.clone(),
                };
                let (width, height, batch) = size(graph, &latent, 8);
                let key = self.signatures.get(&sampler)?.clone();
                Some(Source::Scene {
                    key,
                    width,
                    height,
                    batch,
                })
            }
            _ => None,
        }
    }
}
