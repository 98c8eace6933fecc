//! How much memory a generation needs on its card, learned from earlier ones, and how much is there.

use serde::{Deserialize, Serialize};

use super::{GenerationRecord, GenerationRequest, GenerationVerdict};
use crate::{
    gpu::GpuCard,
    ids::{GpuUuid, ServiceId},
};

const GIB: f64 = 1_073_741_824.0;
/// What a pixel of a picture takes beside the model, bytes: the peak is the decoding of the latent image.
const PER_PIXEL: f64 = 2_048.0;
/// Readings come five times a second: a peak may be higher than the highest one seen.
const UNSEEN: f64 = 1.03;
/// Earlier generations that are learned from; older ones are of other settings.
const LEARNED_FROM: usize = 40;

/// Models by what their names say, with what they hold at the least, GiB: half precision, or the small
/// form in which they are usually kept. The first row that fits counts.
const FAMILIES: [(&[&str], f64); 3] = [
    (&["flux", "sd3", "qwen", "hidream"], 7.0),
    (&["xl", "pony", "illustrious", "noob", "animagine"], 5.5),
    (&[""], 2.0),
];

/// Where an estimate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum RoomBasis {
    /// Peaks of earlier generations of this model on this service.
    Learned {
        /// How many.
        generations: u32,
    },
    /// The model's name and the size of the picture alone.
    Estimated,
}

/// Whether there is room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum RoomVerdict {
    /// What is free suffices.
    Enough,
    /// What is free, with what the service itself holds and may let go, does not suffice.
    TooLittle,
    /// That cannot be told.
    Unknown,
}

/// What a generation needs on its card, and what is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Room {
    /// Whether there is room.
    pub verdict: RoomVerdict,
    /// Bytes that the service will hold at the peak.
    pub needed_bytes: f64,
    /// Where that comes from.
    pub basis: RoomBasis,
    /// The card on which it will be made; `None` when that is not known.
    pub card: Option<RoomCard>,
}

/// A card with what is free on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct RoomCard {
    /// Its key.
    pub uuid: GpuUuid,
    /// As the driver names it.
    pub name: String,
    /// Bytes that nobody holds; `None` when the driver does not tell.
    pub free_bytes: Option<f64>,
    /// Bytes that the service itself holds, and uses for the picture; `None` when that is not known.
    pub held_bytes: Option<f64>,
}

/// Judges the room for a request. `records` are the service's generations, newest first; `card` is the
/// one that it computes on, as far as that is known and its readings are current.
pub fn room(
    service: &ServiceId,
    request: &GenerationRequest,
    records: &[GenerationRecord],
    card: Option<&GpuCard>,
) -> Room {
    let (needed, basis) = needed(request, records);
    let card = card.map(|card| RoomCard {
        uuid: card.latest.uuid.clone(),
        name: card.latest.name.clone(),
        free_bytes: card.latest.free().map(bytes),
        held_bytes: held_by(service, card),
    });
    let verdict = match &card {
        Some(RoomCard {
            free_bytes: Some(free),
            held_bytes,
            ..
        }) => match held_bytes {
            _ if *free >= needed => RoomVerdict::Enough,
            Some(held) if free + held >= needed => RoomVerdict::Enough,
            Some(_) => RoomVerdict::TooLittle,
            // It may hold the very model that is needed.
            None => RoomVerdict::Unknown,
        },
        Some(_) | None => RoomVerdict::Unknown,
    };
    Room {
        verdict,
        needed_bytes: needed,
        basis,
        card,
    }
}

/// What a service holds on a card, bytes; `None` when nothing counts it, or not all of it.
pub fn held_by(service: &ServiceId, card: &GpuCard) -> Option<f64> {
    let shares = &card.shares.as_ref()?.shares;
    let share = shares
        .iter()
        .find(|share| share.holder.is_service(service))?;
    share.memory.filter(|_| !share.at_least).map(bytes)
}

/// Bytes that a service will hold at the peak of a generation.
fn needed(request: &GenerationRequest, records: &[GenerationRecord]) -> (f64, RoomBasis) {
    let pixels = pixels(request);
    let model = model_of(request, records);
    let mut peaks: Vec<(f64, f64)> = records
        .iter()
        .filter(|record| same_model(model_used(record), model))
        .filter_map(|record| Some((self::pixels(&record.request), peak_of(record)?)))
        .take(LEARNED_FROM)
        .collect();
    if peaks.is_empty() {
        return (estimate(model, pixels), RoomBasis::Estimated);
    }
    peaks.sort_by(|a, b| a.0.total_cmp(&b.0));
    let generations = u32::try_from(peaks.len()).unwrap_or(u32::MAX);
    (
        between(&peaks, pixels) * UNSEEN,
        RoomBasis::Learned { generations },
    )
}

/// The peak at a size, from peaks at others by rising size: that of the same size where there is one,
/// else the nearest with what the difference takes, never less than a smaller nor more than a larger took.
fn between(peaks: &[(f64, f64)], pixels: f64) -> f64 {
    let highest =
        |peaks: &mut dyn Iterator<Item = &(f64, f64)>| peaks.map(|peak| peak.1).reduce(f64::max);
    let same = |size: f64| (size - pixels).abs() < 1.0;
    if let Some(peak) = highest(&mut peaks.iter().filter(|peak| same(peak.0))) {
        return peak;
    }
    let smaller = highest(&mut peaks.iter().filter(|peak| peak.0 < pixels));
    let larger = highest(&mut peaks.iter().filter(|peak| peak.0 > pixels));
    let near = peaks
        .iter()
        .min_by(|a, b| (a.0 - pixels).abs().total_cmp(&(b.0 - pixels).abs()));
    let near = near.map_or(0.0, |(size, peak)| peak + (pixels - size) * PER_PIXEL);
    let near = smaller.map_or(near, |smaller| near.max(smaller));
    larger.map_or(near, |larger| near.min(larger.max(smaller.unwrap_or(0.0))))
}

/// What the service held at the peak of a generation that made its picture: the card's peak without what
/// others held when it began.
fn peak_of(record: &GenerationRecord) -> Option<f64> {
    if !matches!(
        record.verdict,
        GenerationVerdict::Proved | GenerationVerdict::Blank
    ) {
        return None;
    }
    let card = record.card.as_ref()?;
    let others = card.memory_before_bytes? - card.held_before_bytes?;
    let peak = card.memory_peak_bytes? - others.max(0.0);
    (peak > 0.0).then_some(peak)
}

fn estimate(model: Option<&str>, pixels: f64) -> f64 {
    let name = model.unwrap_or_default().to_lowercase();
    let family = FAMILIES
        .iter()
        .find(|(words, _)| words.iter().any(|word| name.contains(word)));
    family.map_or(2.0, |(_, gib)| *gib) * GIB + pixels * PER_PIXEL
}

/// The model that a request will use: the one it names, else the one that the newest picture used for
/// which none was named.
fn model_of<'a>(
    request: &'a GenerationRequest,
    records: &'a [GenerationRecord],
) -> Option<&'a str> {
    let last = || {
        let plain = records
            .iter()
            .find(|r| r.request.model.is_none() && r.model.is_some());
        plain.and_then(|record| record.model.as_deref())
    };
    request.model.as_deref().or_else(last)
}

fn model_used(record: &GenerationRecord) -> Option<&str> {
    record.model.as_deref().or(record.request.model.as_deref())
}

/// A model is named with and without its folder, ending and hash.
fn same_model(one: Option<&str>, other: Option<&str>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => bare(one) == bare(other),
        (None, None) => true,
        _ => false,
    }
}

fn bare(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let name = name.split(" [").next().unwrap_or(name).trim();
    let ending = [".safetensors", ".ckpt", ".gguf", ".pt", ".sft"];
    let found = ending.iter().find_map(|ending| name.strip_suffix(ending));
    found.unwrap_or(name).to_lowercase()
}

fn pixels(request: &GenerationRequest) -> f64 {
    let (width, height) = request.picture_size();
    f64::from(width) * f64::from(height) * f64::from(request.batch.max(1))
}

#[allow(clippy::cast_precision_loss)] // Bytes of a card.
fn bytes(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests;
