//! The C functions. Their contract is NVIDIA's: a pointer is null, which is refused, or good for
//! what the function writes or reads through it.

mod card;
mod processes;
mod system;
mod values;

use std::ffi::{c_char, c_uint};

use nvml_wrapper_sys::bindings::{nvmlReturn_enum_NVML_SUCCESS, nvmlReturn_t};

use crate::codes::NvmlCode;

/// What a C function answers.
fn reply(result: Result<(), NvmlCode>) -> nvmlReturn_t {
    result.map_or_else(NvmlCode::raw, |()| nvmlReturn_enum_NVML_SUCCESS)
}

/// Writes `value` through `out`.
///
/// # Safety
///
/// `out` is null or good for writing a `T`.
#[expect(unsafe_code, reason = "writes where the C caller says")]
unsafe fn put<T>(out: *mut T, value: T) -> Result<(), NvmlCode> {
    if out.is_null() {
        return Err(NvmlCode::InvalidArgument);
    }
    // SAFETY: promised by the caller.
    unsafe { out.write(value) };
    Ok(())
}

/// Writes `text` and its closing zero into a buffer of `length` bytes.
///
/// # Safety
///
/// `out` is null or good for writing `length` bytes.
#[expect(unsafe_code, reason = "writes where the C caller says")]
unsafe fn put_text(out: *mut c_char, length: c_uint, text: &str) -> Result<(), NvmlCode> {
    if out.is_null() {
        return Err(NvmlCode::InvalidArgument);
    }
    let length = usize::try_from(length).map_err(|_| NvmlCode::InvalidArgument)?;
    if text.len() >= length {
        return Err(NvmlCode::InsufficientSize);
    }
    // SAFETY: there is room for the text and one byte more, and `text` lies elsewhere.
    unsafe {
        out.copy_from_nonoverlapping(text.as_ptr().cast(), text.len());
        out.add(text.len()).write(0);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use nvml_wrapper_sys::bindings::{self as sys, NvmlLib};

    /// That this compiles is the test: each function is what a caller of that name expects.
    macro_rules! expected {
        ($($module:ident: $($name:ident)*;)*) => {
            #[expect(dead_code, reason = "only compiled")]
            fn expected(lib: &mut NvmlLib) {
                $($(lib.$name = Ok(super::$module::$name);)*)*
            }
        };
    }

    expected! {
        system:
            nvmlInit_v2 nvmlInitWithFlags nvmlShutdown nvmlErrorString
            nvmlSystemGetDriverVersion nvmlSystemGetNVMLVersion nvmlSystemGetCudaDriverVersion_v2
            nvmlDeviceGetCount_v2 nvmlDeviceGetHandleByIndex_v2 nvmlDeviceGetHandleByUUID;
        card:
            nvmlDeviceGetUUID nvmlDeviceGetName nvmlDeviceGetPciInfo_v3
            nvmlDeviceGetMemoryInfo_v2 nvmlDeviceGetMemoryInfo
            nvmlDeviceGetEncoderUtilization nvmlDeviceGetDecoderUtilization;
        values:
            nvmlDeviceGetTemperature nvmlDeviceGetTemperatureThreshold
            nvmlDeviceGetPowerUsage nvmlDeviceGetEnforcedPowerLimit
            nvmlDeviceGetClockInfo nvmlDeviceGetMaxClockInfo
            nvmlDeviceGetNumFans nvmlDeviceGetFanSpeed_v2
            nvmlDeviceGetPerformanceState nvmlDeviceGetCurrentClocksThrottleReasons
            nvmlDeviceGetCurrPcieLinkGeneration nvmlDeviceGetCurrPcieLinkWidth
            nvmlDeviceGetMaxPcieLinkGeneration nvmlDeviceGetMaxPcieLinkWidth
            nvmlDeviceGetUtilizationRates;
        processes:
            nvmlDeviceGetComputeRunningProcesses_v3 nvmlDeviceGetGraphicsRunningProcesses_v3
            nvmlDeviceGetProcessUtilization;
    }

    #[test]
    fn the_structs_have_the_sizes_of_nvml_h() {
        assert_eq!(size_of::<sys::nvmlMemory_t>(), 24);
        assert_eq!(size_of::<sys::nvmlMemory_v2_t>(), 40);
        assert_eq!(size_of::<sys::nvmlPciInfo_t>(), 68);
        assert_eq!(size_of::<sys::nvmlProcessInfo_t>(), 24);
        assert_eq!(size_of::<sys::nvmlProcessUtilizationSample_t>(), 32);
        assert_eq!(size_of::<sys::nvmlUtilization_t>(), 8);
    }
}
