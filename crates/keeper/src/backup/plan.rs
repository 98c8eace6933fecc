//! What a run would do: counted, nothing touched.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use forgekeeper_domain::{
    backup::{Amount, BackupMode, BackupPlan, FolderAmount, LISTED_FOLDERS, is_model, note},
    error::ErrorInfo,
};

use super::{
    Stop,
    copy::is_in_place,
    dated, disk,
    layout::Layout,
    manifest::{self, Entries, Entry, Held},
    meter::Meter,
    names::Name,
    places::{Places, Target, shown},
    unreadable,
    walk::{Found, walk},
};

/// What there is before a run.
pub(crate) struct Before {
    /// Where it goes.
    pub(crate) layout: Layout,
    /// What is there already.
    pub(crate) entries: Entries,
    /// The run before, of a dated backup.
    pub(crate) previous: Option<(Layout, Entries)>,
    /// Whether a run was broken off.
    pub(crate) continues: bool,
    /// What the journal knows and what is not there: the journal has to be told.
    pub(crate) taken_back: Option<Name>,
}

impl Before {
    pub(crate) fn read(places: &Places, target: Target) -> Result<Self, ErrorInfo> {
        let layout = match places.settings.mode {
            BackupMode::Mirror => Layout::mirror(&places.target),
            BackupMode::Dated => dated::unfinished(&places.target),
        };
        let mut before = Self {
            layout,
            entries: Entries::new(),
            previous: None,
            continues: false,
            taken_back: None,
        };
        if target == Target::New {
            return Ok(before);
        }
        let layout = &before.layout;
        match places.settings.mode {
            BackupMode::Mirror => {
                manifest::read(&layout.manifest, &mut before.entries)
                    .map_err(|e| unreadable(&e))?;
                (before.continues, before.taken_back) = continued(layout, &mut before.entries)?;
            }
            BackupMode::Dated => {
                // A journal whose folder has got its date already is of a run that has ended.
                if layout.root.is_dir() {
                    (before.continues, before.taken_back) = continued(layout, &mut before.entries)?;
                }
                before.previous = dated::previous(&places.target)?;
            }
        }
        Ok(before)
    }

    /// Whether a file is there as it should be.
    pub(crate) fn is_there(&self, name: &Name, size: u64, modified: manifest::Stamp) -> bool {
        holds(&self.entries, name, size, modified).is_some()
            && is_in_place(&name.below(&self.layout.root), size, modified)
    }

    /// The same file in the run before, with its hash.
    pub(crate) fn in_previous(
        &self,
        name: &Name,
        size: u64,
        modified: manifest::Stamp,
    ) -> Option<(PathBuf, [u8; 32])> {
        let (layout, entries) = self.previous.as_ref()?;
        let hash = holds(entries, name, size, modified)?;
        let path = name.below(&layout.root);
        is_in_place(&path, size, modified).then_some((path, hash))
    }
}

/// Applies the journal of a run that was broken off; false when none was. The name is that of the last thing in
/// it when that did not come to its place.
pub(crate) fn continued(
    layout: &Layout,
    entries: &mut Entries,
) -> Result<(bool, Option<Name>), ErrorInfo> {
    let replayed = manifest::replay(&layout.journal, entries).map_err(|e| unreadable(&e))?;
    let Some(replayed) = replayed else {
        return Ok((false, None));
    };
    let Some((name, before)) = replayed.last else {
        return Ok((true, None));
    };
    let there = came_to_its_place(&layout.root, entries, &name, before);
    Ok((true, (!there).then_some(name)))
}

/// The journal knows of a thing before it is there: the last one may still be what it was before, and is then
/// known as that again.
fn came_to_its_place(
    root: &Path,
    entries: &mut Entries,
    name: &Name,
    before: Option<Held>,
) -> bool {
    let there = entries.get(name).is_none_or(|held| match held.entry {
        Entry::File { size, modified, .. } => is_in_place(&name.below(root), size, modified),
        Entry::Folder => name.below(root).is_dir(),
        Entry::Link { .. } => true,
    });
    if !there {
        match before {
            Some(before) => entries.insert(name.clone(), before),
            None => entries.remove(name),
        };
    }
    there
}

fn holds(entries: &Entries, name: &Name, size: u64, modified: manifest::Stamp) -> Option<[u8; 32]> {
    match &entries.get(name)?.entry {
        Entry::File {
            size: held,
            modified: then,
            hash,
        } if (*held, *then) == (size, modified) => Some(*hash),
        _ => None,
    }
}

/// Counts what a run would do.
pub(crate) fn plan(
    places: &Places,
    before: &mut Before,
    meter: &Meter<'_>,
) -> Result<BackupPlan, Stop> {
    let mut plan = BackupPlan {
        source: shown(&places.source),
        target: shown(&places.target),
        mode: places.settings.mode,
        all: Amount::default(),
        copy: Amount::default(),
        unchanged: Amount::default(),
        remove: Amount::default(),
        excluded: 0,
        links: 0,
        special: 0,
        models: Amount::default(),
        folders: Vec::new(),
        needed_bytes: 0,
        free_bytes: disk::free_bytes(&places.target),
        disks: disk::shared(&places.source, &places.target),
        continues: before.continues,
        problems: Vec::new(),
        problem_count: 0,
    };
    let mut folders: BTreeMap<String, Amount> = BTreeMap::new();
    let (mut given_up, mut largest) = (0_u64, 0_u64);
    walk(&places.source, &places.excludes, &mut |found| {
        meter.go_on()?;
        match found {
            Found::File {
                name,
                size,
                modified,
            } => {
                plan.all.add(size);
                let shown = name.shown();
                if is_model(&shown) {
                    plan.models.add(size);
                }
                let folder = name.first_folder().into_owned();
                folders.entry(folder).or_default().add(size);
                let unchanged = before.is_there(&name, size, modified)
                    || before.in_previous(&name, size, modified).is_some();
                if unchanged {
                    plan.unchanged.add(size);
                } else {
                    plan.copy.add(size);
                    largest = largest.max(size);
                    if let Some(held) = before.entries.get(&name)
                        && let Entry::File { size, .. } = held.entry
                    {
                        given_up = given_up.saturating_add(size);
                    }
                }
                met(&mut before.entries, &name);
            }
            Found::Folder(name) => met(&mut before.entries, &name),
            Found::Link { name, .. } => {
                plan.links += 1;
                met(&mut before.entries, &name);
            }
            Found::Special(name) => {
                plan.special += 1;
                met(&mut before.entries, &name);
            }
            Found::Excluded(name) => {
                plan.excluded += 1;
                met_all(&mut before.entries, &name);
            }
            Found::Blocked { name, problem } => {
                if let Some(name) = name {
                    met_all(&mut before.entries, &name);
                }
                note(&mut plan.problems, &mut plan.problem_count, problem);
            }
        }
        Ok(())
    })?;
    for held in before.entries.values_mut() {
        if let (Entry::File { size, .. }, false) = (&held.entry, held.seen) {
            plan.remove.add(*size);
        }
        held.seen = false;
    }
    // The old file stays until the new one is whole; manifest and journal take little beside it.
    let beside = (u64::from(plan.all.files) + before.entries.len() as u64) * 300;
    plan.needed_bytes = plan
        .copy
        .bytes
        .saturating_sub(given_up)
        .max(largest)
        .saturating_add(beside);
    plan.folders = folders
        .into_iter()
        .map(|(name, amount)| FolderAmount { name, amount })
        .collect();
    plan.folders
        .sort_by_key(|folder| std::cmp::Reverse(folder.amount.bytes));
    plan.folders.truncate(LISTED_FOLDERS);
    Ok(plan)
}

/// It is at the source: it stays.
pub(crate) fn met(entries: &mut Entries, name: &Name) {
    if let Some(held) = entries.get_mut(name) {
        held.seen = true;
    }
}

/// It may be at the source with everything below it: all of that stays.
pub(crate) fn met_all(entries: &mut Entries, folder: &Name) {
    met(entries, folder);
    for (name, held) in entries.range_mut(folder.first_within()..) {
        if !name.is_within(folder) {
            break;
        }
        held.seen = true;
    }
}
