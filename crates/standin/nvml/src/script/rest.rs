//! Cards at rest: the two founding ones, and more like the second.

use super::{Card, Clocks, Memory, PcieLink, Throttle, ThrottleReason, Utilization};

const MIB: u64 = 1 << 20;

impl Card {
    /// The card at rest at `place` of the list, from 0: the two founding cards, then others.
    pub fn at_rest(place: usize) -> Self {
        let number = u32::try_from(place).unwrap_or(u32::MAX);
        let first = number == 0;
        let uuid = match number {
            0 => "GPU-19af3c52-6d0e-4b8a-9f27-5e41c08db736".to_owned(),
            1 => "GPU-7c1e84d9-25f3-4a60-b1ce-98d3720f6a15".to_owned(),
            _ => format!("GPU-00000000-0000-4000-8000-{number:012x}"),
        };
        let name = if first {
            "NVIDIA GeForce RTX 3080"
        } else {
            "NVIDIA GeForce RTX 3090"
        };
        Self {
            uuid: uuid.into(),
            name: name.to_owned().into(),
            bus_id: format!("00000000:{:02X}:00.0", number.saturating_add(1)).into(),
            pci_device_id: if first { 0x2206_10DE } else { 0x2204_10DE },
            lost: false,
            gone: false,
            handle_error: None,
            utilization: Utilization { gpu: 0, memory: 1 }.into(),
            encoder_percent: 0.into(),
            decoder_percent: 0.into(),
            memory: Memory::new(
                if first { 16_384 } else { 24_576 } * MIB,
                if first { 612 } else { 760 } * MIB,
            )
            .into(),
            temperature_c: if first { 41 } else { 44 }.into(),
            slowdown_c: 95.into(),
            shutdown_c: 98.into(),
            power_mw: if first { 24_000 } else { 30_000 }.into(),
            power_limit_mw: if first { 320_000 } else { 350_000 }.into(),
            clocks_mhz: clocks(210, 405, 555),
            max_clocks_mhz: clocks(2_100, if first { 9_501 } else { 9_751 }, 1_950),
            fans: if first { 1 } else { 2 }.into(),
            fan_percent: 30.into(),
            pstate: 8.into(),
            throttle_reasons: Throttle::Reasons(vec![ThrottleReason::GpuIdle]).into(),
            pcie: link(1),
            max_pcie: link(4),
            processes: Vec::new().into(),
            samples_error: None,
        }
    }
}

/// The multiprocessors run with the graphics clock.
fn clocks(graphics: u32, memory: u32, video: u32) -> Clocks {
    Clocks {
        graphics: graphics.into(),
        sm: graphics.into(),
        memory: memory.into(),
        video: video.into(),
    }
}

/// A link of 16 lanes.
fn link(generation: u32) -> PcieLink {
    PcieLink {
        generation: generation.into(),
        width: 16.into(),
    }
}
