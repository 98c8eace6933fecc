//! The programs on a card.

use std::collections::HashMap;

use forgekeeper_standin_nvml::{NvmlCode, Process, Script};
use nvml_wrapper::{Device, enums::device::UsedGpuMemory, error::NvmlError};
use nvml_wrapper_sys::bindings::{self as sys, nvmlDevice_t, nvmlProcessInfo_t, nvmlReturn_t};

use crate::World;

fn populated() -> Script {
    let mut script = Script::founding();
    let busy = Process {
        sm: Some(88),
        mem: Some(40),
        dec: Some(3),
        ..Process::compute(1_001, Some(9_663_676_416))
    };
    let unknown = Process::compute(1_002, None);
    let desktop = Process {
        graphics: true,
        enc: Some(7),
        ..Process::compute(1_003, Some(0))
    };
    script.cards[0].processes = vec![busy, unknown, desktop].into();
    script
}

#[test]
fn programs_are_listed_by_what_they_do() {
    let world = World::of(&populated());
    let nvml = world.open();
    let card = nvml.device_by_index(0).unwrap();
    assert_eq!(card.running_compute_processes_count().unwrap(), 2);
    assert_eq!(card.running_graphics_processes_count().unwrap(), 1);
    let compute = card.running_compute_processes().unwrap();
    assert_eq!(compute.len(), 2);
    assert_eq!(compute[0].pid, 1_001);
    assert_eq!(
        compute[0].used_gpu_memory,
        UsedGpuMemory::Used(9_663_676_416)
    );
    assert_eq!(compute[0].gpu_instance_id, None);
    assert_eq!(compute[0].compute_instance_id, None);
    assert_eq!(compute[1].used_gpu_memory, UsedGpuMemory::Unavailable);
    let graphics = card.running_graphics_processes().unwrap();
    assert_eq!(graphics.len(), 1);
    assert_eq!(graphics[0].used_gpu_memory, UsedGpuMemory::Used(0));
    let idle = nvml.device_by_index(1).unwrap();
    assert_eq!(idle.running_compute_processes_count().unwrap(), 0);
    assert!(idle.running_graphics_processes().unwrap().is_empty());
}

type List = unsafe extern "C" fn(nvmlDevice_t, *mut u32, *mut nvmlProcessInfo_t) -> nvmlReturn_t;

#[expect(unsafe_code, reason = "the calls as a C program makes them")]
fn list(card: &Device<'_>, name: &[u8], room: u32) -> (nvmlReturn_t, u32, Vec<u32>) {
    let empty = nvmlProcessInfo_t {
        pid: 0,
        usedGpuMemory: 0,
        gpuInstanceId: 0,
        computeInstanceId: 0,
    };
    let mut infos = vec![empty; 8];
    let mut count = room;
    // SAFETY: both versions of the lists have this signature, and there is room for eight.
    let code = unsafe {
        let call = card.nvml().lib().__library.get::<List>(name).unwrap();
        call(card.handle(), &raw mut count, infos.as_mut_ptr())
    };
    let pids = infos.iter().map(|info| info.pid).filter(|pid| *pid != 0);
    (code, count, pids.collect())
}

#[test]
fn a_list_says_how_much_room_it_needs() {
    let world = World::of(&populated());
    let nvml = world.open();
    let card = nvml.device_by_index(0).unwrap();
    let too_small = sys::nvmlReturn_enum_NVML_ERROR_INSUFFICIENT_SIZE;
    for name in [
        b"nvmlDeviceGetComputeRunningProcesses_v3".as_slice(),
        b"nvmlDeviceGetComputeRunningProcesses_v2",
    ] {
        assert_eq!(list(&card, name, 0), (too_small, 2, vec![]));
        assert_eq!(
            list(&card, name, 1),
            (too_small, 2, vec![]),
            "nothing is written"
        );
        assert_eq!(list(&card, name, 2), (0, 2, vec![1_001, 1_002]));
        assert_eq!(list(&card, name, 8), (0, 2, vec![1_001, 1_002]));
    }
    for name in [
        b"nvmlDeviceGetGraphicsRunningProcesses_v3".as_slice(),
        b"nvmlDeviceGetGraphicsRunningProcesses_v2",
    ] {
        assert_eq!(list(&card, name, 0), (too_small, 1, vec![]));
        assert_eq!(list(&card, name, 5), (0, 1, vec![1_003]));
    }
    let idle = nvml.device_by_index(1).unwrap();
    assert_eq!(
        list(&idle, b"nvmlDeviceGetComputeRunningProcesses_v3", 0),
        (0, 0, vec![])
    );
}

#[test]
fn shares_are_sampled() {
    let mut script = populated();
    let world = World::of(&script);
    let nvml = world.open();
    let card = nvml.device_by_index(0).unwrap();
    let samples = card.process_utilization_stats(None).unwrap();
    let by_pid: HashMap<_, _> = samples.iter().map(|sample| (sample.pid, sample)).collect();
    assert_eq!(by_pid.len(), 2, "a program without a share has no sample");
    let busy = by_pid[&1_001];
    assert_eq!((busy.sm_util, busy.mem_util), (88, 40));
    assert_eq!((busy.enc_util, busy.dec_util), (0, 3));
    assert_eq!(by_pid[&1_003].enc_util, 7);
    // Microseconds since 1970, like the driver's.
    assert!(busy.timestamp > 1_700_000_000_000_000);
    let later = card.process_utilization_stats(busy.timestamp + 60_000_000);
    assert!(matches!(later, Err(NvmlError::NotFound)), "nothing newer");
    assert!(card.process_utilization_stats(busy.timestamp - 1).is_ok());
    let idle = nvml.device_by_index(1).unwrap();
    assert!(matches!(
        idle.process_utilization_stats(0),
        Err(NvmlError::NotFound)
    ));
    script.cards[0].samples_error = Some(NvmlCode::NotSupported);
    world.becomes(&script);
    nvml.device_count().unwrap();
    let samples = card.process_utilization_stats(0);
    assert!(matches!(samples, Err(NvmlError::NotSupported)));
    assert!(card.running_compute_processes().is_ok());
}
