//! One card, and what it tells.

use serde::{Deserialize, Serialize};

use super::Answer;
use crate::codes::NvmlCode;

/// A card. Each [`Answer`] is what one C function gives for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// `GPU-…`, `nvmlDeviceGetUUID`.
    pub uuid: Answer<String>,
    /// Product name, `nvmlDeviceGetName`.
    pub name: Answer<String>,
    /// PCI address `domain:bus:device.function`, `nvmlDeviceGetPciInfo_v3`.
    pub bus_id: Answer<String>,
    /// PCI device id in the upper and vendor id in the lower half, `nvmlDeviceGetPciInfo_v3`.
    pub pci_device_id: u32,
    /// Fallen off the bus: its handle, and every call with one, is answered `gpu_is_lost`.
    pub lost: bool,
    /// No longer there: not counted, and a handle from before is answered `gpu_is_lost`.
    pub gone: bool,
    /// Answered when its handle is asked for.
    pub handle_error: Option<NvmlCode>,
    /// Load in per cent, `nvmlDeviceGetUtilizationRates`.
    pub utilization: Answer<Utilization>,
    /// Load of the video encoder in per cent, `nvmlDeviceGetEncoderUtilization`.
    pub encoder_percent: Answer<u32>,
    /// Load of the video decoder in per cent, `nvmlDeviceGetDecoderUtilization`.
    pub decoder_percent: Answer<u32>,
    /// Memory in bytes, `nvmlDeviceGetMemoryInfo_v2` and `nvmlDeviceGetMemoryInfo`.
    pub memory: Answer<Memory>,
    /// Degrees Celsius, `nvmlDeviceGetTemperature`.
    pub temperature_c: Answer<u32>,
    /// Degrees Celsius at which it slows down, `nvmlDeviceGetTemperatureThreshold`.
    pub slowdown_c: Answer<u32>,
    /// Degrees Celsius at which it shuts down, `nvmlDeviceGetTemperatureThreshold`.
    pub shutdown_c: Answer<u32>,
    /// Milliwatts, `nvmlDeviceGetPowerUsage`.
    pub power_mw: Answer<u32>,
    /// Milliwatts it may draw, `nvmlDeviceGetEnforcedPowerLimit`.
    pub power_limit_mw: Answer<u32>,
    /// Clocks in MHz, `nvmlDeviceGetClockInfo`.
    pub clocks_mhz: Clocks,
    /// Highest clocks in MHz, `nvmlDeviceGetMaxClockInfo`.
    pub max_clocks_mhz: Clocks,
    /// Number of fans, `nvmlDeviceGetNumFans`.
    pub fans: Answer<u32>,
    /// Speed of each fan in per cent of the highest, `nvmlDeviceGetFanSpeed_v2`.
    pub fan_percent: Answer<u32>,
    /// Performance state, 0 the fastest to 15, 32 unknown, `nvmlDeviceGetPerformanceState`.
    pub pstate: Answer<u32>,
    /// Why the clocks are not higher, `nvmlDeviceGetCurrentClocksThrottleReasons`.
    pub throttle_reasons: Answer<Throttle>,
    /// The link now, `nvmlDeviceGetCurrPcieLinkGeneration` and `nvmlDeviceGetCurrPcieLinkWidth`.
    pub pcie: PcieLink,
    /// The best link, `nvmlDeviceGetMaxPcieLinkGeneration` and `nvmlDeviceGetMaxPcieLinkWidth`.
    pub max_pcie: PcieLink,
    /// The programs on the card, `nvmlDeviceGet{Compute,Graphics}RunningProcesses_v3` and `_v2`,
    /// and, of those with a share, `nvmlDeviceGetProcessUtilization`.
    pub processes: Answer<Vec<Process>>,
    /// Answered by `nvmlDeviceGetProcessUtilization` whatever runs.
    pub samples_error: Option<NvmlCode>,
}

/// Load in per cent of the last sampling period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Utilization {
    /// Time in which the card worked.
    pub gpu: u32,
    /// Time in which its memory was read or written.
    pub memory: u32,
}

/// Memory in bytes. Nothing has to add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// All of it.
    pub total: u64,
    /// Held by programs; without `reserved`, as in version 2 of the call.
    pub used: u64,
    /// Held by the driver itself.
    pub reserved: u64,
    /// Not in use; when left out, what the others leave of the total.
    pub free: Option<u64>,
}

impl Memory {
    /// `used` of `total` bytes, nothing reserved.
    pub fn new(total: u64, used: u64) -> Self {
        Self {
            total,
            used,
            reserved: 0,
            free: None,
        }
    }

    /// Bytes not in use.
    pub fn free(&self) -> u64 {
        self.free.unwrap_or_else(|| {
            self.total
                .saturating_sub(self.used.saturating_add(self.reserved))
        })
    }
}

/// Clocks in MHz.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clocks {
    /// Graphics.
    pub graphics: Answer<u32>,
    /// Streaming multiprocessors.
    pub sm: Answer<u32>,
    /// Memory.
    pub memory: Answer<u32>,
    /// Video.
    pub video: Answer<u32>,
}

/// A PCI Express link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PcieLink {
    /// Generation.
    pub generation: Answer<u32>,
    /// Lanes.
    pub width: Answer<u32>,
}

/// A program on a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Its number in the operating system.
    pub pid: u32,
    /// Bytes it holds; `None` when the driver does not know, as on Windows.
    #[serde(default)]
    pub memory: Option<u64>,
    /// Draws: listed among the graphics programs, and not among those that compute.
    #[serde(default)]
    pub graphics: bool,
    /// Its share of the multiprocessors in per cent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sm: Option<u32>,
    /// Its share of memory traffic in per cent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mem: Option<u32>,
    /// Its share of the encoder in per cent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enc: Option<u32>,
    /// Its share of the decoder in per cent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dec: Option<u32>,
}

impl Process {
    /// A program that computes, `memory` in bytes.
    pub fn compute(pid: u32, memory: Option<u64>) -> Self {
        Self {
            pid,
            memory,
            graphics: false,
            sm: None,
            mem: None,
            enc: None,
            dec: None,
        }
    }

    /// True if the driver took a sample of its shares.
    pub fn sampled(&self) -> bool {
        [self.sm, self.mem, self.enc, self.dec]
            .iter()
            .any(Option::is_some)
    }
}

/// Why the clocks are not higher: by name, or as the driver's bits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Throttle {
    /// The bits as they are.
    Mask(u64),
    /// The reasons.
    Reasons(Vec<ThrottleReason>),
}

impl Throttle {
    /// The driver's bits.
    pub fn mask(&self) -> u64 {
        match self {
            Self::Mask(mask) => *mask,
            Self::Reasons(reasons) => reasons.iter().fold(0, |mask, reason| mask | reason.bit()),
        }
    }
}

/// One reason, `nvmlClocksThrottleReason…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThrottleReason {
    /// Nothing runs.
    GpuIdle,
    /// Set by the user.
    ApplicationsClocksSetting,
    /// The power limit, by software.
    SwPowerCap,
    /// Slowed down by hardware: too hot, or a power brake.
    HwSlowdown,
    /// Held back by another card of its group.
    SyncBoost,
    /// Too hot, by software.
    SwThermalSlowdown,
    /// Too hot, by hardware.
    HwThermalSlowdown,
    /// The power supply asked for it.
    HwPowerBrakeSlowdown,
    /// Set for the display.
    DisplayClockSetting,
}

impl ThrottleReason {
    fn bit(self) -> u64 {
        use nvml_wrapper_sys::bindings as sys;
        u64::from(match self {
            Self::GpuIdle => sys::nvmlClocksThrottleReasonGpuIdle,
            Self::ApplicationsClocksSetting => {
                sys::nvmlClocksThrottleReasonApplicationsClocksSetting
            }
            Self::SwPowerCap => sys::nvmlClocksThrottleReasonSwPowerCap,
            Self::HwSlowdown => sys::nvmlClocksThrottleReasonHwSlowdown,
            Self::SyncBoost => sys::nvmlClocksThrottleReasonSyncBoost,
            Self::SwThermalSlowdown => sys::nvmlClocksThrottleReasonSwThermalSlowdown,
            Self::HwThermalSlowdown => sys::nvmlClocksThrottleReasonHwThermalSlowdown,
            Self::HwPowerBrakeSlowdown => sys::nvmlClocksThrottleReasonHwPowerBrakeSlowdown,
            Self::DisplayClockSetting => sys::nvmlClocksThrottleReasonDisplayClockSetting,
        })
    }
}
