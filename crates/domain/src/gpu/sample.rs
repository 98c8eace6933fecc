//! One reading of one card: every value that the driver tells, each on its own.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::throttle::Throttle;
use crate::ids::GpuUuid;

/// More than any card holds: what counts more is a broken counter (16 TiB).
const MOST_MEMORY: u64 = 1 << 44;
/// Degrees Celsius at which no card lives.
const MOST_DEGREES: u32 = 150;
/// Watts that no card draws.
const MOST_WATTS: f64 = 3000.0;
/// Megahertz that no card reaches.
const MOST_MEGAHERTZ: u32 = 20_000;
/// Drivers tell more than 100 for a fan that runs over its design speed.
const MOST_FAN_PERCENT: u32 = 200;
/// P0 is the fastest state, P15 the slowest.
const SLOWEST_STATE: u32 = 15;
/// Newest PCI Express generation there could be.
const NEWEST_PCIE: u32 = 9;

/// Longest name of a card in characters: a driver has room for 96 (`NVML_DEVICE_NAME_V2_BUFFER_SIZE`).
const MOST_NAME_CHARS: usize = 96;
/// Longest PCI address: with a domain of eight digits it has 16 characters.
const MOST_BUS_CHARS: usize = 32;

/// One reading of one card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GpuSample {
    /// The card.
    pub uuid: GpuUuid,
    /// Index in the driver's order (PCI bus order), which CUDA does not share.
    pub index: u32,
    /// Name from the driver.
    pub name: String,
    /// PCI address, lower case, such as `00000000:01:00.0`.
    pub bus_id: Option<String>,
    /// When it was read.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub at: Timestamp,
    /// Compute load in percent.
    pub load_percent: Option<u32>,
    /// Time in which the memory was read or written, in percent.
    pub memory_load_percent: Option<u32>,
    /// Load of the video encoder in percent.
    pub encoder_percent: Option<u32>,
    /// Load of the video decoder in percent.
    pub decoder_percent: Option<u32>,
    /// Used memory in bytes, without what the driver keeps for itself.
    #[cfg_attr(feature = "specta", specta(type = Option<f64>))]
    pub memory_used: Option<u64>,
    /// Free memory in bytes.
    #[cfg_attr(feature = "specta", specta(type = Option<f64>))]
    pub memory_free: Option<u64>,
    /// Memory in bytes.
    #[cfg_attr(feature = "specta", specta(type = Option<f64>))]
    pub memory_total: Option<u64>,
    /// Degrees Celsius.
    pub temperature_c: Option<u32>,
    /// Slowdown threshold from the driver, degrees Celsius.
    pub slowdown_c: Option<u32>,
    /// Shutdown threshold from the driver, degrees Celsius.
    pub shutdown_c: Option<u32>,
    /// Watts.
    pub power_w: Option<f64>,
    /// Enforced limit in watts.
    pub power_limit_w: Option<f64>,
    /// Graphics clock in megahertz.
    pub graphics_mhz: Option<u32>,
    /// Highest graphics clock in megahertz.
    pub graphics_max_mhz: Option<u32>,
    /// Memory clock in megahertz.
    pub memory_mhz: Option<u32>,
    /// Fan in percent of its design speed; may exceed 100.
    pub fan_percent: Option<u32>,
    /// Performance state, 0 (fastest) to 15.
    pub performance_state: Option<u32>,
    /// What holds the clocks back; empty when nothing does.
    pub throttle: Option<Vec<Throttle>>,
    /// The link to the machine.
    pub pcie: PcieLink,
    /// Processes on the card; `None` where the driver does not tell them (Windows, WSL, another
    /// machine).
    pub processes: Option<Vec<GpuProcess>>,
}

/// A PCI Express link: as it is, and what card and slot could do together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct PcieLink {
    /// Generation now; falls at rest to save power.
    pub generation: Option<u32>,
    /// Lanes now.
    pub width: Option<u32>,
    /// Highest generation.
    pub max_generation: Option<u32>,
    /// Most lanes.
    pub max_width: Option<u32>,
}

/// A process that the driver sees on a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GpuProcess {
    /// Process id on the host.
    pub pid: u32,
    /// Its program, when the system tells.
    pub name: Option<String>,
    /// Full id of the container it runs in, by its control group.
    pub container: Option<String>,
    /// Memory in bytes; `None` where the driver does not tell.
    #[cfg_attr(feature = "specta", specta(type = Option<f64>))]
    pub memory: Option<u64>,
    /// Its part of the compute load in percent, within the last seconds.
    pub load_percent: Option<u32>,
}

impl GpuSample {
    /// A reading in which nothing is told but which card it is.
    pub fn unread(uuid: GpuUuid, index: u32, name: impl Into<String>, at: Timestamp) -> Self {
        Self {
            uuid,
            index,
            name: name.into(),
            bus_id: None,
            at,
            load_percent: None,
            memory_load_percent: None,
            encoder_percent: None,
            decoder_percent: None,
            memory_used: None,
            memory_free: None,
            memory_total: None,
            temperature_c: None,
            slowdown_c: None,
            shutdown_c: None,
            power_w: None,
            power_limit_w: None,
            graphics_mhz: None,
            graphics_max_mhz: None,
            memory_mhz: None,
            fan_percent: None,
            performance_state: None,
            throttle: None,
            pcie: PcieLink::default(),
            processes: None,
        }
    }

    /// Bytes free: as told, else what is not used of all.
    pub fn free(&self) -> Option<u64> {
        let counted = self.memory_total.zip(self.memory_used);
        self.memory_free
            .or_else(|| counted.map(|(total, used)| total.saturating_sub(used)))
    }

    /// The reading without values that no card can have: a broken counter is not known, and never
    /// shown as a number. Drivers have told 17179869184 GiB of used memory (an underflow), loads of
    /// `u32::MAX` percent and NaN watts. What a container answers in a card's name has no bounds of
    /// its own: it is cut.
    #[must_use]
    pub fn plausible(self) -> Self {
        let percent = |value: Option<u32>| value.filter(|percent| *percent <= 100);
        let degrees = |value: Option<u32>| value.filter(|c| *c > 0 && *c <= MOST_DEGREES);
        let watts = |value: Option<f64>| value.filter(|w| (0.0..=MOST_WATTS).contains(w));
        let clock = |value: Option<u32>| value.filter(|mhz| *mhz <= MOST_MEGAHERTZ);
        let generation = |value: Option<u32>| value.filter(|g| (1..=NEWEST_PCIE).contains(g));
        let lanes = |value: Option<u32>| value.filter(|lanes| (1..=32).contains(lanes));
        let memory_total = self
            .memory_total
            .filter(|bytes| *bytes > 0 && *bytes <= MOST_MEMORY);
        let within = |value: Option<u64>| {
            value.filter(|bytes| *bytes <= memory_total.unwrap_or(MOST_MEMORY))
        };
        let name = self.name.chars().take(MOST_NAME_CHARS).collect();
        Self {
            name,
            bus_id: self.bus_id.filter(|bus| bus.len() <= MOST_BUS_CHARS),
            load_percent: percent(self.load_percent),
            memory_load_percent: percent(self.memory_load_percent),
            encoder_percent: percent(self.encoder_percent),
            decoder_percent: percent(self.decoder_percent),
            memory_used: within(self.memory_used),
            memory_free: within(self.memory_free),
            memory_total,
            temperature_c: degrees(self.temperature_c),
            slowdown_c: degrees(self.slowdown_c),
            shutdown_c: degrees(self.shutdown_c),
            power_w: watts(self.power_w),
            power_limit_w: watts(self.power_limit_w).filter(|w| *w > 0.0),
            graphics_mhz: clock(self.graphics_mhz),
            graphics_max_mhz: clock(self.graphics_max_mhz),
            memory_mhz: clock(self.memory_mhz),
            fan_percent: self.fan_percent.filter(|p| *p <= MOST_FAN_PERCENT),
            performance_state: self.performance_state.filter(|p| *p <= SLOWEST_STATE),
            pcie: PcieLink {
                generation: generation(self.pcie.generation),
                width: lanes(self.pcie.width),
                max_generation: generation(self.pcie.max_generation),
                max_width: lanes(self.pcie.max_width),
            },
            processes: self.processes.map(|processes| {
                let plausible = |process: GpuProcess| GpuProcess {
                    memory: within(process.memory),
                    load_percent: percent(process.load_percent),
                    ..process
                };
                processes.into_iter().map(plausible).collect()
            }),
            ..self
        }
    }
}

/// Whether a reading that was begun at `at` comes too late: a newer one was taken since, and this
/// is the answer that a driver owed for long.
///
/// A newer one that is ahead of the clock was read before the clock was set back: then the times
/// tell nothing, and what comes now is of now. So nothing stands still until the clock has caught up.
pub fn is_late(at: Timestamp, newest: Timestamp, now: Timestamp) -> bool {
    at < newest && newest <= now
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn card() -> GpuSample {
        let uuid = GpuUuid::new("GPU-a").expect("an id");
        GpuSample::unread(uuid, 0, "NVIDIA GeForce RTX 3080", Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn an_answer_before_a_newer_one_is_late_and_a_clock_set_back_makes_none() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        assert!(is_late(at(10), at(12), at(13)));
        assert!(!is_late(at(12), at(12), at(13)), "the same once more");
        assert!(!is_late(at(13), at(12), at(13)));
        // The clock was set back by an hour after the newest one.
        assert!(!is_late(at(10), at(3612), at(10)));
    }

    #[test]
    fn what_a_card_can_have_stays_as_it_is() {
        let told = GpuSample {
            load_percent: Some(100),
            memory_load_percent: Some(0),
            memory_used: Some(16 * GIB),
            memory_free: Some(0),
            memory_total: Some(16 * GIB),
            temperature_c: Some(41),
            slowdown_c: Some(95),
            shutdown_c: Some(98),
            power_w: Some(0.0),
            power_limit_w: Some(320.0),
            graphics_mhz: Some(0),
            fan_percent: Some(104),
            performance_state: Some(8),
            throttle: Some(Vec::new()),
            pcie: PcieLink {
                generation: Some(1),
                width: Some(16),
                max_generation: Some(4),
                max_width: Some(16),
            },
            processes: Some(vec![GpuProcess {
                pid: 7,
                name: None,
                container: None,
                memory: Some(3 * GIB),
                load_percent: Some(88),
            }]),
            ..card()
        };
        assert_eq!(told.clone().plausible(), told);
    }

    #[test]
    fn what_no_card_can_have_is_not_known() {
        let absurd = GpuSample {
            name: "NVIDIA ".repeat(10_000),
            bus_id: Some(format!("{}:01:00.0", "0".repeat(10_000))),
            load_percent: Some(u32::MAX),
            memory_load_percent: Some(101),
            encoder_percent: Some(200),
            decoder_percent: Some(u32::MAX),
            // The underflow that is shown as 17179869184 GiB elsewhere.
            memory_used: Some(u64::MAX),
            memory_free: Some(17 * GIB),
            memory_total: Some(16 * GIB),
            temperature_c: Some(65_535),
            slowdown_c: Some(0),
            shutdown_c: Some(u32::MAX),
            power_w: Some(f64::NAN),
            power_limit_w: Some(f64::INFINITY),
            graphics_mhz: Some(u32::MAX),
            graphics_max_mhz: Some(u32::MAX),
            memory_mhz: Some(u32::MAX),
            fan_percent: Some(u32::MAX),
            performance_state: Some(32),
            pcie: PcieLink {
                generation: Some(0),
                width: Some(u32::MAX),
                max_generation: Some(99),
                max_width: Some(0),
            },
            processes: Some(vec![GpuProcess {
                pid: 7,
                name: None,
                container: None,
                memory: Some(u64::MAX),
                load_percent: Some(4000),
            }]),
            ..card()
        };
        let expected = GpuSample {
            name: "NVIDIA ".repeat(14)[..96].to_owned(),
            memory_total: Some(16 * GIB),
            processes: Some(vec![GpuProcess {
                pid: 7,
                name: None,
                container: None,
                memory: None,
                load_percent: None,
            }]),
            ..card()
        };
        assert_eq!(absurd.plausible(), expected);
        let no_total = GpuSample {
            memory_used: Some(5 * GIB),
            memory_total: Some(u64::MAX),
            power_w: Some(-3.0),
            ..card()
        };
        let plausible = no_total.plausible();
        assert_eq!(plausible.memory_total, None);
        assert_eq!(plausible.memory_used, Some(5 * GIB));
        assert_eq!(plausible.power_w, None);
    }
}
