//! Whether ComfyUI sees what Forge sees: by hash where both are known, by name otherwise.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::folders::FolderId;

/// A model as a server lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Listed {
    /// Its name, with its folder below the models' own where the server tells it.
    pub name: String,
    /// Length in bytes, where it is known.
    #[cfg_attr(feature = "specta", specta(type = Option<f64>))]
    pub size: Option<u64>,
    /// SHA-256 of the whole file, where it is known.
    pub sha256: Option<String>,
    /// Where the server has it, as it names the place itself.
    #[serde(skip)]
    pub place: Option<String>,
    /// The file behind it on the disk, where that is known; the same for the same file.
    #[serde(skip)]
    pub file: Option<String>,
}

/// How two were found to be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// It is the very file, seen through a mount.
    File,
    /// Both hashes are known and agree.
    Hash,
    /// The same name and the same length.
    NameAndSize,
    /// The same name; nothing else is known.
    Name,
}

/// What became of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum ParityState {
    /// Both have it.
    Present,
    /// Both have a file of this name, and it is another one.
    Different,
    /// Only Forge has it.
    Missing,
    /// Only ComfyUI has it.
    OnlyInComfyui,
    /// ComfyUI did not tell what it has.
    NotKnown,
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct ParityRow {
    /// In which sort of folder.
    pub folder: FolderId,
    /// As Forge names it, or as ComfyUI does where only that has it.
    pub name: String,
    /// As ComfyUI names it, where that is another name.
    pub twin: Option<String>,
    /// What became of it.
    pub state: ParityState,
    /// How that is known.
    pub by: Option<Match>,
}

/// How many of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct ParityCounts {
    /// Both have it.
    pub present: u32,
    /// Of those, the ones that are the very file.
    pub by_file: u32,
    /// The ones that a hash proves.
    pub by_hash: u32,
    /// Another file of that name.
    pub different: u32,
    /// Only Forge has it.
    pub missing: u32,
    /// Only ComfyUI has it.
    pub only_in_comfyui: u32,
    /// Not told.
    pub not_known: u32,
}

/// The table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Parity {
    /// Row by row, by folder and name.
    pub rows: Vec<ParityRow>,
    /// How many of each.
    pub counts: ParityCounts,
    /// Lists that Forge did not tell.
    pub forge_silent: Vec<FolderId>,
    /// Lists that ComfyUI did not tell.
    pub comfyui_silent: Vec<FolderId>,
}

impl Parity {
    /// Whether every model of Forge's is proved to be there. Lists that were not told prove nothing.
    pub fn holds(&self) -> Option<bool> {
        let counts = &self.counts;
        if counts.missing + counts.different > 0 {
            return Some(false);
        }
        let told = counts.not_known == 0 && self.forge_silent.is_empty() && counts.present > 0;
        told.then_some(true)
    }
}

/// Lists by sort of folder; `None` where the server did not tell.
pub type Lists = BTreeMap<FolderId, Option<Vec<Listed>>>;

/// Forge's lists, and in which of ComfyUI's folders its files may be. Forge keeps models without encoders
/// beside whole ones.
pub const fn forge_lists() -> &'static [(FolderId, &'static [FolderId])] {
    &[
        (
            FolderId::Checkpoints,
            &[FolderId::Checkpoints, FolderId::DiffusionModels],
        ),
        (FolderId::Loras, &[FolderId::Loras]),
        (FolderId::Vae, &[FolderId::Vae]),
        (FolderId::TextEncoders, &[FolderId::TextEncoders]),
        (FolderId::Embeddings, &[FolderId::Embeddings]),
    ]
}

/// Compares what Forge lists with what ComfyUI lists.
pub fn parity(forge: &Lists, comfyui: &Lists) -> Parity {
    let mut parity = Parity::default();
    for (folder, places) in forge_lists() {
        let theirs: Vec<&Listed> = places
            .iter()
            .filter_map(|place| comfyui.get(place)?.as_ref())
            .flatten()
            .collect();
        let told = places
            .iter()
            .any(|place| matches!(comfyui.get(place), Some(Some(_))));
        if !told {
            parity.comfyui_silent.push(*folder);
        }
        let Some(Some(ours)) = forge.get(folder) else {
            parity.forge_silent.push(*folder);
            continue;
        };
        let mut taken = vec![false; theirs.len()];
        for model in ours {
            let row = if told {
                let (row, number) = compared(*folder, model, &theirs);
                if let Some(number) = number {
                    taken[number] = true;
                }
                row
            } else {
                row(*folder, model, ParityState::NotKnown, None, None)
            };
            parity.rows.push(row);
        }
        // The same file may be listed in two places.
        let names: Vec<String> = theirs
            .iter()
            .zip(&taken)
            .filter(|(_, taken)| **taken)
            .map(|(model, _)| plain(&model.name))
            .collect();
        let mut rest: Vec<&&Listed> = theirs
            .iter()
            .zip(&taken)
            .filter(|(model, taken)| !**taken && !names.contains(&plain(&model.name)))
            .map(|(model, _)| model)
            .collect();
        rest.sort_by(|a, b| a.name.cmp(&b.name));
        rest.dedup_by(|a, b| plain(&a.name) == plain(&b.name));
        for model in rest {
            let only = row(*folder, model, ParityState::OnlyInComfyui, None, None);
            parity.rows.push(only);
        }
    }
    parity.counts = counts(&parity.rows);
    parity
}

fn row(
    folder: FolderId,
    model: &Listed,
    state: ParityState,
    by: Option<Match>,
    twin: Option<String>,
) -> ParityRow {
    ParityRow {
        folder,
        name: model.name.clone(),
        twin: twin.filter(|twin| plain(twin) != plain(&model.name)),
        state,
        by,
    }
}

fn compared(folder: FolderId, model: &Listed, theirs: &[&Listed]) -> (ParityRow, Option<usize>) {
    let same_hash = |other: &Listed| match (&model.sha256, &other.sha256) {
        (Some(a), Some(b)) => Some(a.eq_ignore_ascii_case(b)),
        _ => None,
    };
    let found = |number: usize, state, by| {
        let twin = Some(theirs[number].name.clone());
        (row(folder, model, state, by, twin), Some(number))
    };
    let same_file = |other: &Listed| model.file.is_some() && model.file == other.file;
    if let Some(number) = theirs.iter().position(|other| same_file(other)) {
        return found(number, ParityState::Present, Some(Match::File));
    }
    // A file that only has another name there is found by its hash.
    let by_name = named_like(model, theirs);
    if let Some(number) = by_name {
        let other = theirs[number];
        let same_size = model.size.zip(other.size).map(|(a, b)| a == b);
        return match (same_hash(other), same_size) {
            (Some(true), _) => found(number, ParityState::Present, Some(Match::Hash)),
            (Some(false), _) => found(number, ParityState::Different, Some(Match::Hash)),
            (None, Some(true)) => found(number, ParityState::Present, Some(Match::NameAndSize)),
            (None, Some(false)) => found(number, ParityState::Different, Some(Match::NameAndSize)),
            (None, None) => found(number, ParityState::Present, Some(Match::Name)),
        };
    }
    match theirs
        .iter()
        .position(|other| same_hash(other) == Some(true))
    {
        Some(number) => found(number, ParityState::Present, Some(Match::Hash)),
        None => (row(folder, model, ParityState::Missing, None, None), None),
    }
}

/// The whole name, else the file's own where it is the only one, else without its extension: Forge names
/// some files so.
fn named_like(model: &Listed, theirs: &[&Listed]) -> Option<usize> {
    let wanted = plain(&model.name);
    let one = |good: &dyn Fn(&str) -> bool| {
        let mut good = theirs
            .iter()
            .enumerate()
            .filter(|(_, other)| good(&plain(&other.name)));
        match (good.next(), good.next()) {
            (Some((number, _)), None) => Some(number),
            // The same file in two lists.
            (Some((number, first)), Some((_, second)))
                if plain(&first.name) == plain(&second.name) && good.next().is_none() =>
            {
                Some(number)
            }
            _ => None,
        }
    };
    one(&|name| name == wanted)
        .or_else(|| one(&|name| base(name) == base(&wanted)))
        .or_else(|| {
            let bare = !ends_as_model(base(&wanted));
            bare.then(|| one(&|name| stem(base(name)) == base(&wanted)))?
        })
}

fn ends_as_model(name: &str) -> bool {
    super::kind::FileForm::of_name(name).is_model()
}

/// With slashes, whatever system the server runs on.
fn plain(name: &str) -> String {
    name.replace('\\', "/").trim_start_matches('/').to_owned()
}

fn base(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn stem(name: &str) -> &str {
    if ends_as_model(name) {
        name.rsplit_once('.').map_or(name, |(stem, _)| stem)
    } else {
        name
    }
}

fn counts(rows: &[ParityRow]) -> ParityCounts {
    let mut counts = ParityCounts::default();
    for row in rows {
        let count = match row.state {
            ParityState::Present => &mut counts.present,
            ParityState::Different => &mut counts.different,
            ParityState::Missing => &mut counts.missing,
            ParityState::OnlyInComfyui => &mut counts.only_in_comfyui,
            ParityState::NotKnown => &mut counts.not_known,
        };
        *count += 1;
        if row.state == ParityState::Present {
            counts.by_file += u32::from(row.by == Some(Match::File));
            counts.by_hash += u32::from(row.by == Some(Match::Hash));
        }
    }
    counts
}
