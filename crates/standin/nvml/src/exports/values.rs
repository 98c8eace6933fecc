//! The functions that tell one value of a card.

#![expect(unsafe_code, reason = "exports C functions")]

use std::ffi::{c_uint, c_ulonglong};

use nvml_wrapper_sys::bindings::{self as sys, nvmlDevice_t, nvmlReturn_t};

use super::{put, reply};
use crate::{
    codes::NvmlCode,
    script::{Card, Clocks},
    state,
};

/// One row, one C function: what it is asked beside the card, what it writes, and where the
/// script says it.
macro_rules! values {
    ($($doc:literal $name:ident($($argument:ident: $kind:ty)?) -> $out:ty = $read:expr;)*) => {$(
        #[doc = $doc]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(
            device: nvmlDevice_t,
            $($argument: $kind,)?
            out: *mut $out,
        ) -> nvmlReturn_t {
            let read: fn(&Card $(, $kind)?) -> Result<$out, NvmlCode> = $read;
            reply(state::card(device).and_then(|card| {
                let value = read(&card $(, $argument)?)?;
                // SAFETY: the caller keeps the contract of these functions.
                unsafe { put(out, value) }
            }))
        }
    )*};
}

values! {
    "Degrees Celsius."
    nvmlDeviceGetTemperature(sensor: sys::nvmlTemperatureSensors_t) -> c_uint = |card, sensor| {
        match sensor {
            sys::nvmlTemperatureSensors_enum_NVML_TEMPERATURE_GPU => card.temperature_c.get().copied(),
            _ => Err(NvmlCode::InvalidArgument),
        }
    };
    "Degrees Celsius at which something happens."
    nvmlDeviceGetTemperatureThreshold(kind: sys::nvmlTemperatureThresholds_t) -> c_uint = threshold;
    "Milliwatts."
    nvmlDeviceGetPowerUsage() -> c_uint = |card| card.power_mw.get().copied();
    "Milliwatts it may draw."
    nvmlDeviceGetEnforcedPowerLimit() -> c_uint = |card| card.power_limit_mw.get().copied();
    "A clock in MHz."
    nvmlDeviceGetClockInfo(kind: sys::nvmlClockType_t) -> c_uint =
        |card, kind| clock(&card.clocks_mhz, kind);
    "A clock's highest value in MHz."
    nvmlDeviceGetMaxClockInfo(kind: sys::nvmlClockType_t) -> c_uint =
        |card, kind| clock(&card.max_clocks_mhz, kind);
    "Number of fans."
    nvmlDeviceGetNumFans() -> c_uint = |card| card.fans.get().copied();
    "Speed of a fan in per cent."
    nvmlDeviceGetFanSpeed_v2(fan: c_uint) -> c_uint = fan_speed;
    "Performance state."
    nvmlDeviceGetPerformanceState() -> sys::nvmlPstates_t = |card| card.pstate.get().copied();
    "Why the clocks are not higher, as bits."
    nvmlDeviceGetCurrentClocksThrottleReasons() -> c_ulonglong =
        |card| Ok(card.throttle_reasons.get()?.mask());
    "Generation of the link now."
    nvmlDeviceGetCurrPcieLinkGeneration() -> c_uint = |card| card.pcie.generation.get().copied();
    "Lanes of the link now."
    nvmlDeviceGetCurrPcieLinkWidth() -> c_uint = |card| card.pcie.width.get().copied();
    "Best generation of the link."
    nvmlDeviceGetMaxPcieLinkGeneration() -> c_uint = |card| card.max_pcie.generation.get().copied();
    "Most lanes of the link."
    nvmlDeviceGetMaxPcieLinkWidth() -> c_uint = |card| card.max_pcie.width.get().copied();
    "Load in per cent."
    nvmlDeviceGetUtilizationRates() -> sys::nvmlUtilization_t = |card| {
        let load = card.utilization.get()?;
        Ok(sys::nvmlUtilization_t { gpu: load.gpu, memory: load.memory })
    };
}

fn threshold(card: &Card, kind: sys::nvmlTemperatureThresholds_t) -> Result<c_uint, NvmlCode> {
    match kind {
        sys::nvmlTemperatureThresholds_enum_NVML_TEMPERATURE_THRESHOLD_SHUTDOWN => {
            card.shutdown_c.get().copied()
        }
        sys::nvmlTemperatureThresholds_enum_NVML_TEMPERATURE_THRESHOLD_SLOWDOWN => {
            card.slowdown_c.get().copied()
        }
        _ => Err(NvmlCode::NotSupported),
    }
}

fn clock(clocks: &Clocks, kind: sys::nvmlClockType_t) -> Result<c_uint, NvmlCode> {
    let clock = match kind {
        sys::nvmlClockType_enum_NVML_CLOCK_GRAPHICS => &clocks.graphics,
        sys::nvmlClockType_enum_NVML_CLOCK_SM => &clocks.sm,
        sys::nvmlClockType_enum_NVML_CLOCK_MEM => &clocks.memory,
        sys::nvmlClockType_enum_NVML_CLOCK_VIDEO => &clocks.video,
        _ => return Err(NvmlCode::InvalidArgument),
    };
    clock.get().copied()
}

/// A card without fans has no speeds; one with fans has no others.
fn fan_speed(card: &Card, fan: c_uint) -> Result<c_uint, NvmlCode> {
    match card.fans.get() {
        Ok(0) => Err(NvmlCode::NotSupported),
        Ok(fans) if fan >= *fans => Err(NvmlCode::InvalidArgument),
        _ => card.fan_percent.get().copied(),
    }
}
