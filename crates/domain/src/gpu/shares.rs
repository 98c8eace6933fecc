//! Who holds a card's memory: the driver's own word where it has one, else what services report,
//! and what is left over is said to be unknown.

use serde::{Deserialize, Serialize};

use super::{GpuSample, sample::GpuProcess};
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
    /// What nobody claims: Windows, the desktop, the driver, other programs.
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

/// Divides a card's memory. Processes of one container are one holder.
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
    if left > 0 {
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
mod tests {
    use super::*;
    use crate::Timestamp;

    const GIB: u64 = 1 << 30;

    fn uuid(text: &str) -> GpuUuid {
        GpuUuid::new(text).expect("an id")
    }

    fn service(text: &str) -> ServiceId {
        ServiceId::new(text).expect("an id")
    }

    fn card(used: Option<u64>, processes: Option<Vec<GpuProcess>>) -> GpuSample {
        GpuSample {
            memory_used: used,
            memory_total: Some(24 * GIB),
            processes,
            ..GpuSample::unread(uuid("GPU-a"), 0, "X", Timestamp::UNIX_EPOCH)
        }
    }

    fn process(pid: u32, container: Option<&str>, memory: Option<u64>) -> GpuProcess {
        GpuProcess {
            pid,
            name: Some("python".to_owned()),
            container: container.map(str::to_owned),
            memory,
            load_percent: Some(40),
        }
    }

    fn claim(id: &str, card: Option<&str>, held: Option<u64>) -> MemoryClaim {
        MemoryClaim {
            service: service(id),
            container: Some(format!("{id}-container")),
            card: card.map(uuid),
            held,
        }
    }

    /// Holder, source, memory, claimed.
    fn rows(shares: &Shares) -> Vec<(String, ShareSource, Option<u64>, Option<u64>)> {
        shares
            .shares
            .iter()
            .map(|share| {
                let who = match &share.holder {
                    Holder::Service { id } => id.to_string(),
                    Holder::Container { id } => format!("container {id}"),
                    Holder::Process { pid, .. } => format!("pid {pid}"),
                    Holder::Unknown => "unknown".to_owned(),
                };
                let gib = |bytes: Option<u64>| bytes.map(|b| b / GIB);
                (who, share.source, gib(share.memory), gib(share.claimed))
            })
            .collect()
    }

    #[test]
    fn processes_of_a_container_are_its_service() {
        use ShareSource::{Driver, Remainder};
        let sample = card(
            Some(12 * GIB),
            Some(vec![
                process(1, Some("turbo-container"), Some(6 * GIB)),
                process(2, Some("turbo-container"), Some(GIB)),
                process(3, Some("other"), Some(2 * GIB)),
                process(4, None, Some(GIB)),
                process(5, None, None),
            ]),
        );
        let shares = divide(&sample, &[claim("turbo", None, None)]);
        assert_eq!(
            rows(&shares),
            [
                ("turbo".to_owned(), Driver, Some(7), None),
                ("container other".to_owned(), Driver, Some(2), None),
                ("pid 4".to_owned(), Driver, Some(1), None),
                ("pid 5".to_owned(), Driver, None, None),
                ("unknown".to_owned(), Remainder, Some(2), None),
            ]
        );
        assert_eq!(shares.shares[0].load_percent, Some(80));
        assert_eq!(shares.excess, None);
    }

    #[test]
    fn where_the_driver_names_no_process_the_services_own_word_is_labelled() {
        let claims = [
            claim("myia", Some("GPU-a"), Some(5 * GIB)),
            claim("turbo", Some("GPU-b"), Some(9 * GIB)),
            claim("comfy", None, Some(3 * GIB)),
        ];
        for processes in [None, Some(Vec::new())] {
            let shares = divide(&card(Some(7 * GIB), processes), &claims);
            assert_eq!(
                rows(&shares),
                [
                    ("myia".to_owned(), ShareSource::Reported, Some(5), None),
                    ("unknown".to_owned(), ShareSource::Remainder, Some(2), None),
                ],
                "a service on another or an unknown card takes nothing of this one"
            );
        }
    }

    #[test]
    fn shares_never_sum_to_more_than_is_used_and_the_excess_is_said() {
        let claims = [
            claim("myia", Some("GPU-a"), Some(9 * GIB)),
            claim("turbo", Some("GPU-a"), Some(6 * GIB)),
        ];
        let shares = divide(&card(Some(12 * GIB), None), &claims);
        let counted: u64 = shares.shares.iter().filter_map(|s| s.memory).sum();
        assert_eq!(counted, 12 * GIB);
        assert_eq!(shares.excess, Some(3 * GIB));
        assert_eq!(rows(&shares)[1].3, Some(6), "as it was told");
        // The driver's word first.
        let mixed = card(
            Some(8 * GIB),
            Some(vec![process(1, Some("turbo-container"), Some(6 * GIB))]),
        );
        let shares = divide(&mixed, &claims);
        assert_eq!(
            rows(&shares),
            [
                ("turbo".to_owned(), ShareSource::Driver, Some(6), None),
                ("myia".to_owned(), ShareSource::Reported, Some(2), Some(9)),
            ]
        );
        assert_eq!(shares.excess, Some(7 * GIB));
    }

    #[test]
    fn a_report_that_says_more_than_the_driver_contradicts_it() {
        let processes = || Some(vec![process(1, Some("myia-container"), Some(4 * GIB))]);
        let divided = |held| {
            let claims = [claim("myia", Some("GPU-a"), Some(held))];
            divide(&card(Some(6 * GIB), processes()), &claims)
        };
        assert_eq!(divided(6 * GIB).contradicted, [service("myia")]);
        assert_eq!(
            rows(&divided(6 * GIB))[0].2,
            Some(4),
            "the driver is believed"
        );
        assert_eq!(divided(4 * GIB + 1024).contradicted, []);
        // A process whose memory the driver does not tell takes the report.
        let silent = card(
            Some(6 * GIB),
            Some(vec![process(1, Some("myia-container"), None)]),
        );
        let claims = [claim("myia", Some("GPU-a"), Some(3 * GIB))];
        assert_eq!(
            rows(&divide(&silent, &claims))[0],
            ("myia".to_owned(), ShareSource::Reported, Some(3), None)
        );
    }

    #[test]
    fn a_sum_that_leaves_a_process_out_is_a_bound_and_contradicts_nobody() {
        let unread = || GpuProcess {
            load_percent: None,
            ..process(2, Some("myia-container"), None)
        };
        let divided = |held, first: GpuProcess, second: GpuProcess| {
            let claims = [claim("myia", Some("GPU-a"), held)];
            divide(&card(Some(8 * GIB), Some(vec![first, second])), &claims)
        };
        let read = || process(1, Some("myia-container"), Some(4 * GIB));
        for (first, second) in [(read(), unread()), (unread(), read())] {
            let alone = divided(None, first.clone(), second.clone());
            let share = &alone.shares[0];
            assert_eq!((share.memory, share.at_least), (Some(4 * GIB), true));
            assert_eq!(share.load_percent, None, "half of a load is none");
            let more = divided(Some(6 * GIB), first.clone(), second.clone());
            assert_eq!(more.contradicted, []);
            assert_eq!(
                rows(&more)[0],
                ("myia".to_owned(), ShareSource::Reported, Some(6), None)
            );
            assert!(!more.shares[0].at_least);
            let less = divided(Some(3 * GIB), first, second);
            assert_eq!(rows(&less)[0].1, ShareSource::Driver);
            assert_eq!(rows(&less)[0].2, Some(4));
        }
        let whole = divided(None, read(), process(2, Some("myia-container"), Some(GIB)));
        assert!(!whole.shares[0].at_least);
    }

    #[test]
    fn without_a_sum_nothing_is_left_over() {
        let claims = [claim("myia", Some("GPU-a"), Some(5 * GIB))];
        let shares = divide(&card(None, None), &claims);
        assert_eq!(
            rows(&shares),
            [("myia".to_owned(), ShareSource::Reported, Some(5), None)]
        );
        assert_eq!(divide(&card(Some(0), None), &[]).shares, []);
    }
}
