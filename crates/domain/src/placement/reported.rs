//! The device that a service says it computes on. It counts cards inside its container, so only
//! the name says anything, and only where no second card has it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{gpu::GpuSample, ids::GpuUuid};

/// Longest text kept, in characters.
const MAX_CHARS: usize = 120;

/// Where a report was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum ReportSource {
    /// `Device: …` in the log of its last start (Forge, ComfyUI).
    Log,
    /// ComfyUI's `/system_stats`.
    Api,
}

/// What a service reports about its device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct ReportedDevice {
    /// As written, such as `cuda:0 NVIDIA GeForce RTX 3090 : native`; hostile until escaped.
    pub text: String,
    /// Where.
    pub source: ReportSource,
    /// When.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub at: Timestamp,
    /// It computes on the CPU.
    pub cpu: bool,
    /// Cards of that name; more than one where they cannot be told apart.
    pub cards: Vec<GpuUuid>,
}

/// Reads a device text against the cards that there are. `None` when it is no device text.
pub fn reported(
    text: &str,
    source: ReportSource,
    at: Timestamp,
    cards: &[GpuSample],
) -> Option<ReportedDevice> {
    let text = text.trim();
    let text = text.strip_prefix("Device:").map_or(text, str::trim);
    let kept: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_CHARS)
        .collect();
    let cpu = text == "cpu";
    let name = text.strip_prefix("cuda:").and_then(|rest| {
        let (number, name) = rest.split_once(' ')?;
        number.parse::<u32>().ok()?;
        // The allocator stands behind the name.
        Some(
            name.rsplit_once(" : ")
                .map_or(name, |(name, _)| name)
                .trim(),
        )
    });
    if !cpu && name.is_none() {
        return None;
    }
    let cards = cards
        .iter()
        .filter(|card| name == Some(card.name.as_str()))
        .map(|card| card.uuid.clone())
        .collect();
    Some(ReportedDevice {
        text: kept,
        source,
        at,
        cpu,
        cards,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(uuid: &str, name: &str) -> GpuSample {
        let uuid = GpuUuid::new(uuid).expect("an id");
        GpuSample::unread(uuid, 0, name, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_device_text_names_cards_by_their_name() {
        let cards = [
            card("GPU-a", "NVIDIA GeForce RTX 3080"),
            card("GPU-b", "NVIDIA GeForce RTX 3090"),
            card("GPU-c", "NVIDIA GeForce RTX 3090"),
        ];
        let read = |text: &str| {
            reported(text, ReportSource::Log, Timestamp::UNIX_EPOCH, &cards)
                .map(|found| (found.cpu, found.cards.len()))
        };
        for (text, expected) in [
            (
                "Device: cuda:0 NVIDIA GeForce RTX 3080 : native",
                Some((false, 1)),
            ),
            (
                "cuda:0 NVIDIA GeForce RTX 3090 : cudaMallocAsync",
                Some((false, 2)),
            ),
            ("cuda:1 NVIDIA GeForce RTX 3080", Some((false, 1))),
            ("cuda:0 NVIDIA H100 : native", Some((false, 0))),
            ("Device: cpu", Some((true, 0))),
            ("cpu", Some((true, 0))),
            ("", None),
            ("cuda:x NVIDIA GeForce RTX 3080", None),
            ("<script>", None),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
        let hostile = format!("cuda:0 \u{1b}[2J{}", "é".repeat(4000));
        let found = reported(&hostile, ReportSource::Api, Timestamp::UNIX_EPOCH, &cards);
        let text = found.expect("a device").text;
        assert!(text.chars().count() <= MAX_CHARS && !text.contains('\u{1b}'));
    }
}
