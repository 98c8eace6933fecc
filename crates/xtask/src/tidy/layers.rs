//! The dependency graph: arrows point from the doors to the keeper to the domain, never back.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Finding, Rule};
use crate::repo::Repo;

pub(super) const RULE: Rule = Rule {
    id: "layers",
    what: "crates depend only on the layers below them, and domain on nothing that acts",
    check,
};

/// What one crate of the workspace may and may not stand on.
struct Layer {
    name: &'static str,
    /// Crates of this workspace that it may name.
    may: &'static [&'static str],
    /// Crates that must not be reached from it, however far down.
    never: &'static [&'static str],
}

const LAYERS: &[Layer] = &[
    Layer {
        name: "forgekeeper-domain",
        may: &[],
        never: &[
            "tokio", "bollard", "reqwest", "hyper", "rusqlite", "tauri", "rand", "uuid",
        ],
    },
    Layer {
        name: "forgekeeper-keeper",
        may: &["forgekeeper-domain"],
        never: &["tauri", "tauri-specta", "axum", "clap"],
    },
    Layer {
        name: "forgekeeper-standin",
        may: &["forgekeeper-domain"],
        never: &["tauri", "bollard", "reqwest", "rusqlite"],
    },
    Layer {
        name: "forgekeeper-standin-nvml",
        may: &[],
        never: &["tokio", "tauri", "nvml-wrapper"],
    },
    Layer {
        name: "forgekeeper-cli",
        may: &[
            "forgekeeper-domain",
            "forgekeeper-keeper",
            "forgekeeper-standin",
        ],
        never: &["tauri"],
    },
    Layer {
        name: "forgekeeper",
        may: &[
            "forgekeeper-domain",
            "forgekeeper-keeper",
            "forgekeeper-standin",
        ],
        never: &["clap_complete"],
    },
    Layer {
        name: "xtask",
        may: &["forgekeeper-domain"],
        never: &["tokio", "tauri"],
    },
    Layer {
        name: "forgekeeper-tests",
        may: &[
            "forgekeeper-domain",
            "forgekeeper-keeper",
            "forgekeeper-standin",
            "forgekeeper-standin-nvml",
        ],
        never: &[],
    },
];

/// Name of a crate, to the names of those it depends on.
#[derive(Debug, Default)]
struct Graph {
    members: BTreeSet<String>,
    /// As written in a member's manifest, tests and build scripts included.
    named: BTreeMap<String, BTreeSet<String>>,
    /// What ends up in the program, by crate.
    linked: BTreeMap<String, BTreeSet<String>>,
}

fn check(repo: &Repo) -> Result<Vec<Finding>, String> {
    let graph = read(&repo.metadata()?).ok_or("cargo metadata has an unknown form")?;
    Ok(judge(&graph, LAYERS))
}

fn judge(graph: &Graph, layers: &[Layer]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in &graph.members {
        let Some(layer) = layers.iter().find(|layer| layer.name == member) else {
            findings.push(Finding::new(
                member,
                "has no layer; add a row to tidy/layers.rs",
            ));
            continue;
        };
        for other in graph.named.get(member).into_iter().flatten() {
            if graph.members.contains(other) && !layer.may.contains(&other.as_str()) {
                findings.push(Finding::new(member, format!("must not depend on {other}")));
            }
        }
        for banned in layer.never {
            if let Some(path) = path_to(graph, member, banned) {
                findings.push(Finding::new(member, format!("reaches {banned}: {path}")));
            }
        }
    }
    for layer in layers
        .iter()
        .filter(|layer| !graph.members.contains(layer.name))
    {
        findings.push(Finding::new(
            layer.name,
            "is no member of the workspace any more",
        ));
    }
    findings
}

/// The way from one crate to another, breadth first, so that the shortest is shown.
fn path_to(graph: &Graph, from: &str, to: &str) -> Option<String> {
    let mut seen = BTreeSet::from([from]);
    let mut ways = std::collections::VecDeque::from([vec![from]]);
    while let Some(way) = ways.pop_front() {
        let last = way.last()?;
        for next in graph.linked.get(*last).into_iter().flatten() {
            if next == to {
                return Some([way.as_slice(), &[to]].concat().join(" -> "));
            }
            if seen.insert(next) {
                ways.push_back([way.as_slice(), &[next.as_str()]].concat());
            }
        }
    }
    None
}

fn read(metadata: &Value) -> Option<Graph> {
    let packages = metadata["packages"].as_array()?;
    let name_of: BTreeMap<&str, &str> = packages
        .iter()
        .filter_map(|package| Some((package["id"].as_str()?, package["name"].as_str()?)))
        .collect();
    let mut graph = Graph::default();
    for id in metadata["workspace_members"].as_array()? {
        graph
            .members
            .insert((*name_of.get(id.as_str()?)?).to_owned());
    }
    for package in packages {
        let name = package["name"].as_str()?;
        if graph.members.contains(name) {
            let named = package["dependencies"].as_array()?;
            let names = named
                .iter()
                .filter_map(|d| d["name"].as_str())
                .map(str::to_owned);
            graph.named.insert(name.to_owned(), names.collect());
        }
    }
    for node in metadata["resolve"]["nodes"].as_array()? {
        let name = *name_of.get(node["id"].as_str()?)?;
        let linked = graph.linked.entry(name.to_owned()).or_default();
        for dependency in node["deps"].as_array()? {
            // `kind` is null for what is linked, "dev" or "build" otherwise.
            let kinds = dependency["dep_kinds"].as_array()?;
            if kinds.iter().any(|kind| kind["kind"].is_null()) {
                linked.insert((*name_of.get(dependency["pkg"].as_str()?)?).to_owned());
            }
        }
    }
    Some(graph)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// domain -> time; keeper -> domain, net; net -> tauri by way of a build script only.
    fn metadata(domain_names: &[&str], domain_links: &[&str]) -> Value {
        let package = |name: &str, names: &[&str]| {
            json!({ "id": name, "name": name,
                "dependencies": names.iter().map(|n| json!({ "name": n })).collect::<Vec<_>>() })
        };
        let node = |name: &str, links: &[(&str, Value)]| {
            json!({ "id": name, "deps": links.iter()
                .map(|(n, kind)| json!({ "pkg": n, "dep_kinds": [{ "kind": kind }] }))
                .collect::<Vec<_>>() })
        };
        let domain: Vec<_> = domain_links.iter().map(|n| (*n, Value::Null)).collect();
        json!({
            "packages": [package("domain", domain_names), package("keeper", &["domain", "net"]),
                package("net", &[]), package("tauri", &[]), package("time", &[])],
            "workspace_members": ["domain", "keeper"],
            "resolve": { "nodes": [node("domain", &domain),
                node("keeper", &[("domain", Value::Null), ("net", Value::Null)]),
                node("net", &[("tauri", json!("build"))]), node("tauri", &[]), node("time", &[])] },
        })
    }

    const TWO: &[Layer] = &[
        Layer {
            name: "domain",
            may: &[],
            never: &["net"],
        },
        Layer {
            name: "keeper",
            may: &["domain"],
            never: &["tauri"],
        },
    ];

    #[test]
    fn a_clean_graph_has_no_finding() {
        let graph = read(&metadata(&["time"], &["time"])).unwrap();
        assert_eq!(judge(&graph, TWO), []);
    }

    #[test]
    fn an_arrow_backwards_and_a_long_way_down_are_found() {
        let graph = read(&metadata(&["keeper"], &["keeper"])).unwrap();
        let found = judge(&graph, TWO);
        assert!(found.contains(&Finding::new("domain", "must not depend on keeper")));
        assert!(found.contains(&Finding::new(
            "domain",
            "reaches net: domain -> keeper -> net"
        )));
    }

    #[test]
    fn a_member_without_a_layer_is_found() {
        let graph = read(&metadata(&[], &[])).unwrap();
        let found = judge(&graph, &TWO[..1]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "keeper");
    }

    #[test]
    fn a_layer_without_a_member_is_found() {
        let graph = read(&metadata(&[], &[])).unwrap();
        let old = Layer {
            name: "gone",
            may: &[],
            never: &[],
        };
        let layers = [
            Layer {
                name: "domain",
                may: &[],
                never: &[],
            },
            Layer {
                name: "keeper",
                may: &["domain"],
                never: &[],
            },
            old,
        ];
        assert_eq!(judge(&graph, &layers)[0].place, "gone");
    }
}
