//! Forge's models in ComfyUI without copying a byte: one section of `extra_model_paths.yaml`, and a restart,
//! since ComfyUI reads that file when it starts.

mod deed;
mod words;

use std::{
    io,
    path::{Path, PathBuf},
};

use forgekeeper_domain::{
    action::{Action, RestartTarget},
    config::Mount,
    error::ErrorInfo,
    ids::ServiceId,
    migration::{AfterKill, Deed, Finding, StepPreview, Words},
    models::{
        Parity, ParityState, SharedFolder, Sharing, Spliced, folder_row, one_change, seen_at,
        sharing, splice,
    },
};
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::super::{RefusedBy, Site, StepRun, StepWork};
use crate::{
    inventory::{Inventory, PassedWhy, places::ServiceFolders},
    keeper::InventoryOf,
    sys::files,
};

/// Longest file that is read.
const MAX_FILE: u64 = 1024 * 1024;
/// Names that a sentence has room for.
const NAMES: usize = 5;
const RESTART: Action = Action::Restart {
    target: RestartTarget::Container,
};

/// The step.
#[derive(Debug)]
pub(in super::super) struct ShareModels;

/// What is to be done, found out by looking alone.
struct Draft {
    comfyui: ServiceId,
    path: PathBuf,
    before: Option<Vec<u8>>,
    /// The whole file as it will be, or why it will not.
    made: Result<Spliced, Words>,
    sharing: Sharing,
    /// Models that are shared, and their bytes.
    models: (u32, u64),
    refused: Vec<Words>,
}

impl StepWork for ShareModels {
    fn check<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Finding> {
        Box::pin(check(site))
    }

    fn can_run(&self) -> bool {
        true
    }

    fn can_undo(&self) -> bool {
        true
    }

    fn after_kill(&self) -> AfterKill {
        AfterKill::Again
    }

    fn preview<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Result<StepPreview, ErrorInfo>> {
        Box::pin(async { Ok(preview(site, &draft(site).await?)) })
    }

    fn preview_undo<'a>(
        &'a self,
        site: &'a Site,
        run: &'a StepRun,
    ) -> BoxFuture<'a, Result<StepPreview, ErrorInfo>> {
        Box::pin(async { deed::preview_undo(site, run) })
    }

    fn run<'a>(
        &'a self,
        site: &'a Site,
        run: &'a StepRun,
    ) -> BoxFuture<'a, Result<Deed, ErrorInfo>> {
        Box::pin(deed::run(site, run))
    }

    fn undo<'a>(
        &'a self,
        site: &'a Site,
        run: &'a StepRun,
    ) -> BoxFuture<'a, Result<Deed, ErrorInfo>> {
        Box::pin(deed::undo(site, run))
    }
}

async fn check(site: &Site) -> Finding {
    let (from, to) = match (site.from(), site.to()) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(finding), _) | (_, Err(finding)) => return finding,
    };
    let parity = match Box::pin(site.keeper().model_parity(&from.id, &to.id)).await {
        Ok(parity) => parity,
        Err(error) => return Finding::unknown(words::error(&error)),
    };
    let finding = judged(&parity).with("bytes_copied", 0);
    let keeper = site.keeper();
    let (forge, comfyui) = tokio::join!(keeper.folders_of(&from.id), keeper.folders_of(&to.id));
    let recipe = comfyui.ok().and_then(|found| found.recipe);
    let (Ok(forge), Some(recipe)) = (forge, recipe) else {
        return finding.and(Finding::unknown(words::mounts_unknown()));
    };
    let writable = sharing(&forge.shared, &recipe.mounts).writable;
    if writable.is_empty() {
        finding
    } else {
        finding.and(Finding::failed(words::writable(&writable.join(", "))))
    }
}

fn judged(parity: &Parity) -> Finding {
    let counts = &parity.counts;
    let finding = match parity.holds() {
        Some(true) => Finding::proved(),
        Some(false) => {
            let bad = parity
                .rows
                .iter()
                .filter(|row| matches!(row.state, ParityState::Missing | ParityState::Different));
            let names: Vec<&str> = bad.map(|row| row.name.as_str()).collect();
            let some = &names[..names.len().min(NAMES)];
            Finding::failed(words::not_there(some, names.len()))
        }
        None => {
            let silent = parity.forge_silent.iter().chain(&parity.comfyui_silent);
            let silent: Vec<&str> = silent.map(|id| folder_row(*id).key).collect();
            Finding::unknown(words::not_told(&silent))
        }
    };
    finding
        .with("models_present", counts.present)
        .with("models_very_file", counts.by_file)
        .with("models_by_hash", counts.by_hash)
        .with("models_missing", counts.missing)
        .with("models_different", counts.different)
        .with("models_only_in_comfyui", counts.only_in_comfyui)
}

/// Looks at both services and at the file.
async fn draft(site: &Site) -> Result<Draft, ErrorInfo> {
    let from = site.from().map_err(RefusedBy)?;
    let to = site.to().map_err(RefusedBy)?;
    let said = site.target().extra_model_paths.as_deref();
    let said = said.ok_or_else(|| RefusedBy(Finding::unset("target", "extra_model_paths")))?;
    let path = site.path(said);
    let keeper = site.keeper();
    let forge = keeper.folders_of(&from.id).await?;
    let comfyui = keeper.folders_of(&to.id).await?;
    let never = CancellationToken::new();
    let of = InventoryOf::Service(from.id.clone());
    let inventory = keeper.inventory(&of, &never).await?;
    let mut refused = Vec::new();
    let unreachable = |passed: &&crate::inventory::Passed| passed.why == PassedWhy::Unreachable;
    if let Some(passed) = forge.passed.iter().find(unreachable) {
        refused.push(words::not_reached(&passed.words));
    }
    let mounts: &[Mount] = if let Some(recipe) = &comfyui.recipe {
        &recipe.mounts
    } else {
        refused.push(words::mounts_unknown());
        &[]
    };
    let shared = sharing(&worth_sharing(&forge, &inventory), mounts);
    for folder in &shared.not_shared {
        refused.push(words::not_mounted(&folder.folder.path));
    }
    if comfyui.recipe.is_some() && !is_read(&path, &comfyui, mounts) {
        refused.push(words::not_read(&path.display().to_string()));
    }
    let before = read(&path).map_err(|error| words::not_readable(&path, &error))?;
    let made = match &shared.section {
        None => Err(words::nothing_to_share()),
        Some(section) => splice(before.as_deref(), section)
            .map_err(|problem| words::yaml(&path.display().to_string(), &problem)),
    };
    match &made {
        Err(words) => refused.push(words.clone()),
        Ok(made) if made.unchanged => {}
        Ok(_) => refused.extend(cannot_restart(site, &to.id)?),
    }
    let count = u32::try_from(inventory.files.len()).unwrap_or(u32::MAX);
    Ok(Draft {
        models: (count, inventory.bytes),
        comfyui: to.id,
        path,
        before,
        made,
        sharing: shared,
        refused,
    })
}

/// Folders with files of their own: those that hold links alone would dangle in another container, and
/// where the links lead is shared itself.
fn worth_sharing(forge: &ServiceFolders, inventory: &Inventory) -> Vec<SharedFolder> {
    let good = |folder: &&SharedFolder| {
        let below = |path: &str| Path::new(path).starts_with(&folder.path);
        let mut files = inventory
            .files
            .iter()
            .filter(|file| below(&file.path))
            .peekable();
        // An empty one fills up some day; of one that only the engine reaches nobody knows.
        files.peek().is_none() || files.any(|file| !file.link)
    };
    forge.shared.iter().filter(good).cloned().collect()
}

/// Whether ComfyUI reads this very file: beside its program, or where its command line says.
fn is_read(path: &Path, comfyui: &ServiceFolders, mounts: &[Mount]) -> bool {
    let Some((_, inside)) = seen_at(mounts, &path.to_string_lossy()) else {
        return false;
    };
    let program = comfyui.program.as_ref();
    let beside = program.is_some_and(|folder| inside == format!("{folder}/extra_model_paths.yaml"));
    beside
        || comfyui.recipe.iter().any(|recipe| {
            let mut words = recipe.command.iter().chain(&recipe.env);
            words.any(|word| {
                let mut pieces = word.split([' ', '=']);
                pieces.any(|piece| piece.trim_matches(['"', '\'']) == inside)
            })
        })
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match files::read_limited(path, MAX_FILE) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Why the service cannot be restarted now.
fn cannot_restart(site: &Site, id: &ServiceId) -> Result<Option<Words>, ErrorInfo> {
    let plan = site.keeper().plan(id, RESTART)?;
    Ok(plan
        .refused(false)
        .map(|refusal| words::no_restart(id, refusal)))
}

fn preview(site: &Site, draft: &Draft) -> StepPreview {
    let (models, bytes) = draft.models;
    let mut preview = StepPreview::default().does(words::shares(models, bytes));
    match &draft.made {
        Ok(made) if made.unchanged => preview = preview.looks(words::there_already()),
        Ok(made) => {
            let before = draft.before.as_deref().map(String::from_utf8_lossy);
            let diff = before.map_or_else(
                || made.text.clone(),
                |before| one_change(&before, &made.text),
            );
            preview = preview.writes(draft.path.display().to_string(), diff);
            if let Ok(plan) = site.keeper().plan(&draft.comfyui, RESTART) {
                preview = plan.runs.iter().fold(preview, StepPreview::runs);
            }
            preview = preview.interrupts(words::restarts(&draft.comfyui));
        }
        Err(_) => {}
    }
    for target in &draft.sharing.writable {
        preview = preview.looks(words::writable(target));
    }
    let refused = draft.refused.iter().cloned();
    refused.fold(preview.undone_by(words::undo()), StepPreview::refused)
}
