//! The library, the driver, the count of cards and their handles.

#![expect(unsafe_code, reason = "exports C functions")]

use std::ffi::{CStr, c_char, c_int, c_uint};

use nvml_wrapper_sys::bindings::{nvmlDevice_t, nvmlReturn_enum_NVML_SUCCESS, nvmlReturn_t};

use super::{put, put_text, reply};
use crate::{codes::NvmlCode, state};

/// Begins a session.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlInit_v2() -> nvmlReturn_t {
    reply(state::open())
}

/// Begins a session; no flag makes a difference here.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlInitWithFlags(_flags: c_uint) -> nvmlReturn_t {
    reply(state::open())
}

/// Ends a session.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlShutdown() -> nvmlReturn_t {
    reply(state::close())
}

/// The words for a code; asks for no session.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlErrorString(result: nvmlReturn_t) -> *const c_char {
    let text = if result == nvmlReturn_enum_NVML_SUCCESS {
        c"Success"
    } else {
        NvmlCode::from_raw(result)
            .unwrap_or(NvmlCode::Unknown)
            .text()
    };
    text.as_ptr()
}

/// The driver's version.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlSystemGetDriverVersion(
    version: *mut c_char,
    length: c_uint,
) -> nvmlReturn_t {
    reply(state::script().and_then(|script| {
        // SAFETY: the caller keeps the contract of these functions.
        unsafe { put_text(version, length, script.driver.get()?) }
    }))
}

/// The library's version.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlSystemGetNVMLVersion(
    version: *mut c_char,
    length: c_uint,
) -> nvmlReturn_t {
    reply(state::script().and_then(|script| {
        // SAFETY: the caller keeps the contract of these functions.
        unsafe { put_text(version, length, script.nvml.get()?) }
    }))
}

/// The CUDA version of the driver.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlSystemGetCudaDriverVersion_v2(version: *mut c_int) -> nvmlReturn_t {
    reply(state::script().and_then(|script| {
        // SAFETY: the caller keeps the contract of these functions.
        unsafe { put(version, *script.cuda.get()?) }
    }))
}

/// The number of cards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetCount_v2(count: *mut c_uint) -> nvmlReturn_t {
    // SAFETY: the caller keeps the contract of these functions.
    reply(state::count().and_then(|number| unsafe { put(count, number) }))
}

/// The handle of the card with that index.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetHandleByIndex_v2(
    index: c_uint,
    device: *mut nvmlDevice_t,
) -> nvmlReturn_t {
    // SAFETY: the caller keeps the contract of these functions.
    reply(state::by_index(index).and_then(|handle| unsafe { put(device, handle) }))
}

/// The handle of the card with that UUID.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetHandleByUUID(
    uuid: *const c_char,
    device: *mut nvmlDevice_t,
) -> nvmlReturn_t {
    if uuid.is_null() {
        return NvmlCode::InvalidArgument.raw();
    }
    // SAFETY: not null, and then a text with its closing zero.
    let uuid = unsafe { CStr::from_ptr(uuid) };
    let handle = uuid
        .to_str()
        .map_err(|_| NvmlCode::InvalidArgument)
        .and_then(state::by_uuid);
    // SAFETY: the caller keeps the contract of these functions.
    reply(handle.and_then(|handle| unsafe { put(device, handle) }))
}
