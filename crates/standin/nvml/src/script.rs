//! What the library plays: one JSON document.

mod answer;
mod card;
mod rest;

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value};

use crate::codes::NvmlCode;

pub use answer::Answer;
pub use card::{Card, Clocks, Memory, PcieLink, Process, Throttle, ThrottleReason, Utilization};

/// A world of cards. Missing fields are as in [`Script::founding`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// The driver's version, `nvmlSystemGetDriverVersion`.
    pub driver: Answer<String>,
    /// The library's own version, `nvmlSystemGetNVMLVersion`.
    pub nvml: Answer<String>,
    /// The CUDA version that the driver supports, times 1000 (minor times 10): 12080 is 12.8.
    pub cuda: Answer<i32>,
    /// Answered by initialisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_error: Option<NvmlCode>,
    /// Answered when the count of cards is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count_error: Option<NvmlCode>,
    /// Microseconds that each call about a card keeps the processor busy, as a driver does.
    pub call_us: u64,
    /// Milliseconds that each call about a card sleeps, as a driver does whose card fell off.
    pub hang_ms: u64,
    /// The cards in the order of their index. What one leaves out is as in
    /// [`Card::at_rest`] at its place in this list.
    #[serde(deserialize_with = "cards")]
    pub cards: Vec<Card>,
}

impl Default for Script {
    fn default() -> Self {
        Self::founding()
    }
}

/// Why a script cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The text is not a script.
    #[error("is not a script: {0}")]
    Json(#[from] serde_json::Error),
}

impl Script {
    /// The two founding cards, at rest.
    pub fn founding() -> Self {
        Self {
            driver: "570.133.07".to_owned().into(),
            nvml: "12.570.133.07".to_owned().into(),
            cuda: 12_080.into(),
            init_error: None,
            count_error: None,
            call_us: 0,
            hang_ms: 0,
            cards: vec![Card::at_rest(0), Card::at_rest(1)],
        }
    }

    /// Reads the script in `text`.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        // A list of values would pass for a struct whose fields may all be left out.
        let fields: Map<String, Value> = serde_json::from_str(text)?;
        Ok(serde_json::from_value(Value::Object(fields))?)
    }

    /// Reads the script at `path`.
    pub fn read(path: &Path) -> Result<Self, ScriptError> {
        Self::parse(&fs::read_to_string(path)?)
    }

    /// Replaces the file at `path` in one step, so that no reader sees half of it.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        static WRITTEN: AtomicU32 = AtomicU32::new(0);
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
        let mut file = File::create(&temporary)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        drop(file);
        fs::rename(&temporary, path)
    }
}

/// Lays what a script says of each card over the card at rest at its place.
fn cards<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Card>, D::Error> {
    let said = Vec::<Value>::deserialize(deserializer)?;
    let lay = |(place, said): (usize, Value)| {
        let wrong = |error| D::Error::custom(format_args!("card {place}: {error}"));
        let mut card = serde_json::to_value(Card::at_rest(place)).map_err(wrong)?;
        overlay(&mut card, said);
        serde_json::from_value(card).map_err(wrong)
    };
    said.into_iter().enumerate().map(lay).collect()
}

/// Replaces in `under` what `over` names; objects in objects likewise.
fn overlay(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                overlay(under.entry(key).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut script = Script::founding();
        script.init_error = Some(NvmlCode::NoPermission);
        script.cards[0].memory = Memory::new(u64::MAX, 17).into();
        script.cards[1].power_mw = NvmlCode::NotSupported.into();
        script.cards[1].processes = vec![Process::compute(12, None)].into();
        script.cards[1].throttle_reasons = Throttle::Mask(0x8000_0000_0000_0001).into();
        let text = serde_json::to_string(&script).unwrap();
        assert_eq!(Script::parse(&text).unwrap(), script);
    }

    #[test]
    fn what_is_left_out_is_as_at_rest() {
        assert_eq!(Script::parse("{}").unwrap(), Script::founding());
        let text =
            r#"{"cards": [{}, {"memory": {"used": 5}, "clocks_mhz": {"video": "unknown"}}, {}]}"#;
        let cards = Script::parse(text).unwrap().cards;
        assert_eq!(cards[0], Card::at_rest(0));
        let mut second = Card::at_rest(1);
        second.memory = Memory::new(24_576 << 20, 5).into();
        second.clocks_mhz.video = NvmlCode::Unknown.into();
        assert_eq!(cards[1], second);
        let uuids: std::collections::HashSet<_> = cards
            .iter()
            .map(|card| format!("{:?}", card.uuid))
            .collect();
        assert_eq!(uuids.len(), 3, "no two cards at rest are the same");
    }

    #[test]
    fn what_no_script_has_is_refused() {
        for (text, word) in [
            (r#"{"colour": 1}"#, "colour"),
            (
                r#"{"cards": [{}, {"warmth": 1}]}"#,
                "card 1: unknown field `warmth`",
            ),
            (
                r#"{"cards": [{"memory": {"user": 1}}]}"#,
                "card 0: unknown field `user`",
            ),
            (r#"{"cards": [{"power_mw": "very much"}]}"#, "very much"),
            (r#"{"cards": [{"power_mw": -1}]}"#, "card 0"),
            (r#"{"init_error": "gone_fishing"}"#, "gone_fishing"),
            (
                r#"{"cards": [{"throttle_reasons": ["bored"]}]}"#,
                "Throttle",
            ),
            ("[]", "sequence"),
            ("", "EOF"),
        ] {
            let error = Script::parse(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
