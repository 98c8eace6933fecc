//! How each part goes back, and from when on that counts.

use serde::{Deserialize, Serialize};

use crate::{config::PartId, service::KindId};

/// When what was put back counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// At once.
    AtOnce,
    /// When the program starts the next time.
    AtStart,
    /// When the container is made anew (`docker compose up -d`), which a restore never does.
    AtRecreate,
}

/// How a part goes back, as a table. Parts without a row do not go back.
pub(super) struct Way {
    part: PartId,
    pub(super) effect: Effect,
    /// The program holds it in memory and writes the whole of it: what is put back while it runs is
    /// lost at its next change.
    pub(super) writer: bool,
}

const fn way(part: PartId, effect: Effect, writer: bool) -> Way {
    Way {
        part,
        effect,
        writer,
    }
}

/// Forge reads its settings when it starts and writes the whole file at every change, by its page or
/// by a request (forge-api.md §6: it "writes the whole of `config.json`"; forge-container.md §10 rows 3
/// and 7). Nothing says that it writes at its end, and nothing that it does not: so the file is
/// compared once more after the stop. Its page's values and its styles are held in the same way.
/// ComfyUI never writes its paths and reads them at its start; its settings it reads for each request.
const WAYS: &[Way] = &[
    way(PartId::Compose, Effect::AtRecreate, false),
    way(PartId::EnvFile, Effect::AtRecreate, false),
    way(PartId::ForgeConfig, Effect::AtStart, true),
    way(PartId::ForgeUiConfig, Effect::AtStart, true),
    way(PartId::ForgeStyles, Effect::AtStart, true),
    way(PartId::ComfyPaths, Effect::AtStart, false),
    way(PartId::ComfySettings, Effect::AtOnce, false),
];

pub(super) fn way_of(part: PartId) -> Option<&'static Way> {
    WAYS.iter().find(|way| way.part == part)
}

/// The part that a key is looked for in when nobody says where.
pub fn settings_part(kind: KindId) -> PartId {
    match kind {
        KindId::Forge => PartId::ForgeConfig,
        KindId::Comfyui => PartId::ComfySettings,
    }
}
