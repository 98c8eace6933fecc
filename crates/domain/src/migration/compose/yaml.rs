//! YAML with limits: what a hostile file can cost is bounded before anything is made of it.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Error, Location, Spanned};

/// Largest accepted file in bytes.
pub const MAX_COMPOSE_BYTES: usize = 512 * 1024;
/// Most nodes, aliases counted with what they stand for.
const MAX_NODES: usize = 20_000;
/// Deepest nesting.
const MAX_DEPTH: usize = 32;
/// Most anchors, and most aliases that stand for them.
const MAX_ALIASES: usize = 200;
/// Most that aliases may bring, in events of the parser.
const MAX_REPLAYED: usize = 20_000;

/// What kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum ComposeFault {
    /// The text is no YAML.
    Syntax,
    /// More text, nesting or values than a compose file needs.
    TooLarge,
    /// Aliases that stand for more than is written out.
    Bomb,
    /// The same key twice.
    DoubleKey,
    /// YAML that is no compose file.
    Shape,
}

/// What is wrong with a file, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[error("{}{reason}; {remedy}", line.map(|l| format!("line {l}: ")).unwrap_or_default())]
pub struct ComposeProblem {
    /// Line from 1; `None` where the whole is meant.
    pub line: Option<u32>,
    /// What kind.
    pub fault: ComposeFault,
    /// What is wrong, in English.
    pub reason: String,
    /// What to do, in English.
    pub remedy: String,
}

impl ComposeProblem {
    pub(super) fn new(line: Option<u32>, fault: ComposeFault, reason: &str, remedy: &str) -> Self {
        Self {
            line: line.filter(|line| *line > 0),
            fault,
            reason: reason.to_owned(),
            remedy: remedy.to_owned(),
        }
    }
}

/// A value with the line it stands on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) line: u32,
    pub(super) value: Value,
}

/// A value. Numbers and booleans are what they look like as text: compose takes both for most fields.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(pairs) => pairs.iter().find(|(k, _)| k == key).map(|(_, node)| node),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn list(&self) -> &[Node] {
        match &self.value {
            Value::List(nodes) => nodes,
            _ => &[],
        }
    }

    pub(super) fn pairs(&self) -> &[(String, Node)] {
        match &self.value {
            Value::Map(pairs) => pairs,
            _ => &[],
        }
    }
}

/// Reads a text; anchors and merges are resolved within limits.
pub(super) fn read(text: &str) -> Result<Node, ComposeProblem> {
    if text.len() > MAX_COMPOSE_BYTES {
        return Err(ComposeProblem::new(
            None,
            ComposeFault::TooLarge,
            "the file is larger than 512 KiB",
            "check that it is the compose file",
        ));
    }
    let text = text.trim_start_matches('\u{feff}');
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            max_documents: 1,
            max_total_scalar_bytes: MAX_COMPOSE_BYTES,
            max_merge_keys: MAX_ALIASES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_REPLAYED,
            max_replay_stack_depth: 8,
        },
    };
    let read: Result<Spanned<Value>, Error> = serde_saphyr::from_str_with_options(text, options);
    read.map(Node::from).map_err(|error| problem(&error))
}

fn problem(error: &Error) -> ComposeProblem {
    let line = error.location().map(line_of);
    let mut plain = error;
    while let Error::WithSnippet { error, .. } | Error::AliasError { error, .. } = plain {
        plain = error;
    }
    // The parser's own words, without the excerpt of the file: that may hold a secret.
    let words = plain.to_string();
    let words = words.lines().next().unwrap_or_default();
    let words = words.strip_prefix("error: ").unwrap_or(words);
    match plain {
        Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => ComposeProblem::new(
            line,
            ComposeFault::Bomb,
            "aliases stand for more than a compose file needs",
            "write the values out instead of repeating aliases of aliases",
        ),
        Error::Budget { breach, .. } => {
            let breach = format!("{breach:?}");
            if breach.contains("Alias") || breach.contains("Anchor") || breach.contains("Merge") {
                return ComposeProblem::new(
                    line,
                    ComposeFault::Bomb,
                    "there are more anchors and aliases than a compose file needs",
                    "write the values out",
                );
            }
            ComposeProblem::new(
                line,
                ComposeFault::TooLarge,
                "it is nested deeper, or holds more, than a compose file needs",
                "check that it is the compose file",
            )
        }
        Error::DuplicateMappingKey { key, .. } => ComposeProblem::new(
            line,
            ComposeFault::DoubleKey,
            &format!("the key `{}` stands twice", key.as_deref().unwrap_or("?")),
            "remove one of them",
        ),
        _ => ComposeProblem::new(
            line,
            ComposeFault::Syntax,
            &format!("this is not YAML: {words}"),
            "check the blanks at the beginning of the line, and put texts with `: ` or `#` in quotes",
        ),
    }
}

fn line_of(location: Location) -> u32 {
    u32::try_from(location.line()).unwrap_or(0)
}

impl From<Spanned<Value>> for Node {
    fn from(spanned: Spanned<Value>) -> Self {
        Self {
            line: line_of(spanned.referenced),
            value: spanned.value,
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Value>>()? {
            list.push(Node::from(item));
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = pairs.next_entry::<String, Spanned<Value>>()? {
            map.push((key, Node::from(value)));
        }
        Ok(Value::Map(map))
    }
}
