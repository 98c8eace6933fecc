//! The functions that tell which programs use a card. A caller asks for the number first, with
//! room for none, and is told that the room does not suffice.

#![expect(unsafe_code, reason = "exports C functions")]

use std::{
    ffi::{c_uint, c_ulonglong},
    time::{SystemTime, UNIX_EPOCH},
};

use nvml_wrapper_sys::bindings::{
    nvmlDevice_t, nvmlProcessInfo_t, nvmlProcessUtilizationSample_t, nvmlReturn_t,
};

use super::{put, reply};
use crate::{codes::NvmlCode, script::Process, state};

/// `NVML_VALUE_NOT_AVAILABLE` as an unsigned number.
const NOT_AVAILABLE: c_ulonglong = c_ulonglong::MAX;
/// An id that says that the card is not divided into instances.
const NO_INSTANCE: c_uint = c_uint::MAX;

/// Versions 2 and 3 of these functions have the same struct: see `nvmlProcessInfo_v2_t`.
macro_rules! lists {
    ($($doc:literal $name:ident graphics: $graphics:literal;)*) => {$(
        #[doc = $doc]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(
            device: nvmlDevice_t,
            count: *mut c_uint,
            infos: *mut nvmlProcessInfo_t,
        ) -> nvmlReturn_t {
            // SAFETY: the caller keeps the contract of these functions.
            unsafe { list(device, count, infos, $graphics) }
        }
    )*};
}

lists! {
    "The programs that compute."
    nvmlDeviceGetComputeRunningProcesses_v3 graphics: false;
    "The programs that compute, as older drivers name it."
    nvmlDeviceGetComputeRunningProcesses_v2 graphics: false;
    "The programs that draw."
    nvmlDeviceGetGraphicsRunningProcesses_v3 graphics: true;
    "The programs that draw, as older drivers name it."
    nvmlDeviceGetGraphicsRunningProcesses_v2 graphics: true;
}

unsafe fn list(
    device: nvmlDevice_t,
    count: *mut c_uint,
    infos: *mut nvmlProcessInfo_t,
    graphics: bool,
) -> nvmlReturn_t {
    let info = |process: &Process| nvmlProcessInfo_t {
        pid: process.pid,
        usedGpuMemory: process.memory.unwrap_or(NOT_AVAILABLE),
        gpuInstanceId: NO_INSTANCE,
        computeInstanceId: NO_INSTANCE,
    };
    reply(state::card(device).and_then(|card| {
        let processes = card.processes.get()?.iter();
        let infos_now: Vec<_> = processes
            .filter(|process| process.graphics == graphics)
            .map(info)
            .collect();
        // SAFETY: the caller keeps the contract of these functions.
        unsafe { put_all(count, infos, &infos_now) }
    }))
}

/// The shares of the programs since a time in microseconds; always as of now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetProcessUtilization(
    device: nvmlDevice_t,
    samples: *mut nvmlProcessUtilizationSample_t,
    count: *mut c_uint,
    last_seen: c_ulonglong,
) -> nvmlReturn_t {
    let now = microseconds();
    let sample = |process: &Process| nvmlProcessUtilizationSample_t {
        pid: process.pid,
        timeStamp: now,
        smUtil: process.sm.unwrap_or(0),
        memUtil: process.mem.unwrap_or(0),
        encUtil: process.enc.unwrap_or(0),
        decUtil: process.dec.unwrap_or(0),
    };
    reply(state::card(device).and_then(|card| {
        if let Some(code) = card.samples_error {
            return Err(code);
        }
        let processes = card.processes.get()?.iter();
        let samples_now: Vec<_> = processes
            .filter(|process| process.sampled() && now > last_seen)
            .map(sample)
            .collect();
        if samples_now.is_empty() {
            return Err(NvmlCode::NotFound);
        }
        // SAFETY: the caller keeps the contract of these functions.
        unsafe { put_all(count, samples, &samples_now) }
    }))
}

/// Writes `items` and their number, or only the number where the room does not suffice.
unsafe fn put_all<T: Copy>(count: *mut c_uint, out: *mut T, items: &[T]) -> Result<(), NvmlCode> {
    if count.is_null() {
        return Err(NvmlCode::InvalidArgument);
    }
    let number = c_uint::try_from(items.len()).map_err(|_| NvmlCode::Unknown)?;
    // SAFETY: not null, and then good for reading and writing.
    let room = unsafe { count.read() };
    // SAFETY: as above.
    unsafe { put(count, number)? };
    if room < number {
        return Err(NvmlCode::InsufficientSize);
    }
    if items.is_empty() {
        return Ok(());
    }
    if out.is_null() {
        return Err(NvmlCode::InvalidArgument);
    }
    // SAFETY: there is room for `room` items, which suffices, and `items` is ours.
    unsafe { out.copy_from_nonoverlapping(items.as_ptr(), items.len()) };
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a driver stamps its samples with its own clock"
)]
fn microseconds() -> c_ulonglong {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        c_ulonglong::try_from(since.as_micros()).unwrap_or(c_ulonglong::MAX)
    })
}
