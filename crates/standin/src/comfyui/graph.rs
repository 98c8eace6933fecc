//! Validation of a graph, with ComfyUI's own error types and coercions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Comfy;
use super::nodes::{Class, Kind, class};

/// A graph whose nodes are all of known classes.
#[derive(Debug, Clone)]
pub(super) struct Graph {
    /// As it was sent.
    pub sent: Map<String, Value>,
    /// Output nodes that can run, in the order of the graph.
    pub outputs: Vec<String>,
    /// Errors of those that cannot.
    pub node_errors: Value,
}

/// The body of a 400.
pub(super) type Refusal = Value;

pub(super) fn refusal(kind: &str, message: &str, details: &str, node_errors: &Value) -> Refusal {
    json!({"error": {"type": kind, "message": message, "details": details, "extra_info": {}},
           "node_errors": node_errors})
}

/// What a value is after ComfyUI's conversion.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    Int(i128),
    Float(f64),
    Text(String),
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "saturates, and the limits are checked after"
)]
fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Number(n) => n
            .as_i64()
            .map(i128::from)
            .or_else(|| n.as_u64().map(i128::from))
            .or_else(|| n.as_f64().map(|f| f.trunc() as i128)),
        Value::String(text) => text.trim().parse().ok(),
        Value::Bool(flag) => Some(i128::from(*flag)),
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => n.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        _ => None,
    }
}

/// The converted value, without any check of limits.
pub(super) fn converted(kind: Kind, value: &Value) -> Option<Given> {
    match kind {
        Kind::Int(..) => whole(value).map(Given::Int),
        Kind::Float(..) => number(value).map(Given::Float),
        Kind::Text(..) | Kind::One(_) | Kind::Word(_) | Kind::File => {
            Some(Given::Text(match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            }))
        }
        Kind::Link(_) => None,
    }
}

/// `[node id, output index]`.
pub(super) fn link(value: &Value) -> Option<(String, usize)> {
    let [from, index] = value.as_array()?.as_slice() else {
        return None;
    };
    let from = from
        .as_str()
        .map_or_else(|| from.to_string(), str::to_owned);
    Some((from, usize::try_from(index.as_u64()?).ok()?))
}

pub(super) fn class_of(graph: &Map<String, Value>, id: &str) -> Option<&'static Class> {
    class(graph.get(id)?.get("class_type")?.as_str()?)
}

pub(super) fn input<'a>(graph: &'a Map<String, Value>, id: &str, name: &str) -> Option<&'a Value> {
    graph.get(id)?.get("inputs")?.get(name)
}

fn error(kind: &str, message: &str, details: &str, name: &str, extra: Value) -> Value {
    let mut info = json!({ "input_name": name });
    if let (Value::Object(info), Value::Object(extra)) = (&mut info, extra) {
        info.extend(extra);
    }
    json!({"type": kind, "message": message, "details": details, "extra_info": info})
}

/// Links in a row beyond which a graph is refused, as Python does at its own limit. Everything
/// that walks a graph later walks only what was walked here.
const DEEPEST: usize = 150;

/// One walk from an output to everything it needs.
struct Walk<'a> {
    graph: &'a Map<String, Value>,
    seen: BTreeSet<String>,
    errors: &'a mut BTreeMap<String, Vec<Value>>,
    depth: usize,
}

impl Comfy {
    /// Checks a graph; an error is the body of the 400.
    pub(super) fn check(&self, graph: &Map<String, Value>) -> Result<Graph, Refusal> {
        let none = json!({});
        let mut outputs = Vec::new();
        for (id, node) in graph {
            let Some(kind) = node.get("class_type").and_then(Value::as_str) else {
                let text = "Cannot execute because a node is missing the class_type property.";
                return Err(refusal(
                    "invalid_prompt",
                    text,
                    &format!("Node ID '#{id}'"),
                    &none,
                ));
            };
            let Some(class) = class(kind) else {
                let text = format!("Cannot execute because node {kind} does not exist.");
                return Err(refusal(
                    "invalid_prompt",
                    &text,
                    &format!("Node ID '#{id}'"),
                    &none,
                ));
            };
            if class.output_node {
                outputs.push(id.clone());
            }
        }
        if outputs.is_empty() {
            return Err(refusal(
                "prompt_no_outputs",
                "Prompt has no outputs",
                "",
                &none,
            ));
        }
        let mut errors: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let mut dependents: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut good = Vec::new();
        for output in &outputs {
            let mut walk = Walk {
                graph,
                seen: BTreeSet::new(),
                errors: &mut errors,
                depth: 0,
            };
            self.check_node(&mut walk, output);
            let seen = walk.seen;
            let faulty: Vec<&String> = seen.iter().filter(|id| errors.contains_key(*id)).collect();
            if faulty.is_empty() {
                good.push(output.clone());
            }
            for id in faulty {
                dependents
                    .entry(id.clone())
                    .or_default()
                    .push(output.clone());
            }
        }
        // The faults of the outputs themselves; those of nodes before them are not named here.
        let details: Vec<String> = outputs
            .iter()
            .filter_map(|output| errors.get(output))
            .flatten()
            .map(|fault| {
                let word = |key: &str| fault[key].as_str().unwrap_or_default().to_owned();
                format!("{}: {}", word("message"), word("details"))
            })
            .collect();
        let mut node_errors = json!({});
        for (id, list) in errors {
            let kind = graph.get(&id).and_then(|n| n.get("class_type")).cloned();
            node_errors[&id] = json!({"errors": list, "dependent_outputs": dependents.get(&id),
                                      "class_type": kind});
        }
        if good.is_empty() {
            let (kind, text) = (
                "prompt_outputs_failed_validation",
                "Prompt outputs failed validation",
            );
            return Err(refusal(kind, text, &details.join("\n"), &node_errors));
        }
        Ok(Graph {
            sent: graph.clone(),
            outputs: good,
            node_errors,
        })
    }

    fn check_node(&self, walk: &mut Walk<'_>, id: &str) {
        let graph = walk.graph;
        if !walk.seen.insert(id.to_owned()) {
            return;
        }
        if walk.depth >= DEEPEST {
            let words = "maximum recursion depth exceeded in comparison";
            let trouble = json!({"type": "exception_during_validation",
                "message": "Exception when validating node", "details": words,
                "extra_info": {"exception_type": "RecursionError",
                    "traceback": ["  File \"/root/ComfyUI/execution.py\", line 838, in validate_inputs\n"]}});
            walk.errors.insert(id.to_owned(), vec![trouble]);
            return;
        }
        let Some(class) = class_of(graph, id) else {
            return;
        };
        let mut found = Vec::new();
        let required = class.inputs.iter().map(|input| (input, true));
        let optional = class.optional.iter().map(|input| (input, false));
        for ((name, kind), required) in required.chain(optional) {
            let Some(value) = input(graph, id, name) else {
                if !required {
                    continue;
                }
                found.push(error(
                    "required_input_missing",
                    "Required input is missing",
                    name,
                    name,
                    json!({}),
                ));
                continue;
            };
            if value.is_array() {
                self.check_link(walk, value, name, *kind, &mut found);
            } else if let Kind::Link(of) = kind {
                let details = format!("{name}, received_type({value}) mismatch input_type({of})");
                found.push(error(
                    "bad_linked_input",
                    "Bad linked input, must be a length-2 list of [node_id, slot_index]",
                    &details,
                    name,
                    json!({"received_value": value}),
                ));
            } else if let Some(wrong) = self.check_value(*kind, name, value) {
                found.push(wrong);
            }
        }
        if !found.is_empty() && !walk.errors.contains_key(id) {
            walk.errors.insert(id.to_owned(), found);
        }
    }

    fn check_link(
        &self,
        walk: &mut Walk<'_>,
        value: &Value,
        name: &str,
        kind: Kind,
        found: &mut Vec<Value>,
    ) {
        let extra = json!({"received_value": value});
        let Some((from, index)) = link(value) else {
            let text = "Bad linked input, must be a length-2 list of [node_id, slot_index]";
            found.push(error("bad_linked_input", text, name, name, extra));
            return;
        };
        let Some(source) = class_of(walk.graph, &from) else {
            found.push(json!({"type": "exception_during_validation",
                "message": "Exception when validating node", "details": format!("'{from}'"),
                "extra_info": {"input_name": name, "exception_type": "KeyError",
                    "traceback": ["  File \"/root/ComfyUI/execution.py\", line 838, in validate_inputs\n"],
                    "linked_node": value}}));
            return;
        };
        let got = source.outputs.get(index).copied().unwrap_or("*");
        let wanted = match kind {
            Kind::Link(of) => of,
            Kind::Int(..) => "INT",
            Kind::Float(..) => "FLOAT",
            Kind::Text(..) => "STRING",
            Kind::One(_) | Kind::Word(_) | Kind::File => "COMBO",
        };
        if got != wanted {
            let details = format!("{name}, received_type({got}) mismatch input_type({wanted})");
            let text = "Return type mismatch between linked nodes";
            found.push(error(
                "return_type_mismatch",
                text,
                &details,
                name,
                json!({"received_type": got, "linked_node": value}),
            ));
            return;
        }
        walk.depth += 1;
        self.check_node(walk, &from);
        walk.depth -= 1;
    }

    fn check_value(&self, kind: Kind, name: &str, value: &Value) -> Option<Value> {
        let extra = json!({"received_value": value, "input_config": self.described(kind)});
        let Some(given) = converted(kind, value) else {
            let word = if matches!(kind, Kind::Int(..)) {
                "INT"
            } else {
                "FLOAT"
            };
            let text = format!("Failed to convert an input value to a {word} value");
            return Some(error(
                "invalid_input_type",
                &text,
                &format!("{name}, {value}"),
                name,
                extra,
            ));
        };
        let small = |value: String, least: String| {
            let text = format!("Value {value} smaller than min of {least}");
            error("value_smaller_than_min", &text, name, name, extra.clone())
        };
        let big = |value: String, most: String| {
            let text = format!("Value {value} bigger than max of {most}");
            error("value_bigger_than_max", &text, name, name, extra.clone())
        };
        match (kind, given) {
            (Kind::Int(_, least, _, _), Given::Int(n)) if n < least => {
                Some(small(n.to_string(), least.to_string()))
            }
            (Kind::Int(_, _, most, _), Given::Int(n)) if n > most => {
                Some(big(n.to_string(), most.to_string()))
            }
            (Kind::Float(_, least, _, _), Given::Float(n)) if n < least => {
                Some(small(n.to_string(), format!("{least:?}")))
            }
            (Kind::Float(_, _, most, _), Given::Float(n)) if n > most => {
                Some(big(n.to_string(), format!("{most:?}")))
            }
            (Kind::File, Given::Text(text)) => self.input_file(&text).is_none().then(|| {
                error(
                    "custom_validation_failed",
                    "Custom validation failed for node",
                    &format!("{name} - Invalid image file: {text}"),
                    name,
                    extra,
                )
            }),
            (Kind::One(_) | Kind::Word(_), Given::Text(text)) => {
                let names = match kind {
                    Kind::One(list) => self.list(list),
                    Kind::Word(words) => words.iter().map(|word| (*word).to_owned()).collect(),
                    _ => Vec::new(),
                };
                if names.contains(&text) {
                    return None;
                }
                let shown = if names.len() > 20 {
                    format!("(list of length {})", names.len())
                } else {
                    let quoted: Vec<String> = names.iter().map(|n| format!("'{n}'")).collect();
                    format!("[{}]", quoted.join(", "))
                };
                let details = format!("{name}: '{text}' not in {shown}");
                Some(error(
                    "value_not_in_list",
                    "Value not in list",
                    &details,
                    name,
                    extra,
                ))
            }
            _ => None,
        }
    }
}
