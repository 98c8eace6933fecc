//! Puts things in their places, one after the other; the journal knows of each before it is there.

use std::{fs, path::Path};

use forgekeeper_domain::backup::{BackupProblem, BackupRecord, BackupStage, Obstacle};

use super::{
    Doors, Stop,
    copy::{CopyError, ROUNDS, copy, not_written as refused},
    dated::remove_ours,
    manifest::{Entry, Held, Journal, Stamp},
    meter::Meter,
    names::Name,
    places::Places,
    plan::{Before, met, met_all},
    run::not_written,
    walk::{Found, obstacle, walk},
};
use crate::sys::files;

/// Files that are tried again at the end; more of them are a reason of its own.
const MAX_AGAIN: usize = 10_000;

/// A file that was not copied at its turn.
struct Again {
    name: Name,
    size: u64,
    problem: BackupProblem,
}

/// A run under way.
pub(super) struct Placing<'r, 'm> {
    places: &'r Places,
    before: &'r mut Before,
    journal: Journal,
    doors: &'r Doors,
    meter: &'r mut Meter<'m>,
    record: &'r mut BackupRecord,
    again: Vec<Again>,
    /// Whether the file system has hard links, as far as is known.
    links: bool,
    /// A folder that could not be made: nothing below it can be.
    blocked: Option<Name>,
}

impl<'r, 'm> Placing<'r, 'm> {
    pub(super) fn new(
        places: &'r Places,
        before: &'r mut Before,
        journal: Journal,
        doors: &'r Doors,
        meter: &'r mut Meter<'m>,
        record: &'r mut BackupRecord,
    ) -> Self {
        Self {
            places,
            before,
            journal,
            doors,
            meter,
            record,
            again: Vec::new(),
            links: true,
            blocked: None,
        }
    }

    /// Everything at the source.
    pub(super) fn all(&mut self) -> Result<(), Stop> {
        let places = self.places;
        walk(&places.source, &places.excludes, &mut |found| {
            self.meter.go_on()?;
            self.one(found)
        })?;
        self.once_more()
    }

    fn one(&mut self, found: Found) -> Result<(), Stop> {
        if let (Some(blocked), Some(name)) = (&self.blocked, name_of(&found))
            && name.is_within(blocked)
        {
            if let Found::File { size, .. } = found {
                self.meter.left_out(size, 0);
            }
            return Ok(());
        }
        match found {
            Found::File {
                name,
                size,
                modified,
            } => self.file(name, size, modified),
            Found::Folder(name) => self.folder(name),
            Found::Link { name, to } => {
                self.record.links += 1;
                self.clear(&name, &Entry::Link { to: String::new() })?;
                self.keep(name, Entry::Link { to })
            }
            Found::Special(name) => {
                self.record.special += 1;
                met(&mut self.before.entries, &name);
                Ok(())
            }
            Found::Excluded(name) => {
                self.record.excluded += 1;
                met_all(&mut self.before.entries, &name);
                Ok(())
            }
            Found::Blocked { name, problem } => {
                if let Some(name) = name {
                    met_all(&mut self.before.entries, &name);
                }
                self.trouble(problem);
                Ok(())
            }
        }
    }

    fn file(&mut self, name: Name, size: u64, modified: Stamp) -> Result<(), Stop> {
        self.meter.current(&name)?;
        met(&mut self.before.entries, &name);
        if self.before.is_there(&name, size, modified) {
            self.record.unchanged.add(size);
            self.meter.done(size);
            return Ok(());
        }
        match self.try_file(&name, size, modified) {
            Ok(()) => Ok(()),
            Err(CopyError::Stop(stop)) => Err(stop),
            Err(CopyError::File(why, detail)) => {
                let path = name.shown().into_owned();
                let problem = BackupProblem { path, why, detail };
                if why.may_pass() && self.again.len() < MAX_AGAIN {
                    self.again.push(Again {
                        name,
                        size,
                        problem,
                    });
                } else {
                    self.meter.left_out(size, 0);
                    self.trouble(problem);
                }
                Ok(())
            }
        }
    }

    fn try_file(&mut self, name: &Name, size: u64, modified: Stamp) -> Result<(), CopyError> {
        let wanted = Entry::File {
            size,
            modified,
            hash: [0; 32],
        };
        self.clear(name, &wanted)?;
        let to = name.below(&self.before.layout.root);
        if !self.is_free(name, &to) {
            return Err(CopyError::File(Obstacle::InTheWay, None));
        }
        if self.links
            && let Some((from, hash)) = self.before.in_previous(name, size, modified)
            && self.link(name, &from, &to, size, modified, hash)?
        {
            return Ok(());
        }
        let from = name.below(&self.places.source);
        let partial = self.before.layout.partial.clone();
        let copied = copy(&from, &partial, self.doors, self.meter)?;
        let (size, modified, hash) = (copied.size, copied.modified, copied.hash);
        let entry = Entry::File {
            size,
            modified,
            hash,
        };
        let placed = match self.note(name, Some(&entry)) {
            Ok(()) => files::rename(&partial, &to).map_err(|error| refused(&error)),
            Err(stop) => Err(stop.into()),
        };
        if let Err(error) = placed {
            // The first error is the one worth telling.
            let _ = files::remove(&partial);
            self.meter.take_back(size);
            return Err(error);
        }
        self.hold(name.clone(), entry);
        self.record.copied.add(size);
        self.meter.done(0);
        Ok(())
    }

    /// Links to the run before; false where the file system has no links, or no more of them.
    fn link(
        &mut self,
        name: &Name,
        from: &Path,
        to: &Path,
        size: u64,
        modified: Stamp,
        hash: [u8; 32],
    ) -> Result<bool, CopyError> {
        let entry = Entry::File {
            size,
            modified,
            hash,
        };
        self.note(name, Some(&entry))?;
        files::remove(to).map_err(|error| refused(&error))?;
        if let Err(error) = fs::hard_link(from, to) {
            // One file may have too many; any other refusal is the same for all.
            self.links = error.kind() == std::io::ErrorKind::TooManyLinks;
            return Ok(false);
        }
        self.hold(name.clone(), entry);
        self.record.linked.add(size);
        self.meter.done(size);
        Ok(true)
    }

    fn folder(&mut self, name: Name) -> Result<(), Stop> {
        let path = name.below(&self.before.layout.root);
        self.clear(&name, &Entry::Folder)?;
        let (why, detail) = match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => return self.keep(name, Entry::Folder),
            Ok(_) => (Obstacle::InTheWay, None),
            Err(_) => {
                // Known before it is there: an empty folder that is ours by mistake harms nobody.
                self.keep(name.clone(), Entry::Folder)?;
                match fs::create_dir(&path).map_err(|error| refused(&error)) {
                    Ok(()) => return Ok(()),
                    Err(CopyError::Stop(stop)) => return Err(stop),
                    Err(CopyError::File(why, detail)) => {
                        self.before.entries.remove(&name);
                        self.note(&name, None)?;
                        (why, detail)
                    }
                }
            }
        };
        let shown = name.shown().into_owned();
        // What an earlier run has put there stays, as far as it is there.
        met_all(&mut self.before.entries, &name);
        self.blocked = Some(name);
        self.trouble(BackupProblem {
            path: shown,
            why,
            detail,
        });
        Ok(())
    }

    /// Removes what an earlier run has put in a place where now is something of another sort.
    fn clear(&mut self, name: &Name, wanted: &Entry) -> Result<(), Stop> {
        let Some(held) = self.before.entries.get(name) else {
            return Ok(());
        };
        let same_sort = std::mem::discriminant(&held.entry) == std::mem::discriminant(wanted);
        if same_sort {
            return Ok(());
        }
        let entries = &self.before.entries;
        let within: Vec<Name> = entries
            .range(name.first_within()..)
            .take_while(|(below, _)| below.is_within(name))
            .map(|(below, _)| below.clone())
            .collect();
        for below in within.iter().rev().chain([name]) {
            self.remove(below)?;
        }
        Ok(())
    }

    /// Whether a file may be put there: nothing is, or what an earlier run has put there.
    fn is_free(&self, name: &Name, to: &Path) -> bool {
        match fs::symlink_metadata(to) {
            Err(_) => true,
            Ok(metadata) => {
                let ours = self.before.entries.get(name);
                let file = ours.is_some_and(|held| matches!(held.entry, Entry::File { .. }));
                file && metadata.is_file()
            }
        }
    }

    /// What was held or changed is tried again, with waits between.
    fn once_more(&mut self) -> Result<(), Stop> {
        for wait in ROUNDS {
            if self.again.is_empty() {
                return Ok(());
            }
            self.meter.stage(BackupStage::Retrying);
            self.meter.wait(wait)?;
            for again in std::mem::take(&mut self.again) {
                self.meter.current(&again.name)?;
                self.retry(again)?;
            }
        }
        for again in std::mem::take(&mut self.again) {
            self.meter.left_out(again.size, 0);
            self.trouble(again.problem);
        }
        Ok(())
    }

    fn retry(&mut self, again: Again) -> Result<(), Stop> {
        // As it is now; the copying looks at it once more.
        let now = fs::symlink_metadata(again.name.below(&self.places.source));
        let tried = match now {
            Ok(now) => {
                let modified = now
                    .modified()
                    .map(super::manifest::stamp)
                    .unwrap_or_default();
                self.try_file(&again.name, now.len(), modified)
            }
            Err(error) => Err(CopyError::File(obstacle(&error), Some(error.to_string()))),
        };
        match tried {
            Ok(()) => Ok(()),
            Err(CopyError::Stop(stop)) => Err(stop),
            Err(CopyError::File(why, detail)) => {
                let problem = BackupProblem {
                    why,
                    detail,
                    ..again.problem
                };
                self.again.push(Again { problem, ..again });
                Ok(())
            }
        }
    }

    /// Removes what is gone from the source, as far as an earlier run has put it there. Names come after
    /// the folder they lie in, so the other way round each folder is empty at its turn.
    pub(super) fn remove_gone(&mut self) -> Result<(), Stop> {
        let gone: Vec<Name> = self
            .before
            .entries
            .iter()
            .rev()
            .filter(|(_, held)| !held.seen)
            .map(|(name, _)| name.clone())
            .collect();
        if gone.is_empty() {
            return Ok(());
        }
        self.meter.stage(BackupStage::Removing);
        for name in gone {
            self.meter.current(&name)?;
            if let Some(Held {
                entry: Entry::File { size, .. },
                ..
            }) = self.before.entries.get(&name)
            {
                self.record.removed.add(*size);
            }
            self.remove(&name)?;
        }
        Ok(())
    }

    /// Removes one thing of ours; a folder only when nothing is in it any more.
    fn remove(&mut self, name: &Name) -> Result<(), Stop> {
        let Some(held) = self.before.entries.get(name) else {
            return Ok(());
        };
        let root = &self.before.layout.root;
        let removed = match held.entry {
            Entry::File { .. } => remove_ours(root, name),
            Entry::Folder => {
                // What others put into it keeps it; it is no longer ours then.
                let _ = fs::remove_dir(name.below(root));
                Ok(())
            }
            Entry::Link { .. } => Ok(()),
        };
        if let Err(error) = removed {
            self.trouble(BackupProblem {
                path: name.shown().into_owned(),
                why: obstacle(&error),
                detail: Some(error.to_string()),
            });
            return Ok(());
        }
        self.before.entries.remove(name);
        self.journal
            .note(name, None)
            .map_err(|error| not_written(self.places, &error))
    }

    fn note(&mut self, name: &Name, entry: Option<&Entry>) -> Result<(), Stop> {
        self.journal
            .note(name, entry)
            .map_err(|error| not_written(self.places, &error))
    }

    fn keep(&mut self, name: Name, entry: Entry) -> Result<(), Stop> {
        let known = self.before.entries.get(&name);
        if known.is_none_or(|held| held.entry != entry) {
            self.note(&name, Some(&entry))?;
        }
        self.hold(name, entry);
        Ok(())
    }

    fn hold(&mut self, name: Name, entry: Entry) {
        let held = Held { entry, seen: true };
        self.before.entries.insert(name, held);
    }

    fn trouble(&mut self, problem: BackupProblem) {
        self.record.trouble(problem);
        self.meter.problems(self.record.problem_count);
    }
}

fn name_of(found: &Found) -> Option<&Name> {
    match found {
        Found::File { name, .. }
        | Found::Link { name, .. }
        | Found::Folder(name)
        | Found::Special(name)
        | Found::Excluded(name) => Some(name),
        Found::Blocked { name, .. } => name.as_ref(),
    }
}
