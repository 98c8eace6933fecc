//! The models that a server lists, by sort of folder.

use forgekeeper_domain::models::{FOLDERS, FolderId, Listed, Lists, below_folder};
use serde_json::Value;

use super::{http::Ask, judge, probe::PROBE_DEADLINE, reach::Reach};
use crate::inventory::hash::is_file_hash;

/// Largest list in bytes: each LoRA brings the whole metadata of its training.
const LIMIT: usize = 32 * 1024 * 1024;
/// Longest list.
const MAX_MODELS: usize = 20_000;
/// Longest name.
const MAX_NAME: usize = 1_024;

async fn asked(reach: &Reach, path: &str) -> Option<Value> {
    let answer = reach
        .get(&Ask::get(path, PROBE_DEADLINE).limit(LIMIT))
        .await
        .ok()?;
    if answer.status != 200 || answer.cut.is_some() {
        return None;
    }
    judge::json(&answer).ok()
}

fn text<'a>(entry: &'a Value, key: &str) -> Option<&'a str> {
    entry
        .get(key)?
        .as_str()
        .filter(|text| !text.is_empty() && text.len() <= MAX_NAME)
}

fn base(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Forge's lists. What it does not tell is `None`.
pub(crate) async fn of_forge(reach: &Reach) -> Lists {
    let (checkpoints, loras, modules, vaes, embeddings) = tokio::join!(
        asked(reach, "/sdapi/v1/sd-models"),
        asked(reach, "/sdapi/v1/loras"),
        asked(reach, "/sdapi/v1/sd-modules"),
        asked(reach, "/sdapi/v1/sd-vae"),
        asked(reach, "/sdapi/v1/embeddings"),
    );
    let listed = |list: Option<Value>, one: fn(&Value) -> Option<Listed>| {
        let list = list?;
        let list = list.as_array()?.iter().take(MAX_MODELS);
        Some(list.filter_map(one).collect::<Vec<_>>())
    };
    let mut lists = Lists::new();
    lists.insert(FolderId::Checkpoints, listed(checkpoints, checkpoint));
    lists.insert(FolderId::Loras, listed(loras, lora));
    lists.insert(FolderId::Embeddings, embeddings.as_ref().and_then(embedded));
    // Forge has one list for both; A1111 has VAEs alone.
    let (mut vae, mut encoders) = (None, None);
    if let Some(modules) = modules.as_ref().and_then(Value::as_array) {
        let (vae, encoders) = (vae.insert(Vec::new()), encoders.insert(Vec::new()));
        for module in modules.iter().take(MAX_MODELS) {
            match module_of(module) {
                Some((FolderId::TextEncoders, module)) => encoders.push(module),
                Some((_, module)) => vae.push(module),
                None => {}
            }
        }
    } else if let Some(list) = listed(vaes, |entry| module_of(entry).map(|(_, one)| one)) {
        vae = Some(list);
        encoders = Some(Vec::new());
    }
    lists.insert(FolderId::Vae, vae);
    lists.insert(FolderId::TextEncoders, encoders);
    lists
}

fn checkpoint(entry: &Value) -> Option<Listed> {
    let file = text(entry, "filename");
    let title = text(entry, "title").map(|title| {
        let bare = title
            .rsplit_once(" [")
            .filter(|(_, hash)| hash.ends_with(']'));
        bare.map_or(title, |(bare, _)| bare)
    });
    let below = file.and_then(below_folder).map(|(_, name)| name);
    let name = below.or_else(|| title.map(str::to_owned))?;
    let hash = text(entry, "sha256").filter(|hash| is_file_hash(hash, base(&name)));
    Some(Listed {
        sha256: hash.map(str::to_ascii_lowercase),
        name,
        ..Listed::default()
    })
}

fn lora(entry: &Value) -> Option<Listed> {
    let below = text(entry, "path")
        .and_then(below_folder)
        .map(|(_, name)| name);
    let name = below.or_else(|| text(entry, "name").map(str::to_owned))?;
    Some(Listed {
        name,
        ..Listed::default()
    })
}

fn module_of(entry: &Value) -> Option<(FolderId, Listed)> {
    let below = text(entry, "filename").and_then(below_folder);
    let (id, name) = match below {
        Some(found) => found,
        None => (FolderId::Vae, text(entry, "model_name")?.to_owned()),
    };
    let listed = Listed {
        name,
        ..Listed::default()
    };
    Some((id, listed))
}

/// Names alone; those that do not fit the model in use are skipped by Forge and are there all the same.
fn embedded(answer: &Value) -> Option<Vec<Listed>> {
    let mut all = Vec::new();
    for part in ["loaded", "skipped"] {
        let names = answer.get(part)?.as_object()?.keys();
        all.extend(
            names
                .filter(|name| name.len() <= MAX_NAME)
                .take(MAX_MODELS)
                .map(|name| Listed {
                    name: name.clone(),
                    ..Listed::default()
                }),
        );
    }
    Some(all)
}

/// ComfyUI's lists, with lengths and places where it tells them. Each list it does not tell is `None`.
pub(crate) async fn of_comfyui(reach: &Reach) -> Lists {
    let folders = asked(reach, "/experiment/models").await;
    let folders = |key: &str| -> Vec<&str> {
        let all = folders
            .as_ref()
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let own = all.filter(|entry| text(entry, "name") == Some(key));
        let paths = own
            .filter_map(|entry| entry.get("folders")?.as_array())
            .flatten();
        paths
            .map(|path| path.as_str().unwrap_or_default())
            .collect()
    };
    let lists = FOLDERS.iter().map(async |row| {
        let lengthy = asked(reach, &format!("/experiment/models/{}", row.key)).await;
        let list = match lengthy.as_ref().and_then(Value::as_array) {
            Some(entries) => {
                let folders = folders(row.key);
                let entries = entries.iter().take(MAX_MODELS);
                Some(
                    entries
                        .filter_map(|entry| with_length(entry, &folders))
                        .collect(),
                )
            }
            None => named(asked(reach, &format!("/models/{}", row.key)).await.as_ref()),
        };
        (row.id, list)
    });
    let all = futures_util::future::join_all(lists).await;
    all.into_iter().collect()
}

fn named(list: Option<&Value>) -> Option<Vec<Listed>> {
    let names = list?.as_array()?.iter().filter_map(Value::as_str);
    let good = names.filter(|name| name.len() <= MAX_NAME).take(MAX_MODELS);
    let listed = good.map(|name| Listed {
        name: name.to_owned(),
        ..Listed::default()
    });
    Some(listed.collect())
}

fn with_length(entry: &Value, folders: &[&str]) -> Option<Listed> {
    let name = text(entry, "name")?;
    let number = entry.get("pathIndex").and_then(Value::as_u64);
    let folder = number.and_then(|number| folders.get(usize::try_from(number).ok()?));
    let folder = folder.filter(|folder| !folder.is_empty());
    Some(Listed {
        name: name.to_owned(),
        size: entry.get("size").and_then(Value::as_u64),
        place: folder.map(|folder| {
            let name = name.replace('\\', "/");
            format!("{}/{name}", folder.trim_end_matches('/'))
        }),
        ..Listed::default()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_hash_of_the_name_is_none_of_the_file() {
        // What the image's commit computes for this name.
        let of_name = "ec41bd2a82bc3f3f5b1ea7d1b5c1d5c5a0d5f0a6b4cf1b0a9b3a4b0d0c0e0f00";
        let entry = |hash: &str| {
            json!({"title": "xl/a.safetensors [0123456789]", "sha256": hash,
                   "filename": "/opt/forge/models/Stable-diffusion/xl/a.safetensors"})
        };
        let found = checkpoint(&entry(of_name)).expect("a model");
        assert_eq!(found.name, "xl/a.safetensors");
        assert!(found.sha256.is_some(), "any other hash counts");
        let of_text = {
            use sha2::{Digest as _, Sha256};
            hex::encode(Sha256::digest(b"a.safetensors"))
        };
        assert_eq!(checkpoint(&entry(&of_text)).expect("a model").sha256, None);
        assert_eq!(
            checkpoint(&entry("nonsense")).expect("a model").sha256,
            None
        );
    }

    #[test]
    fn modules_are_told_apart_by_their_folder() {
        let of = |path: &str| {
            module_of(&json!({"model_name": "x", "filename": path})).expect("a module")
        };
        assert_eq!(
            of("/forge/models/text_encoder/t5.safetensors").0,
            FolderId::TextEncoders
        );
        assert_eq!(
            of("/forge/models/VAE/flux/ae.safetensors").1.name,
            "flux/ae.safetensors"
        );
        assert_eq!(of("D:\\odd\\x.safetensors").0, FolderId::Vae);
    }
}
