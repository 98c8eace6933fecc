//! Whether a card has room for a generation: asked before each one, for running out of memory costs
//! everybody on the card theirs.

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{GenerationRequest, Room, RoomBasis, RoomVerdict, Whereabouts, room::room},
    gpu::GpuCard,
    ids::ServiceId,
};

use super::KeeperHandle;
use crate::state::KeeperState;

/// Earlier generations that are looked at; the domain picks those that teach something.
const LOOKED_AT: u32 = 200;
const GIB: f64 = 1_073_741_824.0;

impl KeeperHandle {
    /// What a generation needs on its card, and what is there.
    pub async fn room(
        &self,
        id: &ServiceId,
        request: &GenerationRequest,
    ) -> Result<Room, ErrorInfo> {
        self.watch(id)?;
        let records = self.inner.store.newest_generations(id, LOOKED_AT).await?;
        let state = self.state();
        let state = state.borrow();
        Ok(room(id, request, &records, card_of(&state, id)))
    }

    /// Refuses a generation for which its card certainly has too little room.
    pub(super) async fn has_room(
        &self,
        id: &ServiceId,
        request: &GenerationRequest,
    ) -> Result<(), ErrorInfo> {
        let room = self.room(id, request).await?;
        match room.verdict {
            RoomVerdict::Enough | RoomVerdict::Unknown => Ok(()),
            RoomVerdict::TooLittle => Err(too_little(id, &room)),
        }
    }
}

/// The card that a service computes on, while it can be read: the proved one, the one that holds its
/// memory, or the only one of the host.
fn card_of<'a>(state: &'a KeeperState, id: &ServiceId) -> Option<&'a GpuCard> {
    let service = state.services.iter().find(|service| service.id == *id)?;
    let host = state.hosts.iter().find(|host| host.id == service.host)?;
    let cards = &host.gpus.cards;
    let known = Whereabouts::of(id, &service.placement, cards);
    if known.on_cpu() {
        return None;
    }
    let card = match (known.computes_on(), cards.as_slice()) {
        (Some(uuid), _) => cards.iter().find(|card| card.latest.uuid == *uuid),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    card.filter(|card| card.current)
}

fn too_little(id: &ServiceId, room: &Room) -> ErrorInfo {
    let gib = |bytes: f64| format!("{:.1} GiB", bytes / GIB);
    let learned = match room.basis {
        RoomBasis::Learned { generations: 1 } => "as one earlier picture took".to_owned(),
        RoomBasis::Learned { generations } => {
            format!("as {generations} earlier pictures took")
        }
        RoomBasis::Estimated => "by the model's name and the size of the picture".to_owned(),
    };
    let there = room.card.as_ref().map_or_else(String::new, |card| {
        let (free, held) = (card.free_bytes, card.held_bytes);
        let told = |bytes: Option<f64>| bytes.map_or_else(|| "unknown".to_owned(), gib);
        format!(
            "{}: {} free, {} held by `{id}` itself",
            card.name,
            told(free),
            told(held)
        )
    });
    ErrorInfo::new(
        ErrorCode::GpuMemoryLow,
        format!(
            "The picture needs about {} on its card, {learned}; less than that is there.",
            gib(room.needed_bytes)
        ),
    )
    .hint("Make it smaller, or end what holds the memory (the GPU page says who). It can be asked for all the same: some servers move parts of a model out of the way, and take longer.")
    .detail(there)
}
