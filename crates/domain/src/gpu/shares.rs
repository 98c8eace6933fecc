//! Who holds a card's memory: the driver's own word where it has one, else what services report,
//! and what is left over is said to be unknown.

use serde::{Deserialize, Serialize};

use super::{GpuSample, GpuSourceInfo, sample::GpuProcess};
use crate::ids::{GpuUuid, ServiceId};

/// A service's own report may be off by this much before it contradicts the driver: a CUDA context
/// and cached blocks are counted by one and not by the other.
const TOLERANCE: u64 = 256 * 1024 * 1024;

/// Who holds a part of a card.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "who", rename_all = "snake_case")]
pub enum Holder {
    /// An administered service.
    Service {
        /// Its id.
        id: ServiceId,
    },
    /// Another container.
    Container {
        /// Its full id.
        id: String,
    },
    /// A process outside every container.
    Process {
        /// Process id on the host.
        pid: u32,
        /// Its program, when the system tells.
        name: Option<String>,
    },
    /// What nobody claims: the desktop, the driver, other programs; see [`Remainder`].
    Unknown,
}

impl Holder {
    /// Whether it is this service.
    pub fn is_service(&self, service: &ServiceId) -> bool {
        matches!(self, Self::Service { id } if id == service)
    }
}

/// How a share is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum ShareSource {
    /// The driver named the processes.
    Driver,
    /// The service reported it itself.
    Reported,
    /// Used memory less everything claimed.
    Remainder,
}

/// What is left over below this is nobody's: the driver's own bookkeeping, and two readings that are
/// a moment apart. On an H100 at work the driver counted 7 245 MiB in all and 7 236 MiB of processes.
const UNTOLD_BYTES: u64 = 32 << 20;

/// Whose memory nobody claims may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Remainder {
    /// The card is shared with Windows, whose desktop and programs no driver names here.
    WindowsAndUnknown,
    /// Nothing is known of it.
    #[default]
    Unknown,
}

impl Remainder {
    /// By where the readings come from: the driver of this machine, or the engine's containers.
    /// `kernel` is what each of the two names as its kernel, where it does.
    pub fn of(source: &GpuSourceInfo, here: Option<&str>, engine: Option<&str>) -> Self {
        let kernel = match source {
            GpuSourceInfo::Nvml { .. } => here,
            GpuSourceInfo::NvidiaSmi { .. } => engine,
            GpuSourceInfo::None { .. } => None,
        };
        // WSL's kernel is named so by Microsoft: `5.15.153.1-microsoft-standard-WSL2`.
        let shared = |kernel: &str| {
            let kernel = kernel.to_lowercase();
            kernel.contains("microsoft") || kernel.contains("windows")
        };
        if kernel.is_some_and(shared) {
            Self::WindowsAndUnknown
        } else {
            Self::Unknown
        }
    }
}

/// One holder's part of one card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Share {
    /// Who.
    pub holder: Holder,
    /// How it is known.
    pub source: ShareSource,
    /// Bytes counted for it; all shares of a card together are never more than is used. `None`
    /// where it is known to be there and not how much it holds.
    #[cfg_attr(feature = "specta", specta(type = Option<f64>))]
    pub memory: Option<u64>,
    /// Whether it may hold more than `memory`: the driver does not tell of all of its processes.
    pub at_least: bool,
    /// Bytes as told, where that is more than could be counted.
    #[cfg_attr(feature = "specta", specta(type = Option<f64>))]
    pub claimed: Option<u64>,
    /// Its part of the compute load in percent, where the driver tells it of all of its processes.
    pub load_percent: Option<u32>,
}

/// Who holds what of one card.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Shares {
    /// Largest first; what nobody claims comes last.
    pub shares: Vec<Share>,
    /// Whose that may be.
    pub remainder: Remainder,
    /// Bytes claimed beyond what the driver says is used: the claims and the driver disagree.
    #[cfg_attr(feature = "specta", specta(type = Option<f64>))]
    pub excess: Option<u64>,
    /// Services whose own report says more than the driver counts for their processes.
    pub contradicted: Vec<ServiceId>,
}

/// What a service says of its own memory on a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryClaim {
    /// Which service.
    pub service: ServiceId,
    /// Full id of its container, when known.
    pub container: Option<String>,
    /// The card it computes on, when that is known.
    pub card: Option<GpuUuid>,
    /// Bytes that it says it holds.
    pub held: Option<u64>,
}

/// Divides a card's memory. Processes of one container are one holder. Whose the remainder may be is
/// said by who knows where the card was read ([`Remainder::of`]).
pub fn divide(sample: &GpuSample, claims: &[MemoryClaim]) -> Shares {
    let mut told = by_processes(sample.processes.as_deref().unwrap_or_default(), claims);
    let mut contradicted = Vec::new();
    for claim in claims
        .iter()
        .filter(|c| c.card.as_ref() == Some(&sample.uuid))
    {
        let holder = Holder::Service {
            id: claim.service.clone(),
        };
        let known = told.iter_mut().find(|share| share.holder == holder);
        match (known, claim.held) {
            (Some(share), Some(held)) => match share.memory {
                // What is left out of the sum may be what the service counts: no contradiction.
                Some(counted) if share.at_least => {
                    if held > counted {
                        share.memory = Some(held);
                        share.at_least = false;
                        share.source = ShareSource::Reported;
                    }
                }
                Some(counted) if held > counted.saturating_add(TOLERANCE) => {
                    contradicted.push(claim.service.clone());
                }
                Some(_) => {}
                None => {
                    share.memory = Some(held);
                    share.source = ShareSource::Reported;
                }
            },
            (None, Some(held)) if held > 0 => told.push(Share {
                holder,
                source: ShareSource::Reported,
                memory: Some(held),
                at_least: false,
                claimed: None,
                load_percent: None,
            }),
            _ => {}
        }
    }
    let Some(used) = sample.memory_used else {
        // Without the driver's sum nothing can be checked, and nothing is left over.
        return Shares {
            shares: sorted(told),
            remainder: Remainder::Unknown,
            excess: None,
            contradicted,
        };
    };
    // The driver's word counts before a report.
    told.sort_by_key(|share| share.source != ShareSource::Driver);
    let mut left = used;
    let mut excess = 0_u64;
    for share in &mut told {
        if let Some(bytes) = share.memory {
            let counted = bytes.min(left);
            if counted < bytes {
                excess = excess.saturating_add(bytes - counted);
                share.claimed = Some(bytes);
                share.memory = Some(counted);
            }
            left -= counted;
        }
    }
    let mut shares = sorted(told);
    if left >= UNTOLD_BYTES {
        shares.push(Share {
            holder: Holder::Unknown,
            source: ShareSource::Remainder,
            memory: Some(left),
            at_least: false,
            claimed: None,
            load_percent: None,
        });
    }
    Shares {
        shares,
        remainder: Remainder::Unknown,
        excess: (excess > 0).then_some(excess),
        contradicted,
    }
}

fn by_processes(processes: &[GpuProcess], claims: &[MemoryClaim]) -> Vec<Share> {
    let mut shares: Vec<Share> = Vec::new();
    for process in processes {
        let holder = match &process.container {
            Some(id) => match claims.iter().find(|c| c.container.as_ref() == Some(id)) {
                Some(claim) => Holder::Service {
                    id: claim.service.clone(),
                },
                None => Holder::Container { id: id.clone() },
            },
            None => Holder::Process {
                pid: process.pid,
                name: process.name.clone(),
            },
        };
        match shares.iter_mut().find(|share| share.holder == holder) {
            Some(share) => {
                share.at_least |= share.memory.is_some() != process.memory.is_some();
                share.memory = sum(share.memory, process.memory);
                // A part of a load has no use as a bound: it is not known.
                let loads = share.load_percent.zip(process.load_percent);
                share.load_percent = loads.map(|(a, b)| a.saturating_add(b).min(100));
            }
            None => shares.push(Share {
                holder,
                source: ShareSource::Driver,
                memory: process.memory,
                at_least: false,
                claimed: None,
                load_percent: process.load_percent,
            }),
        }
    }
    shares
}

fn sum(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (a, b) => a.or(b),
    }
}

fn sorted(mut shares: Vec<Share>) -> Vec<Share> {
    shares.sort_by_key(|share| std::cmp::Reverse(share.memory));
    shares
}

#[cfg(test)]
mod tests;
