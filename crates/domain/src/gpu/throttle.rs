//! What holds a card's clocks back, in words.

use serde::{Deserialize, Serialize};

macro_rules! throttles {
    ($($(#[$doc:meta])* $variant:ident = $bit:literal,)+) => {
        /// One reason, as in NVML's `nvmlClocksEventReason*` (nvml.h).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "specta", derive(specta::Type))]
        #[serde(rename_all = "snake_case")]
        pub enum Throttle {
            $($(#[$doc])* $variant,)+
            /// A bit that this version does not know.
            Other,
        }

        const BITS: &[(u64, Throttle)] = &[$(($bit, Throttle::$variant),)+];
    };
}

throttles! {
    /// Nothing runs: no trouble.
    Idle = 0x1,
    /// Somebody set the clocks lower: no trouble.
    ApplicationClocks = 0x2,
    /// The power limit, by software: usual under full load.
    PowerLimit = 0x4,
    /// The slowdown of the hardware: heat, power or an external brake.
    HardwareSlowdown = 0x8,
    /// Clocks follow another card of the group.
    SyncBoost = 0x10,
    /// Heat, by software.
    SoftwareHeat = 0x20,
    /// Heat, by hardware.
    HardwareHeat = 0x40,
    /// The power supply asks for less.
    PowerBrake = 0x80,
    /// Clocks of a display.
    Display = 0x100,
}

impl Throttle {
    /// The reasons in NVML's bit mask, lowest bit first; `0` is none.
    pub fn of_mask(mask: u64) -> Vec<Self> {
        let known = BITS.iter().fold(0, |all, (bit, _)| all | bit);
        let mut found: Vec<Self> = BITS
            .iter()
            .filter(|(bit, _)| mask & bit != 0)
            .map(|(_, reason)| *reason)
            .collect();
        if mask & !known != 0 {
            found.push(Self::Other);
        }
        found
    }

    /// Whether this costs speed that the card should have: heat or a lack of power. A power limit
    /// that full load reaches is how a card works, and so is rest.
    pub fn is_trouble(self) -> bool {
        match self {
            Self::HardwareSlowdown | Self::SoftwareHeat | Self::HardwareHeat | Self::PowerBrake => {
                true
            }
            Self::Idle
            | Self::ApplicationClocks
            | Self::PowerLimit
            | Self::SyncBoost
            | Self::Display
            | Self::Other => false,
        }
    }

    /// The name on the wire, as in `gpu.throttled`'s evidence.
    pub fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::ApplicationClocks => "application_clocks",
            Self::PowerLimit => "power_limit",
            Self::HardwareSlowdown => "hardware_slowdown",
            Self::SyncBoost => "sync_boost",
            Self::SoftwareHeat => "software_heat",
            Self::HardwareHeat => "hardware_heat",
            Self::PowerBrake => "power_brake",
            Self::Display => "display",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bit_has_its_word_and_unknown_bits_are_said() {
        assert_eq!(Throttle::of_mask(0), []);
        assert_eq!(Throttle::of_mask(0x1), [Throttle::Idle]);
        assert_eq!(
            Throttle::of_mask(0x4 | 0x40),
            [Throttle::PowerLimit, Throttle::HardwareHeat]
        );
        assert_eq!(
            Throttle::of_mask(0x8000_0020),
            [Throttle::SoftwareHeat, Throttle::Other]
        );
        assert_eq!(Throttle::of_mask(u64::MAX).len(), BITS.len() + 1);
    }

    #[test]
    fn the_word_is_the_one_on_the_wire() {
        for reason in Throttle::of_mask(u64::MAX) {
            let wire = serde_json::to_value(reason).expect("serialises");
            assert_eq!(wire, reason.word());
        }
    }

    #[test]
    fn a_power_limit_under_load_is_no_trouble() {
        assert!(!Throttle::PowerLimit.is_trouble() && !Throttle::Idle.is_trouble());
        assert!(Throttle::HardwareHeat.is_trouble() && Throttle::PowerBrake.is_trouble());
    }
}
