//! What a run would do: counted, nothing touched.

use std::collections::BTreeMap;

use forgekeeper_domain::{
    backup::{Amount, BackupMode, BackupPlan, FolderAmount, LISTED_FOLDERS, is_model, note},
    error::ErrorInfo,
};

use super::{
    Stop,
    copy::is_in_place,
    dated, disk,
    layout::Layout,
    manifest::{self, Entries, Entry},
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
        };
        if target == Target::New {
            return Ok(before);
        }
        let layout = &before.layout;
        match places.settings.mode {
            BackupMode::Mirror => {
                manifest::read(&layout.manifest, &mut before.entries)
                    .map_err(|e| unreadable(&e))?;
                before.continues = manifest::replay(&layout.journal, &mut before.entries)
                    .map_err(|e| unreadable(&e))?;
            }
            BackupMode::Dated => {
                // A journal whose folder has got its date already is of a run that has ended.
                if layout.root.is_dir() {
                    before.continues = manifest::replay(&layout.journal, &mut before.entries)
                        .map_err(|e| unreadable(&e))?;
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
    ) -> Option<(std::path::PathBuf, [u8; 32])> {
        let (layout, entries) = self.previous.as_ref()?;
        let hash = holds(entries, name, size, modified)?;
        let path = name.below(&layout.root);
        is_in_place(&path, size, modified).then_some((path, hash))
    }
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
