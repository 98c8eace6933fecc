//! Whether a server would take a graph, by what it says of its own nodes.

use std::collections::BTreeSet;

use serde_json::Value;

/// Most nodes that are looked at.
const MAX_NODES: usize = 1_000;
/// Most faults that are told.
const MAX_FAULTS: usize = 20;

/// Why a graph would be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GraphFault {
    /// It is no graph.
    NoGraph,
    /// The server has no such node.
    NoNode(String),
    /// A node lacks an input that it must have.
    NoInput(String, String),
    /// A node's input is none of the values that it takes.
    NotOffered(String, String, String),
    /// A node takes what another one makes that is not there.
    NoSource(String, String),
}

impl std::fmt::Display for GraphFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoGraph => write!(f, "no graph"),
            Self::NoNode(class) => write!(f, "{class}: no such node"),
            Self::NoInput(class, input) => write!(f, "{class}.{input}: missing"),
            Self::NotOffered(class, input, value) => {
                write!(f, "{class}.{input}: `{value}` is not offered")
            }
            Self::NoSource(class, input) => write!(f, "{class}.{input}: leads nowhere"),
        }
    }
}

/// The classes of nodes in a graph.
pub fn classes(graph: &Value) -> BTreeSet<String> {
    let nodes = graph.as_object().into_iter().flatten().take(MAX_NODES);
    nodes
        .filter_map(|(_, node)| Some(node.get("class_type")?.as_str()?.to_owned()))
        .collect()
}

/// What is wrong with a graph in API format for a server that says this of the classes in it: the answers
/// of `/object_info/{class}` put together.
pub fn graph_faults(graph: &Value, info: &Value) -> Vec<GraphFault> {
    let Some(nodes) = graph.as_object().filter(|nodes| !nodes.is_empty()) else {
        return vec![GraphFault::NoGraph];
    };
    let mut faults = Vec::new();
    for node in nodes.values().take(MAX_NODES) {
        let Some(class) = node.get("class_type").and_then(Value::as_str) else {
            return vec![GraphFault::NoGraph];
        };
        let Some(known) = info.get(class) else {
            faults.push(GraphFault::NoNode(class.to_owned()));
            continue;
        };
        let given = node.get("inputs");
        let required = known.get("input").and_then(|input| input.get("required"));
        for (name, wanted) in required.and_then(Value::as_object).into_iter().flatten() {
            let input = || (class.to_owned(), name.clone());
            let Some(value) = given.and_then(|given| given.get(name)) else {
                let (class, name) = input();
                faults.push(GraphFault::NoInput(class, name));
                continue;
            };
            if let Some(source) = source(value) {
                if !nodes.contains_key(source) {
                    let (class, name) = input();
                    faults.push(GraphFault::NoSource(class, name));
                }
            } else if let Some(offered) = offered(wanted)
                && !offered.contains(value)
            {
                let (class, name) = input();
                let value = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                faults.push(GraphFault::NotOffered(class, name, value));
            }
        }
    }
    faults.truncate(MAX_FAULTS);
    faults
}

/// The node that an input is taken from: `["4", 0]`.
fn source(value: &Value) -> Option<&str> {
    match value.as_array()?.as_slice() {
        [Value::String(node), Value::Number(_)] => Some(node),
        _ => None,
    }
}

/// The values of an input that has a list; newer nodes say `["COMBO", {"options": […]}]`.
fn offered(wanted: &Value) -> Option<&Vec<Value>> {
    match wanted.get(0)? {
        Value::Array(list) => Some(list),
        Value::String(word) if word == "COMBO" => wanted.get(1)?.get("options")?.as_array(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_server_would_refuse_is_named() {
        let info = json!({
            "Loader": {"input": {"required": {"name": [["a", "b"]]}}},
            "Sampler": {"input": {"required": {
                "model": ["MODEL"],
                "kind": ["COMBO", {"options": ["x"]}],
                "steps": ["INT", {"default": 20}],
            }}},
        });
        let graph = |loader: Value, sampler: Value| {
            json!({
                "1": {"class_type": "Loader", "inputs": loader},
                "2": {"class_type": "Sampler", "inputs": sampler},
            })
        };
        let good = graph(
            json!({"name": "a"}),
            json!({"model": ["1", 0], "kind": "x", "steps": 4}),
        );
        assert_eq!(graph_faults(&good, &info), []);
        assert_eq!(
            classes(&good),
            ["Loader".to_owned(), "Sampler".to_owned()].into()
        );
        let bad = graph(
            json!({"name": "c"}),
            json!({"model": ["9", 0], "kind": "y"}),
        );
        let told: Vec<String> = graph_faults(&bad, &info)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            told,
            [
                "Loader.name: `c` is not offered",
                "Sampler.kind: `y` is not offered",
                "Sampler.model: leads nowhere",
                "Sampler.steps: missing",
            ]
        );
        assert_eq!(
            graph_faults(&good, &json!({"Loader": info["Loader"]})),
            [GraphFault::NoNode("Sampler".to_owned())]
        );
        for no_graph in [
            json!([]),
            json!({}),
            json!({"1": 5}),
            json!({"1": {"class_type": 5}}),
        ] {
            assert_eq!(graph_faults(&no_graph, &info), [GraphFault::NoGraph]);
        }
    }
}
