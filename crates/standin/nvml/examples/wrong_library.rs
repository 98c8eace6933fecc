//! A library under the name of NVIDIA's that is something else.

#![expect(unsafe_code, reason = "exports a C function")]

/// Nothing that NVML has.
#[unsafe(no_mangle)]
pub extern "C" fn something_else() -> i32 {
    42
}
