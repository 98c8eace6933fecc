//! Models for those outside: what lies on the disk, and whether ComfyUI sees what Forge sees.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};

use forgekeeper_domain::{
    config::Mount,
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
    models::{Listed, Lists, Parity, parity, seen_at},
    service::KindId,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::handle::KeeperHandle;
use crate::{
    clients::{Reach, model_lists},
    inventory::{
        Inventory, LookedAt, ModelFile, Passed, PassedWhy, Root,
        cache::Cache,
        hash::{self, ForgeHashes, Hashing},
        listing,
        places::{self, ServiceFolders},
        scan,
    },
};

/// How long finding the folders of one service may take.
const FOLDERS: Duration = Duration::from_secs(30);
/// How long the headers may take: a thousand files over a slow network.
const HEADERS: Duration = Duration::from_mins(10);

/// What is looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InventoryOf {
    /// A folder of this machine.
    Folder(PathBuf),
    /// The folders of one service.
    Service(ServiceId),
    /// Those of all services.
    Everything,
}

impl KeeperHandle {
    /// The models on the disk. What cannot be reached is said in it.
    pub async fn inventory(
        &self,
        of: &InventoryOf,
        cancel: &CancellationToken,
    ) -> Result<Inventory, ErrorInfo> {
        let ids: Vec<ServiceId> = match of {
            InventoryOf::Folder(folder) => {
                let roots = vec![Root::named(folder.clone())];
                return self.scan(roots, Vec::new(), cancel).await;
            }
            InventoryOf::Service(id) => vec![id.clone()],
            InventoryOf::Everything => {
                let settings = self.inner.settings.borrow().settings.clone();
                settings
                    .services
                    .iter()
                    .map(|service| service.id.clone())
                    .collect()
            }
        };
        let (mut roots, mut hashes) = (Vec::new(), Vec::new());
        let (mut folders, mut files, mut passed) = (Vec::new(), Vec::new(), Vec::new());
        for id in ids {
            let found = self.folders_of(&id).await?;
            hashes.extend(forge_hashes(&found));
            self.listed(&id, &found, &mut folders, &mut files, &mut passed)
                .await?;
            roots.extend(found.roots);
            passed.extend(found.passed);
        }
        let mut inventory = self.scan(roots, hashes, cancel).await?;
        inventory.folders.extend(folders);
        inventory.files.extend(files);
        inventory.passed.extend(passed);
        inventory.sum_up();
        Ok(inventory)
    }

    /// Where the models of a service lie.
    pub(crate) async fn folders_of(&self, id: &ServiceId) -> Result<ServiceFolders, ErrorInfo> {
        let watch = self.watch(id)?;
        let subject = self.subject(id, &watch, Instant::now() + FOLDERS).await;
        let models = self.named_models(id);
        Ok(places::of_service(&subject, models.as_deref()).await)
    }

    /// Forge's folder on this machine, as `migration.toml` names it.
    fn named_models(&self, id: &ServiceId) -> Option<PathBuf> {
        let file = &self.inner.migration.file;
        let target = &file.plan().target;
        let models = target
            .models
            .as_ref()
            .filter(|_| target.from.as_ref() == Some(id))?;
        Some(file.path().parent().unwrap_or(Path::new(".")).join(models))
    }

    /// Folders that only the engine reaches: names and lengths.
    async fn listed(
        &self,
        id: &ServiceId,
        found: &ServiceFolders,
        folders: &mut Vec<LookedAt>,
        files: &mut Vec<ModelFile>,
        passed: &mut Vec<Passed>,
    ) -> Result<(), ErrorInfo> {
        let watch = self.watch(id)?;
        let name = watch.host.real_name(&watch.settings.container);
        let Some((engine, name)) = watch.host.engine().zip(name) else {
            return Ok(());
        };
        for (folder, path) in &found.remote {
            match listing::list(&engine, &name, path, *folder).await {
                Ok(more) => {
                    files.extend(more);
                    folders.push(LookedAt {
                        folder: Some(*folder),
                        path: format!("{id}: {path}"),
                        through_engine: true,
                    });
                }
                Err(words) => passed.push(Passed {
                    path: format!("{id}: {path}"),
                    why: PassedWhy::Unreachable,
                    words,
                }),
            }
        }
        Ok(())
    }

    async fn scan(
        &self,
        roots: Vec<Root>,
        hashes: Vec<ForgeHashes>,
        cancel: &CancellationToken,
    ) -> Result<Inventory, ErrorInfo> {
        let (data, cancel) = (self.inner.data_dir.clone(), cancel.clone());
        let stop = cancel.clone();
        let scanning = blocking(move || {
            let mut cache = Cache::load(&data);
            let mut inventory = scan(&roots, &mut cache, &|| stop.is_cancelled());
            if let Err(error) = cache.save(&data) {
                tracing::warn!(%error, "what was read of models could not be remembered");
            }
            take_over(&mut inventory, &hashes);
            inventory
        });
        match tokio::time::timeout(HEADERS, scanning).await {
            Ok(done) if cancel.is_cancelled() => done.and(Err(cancelled())),
            Ok(done) => done,
            Err(_) => {
                // The threads end at their next file.
                cancel.cancel();
                Err(ErrorInfo::new(
                    ErrorCode::Io,
                    "the models could not be looked through in time",
                )
                .hint("What was read is remembered: try again."))
            }
        }
    }

    /// Hashes the files that seem to be the same, so that it is proved or refuted. `tell` hears how far it
    /// is.
    pub async fn prove_duplicates(
        &self,
        mut inventory: Inventory,
        cancel: &CancellationToken,
        tell: impl Fn(Hashing) + Send + 'static,
    ) -> Result<Inventory, ErrorInfo> {
        let (data, stop) = (self.inner.data_dir.clone(), cancel.clone());
        let (inventory, ended) = blocking(move || {
            let mut cache = Cache::load(&data);
            let ended = hash::prove(&mut inventory, &mut cache, &mut |now| tell(now), &|| {
                stop.is_cancelled()
            });
            if let Err(error) = cache.save(&data) {
                tracing::warn!(%error, "hashes of models could not be remembered");
            }
            (inventory, ended)
        })
        .await?;
        if ended {
            Ok(inventory)
        } else {
            Err(cancelled())
        }
    }

    /// Whether a ComfyUI service lists what a Forge service lists. Where a list of Forge's is not told, the
    /// files in its folder stand for it.
    pub async fn model_parity(
        &self,
        forge: &ServiceId,
        comfyui: &ServiceId,
    ) -> Result<Parity, ErrorInfo> {
        for (id, kind) in [(forge, KindId::Forge), (comfyui, KindId::Comfyui)] {
            if self.watch(id)?.settings.kind != kind {
                let words = format!("`{id}` is no service of the kind that is compared here");
                return Err(ErrorInfo::new(ErrorCode::BadRequest, words));
            }
        }
        let (from, to) = (self.reach_of(forge).await?, self.reach_of(comfyui).await?);
        let (never, of) = (
            CancellationToken::new(),
            InventoryOf::Service(forge.clone()),
        );
        let (mut ours, mut theirs, lying, to) = tokio::join!(
            model_lists::of_forge(&from),
            model_lists::of_comfyui(&to),
            self.inventory(&of, &never),
            self.folders_of(comfyui),
        );
        if let Ok(lying) = lying {
            add_what_lies_there(&mut ours, &lying);
            if let Some(recipe) = to.ok().and_then(|found| found.recipe) {
                add_seen_through(&mut theirs, &lying, &recipe.mounts);
            }
        }
        Ok(parity(&ours, &theirs))
    }

    async fn reach_of(&self, id: &ServiceId) -> Result<Reach, ErrorInfo> {
        let watch = self.watch(id)?;
        let api = watch.settings.api.as_deref().ok_or_else(|| {
            ErrorInfo::new(
                ErrorCode::Refused,
                format!("no API address is configured for `{id}`"),
            )
            .hint("Add `api = \"http://…\"` to it in the settings.")
        })?;
        let credentials = self.inner.secrets.get(id).await;
        Reach::new(self.inner.http.clone(), api, credentials)
    }
}

/// The cache of hashes in a program's folder, where this machine reaches it.
fn forge_hashes(found: &ServiceFolders) -> Option<ForgeHashes> {
    let program = found.program.as_ref()?;
    let root = found.roots.iter().find_map(|root| {
        let local = root.local.as_ref()?;
        local.resolve(&format!("{program}/cache.json")).ok()
    });
    Some(ForgeHashes::read(&root?))
}

/// Hashes that Forge has computed already, for files that are as old as it says.
fn take_over(inventory: &mut Inventory, hashes: &[ForgeHashes]) {
    use forgekeeper_domain::models::FolderId;
    for file in &mut inventory.files {
        let sort = match file.folder {
            Some(FolderId::Checkpoints | FolderId::DiffusionModels) => "checkpoint",
            Some(FolderId::Loras) => "lora",
            Some(FolderId::Vae) => "vae",
            _ => continue,
        };
        if file.sha256.is_none() {
            // LoRAs are named without their extension.
            let stem = file
                .name
                .rsplit_once('.')
                .map_or(&*file.name, |(stem, _)| stem);
            let base = stem.rsplit('/').next().unwrap_or(stem);
            let names = [&*file.name, stem, base];
            file.sha256 = hashes.iter().find_map(|hashes| {
                let mut names = names.iter();
                let hash = names.find_map(|name| hashes.of(sort, name, file.modified_at))?;
                Some(hash.to_owned())
            });
        }
    }
    inventory.sum_up();
}

/// Lengths and hashes for the models that Forge lists, and whole lists that it does not tell.
fn add_what_lies_there(lists: &mut Lists, inventory: &Inventory) {
    let reached = !inventory.folders.is_empty()
        && !inventory
            .passed
            .iter()
            .any(|passed| passed.why == PassedWhy::Unreachable);
    for (id, list) in lists {
        let files = inventory
            .files
            .iter()
            .filter(|file| file.folder == Some(*id));
        match list {
            Some(list) => {
                for model in list {
                    let mut same = files.clone().filter(|file| file.name == model.name);
                    // Two folders may hold files of one name.
                    if let (Some(file), None) = (same.next(), same.next()) {
                        model.size = model.size.or(Some(file.size));
                        model.sha256 = model.sha256.take().or_else(|| file.sha256.clone());
                        model.file = Some(file.identity.clone());
                    }
                }
            }
            None if reached => {
                let all = files.map(|file| Listed {
                    name: file.name.clone(),
                    size: Some(file.size),
                    sha256: file.sha256.clone(),
                    file: Some(file.identity.clone()),
                    place: None,
                });
                *list = Some(all.collect());
            }
            None => {}
        }
    }
}

/// Which of Forge's files ComfyUI's are, where it sees them through a mount.
fn add_seen_through(lists: &mut Lists, inventory: &Inventory, mounts: &[Mount]) {
    let inside = inventory.files.iter().filter_map(|file| {
        let (_, path) = seen_at(mounts, &file.path)?;
        Some((path, file))
    });
    let inside: HashMap<String, &ModelFile> = inside.collect();
    for model in lists.values_mut().flatten().flatten() {
        let file = model.place.as_ref().and_then(|place| inside.get(place));
        // A link has another target in another container.
        if let Some(file) = file.filter(|file| !file.link) {
            model.file = Some(file.identity.clone());
            model.size = model.size.or(Some(file.size));
            model.sha256.clone_from(&file.sha256);
        }
    }
}

fn cancelled() -> ErrorInfo {
    ErrorInfo::new(ErrorCode::Cancelled, "it was cancelled")
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ErrorInfo> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        ErrorInfo::new(ErrorCode::Internal, "a task ended unexpectedly").detail(error.to_string())
    })
}
