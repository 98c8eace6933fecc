//! The maintained table: which custom nodes do what an extension did.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::migration::Words;

const TEXT: &str = include_str!("table.toml");

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    #[serde(rename = "extension")]
    pub(super) extensions: Vec<KnownExtension>,
}

// A test reads the file, so the empty table is never seen.
static TABLE: LazyLock<Table> = LazyLock::new(|| toml::from_str(TEXT).unwrap_or_default());

/// What becomes of an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Custom nodes do the same.
    Nodes,
    /// ComfyUI does it by itself.
    BuiltIn,
    /// It served Forge's page or Forge itself: nothing is missing without it.
    Needless,
    /// Nothing is known that does the same.
    Nothing,
}

/// A pack of custom nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(deny_unknown_fields)]
pub struct NodePack {
    /// The folder it is installed in below `custom_nodes`.
    pub name: String,
    /// `owner/name` of its repository.
    pub repository: String,
    /// Classes of nodes that it brings, by which the server tells that it is loaded.
    #[serde(default)]
    pub classes: Vec<String>,
}

/// One extension of Forge or A1111.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(deny_unknown_fields)]
pub struct KnownExtension {
    /// The usual name of its folder.
    pub id: String,
    /// Other names of its folder, small letters; `*` at one end stands for whatever is there.
    #[serde(default)]
    pub names: Vec<String>,
    /// What it does.
    pub title: Words,
    /// What becomes of it.
    pub fate: Fate,
    /// What does the same, the nearest first.
    #[serde(default)]
    pub nodes: Vec<NodePack>,
    /// What differs.
    pub note: Words,
}

impl KnownExtension {
    fn is_called(&self, folder: &str) -> bool {
        let folder = folder.to_ascii_lowercase();
        let matches = |name: &str| match (name.strip_prefix('*'), name.strip_suffix('*')) {
            (Some(end), None) => folder.ends_with(end),
            (None, Some(start)) => folder.starts_with(start),
            (Some(_), Some(_)) => folder.contains(name.trim_matches('*')),
            (None, None) => folder == name,
        };
        matches(&self.id.to_ascii_lowercase()) || self.names.iter().any(|name| matches(name))
    }
}

/// The table that comes with the program.
pub fn known_extensions() -> &'static [KnownExtension] {
    &TABLE.extensions
}

/// The row of an extension by the name of its folder; `None`: the table does not know it.
pub fn fate_of(folder: &str) -> Option<&'static KnownExtension> {
    known_extensions()
        .iter()
        .find(|known| known.is_called(folder))
}

#[cfg(test)]
pub(super) fn read() -> Result<Table, toml::de::Error> {
    toml::from_str(TEXT)
}
