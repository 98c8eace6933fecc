//! `gpu-plan`: a card is chosen for the target, and has room beside what lives there at its peak.

use forgekeeper_domain::{
    generation::{GenerationRequest, Whereabouts, room::held_by},
    gpu::GpuCard,
    ids::{GpuUuid, ServiceId},
    migration::{Finding, Words},
    outcome::Status,
};
use futures_util::future::BoxFuture;

use crate::{
    migration::{Site, StepWork},
    state::{HostState, KeeperState, ServiceState},
};

/// The step.
#[derive(Debug)]
pub(crate) struct GpuPlan;

impl StepWork for GpuPlan {
    fn check<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Finding> {
        Box::pin(async move { look(site).await.unwrap_or_else(|finding| finding) })
    }
}

async fn look(site: &Site) -> Result<Finding, Finding> {
    let uuid = site.target().gpu.clone();
    let uuid = uuid.ok_or_else(|| Finding::unset("target", "gpu"))?;
    let from = site.from()?;
    let state = site.state();
    let host = state.hosts.iter().find(|host| host.id == from.host);
    let host = host.ok_or_else(unread)?;
    let card = chosen(host, &uuid)?;
    // The target may not be set up yet: then the same model is expected to hold what it holds on Forge.
    let to = site
        .target()
        .to
        .clone()
        .filter(|to| site.service(to).is_some());
    let request = GenerationRequest::default();
    let unasked = |_| unread();
    let peak = site
        .keeper()
        .room(&from.id, &request)
        .await
        .map_err(unasked)?;
    let needed = match &to {
        Some(to) => {
            site.keeper()
                .room(to, &request)
                .await
                .map_err(unasked)?
                .needed_bytes
        }
        None => peak.needed_bytes,
    };
    let places = Places {
        total: card.latest.memory_total.map(bytes),
        used: card.latest.memory_used.map(bytes),
        from_here: computes_on(&state, host, &from.id).map(|on| on == uuid),
        held_by_from: held_by(&from.id, card),
        held_by_to: to.as_ref().and_then(|to| held_by(to, card)),
        from_peak: peak.needed_bytes,
        needed,
    };
    let finding = judged(&places)
        .with("card", &card.latest.name)
        .with("uuid", &uuid)
        .with_some("memory_total_bytes", card.latest.memory_total)
        .with_some("memory_free_bytes", card.latest.memory_free)
        .with("forge_on_this_card", told(places.from_here))
        .with("forge_peak_bytes", whole(places.from_peak))
        .with("needed_bytes", whole(places.needed));
    Ok(match to {
        Some(to) => finding.and(proved_elsewhere(&state, &to, &uuid)),
        None => finding,
    })
}

fn chosen<'h>(host: &'h HostState, uuid: &GpuUuid) -> Result<&'h GpuCard, Finding> {
    if host.gpus.cards.is_empty() {
        return Err(unread());
    }
    let card = host
        .gpus
        .cards
        .iter()
        .find(|card| card.latest.uuid == *uuid);
    let Some(card) = card else {
        let known: Vec<&str> = host
            .gpus
            .cards
            .iter()
            .map(|c| c.latest.uuid.as_str())
            .collect();
        return Err(Finding::failed(Words::both(
            "The host has no such card.",
            "L’hôte n’a pas cette carte.",
        ))
        .with("uuid", uuid)
        .with("cards", known.join(", ")));
    };
    if !card.current {
        return Err(unread().with("card", &card.latest.name));
    }
    if card.outcome.status == Status::Failing {
        return Err(Finding::failed(Words::both(
            "The card is in trouble.",
            "La carte a un problème.",
        ))
        .with("card", &card.latest.name)
        .with_some("cause", card.outcome.cause));
    }
    Ok(card)
}

/// A placement proof of the target that found another card speaks against the plan.
fn proved_elsewhere(state: &KeeperState, to: &ServiceId, uuid: &GpuUuid) -> Finding {
    let placement = service(state, to).and_then(|service| service.placement.proved.as_ref());
    let proved = placement
        .filter(|proved| proved.faded.is_none())
        .and_then(|proved| proved.card.as_ref());
    match proved {
        Some(card) if card != uuid => Finding::failed(Words::both(
            "The placement proof found the target on another card.",
            "La preuve de placement a trouvé la cible sur une autre carte.",
        ))
        .with("proved_card", card),
        Some(card) => Finding::proved().with("proved_card", card),
        None => Finding::proved(),
    }
}

fn service<'s>(state: &'s KeeperState, id: &ServiceId) -> Option<&'s ServiceState> {
    state.services.iter().find(|service| service.id == *id)
}

fn computes_on(state: &KeeperState, host: &HostState, id: &ServiceId) -> Option<GpuUuid> {
    let placement = &service(state, id)?.placement;
    let known = Whereabouts::of(id, placement, &host.gpus.cards);
    known.computes_on().cloned()
}

/// What is known of a card's memory, bytes.
#[derive(Debug, Clone, Copy)]
struct Places {
    total: Option<f64>,
    used: Option<f64>,
    /// Whether Forge computes on it.
    from_here: Option<bool>,
    held_by_from: Option<f64>,
    held_by_to: Option<f64>,
    /// What Forge holds at its peak.
    from_peak: f64,
    /// What the target will hold at its peak.
    needed: f64,
}

fn judged(places: &Places) -> Finding {
    let (Some(total), Some(used)) = (places.total, places.used) else {
        return unread();
    };
    let others = match places.from_here {
        Some(false) => used - places.held_by_to.unwrap_or(0.0),
        Some(true) => match places.held_by_from {
            Some(held) => {
                used - held - places.held_by_to.unwrap_or(0.0) + places.from_peak.max(held)
            }
            None => {
                return Finding::unknown(Words::both(
                    "What Forge holds of the card is not known.",
                    "Ce que Forge occupe sur la carte n’est pas connu.",
                ));
            }
        },
        None => {
            return Finding::unknown(Words::both(
                "Where Forge computes is not known: prove its placement on the GPU page.",
                "La carte qu’utilise Forge n’est pas connue\u{202f}: prouver son placement sur la page GPU.",
            ));
        }
    };
    let left = total - others.max(0.0);
    let finding = if left >= places.needed {
        Finding::proved()
    } else {
        Finding::failed(Words::both(
            "The card has too little memory for the target beside what lives there at its peak.",
            "La carte n’a pas assez de mémoire pour la cible à côté de ce qui l’occupe au plus fort.",
        ))
    };
    finding.with("left_at_peak_bytes", whole(left.max(0.0)))
}

fn unread() -> Finding {
    Finding::unknown(Words::both(
        "The cards of the host cannot be read now.",
        "Les cartes de l’hôte ne peuvent pas être lues maintenant.",
    ))
}

fn told(known: Option<bool>) -> &'static str {
    match known {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    }
}

fn bytes(count: u64) -> f64 {
    count as f64
}

fn whole(bytes: f64) -> String {
    format!("{bytes:.0}")
}

#[cfg(test)]
mod tests {
    use forgekeeper_domain::migration::Found;

    use super::*;

    const GIB: f64 = 1_073_741_824.0;

    #[test]
    fn room_is_what_is_left_beside_the_peak_and_unknown_is_unknown() {
        let card = Places {
            total: Some(24.0 * GIB),
            used: Some(6.0 * GIB),
            from_here: Some(true),
            held_by_from: Some(5.0 * GIB),
            held_by_to: None,
            from_peak: 9.0 * GIB,
            needed: 12.0 * GIB,
        };
        // 24 - (6 - 5) - 9 = 14.
        let cases = [
            (card, Found::Proved),
            (
                Places {
                    needed: 15.0 * GIB,
                    ..card
                },
                Found::Failed,
            ),
            // It lives elsewhere: only what others hold counts.
            (
                Places {
                    from_here: Some(false),
                    needed: 18.0 * GIB,
                    ..card
                },
                Found::Proved,
            ),
            (
                Places {
                    from_here: None,
                    ..card
                },
                Found::Unknown,
            ),
            (
                Places {
                    held_by_from: None,
                    ..card
                },
                Found::Unknown,
            ),
            (
                Places {
                    total: None,
                    ..card
                },
                Found::Unknown,
            ),
            // Forge is started later: its peak is kept free.
            (
                Places {
                    used: Some(0.0),
                    held_by_from: Some(0.0),
                    needed: 16.0 * GIB,
                    ..card
                },
                Found::Failed,
            ),
        ];
        for (places, expected) in cases {
            assert_eq!(judged(&places).found, expected, "{places:?}");
        }
    }
}
