//! Where the parts of a configuration are found.

use serde::{Deserialize, Serialize};

use super::Recipe;
use crate::{facts::WorkspaceFact, service::KindId};

/// Where the images keep their data when nothing else is said.
const WORKSPACE: &str = "/workspace";
/// Files of variables of one compose file that are kept.
const MAX_ENV_FILES: usize = 16;

/// A mount of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// `bind`, `volume`, `tmpfs`.
    pub kind: String,
    /// Path on the engine's machine.
    pub source: String,
    /// Path inside.
    pub target: String,
    /// Whether the container may write.
    pub writable: bool,
}

/// The folders inside a container where a kind's program may be, best first.
pub fn program_folders(kind: KindId, recipe: &Recipe) -> Vec<String> {
    let workspace = recipe.variable("WORKSPACE").unwrap_or(WORKSPACE);
    let workspace = workspace.trim_end_matches('/');
    let known: &[&str] = match kind {
        KindId::Forge => &[
            "/workspace/stable-diffusion-webui-forge",
            "/opt/stable-diffusion-webui-forge",
            "/workspace/stable-diffusion-webui",
            "/opt/stable-diffusion-webui",
            "/stable-diffusion-webui-forge",
            "/stable-diffusion-webui",
            "/app",
        ],
        KindId::Comfyui => &[
            "/workspace/ComfyUI",
            "/opt/ComfyUI",
            "/root/ComfyUI",
            "/comfy/mnt/ComfyUI",
            "/ComfyUI",
            "/stable-diffusion",
            "/app",
        ],
    };
    let mut all = Vec::new();
    for folder in known {
        let folder = match folder.strip_prefix(WORKSPACE) {
            Some(rest) => format!("{workspace}{rest}"),
            None => (*folder).to_owned(),
        };
        if folder.starts_with('/') && !all.contains(&folder) {
            all.push(folder);
        }
    }
    all
}

/// The file that tells the program's folder from another one of that name.
pub fn program_marker(kind: KindId) -> &'static str {
    match kind {
        KindId::Forge => "launch.py",
        KindId::Comfyui => "main.py",
    }
}

/// The mount of the workspace.
pub fn workspace_of(recipe: &Recipe) -> Option<&Mount> {
    let workspace = recipe.variable("WORKSPACE").unwrap_or(WORKSPACE);
    let target = workspace.trim_end_matches('/');
    recipe.mounts.iter().find(|mount| mount.target == target)
}

/// Whether what a program writes survives its container, told from what it was made from, from the
/// folder in which the program is (when that is known), and from the line of its log that says that
/// the workspace is no mount. `None` for a container of which nobody said that it has a workspace.
pub fn workspace_fact(
    recipe: &Recipe,
    folder: Option<&str>,
    line: Option<&str>,
) -> Option<WorkspaceFact> {
    let named = recipe
        .variable("WORKSPACE")
        .filter(|path| path.starts_with('/'));
    named.or(line)?;
    let path = named.unwrap_or(WORKSPACE).trim_end_matches('/');
    let exactly = recipe.mounts.iter().any(|mount| mount.target == path);
    let folder_kept = folder.is_some_and(|folder| through_mounts(&recipe.mounts, folder).is_some());
    // The image looks for itself, and does as it says: a mount that it does not see keeps nothing.
    let mounted = folder_kept || (exactly && line.is_none());
    Some(WorkspaceFact {
        path: if path.is_empty() { "/" } else { path }.to_owned(),
        mounted,
        line: line.filter(|_| !mounted).map(str::to_owned),
    })
}

/// Whether a path as this machine writes it can be the folder that the engine mounts: Windows sees
/// those of WSL under another beginning.
pub fn same_folder(here: &str, source: &str) -> bool {
    let plain = |text: &str| text.replace('\\', "/").trim_end_matches('/').to_owned();
    let (here, source) = (plain(here), plain(source));
    if here == source {
        return true;
    }
    let lower = here.to_ascii_lowercase();
    let share = ["//wsl.localhost/", "//wsl$/"]
        .iter()
        .find_map(|start| lower.strip_prefix(start).map(str::len));
    // `\\wsl.localhost\Ubuntu\home\…`: the distribution's name, then its own path.
    share.is_some_and(|rest| {
        let rest = &here[here.len() - rest..];
        rest.split_once('/')
            .is_some_and(|(_, path)| format!("/{path}") == source)
    })
}

/// A path inside the container as the path of the engine's machine, through the longest mount.
pub fn through_mounts<'a>(mounts: &'a [Mount], path: &str) -> Option<(&'a Mount, String)> {
    mounts
        .iter()
        .filter_map(|mount| {
            let rest = path.strip_prefix(mount.target.trim_end_matches('/'))?;
            (rest.is_empty() || rest.starts_with('/')).then_some((mount, rest))
        })
        .max_by_key(|(mount, _)| mount.target.len())
        .map(|(mount, rest)| (mount, rest.trim_start_matches('/').to_owned()))
}

/// The files of variables that a compose file names, and `.env`, which compose reads without being
/// told. Found by their lines: whatever else the file holds does not matter.
pub fn env_files(compose: &str) -> Vec<String> {
    let mut found = vec![".env".to_owned()];
    let mut add = |text: &str| {
        let text = text.trim().trim_matches(['"', '\'']);
        let text = text.strip_prefix("./").unwrap_or(text);
        let good = !text.is_empty() && text.len() <= 1024 && !text.contains(['$', '\0']);
        if good && found.len() < MAX_ENV_FILES && !found.iter().any(|known| known == text) {
            found.push(text.to_owned());
        }
    };
    let mut list_below: Option<usize> = None;
    for line in compose.lines() {
        let line = line.split(" #").next().unwrap_or(line);
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let depth = line.len() - line.trim_start().len();
        if let Some(above) = list_below {
            let item = text.strip_prefix('-').filter(|_| depth >= above);
            if let Some(item) = item {
                let item = item.trim();
                add(item.strip_prefix("path:").unwrap_or(item));
                continue;
            }
            // `required: false` below `path:`.
            if depth > above {
                if let Some(path) = text.strip_prefix("path:") {
                    add(path);
                }
                continue;
            }
            list_below = None;
        }
        let Some(rest) = text.strip_prefix("env_file:") else {
            continue;
        };
        match rest.trim() {
            "" => list_below = Some(depth),
            list if list.starts_with('[') => {
                list.trim_matches(['[', ']']).split(',').for_each(&mut add);
            }
            one => add(one),
        }
    }
    found
}
