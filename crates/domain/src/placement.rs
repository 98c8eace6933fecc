//! Which card a service computes on: as declared, as reported, as measured, side by side.
//!
//! On WSL 2 a compose reservation isolates no card, and CUDA counts the fastest card first, so
//! neither a declaration nor a report proves anything. Only a card that works when the service
//! works does (see [`proof`]).

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::{GpuUuid, ServiceId};

pub mod declared;
pub mod proof;
pub mod ready;
pub mod remedy;
pub mod reported;

pub use declared::{Declaration, DeclarationSource, Declared};
pub use proof::{Confidence, Doubt, Found, Round};
pub use remedy::PlacementRemedy;
pub use reported::ReportedDevice;

/// A proof is believed for seven days.
pub const FADES_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A proof may seem to end so much later than now: clocks are set.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_mins(5);

/// What a proof found, compared with what was declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum PlacementVerdict {
    /// The declared card did the work.
    Agrees,
    /// Another card than the declared one did the work.
    Differs,
    /// Another card than the declared one did the work, and another service computes on it too.
    SharedCard,
    /// A card did the work, and nothing is declared to compare it with.
    Undeclared,
    /// One of several declared cards did the work, and the declarations contradict each other.
    Conflicting,
    /// No card did the work.
    Cpu,
    /// The measurement was not clear.
    CouldNotTell,
}

impl PlacementVerdict {
    /// Whether this is what nobody declared.
    pub fn is_wrong(self) -> bool {
        matches!(self, Self::Differs | Self::SharedCard | Self::Cpu)
    }
}

/// Why a proof is not believed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Fading {
    /// It is older than seven days.
    Age,
    /// Its time lies ahead: how old it is cannot be told.
    Clock,
    /// The GPU driver is another one.
    Driver,
    /// The cards are others.
    Cards,
    /// The container engine is another one.
    Engine,
    /// The container was made anew.
    Container,
    /// The compose configuration of the container is another one.
    Compose,
    /// The service's address is another one: another program may have been asked.
    Address,
}

/// What a proof rests on. When any of it changes, the proof fades.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Basis {
    /// Driver version.
    pub driver: Option<String>,
    /// UUIDs of the host's cards, sorted.
    pub cards: Vec<GpuUuid>,
    /// Engine version.
    pub engine: Option<String>,
    /// Full id of the container; [`Basis::NO_CONTAINER`] where the engine says that there is none.
    pub container: Option<String>,
    /// `com.docker.compose.config-hash` of the container.
    pub compose: Option<String>,
    /// The address that was asked for the picture; proofs of older versions do not know it.
    pub address: Option<String>,
}

impl Basis {
    /// In place of a container's id: it is known that there is none.
    pub const NO_CONTAINER: &str = "none";

    /// What has changed since; what is not known now (the engine is away) has not. A card that is
    /// not seen now may only be out of sight, because the container that shows it rests; one that
    /// was not there then may do what another one was seen doing.
    pub fn changed(&self, now: &Basis) -> Option<Fading> {
        let differs = |then: &Option<String>, now: &Option<String>| now.is_some() && then != now;
        if differs(&self.driver, &now.driver) {
            Some(Fading::Driver)
        } else if now.cards.iter().any(|card| !self.cards.contains(card)) {
            Some(Fading::Cards)
        } else if differs(&self.engine, &now.engine) {
            Some(Fading::Engine)
        } else if differs(&self.compose, &now.compose) {
            Some(Fading::Compose)
        } else if differs(&self.container, &now.container) {
            Some(Fading::Container)
        } else if self.address.is_some() && differs(&self.address, &now.address) {
            Some(Fading::Address)
        } else {
            None
        }
    }
}

/// One placement proof with its evidence, as kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Measurement {
    /// Of which service.
    pub service: ServiceId,
    /// When it ended.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub at: Timestamp,
    /// What was found.
    pub finding: Found,
    /// How sure that is.
    pub confidence: Confidence,
    /// What it rests on.
    pub basis: Basis,
    /// Each round with its readings.
    pub rounds: Vec<Round>,
}

impl Measurement {
    /// From the first picture to the end, milliseconds.
    pub fn took_ms(&self) -> Option<u32> {
        let began = self.rounds.first()?.at;
        u32::try_from(self.at.as_millisecond() - began.as_millisecond()).ok()
    }
}

/// What is remembered of a service's proofs: one that found nothing takes nothing away from one
/// that did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Proofs {
    /// The newest that found anything, else the newest.
    pub measured: Option<Measurement>,
    /// A newer one that found nothing, when `measured` did find something.
    pub unclear: Option<UnclearProof>,
}

impl Proofs {
    /// Takes the next proof in.
    pub fn take(&mut self, next: Measurement) {
        let found = |m: &Measurement| UnclearProof::of(m).is_none();
        self.unclear =
            UnclearProof::of(&next).filter(|_| self.measured.as_ref().is_some_and(found));
        if self.unclear.is_none() {
            self.measured = Some(next);
        }
    }
}

/// A proof as shown beside declaration and report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Proved {
    /// When.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub at: Timestamp,
    /// Compared with the declaration of now.
    pub verdict: PlacementVerdict,
    /// How sure.
    pub confidence: Confidence,
    /// The card that did the work.
    pub card: Option<GpuUuid>,
    /// Other services that compute on that card, by their own proofs.
    pub shared_with: Vec<ServiceId>,
    /// A service that computes on the card declared for this one, while this one computes on its.
    pub swapped_with: Option<ServiceId>,
    /// Rounds it took.
    pub rounds: u32,
    /// Why it is not believed any more; a faded proof proves nothing.
    pub faded: Option<Fading>,
}

impl Proved {
    /// Whether it counts and found the card that is declared.
    pub fn is_right(&self) -> bool {
        self.faded.is_none() && self.verdict == PlacementVerdict::Agrees
    }
}

/// A proof that could not tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct UnclearProof {
    /// When it ended.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub at: Timestamp,
    /// Why its last unclear round was not clear.
    pub reason: Doubt,
}

impl UnclearProof {
    /// Of a measurement, when that is what it is.
    pub fn of(measurement: &Measurement) -> Option<Self> {
        match measurement.finding {
            Found::Unclear { reason } => Some(Self {
                at: measurement.at,
                reason,
            }),
            Found::Card { .. } | Found::Cpu => None,
        }
    }
}

/// Everything known of where a service computes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Placement {
    /// As declared.
    pub declared: Declared,
    /// As the service itself reports.
    pub reported: Option<ReportedDevice>,
    /// As measured: the newest proof that found anything, else the newest one.
    pub proved: Option<Proved>,
    /// A newer proof that found nothing.
    pub unclear: Option<UnclearProof>,
    /// What to change when the proof says that it is wrong.
    pub remedy: Option<PlacementRemedy>,
}

/// A service as it is compared with others.
#[derive(Debug, Clone)]
pub struct Compared<'a> {
    /// Which.
    pub service: &'a ServiceId,
    /// Its declaration.
    pub declared: &'a Declared,
    /// Its newest proof, and what it would rest on now.
    pub measured: Option<(&'a Measurement, Basis)>,
}

impl Compared<'_> {
    /// Why its proof is not believed any more.
    fn faded(&self, now: Timestamp) -> Option<Fading> {
        let (measurement, basis) = self.measured.as_ref()?;
        let age = now.duration_since(measurement.at);
        if age > FADES_AFTER {
            return Some(Fading::Age);
        }
        if age < -CLOCK_SLACK {
            return Some(Fading::Clock);
        }
        measurement.basis.changed(basis)
    }

    /// The card it computes on, while that is believed.
    fn card(&self, now: Timestamp) -> Option<&GpuUuid> {
        if self.faded(now).is_some() {
            return None;
        }
        match &self.measured.as_ref()?.0.finding {
            Found::Card { uuid } => Some(uuid),
            Found::Cpu | Found::Unclear { .. } => None,
        }
    }

    /// Its proof as shown; `others` are the other services of the same host.
    pub fn proved(&self, others: &[Compared<'_>], now: Timestamp) -> Option<Proved> {
        let (measurement, _) = self.measured.as_ref()?;
        let declared = self.declared.card.as_ref();
        let card = match &measurement.finding {
            Found::Card { uuid } => Some(uuid),
            Found::Cpu | Found::Unclear { .. } => None,
        };
        let others = || others.iter().filter(|other| other.service != self.service);
        let shared_with: Vec<ServiceId> = others()
            .filter(|other| card.is_some() && other.card(now) == card)
            .map(|other| other.service.clone())
            .collect();
        let differs = card.is_some() && declared.is_some() && card != declared;
        let swapped_with = others()
            .find(|other| {
                differs && other.card(now) == declared && other.declared.card.as_ref() == card
            })
            .map(|other| other.service.clone());
        let verdict = match (&measurement.finding, declared) {
            (Found::Unclear { .. }, _) => PlacementVerdict::CouldNotTell,
            (Found::Cpu, _) => PlacementVerdict::Cpu,
            (Found::Card { .. }, None) => PlacementVerdict::Undeclared,
            (Found::Card { uuid }, _) if self.declared.contradicts_itself_about(uuid) => {
                PlacementVerdict::Conflicting
            }
            (Found::Card { uuid }, Some(declared)) if uuid == declared => PlacementVerdict::Agrees,
            (Found::Card { .. }, Some(_)) if !shared_with.is_empty() => {
                PlacementVerdict::SharedCard
            }
            (Found::Card { .. }, Some(_)) => PlacementVerdict::Differs,
        };
        Some(Proved {
            at: measurement.at,
            verdict,
            confidence: measurement.confidence,
            card: card.cloned(),
            shared_with,
            swapped_with,
            rounds: u32::try_from(measurement.rounds.len()).unwrap_or(u32::MAX),
            faded: self.faded(now),
        })
    }
}

#[cfg(test)]
mod tests;
