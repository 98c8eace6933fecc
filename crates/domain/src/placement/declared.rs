//! What is declared about a service's card: the compose reservation, the container's environment,
//! Forgekeeper's own settings.

use serde::{Deserialize, Serialize};

use crate::{container::ContainerSnapshot, gpu::GpuSample, ids::GpuUuid};

/// Limits a container to cards (NVIDIA container runtime); isolates nothing on WSL 2.
pub const NVIDIA_VISIBLE: &str = "NVIDIA_VISIBLE_DEVICES";
/// Limits CUDA to cards, counted in its own order.
pub const CUDA_VISIBLE: &str = "CUDA_VISIBLE_DEVICES";
/// The order in which CUDA counts: `FASTEST_FIRST` unless it says `PCI_BUS_ID`.
pub const CUDA_ORDER: &str = "CUDA_DEVICE_ORDER";
/// The variables whose values are read from a container's environment, and no others.
pub const GPU_VARIABLES: &[&str] = &[NVIDIA_VISIBLE, CUDA_VISIBLE, CUDA_ORDER];

/// Where a declaration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum DeclarationSource {
    /// `device_ids` of the reservation, as the engine keeps it.
    Reservation,
    /// `CUDA_VISIBLE_DEVICES` of the container.
    CudaVisible,
    /// `NVIDIA_VISIBLE_DEVICES` of the container.
    NvidiaVisible,
    /// `declared_gpu` of `forgekeeper.toml`.
    Settings,
}

/// One declaration and the cards that it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Declaration {
    /// Where it stands.
    pub source: DeclarationSource,
    /// As written.
    pub value: String,
    /// The cards it names, as far as they are known.
    pub cards: Vec<GpuUuid>,
    /// It counts cards in CUDA's own order: which card is meant cannot be known from here.
    pub cuda_order: bool,
}

/// All declarations of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Declared {
    /// The one card that is meant, when they name one.
    pub card: Option<GpuUuid>,
    /// Each declaration, the one that decides first.
    pub all: Vec<Declaration>,
    /// They name different cards.
    pub conflict: bool,
}

impl Declared {
    /// Whether this is one of the cards that the declarations name, while they name others too.
    /// What is none of them differs from all.
    pub fn contradicts_itself_about(&self, card: &GpuUuid) -> bool {
        let named = |declaration: &Declaration| declaration.cards.as_slice() == [card.clone()];
        self.conflict && self.all.iter().any(named)
    }
}

/// Reads what is declared, against the cards that there are.
pub fn declared(
    container: Option<&ContainerSnapshot>,
    settings_index: Option<u32>,
    cards: &[GpuSample],
) -> Declared {
    let mut all = Vec::new();
    if let Some(container) = container {
        let variable = |name: &str| {
            let pair = container.gpu_env.iter().find(|pair| pair.name == name);
            pair.map(|pair| pair.value.as_str())
                .filter(|value| !value.trim().is_empty())
        };
        if !container.gpu_device_ids.is_empty() {
            let value = container.gpu_device_ids.join(", ");
            all.push(named(DeclarationSource::Reservation, &value, cards, false));
        }
        let pci_order = variable(CUDA_ORDER).is_some_and(|order| order == "PCI_BUS_ID");
        if let Some(value) = variable(CUDA_VISIBLE) {
            // Inside a container that was given some cards, indices count those alone.
            let given = variable(NVIDIA_VISIBLE).is_none_or(|v| v.eq_ignore_ascii_case("all"));
            let all_visible = container.gpu_device_ids.is_empty() && given;
            let own_order = !(pci_order && all_visible);
            all.push(named(
                DeclarationSource::CudaVisible,
                value,
                cards,
                own_order,
            ));
        }
        if let Some(value) = variable(NVIDIA_VISIBLE) {
            all.push(named(DeclarationSource::NvidiaVisible, value, cards, false));
        }
    }
    if let Some(index) = settings_index {
        let value = index.to_string();
        all.push(named(DeclarationSource::Settings, &value, cards, false));
    }
    let single: Vec<&GpuUuid> = all
        .iter()
        .filter_map(|declaration| match declaration.cards.as_slice() {
            [card] => Some(card),
            _ => None,
        })
        .collect();
    let card = single.first().map(|card| (*card).clone());
    let conflict = single.iter().any(|other| Some(*other) != card.as_ref());
    Declared {
        card,
        all,
        conflict,
    }
}

fn named(
    source: DeclarationSource,
    value: &str,
    cards: &[GpuSample],
    cuda_order: bool,
) -> Declaration {
    let mut counted = false;
    let mut found: Vec<GpuUuid> = Vec::new();
    let words = value
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty());
    for word in words {
        if word.eq_ignore_ascii_case("all") {
            found.extend(cards.iter().map(|card| card.uuid.clone()));
        } else if let Ok(index) = word.parse::<u32>() {
            counted = true;
            let card = cards.iter().find(|card| card.index == index);
            found.extend(card.filter(|_| !cuda_order).map(|card| card.uuid.clone()));
        } else {
            // CUDA takes the beginning of a UUID where that is enough to tell.
            let mut matching = cards.iter().filter(|c| c.uuid.as_str().starts_with(word));
            if let (Some(card), None) = (matching.next(), matching.next()) {
                found.push(card.uuid.clone());
            }
        }
    }
    found.sort();
    found.dedup();
    Declaration {
        source,
        value: value.to_owned(),
        cards: found,
        cuda_order: cuda_order && counted,
    }
}
