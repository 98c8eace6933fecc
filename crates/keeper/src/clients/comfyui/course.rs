//! What a graph does in which order, as far as its node classes tell: where it loads, samples and
//! finishes. Ours and one's own are followed by the same signs.

use std::collections::{BTreeMap, BTreeSet};

use forgekeeper_domain::generation::GenerationStage;
use serde_json::Value;

/// The nodes of a graph that are worth a word, and how far the samplers are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Course {
    loaders: BTreeSet<String>,
    finishers: BTreeSet<String>,
    /// Steps of each, where the graph says so.
    samplers: BTreeMap<String, Option<u32>>,
    nodes: usize,
    /// Samplers that were begun, in their order, with the steps that each has.
    begun: Vec<(String, u32)>,
}

impl Course {
    /// The course of a graph in API format.
    pub(super) fn of(graph: &Value) -> Self {
        let mut course = Self::default();
        for (id, node) in graph.as_object().into_iter().flatten() {
            course.nodes += 1;
            let class = node.get("class_type").and_then(Value::as_str);
            let class = class.unwrap_or_default();
            let steps = node.get("inputs").and_then(|inputs| inputs.get("steps"));
            let steps = steps.and_then(Value::as_u64);
            // `SamplerCustom` and its like sample, `KSamplerSelect` only names a method.
            if class.contains("Sampler") && !class.contains("Select") {
                let steps = steps.and_then(|steps| u32::try_from(steps).ok());
                course.samplers.insert(id.clone(), steps);
            } else if class.contains("Loader") {
                course.loaders.insert(id.clone());
            } else if class.starts_with("VAEDecode")
                || class.starts_with("SaveImage")
                || class == "PreviewImage"
            {
                course.finishers.insert(id.clone());
            }
        }
        course
    }

    /// Steps of all samplers, where each says how many it has.
    pub(super) fn steps(&self) -> Option<u32> {
        if self.samplers.is_empty() {
            return None;
        }
        self.samplers
            .values()
            .try_fold(0_u32, |sum, steps| sum.checked_add((*steps)?))
    }

    /// The stage that begins with a node; the others change nothing.
    pub(super) fn stage_at(&self, node: &str) -> Option<GenerationStage> {
        let is_begun = !self.begun.is_empty();
        if self.loaders.contains(node) || self.samplers.contains_key(node) {
            // The sampler moves the model to the card before its first step.
            return (!is_begun).then_some(GenerationStage::LoadingModel);
        }
        let is_last = self.begun.len() >= self.samplers.len();
        (self.finishers.contains(node) && is_last).then_some(GenerationStage::Finishing)
    }

    /// A node made a step: the steps of all samplers done so far, and of how many. `None` for what
    /// is no sampler.
    pub(super) fn step(&mut self, node: &str, value: u32, max: Option<u32>) -> Option<(u32, u32)> {
        let told = *self.samplers.get(node)?;
        let own = told.or(max).unwrap_or(value).max(value);
        match self.begun.last_mut() {
            Some((last, steps)) if last == node => *steps = own,
            _ => self.begun.push((node.to_owned(), own)),
        }
        let (_, earlier) = self.begun.split_last()?;
        let before = earlier.iter().map(|(_, steps)| *steps);
        let done = before.fold(value, u32::saturating_add);
        let all = self.steps().unwrap_or(done - value + own);
        Some((done, all.max(done)))
    }

    /// How many samplers were begun.
    pub(super) fn begun(&self) -> usize {
        self.begun.len()
    }

    /// Whether the nodes that came from the cache leave no work: every sampler is among them, or
    /// where none samples every node is.
    pub(super) fn is_done_by<'a>(&self, cached: impl Iterator<Item = &'a str>) -> bool {
        let cached: BTreeSet<&str> = cached.collect();
        if self.samplers.is_empty() {
            return self.nodes > 0 && cached.len() >= self.nodes;
        }
        self.samplers.keys().all(|node| cached.contains(&**node))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn course() -> Course {
        let node = |class: &str, inputs: Value| json!({"class_type": class, "inputs": inputs});
        Course::of(&json!({
            "1": node("CheckpointLoaderSimple", json!({})),
            "5": node("KSampler", json!({"steps": 10})),
            "6": node("VAEDecode", json!({})),
            "7": node("PreviewImage", json!({})),
            "8": node("KSamplerSelect", json!({})),
            "12": node("KSampler", json!({"steps": 4})),
            "14": node("VAEDecode", json!({})),
        }))
    }

    #[test]
    fn two_passes_are_one_row_of_steps() {
        let mut course = course();
        assert_eq!(course.steps(), Some(14));
        assert_eq!(course.stage_at("5"), Some(GenerationStage::LoadingModel));
        assert_eq!(course.step("5", 3, Some(10)), Some((3, 14)));
        assert_eq!(course.step("8", 1, None), None, "it only names a method");
        assert_eq!(course.stage_at("14"), None, "decoded between the passes");
        assert_eq!(course.step("12", 1, Some(4)), Some((11, 14)));
        assert_eq!(course.stage_at("12"), None, "it is loaded already");
        assert_eq!(course.step("12", 4, Some(4)), Some((14, 14)));
        assert_eq!(course.stage_at("6"), Some(GenerationStage::Finishing));
        assert_eq!(course.begun(), 2);
        assert!(course.is_done_by(["1", "5", "12"].into_iter()));
        assert!(!course.is_done_by(["1", "5"].into_iter()));
    }

    #[test]
    fn where_no_steps_are_told_the_node_itself_tells_them() {
        let graph = json!({"a": {"class_type": "SamplerCustomAdvanced", "inputs": {"sigmas": ["b", 0]}},
            "b": {"class_type": "BasicScheduler", "inputs": {"steps": 9}}});
        let mut course = Course::of(&graph);
        assert_eq!(course.steps(), None);
        assert_eq!(course.step("a", 2, Some(9)), Some((2, 9)));
        assert_eq!(course.step("a", 3, None), Some((3, 3)));
        let mut still = Course::of(&json!({"x": {"class_type": "EmptyImage"}}));
        assert_eq!(still.step("x", 1, None), None);
        assert!(still.is_done_by(["x"].into_iter()));
        assert!(!still.is_done_by([].into_iter()));
        assert!(!Course::of(&json!([])).is_done_by([].into_iter()));
    }
}
