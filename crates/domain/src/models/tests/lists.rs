use std::collections::BTreeMap;

use crate::models::{
    Body, FolderId, Listed, Lists, Match, ParityState, Sameness, duplicates, parity, reclaimable,
};

fn listed(name: &str, size: Option<u64>, hash: Option<&str>) -> Listed {
    Listed {
        name: name.to_owned(),
        size,
        sha256: hash.map(str::to_owned),
        ..Listed::default()
    }
}

fn lists(all: &[(FolderId, Option<Vec<Listed>>)]) -> Lists {
    all.iter().cloned().collect::<BTreeMap<_, _>>()
}

#[test]
fn the_same_is_found_by_hash_else_by_name() {
    let named = |name: &str| listed(name, None, None);
    let forge = lists(&[
        (
            FolderId::Checkpoints,
            Some(vec![
                listed("renamed.safetensors", Some(5), Some("AA")),
                listed("same.safetensors", Some(5), Some("bb")),
                listed("other.safetensors", Some(5), Some("cc")),
                named("xl/deep.safetensors"),
                named("gone.safetensors"),
                listed("longer.safetensors", Some(7), None),
                named("flux.safetensors"),
            ]),
        ),
        (
            FolderId::Loras,
            Some(vec![named("detail"), named("twice.safetensors")]),
        ),
        (FolderId::Embeddings, Some(vec![named("easynegative")])),
        (FolderId::Vae, None),
    ]);
    let comfyui = lists(&[
        (
            FolderId::Checkpoints,
            Some(vec![
                listed("new name.safetensors", Some(5), Some("aa")),
                listed("same.safetensors", Some(5), Some("bb")),
                listed("other.safetensors", Some(5), Some("dd")),
                named(r"xl\deep.safetensors"),
                listed("longer.safetensors", Some(8), None),
                named("own.safetensors"),
                named("flux.safetensors"),
            ]),
        ),
        (
            FolderId::DiffusionModels,
            Some(vec![named("flux.safetensors"), named("own.safetensors")]),
        ),
        (
            FolderId::Loras,
            Some(vec![
                named("detail.safetensors"),
                named("a/twice.safetensors"),
                named("b/twice.safetensors"),
            ]),
        ),
        (FolderId::Embeddings, None),
        (FolderId::Vae, Some(vec![])),
        (FolderId::TextEncoders, Some(vec![])),
    ]);
    let table = parity(&forge, &comfyui);
    let found: Vec<_> = table
        .rows
        .iter()
        .map(|row| (row.name.as_str(), row.state, row.by, row.twin.as_deref()))
        .collect();
    use ParityState::{Different, Missing, NotKnown, OnlyInComfyui, Present};
    assert_eq!(
        found,
        [
            (
                "renamed.safetensors",
                Present,
                Some(Match::Hash),
                Some("new name.safetensors")
            ),
            ("same.safetensors", Present, Some(Match::Hash), None),
            ("other.safetensors", Different, Some(Match::Hash), None),
            ("xl/deep.safetensors", Present, Some(Match::Name), None),
            ("gone.safetensors", Missing, None, None),
            (
                "longer.safetensors",
                Different,
                Some(Match::NameAndSize),
                None
            ),
            ("flux.safetensors", Present, Some(Match::Name), None),
            ("own.safetensors", OnlyInComfyui, None, None),
            (
                "detail",
                Present,
                Some(Match::Name),
                Some("detail.safetensors")
            ),
            ("twice.safetensors", Missing, None, None),
            ("a/twice.safetensors", OnlyInComfyui, None, None),
            ("b/twice.safetensors", OnlyInComfyui, None, None),
            ("easynegative", NotKnown, None, None),
        ]
    );
    assert_eq!(table.counts.present, 5);
    assert_eq!(table.counts.by_hash, 2);
    assert_eq!(table.forge_silent, [FolderId::Vae, FolderId::TextEncoders]);
    assert_eq!(table.comfyui_silent, [FolderId::Embeddings]);
    assert_eq!(table.holds(), Some(false));
}

#[test]
fn what_was_not_told_proves_nothing() {
    let one = || Some(vec![listed("a.safetensors", None, None)]);
    let all = |list: fn() -> Option<Vec<Listed>>| -> Lists {
        use FolderId::{Checkpoints, DiffusionModels, Embeddings, Loras, TextEncoders, Vae};
        let ids = [
            Checkpoints,
            DiffusionModels,
            Embeddings,
            Loras,
            TextEncoders,
            Vae,
        ];
        ids.into_iter().map(|id| (id, list())).collect()
    };
    assert_eq!(parity(&all(one), &all(one)).holds(), Some(true));
    assert_eq!(
        parity(&all(|| Some(vec![])), &all(one)).holds(),
        None,
        "Forge has no model at all"
    );
    let mut silent = all(one);
    silent.insert(FolderId::Loras, None);
    assert_eq!(parity(&all(one), &silent).holds(), None);
    assert_eq!(parity(&silent, &all(one)).holds(), None);
}

#[test]
fn files_that_are_there_twice() {
    let body = |size, hash: Option<&str>, sample: &str, file: &str| Body {
        size,
        sha256: hash.map(str::to_owned),
        sample: Some(sample.to_owned()),
        file: file.to_owned(),
    };
    let all = [
        body(10, Some("aa"), "s", "1"),
        body(10, Some("aa"), "s", "2"),
        body(10, None, "s", "3"),
        body(10, None, "other", "4"),
        body(11, None, "s", "5"),
        // Another name of the fifth.
        body(11, None, "s", "5"),
        // The same samples, other bytes.
        body(20, Some("bb"), "t", "6"),
        body(20, Some("cc"), "t", "7"),
        body(0, Some("00"), "z", "8"),
        body(0, Some("00"), "z", "9"),
    ];
    let groups = duplicates(&all);
    let found: Vec<_> = groups
        .iter()
        .map(|g| (g.sameness, g.size, g.members.clone(), g.files))
        .collect();
    assert_eq!(
        found,
        [
            (Sameness::Proved, 10, vec![0, 1], 2),
            (Sameness::Likely, 10, vec![0, 2], 2),
        ]
    );
    assert_eq!(reclaimable(&groups), 20);
}

#[test]
fn the_very_file_is_found_whatever_it_is_called() {
    let on = |file: &str, mut model: Listed| {
        model.file = Some(file.to_owned());
        model
    };
    let forge = lists(&[(
        FolderId::Checkpoints,
        Some(vec![
            on("1:1", listed("a.safetensors", Some(5), None)),
            on("1:2", listed("b.safetensors", Some(5), None)),
        ]),
    )]);
    let comfyui = lists(&[(
        FolderId::DiffusionModels,
        Some(vec![
            on("1:1", listed("other name.safetensors", None, None)),
            on("1:9", listed("b.safetensors", Some(6), None)),
        ]),
    )]);
    let table = parity(&forge, &comfyui);
    let found: Vec<_> = table.rows.iter().map(|row| (row.state, row.by)).collect();
    assert_eq!(
        found,
        [
            (ParityState::Present, Some(Match::File)),
            (ParityState::Different, Some(Match::NameAndSize)),
        ]
    );
    assert_eq!((table.counts.by_file, table.counts.by_hash), (1, 0));
}
