//! Workflows of one's own for ComfyUI: a graph in API format, in which words between percent signs
//! stand for what a request says.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{ErrorCode, ErrorInfo};

/// Longest file in bytes; graphs of hundreds of nodes stay far below.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Most nodes.
pub const MAX_NODES: usize = 1000;
/// Deepest nesting within a node's inputs.
pub const MAX_DEPTH: usize = 16;

macro_rules! placeholders {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)+) => {
        /// A word that stands for a part of a request.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "specta", derive(specta::Type))]
        #[serde(rename_all = "snake_case")]
        pub enum Placeholder {
            $($(#[$doc])* $variant,)+
        }

        impl Placeholder {
            /// Every one.
            pub const ALL: &[Placeholder] = &[$(Placeholder::$variant,)+];

            /// As it is written in the file.
            pub fn word(self) -> &'static str {
                match self { $(Placeholder::$variant => $word,)+ }
            }
        }
    };
}

placeholders! {
    /// What the picture shows.
    Prompt = "%prompt%",
    /// What it must not show.
    Negative = "%negative%",
    /// Seed.
    Seed = "%seed%",
    /// Sampling steps.
    Steps = "%steps%",
    /// Guidance.
    Cfg = "%cfg%",
    /// Pixels.
    Width = "%width%",
    /// Pixels.
    Height = "%height%",
    /// Model file.
    Model = "%model%",
    /// Sampler, in ComfyUI's words.
    Sampler = "%sampler%",
    /// Scheduler, in ComfyUI's words.
    Scheduler = "%scheduler%",
    /// Pictures.
    Batch = "%batch%",
}

/// What is wrong with a workflow, or missing for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkflowProblem {
    /// Too long to be read.
    #[error("the workflow is larger than {} KiB", MAX_BYTES / 1024)]
    TooLarge,
    /// No JSON.
    #[error("the workflow is no JSON: {0}")]
    Json(String),
    /// The editor's own format, which ComfyUI's API does not take.
    #[error(
        "this is a workflow of ComfyUI's editor, not its API format: export it with `Export (API)`"
    )]
    Editor,
    /// Something else than nodes by their ids.
    #[error("the workflow is no graph in ComfyUI's API format: {0}")]
    NoGraph(String),
    /// Too many nodes.
    #[error("the workflow has more than {MAX_NODES} nodes")]
    Many,
    /// Nested too deeply.
    #[error("node `{0}` of the workflow is nested more than {MAX_DEPTH} deep")]
    Deep(String),
    /// The request does not say what a word stands for.
    #[error("the workflow holds `{}`, and the request does not say what that is", .0.word())]
    Unsaid(Placeholder),
}

impl WorkflowProblem {
    /// As it leaves the keeper: with the way out where there is one.
    pub fn info(&self) -> ErrorInfo {
        let code = match self {
            Self::Editor => ErrorCode::EditorWorkflow,
            Self::Unsaid(_) => ErrorCode::BadRequest,
            _ => ErrorCode::BadWorkflow,
        };
        ErrorInfo::new(code, self.to_string())
    }
}

/// A workflow that is kept under a name, and what a request can put into it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct OwnWorkflow {
    /// Its name, which is that of its file without the ending.
    pub name: String,
    /// Its nodes; none where it cannot be read.
    pub nodes: Option<u32>,
    /// The parts of a request that find a place in it.
    pub takes: Vec<Placeholder>,
    /// The parts that do not: there the workflow's own values stay.
    pub lacks: Vec<Placeholder>,
    /// Why it cannot be used.
    pub problem: Option<ErrorInfo>,
}

impl OwnWorkflow {
    /// What a file of this name holds.
    pub fn of(name: String, read: &Result<Workflow, ErrorInfo>) -> Self {
        let has = |word: &Placeholder| read.as_ref().is_ok_and(|flow| flow.words.contains(word));
        let (takes, lacks) = Placeholder::ALL.iter().copied().partition(has);
        let known = read.as_ref().ok();
        Self {
            name,
            nodes: known.map(|flow| u32::try_from(flow.nodes.len()).unwrap_or(u32::MAX)),
            takes,
            lacks: if known.is_some() { lacks } else { Vec::new() },
            problem: read.as_ref().err().cloned(),
        }
    }
}

/// A checked graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Workflow {
    nodes: Map<String, Value>,
    words: BTreeSet<Placeholder>,
}

/// Longest id that is said again.
const MAX_SAID: usize = 60;

impl Workflow {
    /// Reads a file. Whether its nodes exist and end in a picture is the server's to judge.
    pub fn parse(text: &str) -> Result<Self, WorkflowProblem> {
        if text.len() > MAX_BYTES {
            return Err(WorkflowProblem::TooLarge);
        }
        let text = text.trim_start_matches('\u{feff}');
        let value =
            serde_json::from_str(text).map_err(|error| WorkflowProblem::Json(error.to_string()))?;
        let Value::Object(nodes) = value else {
            return Err(WorkflowProblem::NoGraph("it is no object".to_owned()));
        };
        let is_list = |key: &str| nodes.get(key).is_some_and(Value::is_array);
        if is_list("nodes") && nodes.contains_key("links") {
            return Err(WorkflowProblem::Editor);
        }
        if nodes.is_empty() {
            return Err(WorkflowProblem::NoGraph("it holds no node".to_owned()));
        }
        if nodes.len() > MAX_NODES {
            return Err(WorkflowProblem::Many);
        }
        let mut words = BTreeSet::new();
        for (id, node) in &nodes {
            let said = || id.chars().take(MAX_SAID).collect::<String>();
            let lacks =
                |what: &str| WorkflowProblem::NoGraph(format!("`{}` has no {what}", said()));
            if !node.get("class_type").is_some_and(Value::is_string) {
                return Err(lacks("`class_type`"));
            }
            let inputs = node.get("inputs").filter(|inputs| inputs.is_object());
            let inputs = inputs.ok_or_else(|| lacks("`inputs`"))?;
            if !find(inputs, &mut words, 0) {
                return Err(WorkflowProblem::Deep(said()));
            }
        }
        Ok(Self { nodes, words })
    }

    /// The words found in it.
    pub fn placeholders(&self) -> &BTreeSet<Placeholder> {
        &self.words
    }

    /// The graph with every word replaced: a value that is nothing but a word becomes what `value`
    /// says, number or text; within a longer text it becomes text. What is put in is not read again.
    pub fn fill(
        &self,
        value: impl Fn(Placeholder) -> Option<Value>,
    ) -> Result<Value, WorkflowProblem> {
        if let Some(word) = self.words.iter().find(|word| value(**word).is_none()) {
            return Err(WorkflowProblem::Unsaid(*word));
        }
        let value = |word| value(word).unwrap_or_default();
        let mut nodes = self.nodes.clone();
        for node in nodes.values_mut() {
            if let Some(inputs) = node.get_mut("inputs") {
                put(inputs, &value);
            }
        }
        Ok(Value::Object(nodes))
    }
}

/// Notes the words of a value; false when it is nested too deeply.
fn find(value: &Value, words: &mut BTreeSet<Placeholder>, depth: usize) -> bool {
    if depth > MAX_DEPTH {
        return false;
    }
    match value {
        Value::String(text) => {
            let mut rest = text.as_str();
            while let Some((_, word, after)) = next(rest) {
                words.insert(word);
                rest = after;
            }
            true
        }
        Value::Array(list) => list.iter().all(|value| find(value, words, depth + 1)),
        Value::Object(map) => map.values().all(|value| find(value, words, depth + 1)),
        _ => true,
    }
}

/// The first word of a text, with what stands before and after it.
fn next(text: &str) -> Option<(&str, Placeholder, &str)> {
    let all = Placeholder::ALL.iter();
    let found = all.filter_map(|word| Some((text.find(word.word())?, *word)));
    let (at, word) = found.min_by_key(|(at, _)| *at)?;
    Some((&text[..at], word, &text[at + word.word().len()..]))
}

fn put(value: &mut Value, of: &impl Fn(Placeholder) -> Value) {
    match value {
        Value::String(text) => {
            if let Some(("", word, "")) = next(text) {
                *value = of(word);
                return;
            }
            let mut filled = String::new();
            let mut rest = text.as_str();
            while let Some((before, word, after)) = next(rest) {
                filled.push_str(before);
                match of(word) {
                    Value::String(text) => filled.push_str(&text),
                    other => filled.push_str(&other.to_string()),
                }
                rest = after;
            }
            filled.push_str(rest);
            *text = filled;
        }
        Value::Array(list) => list.iter_mut().for_each(|value| put(value, of)),
        Value::Object(map) => map.values_mut().for_each(|value| put(value, of)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(word: Placeholder) -> Option<Value> {
        Some(match word {
            Placeholder::Prompt => json!("100% \"%seed%\" <b>\n"),
            Placeholder::Seed => json!(u64::MAX),
            Placeholder::Cfg => json!(1.5),
            Placeholder::Width => json!(640),
            Placeholder::Model => return None,
            other => json!(other.word().trim_matches('%')),
        })
    }

    #[test]
    fn words_become_what_the_request_says() {
        let text = json!({
            "1": {"class_type": "A", "inputs": {"text": "%prompt%", "seed": "%seed%", "cfg": "%cfg%",
                "mixed": "a %prompt%, %width%x%width%%", "link": ["2", 0], "plain": 5,
                "deep": {"list": ["%sampler%", {"x": "%negative%"}]}, "own": "%year% %Prompt% % seed%"},
                "_meta": {"title": "%prompt%"}},
            "2": {"class_type": "%seed%", "inputs": {}},
        });
        let workflow = Workflow::parse(&text.to_string()).expect("a workflow");
        let words: Vec<&str> = workflow.placeholders().iter().map(|w| w.word()).collect();
        assert_eq!(
            words,
            [
                "%prompt%",
                "%negative%",
                "%seed%",
                "%cfg%",
                "%width%",
                "%sampler%"
            ]
        );
        let filled = workflow.fill(said).expect("filled");
        assert_eq!(
            filled["1"]["inputs"],
            json!({"text": "100% \"%seed%\" <b>\n", "seed": u64::MAX, "cfg": 1.5,
                "mixed": "a 100% \"%seed%\" <b>\n, 640x640%", "link": ["2", 0], "plain": 5,
                "deep": {"list": ["sampler", {"x": "negative"}]}, "own": "%year% %Prompt% % seed%"})
        );
        assert_eq!(filled["1"]["_meta"]["title"], "%prompt%", "no input");
        assert_eq!(filled["2"]["class_type"], "%seed%");
        let wants = json!({"1": {"class_type": "A", "inputs": {"ckpt_name": "%model%"}}});
        let wants = Workflow::parse(&wants.to_string()).expect("a workflow");
        assert_eq!(
            wants.fill(said),
            Err(WorkflowProblem::Unsaid(Placeholder::Model))
        );
    }

    #[test]
    fn what_is_no_graph_is_said_to_be_so() {
        let node = |inputs: Value| json!({"1": {"class_type": "A", "inputs": inputs}}).to_string();
        let mut deep = json!("%seed%");
        for _ in 0..=MAX_DEPTH {
            deep = json!([deep]);
        }
        let many: Map<String, Value> = (0..=MAX_NODES)
            .map(|n| (n.to_string(), json!({"class_type": "A", "inputs": {}})))
            .collect();
        for (text, words) in [
            (String::new(), "no JSON"),
            ("{\"1\": ".to_owned(), "no JSON"),
            ("[".repeat(5_000), "no JSON"),
            ("[]".to_owned(), "no object"),
            ("{}".to_owned(), "no node"),
            (
                json!({"nodes": [{"id": 1}], "links": [], "version": 0.4}).to_string(),
                "Export (API)",
            ),
            (json!({"1": 5}).to_string(), "`1` has no `class_type`"),
            (
                json!({"1": {"class_type": "A"}}).to_string(),
                "`1` has no `inputs`",
            ),
            (
                json!({"prompt": {"1": {"class_type": "A", "inputs": {}}}}).to_string(),
                "`prompt` has no `class_type`",
            ),
            (node(json!({"x": deep})), "nested"),
            (Value::Object(many).to_string(), "more than 1000 nodes"),
            (" ".repeat(MAX_BYTES + 1), "larger than 1024 KiB"),
        ] {
            let said = Workflow::parse(&text).expect_err(words).to_string();
            assert!(said.contains(words), "{words}: {said}");
        }
        assert!(Workflow::parse(&format!("\u{feff}{}", node(json!({})))).is_ok());
    }
}
