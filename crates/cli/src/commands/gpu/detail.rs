//! Everything that is known of a card, one line for each kind of value.

use forgekeeper_domain::{
    gpu::{
        GpuCard, GpuSample, Throttle,
        shares::{Holder, Remainder, Share, ShareSource},
    },
    ids::GpuUuid,
    outcome::{Outcome, Status},
};

use crate::text::{gibibytes, or_not_available, printable, word};

/// Room of a line's name.
const NAME: usize = 13;

/// The lines of a card.
pub(super) fn lines(card: &GpuCard) -> Vec<String> {
    let s = &card.latest;
    let mut lines = vec![title(card)];
    let mut line = |name: &str, text: String| lines.push(format!("  {name:<NAME$} {text}"));
    for outcome in std::iter::once(&card.outcome).chain(&card.remarks) {
        if outcome.status != Status::Ok {
            line("", verdict(outcome));
        }
    }
    line("load", load(s));
    line("memory", memory(s));
    if let Some(shares) = &card.shares {
        let holders: Vec<String> = shares
            .shares
            .iter()
            .map(|part| share(part, shares.remainder))
            .collect();
        if !holders.is_empty() {
            line("held by", holders.join(", "));
        }
        if let Some(excess) = shares.excess {
            let more = gibibytes(excess);
            line(
                "",
                format!("claims and driver disagree: {more} more is claimed than is used"),
            );
        }
        for service in &shares.contradicted {
            line(
                "",
                format!("{service} reports more than the driver counts for it"),
            );
        }
    }
    line("temperature", temperature(s));
    line("power", power(s));
    line("clocks", clocks(s));
    line("fan", percent(s.fan_percent));
    line(
        "state",
        or_not_available(s.performance_state, |p| format!("P{p}")),
    );
    line("held back by", throttle(s));
    line("PCIe", pcie(s));
    lines
}

fn title(card: &GpuCard) -> String {
    let s = &card.latest;
    let title = format!(
        "GPU {}  {}  {}  {}{}",
        s.index,
        printable(&s.name),
        s.uuid,
        s.bus_id.as_deref().map(printable).unwrap_or_default(),
        if card.current {
            String::new()
        } else {
            format!("  (as of {})", s.at)
        }
    );
    title.trim_end().to_owned()
}

fn verdict(outcome: &Outcome) -> String {
    let cause = outcome.cause.map_or("", |cause| cause.code());
    let evidence: Vec<String> = outcome
        .evidence
        .iter()
        .map(|e| format!("{} {}", e.name, printable(&e.value)))
        .collect();
    format!("{}: {cause} {}", word(outcome.status), evidence.join(", "))
        .trim_end()
        .to_owned()
}

const NOT_AVAILABLE: &str = "not available";

/// A sentence of several values; where none is told, that alone is said.
fn unless_none(told: &[bool], text: String) -> String {
    if told.contains(&true) {
        text
    } else {
        NOT_AVAILABLE.to_owned()
    }
}

fn percent(value: Option<u32>) -> String {
    or_not_available(value, |v| format!("{v} %"))
}

fn load(s: &GpuSample) -> String {
    let text = format!(
        "{} (memory controller {}, encoder {}, decoder {})",
        percent(s.load_percent),
        percent(s.memory_load_percent),
        percent(s.encoder_percent),
        percent(s.decoder_percent)
    );
    unless_none(
        &[
            s.load_percent.is_some(),
            s.memory_load_percent.is_some(),
            s.encoder_percent.is_some(),
            s.decoder_percent.is_some(),
        ],
        text,
    )
}

fn memory(s: &GpuSample) -> String {
    let size = |value| or_not_available(value, gibibytes);
    let text = format!(
        "{} used, {} free of {}",
        size(s.memory_used),
        size(s.memory_free),
        size(s.memory_total)
    );
    unless_none(
        &[
            s.memory_used.is_some(),
            s.memory_free.is_some(),
            s.memory_total.is_some(),
        ],
        text,
    )
}

/// A holder and its part; `remainder` says whose what nobody claims may be.
pub(super) fn share(share: &Share, remainder: Remainder) -> String {
    let who = match &share.holder {
        Holder::Service { id } => id.to_string(),
        Holder::Container { id } => format!("container {}", id.get(..12).unwrap_or(id)),
        Holder::Process { pid, name } => match name {
            Some(name) => format!("{} ({pid})", printable(name)),
            None => format!("process {pid}"),
        },
        Holder::Unknown => match remainder {
            Remainder::WindowsAndUnknown => "Windows and unknown".to_owned(),
            Remainder::Unknown => "unknown".to_owned(),
        },
    };
    let size = or_not_available(share.memory, gibibytes);
    let bound = if share.at_least { "at least " } else { "" };
    let claimed = share
        .claimed
        .map(|bytes| format!(" of {} claimed", gibibytes(bytes)));
    let told = match share.source {
        ShareSource::Reported => " (reported)",
        ShareSource::Driver | ShareSource::Remainder => "",
    };
    format!("{who} {bound}{size}{}{told}", claimed.unwrap_or_default())
}

fn temperature(s: &GpuSample) -> String {
    let degrees = |value| or_not_available(value, |v| format!("{v} °C"));
    let text = format!(
        "{} (slows down at {}, switches off at {})",
        degrees(s.temperature_c),
        degrees(s.slowdown_c),
        degrees(s.shutdown_c)
    );
    unless_none(
        &[
            s.temperature_c.is_some(),
            s.slowdown_c.is_some(),
            s.shutdown_c.is_some(),
        ],
        text,
    )
}

fn power(s: &GpuSample) -> String {
    let watts = |value| or_not_available(value, |v: f64| format!("{v:.0} W"));
    let text = format!("{} of {}", watts(s.power_w), watts(s.power_limit_w));
    unless_none(&[s.power_w.is_some(), s.power_limit_w.is_some()], text)
}

fn clocks(s: &GpuSample) -> String {
    let clock = |value| or_not_available(value, |v| format!("{v} MHz"));
    let text = format!(
        "graphics {} of {}, memory {}",
        clock(s.graphics_mhz),
        clock(s.graphics_max_mhz),
        clock(s.memory_mhz)
    );
    unless_none(
        &[
            s.graphics_mhz.is_some(),
            s.graphics_max_mhz.is_some(),
            s.memory_mhz.is_some(),
        ],
        text,
    )
}

fn throttle(s: &GpuSample) -> String {
    match s.throttle.as_deref() {
        None => NOT_AVAILABLE.to_owned(),
        Some([]) => "nothing".to_owned(),
        Some(reasons) => {
            let words: Vec<String> = reasons
                .iter()
                .map(|reason| Throttle::word(*reason).replace('_', " "))
                .collect();
            words.join(", ")
        }
    }
}

fn pcie(s: &GpuSample) -> String {
    let told = |value: Option<u32>| or_not_available(value, |v| v.to_string());
    let text = format!(
        "generation {} of {}, lanes {} of {}",
        told(s.pcie.generation),
        told(s.pcie.max_generation),
        told(s.pcie.width),
        told(s.pcie.max_width)
    );
    unless_none(
        &[
            s.pcie.generation.is_some(),
            s.pcie.width.is_some(),
            s.pcie.max_generation.is_some(),
            s.pcie.max_width.is_some(),
        ],
        text,
    )
}

/// A card by its index and name, where the UUID alone says little.
pub(crate) fn card_name(cards: &[GpuCard], uuid: &GpuUuid) -> String {
    let card = cards.iter().find(|card| card.latest.uuid == *uuid);
    card.map_or_else(
        || uuid.to_string(),
        |card| format!("GPU {} {}", card.latest.index, printable(&card.latest.name)),
    )
}
