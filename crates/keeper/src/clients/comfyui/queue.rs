//! `GET /queue`: of each item only its id is kept. An item carries the whole graph of whoever sent
//! it, pictures in base64 included.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};

/// Largest list that is read, in bytes.
pub(super) const LIMIT: usize = 64 * 1024 * 1024;

/// What runs and what waits.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Queue {
    queue_running: Vec<Item>,
    queue_pending: Vec<Item>,
}

impl Queue {
    pub(super) fn runs(&self, prompt: &str) -> bool {
        self.queue_running.iter().any(|item| item.0 == prompt)
    }

    pub(super) fn holds(&self, prompt: &str) -> bool {
        self.queue_pending.iter().any(|item| item.0 == prompt)
    }
}

/// `[number, prompt_id, graph, extra_data, outputs, …]`.
#[derive(Debug, PartialEq, Eq)]
struct Item(String);

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;

        impl<'de> Visitor<'de> for Parts {
            type Value = Item;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list that begins with a number and a prompt's id")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Item, A::Error> {
                parts.next_element::<IgnoredAny>()?;
                let id = parts.next_element()?.unwrap_or_default();
                while parts.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Item(id))
            }
        }

        deserializer.deserialize_seq(Parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_known_by_their_id_whatever_else_they_carry() {
        let text = r#"{"queue_running": [[5.5, "a", {"1": {}}, {}, ["2"]]],
            "queue_pending": [[-9, "b", {}, {}, [], {"more": 1}], [7, "c"], []]}"#;
        let queue: Queue = serde_json::from_str(text).expect("a queue");
        assert!(queue.runs("a") && !queue.runs("b"));
        assert!(queue.holds("b") && queue.holds("c") && !queue.holds("a"));
        for odd in ["[]", "{}", r#"{"queue_running": 5, "queue_pending": []}"#] {
            assert!(serde_json::from_str::<Queue>(odd).is_err(), "{odd}");
        }
    }
}
