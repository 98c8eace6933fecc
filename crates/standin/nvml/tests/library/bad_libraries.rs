//! The two examples: a driver from before, and something else under the same name.

use forgekeeper_standin_nvml::built;
use nvml_wrapper::{Nvml, enum_wrappers::device::TemperatureSensor, error::NvmlError};

fn open(example: &str) -> Result<Nvml, NvmlError> {
    let library = built::example(example).unwrap();
    Nvml::builder().lib_path(library.as_os_str()).init()
}

#[test]
fn an_old_library_lacks_the_newer_calls() {
    let nvml = open("old_library").unwrap();
    assert_eq!(nvml.device_count().unwrap(), 2);
    let card = nvml.device_by_index(1).unwrap();
    assert_eq!(
        card.uuid().unwrap(),
        "GPU-7c1e84d9-25f3-4a60-b1ce-98d3720f6a15"
    );
    assert_eq!(card.name().unwrap(), "NVIDIA GeForce RTX 3090");
    assert_eq!(card.utilization_rates().unwrap().memory, 1);
    assert!(matches!(
        nvml.device_by_index(2),
        Err(NvmlError::InvalidArg)
    ));
    let missing = |error: NvmlError| match error {
        NvmlError::FailedToLoadSymbol(words) => words,
        other => panic!("{other:?}"),
    };
    let words = missing(card.memory_info().unwrap_err());
    assert!(words.contains("nvmlDeviceGetMemoryInfo_v2"), "{words}");
    missing(card.temperature(TemperatureSensor::Gpu).unwrap_err());
    missing(card.running_compute_processes().unwrap_err());
    missing(nvml.sys_driver_version().unwrap_err());
    nvml.shutdown().unwrap();
}

#[test]
fn another_library_is_refused_when_it_is_opened() {
    match open("wrong_library") {
        Err(NvmlError::FailedToLoadSymbol(words)) => {
            assert!(words.contains("nvmlInit_v2"), "{words}");
        }
        other => panic!("{other:?}"),
    }
}
