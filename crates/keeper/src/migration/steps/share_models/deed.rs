//! Writing the file, and taking it back.

use std::path::{Path, PathBuf};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
    job::JobPhase,
    migration::{Deed, StepPreview},
    models::{one_change, remove_section},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    super::super::{Site, StepRun},
    RESTART, draft, read, words,
};
use crate::sys::files;

/// Where the file as it was is kept until somebody wants it back.
const KEPT: &str = "migration/extra_model_paths.before";

/// What it takes to take it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Memory {
    /// The service that was restarted.
    service: ServiceId,
    /// The file.
    path: PathBuf,
    /// Hash of the file as it was; `None`: there was none.
    before: Option<String>,
    /// Hash of the file as it was written.
    written: String,
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn told(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(
        || "no file".to_owned(),
        |bytes| format!("{} bytes, sha256 {}", bytes.len(), hash(bytes)),
    )
}

fn not_written(path: &Path, error: &std::io::Error) -> ErrorInfo {
    let code = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorCode::DiskFull,
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            ErrorCode::NotAllowed
        }
        _ => ErrorCode::Io,
    };
    ErrorInfo::new(code, format!("{} could not be written", path.display()))
        .detail(error.to_string())
}

pub(super) async fn run(site: &Site, run: &StepRun) -> Result<Deed, ErrorInfo> {
    run.say(words::looking(), None);
    let draft = draft(site).await?;
    if let Some(refused) = draft.refused.first() {
        return Err(ErrorInfo::new(ErrorCode::Refused, refused.en.clone()));
    }
    let made = draft
        .made
        .map_err(|why| ErrorInfo::new(ErrorCode::Refused, why.en))?;
    run.go_on()?;
    let before = told(draft.before.as_deref());
    let after = made.text.as_bytes();
    let deed = Deed::default()
        .before("extra_model_paths", before)
        .after("extra_model_paths", told(Some(after)))
        .after("bytes_copied", 0);
    let ours = |memory: &Memory| memory.path == draft.path && memory.written == hash(after);
    let remembered = run.remembered::<Memory>().filter(ours);
    if made.unchanged && remembered.is_none() {
        // Nothing of this is ours to take back.
        return Ok(deed);
    }
    if !made.unchanged {
        let kept = site.data_dir().join(KEPT);
        if let Some(bytes) = &draft.before {
            write(&kept, bytes)?;
        }
        run.remember(&Memory {
            service: draft.comfyui.clone(),
            path: draft.path.clone(),
            before: draft.before.as_deref().map(hash),
            written: hash(after),
        })
        .await?;
        run.say(words::writing(), None);
        write(&draft.path, after)?;
        files::let_all_read(&draft.path).map_err(|error| not_written(&draft.path, &error))?;
    }
    // After a kill between the two, too.
    restart(site, run, &draft.comfyui).await?;
    Ok(deed)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ErrorInfo> {
    files::write_atomic(path, bytes).map_err(|error| not_written(path, &error))
}

async fn restart(site: &Site, run: &StepRun, id: &ServiceId) -> Result<(), ErrorInfo> {
    run.say(words::restarting(id), None);
    let keeper = site.keeper();
    let job = Box::pin(keeper.act(id, RESTART, false)).await?;
    let job = keeper.wait(&job).await?;
    if job.phase == JobPhase::Succeeded {
        return Ok(());
    }
    Err(job.error.unwrap_or_else(|| {
        ErrorInfo::new(
            ErrorCode::Refused,
            format!("`{id}` did not come back after its restart"),
        )
    }))
}

/// What the file will be after taking it back; `None`: there will be none.
enum Back {
    Nothing,
    Bytes(Option<Vec<u8>>),
}

fn back(site: &Site, memory: &Memory) -> Result<(Option<Vec<u8>>, Back), ErrorInfo> {
    let now = read(&memory.path).map_err(|error| words::not_readable(&memory.path, &error))?;
    let Some(bytes) = &now else {
        return Ok((now, Back::Nothing));
    };
    if hash(bytes) == memory.written {
        let before = match &memory.before {
            None => None,
            Some(wanted) => {
                let kept = read(&site.data_dir().join(KEPT)).ok().flatten();
                let kept = kept.filter(|bytes| hash(bytes) == *wanted);
                Some(kept.ok_or_else(|| {
                    let words = "the file as it was is not kept any more, or is damaged";
                    ErrorInfo::new(ErrorCode::Io, words)
                        .hint("Remove the section `forgekeeper:` from the file by hand.")
                })?)
            }
        };
        return Ok((now, Back::Bytes(before)));
    }
    // Somebody has changed it since: only our section goes.
    let without = remove_section(bytes).map_err(|problem| {
        ErrorInfo::new(ErrorCode::Refused, problem.to_string()).hint(problem.remedy())
    })?;
    let back = without.map_or(Back::Nothing, |text| Back::Bytes(Some(text.into_bytes())));
    Ok((now, back))
}

fn remembered(run: &StepRun) -> Result<Memory, ErrorInfo> {
    run.remembered().ok_or_else(|| {
        ErrorInfo::new(
            ErrorCode::Refused,
            "nothing was written, so there is nothing to take back",
        )
    })
}

pub(super) fn preview_undo(site: &Site, run: &StepRun) -> Result<StepPreview, ErrorInfo> {
    let memory = remembered(run)?;
    let (now, back) = back(site, &memory)?;
    let preview = StepPreview::default();
    let Back::Bytes(wanted) = back else {
        return Ok(preview.looks(words::gone_already()));
    };
    let text = |bytes: &Option<Vec<u8>>| {
        String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned()
    };
    let path = memory.path.display().to_string();
    let mut preview = preview.writes(path.clone(), one_change(&text(&now), &text(&wanted)));
    if wanted.is_none() {
        preview = preview.does(words::removes(&path));
    }
    if let Ok(plan) = site.keeper().plan(&memory.service, RESTART) {
        preview = plan.runs.iter().fold(preview, StepPreview::runs);
    }
    if let Some(refused) = super::cannot_restart(site, &memory.service)? {
        preview = preview.refused(refused);
    }
    Ok(preview.interrupts(words::restarts(&memory.service)))
}

pub(super) async fn undo(site: &Site, run: &StepRun) -> Result<Deed, ErrorInfo> {
    let memory = remembered(run)?;
    if let Some(refused) = super::cannot_restart(site, &memory.service)? {
        return Err(ErrorInfo::new(ErrorCode::Refused, refused.en));
    }
    let (now, back) = back(site, &memory)?;
    let deed = Deed::default().before("extra_model_paths", told(now.as_deref()));
    let deed = match back {
        Back::Nothing => deed.after("extra_model_paths", told(now.as_deref())),
        Back::Bytes(bytes) => {
            run.go_on()?;
            run.say(words::writing(), None);
            match &bytes {
                Some(bytes) => write(&memory.path, bytes)?,
                None => files::remove(&memory.path)
                    .map_err(|error| not_written(&memory.path, &error))?,
            }
            deed.after("extra_model_paths", told(bytes.as_deref()))
        }
    };
    restart(site, run, &memory.service).await?;
    Ok(deed)
}
