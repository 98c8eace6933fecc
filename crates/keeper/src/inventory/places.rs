//! Where the models of a service lie, and how this machine reaches them.

use std::{
    fs,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use forgekeeper_domain::{
    config::{Recipe, program_folders, program_marker, through_mounts},
    models::{FOLDERS, FolderId, SharedFolder, folders_of_command, seen_at},
    service::KindId,
};

use super::{Passed, PassedWhy, Root};
use crate::{
    config::{
        collect::{Subject, places},
        local::LocalFolder,
        place::{Miss, Places, off_thread},
    },
    docker::Engine,
};

/// Variables in which images keep the program's command line.
const ARGUMENTS: &[&str] = &[
    "FORGE_ARGS",
    "WEBUI_ARGS",
    "WEBUI_FLAGS",
    "COMMANDLINE_ARGS",
];
/// Below the workspace, where ai-dock keeps what its containers share.
const STORAGE: &str = "storage/stable_diffusion/models";
/// ComfyUI's older names.
const OLD_COMFY: &[(FolderId, &str)] = &[
    (FolderId::DiffusionModels, "unet"),
    (FolderId::TextEncoders, "clip"),
];

/// What is known of a service's folders.
#[derive(Debug, Default)]
pub(crate) struct ServiceFolders {
    /// Folders that this machine reaches.
    pub(crate) roots: Vec<Root>,
    /// Folders that only the engine reaches.
    pub(crate) remote: Vec<(FolderId, String)>,
    /// The same folders as the engine names them, for another container's mounts.
    pub(crate) shared: Vec<SharedFolder>,
    /// What could not be found out.
    pub(crate) passed: Vec<Passed>,
    /// The folder of the program inside the container.
    pub(crate) program: Option<String>,
    /// The container's mounts and the rest of what it is made from.
    pub(crate) recipe: Option<Recipe>,
}

/// Finds the folders of a service. `models` is the owner's word for Forge's folder on this machine.
pub(crate) async fn of_service(subject: &Subject, models: Option<&Path>) -> ServiceFolders {
    let mut found = ServiceFolders::default();
    let unreachable = |words: &str| Passed {
        path: subject.settings.container.clone(),
        why: PassedWhy::Unreachable,
        words: words.to_owned(),
    };
    let recipe = match &subject.engine {
        None => Err("the engine does not answer".to_owned()),
        Some((engine, container)) => {
            match tokio::time::timeout_at(subject.deadline, engine.recipe(container)).await {
                Ok(Ok(Some(recipe))) => Ok(recipe),
                Ok(Ok(None)) => Err("there is no such container".to_owned()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("the engine did not answer in time".to_owned()),
            }
        }
    };
    match recipe {
        Ok(recipe) => {
            if let Some(places) = places(subject, &recipe) {
                let looking = within(subject, &recipe, &places, models, &mut found);
                if tokio::time::timeout_at(subject.deadline, looking)
                    .await
                    .is_err()
                {
                    found
                        .passed
                        .push(unreachable("it was not looked through in time"));
                }
            }
            found.recipe = Some(recipe);
        }
        Err(words) => {
            found.passed.push(unreachable(&words));
            // What the owner named can be looked at all the same.
            if let Some(models) = models {
                found.roots.push(Root::named(models.to_owned()));
            }
        }
    }
    found
}

async fn within(
    subject: &Subject,
    recipe: &Recipe,
    places: &Places,
    models: Option<&Path>,
    found: &mut ServiceFolders,
) {
    let kind = subject.settings.kind;
    let mut program = None;
    for folder in program_folders(kind, recipe) {
        match places
            .has(&format!("{folder}/{}", program_marker(kind)))
            .await
        {
            Ok(true) => {
                program = Some(folder);
                break;
            }
            Ok(false) => {}
            Err(miss) => {
                found.passed.push(missed(&folder, miss));
                return;
            }
        }
    }
    let locals = locals(recipe, places, models).await;
    for (id, inside) in wanted(kind, recipe, program.as_deref()) {
        if let Some((local, here)) = reached(&locals, &inside).await {
            let path = here.display().to_string();
            found.shared.push(SharedFolder { id, path });
            found.roots.push(Root {
                id: Some(id),
                here,
                inside: Some(inside),
                local: Some(local),
            });
        } else if locals.iter().any(|local| covers(local, &inside)) {
            // This machine sees that it is not there.
        } else if is_folder(places, &inside).await {
            if let Some((mount, rest)) = through_mounts(&recipe.mounts, &inside) {
                let path = format!("{}/{rest}", mount.source.trim_end_matches('/'));
                found.shared.push(SharedFolder { id, path });
            }
            found.remote.push((id, inside));
        }
    }
    found.program = program;
}

fn missed(path: &str, miss: Miss) -> Passed {
    Passed {
        path: path.to_owned(),
        why: PassedWhy::Unreachable,
        words: miss.told().map(|(_, words)| words).unwrap_or_default(),
    }
}

/// The folders that a program of this kind looks in, by their paths inside.
fn wanted(kind: KindId, recipe: &Recipe, program: Option<&str>) -> Vec<(FolderId, String)> {
    let mut all: Vec<(FolderId, String)> = Vec::new();
    let mut add = |id: FolderId, path: String| {
        if path.starts_with('/') && !all.iter().any(|(_, known)| *known == path) {
            all.push((id, path));
        }
    };
    match kind {
        KindId::Forge => {
            let workspace = recipe.variable("WORKSPACE").unwrap_or("/workspace");
            let workspace = workspace.trim_end_matches('/');
            for row in FOLDERS {
                for name in row.storage {
                    add(row.id, format!("{workspace}/{STORAGE}/{name}"));
                }
                let Some(program) = program else { continue };
                for name in row.webui {
                    add(row.id, format!("{program}/models/{name}"));
                }
                for name in row.beside {
                    add(row.id, format!("{program}/{name}"));
                }
            }
            let words = ARGUMENTS.iter().filter_map(|name| recipe.variable(name));
            let line = words
                .map(str::to_owned)
                .chain(recipe.command.iter().map(|w| format!("\"{w}\"")));
            for (id, path) in folders_of_command(&line.collect::<Vec<_>>().join(" ")) {
                // Relative to where the program was started.
                match program {
                    Some(program) if !path.starts_with('/') => add(id, format!("{program}/{path}")),
                    _ => add(id, path),
                }
            }
        }
        KindId::Comfyui => {
            let Some(program) = program else { return all };
            for row in FOLDERS {
                add(row.id, format!("{program}/models/{}", row.key));
            }
            for (id, name) in OLD_COMFY {
                add(*id, format!("{program}/models/{name}"));
            }
        }
    }
    all
}

/// Folders of the container that this machine reaches by itself: the workspace of the settings, the folder
/// that the owner's plan names, and mounts that are proved to be the very folder.
async fn locals(recipe: &Recipe, places: &Places, models: Option<&Path>) -> Vec<LocalFolder> {
    let mut all: Vec<LocalFolder> = places.local.clone().into_iter().collect();
    if let Some(models) = models
        && let Some((_, inside)) = seen_at(&recipe.mounts, &models.to_string_lossy())
    {
        all.push(LocalFolder {
            target: inside,
            here: models.to_owned(),
        });
    }
    for mount in recipe.mounts.iter().filter(|mount| mount.kind == "bind") {
        let here = PathBuf::from(&mount.source);
        if all.iter().any(|known| known.target == mount.target) || !here.is_absolute() {
            continue;
        }
        if is_same(&places.engine, &places.container, &mount.target, &here).await {
            all.push(LocalFolder {
                target: mount.target.clone(),
                here,
            });
        }
    }
    // The nearest counts.
    all.sort_by_key(|local| std::cmp::Reverse(local.target.len()));
    all
}

/// Whether a folder of this machine is the one that the container has: another machine may have a folder of
/// the same name, but hardly one that changed in the same second.
async fn is_same(engine: &Engine, container: &str, inside: &str, here: &Path) -> bool {
    let here = here.to_owned();
    let own = off_thread(move || {
        let metadata = fs::metadata(&here).map_err(|error| Miss::Odd(error.to_string()))?;
        let at = metadata
            .modified()
            .map_err(|error| Miss::Odd(error.to_string()))?;
        let since = at
            .duration_since(UNIX_EPOCH)
            .map_err(|error| Miss::Odd(error.to_string()))?;
        Ok(metadata.is_dir().then_some(since.as_secs()))
    });
    let Ok(Some(own)) = own.await else {
        return false;
    };
    let told = engine.changed_at(container, inside).await;
    matches!(told, Ok(Some(at)) if u64::try_from(at.as_second()).is_ok_and(|at| at == own && at > 0))
}

fn covers(local: &LocalFolder, inside: &str) -> bool {
    let target = local.target.trim_end_matches('/');
    inside
        .strip_prefix(target)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Where a folder of the container is on this machine, if it is there.
async fn reached(locals: &[LocalFolder], inside: &str) -> Option<(LocalFolder, PathBuf)> {
    for local in locals.iter().filter(|local| covers(local, inside)) {
        let (folder, path) = (local.clone(), inside.to_owned());
        let here = off_thread(move || {
            let here = folder.resolve(&path)?;
            Ok(here.is_dir().then_some(here))
        });
        if let Ok(Some(here)) = here.await {
            return Some((local.clone(), here));
        }
    }
    None
}

async fn is_folder(places: &Places, inside: &str) -> bool {
    matches!(places.read(inside, 0).await, Err(Miss::Folder))
}
