//! The functions that tell of a card in texts, structs and pairs.

#![expect(unsafe_code, reason = "exports C functions")]

use std::ffi::{c_char, c_uint};

use nvml_wrapper_sys::bindings::{
    nvmlDevice_t, nvmlMemory_t, nvmlMemory_v2_t, nvmlPciInfo_t, nvmlReturn_t,
};

use super::{put, put_text, reply};
use crate::{
    codes::NvmlCode,
    script::{Answer, Card},
    state,
};

/// Microseconds over which the driver measures the load of encoder and decoder.
const SAMPLING_US: c_uint = 167_000;

/// `GPU-…`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetUUID(
    device: nvmlDevice_t,
    uuid: *mut c_char,
    length: c_uint,
) -> nvmlReturn_t {
    // SAFETY: the caller keeps the contract of these functions.
    unsafe { text(device, uuid, length, |card| &card.uuid) }
}

/// Product name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetName(
    device: nvmlDevice_t,
    name: *mut c_char,
    length: c_uint,
) -> nvmlReturn_t {
    // SAFETY: the caller keeps the contract of these functions.
    unsafe { text(device, name, length, |card| &card.name) }
}

unsafe fn text(
    device: nvmlDevice_t,
    out: *mut c_char,
    length: c_uint,
    read: fn(&Card) -> &Answer<String>,
) -> nvmlReturn_t {
    reply(state::card(device).and_then(|card| {
        // SAFETY: the caller keeps the contract of these functions.
        unsafe { put_text(out, length, read(&card).get()?) }
    }))
}

/// Where the card sits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetPciInfo_v3(
    device: nvmlDevice_t,
    pci: *mut nvmlPciInfo_t,
) -> nvmlReturn_t {
    reply(state::card(device).and_then(|card| {
        let bus_id = card.bus_id.get()?;
        let (domain, bus, slot) = address(bus_id).unwrap_or_default();
        let info = nvmlPciInfo_t {
            busIdLegacy: fixed(&format!("{domain:04X}:{bus:02X}:{slot:02X}.0"))?,
            domain,
            bus,
            device: slot,
            pciDeviceId: card.pci_device_id,
            pciSubSystemId: 0,
            busId: fixed(bus_id)?,
        };
        // SAFETY: the caller keeps the contract of these functions.
        unsafe { put(pci, info) }
    }))
}

/// Domain, bus and device of `domain:bus:device.function`.
fn address(bus_id: &str) -> Option<(c_uint, c_uint, c_uint)> {
    let hexadecimal = |text| c_uint::from_str_radix(text, 16).ok();
    let (domain, rest) = bus_id.split_once(':')?;
    let (bus, rest) = rest.split_once(':')?;
    let (slot, _) = rest.split_once('.')?;
    Some((hexadecimal(domain)?, hexadecimal(bus)?, hexadecimal(slot)?))
}

/// `text` and its closing zero in an array.
fn fixed<const N: usize>(text: &str) -> Result<[c_char; N], NvmlCode> {
    if text.len() >= N {
        return Err(NvmlCode::InsufficientSize);
    }
    let mut array = [0; N];
    for (place, byte) in array.iter_mut().zip(text.bytes()) {
        *place = c_char::from_ne_bytes([byte]);
    }
    Ok(array)
}

/// Memory in bytes. The caller says which version of the struct it has.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetMemoryInfo_v2(
    device: nvmlDevice_t,
    memory: *mut nvmlMemory_v2_t,
) -> nvmlReturn_t {
    reply(state::card(device).and_then(|card| {
        if memory.is_null() {
            return Err(NvmlCode::InvalidArgument);
        }
        // SAFETY: not null, and the caller has filled in the version.
        let version = unsafe { (&raw const (*memory).version).read() };
        if usize::try_from(version) != Ok(size_of::<nvmlMemory_v2_t>() | 2 << 24) {
            return Err(NvmlCode::ArgumentVersionMismatch);
        }
        let said = card.memory.get()?;
        let info = nvmlMemory_v2_t {
            version,
            total: said.total,
            reserved: said.reserved,
            free: said.free(),
            used: said.used,
        };
        // SAFETY: the caller keeps the contract of these functions.
        unsafe { put(memory, info) }
    }))
}

/// Memory in bytes, what the driver reserves counted as used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetMemoryInfo(
    device: nvmlDevice_t,
    memory: *mut nvmlMemory_t,
) -> nvmlReturn_t {
    reply(state::card(device).and_then(|card| {
        let said = card.memory.get()?;
        let info = nvmlMemory_t {
            total: said.total,
            free: said.free(),
            used: said.used.saturating_add(said.reserved),
        };
        // SAFETY: the caller keeps the contract of these functions.
        unsafe { put(memory, info) }
    }))
}

/// Load of the video encoder in per cent, and the microseconds over which it was measured.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetEncoderUtilization(
    device: nvmlDevice_t,
    percent: *mut c_uint,
    period: *mut c_uint,
) -> nvmlReturn_t {
    // SAFETY: the caller keeps the contract of these functions.
    unsafe { video(device, percent, period, |card| &card.encoder_percent) }
}

/// Load of the video decoder in per cent, and the microseconds over which it was measured.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetDecoderUtilization(
    device: nvmlDevice_t,
    percent: *mut c_uint,
    period: *mut c_uint,
) -> nvmlReturn_t {
    // SAFETY: the caller keeps the contract of these functions.
    unsafe { video(device, percent, period, |card| &card.decoder_percent) }
}

unsafe fn video(
    device: nvmlDevice_t,
    percent: *mut c_uint,
    period: *mut c_uint,
    read: fn(&Card) -> &Answer<u32>,
) -> nvmlReturn_t {
    reply(state::card(device).and_then(|card| {
        let load = *read(&card).get()?;
        // SAFETY: the caller keeps the contract of these functions.
        unsafe {
            put(percent, load)?;
            put(period, SAMPLING_US)
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        assert_eq!(address("00000000:0A:1F.0"), Some((0, 10, 31)));
        assert_eq!(address("0001:02:00.0"), Some((1, 2, 0)));
        assert_eq!(address("somewhere"), None);
    }
}
