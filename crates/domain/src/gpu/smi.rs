//! What `nvidia-smi` prints, parsed. It writes errors, notices and values on the same stream.

use crate::ids::GpuUuid;

/// Columns asked for; the name comes last because it is the only one that could hold a comma.
const COLUMNS: &str = "index,uuid,pci.bus_id,driver_version,utilization.gpu,memory.used,memory.total,\
                       temperature.gpu,power.draw,enforced.power.limit,name";
const COLUMN_COUNT: usize = 11;
/// Longest message kept from what the program printed, in characters.
const MAX_MESSAGE_CHARS: usize = 300;
/// `nvidia-smi` counts memory in MiB.
const MIB: u64 = 1024 * 1024;

/// One card as `nvidia-smi` shows it; what it does not tell is `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct SmiCard {
    /// Index as seen where the program ran; containers count from 0 again.
    pub index: u32,
    /// The card.
    pub uuid: GpuUuid,
    /// PCI address, lower case, such as `00000000:01:00.0`.
    pub bus_id: Option<String>,
    /// Name.
    pub name: String,
    /// Compute load in percent.
    pub load_percent: Option<u32>,
    /// Used memory in bytes.
    pub memory_used: Option<u64>,
    /// Memory in bytes.
    pub memory_total: Option<u64>,
    /// Degrees Celsius.
    pub temperature_c: Option<u32>,
    /// Watts.
    pub power_w: Option<f64>,
    /// Enforced limit in watts.
    pub power_limit_w: Option<f64>,
    /// The driver says that this card is lost.
    pub lost: bool,
}

/// A card that the driver named as lost without a row of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmiLost {
    /// PCI address, lower case, when the line tells one.
    pub bus_id: Option<String>,
    /// The driver's words.
    pub message: String,
}

/// One answer of `nvidia-smi`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SmiReading {
    /// Driver version, when told.
    pub driver: Option<String>,
    /// Cards with a row.
    pub cards: Vec<SmiCard>,
    /// Cards named as lost.
    pub lost: Vec<SmiLost>,
}

/// Why there is no reading.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SmiProblem {
    /// The program ran and sees no card.
    #[error("nvidia-smi sees no GPU")]
    NoDevices,
    /// The program cannot reach the driver, or is not installed.
    #[error("nvidia-smi cannot read the driver: {0}")]
    Driver(String),
    /// It printed something that is no table.
    #[error("nvidia-smi printed nothing readable: {0}")]
    Unreadable(String),
}

/// The command whose answer [`parse`] reads.
pub fn command() -> Vec<String> {
    [
        "nvidia-smi",
        &format!("--query-gpu={COLUMNS}"),
        "--format=csv,noheader,nounits",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// The command whose answer [`slowdown_thresholds`] reads; the table has no column for them.
pub fn thresholds_command() -> Vec<String> {
    ["nvidia-smi", "-q", "-d", "TEMPERATURE"]
        .map(str::to_owned)
        .to_vec()
}

/// Reads the answer of [`command`].
pub fn parse(text: &str) -> Result<SmiReading, SmiProblem> {
    let mut reading = SmiReading::default();
    let mut other = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some((card, driver)) = row(line) {
            reading.driver = reading.driver.or(driver);
            reading.cards.push(card);
        } else if says_lost(line) {
            reading.lost.push(SmiLost {
                bus_id: bus_in(line),
                message: shorten(line),
            });
        } else {
            other.push(line);
        }
    }
    if !reading.cards.is_empty() || !reading.lost.is_empty() {
        return Ok(reading);
    }
    let words = shorten(&other.join(" "));
    let lower = words.to_lowercase();
    if lower.contains("no devices were found") {
        return Err(SmiProblem::NoDevices);
    }
    let driver = [
        "driver",
        "nvml",
        "executable file not found",
        "not found in",
        "no such file",
    ];
    if driver.iter().any(|word| lower.contains(word)) {
        return Err(SmiProblem::Driver(words));
    }
    Err(SmiProblem::Unreadable(if words.is_empty() {
        "nothing at all".to_owned()
    } else {
        words
    }))
}

/// Slowdown thresholds by PCI address, from `nvidia-smi -q -d TEMPERATURE`; a card without one is left out.
pub fn slowdown_thresholds(text: &str) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    let mut bus = None;
    for line in text.lines() {
        // A card's block begins at the left margin: `GPU 00000000:01:00.0`.
        if let Some(rest) = line.strip_prefix("GPU ") {
            bus = bus_in(rest);
        } else if let Some((key, value)) = line.split_once(':')
            && key.trim() == "GPU Slowdown Temp"
            && let Some(bus) = &bus
            && let Some(degrees) = value.trim().strip_suffix('C').and_then(number::<u32>)
        {
            found.push((bus.clone(), degrees));
        }
    }
    found
}

/// Whether a text of the driver says that a card is gone until the machine restarts.
pub fn says_lost(text: &str) -> bool {
    let lower = text.to_lowercase();
    lower.contains("gpu is lost") || lower.contains("fallen off the bus")
}

fn row(line: &str) -> Option<(SmiCard, Option<String>)> {
    let cells: Vec<&str> = line.splitn(COLUMN_COUNT, ',').map(str::trim).collect();
    let &[
        index,
        uuid,
        bus,
        driver,
        load,
        used,
        total,
        temperature,
        power,
        limit,
        name,
    ] = cells.as_slice()
    else {
        return None;
    };
    let mib = |text| number::<u64>(text).and_then(|n| n.checked_mul(MIB));
    let card = SmiCard {
        index: number(index)?,
        uuid: GpuUuid::new(told(uuid)?).ok()?,
        bus_id: told(bus).map(str::to_lowercase),
        name: told(name).unwrap_or("GPU").to_owned(),
        load_percent: number(load).filter(|n| *n <= 100),
        memory_used: mib(used),
        memory_total: mib(total),
        temperature_c: number(temperature),
        power_w: watts(power),
        power_limit_w: watts(limit),
        lost: cells.iter().any(|cell| says_lost(cell)),
    };
    Some((card, told(driver).map(str::to_owned)))
}

/// A cell with a value: `[N/A]`, `[Not Supported]`, `[Unknown Error]`, `[GPU is lost]` have none.
fn told(cell: &str) -> Option<&str> {
    let bare = cell.trim();
    let absent = bare.is_empty()
        || bare.starts_with('[')
        || ["N/A", "Not Supported", "Unknown Error", "ERR!"]
            .iter()
            .any(|word| bare.eq_ignore_ascii_case(word));
    (!absent).then_some(bare)
}

/// The number of a cell, with or without its unit.
fn number<T: std::str::FromStr>(cell: &str) -> Option<T> {
    told(cell)?.split_whitespace().next()?.parse().ok()
}

fn watts(cell: &str) -> Option<f64> {
    number::<f64>(cell).filter(|watts| watts.is_finite() && *watts >= 0.0)
}

/// The PCI address in a text: `domain:bus:device.function`.
fn bus_in(text: &str) -> Option<String> {
    text.split(|c: char| !(c.is_ascii_hexdigit() || c == ':' || c == '.'))
        .map(|word| word.trim_matches(['.', ':']))
        .find(|word| {
            let parts: Vec<&str> = word.split([':', '.']).collect();
            parts.len() == 4
                && parts
                    .iter()
                    .all(|part| u32::from_str_radix(part, 16).is_ok())
        })
        .map(str::to_lowercase)
}

fn shorten(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    match clean.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = "0, GPU-aaaa, 00000000:01:00.0, 552.44, 37, 4096, 10240, 61, 215.50, 320.00, NVIDIA GeForce RTX 3080";

    #[test]
    fn a_full_row_is_read_with_its_units() {
        for text in [
            FULL.to_owned(),
            format!("{FULL}\r\n\r\n"),
            FULL.replace(" 37,", " 37 %,")
                .replace(" 4096,", " 4096 MiB,")
                .replace(" 215.50,", " 215.50 W,"),
        ] {
            let reading = parse(&text).expect("reads");
            assert_eq!(reading.driver.as_deref(), Some("552.44"));
            assert_eq!(reading.lost, []);
            assert_eq!(
                reading.cards,
                [SmiCard {
                    index: 0,
                    uuid: GpuUuid::new("GPU-aaaa").expect("an id"),
                    bus_id: Some("00000000:01:00.0".to_owned()),
                    name: "NVIDIA GeForce RTX 3080".to_owned(),
                    load_percent: Some(37),
                    memory_used: Some(4096 * MIB),
                    memory_total: Some(10240 * MIB),
                    temperature_c: Some(61),
                    power_w: Some(215.5),
                    power_limit_w: Some(320.0),
                    lost: false,
                }],
                "{text:?}"
            );
        }
    }

    #[test]
    fn what_the_driver_does_not_tell_is_unknown_and_never_zero() {
        for absent in [
            "[N/A]",
            "[Not Supported]",
            "[Unknown Error]",
            "[Insufficient Permissions]",
            "N/A",
            "ERR!",
            "",
        ] {
            let text = format!(
                "1, GPU-b, {absent}, {absent}, {absent}, {absent}, {absent}, {absent}, {absent}, {absent}, X, Y"
            );
            let reading = parse(&text).expect("reads");
            let card = &reading.cards[0];
            assert_eq!(reading.driver, None, "{absent}");
            assert_eq!(
                (
                    card.load_percent,
                    card.memory_used,
                    card.memory_total,
                    card.temperature_c,
                    card.power_w
                ),
                (None, None, None, None, None),
                "{absent}"
            );
            assert_eq!(card.name, "X, Y", "a name may hold a comma");
            assert!(!card.lost);
        }
        let absurd = FULL
            .replace(" 37,", " 4294967295,")
            .replace("215.50", "NaN");
        let card = parse(&absurd).expect("reads").cards.remove(0);
        assert_eq!((card.load_percent, card.power_w), (None, None));
    }

    #[test]
    fn a_lost_card_is_told_from_a_missing_driver() {
        let lost = "Unable to determine the device handle for GPU0000:01:00.0: GPU is lost.  Reboot the system to recover this GPU";
        let reading = parse(lost).expect("a reading about a lost card");
        assert_eq!(reading.cards, []);
        assert_eq!(reading.lost[0].bus_id.as_deref(), Some("0000:01:00.0"));

        let both = format!("{lost}\n{}", FULL.replace("01:00", "02:00"));
        let reading = parse(&both).expect("reads");
        assert_eq!((reading.cards.len(), reading.lost.len()), (1, 1));

        let cell = FULL.replace(" 37,", " [GPU is lost],");
        assert!(parse(&cell).expect("reads").cards[0].lost);
        assert!(says_lost("GPU has fallen off the bus"));
    }

    #[test]
    fn each_failure_says_its_own_words() {
        let cases: [(&str, fn(&SmiProblem) -> bool); 8] = [
            ("No devices were found\n", |p| *p == SmiProblem::NoDevices),
            (
                "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
                |p| matches!(p, SmiProblem::Driver(w) if w.contains("communicate")),
            ),
            (
                "Failed to initialize NVML: Driver/library version mismatch",
                |p| matches!(p, SmiProblem::Driver(w) if w.contains("mismatch")),
            ),
            (
                "OCI runtime exec failed: exec failed: unable to start container process: exec: \
                 \"nvidia-smi\": executable file not found in $PATH: unknown",
                |p| matches!(p, SmiProblem::Driver(_)),
            ),
            (
                "",
                |p| matches!(p, SmiProblem::Unreadable(w) if w == "nothing at all"),
            ),
            (
                "<html>\u{7}</html>",
                |p| matches!(p, SmiProblem::Unreadable(w) if !w.contains('\u{7}')),
            ),
            ("a, b, c, d, e, f, g, h, i, j, k", |p| {
                matches!(p, SmiProblem::Unreadable(_))
            }),
            ("0, ../etc, x, 1, 2, 3, 4, 5, 6, 7, name", |p| {
                matches!(p, SmiProblem::Unreadable(_))
            }),
        ];
        for (text, expected) in cases {
            let problem = parse(text).expect_err(text);
            assert!(expected(&problem), "{text:?} gave {problem:?}");
        }
        let long = parse(&"é".repeat(5000)).expect_err("no table").to_string();
        assert!(long.chars().count() < 400);
    }

    #[test]
    fn slowdown_thresholds_are_found_by_card() {
        let text = "==============NVSMI LOG==============\n\nAttached GPUs                             : 2\n\
            GPU 00000000:01:00.0\n    Temperature\n        GPU Current Temp                  : 45 C\n\
            \x20       GPU Shutdown Temp                 : 98 C\n        GPU Slowdown Temp                 : 95 C\n\
            GPU 00000000:0A:00.0\n    Temperature\n        GPU Slowdown Temp                 : N/A\n";
        assert_eq!(
            slowdown_thresholds(text),
            [("00000000:01:00.0".to_owned(), 95)]
        );
        assert_eq!(slowdown_thresholds("GPU Slowdown Temp : 95 C"), []);
        assert_eq!(slowdown_thresholds(""), []);
    }
}
