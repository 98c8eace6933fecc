//! The driver's own library, played: loaded as the loader finds it, asked by the real command line.

use std::{process::Stdio, time::Duration};

use forgekeeper_standin_nvml::{
    LIBRARY_FILE, Memory, NvmlCode, Process, SCRIPT_FILE, Script, Throttle, Utilization, built,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::{
    docker_lab::Lab,
    rig::{Place, SECOND, end_of},
};

/// No engine, so this machine's cards are meant.
const SETTINGS: &str = r#"
[[host]]
id = "local"
engine = "unix:///nowhere/docker.sock"

[[service]]
id = "myia"
kind = "forge"
host = "local"
container = "myia"
api = "http://127.0.0.1:9"
"#;

/// A machine with a driver.
struct Machine {
    place: Place,
    driver: tempfile::TempDir,
    script: Script,
}

impl Machine {
    fn new() -> Self {
        Self::with(SETTINGS)
    }

    fn with(settings: &str) -> Self {
        let driver = tempfile::tempdir().expect("a folder");
        let script = Script::founding();
        built::install(driver.path(), &script).expect("the stand-in library");
        Self {
            place: Place::with(settings),
            driver,
            script,
        }
    }

    /// What the driver says from now on.
    fn say(&mut self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script);
        let path = self.driver.path().join(SCRIPT_FILE);
        self.script.write(&path).expect("written");
    }

    /// Another library in the driver's place.
    fn replace_by(&self, example: &str) {
        let path = built::example(example).unwrap_or_else(|error| {
            panic!("{error}: run `cargo build -p forgekeeper-standin-nvml --examples` first")
        });
        std::fs::copy(path, self.driver.path().join(LIBRARY_FILE)).expect("copied");
    }

    /// The command line, which finds the library as every program does.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.command(arguments);
        command.env("LD_LIBRARY_PATH", self.driver.path());
        command
    }

    async fn gpus(&self, code: i32) -> Value {
        let ran = end_of(self.command(&["gpu", "--json"]))
            .await
            .ends_with(code);
        ran.json()["hosts"][0]["gpus"].clone()
    }

    async fn printed(&self, code: i32) -> String {
        end_of(self.command(&["gpu"])).await.ends_with(code).stdout
    }

    fn watch(&self) -> Watching {
        let mut child = self
            .command(&["gpu", "--watch", "--json"])
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let out = child.stdout.take().expect("its output");
        Watching {
            lines: BufReader::new(out).lines(),
            _child: child,
        }
    }
}

/// A live table in JSON.
struct Watching {
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Watching {
    /// The first view that is as it should be.
    async fn until(
        &mut self,
        what: &str,
        within: Duration,
        good: impl Fn(&Value) -> bool,
    ) -> Value {
        let mut last = Value::Null;
        let search = async {
            while let Ok(Some(line)) = self.lines.next_line().await {
                let document: Value = serde_json::from_str(&line).expect("JSON");
                last = document["hosts"][0]["gpus"].clone();
                if good(&last) {
                    return true;
                }
            }
            false
        };
        let found = timeout(within, search).await;
        assert_eq!(found, Ok(true), "{what} did not come: {last:#}");
        last
    }
}

fn cause(card: &Value) -> Option<&str> {
    card["outcome"]["cause"].as_str()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_value_of_the_driver_is_shown() {
    let mut machine = Machine::new();
    let own = std::process::id();
    machine.say(|script| {
        let card = &mut script.cards[1];
        card.utilization = Utilization {
            gpu: 94,
            memory: 61,
        }
        .into();
        card.encoder_percent = 7.into();
        card.decoder_percent = 8.into();
        card.memory = Memory {
            total: 24 << 30,
            used: 18 << 30,
            reserved: 1 << 29,
            free: None,
        }
        .into();
        card.temperature_c = 71.into();
        card.slowdown_c = 95.into();
        card.shutdown_c = 98.into();
        card.power_mw = 338_250.into();
        card.power_limit_mw = 350_000.into();
        card.clocks_mhz.graphics = 1875.into();
        card.clocks_mhz.memory = 9501.into();
        card.max_clocks_mhz.graphics = 2100.into();
        card.fans = 2.into();
        card.fan_percent = 68.into();
        card.pstate = 2.into();
        card.throttle_reasons = Throttle::Mask(0x4).into();
        card.pcie.generation = 4.into();
        card.pcie.width = 8.into();
        card.max_pcie.generation = 4.into();
        card.max_pcie.width = 16.into();
        card.processes = vec![Process {
            sm: Some(88),
            ..Process::compute(own, Some(6 << 30))
        }]
        .into();
    });
    let view = machine.gpus(0).await;
    assert_eq!(
        view["source"],
        json!({ "source": "nvml", "driver": "570.133.07", "cuda": "12.8" })
    );
    let card = &view["cards"][1];
    assert_eq!(cause(card), None);
    let mut latest = card["latest"].clone();
    let name = latest["processes"][0]["name"].take();
    assert!(name.is_string(), "the test's own name: {name}");
    assert!(latest["at"].take().is_string());
    assert_eq!(
        latest,
        json!({
            "uuid": "GPU-7c1e84d9-25f3-4a60-b1ce-98d3720f6a15", "index": 1,
            "name": "NVIDIA GeForce RTX 3090", "bus_id": "00000000:02:00.0", "at": null,
            "load_percent": 94, "memory_load_percent": 61, "encoder_percent": 7,
            "decoder_percent": 8, "memory_used": 18_u64 << 30,
            "memory_free": (24_u64 << 30) - (18 << 30) - (1 << 29), "memory_total": 24_u64 << 30,
            "temperature_c": 71, "slowdown_c": 95, "shutdown_c": 98, "power_w": 338.25,
            "power_limit_w": 350.0, "graphics_mhz": 1875, "graphics_max_mhz": 2100,
            "memory_mhz": 9501, "fan_percent": 68, "performance_state": 2,
            "throttle": ["power_limit"],
            "pcie": { "generation": 4, "width": 8, "max_generation": 4, "max_width": 16 },
            "processes": [
                { "pid": own, "name": null, "container": null, "memory": 6_u64 << 30, "load_percent": 88 }
            ],
        })
    );
    let shares = &card["shares"];
    assert_eq!(shares["shares"][1]["source"], "remainder", "{shares:#}");
    let printed = machine.printed(0).await;
    for words in [
        "NVML, driver 570.133.07, CUDA 12.8",
        "94 % (memory controller 61 %, encoder 7 %, decoder 8 %)",
        "71 °C (slows down at 95 °C, switches off at 98 °C)",
        "338 W of 350 W",
        "graphics 1875 MHz of 2100 MHz, memory 9501 MHz",
        "generation 4 of 4, lanes 8 of 16",
        "P2",
        "power limit",
    ] {
        assert!(printed.contains(words), "{words}: {printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_driver_does_not_tell_is_not_available_and_never_zero() {
    let mut machine = Machine::new();
    machine.say(|script| {
        script.cuda = NvmlCode::NotSupported.into();
        let card = &mut script.cards[0];
        for value in [
            &mut card.encoder_percent,
            &mut card.decoder_percent,
            &mut card.temperature_c,
            &mut card.slowdown_c,
            &mut card.shutdown_c,
            &mut card.power_mw,
            &mut card.power_limit_mw,
            &mut card.clocks_mhz.graphics,
            &mut card.clocks_mhz.memory,
            &mut card.max_clocks_mhz.graphics,
            &mut card.fans,
            &mut card.fan_percent,
            &mut card.pstate,
            &mut card.pcie.generation,
            &mut card.pcie.width,
            &mut card.max_pcie.generation,
            &mut card.max_pcie.width,
        ] {
            *value = NvmlCode::NotSupported.into();
        }
        card.utilization = NvmlCode::NotSupported.into();
        card.memory = NvmlCode::NoPermission.into();
        card.throttle_reasons = NvmlCode::Unknown.into();
        card.processes = NvmlCode::NotSupported.into();
        card.bus_id = NvmlCode::Unknown.into();
    });
    let view = machine.gpus(0).await;
    assert_eq!(view["source"]["cuda"], Value::Null);
    let card = &view["cards"][0];
    let told: Vec<&String> = card["latest"]
        .as_object()
        .expect("a reading")
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, _)| key)
        .collect();
    assert_eq!(told, ["at", "index", "name", "pcie", "uuid"]);
    let link = card["latest"]["pcie"].as_object().expect("a link");
    assert!(link.values().all(Value::is_null), "{link:?}");
    assert_eq!(card["shares"]["shares"], json!([]));
    assert_eq!(card["outcome"]["status"], "unknown", "not green");
    let printed = machine.printed(0).await;
    let block: String = printed
        .lines()
        .skip(3)
        .take(9)
        .collect::<Vec<_>>()
        .join("\n");
    assert_eq!(block.matches("not available").count(), 9, "{block}");
    assert!(!block.contains('0'), "{block}");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_no_card_can_have_are_not_shown() {
    let mut machine = Machine::new();
    machine.say(|script| {
        let card = &mut script.cards[0];
        // 17179869184 GiB, as a driver once said.
        card.memory = Memory {
            total: 16 << 30,
            used: u64::MAX,
            reserved: 0,
            free: Some(u64::MAX),
        }
        .into();
        card.utilization = Utilization {
            gpu: u32::MAX,
            memory: 300,
        }
        .into();
        card.temperature_c = 65_535.into();
        card.power_mw = u32::MAX.into();
        card.fan_percent = u32::MAX.into();
        card.pstate = 32.into();
        card.pcie.width = 4_096.into();
        card.processes = vec![Process::compute(u32::MAX, Some(u64::MAX - 1))].into();
    });
    let view = machine.gpus(0).await;
    let latest = &view["cards"][0]["latest"];
    for key in [
        "memory_used",
        "memory_free",
        "load_percent",
        "memory_load_percent",
        "temperature_c",
        "power_w",
        "fan_percent",
        "performance_state",
    ] {
        assert_eq!(latest[key], Value::Null, "{key}");
    }
    assert_eq!(latest["pcie"]["width"], Value::Null);
    assert_eq!(latest["memory_total"], 16_u64 << 30);
    assert_eq!(latest["processes"][0]["memory"], Value::Null);
    assert!(!machine.printed(0).await.contains("17179869184"));
}

#[tokio::test(flavor = "multi_thread")]
async fn cards_are_known_by_their_uuid_whatever_their_order() {
    let mut machine = Machine::new();
    let mut watching = machine.watch();
    let index_of = |view: &Value, name: &str| {
        let cards = view["cards"].as_array().cloned().unwrap_or_default();
        let card = cards
            .iter()
            .find(|card| card["latest"]["name"] == name)
            .cloned();
        card.and_then(|card| card["latest"]["index"].as_u64())
    };
    let first = |view: &Value| index_of(view, "NVIDIA GeForce RTX 3090") == Some(1);
    watching.until("both cards", 30 * SECOND, first).await;
    machine.say(|script| script.cards.swap(0, 1));
    let swapped = |view: &Value| {
        index_of(view, "NVIDIA GeForce RTX 3090") == Some(0)
            && index_of(view, "NVIDIA GeForce RTX 3080") == Some(1)
    };
    let view = watching.until("the new order", 10 * SECOND, swapped).await;
    assert_eq!(
        view["cards"].as_array().map(Vec::len),
        Some(2),
        "no card twice"
    );
    let history = view["cards"][0]["load_history"].as_array().map(Vec::len);
    assert!(history > Some(1), "its past came along");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_card_is_said_and_its_return_seen() {
    let mut machine = Machine::new();
    let mut watching = machine.watch();
    let both = |view: &Value| {
        view["cards"]
            .as_array()
            .is_some_and(|cards| cards.len() == 2)
    };
    watching.until("both cards", 30 * SECOND, both).await;
    machine.say(|script| script.cards[0].lost = true);
    let lost = |view: &Value| {
        cause(&view["cards"][0]) == Some("gpu.lost") && view["cards"][1]["current"] == true
    };
    let view = watching.until("the loss", 5 * SECOND, lost).await;
    let card = &view["cards"][0];
    assert_eq!(card["outcome"]["status"], "failing");
    assert_eq!(card["current"], false);
    assert_eq!(
        card["latest"]["name"], "NVIDIA GeForce RTX 3080",
        "it keeps its name"
    );
    assert_eq!(card["shares"], Value::Null);
    assert!(
        card["outcome"]["evidence"][0]["value"]
            .as_str()
            .is_some_and(|w| w.contains("lost"))
    );
    machine.say(|script| script.cards[0].lost = false);
    let back =
        |view: &Value| cause(&view["cards"][0]).is_none() && view["cards"][0]["current"] == true;
    watching.until("the return", 10 * SECOND, back).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_cannot_be_opened_stays_unknown_with_the_drivers_words() {
    let mut machine = Machine::new();
    let mut watching = machine.watch();
    let both = |view: &Value| {
        view["cards"]
            .as_array()
            .is_some_and(|cards| cards.len() == 2)
    };
    watching.until("both cards", 30 * SECOND, both).await;
    machine.say(|script| script.cards[0].handle_error = Some(NvmlCode::Unknown));
    let shut = |view: &Value| {
        let card = &view["cards"][0];
        card["outcome"]["evidence"][0]["name"] == "driver_message"
            && view["cards"][1]["current"] == true
    };
    let view = watching.until("the words", 5 * SECOND, shut).await;
    let card = &view["cards"][0];
    assert_eq!(card["outcome"]["status"], "unknown");
    assert_eq!(card["latest"]["name"], "NVIDIA GeForce RTX 3080");
    assert_eq!(
        (&card["current"], &card["shares"]),
        (&json!(false), &Value::Null)
    );
    assert!(
        view["error"]
            .as_str()
            .is_some_and(|words| words.starts_with("GPU 0 cannot be opened")),
        "{view:#}"
    );
    machine.say(|script| script.cards[0].handle_error = None);
    let back = |view: &Value| view["cards"][0]["outcome"]["status"] == "ok";
    watching.until("the return", 10 * SECOND, back).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn little_free_memory_is_a_remark_on_a_card_that_is_well() {
    let mut machine = Machine::new();
    machine.say(|script| {
        script.cards[1].memory = Memory::new(24 << 30, (24 << 30) - (1 << 28)).into();
    });
    let mut watching = machine.watch();
    let full = |view: &Value| view["cards"][1]["latest"]["memory_free"] == 1 << 28;
    let view = watching.until("the memory", 30 * SECOND, full).await;
    assert_eq!(view["cards"][1]["remarks"], json!([]), "not at once");
    let told = |view: &Value| view["cards"][1]["remarks"][0]["cause"] == "gpu.memory_low";
    let view = watching.until("the remark", 45 * SECOND, told).await;
    assert_eq!(view["cards"][1]["outcome"]["status"], "ok");
    assert_eq!(view["cards"][0]["remarks"], json!([]));
    let remainder = &view["cards"][1]["shares"]["remainder"];
    let here = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let windows = here.to_lowercase().contains("microsoft");
    let expected = if windows {
        "windows_and_unknown"
    } else {
        "unknown"
    };
    assert_eq!(remainder, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hot_card_is_told_after_half_a_minute_and_a_cool_one_is_well() {
    let mut machine = Machine::new();
    machine.say(|script| script.cards[1].temperature_c = 96.into());
    let mut watching = machine.watch();
    let warm = |view: &Value| view["cards"][1]["latest"]["temperature_c"] == 96;
    let view = watching.until("the heat", 30 * SECOND, warm).await;
    assert_eq!(cause(&view["cards"][1]), None, "not at once");
    let hot = |view: &Value| cause(&view["cards"][1]) == Some("gpu.hot");
    let view = watching.until("the verdict", 45 * SECOND, hot).await;
    let evidence = &view["cards"][1]["outcome"]["evidence"];
    assert_eq!(evidence[1], json!({ "name": "slowdown_c", "value": "95" }));
    assert_eq!(cause(&view["cards"][0]), None);
    machine.say(|script| script.cards[1].temperature_c = 80.into());
    let cool = |view: &Value| cause(&view["cards"][1]).is_none();
    watching.until("the cool card", 10 * SECOND, cool).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_is_replaced_while_running_is_said_and_opened_anew() {
    let mut machine = Machine::new();
    let mut watching = machine.watch();
    let well = |view: &Value| {
        view["source"]["driver"] == "570.133.07" && view["cards"][0]["current"] == true
    };
    watching.until("both cards", 30 * SECOND, well).await;
    machine.say(|script| {
        script.count_error = Some(NvmlCode::Unknown);
        script.init_error = Some(NvmlCode::LibRmVersionMismatch);
    });
    let gone = |view: &Value| {
        let words = view["error"].as_str().unwrap_or_default();
        view["source"]["source"] == "none"
            && words.contains("version mismatch")
            && words.contains("restart")
            && view["cards"][0]["current"] == false
            && view["cards"][0]["outcome"]["status"] == "unknown"
    };
    watching.until("the mismatch", 30 * SECOND, gone).await;
    machine.say(|script| {
        script.count_error = None;
        script.init_error = None;
        script.driver = "580.10".to_owned().into();
    });
    let healed =
        |view: &Value| view["source"]["driver"] == "580.10" && view["cards"][0]["current"] == true;
    watching.until("the new driver", 75 * SECOND, healed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_hangs_holds_nothing_up() {
    let mut machine = Machine::new();
    machine.say(|script| script.hang_ms = 60_000);
    let ran = end_of(machine.command(&["gpu", "--json"]))
        .await
        .ends_with(3);
    assert!(ran.took < 40 * SECOND, "{:?}", ran.took);
    let view = &ran.json()["hosts"][0]["gpus"];
    let words = view["error"].as_str().unwrap_or_default();
    assert!(words.contains("does not answer within"), "{view:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn libraries_that_are_missing_old_wrong_or_broken_are_named() {
    let mut machine = Machine::new();
    machine.replace_by("old_library");
    let view = machine.gpus(0).await;
    let latest = &view["cards"][0]["latest"];
    assert!(
        latest["uuid"].is_string() && latest["load_percent"].is_u64(),
        "{latest:#}"
    );
    for key in [
        "memory_used",
        "temperature_c",
        "power_w",
        "throttle",
        "processes",
    ] {
        assert_eq!(latest[key], Value::Null, "{key}");
    }
    let error_of = async |machine: &Machine| {
        let view = machine.gpus(3).await;
        assert_eq!(view["cards"], json!([]));
        view["source"]["tried"][0]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    machine.replace_by("wrong_library");
    let words = error_of(&machine).await;
    assert!(words.contains("nvmlInit_v2"), "{words}");
    std::fs::write(machine.driver.path().join(LIBRARY_FILE), "no library").expect("written");
    let words = error_of(&machine).await;
    assert!(
        words.contains("the NVML library cannot be opened"),
        "{words}"
    );
    std::fs::remove_file(machine.driver.path().join(LIBRARY_FILE)).expect("removed");
    let words = error_of(&machine).await;
    assert!(words.contains("libnvidia-ml.so"), "{words}");
    built::install(machine.driver.path(), &machine.script).expect("installed");
    for (code, expected) in [
        (NvmlCode::DriverNotLoaded, "driver is not loaded"),
        (NvmlCode::LibRmVersionMismatch, "version mismatch"),
        (NvmlCode::NoPermission, "permission"),
    ] {
        machine.say(|script| script.init_error = Some(code));
        let words = error_of(&machine).await;
        assert!(words.contains(expected), "{expected}: {words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_in_a_container_is_its_services_share() {
    let lab = Lab::own();
    let id = lab.start("myia", &[], "sleep 600");
    let other = lab.start("other", &[], "sleep 600");
    let pid = |container: &str| -> u32 {
        let told = lab.docker_ok(&["inspect", "-f", "{{.State.Pid}}", container]);
        told.trim().parse().expect("a pid")
    };
    let settings = SETTINGS
        .replace("unix:///nowhere/docker.sock", &lab.endpoint)
        .replace(
            "container = \"myia\"",
            &format!("container = \"{}\"", lab.name("myia")),
        );
    let mut machine = Machine::with(&settings);
    let (ours, theirs) = (pid(&lab.name("myia")), pid(&lab.name("other")));
    machine.say(|script| {
        let card = &mut script.cards[1];
        card.memory = Memory::new(24 << 30, 12 << 30).into();
        card.processes = vec![
            Process {
                sm: Some(70),
                ..Process::compute(ours, Some(6 << 30))
            },
            Process::compute(theirs, Some(3 << 30)),
            Process::compute(std::process::id(), Some(1 << 30)),
        ]
        .into();
    });
    let view = machine.gpus(0).await;
    let shares = &view["cards"][1]["shares"]["shares"];
    let told: Vec<(&Value, u64)> = shares
        .as_array()
        .expect("shares")
        .iter()
        .map(|share| {
            (
                &share["holder"],
                share["memory"].as_u64().unwrap_or(0) >> 30,
            )
        })
        .collect();
    let full = |name: &str| {
        let told = lab.docker_ok(&["inspect", "-f", "{{.Id}}", name]);
        told.trim().to_owned()
    };
    assert_eq!(told.len(), 4, "{shares:#}");
    assert_eq!(
        told[0],
        (&json!({ "who": "service", "id": "myia" }), 6),
        "{id}"
    );
    let container = json!({ "who": "container", "id": full(&lab.name("other")) });
    assert_eq!(told[1], (&container, 3), "{other}");
    assert_eq!((&told[2].0["who"], told[2].1), (&json!("process"), 1));
    assert_eq!((&told[3].0["who"], told[3].1), (&json!("unknown"), 2));
    assert_eq!(shares[0]["load_percent"], 70);
}
