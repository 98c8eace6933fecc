//! Where each service computes, and who holds what of each card: facts of services and cards put
//! together. What they mean is decided in the domain.

use std::collections::{BTreeMap, HashMap};

use forgekeeper_domain::{
    Timestamp,
    checks::is_fresh,
    container::{ContainerSnapshot, RunState},
    facts::{ApiFact, DeviceReport, Measured, PlacementFact},
    gpu::{
        GpuSample, GpuSourceInfo,
        shares::{MemoryClaim, divide},
    },
    ids::{GpuUuid, ServiceId},
    placement::{
        Basis, Compared, Declared, Measurement, Placement, Proved, UnclearProof,
        declared::declared,
        remedy::remedy,
        reported::{self, ReportSource, ReportedDevice},
    },
};

use super::memory::{HostMemory, ServiceMemory};
use crate::{settings::ServiceSettings, state::HostState};

/// What a proof of a service would rest on now.
pub(crate) fn basis(
    host: &HostState,
    container: Option<&ContainerSnapshot>,
    address: Option<&str>,
) -> Basis {
    let driver = match &host.gpus.source {
        GpuSourceInfo::Nvml { driver, .. } | GpuSourceInfo::NvidiaSmi { driver, .. } => {
            driver.clone()
        }
        GpuSourceInfo::None { .. } => None,
    };
    // One that is lost, or not read at this moment, is there all the same.
    let cards = host.gpus.cards.iter();
    let mut cards: Vec<GpuUuid> = cards.map(|card| card.latest.uuid.clone()).collect();
    cards.sort();
    Basis {
        driver,
        cards,
        engine: host.engine_version.clone(),
        container: container.map(|container| container.id.clone()),
        compose: container.and_then(|container| container.compose_hash.clone()),
        address: address.map(str::to_owned),
    }
}

/// What all services of all hosts say of their cards, and cards of their services: placements by
/// service, and the shares of each card filled in.
pub(super) fn place(
    hosts: &mut [HostState],
    services: &[ServiceSettings],
    host_memories: &BTreeMap<String, HostMemory>,
    memories: &HashMap<ServiceId, ServiceMemory>,
    now: Timestamp,
) -> HashMap<ServiceId, Placement> {
    let mut placements = HashMap::new();
    for host in hosts {
        let cards: Vec<GpuSample> = host.gpus.cards.iter().map(|c| c.latest.clone()).collect();
        let told: Vec<Told<'_>> = services
            .iter()
            .filter(|service| service.host == host.id)
            .map(|service| {
                let seen = host_memories.get(host.id.as_str());
                let container = seen.and_then(|host| host.container(&service.container));
                Told {
                    missing: seen.is_some_and(|host| host.is_missing(&service.container)),
                    ..Told::of(service, container, memories.get(&service.id), &cards, now)
                }
            })
            .collect();
        let compared: Vec<Compared<'_>> = told
            .iter()
            .map(|told| Compared {
                service: told.id,
                declared: &told.declared,
                measured: told.measured.map(|m| (m, told.basis(host))),
            })
            .collect();
        let placed: Vec<Placement> = told
            .iter()
            .zip(&compared)
            .map(|(told, this)| told.placement(this.proved(&compared, now)))
            .collect();
        let claims: Vec<MemoryClaim> = told
            .iter()
            .zip(&placed)
            .map(|(told, placement)| MemoryClaim {
                service: told.id.clone(),
                container: told.container.as_ref().map(|c| c.id.clone()),
                card: told.card(placement, &cards),
                held: told.device.and_then(|device| device.held),
            })
            .collect();
        placements.extend(told.iter().map(|told| told.id.clone()).zip(placed));
        for card in &mut host.gpus.cards {
            card.shares = card.current.then(|| divide(&card.latest, &claims));
        }
    }
    placements
}

/// A placement as the ladder wants it.
pub(super) fn fact(placement: &Placement, host: &HostState) -> Option<Measured<PlacementFact>> {
    let proved = placement.proved.as_ref()?;
    let shown = |uuid: &GpuUuid| {
        let cards = &host.gpus.cards;
        let card = cards.iter().find(|card| card.latest.uuid == *uuid);
        card.map_or_else(
            || uuid.to_string(),
            |card| format!("GPU {} · {}", card.latest.index, card.latest.name),
        )
    };
    let fact = PlacementFact {
        verdict: proved.verdict,
        faded: proved.faded.is_some(),
        declared: placement.declared.card.as_ref().map(shown),
        measured: proved.card.as_ref().map(shown),
        shared_with: proved.shared_with.clone(),
    };
    Some(Measured::new(fact, proved.at))
}

/// What a service tells of its card.
struct Told<'a> {
    id: &'a ServiceId,
    address: Option<&'a str>,
    container: Option<ContainerSnapshot>,
    /// The engine says that there is no such container.
    missing: bool,
    declared: Declared,
    reported: Option<ReportedDevice>,
    measured: Option<&'a Measurement>,
    unclear: Option<&'a UnclearProof>,
    device: Option<&'a DeviceReport>,
}

impl<'a> Told<'a> {
    fn of(
        service: &'a ServiceSettings,
        container: Option<ContainerSnapshot>,
        memory: Option<&'a ServiceMemory>,
        cards: &[GpuSample],
        now: Timestamp,
    ) -> Self {
        let api = memory.and_then(|memory| memory.api.as_ref());
        // What a run before said, or what was said long ago, is of no card of now.
        let began = container.as_ref().filter(|c| c.state == RunState::Running);
        let of_now = api.filter(|fact| {
            is_fresh(fact, now)
                && began.is_some_and(|c| c.started_at.is_none_or(|at| fact.at >= at))
        });
        let device = match of_now.map(|fact| &fact.value) {
            Some(ApiFact::Answered { device, .. }) => device.as_ref(),
            _ => None,
        };
        let by_api = device.and_then(|device| {
            let text = device.name.as_deref()?;
            reported::reported(text, ReportSource::Api, api?.at, cards)
        });
        let by_log = || {
            let line = memory?.log.as_ref()?.device.as_ref()?;
            reported::reported(&line.text, ReportSource::Log, line.at, cards)
        };
        Self {
            id: &service.id,
            address: service.api.as_deref(),
            missing: false,
            declared: declared(container.as_ref(), service.declared_gpu, cards),
            reported: by_api.or_else(by_log),
            measured: memory.and_then(|memory| memory.proofs.measured.as_ref()),
            unclear: memory.and_then(|memory| memory.proofs.unclear.as_ref()),
            device,
            container,
        }
    }

    fn placement(&self, proved: Option<Proved>) -> Placement {
        let counts = proved.as_ref().filter(|proved| proved.faded.is_none());
        let remedy = counts
            .zip(self.container.as_ref())
            .and_then(|(proved, container)| remedy(proved.verdict, &self.declared, container));
        Placement {
            declared: self.declared.clone(),
            reported: self.reported.clone(),
            proved,
            unclear: self.unclear.cloned(),
            remedy,
        }
    }

    /// What a proof would rest on now.
    fn basis(&self, host: &HostState) -> Basis {
        let seen = basis(host, self.container.as_ref(), self.address);
        let none = self.missing.then(|| Basis::NO_CONTAINER.to_owned());
        Basis {
            container: seen.container.or(none),
            ..seen
        }
    }

    /// The card that a report of memory is about: as proved, else the only one of the name told,
    /// else the only one of the size told. A declaration proves nothing and is not asked.
    fn card(&self, placement: &Placement, cards: &[GpuSample]) -> Option<GpuUuid> {
        let proved = placement
            .proved
            .as_ref()
            .filter(|proved| proved.faded.is_none());
        if let Some(card) = proved.and_then(|proved| proved.card.clone()) {
            return Some(card);
        }
        if let Some([card]) = self
            .reported
            .as_ref()
            .map(|reported| reported.cards.as_slice())
        {
            return Some(card.clone());
        }
        let total = self.device?.total?;
        let mut of_size = cards.iter().filter(|card| {
            // CUDA counts a little less than the driver.
            card.memory_total
                .is_some_and(|known| known.abs_diff(total) <= known / 32)
        });
        match (of_size.next(), of_size.next()) {
            (Some(card), None) => Some(card.uuid.clone()),
            _ => None,
        }
    }
}
