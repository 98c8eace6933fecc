//! What a file is, by the names and shapes of its tensors. First what it does, then for which models: a row
//! of a table each, the first that fits counts, and what fits none stays unknown.

#[allow(clippy::enum_glob_use, reason = "the tables name nothing but marks")]
use super::{
    header::Header,
    kind::{Family, ModelKind, Role},
    marks::{
        Mark::{self, *},
        Seen,
    },
};

/// A row: it has all of these, one of those (if any are named), and none of the last.
struct RoleRow {
    role: Role,
    all: &'static [Mark],
    any: &'static [Mark],
    none: &'static [Mark],
}

const fn row(
    role: Role,
    all: &'static [Mark],
    any: &'static [Mark],
    none: &'static [Mark],
) -> RoleRow {
    RoleRow {
        role,
        all,
        any,
        none,
    }
}

/// The most particular first: a ControlNet has a UNet's blocks, a checkpoint has a VAE's.
#[rustfmt::skip]
const ROLES: &[RoleRow] = &[
    row(Role::Controlnet, &[], &[ControlModel, ControlHint, ControlCond, ControlFlux, ControlLora, Adapter, AdapterBody], &[]),
    row(Role::IpAdapter, &[], &[IpKeys, IpProjection], &[LdmModel]),
    row(Role::Lora, &[], &[LoraDown, LoraA, LoraLin, LoraXlabs, LoraHada, LoraLokr, LoraOft], &[LdmModel]),
    row(Role::Checkpoint, &[LdmModel], &[LdmVae, LdmClip, LdmClipXl, TextEncoders], &[]),
    row(Role::DiffusionModel, &[LdmModel], &[], &[]),
    row(Role::DiffusionModel, &[], &[FluxDouble, FluxDiffusers, Joint, LdmUnet], &[]),
    row(Role::DiffusionModel, &[DiffusersUnet, DiffusersDown, DiffusersTime], &[], &[]),
    row(Role::Vae, &[VaeEncoder, VaeDecoder], &[], &[]),
    row(Role::Vae, &[LdmVae], &[], &[LdmClip, LdmClipXl]),
    row(Role::Embedding, &[EmbParams], &[], &[]),
    row(Role::Embedding, &[EmbClipG], &[], &[]),
    row(Role::Embedding, &[EmbClipL], &[], &[]),
    row(Role::ClipVision, &[Vision], &[], &[ClipLayers]),
    row(Role::TextEncoder, &[], &[ClipLayers, T5, OpenClip], &[]),
    row(Role::Upscaler, &[], &[EsrganOld, EsrganNew], &[]),
    row(Role::Upscaler, &[ConvFirst, SwinLayers], &[], &[]),
    row(Role::Upscaler, &[ConvFirst], &[CompactLast], &[]),
];

/// A row: whatever bears this mark, and not that one, belongs to the family.
struct FamilyRow {
    family: Family,
    mark: Mark,
    unless: &'static [Mark],
}

const fn family(family: Family, mark: Mark, unless: &'static [Mark]) -> FamilyRow {
    FamilyRow {
        family,
        mark,
        unless,
    }
}

/// Families known by a name.
#[rustfmt::skip]
const FAMILIES: &[FamilyRow] = &[
    family(Family::Flux, FluxDouble, &[TokenRefiner, SharedModulation, DistilledGuidance]),
    family(Family::Flux, FluxDiffusers, &[]),
    family(Family::Flux, ControlFlux, &[]),
    family(Family::Flux, LoraFlux, &[]),
    family(Family::Flux, LoraFluxSingle, &[]),
    family(Family::Flux, LoraFluxDiffusers, &[]),
    family(Family::Flux, LoraXlabs, &[]),
    family(Family::Sd3, Joint, &[]),
    family(Family::Sd3, LoraJoint, &[]),
    family(Family::Sdxl, LoraTe2, &[]),
    family(Family::Sdxl, EmbClipG, &[]),
];

/// Whose last axis is the width of the text encoder.
const WIDTH_OF: &[Mark] = &[CrossKey, LoraKey, LoraKeyA, LoraKeyLin, LoraKeyHada];

/// Families by the width of their text encoder.
const WIDTHS: &[(u64, Family)] = &[
    (768, Family::Sd15),
    (1024, Family::Sd2),
    (2048, Family::Sdxl),
    (1280, Family::SdxlRefiner),
];

/// Textual inversions by their width.
const EMBEDDING_WIDTHS: &[(u64, Family)] = &[(768, Family::Sd15), (1024, Family::Sd2)];

/// What the program that trained a file wrote into it: the note's name, how it begins, the family.
const NOTES: &[(&str, &str, Family)] = &[
    (
        "modelspec.architecture",
        "stable-diffusion-xl-v1-refiner",
        Family::SdxlRefiner,
    ),
    (
        "modelspec.architecture",
        "stable-diffusion-xl",
        Family::Sdxl,
    ),
    (
        "modelspec.architecture",
        "stable-diffusion-v1",
        Family::Sd15,
    ),
    ("modelspec.architecture", "stable-diffusion-v2", Family::Sd2),
    ("modelspec.architecture", "stable-diffusion-3", Family::Sd3),
    ("modelspec.architecture", "stable-diffusion-v3", Family::Sd3),
    ("modelspec.architecture", "flux-1", Family::Flux),
    ("ss_base_model_version", "sdxl", Family::Sdxl),
    ("ss_base_model_version", "sd_v1", Family::Sd15),
    ("ss_base_model_version", "sd_v2", Family::Sd2),
    ("ss_base_model_version", "sd3", Family::Sd3),
    ("ss_base_model_version", "flux1", Family::Flux),
    ("ss_base_model_version", "flux_1", Family::Flux),
];

/// Trained for a model whose blocks bear the names of another's.
const FOREIGN: &[&str] = &["hunyuan", "chroma", "flux-2", "flux2"];

/// What a header says the file is.
pub fn classify(header: &Header<'_>) -> ModelKind {
    let seen = Seen::of(&header.tensors);
    let role = role(&seen);
    // A VAE, a text encoder or an upscaler is shared by families.
    let belongs = !matches!(
        role,
        Some(Role::Vae | Role::TextEncoder | Role::ClipVision | Role::Upscaler)
    );
    let family = if foreign(header) {
        None
    } else if belongs {
        // Shapes cannot be wrong; a note can.
        family_of(&seen, role).or_else(|| noted(header))
    } else {
        noted(header)
    };
    ModelKind { role, family }
}

fn role(seen: &Seen<'_>) -> Option<Role> {
    let fits = |row: &&RoleRow| {
        row.all.iter().all(|mark| seen.has(*mark))
            && (row.any.is_empty() || row.any.iter().any(|mark| seen.has(*mark)))
            && !row.none.iter().any(|mark| seen.has(*mark))
    };
    ROLES.iter().find(fits).map(|row| row.role)
}

fn family_of(seen: &Seen<'_>, role: Option<Role>) -> Option<Family> {
    let by_name = FAMILIES
        .iter()
        .find(|row| seen.has(row.mark) && !row.unless.iter().any(|mark| seen.has(*mark)));
    if let Some(row) = by_name {
        return Some(row.family);
    }
    let of_width = |table: &[(u64, Family)], width: u64| {
        let found = table.iter().find(|(known, _)| *known == width);
        found.map(|(_, family)| *family)
    };
    if role == Some(Role::Embedding) {
        let width = seen
            .last_axis(EmbParams)
            .or_else(|| seen.last_axis(EmbClipL));
        return of_width(EMBEDDING_WIDTHS, width?);
    }
    let mut widths = WIDTH_OF.iter().filter_map(|mark| seen.last_axis(*mark));
    widths.find_map(|width| of_width(WIDTHS, width))
}

fn foreign(header: &Header<'_>) -> bool {
    let notes = ["modelspec.architecture", "ss_base_model_version"];
    let mut notes = notes.iter().filter_map(|name| header.notes.get(*name));
    notes.any(|note| {
        let note = note.to_ascii_lowercase();
        FOREIGN.iter().any(|start| note.starts_with(start))
    })
}

fn noted(header: &Header<'_>) -> Option<Family> {
    let says = |name: &str, start: &str| {
        let note = header.notes.get(name);
        note.is_some_and(|note| note.to_ascii_lowercase().starts_with(start))
    };
    let found = NOTES.iter().find(|(name, start, _)| says(name, start));
    found.map(|(.., family)| *family)
}
