//! The peer of `cargo xtask bench gpu`: asks a library for the same values as the application does,
//! by its C functions alone, so often and with nothing made of the answers.
//!
//! `direct LIBRARY COUNT` prints one line of JSON: cards read, and nanoseconds of CPU that it took.

#![expect(unsafe_code, reason = "calls C functions")]

use std::{error::Error, ffi::c_uint, hint::black_box, mem::zeroed, ptr};

use nvml_wrapper_sys::bindings::{
    NvmlLib, nvmlClockType_enum_NVML_CLOCK_GRAPHICS as GRAPHICS,
    nvmlClockType_enum_NVML_CLOCK_MEM as MEMORY_CLOCK, nvmlDevice_t, nvmlMemory_v2_t,
    nvmlReturn_enum_NVML_SUCCESS as SUCCESS, nvmlReturn_t,
    nvmlTemperatureSensors_enum_NVML_TEMPERATURE_GPU as SENSOR, nvmlUtilization_t,
};

type Failure = Box<dyn Error>;

/// Room for a UUID, as nvml.h has it (`NVML_DEVICE_UUID_V2_BUFFER_SIZE`).
const UUID: usize = 96;

/// Calls a function by its field; an answer other than success ends the run.
macro_rules! ask {
    ($lib:ident.$function:ident($($argument:expr),*)) => {
        check($lib.$function.as_ref().map_err(|error| error.to_string())?($($argument),*))?
    };
}

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [library, count] = args.as_slice() else {
        return Err("usage: direct LIBRARY COUNT".into());
    };
    let count: u32 = count.parse()?;
    // SAFETY: the stand-in has no initialisers, and its functions follow nvml.h.
    let cards = unsafe { run(library, count)? };
    println!("{{\"cards\":{cards},\"cpu_ns\":{}}}", cpu_ns()?);
    Ok(())
}

/// Nanoseconds that this process has run (`/proc/self/schedstat`, first field).
fn cpu_ns() -> Result<u64, Failure> {
    let text = std::fs::read_to_string("/proc/self/schedstat")?;
    let first = text.split_whitespace().next().ok_or("an empty schedstat")?;
    Ok(first.parse()?)
}

fn check(answer: nvmlReturn_t) -> Result<(), Failure> {
    if answer == SUCCESS {
        Ok(())
    } else {
        Err(format!("the library answers {answer}").into())
    }
}

unsafe fn run(library: &str, count: u32) -> Result<u32, Failure> {
    // SAFETY: the caller's.
    unsafe {
        let lib = NvmlLib::new(library)?;
        ask!(lib.nvmlInit_v2());
        let mut read = 0;
        for _ in 0..count {
            let mut cards: c_uint = 0;
            ask!(lib.nvmlDeviceGetCount_v2(&raw mut cards));
            for index in 0..cards {
                card(&lib, index)?;
                read += 1;
            }
        }
        Ok(read)
    }
}

unsafe fn card(lib: &NvmlLib, index: c_uint) -> Result<(), Failure> {
    // SAFETY: the caller's; every pointer is to a value of the type that nvml.h names.
    unsafe {
        let mut device: nvmlDevice_t = ptr::null_mut();
        ask!(lib.nvmlDeviceGetHandleByIndex_v2(index, &raw mut device));
        let mut uuid = [0; UUID];
        let room = c_uint::try_from(UUID)?;
        ask!(lib.nvmlDeviceGetUUID(device, uuid.as_mut_ptr(), room));
        black_box(uuid);
        let mut load: nvmlUtilization_t = zeroed();
        ask!(lib.nvmlDeviceGetUtilizationRates(device, &raw mut load));
        black_box(load);
        let mut memory: nvmlMemory_v2_t = zeroed();
        memory.version = c_uint::try_from(size_of::<nvmlMemory_v2_t>())? | (2 << 24);
        ask!(lib.nvmlDeviceGetMemoryInfo_v2(device, &raw mut memory));
        black_box(memory);
        let (mut value, mut period): (c_uint, c_uint) = (0, 0);
        ask!(lib.nvmlDeviceGetEncoderUtilization(device, &raw mut value, &raw mut period));
        ask!(lib.nvmlDeviceGetDecoderUtilization(device, &raw mut value, &raw mut period));
        ask!(lib.nvmlDeviceGetTemperature(device, SENSOR, &raw mut value));
        ask!(lib.nvmlDeviceGetPowerUsage(device, &raw mut value));
        ask!(lib.nvmlDeviceGetEnforcedPowerLimit(device, &raw mut value));
        ask!(lib.nvmlDeviceGetClockInfo(device, GRAPHICS, &raw mut value));
        ask!(lib.nvmlDeviceGetClockInfo(device, MEMORY_CLOCK, &raw mut value));
        ask!(lib.nvmlDeviceGetFanSpeed_v2(device, 0, &raw mut value));
        let mut state = 0;
        ask!(lib.nvmlDeviceGetPerformanceState(device, &raw mut state));
        let mut reasons = 0;
        ask!(lib.nvmlDeviceGetCurrentClocksThrottleReasons(device, &raw mut reasons));
        ask!(lib.nvmlDeviceGetCurrPcieLinkGeneration(device, &raw mut value));
        ask!(lib.nvmlDeviceGetCurrPcieLinkWidth(device, &raw mut value));
        black_box((value, period, state, reasons));
        Ok(())
    }
}
