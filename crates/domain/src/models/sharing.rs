//! Which of Forge's folders a ComfyUI container sees, and the section that names them.

use serde::{Deserialize, Serialize};

use super::{
    folders::{FolderId, folder_row},
    paths::seen_at,
    section::{Section, SectionEntry},
};
use crate::config::Mount;

/// A folder of models that Forge uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct SharedFolder {
    /// Which sort.
    pub id: FolderId,
    /// Its path on the engine's machine, or this one's.
    pub path: String,
}

/// A folder that the container does not see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct NotShared {
    /// Which.
    pub folder: SharedFolder,
}

/// What can be shared as the container is made now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Sharing {
    /// The section; `None` when the container sees no folder.
    pub section: Option<Section>,
    /// Folders that no mount shows to it.
    pub not_shared: Vec<NotShared>,
    /// Folders that it may write to: sharing wants them read-only.
    pub writable: Vec<String>,
}

/// Works out the section from Forge's folders and the mounts of ComfyUI's container. Forge keeps models
/// without encoders beside whole ones, so that folder is named under both keys.
pub fn sharing(folders: &[SharedFolder], mounts: &[Mount]) -> Sharing {
    let mut entries: Vec<(&'static str, String)> = Vec::new();
    let (mut not_shared, mut writable) = (Vec::new(), Vec::new());
    for folder in folders {
        let Some((mount, inside)) = seen_at(mounts, &folder.path) else {
            let folder = folder.clone();
            not_shared.push(NotShared { folder });
            continue;
        };
        if mount.writable && !writable.contains(&mount.target) {
            writable.push(mount.target.clone());
        }
        let mut keys = vec![folder_row(folder.id).key];
        if folder.id == FolderId::Checkpoints {
            keys.extend(["configs", folder_row(FolderId::DiffusionModels).key]);
        }
        for key in keys {
            if !entries.contains(&(key, inside.clone())) {
                entries.push((key, inside.clone()));
            }
        }
    }
    let section = section(&entries);
    Sharing {
        section,
        not_shared,
        writable,
    }
}

fn section(entries: &[(&'static str, String)]) -> Option<Section> {
    let base = common_parent(entries.iter().map(|(_, path)| path.as_str()))?;
    let mut all: Vec<SectionEntry> = Vec::new();
    for (key, path) in entries {
        let rest = path.strip_prefix(base.as_str()).unwrap_or(path);
        let rest = rest.trim_start_matches('/').to_owned();
        match all.iter_mut().find(|entry| entry.key == *key) {
            Some(entry) => entry.paths.push(rest),
            None => all.push(SectionEntry {
                key: (*key).to_owned(),
                paths: vec![rest],
            }),
        }
    }
    Some(Section {
        base_path: base,
        entries: all,
    })
}

/// The deepest folder that all of these lie in.
fn common_parent<'a>(mut paths: impl Iterator<Item = &'a str>) -> Option<String> {
    fn pieces(path: &str) -> Vec<&str> {
        path.split('/').filter(|piece| !piece.is_empty()).collect()
    }
    let mut common = pieces(paths.next()?);
    // A folder is not its own parent.
    common.pop();
    for path in paths {
        let mut other = pieces(path);
        other.pop();
        let same = common
            .iter()
            .zip(&other)
            .take_while(|(a, b)| a == b)
            .count();
        common.truncate(same);
    }
    Some(format!("/{}", common.join("/")))
}
