//! `GET /queue`: of each item only its number and its id are kept. An item carries the whole graph of
//! whoever sent it, pictures in base64 included.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};

/// Largest list that is read, in bytes.
pub(super) const LIMIT: usize = 64 * 1024 * 1024;

/// What runs and what waits.
#[derive(Debug, Default, PartialEq, Deserialize)]
pub(super) struct Queue {
    queue_running: Vec<Item>,
    queue_pending: Vec<Item>,
}

impl Queue {
    pub(super) fn runs(&self, prompt: &str) -> bool {
        self.queue_running.iter().any(|item| item.id == prompt)
    }

    pub(super) fn holds(&self, prompt: &str) -> bool {
        self.queue_pending.iter().any(|item| item.id == prompt)
    }

    /// Prompts that the server does before a waiting one; `None` where the numbers do not tell. What
    /// waits is listed in heap order (`observed.md` §2.3): the lowest number runs first, and of two
    /// alike the lower id, as Python compares lists.
    pub(super) fn ahead_of(&self, prompt: &str) -> Option<u32> {
        let ours = self.queue_pending.iter().find(|item| item.id == prompt)?;
        let number = ours.number?;
        let mut ahead = self.queue_running.len();
        for other in &self.queue_pending {
            let place = other.number?.total_cmp(&number);
            if place.then_with(|| other.id.cmp(&ours.id)).is_lt() {
                ahead += 1;
            }
        }
        u32::try_from(ahead).ok()
    }
}

/// `[number, prompt_id, graph, extra_data, outputs, …]`.
#[derive(Debug, PartialEq)]
struct Item {
    number: Option<f64>,
    id: String,
}

/// A number that may be whole, broken, negative, or something else in a fork.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Told(f64),
    Odd(IgnoredAny),
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;

        impl<'de> Visitor<'de> for Parts {
            type Value = Item;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list that begins with a number and a prompt's id")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Item, A::Error> {
                let number = match parts.next_element()? {
                    Some(Number::Told(number)) => Some(number),
                    Some(Number::Odd(_)) | None => None,
                };
                let id = parts.next_element()?.unwrap_or_default();
                while parts.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Item { number, id })
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

    #[test]
    fn the_place_is_told_by_the_numbers_and_not_by_the_list() {
        let queue = |text: &str| serde_json::from_str::<Queue>(text).expect("a queue");
        // Heap order as it was seen: 7 runs before 8, and -9 was put before all.
        let heap = queue(
            r#"{"queue_running": [[3, "run", {}, {}, []]],
                "queue_pending": [[-9, "front", {}], [8, "ours", {}], [7, "seven", {}], [5.5, "half", {}], [9, "late", {}]]}"#,
        );
        assert_eq!(heap.ahead_of("ours"), Some(4));
        assert_eq!(heap.ahead_of("front"), Some(1), "what runs goes on");
        assert_eq!(heap.ahead_of("late"), Some(5));
        assert_eq!(heap.ahead_of("run"), None, "it does not wait");
        assert_eq!(heap.ahead_of("nobody"), None);
        let alike = queue(r#"{"queue_running": [], "queue_pending": [[4, "b"], [4, "a"]]}"#);
        assert_eq!(
            (alike.ahead_of("a"), alike.ahead_of("b")),
            (Some(0), Some(1))
        );
        for odd in [
            r#"[null, "x"]"#,
            r#"["4", "x"]"#,
            "[]",
            r#"[{"n": 1}, "x"]"#,
        ] {
            let text = format!(r#"{{"queue_running": [], "queue_pending": [[4, "a"], {odd}]}}"#);
            assert_eq!(queue(&text).ahead_of("a"), None, "{odd}");
        }
    }
}
