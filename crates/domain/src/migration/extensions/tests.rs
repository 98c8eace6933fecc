use super::*;
use crate::migration::{OwnPlan, PlanEdit, PlanFault, edit};

#[test]
fn the_table_is_read_knows_each_name_once_and_speaks_both_languages() {
    let read = known::read().unwrap().extensions;
    assert_eq!(read, known_extensions());
    assert!(read.len() > 20);
    for known in &read {
        assert_eq!(
            fate_of(&known.id),
            Some(known),
            "an earlier row takes its name"
        );
        assert_eq!(
            known.fate == Fate::Nodes,
            !known.nodes.is_empty(),
            "{known:?}"
        );
        for words in [&known.title, &known.note] {
            assert!(!words.en.is_empty() && !words.fr.is_empty(), "{known:?}");
            assert!(
                !words.fr.contains(" :") && !words.fr.contains(" ;"),
                "{words:?}"
            );
        }
        for pack in &known.nodes {
            assert_eq!(pack.repository.split('/').count(), 2, "{pack:?}");
        }
        let names = known.names.iter();
        assert!(
            names.clone().all(|name| *name == name.to_lowercase()),
            "{known:?}"
        );
    }
}

#[test]
fn extensions_are_known_by_their_folder() {
    for (folder, id) in [
        ("adetailer", Some("adetailer")),
        ("ADetailer", Some("adetailer")),
        ("!adetailer", Some("adetailer")),
        ("sd-civitai-browser-plus", Some("sd-civitai-browser-plus")),
        (
            "sd-forge-multidiffusion-x",
            Some("multidiffusion-upscaler-for-automatic1111"),
        ),
        ("my-wd14-tagger", Some("stable-diffusion-webui-wd14-tagger")),
        ("my-scripts", None),
        ("", None),
    ] {
        assert_eq!(fate_of(folder).map(|k| k.id.as_str()), id, "{folder}");
    }
}

const TEXT: &str = r#"# mine
[[extension]]
id = "adetailer"   # important
decision = "adopt"
node = "ComfyUI-Impact-Pack"
note = "faces"

[[extension]]
id = "my-scripts"
decision = "not_needed"
"#;

fn decisions(text: &str) -> Decisions {
    OwnPlan::read(text).expect("a plan").extensions
}

#[test]
fn decisions_are_read_written_and_changed_with_their_comments() {
    let read = decisions(TEXT);
    assert_eq!(read.len(), 2);
    let adopted = &read["adetailer"];
    assert_eq!(adopted.kind, DecisionKind::Adopt);
    assert_eq!(adopted.node.as_deref(), Some("ComfyUI-Impact-Pack"));
    let plan = OwnPlan::read(TEXT).unwrap();
    assert_eq!(OwnPlan::read(&plan.to_text()).unwrap(), plan);

    let open = Decision {
        kind: DecisionKind::Open,
        node: Some(" ".to_owned()),
        note: None,
    };
    let decided = |text: &str, extension: &str, decision: Option<&Decision>| {
        let plan = OwnPlan::read(text).unwrap_or_default();
        let change = PlanEdit::Decide(extension.to_owned(), decision.cloned());
        edit(Some(text), &plan, &change)
    };
    let edited = decided(TEXT, "adetailer", Some(&open)).unwrap();
    assert!(
        edited.starts_with("# mine") && edited.contains("# important"),
        "{edited}"
    );
    let read = decisions(&edited);
    assert_eq!(
        read["adetailer"],
        Decision {
            node: None,
            ..open.clone()
        }
    );
    let added = decided("", "new one", Some(&open)).unwrap();
    assert_eq!(decisions(&added).len(), 1);
    assert!(decided("[[", "x", Some(&open)).is_err());
    // Taking a decision back leaves the file as it was before it.
    let before = "# Mine.\n[target]\nport = 8188 # its own\n";
    let there = decided(before, "adetailer", Some(&open)).unwrap();
    assert_ne!(there, before);
    assert_eq!(decided(&there, "adetailer", None).unwrap(), before);
    assert_eq!(decided(before, "adetailer", None).unwrap(), before);
}

#[test]
fn wrong_decisions_are_told_with_line_and_remedy() {
    let long = format!(
        "[[extension]]\nid = \"{}\"\ndecision = \"open\"\n",
        "x".repeat(300)
    );
    for (text, fault, line) in [
        ("extension = 3\n", PlanFault::BadValue, 1),
        ("[extension]\nid = 'a'\n", PlanFault::BadValue, 1),
        (
            "[[extension]]\ndecision = \"open\"\n",
            PlanFault::Missing,
            1,
        ),
        ("[[extension]]\nid = \"a\"\n", PlanFault::Missing, 1),
        (
            "[[extension]]\nid = \"a\"\ndecision = \"adopt\"\n",
            PlanFault::Missing,
            1,
        ),
        (
            "[[extension]]\nid = \"a\"\ndecision = \"adpot\"\n",
            PlanFault::BadValue,
            3,
        ),
        (
            "[[extension]]\nid = \"a\"\ndecision = 1\n",
            PlanFault::BadValue,
            3,
        ),
        (
            "[[extension]]\nid = \" \"\ndecision = \"open\"\n",
            PlanFault::BadValue,
            2,
        ),
        (
            "[[extension]]\nid = \"a\\u0007\"\ndecision = \"open\"\n",
            PlanFault::ControlCharacter,
            2,
        ),
        (
            "[[extension]]\nid = \"a\"\ndecison = \"open\"\n",
            PlanFault::UnknownField,
            3,
        ),
        (
            "[[extension]]\nid = \"a\"\ndecision = \"open\"\n[[extension]]\nid = \"a\"\ndecision = \"open\"\n",
            PlanFault::DoubleId,
            4,
        ),
        (long.as_str(), PlanFault::TooLarge, 2),
    ] {
        let problems = OwnPlan::read(text).expect_err(text);
        let found = problems
            .iter()
            .any(|problem| problem.fault == fault && problem.line == Some(line));
        assert!(found, "{text}: {problems:#?}");
        assert!(problems.iter().all(|problem| !problem.remedy.is_empty()));
    }
}

#[test]
fn the_inventory_counts_what_is_decided_and_names_what_is_stray() {
    let part = br#"{
        "adetailer": {"commit": "a7d961131e879ea8a930034a21a2dee21b173e8c", "branch": null, "unknown": null,
                      "since": "2024-05-01T10:00:00Z"},
        "my-scripts": {"commit": null, "branch": null, "unknown": "no checkout"},
        "sd-webui-freeu": {"commit": null, "branch": "main", "unknown": null}
    }"#;
    let seen = seen_in(part).unwrap();
    assert_eq!(seen.len(), 3);
    assert!(seen[0].since.is_some() && seen[1].unknown.is_some());
    let mut decisions = decisions(TEXT);
    let kept = decisions["my-scripts"].clone();
    decisions.insert("gone".to_owned(), kept);
    let inventory = inventory(seen, &decisions);
    assert_eq!(
        inventory.counted(),
        Counted {
            adopted: 1,
            not_needed: 1,
            open: 1
        }
    );
    assert_eq!(inventory.stray, ["gone"]);
    assert!(inventory.adopted().contains("ComfyUI-Impact-Pack"));
    let fates: Vec<Option<Fate>> = inventory
        .extensions
        .iter()
        .map(|extension| extension.known.as_ref().map(|known| known.fate))
        .collect();
    assert_eq!(fates, [Some(Fate::Nodes), None, Some(Fate::BuiltIn)]);
    assert_eq!(seen_in(b"[]"), None);
    assert_eq!(seen_in(b"{"), None);
}

#[test]
fn nodes_are_loaded_only_where_the_server_says_so() {
    let set = |names: &[&str]| Some(names.iter().map(|n| (*n).to_owned()).collect());
    let classes = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter();
        Some(
            pairs
                .map(|(c, m)| ((*c).to_owned(), (*m).to_owned()))
                .collect(),
        )
    };
    let own = ("X", "custom_nodes.ComfyUI-Impact-Pack");
    for (folders, classes, scripts, found) in [
        (None, None, None, Adoption::Unknown),
        (set(&["ComfyUI-Impact-Pack"]), None, None, Adoption::Unknown),
        (None, classes(&[own]), None, Adoption::Loaded),
        (
            None,
            classes(&[("FaceDetailer", "custom_nodes.renamed")]),
            None,
            Adoption::Loaded,
        ),
        (
            None,
            classes(&[("KSampler", "nodes")]),
            set(&["comfyui-impact-pack"]),
            Adoption::Loaded,
        ),
        (
            set(&["comfyui-impact-pack"]),
            classes(&[("KSampler", "nodes")]),
            None,
            Adoption::NotLoaded,
        ),
        (
            set(&["other"]),
            classes(&[("KSampler", "nodes")]),
            None,
            Adoption::Missing,
        ),
        (
            None,
            classes(&[("X", "ComfyUI-Impact-Pack")]),
            None,
            Adoption::Missing,
        ),
    ] {
        let answer = NodesAnswer {
            folders,
            classes,
            scripts,
        };
        assert_eq!(
            adoption("ComfyUI-Impact-Pack", &answer),
            found,
            "{answer:?}"
        );
    }
}
