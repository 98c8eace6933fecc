//! What `nvidia-smi` prints, parsed. It writes errors, notices and values on the same stream.
//!
//! Values are found by the heading of their column, not by their place: drivers leave columns out
//! and add words to them.

use jiff::Timestamp;

use super::{GpuSample, PcieLink, Throttle};
use crate::ids::GpuUuid;

/// Columns asked for. The name, which alone may hold a comma, comes second, and the UUID, which
/// alone cannot be mistaken, comes last: so a row with a comma too many is told from a long name.
const COLUMNS: &[&str] = &[
    "index",
    "name",
    "pci.bus_id",
    "driver_version",
    "utilization.gpu",
    "utilization.memory",
    "utilization.encoder",
    "utilization.decoder",
    "memory.used",
    "memory.free",
    "memory.total",
    "temperature.gpu",
    "power.draw",
    "enforced.power.limit",
    "clocks.current.graphics",
    "clocks.max.graphics",
    "clocks.current.memory",
    "fan.speed",
    "pstate",
    "clocks_throttle_reasons.active",
    "pcie.link.gen.current",
    "pcie.link.width.current",
    "pcie.link.gen.max",
    "pcie.link.width.max",
    "uuid",
];
/// Columns that newer drivers head with another name than the one asked for.
const OTHER_HEADINGS: &[(&str, &str)] = &[
    (
        "clocks_event_reasons.active",
        "clocks_throttle_reasons.active",
    ),
    ("pcie.link.gen.gpucurrent", "pcie.link.gen.current"),
    ("clocks.gr", "clocks.current.graphics"),
    ("clocks.mem", "clocks.current.memory"),
    ("clocks.max.gr", "clocks.max.graphics"),
    ("gpu_uuid", "uuid"),
    ("gpu_name", "name"),
    ("gpu_bus_id", "pci.bus_id"),
];
/// Without these there is no card.
const NEEDED: &[&str] = &["index", "uuid"];
/// Longest message kept from what the program printed, in characters.
const MAX_MESSAGE_CHARS: usize = 300;
/// `nvidia-smi` counts memory in MiB.
const MIB: u64 = 1024 * 1024;

/// One card as `nvidia-smi` shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct SmiCard {
    /// Its values; the index is as seen where the program ran: containers count from 0 again.
    /// Thresholds and processes are not in the table.
    pub sample: GpuSample,
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
    /// Rows that could not be read, and why.
    pub problems: Vec<String>,
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
    /// It does not know a column: an older driver. Asked without it, it answers.
    #[error("nvidia-smi does not know the field `{0}`")]
    UnknownColumn(String),
}

/// The command whose answer [`parse`] reads, without columns that this driver does not know.
pub fn command(without: &[String]) -> Vec<String> {
    let columns: Vec<&str> = COLUMNS
        .iter()
        .copied()
        .filter(|column| NEEDED.contains(column) || !without.iter().any(|w| w == column))
        .collect();
    vec![
        "nvidia-smi".to_owned(),
        format!("--query-gpu={}", columns.join(",")),
        "--format=csv,nounits".to_owned(),
    ]
}

/// The command whose answer [`thresholds`] and [`cuda_version`] read; the table has no column for
/// them.
pub fn thresholds_command() -> Vec<String> {
    ["nvidia-smi", "-q", "-d", "TEMPERATURE"]
        .map(str::to_owned)
        .to_vec()
}

/// Reads the answer of [`command`].
pub fn parse(text: &str, at: Timestamp) -> Result<SmiReading, SmiProblem> {
    let mut reading = SmiReading::default();
    let mut heading: Option<Vec<&str>> = None;
    let mut other = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if says_lost(line) && !line.contains("GPU-") {
            reading.lost.push(SmiLost {
                bus_id: bus_in(line),
                message: shorten(line),
            });
        } else if let Some(columns) = columns_of(line) {
            heading = Some(columns);
        } else if let Some(columns) = &heading
            && line.contains(',')
            && (line.starts_with(|c: char| c.is_ascii_digit()) || line.contains("GPU-"))
        {
            match row(columns, line, at) {
                Ok((card, driver)) => {
                    reading.driver = reading.driver.or(driver);
                    reading.cards.push(card);
                }
                Err(problem) => reading.problems.push(problem),
            }
        } else {
            other.push(line);
        }
    }
    if !reading.cards.is_empty() || !reading.lost.is_empty() {
        return Ok(reading);
    }
    if let Some(problem) = reading.problems.into_iter().next() {
        return Err(SmiProblem::Unreadable(problem));
    }
    Err(problem(&shorten(&other.join(" "))))
}

/// What the program says in place of a table.
fn problem(words: &str) -> SmiProblem {
    let lower = words.to_lowercase();
    if lower.contains("no devices were found") {
        return SmiProblem::NoDevices;
    }
    if lower.contains("is not a valid field to query")
        && let Some(column) = words.split('"').nth(1)
    {
        return SmiProblem::UnknownColumn(column.to_owned());
    }
    let driver = [
        "driver",
        "nvml",
        "executable file not found",
        "not found in",
        "no such file",
    ];
    if driver.iter().any(|word| lower.contains(word)) {
        return SmiProblem::Driver(words.to_owned());
    }
    SmiProblem::Unreadable(if words.is_empty() {
        "nothing at all".to_owned()
    } else {
        words.to_owned()
    })
}

/// Thresholds of one card, degrees Celsius.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Thresholds {
    /// At which it slows down.
    pub slowdown_c: Option<u32>,
    /// At which it switches itself off.
    pub shutdown_c: Option<u32>,
}

/// Thresholds by PCI address, from `nvidia-smi -q -d TEMPERATURE`.
pub fn thresholds(text: &str) -> Vec<(String, Thresholds)> {
    let mut found: Vec<(String, Thresholds)> = Vec::new();
    for line in text.lines() {
        // A card's block begins at the left margin: `GPU 00000000:01:00.0`.
        if let Some(rest) = line.strip_prefix("GPU ") {
            found.extend(bus_in(rest).map(|bus| (bus, Thresholds::default())));
        } else if let Some((key, value)) = line.split_once(':')
            && let Some((_, card)) = found.last_mut()
        {
            let degrees = || value.trim().strip_suffix('C').and_then(number::<u32>);
            match key.trim() {
                "GPU Slowdown Temp" => card.slowdown_c = degrees(),
                "GPU Shutdown Temp" => card.shutdown_c = degrees(),
                _ => {}
            }
        }
    }
    found
}

/// Newest CUDA version that the driver supports, from the head of `nvidia-smi -q`.
pub fn cuda_version(text: &str) -> Option<String> {
    let line = text.lines().find(|l| l.starts_with("CUDA Version"))?;
    let version = told(line.split_once(':')?.1)?;
    let is_version = |c: char| c.is_ascii_digit() || c == '.';
    (version.len() < 12 && version.chars().all(is_version)).then(|| version.to_owned())
}

/// Whether a text of the driver says that a card is gone until the machine restarts.
pub fn says_lost(text: &str) -> bool {
    let lower = text.to_lowercase();
    lower.contains("gpu is lost") || lower.contains("fallen off the bus")
}

/// The columns of a heading, by the names they were asked by. `None` for any other line.
fn columns_of(line: &str) -> Option<Vec<&str>> {
    let columns: Vec<&str> = line
        .split(',')
        .map(|cell| {
            // `utilization.gpu [%]`
            let name = cell.split('[').next().unwrap_or(cell).trim();
            let other = OTHER_HEADINGS.iter().find(|(other, _)| *other == name);
            other.map_or(name, |(_, known)| known)
        })
        .collect();
    NEEDED
        .iter()
        .all(|needed| columns.contains(needed))
        .then_some(columns)
}

fn row(columns: &[&str], line: &str, at: Timestamp) -> Result<(SmiCard, Option<String>), String> {
    let mut cells: Vec<String> = line.split(',').map(|cell| cell.trim().to_owned()).collect();
    let name = columns.iter().position(|column| *column == "name");
    if let (Some(name), Some(more)) = (name, cells.len().checked_sub(columns.len()))
        && more > 0
    {
        let long = cells.splice(name..=name + more, []).collect::<Vec<_>>();
        cells.insert(name, long.join(", "));
    }
    let unreadable = |why: &str| format!("{why}: {}", shorten(line));
    if cells.len() != columns.len() {
        let why = "a row has another number of values than the heading";
        return Err(unreadable(why));
    }
    let cell = |column: &str| {
        let place = columns.iter().position(|c| *c == column);
        place.and_then(|place| told(&cells[place]))
    };
    let bus = cell("pci.bus_id");
    let uuid = cell("uuid").filter(|uuid| uuid.starts_with("GPU-") || uuid.starts_with("MIG-"));
    let uuid = uuid.and_then(|uuid| GpuUuid::new(uuid).ok());
    let (Some(index), Some(uuid), true) = (
        cell("index").and_then(number),
        uuid,
        bus.is_none_or(|bus| bus_in(bus).is_some()),
    ) else {
        // With a comma inside a number every later value stands under another heading.
        return Err(unreadable(
            "a row does not fit its heading (a decimal comma?)",
        ));
    };
    let count = |column: &str| cell(column).and_then(number::<u32>);
    let mib = |column: &str| {
        cell(column)
            .and_then(number::<u64>)
            .and_then(|n| n.checked_mul(MIB))
    };
    let watts = |column: &str| cell(column).and_then(number::<f64>);
    let sample = GpuSample {
        bus_id: bus.map(str::to_lowercase),
        load_percent: count("utilization.gpu"),
        memory_load_percent: count("utilization.memory"),
        encoder_percent: count("utilization.encoder"),
        decoder_percent: count("utilization.decoder"),
        memory_used: mib("memory.used"),
        memory_free: mib("memory.free"),
        memory_total: mib("memory.total"),
        temperature_c: count("temperature.gpu"),
        power_w: watts("power.draw"),
        power_limit_w: watts("enforced.power.limit"),
        graphics_mhz: count("clocks.current.graphics"),
        graphics_max_mhz: count("clocks.max.graphics"),
        memory_mhz: count("clocks.current.memory"),
        fan_percent: count("fan.speed"),
        performance_state: cell("pstate").and_then(|state| number(state.strip_prefix('P')?)),
        throttle: cell("clocks_throttle_reasons.active")
            .and_then(|mask| u64::from_str_radix(mask.strip_prefix("0x")?, 16).ok())
            .map(Throttle::of_mask),
        pcie: PcieLink {
            generation: count("pcie.link.gen.current"),
            width: count("pcie.link.width.current"),
            max_generation: count("pcie.link.gen.max"),
            max_width: count("pcie.link.width.max"),
        },
        ..GpuSample::unread(uuid, index, cell("name").unwrap_or("GPU"), at)
    };
    let card = SmiCard {
        sample: sample.plausible(),
        lost: cells.iter().any(|cell| says_lost(cell)),
    };
    Ok((card, cell("driver_version").map(shorten)))
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
mod tests;
