//! The script changes, is wrong, takes its time; and each copy of the library has its own.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use forgekeeper_standin_nvml::{NvmlCode, SCRIPT_VARIABLE, Script, built};
use nvml_wrapper::{Nvml, enum_wrappers::device::TemperatureSensor, error::NvmlError};

use crate::World;

fn warm(celsius: u32) -> Script {
    let mut script = Script::founding();
    script.cards[0].temperature_c = celsius.into();
    script
}

fn temperature(nvml: &Nvml) -> u32 {
    let card = nvml.device_by_index(0).unwrap();
    card.temperature(TemperatureSensor::Gpu).unwrap()
}

#[test]
fn a_replaced_script_is_in_force_at_the_next_look() {
    let world = World::of(&warm(50));
    let nvml = world.open();
    assert_eq!(temperature(&nvml), 50);
    for celsius in 51..70 {
        world.becomes(&warm(celsius));
        assert_eq!(temperature(&nvml), celsius);
    }
    drop(nvml);
    world.becomes(&warm(70));
    assert_eq!(temperature(&world.open()), 70);
}

#[test]
fn each_copy_is_a_world_of_its_own() {
    let worlds = [World::of(&warm(50)), World::of(&warm(60))];
    let open = worlds.each_ref().map(World::open);
    assert_eq!(open.each_ref().map(temperature), [50, 60]);
    worlds[1].becomes(&warm(61));
    assert_eq!(open.each_ref().map(temperature), [50, 61]);
}

#[test]
fn with_a_script_that_cannot_be_read_nothing_is_answered() {
    let world = World::of(&Script::founding());
    let nvml = world.open();
    let card = nvml.device_by_index(0).unwrap();
    for text in ["", "{", r#"{"cards": [{"warmth": 1}]}"#, "[]", "\u{0}"] {
        world.says(text);
        assert!(
            matches!(nvml.device_count(), Err(NvmlError::Unknown)),
            "{text}"
        );
        assert!(matches!(nvml.device_by_index(0), Err(NvmlError::Unknown)));
        assert!(matches!(card.uuid(), Err(NvmlError::Unknown)));
        assert!(matches!(nvml.sys_driver_version(), Err(NvmlError::Unknown)));
        assert!(matches!(world.try_open(), Err(NvmlError::Unknown)));
    }
    world.becomes(&Script::founding());
    assert_eq!(nvml.device_count().unwrap(), 2);
    assert!(card.uuid().is_ok());
}

#[test]
fn calls_take_the_time_that_the_script_says() {
    let mut script = Script::founding();
    let world = World::of(&script);
    let nvml = world.open();
    let card = nvml.device_by_index(0).unwrap();
    script.call_us = 20_000;
    world.becomes(&script);
    nvml.device_count().unwrap();
    let begun = Instant::now();
    for _ in 0..3 {
        card.power_usage().unwrap();
    }
    assert!(begun.elapsed() >= Duration::from_millis(60));
    script.call_us = 0;
    script.hang_ms = 120;
    world.becomes(&script);
    nvml.device_count().unwrap();
    let begun = Instant::now();
    assert!(card.power_usage().is_ok());
    assert!(begun.elapsed() >= Duration::from_millis(120));
}

#[test]
fn an_unknown_handle_and_a_closed_library_are_errors() {
    let world = World::of(&Script::founding());
    let nvml = world.open();
    let lib = nvml.lib();
    let mut value = 0;
    #[expect(
        unsafe_code,
        reason = "mistakes that nvml-wrapper does not let one make"
    )]
    // SAFETY: the library follows no handle, and refuses a null pointer.
    let codes = unsafe {
        let stray = std::ptr::without_provenance_mut(4_000);
        let card = nvml.device_by_index(0).unwrap().handle();
        [
            lib.nvmlDeviceGetPowerUsage(stray, &raw mut value),
            lib.nvmlDeviceGetPowerUsage(std::ptr::null_mut(), &raw mut value),
            lib.nvmlDeviceGetPowerUsage(card, std::ptr::null_mut()),
            lib.nvmlDeviceGetCount_v2(std::ptr::null_mut()),
            lib.nvmlDeviceGetUUID(card, [0; 8].as_mut_ptr(), 8),
            lib.nvmlShutdown(),
            lib.nvmlShutdown(),
            lib.nvmlDeviceGetCount_v2(&raw mut value),
            lib.nvmlDeviceGetPowerUsage(card, &raw mut value),
        ]
    };
    let (bad, closed) = (
        NvmlCode::InvalidArgument.raw(),
        NvmlCode::Uninitialized.raw(),
    );
    let small = NvmlCode::InsufficientSize.raw();
    assert_eq!(
        codes,
        [bad, bad, bad, bad, small, 0, closed, closed, closed]
    );
}

/// Opens the library as a program does that knows only its name; started by the test below.
#[test]
#[ignore = "a part of the next test, which sets the environment"]
fn in_a_process_of_its_own() {
    match Nvml::init() {
        Ok(nvml) => println!("warm {}", temperature(&nvml)),
        Err(error) => println!("refused: {error}"),
    }
}

#[expect(clippy::disallowed_methods, reason = "a test may start itself")]
fn elsewhere(world: &World, script: Option<&str>) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "lives::in_a_process_of_its_own",
            "--ignored",
            "--nocapture",
        ])
        .env("LD_LIBRARY_PATH", world.folder.path())
        .env_remove(SCRIPT_VARIABLE);
    if let Some(script) = script {
        command.env(SCRIPT_VARIABLE, script);
    }
    let output = command.output().unwrap();
    [output.stdout, output.stderr]
        .map(|text| String::from_utf8(text).unwrap())
        .concat()
}

#[test]
#[cfg(target_os = "linux")]
fn the_loader_finds_it_and_a_variable_names_the_script() {
    let world = World::of(&warm(50));
    let said = elsewhere(&world, None);
    assert!(said.contains("warm 50"), "{said}");
    let other = World::of(&warm(60));
    let said = elsewhere(&world, other.script_path().to_str());
    assert!(said.contains("warm 60"), "{said}");
    let said = elsewhere(&world, Some(""));
    assert!(
        said.contains("warm 50"),
        "an empty variable names nothing: {said}"
    );
    let said = elsewhere(&world, Some("/nowhere/nvml.json"));
    assert!(said.contains("refused: an internal driver error"), "{said}");
    let complaint = "stand-in NVML: /nowhere/nvml.json cannot be read: No such file";
    assert_eq!(said.matches(complaint).count(), 1, "{said}");
}

#[test]
fn the_library_is_beside_the_test() {
    assert!(built::library().unwrap().is_file());
}
