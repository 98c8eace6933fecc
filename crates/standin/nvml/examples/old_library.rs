//! The library of an old driver: two cards at rest, a few functions, and none of the newer ones.
//! Its memory call is the first version, which nvml-wrapper does not use.

#![expect(unsafe_code, reason = "exports C functions")]
#![expect(
    clippy::missing_safety_doc,
    reason = "NVIDIA's contract: pointers are null or good"
)]

use std::ffi::{CStr, c_char, c_uint};

use nvml_wrapper_sys::bindings::{
    nvmlDevice_t, nvmlMemory_t, nvmlReturn_enum_NVML_ERROR_INSUFFICIENT_SIZE as TOO_SMALL,
    nvmlReturn_enum_NVML_ERROR_INVALID_ARGUMENT as INVALID,
    nvmlReturn_enum_NVML_SUCCESS as SUCCESS, nvmlReturn_t, nvmlUtilization_t,
};

struct Card {
    uuid: &'static CStr,
    name: &'static CStr,
    total: u64,
}

static CARDS: [Card; 2] = [
    Card {
        uuid: c"GPU-19af3c52-6d0e-4b8a-9f27-5e41c08db736",
        name: c"NVIDIA GeForce RTX 3080",
        total: 16_384 << 20,
    },
    Card {
        uuid: c"GPU-7c1e84d9-25f3-4a60-b1ce-98d3720f6a15",
        name: c"NVIDIA GeForce RTX 3090",
        total: 24_576 << 20,
    },
];

const USED: u64 = 612 << 20;

/// The card of a handle: its index and one, in the shape of a pointer.
fn card(device: nvmlDevice_t) -> Option<&'static Card> {
    CARDS.get(device.addr().checked_sub(1)?)
}

unsafe fn put<T>(out: *mut T, value: Option<T>) -> nvmlReturn_t {
    match value {
        Some(value) if !out.is_null() => {
            // SAFETY: not null, and then good for writing.
            unsafe { out.write(value) };
            SUCCESS
        }
        _ => INVALID,
    }
}

unsafe fn put_text(out: *mut c_char, length: c_uint, text: Option<&CStr>) -> nvmlReturn_t {
    let Some(bytes) = text.map(CStr::to_bytes_with_nul) else {
        return INVALID;
    };
    if out.is_null() {
        return INVALID;
    }
    if usize::try_from(length).is_ok_and(|length| length < bytes.len()) {
        return TOO_SMALL;
    }
    // SAFETY: there is room for the text and its closing zero.
    unsafe { out.copy_from_nonoverlapping(bytes.as_ptr().cast(), bytes.len()) };
    SUCCESS
}

/// Begins a session.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlInit_v2() -> nvmlReturn_t {
    SUCCESS
}

/// Ends a session.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlShutdown() -> nvmlReturn_t {
    SUCCESS
}

/// The words for a code.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlErrorString(_result: nvmlReturn_t) -> *const c_char {
    c"Unknown Error".as_ptr()
}

/// The number of cards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetCount_v2(count: *mut c_uint) -> nvmlReturn_t {
    // SAFETY: the caller keeps NVIDIA's contract.
    unsafe { put(count, c_uint::try_from(CARDS.len()).ok()) }
}

/// The handle of the card with that index.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetHandleByIndex_v2(
    index: c_uint,
    device: *mut nvmlDevice_t,
) -> nvmlReturn_t {
    let index = usize::try_from(index).ok();
    let handle = index
        .filter(|index| *index < CARDS.len())
        .map(|index| std::ptr::without_provenance_mut(index + 1));
    // SAFETY: the caller keeps NVIDIA's contract.
    unsafe { put(device, handle) }
}

/// `GPU-…`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetUUID(
    device: nvmlDevice_t,
    uuid: *mut c_char,
    length: c_uint,
) -> nvmlReturn_t {
    // SAFETY: the caller keeps NVIDIA's contract.
    unsafe { put_text(uuid, length, card(device).map(|card| card.uuid)) }
}

/// Product name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetName(
    device: nvmlDevice_t,
    name: *mut c_char,
    length: c_uint,
) -> nvmlReturn_t {
    // SAFETY: the caller keeps NVIDIA's contract.
    unsafe { put_text(name, length, card(device).map(|card| card.name)) }
}

/// Memory in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetMemoryInfo(
    device: nvmlDevice_t,
    memory: *mut nvmlMemory_t,
) -> nvmlReturn_t {
    let info = card(device).map(|card| nvmlMemory_t {
        total: card.total,
        free: card.total - USED,
        used: USED,
    });
    // SAFETY: the caller keeps NVIDIA's contract.
    unsafe { put(memory, info) }
}

/// Load in per cent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetUtilizationRates(
    device: nvmlDevice_t,
    load: *mut nvmlUtilization_t,
) -> nvmlReturn_t {
    let rates = card(device).map(|_| nvmlUtilization_t { gpu: 0, memory: 1 });
    // SAFETY: the caller keeps NVIDIA's contract.
    unsafe { put(load, rates) }
}
