//! What the service would collide with, found before anything is made.

use serde::{Deserialize, Serialize};

use super::{Beside, beside::GpuWish};
use crate::ids::GpuUuid;

/// Somebody who is there already: a container of the engine, or a service of a compose file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Neighbour {
    /// The container's or the service's name, for words.
    pub name: String,
    /// Names that nobody else may have.
    pub names: Vec<String>,
    /// Ports of the host that it holds, or would hold.
    pub ports: Vec<(u16, u16)>,
    /// Its project and service of compose.
    pub compose: Option<(String, String)>,
    /// The cards that it is declared on.
    pub cards: Vec<GpuUuid>,
    /// It was made by this very step.
    pub ours: bool,
}

/// One collision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "conflict", rename_all = "snake_case")]
pub enum Conflict {
    /// A container of this name exists.
    Name {
        /// The name.
        name: String,
    },
    /// The port is taken.
    Port {
        /// Which.
        port: u16,
        /// By whom.
        by: String,
    },
    /// Another service computes on the card. The step does not fail for it: both may share one, and
    /// the owner is told.
    SharedCard {
        /// Which.
        card: GpuUuid,
        /// By whom.
        by: String,
    },
    /// The card is none of those that there are.
    NoSuchCard {
        /// Which.
        card: GpuUuid,
    },
    /// A project of this name has other services.
    Project {
        /// The project.
        project: String,
    },
}

impl Conflict {
    /// Whether nothing is made because of it.
    pub fn refuses(&self) -> bool {
        !matches!(self, Self::SharedCard { .. })
    }
}

/// Everything that the service would collide with. `cards` are those that there are; `None`: not known.
pub fn conflicts(
    wanted: &Beside,
    neighbours: &[Neighbour],
    cards: Option<&[GpuUuid]>,
) -> Vec<Conflict> {
    let mut found = Vec::new();
    if let (GpuWish::Card(card), Some(cards)) = (&wanted.gpu, cards)
        && !cards.contains(card)
    {
        found.push(Conflict::NoSuchCard { card: card.clone() });
    }
    for neighbour in neighbours.iter().filter(|neighbour| !neighbour.ours) {
        if neighbour.names.contains(&wanted.container) {
            let name = wanted.container.clone();
            found.push(Conflict::Name { name });
        } else if neighbour
            .compose
            .as_ref()
            .is_some_and(|(project, _)| *project == wanted.project)
        {
            let project = wanted.project.clone();
            found.push(Conflict::Project { project });
        }
        let port = wanted.port;
        if neighbour
            .ports
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&port))
        {
            let by = neighbour.name.clone();
            found.push(Conflict::Port { port, by });
        }
        if let GpuWish::Card(card) = &wanted.gpu
            && neighbour.cards.contains(card)
        {
            found.push(Conflict::SharedCard {
                card: card.clone(),
                by: neighbour.name.clone(),
            });
        }
    }
    let mut once: Vec<Conflict> = Vec::new();
    for conflict in found {
        if !once.contains(&conflict) {
            once.push(conflict);
        }
    }
    once
}
