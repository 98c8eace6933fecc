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
        for (name, _) in class.inputs.iter().chain(class.optional) {
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

/// Nodes in a row that are looked back at for a size: graphs are no deeper, but may run in a circle.
const DEEPEST: usize = 150;

/// Pixels and number of what a node puts out, a latent counted in pixels; `None` for a loaded file.
pub(super) fn extent(graph: &Map<String, Value>, id: &str) -> Option<(u32, u32, u64)> {
    extent_within(graph, id, DEEPEST)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates, and is clamped"
)]
fn extent_within(graph: &Map<String, Value>, id: &str, left: usize) -> Option<(u32, u32, u64)> {
    let left = left.checked_sub(1)?;
    let before = |name: &str| extent_within(graph, &upstream(graph, id, name)?, left);
    let clamped = |side: f64| (side as u32).clamp(1, 4_096);
    match class_of(graph, id)?.name {
        "EmptyImage" => Some(size(graph, id, 1)),
        "EmptyLatentImage" | "EmptySD3LatentImage" => Some(size(graph, id, 8)),
        "KSampler" => before("latent_image"),
        "VAEDecode" => before("samples"),
        "VAEEncode" => before("pixels"),
        "LatentUpscaleBy" => {
            let (width, height, batch) = before("samples")?;
            let by = input(graph, id, "scale_by").and_then(Value::as_f64);
            let by = by.unwrap_or(1.5);
            let side = |side: u32| clamped((f64::from(side / 8) * by).round_ties_even() * 8.0);
            Some((side(width), side(height), batch))
        }
        "ImageUpscaleWithModel" => {
            // Models of this kind enlarge fourfold.
            let (width, height, batch) = before("image")?;
            let side = |side: u32| clamped(f64::from(side) * 4.0);
            Some((side(width), side(height), batch))
        }
        class @ ("LatentUpscale" | "ImageScale") => {
            let (from, step) = if class == "ImageScale" {
                ("image", 1)
            } else {
                ("samples", 8)
            };
            let (width, height, batch) = before(from)?;
            let asked = |name| u32::try_from(whole(graph, id, name, 0)).unwrap_or(0);
            let (w, h) = (asked("width") / step * step, asked("height") / step * step);
            // 0 keeps the shape.
            let keep = |one: u32, of: u32, to: u32| {
                clamped(f64::from(of) * f64::from(one) / f64::from(to.max(1)))
            };
            Some(match (w, h) {
                (0, 0) => (width, height, batch),
                (0, h) => (keep(h, width, height), h.min(4_096), batch),
                (w, 0) => (w.min(4_096), keep(w, height, width), batch),
                (w, h) => (w.min(4_096), h.min(4_096), batch),
            })
        }
        _ => None,
    }
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
            class @ ("VAEDecode" | "ImageScale" | "ImageUpscaleWithModel") => {
                let (width, height, batch) = extent(graph, images)?;
                let made_by = match class {
                    "VAEDecode" => upstream(graph, images, "samples")?,
                    _ => images.to_owned(),
                };
                Some(Source::Scene {
                    key: self.signatures.get(&made_by)?.clone(),
                    width,
                    height,
                    batch,
                })
            }
            _ => None,
        }
    }
}
