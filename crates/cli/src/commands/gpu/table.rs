//! The small live table: one row for each card, drawn over itself on a terminal.

use std::io::{IsTerminal as _, Write as _};

use crossterm::{
    cursor, queue,
    terminal::{self, Clear, ClearType},
};
use forgekeeper_domain::gpu::GpuCard;
use forgekeeper_keeper::state::KeeperState;

use super::{detail, source};
use crate::text::{gibibytes, printable};

/// Longest name of a card that fits.
const NAME: usize = 24;
/// Holders named beside a card.
const HOLDERS: usize = 4;

/// A live table; on anything but a terminal each drawing follows the one before.
#[derive(Debug)]
pub(super) struct Table {
    in_place: bool,
    drawn: u16,
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            in_place: std::io::stdout().is_terminal(),
            drawn: 0,
        }
    }

    /// Draws what is known now; `false` when nobody reads any more.
    pub(super) fn draw(&mut self, state: &KeeperState) -> bool {
        let mut lines = lines(state);
        // A line that the terminal wraps would be two, and the next drawing would leave one of them.
        if let Some(columns) = self.in_place.then(terminal::size).and_then(Result::ok) {
            let room = usize::from(columns.0.max(2)) - 1;
            for line in &mut lines {
                *line = line.chars().take(room).collect();
            }
        }
        let mut out = std::io::stdout().lock();
        let drawn = (|| {
            if self.in_place && self.drawn > 0 {
                queue!(
                    out,
                    cursor::MoveToPreviousLine(self.drawn),
                    Clear(ClearType::FromCursorDown)
                )?;
            }
            for line in &lines {
                writeln!(out, "{line}")?;
            }
            out.flush()
        })();
        self.drawn = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        drawn.is_ok()
    }
}

fn lines(state: &KeeperState) -> Vec<String> {
    let mut lines = Vec::new();
    for host in &state.hosts {
        lines.push(format!("{}: {}", host.id, source(&host.gpus)));
        if !host.gpus.cards.is_empty() {
            lines.push(format!(
                "  {:>3} {:<NAME$} {:>6} {:>17} {:>7} {:>11} {:>9} {:>5} {:>3}",
                "GPU", "name", "load", "memory", "temp", "power", "clock", "fan", "P"
            ));
        }
        for card in &host.gpus.cards {
            lines.push(row(card));
            lines.extend(holders(card));
        }
    }
    if state.hosts.is_empty() {
        lines.push("No host is configured.".to_owned());
    }
    lines
}

fn row(card: &GpuCard) -> String {
    let s = &card.latest;
    let name: String = printable(&s.name)
        .trim_start_matches("NVIDIA ")
        .chars()
        .take(NAME)
        .collect();
    let used = or_dash(s.memory_used.map(gibibytes));
    let total = or_dash(s.memory_total.map(gibibytes));
    let power = s.power_w.map(|w| format!("{w:.0}"));
    let limit = s.power_limit_w.map(|w| format!("{w:.0}"));
    let old = if card.current {
        String::new()
    } else {
        format!("  as of {}", s.at)
    };
    format!(
        "  {:>3} {name:<NAME$} {:>6} {:>17} {:>7} {:>11} {:>9} {:>5} {:>3}{old}",
        s.index,
        or_dash(s.load_percent.map(|v| format!("{v} %"))),
        format!("{used} / {total}"),
        or_dash(s.temperature_c.map(|v| format!("{v} °C"))),
        format!("{} / {} W", or_dash(power), or_dash(limit)),
        or_dash(s.graphics_mhz.map(|v| format!("{v} MHz"))),
        or_dash(s.fan_percent.map(|v| format!("{v} %"))),
        or_dash(s.performance_state.map(|v| v.to_string())),
    )
}

/// A dash stands for "not available": a table has no room for the words.
fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

fn holders(card: &GpuCard) -> Option<String> {
    let divided = card.shares.as_ref()?;
    let shares = &divided.shares;
    if shares.is_empty() {
        return None;
    }
    let named = shares.iter().take(HOLDERS);
    let named = named.map(|share| detail::share(share, divided.remainder));
    let mut named: Vec<String> = named.collect();
    if shares.len() > HOLDERS {
        named.push(format!("{} more", shares.len() - HOLDERS));
    }
    Some(format!("      {}", named.join(", ")))
}
