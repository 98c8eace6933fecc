//! Reading again what was copied.

use std::{fs, io, path::Path};

use forgekeeper_domain::{
    backup::{
        Amount, BackupEnd, BackupMode, BackupProblem, BackupRecord, BackupSettings, BackupStage,
        Obstacle,
    },
    error::{ErrorCode, ErrorInfo},
};

use super::{
    Doors, Stop,
    copy::{CopyError, hash_of},
    dated,
    layout::{Layout, locked},
    manifest::{self, Entries, Entry},
    meter::Meter,
    names::Name,
    places::{OUR_FOLDER, Places, mode_of},
    plan::continued,
    unreadable,
};

/// Reads every file of the backup, of a dated one those of its newest run, and compares.
pub(crate) fn verify(
    settings: &BackupSettings,
    doors: &Doors,
    meter: &mut Meter<'_>,
    record: &mut BackupRecord,
) -> Result<(), Stop> {
    let target = Places::look_at_target(settings).map_err(Stop::Failed)?;
    let Some(mode) = mode_of(&target).map_err(Stop::Failed)? else {
        record.end = BackupEnd::Nothing;
        return Ok(());
    };
    record.mode = mode;
    let ours = target.join(OUR_FOLDER);
    let _lock = match locked(&ours) {
        Ok(lock) => Some(lock),
        // Write-protected: nobody else changes it either.
        Err(error) if error.code == ErrorCode::NotAllowed => None,
        Err(error) => return Err(Stop::Failed(error)),
    };
    let layout = match mode {
        BackupMode::Mirror => Some(Layout::mirror(&target)),
        BackupMode::Dated => dated::newest(&target).map_err(Stop::Failed)?,
    };
    let Some(layout) = layout else {
        record.end = BackupEnd::Nothing;
        return Ok(());
    };
    record.folder.clone_from(&layout.folder);
    let mut entries = Entries::new();
    let header =
        manifest::read(&layout.manifest, &mut entries).map_err(|e| Stop::Failed(unreadable(&e)))?;
    let (broken_off, _) = continued(&layout, &mut entries).map_err(Stop::Failed)?;
    if header.is_none() && !broken_off {
        record.end = BackupEnd::Nothing;
        return Ok(());
    }
    let mut all = Amount::default();
    for held in entries.values() {
        if let Entry::File { size, .. } = held.entry {
            all.add(size);
        }
    }
    meter.stage(BackupStage::Verifying);
    meter.expect(all);
    for (name, held) in &entries {
        look(&layout.root, name, &held.entry, doors, meter, record)?;
        meter.problems(record.problem_count);
    }
    let missed = header.as_ref().map_or(0, |header| header.incomplete);
    // What was never copied is not in it, however whole the rest is.
    record.end = if record.problem_count == 0 && missed == 0 && !broken_off {
        BackupEnd::Whole
    } else {
        BackupEnd::Incomplete
    };
    if record.problem_count == 0 && record.end == BackupEnd::Incomplete {
        record.error = Some(unfinished(missed, broken_off));
    }
    Ok(())
}

fn look(
    root: &Path,
    name: &Name,
    entry: &Entry,
    doors: &Doors,
    meter: &mut Meter<'_>,
    record: &mut BackupRecord,
) -> Result<(), Stop> {
    let path = name.below(root);
    let mut trouble = |why, detail| {
        let path = name.shown().into_owned();
        record.trouble(BackupProblem { path, why, detail });
    };
    let there = fs::symlink_metadata(&path);
    let (size, hash) = match entry {
        Entry::Link { .. } => return Ok(()),
        Entry::Folder => {
            if !there.is_ok_and(|there| there.is_dir()) {
                trouble(Obstacle::Missing, None);
            }
            return Ok(());
        }
        Entry::File { size, hash, .. } => (*size, *hash),
    };
    meter.current(name)?;
    match there {
        Err(error) if error.kind() == io::ErrorKind::NotFound => trouble(Obstacle::Missing, None),
        Ok(there) if !there.is_file() => trouble(Obstacle::Missing, None),
        _ => match hash_of(&path, doors, &mut |bytes| meter.bytes(bytes)) {
            Ok(read) if read == (hash, size) => {
                record.held.add(size);
                meter.done(0);
                return Ok(());
            }
            Ok(_) => trouble(Obstacle::Damaged, None),
            Err(CopyError::File(why, detail)) => trouble(why, detail),
            Err(CopyError::Stop(stop)) => return Err(stop),
        },
    }
    Ok(())
}

fn unfinished(missed: u32, broken_off: bool) -> ErrorInfo {
    let text = if broken_off {
        "what was read is as it was copied, but the run was broken off before its end".to_owned()
    } else {
        format!(
            "what was read is as it was copied, but {missed} things were not copied by that run"
        )
    };
    ErrorInfo::new(ErrorCode::NotProved, text).hint("Run the backup once more.")
}
