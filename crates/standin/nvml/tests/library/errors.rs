//! Every way in which a driver says no.

use std::ffi::CStr;

use forgekeeper_standin_nvml::{Card, NvmlCode, Script};
use nvml_wrapper::{
    Device,
    enum_wrappers::device::{Clock, TemperatureSensor, TemperatureThreshold},
    error::NvmlError,
};

use crate::World;

type Asked = (&'static str, fn(&Device<'_>) -> Result<(), NvmlError>);

macro_rules! asked {
    ($($field:literal: $card:ident => $ask:expr;)*) => {
        &[$(($field, |$card| $ask.map(drop))),*]
    };
}

/// Each field of a script's card, and the call that tells it.
const ASKED: &[Asked] = asked! {
    "uuid": card => card.uuid();
    "name": card => card.name();
    "bus_id": card => card.pci_info();
    "utilization": card => card.utilization_rates();
    "encoder_percent": card => card.encoder_utilization();
    "decoder_percent": card => card.decoder_utilization();
    "memory": card => card.memory_info();
    "temperature_c": card => card.temperature(TemperatureSensor::Gpu);
    "slowdown_c": card => card.temperature_threshold(TemperatureThreshold::Slowdown);
    "shutdown_c": card => card.temperature_threshold(TemperatureThreshold::Shutdown);
    "power_mw": card => card.power_usage();
    "power_limit_mw": card => card.enforced_power_limit();
    "clocks_mhz.graphics": card => card.clock_info(Clock::Graphics);
    "clocks_mhz.sm": card => card.clock_info(Clock::SM);
    "clocks_mhz.memory": card => card.clock_info(Clock::Memory);
    "clocks_mhz.video": card => card.clock_info(Clock::Video);
    "max_clocks_mhz.graphics": card => card.max_clock_info(Clock::Graphics);
    "fans": card => card.num_fans();
    "fan_percent": card => card.fan_speed(0);
    "pstate": card => card.performance_state();
    "throttle_reasons": card => card.current_throttle_reasons();
    "pcie.generation": card => card.current_pcie_link_gen();
    "pcie.width": card => card.current_pcie_link_width();
    "max_pcie.generation": card => card.max_pcie_link_gen();
    "max_pcie.width": card => card.max_pcie_link_width();
    "processes": card => card.running_compute_processes();
    "processes": card => card.running_graphics_processes();
    "processes": card => card.process_utilization_stats(0);
    "samples_error": card => card.process_utilization_stats(0);
};

/// A script whose first card answers `code` where `field` is asked for, and nowhere else.
fn refusing(field: &str, code: NvmlCode) -> String {
    let said = match field.split_once('.') {
        Some((outer, inner)) => format!(r#""{outer}": {{"{inner}": "{}"}}"#, code.name()),
        None => format!(r#""{field}": "{}""#, code.name()),
    };
    format!(r#"{{"cards": [{{{said}}}]}}"#)
}

#[test]
fn each_value_can_be_refused_with_each_code() {
    let world = World::of(&Script::founding());
    let nvml = world.open();
    for (field, ask) in ASKED {
        for code in NvmlCode::ALL {
            world.says(&refusing(field, *code));
            let card = nvml.device_by_index(0).unwrap();
            let error = match ask(&card) {
                Err(error) => error,
                // The calls for a list take this one as the answer to "how many".
                Ok(()) if *code == NvmlCode::InsufficientSize => continue,
                Ok(()) => panic!("{field} {code:?}"),
            };
            assert_eq!(u32::from(error), code.raw(), "{field} {code:?}");
        }
        world.says(&refusing(field, NvmlCode::NotSupported));
        let card = nvml.device_by_index(0).unwrap();
        let refused = ASKED
            .iter()
            .filter(|(_, ask)| matches!(ask(&card), Err(NvmlError::NotSupported)));
        // The shares of the programs are said by two fields.
        let expected = match *field {
            "processes" => 4,
            "samples_error" => 2,
            _ => 1,
        };
        assert_eq!(refused.count(), expected, "{field} alone is refused");
    }
}

#[test]
fn a_lost_card_answers_nothing_and_comes_back() {
    let script = Script::founding();
    let world = World::of(&script);
    let nvml = world.open();
    let before = nvml.device_by_index(0).unwrap();
    let mut without = script.clone();
    without.cards[0].lost = true;
    world.becomes(&without);
    assert!(
        before.temperature(TemperatureSensor::Gpu).is_ok(),
        "nobody has looked yet"
    );
    assert_eq!(nvml.device_count().unwrap(), 2, "a lost card is counted");
    for (field, ask) in ASKED {
        assert!(matches!(ask(&before), Err(NvmlError::GpuLost)), "{field}");
    }
    assert!(matches!(nvml.device_by_index(0), Err(NvmlError::GpuLost)));
    let uuid = script.cards[0].uuid.get().unwrap().as_str();
    assert!(matches!(nvml.device_by_uuid(uuid), Err(NvmlError::GpuLost)));
    assert!(nvml.device_by_index(1).unwrap().name().is_ok());
    world.becomes(&script);
    assert_eq!(nvml.device_by_index(0).unwrap().uuid().unwrap(), uuid);
    assert!(
        before.power_usage().is_ok(),
        "its handle from before is good again"
    );
}

#[test]
fn a_card_that_is_gone_is_not_counted() {
    let script = Script::founding();
    let world = World::of(&script);
    let nvml = world.open();
    let first = nvml.device_by_index(0).unwrap();
    let second = nvml.device_by_index(1).unwrap();
    let name = second.name().unwrap();
    let mut without = script.clone();
    without.cards[0].gone = true;
    let mut shorter = script.clone();
    shorter.cards.remove(0);
    for without in [without, shorter] {
        world.becomes(&without);
        assert_eq!(nvml.device_count().unwrap(), 1);
        assert!(matches!(first.name(), Err(NvmlError::GpuLost)));
        assert_eq!(second.name().unwrap(), name, "a handle follows its card");
        assert_eq!(nvml.device_by_index(0).unwrap().name().unwrap(), name);
        assert!(matches!(
            nvml.device_by_index(1),
            Err(NvmlError::InvalidArg)
        ));
        let uuid = script.cards[0].uuid.get().unwrap().as_str();
        assert!(matches!(
            nvml.device_by_uuid(uuid),
            Err(NvmlError::NotFound)
        ));
    }
    let mut none = script;
    none.cards.clear();
    world.becomes(&none);
    assert_eq!(nvml.device_count().unwrap(), 0);
}

#[test]
fn a_handle_can_be_refused() {
    let mut script = Script::founding();
    script.cards[0].handle_error = Some(NvmlCode::InsufficientPower);
    script.cards.push(Card::at_rest(2));
    let world = World::of(&script);
    let nvml = world.open();
    assert_eq!(nvml.device_count().unwrap(), 3);
    assert!(matches!(
        nvml.device_by_index(0),
        Err(NvmlError::InsufficientPower)
    ));
    assert!(nvml.device_by_index(2).is_ok());
}

#[test]
fn the_start_and_the_count_can_be_refused() {
    let mut script = Script::founding();
    script.init_error = Some(NvmlCode::DriverNotLoaded);
    let world = World::of(&script);
    assert!(matches!(world.try_open(), Err(NvmlError::DriverNotLoaded)));
    script.init_error = Some(NvmlCode::LibRmVersionMismatch);
    world.becomes(&script);
    assert!(matches!(
        world.try_open(),
        Err(NvmlError::LibRmVersionMismatch)
    ));
    script.init_error = Some(NvmlCode::NoPermission);
    world.becomes(&script);
    assert!(matches!(world.try_open(), Err(NvmlError::NoPermission)));
    script.init_error = None;
    script.count_error = Some(NvmlCode::Timeout);
    script.driver = NvmlCode::NotSupported.into();
    script.cuda = NvmlCode::LibraryNotFound.into();
    world.becomes(&script);
    let nvml = world.open();
    assert!(matches!(nvml.device_count(), Err(NvmlError::Timeout)));
    assert!(matches!(
        nvml.sys_driver_version(),
        Err(NvmlError::NotSupported)
    ));
    assert!(matches!(
        nvml.sys_cuda_driver_version(),
        Err(NvmlError::LibraryNotFound)
    ));
    assert!(nvml.device_by_index(0).is_ok());
}

#[test]
fn codes_have_words() {
    let world = World::of(&Script::founding());
    let nvml = world.open();
    #[expect(unsafe_code, reason = "nvml-wrapper has its own words")]
    let words = |code| {
        // SAFETY: the library answers with a text that stays.
        let words = unsafe { CStr::from_ptr(nvml.lib().nvmlErrorString(code)) };
        words.to_str().unwrap().to_owned()
    };
    assert_eq!(words(0), "Success");
    assert_eq!(words(NvmlCode::GpuIsLost.raw()), "GPU is lost");
    assert_eq!(
        words(NvmlCode::LibRmVersionMismatch.raw()),
        "Driver/library version mismatch"
    );
    assert_eq!(words(4_711), "Unknown Error");
    for code in NvmlCode::ALL {
        assert_eq!(words(code.raw()), code.text().to_str().unwrap());
    }
}
