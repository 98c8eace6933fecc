//! Every value that a script says, read through nvml-wrapper.

use forgekeeper_standin_nvml::{Answer, Clocks, Memory, PcieLink, Script, Throttle, Utilization};
use nvml_wrapper::{
    bitmasks::{InitFlags, device::ThrottleReasons},
    enum_wrappers::device::{Clock, PerformanceState, TemperatureSensor, TemperatureThreshold},
    error::NvmlError,
};
use nvml_wrapper_sys::bindings as sys;

use crate::World;

const CLOCKS: [Clock; 4] = [Clock::Graphics, Clock::SM, Clock::Memory, Clock::Video];

#[test]
fn the_founding_cards_are_played_without_a_script() {
    let world = World::of(&Script::founding());
    std::fs::remove_file(world.script_path()).unwrap();
    let nvml = world.open();
    assert_eq!(nvml.sys_driver_version().unwrap(), "570.133.07");
    assert_eq!(nvml.sys_nvml_version().unwrap(), "12.570.133.07");
    assert_eq!(nvml.sys_cuda_driver_version().unwrap(), 12_080);
    assert_eq!(nvml.device_count().unwrap(), 2);
    let card = nvml.device_by_index(1).unwrap();
    assert_eq!(
        card.uuid().unwrap(),
        "GPU-7c1e84d9-25f3-4a60-b1ce-98d3720f6a15"
    );
    assert_eq!(card.name().unwrap(), "NVIDIA GeForce RTX 3090");
    let pci = card.pci_info().unwrap();
    assert_eq!(pci.bus_id, "00000000:02:00.0");
    assert_eq!((pci.domain, pci.bus, pci.device), (0, 2, 0));
    assert_eq!(pci.pci_device_id, 0x2204_10DE);
    assert_eq!(card.memory_info().unwrap().total, 24_576 << 20);
    assert!(card.running_compute_processes().unwrap().is_empty());
    let same = nvml
        .device_by_uuid("GPU-7c1e84d9-25f3-4a60-b1ce-98d3720f6a15")
        .unwrap();
    assert_eq!(same.name().unwrap(), "NVIDIA GeForce RTX 3090");
    assert!(matches!(
        nvml.device_by_index(2),
        Err(NvmlError::InvalidArg)
    ));
    assert!(matches!(
        nvml.device_by_uuid("GPU-none"),
        Err(NvmlError::NotFound)
    ));
    nvml.shutdown().unwrap();
}

#[test]
fn every_value_is_the_one_of_the_script() {
    let mut script = Script::founding();
    script.driver = "535.54.03".to_owned().into();
    script.nvml = "12.535.54.03".to_owned().into();
    script.cuda = 12_020.into();
    let card = &mut script.cards[0];
    card.uuid = "GPU-äöü".to_owned().into();
    card.name = "A card".to_owned().into();
    card.bus_id = "0001:0A:1F.0".to_owned().into();
    card.pci_device_id = 7;
    card.utilization = Utilization {
        gpu: 97,
        memory: 64,
    }
    .into();
    card.encoder_percent = 11.into();
    card.decoder_percent = 12.into();
    card.temperature_c = 71.into();
    card.slowdown_c = 91.into();
    card.shutdown_c = 99.into();
    card.power_mw = 301_234.into();
    card.power_limit_mw = 310_000.into();
    card.clocks_mhz = clocks(1);
    card.max_clocks_mhz = clocks(5);
    card.fans = 3.into();
    card.fan_percent = 55.into();
    card.pstate = 2.into();
    card.throttle_reasons = Throttle::Mask(0x24).into();
    card.pcie = PcieLink {
        generation: 3.into(),
        width: 8.into(),
    };
    card.max_pcie = PcieLink {
        generation: 5.into(),
        width: 32.into(),
    };
    let world = World::of(&script);
    let nvml = world.open();
    assert_eq!(nvml.sys_driver_version().unwrap(), "535.54.03");
    assert_eq!(nvml.sys_nvml_version().unwrap(), "12.535.54.03");
    assert_eq!(nvml.sys_cuda_driver_version().unwrap(), 12_020);
    let card = nvml.device_by_index(0).unwrap();
    assert_eq!(card.uuid().unwrap(), "GPU-äöü");
    assert_eq!(card.name().unwrap(), "A card");
    let pci = card.pci_info().unwrap();
    assert_eq!(pci.bus_id, "0001:0A:1F.0");
    assert_eq!(
        (pci.domain, pci.bus, pci.device, pci.pci_device_id),
        (1, 10, 31, 7)
    );
    let load = card.utilization_rates().unwrap();
    assert_eq!((load.gpu, load.memory), (97, 64));
    assert_eq!(card.encoder_utilization().unwrap().utilization, 11);
    assert_eq!(card.decoder_utilization().unwrap().utilization, 12);
    assert_eq!(card.decoder_utilization().unwrap().sampling_period, 167_000);
    assert_eq!(card.temperature(TemperatureSensor::Gpu).unwrap(), 71);
    let threshold = |kind| card.temperature_threshold(kind);
    assert_eq!(threshold(TemperatureThreshold::Slowdown).unwrap(), 91);
    assert_eq!(threshold(TemperatureThreshold::Shutdown).unwrap(), 99);
    let other = threshold(TemperatureThreshold::GpuMax);
    assert!(matches!(other, Err(NvmlError::NotSupported)));
    assert_eq!(card.power_usage().unwrap(), 301_234);
    assert_eq!(card.enforced_power_limit().unwrap(), 310_000);
    assert_eq!(
        CLOCKS.map(|kind| card.clock_info(kind).unwrap()),
        [1, 2, 3, 4]
    );
    assert_eq!(
        CLOCKS.map(|kind| card.max_clock_info(kind).unwrap()),
        [5, 6, 7, 8]
    );
    assert_eq!(card.num_fans().unwrap(), 3);
    assert_eq!(card.fan_speed(0).unwrap(), 55);
    assert_eq!(card.fan_speed(2).unwrap(), 55);
    assert!(matches!(card.fan_speed(3), Err(NvmlError::InvalidArg)));
    assert_eq!(card.performance_state().unwrap(), PerformanceState::Two);
    let reasons = ThrottleReasons::SW_POWER_CAP | ThrottleReasons::SW_THERMAL_SLOWDOWN;
    assert_eq!(card.current_throttle_reasons_strict().unwrap(), reasons);
    assert_eq!(card.current_pcie_link_gen().unwrap(), 3);
    assert_eq!(card.current_pcie_link_width().unwrap(), 8);
    assert_eq!(card.max_pcie_link_gen().unwrap(), 5);
    assert_eq!(card.max_pcie_link_width().unwrap(), 32);
}

fn clocks(first: u32) -> Clocks {
    Clocks {
        graphics: first.into(),
        sm: (first + 1).into(),
        memory: (first + 2).into(),
        video: (first + 3).into(),
    }
}

#[test]
fn reasons_are_said_by_word() {
    let world = World::of(&Script::founding());
    world.says(r#"{"cards": [{"throttle_reasons": ["hw_thermal_slowdown", "sw_power_cap"]}]}"#);
    let nvml = world.open();
    assert_eq!(nvml.device_count().unwrap(), 1);
    let card = nvml.device_by_index(0).unwrap();
    let reasons = ThrottleReasons::SW_POWER_CAP | ThrottleReasons::HW_THERMAL_SLOWDOWN;
    assert_eq!(card.current_throttle_reasons_strict().unwrap(), reasons);
}

#[test]
fn memory_is_passed_on_as_it_is() {
    let mut script = Script::founding();
    script.cards[0].memory = Answer::Value(Memory {
        total: 1_000,
        used: 300,
        reserved: 20,
        free: None,
    });
    script.cards[1].memory = Answer::Value(Memory {
        total: u64::MAX,
        used: u64::MAX,
        reserved: 1,
        free: Some(17),
    });
    let world = World::of(&script);
    let nvml = world.open();
    let card = nvml.device_by_index(0).unwrap();
    let memory = card.memory_info().unwrap();
    assert_eq!((memory.total, memory.used), (1_000, 300));
    assert_eq!((memory.reserved, memory.free), (20, 680));
    assert_eq!(memory.version, 0x0200_0028, "version 2, 40 bytes");
    // The first version has no place for what is reserved.
    let mut first = sys::nvmlMemory_t {
        total: 0,
        free: 0,
        used: 0,
    };
    assert_eq!(memory_v1(&card, &mut first), 0);
    assert_eq!((first.total, first.free, first.used), (1_000, 680, 320));
    let absurd = nvml.device_by_index(1).unwrap();
    let memory = absurd.memory_info().unwrap();
    assert_eq!((memory.total, memory.used), (u64::MAX, u64::MAX));
    assert_eq!((memory.reserved, memory.free), (1, 17));
    assert_eq!(memory_v1(&absurd, &mut first), 0);
    assert_eq!(first.used, u64::MAX);
}

#[expect(unsafe_code, reason = "nvml-wrapper does not call it")]
fn memory_v1(card: &nvml_wrapper::Device<'_>, memory: &mut sys::nvmlMemory_t) -> u32 {
    // SAFETY: a handle of this library, and memory to write to.
    unsafe {
        card.nvml()
            .lib()
            .nvmlDeviceGetMemoryInfo(card.handle(), memory)
    }
}

#[test]
fn a_struct_of_another_version_is_refused() {
    let world = World::of(&Script::founding());
    let nvml = world.open();
    let card = nvml.device_by_index(0).unwrap();
    let mut memory = sys::nvmlMemory_v2_t {
        version: 1,
        total: 0,
        reserved: 0,
        free: 0,
        used: 0,
    };
    #[expect(unsafe_code, reason = "nvml-wrapper always asks for the right version")]
    // SAFETY: a handle of this library, and memory to write to.
    let code = unsafe {
        nvml.lib()
            .nvmlDeviceGetMemoryInfo_v2(card.handle(), &raw mut memory)
    };
    assert_eq!(
        code,
        sys::nvmlReturn_enum_NVML_ERROR_ARGUMENT_VERSION_MISMATCH
    );
    assert_eq!(memory.total, 0);
}

#[test]
fn flags_and_second_sessions_are_accepted() {
    let world = World::of(&Script::founding());
    let library = world.library.as_os_str();
    let flagged = nvml_wrapper::Nvml::builder()
        .lib_path(library)
        .flags(InitFlags::NO_GPUS)
        .init()
        .unwrap();
    let second = world.open();
    flagged.shutdown().unwrap();
    assert_eq!(second.device_count().unwrap(), 2);
}
