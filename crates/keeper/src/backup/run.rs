//! A run, from the first look to the manifest.

use forgekeeper_domain::{
    backup::{BackupEnd, BackupMode, BackupPlan, BackupRecord, BackupStage},
    error::{ErrorCode, ErrorInfo},
};
use jiff::civil::DateTime;

use super::{
    Doors, Stop, dated,
    layout::locked,
    manifest::{self, Entry, Header, Journal},
    meter::Meter,
    place::Placing,
    places::{Places, Target, shown},
    plan::{Before, plan},
    settle,
};
use crate::sys::files;

/// Copies. What is in the record is true however it ends.
pub(crate) fn run(
    places: &Places,
    began: DateTime,
    doors: &Doors,
    meter: &mut Meter<'_>,
    record: &mut BackupRecord,
) -> Result<(), Stop> {
    let target = places.check_target().map_err(Stop::Failed)?;
    if target == Target::New {
        places.claim().map_err(full_or_failed)?;
    }
    let _lock = locked(&places.ours()).map_err(Stop::Failed)?;
    meter.stage(BackupStage::Looking);
    // Ours by now; another program may have filled it since it was looked at.
    let mut before = Before::read(places, Target::Ours).map_err(Stop::Failed)?;
    // What a run left on its way that was ended in the middle.
    files::remove(&before.layout.partial).map_err(|e| not_written(places, &e))?;
    let planned = plan(places, &mut before, meter)?;
    may_run(places, &planned, &before)?;
    files::ensure_dir(&before.layout.root).map_err(|e| not_written(places, &e))?;
    record.folder.clone_from(&before.layout.folder);
    if !before.continues {
        // One that is left is of a run that has ended.
        files::remove(&before.layout.journal).map_err(|e| not_written(places, &e))?;
    }
    let mut journal = Journal::open(&before.layout.journal).map_err(|e| not_written(places, &e))?;
    if let Some(name) = before.taken_back.take() {
        let entry = before.entries.get(&name).map(|held| &held.entry);
        journal
            .note(&name, entry)
            .map_err(|e| not_written(places, &e))?;
    }

    meter.stage(BackupStage::Copying);
    meter.expect(planned.all);
    let mut placing = Placing::new(places, &mut before, journal, doors, meter, record);
    let placed = placing.all();
    let removed = placed.and_then(|()| placing.remove_gone());
    if let Err(stop) = removed {
        // Nothing depends on it: the next run removes it, too.
        let _ = files::remove(&before.layout.partial);
        return Err(stop);
    }
    meter.stage(BackupStage::Finishing);
    finish(places, began, &before, record)
}

/// Whether it is safe to begin, and whether there is room.
fn may_run(places: &Places, plan: &BackupPlan, before: &Before) -> Result<(), Stop> {
    let others = plan.excluded + plan.links + plan.special + plan.problem_count;
    let nothing_there = plan.all.files == 0 && others == 0;
    if nothing_there && plan.remove.files > 0 {
        // A share that is not mounted is an empty folder.
        return Err(Stop::Failed(
            ErrorInfo::new(
                ErrorCode::Refused,
                format!(
                    "the source has no files, and the backup holds {} files of it: nothing was removed",
                    plan.remove.files
                ),
            )
            .hint(
                "Check that its drive is there. If it is meant to be empty, choose a new target.",
            ),
        ));
    }
    if nothing_there && places.settings.mode == BackupMode::Dated && had_files(before) {
        return Err(Stop::Failed(
            ErrorInfo::new(
                ErrorCode::Refused,
                "the source has no files, which it had at the last backup: no run was made of it",
            )
            .hint(
                "Check that its drive is there. If it is meant to be empty, choose a new target.",
            ),
        ));
    }
    if plan.fits() == Some(false) {
        let free = plan.free_bytes.unwrap_or_default();
        return Err(Stop::Failed(
            ErrorInfo::new(
                ErrorCode::DiskFull,
                format!(
                    "there is no room for the backup: {} bytes are needed and {free} are free at {}",
                    plan.needed_bytes, plan.target
                ),
            )
            .hint(
                "Make room, choose another target, or leave out what needs no backup: `exclude` in \
                 `[backup]`.",
            ),
        ));
    }
    Ok(())
}

/// Whether the run before had any.
fn had_files(before: &Before) -> bool {
    let mut held = before
        .previous
        .iter()
        .flat_map(|(_, entries)| entries.values());
    held.any(|held| matches!(held.entry, Entry::File { .. }))
}

fn finish(
    places: &Places,
    began: DateTime,
    before: &Before,
    record: &mut BackupRecord,
) -> Result<(), Stop> {
    let target = &places.target;
    for held in before.entries.values() {
        match held.entry {
            Entry::File { size, .. } => record.held.add(size),
            Entry::Folder | Entry::Link { .. } => {}
        }
    }
    // Before a manifest says that it is there.
    settle::settle(target);
    let layout = &before.layout;
    let header = Header::new(
        shown(&places.source),
        crate::sys::clock::now().to_string(),
        record.problem_count,
    );
    let manifest = match places.settings.mode {
        BackupMode::Mirror => layout.clone(),
        BackupMode::Dated => {
            let name = dated::name_of(target, began);
            dated::manifest_of(target, &name)
        }
    };
    manifest::write(&manifest.manifest, &header, &before.entries)
        .map_err(|e| not_written(places, &e))?;
    if manifest.root != layout.root {
        files::rename(&layout.root, &manifest.root).map_err(|e| not_written(places, &e))?;
        record.folder.clone_from(&manifest.folder);
    }
    files::remove(&layout.journal).map_err(|e| not_written(places, &e))?;
    if places.settings.mode == BackupMode::Dated {
        let left = dated::retain(target, places.settings.keep).map_err(Stop::Failed)?;
        for problem in left {
            // This run is whole all the same.
            tracing::warn!(run = problem.path, why = ?problem.why, "an old run was not removed");
        }
    }
    record.end = if record.problem_count == 0 {
        BackupEnd::Whole
    } else {
        BackupEnd::Incomplete
    };
    Ok(())
}

fn full_or_failed(error: ErrorInfo) -> Stop {
    match error.code {
        ErrorCode::DiskFull => Stop::DiskFull(error.detail.unwrap_or(error.message)),
        _ => Stop::Failed(error),
    }
}

/// What a refusal of the target's own files means for the run.
pub(super) fn not_written(places: &Places, error: &std::io::Error) -> Stop {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            Stop::DiskFull(error.to_string())
        }
        _ => Stop::Failed(
            ErrorInfo::new(
                ErrorCode::Io,
                format!("the target of the backup cannot be written to: {}", shown(&places.target)),
            )
            .hint("Check that its drive is there and that this user may write to it; what was copied stays.")
            .detail(error.to_string()),
        ),
    }
}
