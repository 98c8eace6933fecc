//! Lists of sections in a TOML file that people keep by hand: edited so that comments, order and
//! blank lines stay where they are.

use toml_edit::{ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};

/// The text is not TOML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotToml(pub String);

/// A text whose lists of sections (`[[service]]`) are edited by the `id` of their entries.
#[derive(Debug, Clone)]
pub struct Document {
    toml: DocumentMut,
    /// The library writes line feeds; a file of Windows editors keeps its own line ends.
    windows: bool,
}

/// What a key of an entry is to be.
#[derive(Debug, Clone)]
pub struct Field {
    key: &'static str,
    value: Option<Value>,
    implied: bool,
}

impl Field {
    /// The key has this value, or goes when there is none.
    pub fn new(key: &'static str, value: Option<Value>) -> Self {
        Self {
            key,
            value,
            implied: false,
        }
    }

    /// The same; an entry that does not say it already does not need to when `implied`.
    #[must_use]
    pub fn implied_if(mut self, implied: bool) -> Self {
        self.implied = implied;
        self
    }
}

impl Document {
    /// Reads a text.
    pub fn read(text: &str) -> Result<Self, NotToml> {
        let toml = text
            .parse()
            .map_err(|error: toml_edit::TomlError| NotToml(error.to_string()))?;
        let windows = text.matches("\r\n").count() * 2 > text.matches('\n').count();
        Ok(Self { toml, windows })
    }

    /// The text as it is now.
    pub fn into_text(self) -> String {
        let edited = self.toml.to_string();
        if self.windows {
            edited.replace("\r\n", "\n").replace('\n', "\r\n")
        } else {
            edited
        }
    }

    /// How many entries of a list have this id.
    pub fn count(&self, list: &str, id: &str) -> usize {
        match self.toml.get(list) {
            Some(Item::ArrayOfTables(tables)) => {
                tables.iter().filter(|table| has_id(*table, id)).count()
            }
            Some(Item::Value(Value::Array(array))) => array
                .iter()
                .filter_map(Value::as_inline_table)
                .filter(|table| has_id(*table, id))
                .count(),
            _ => 0,
        }
    }

    /// Sets the fields of the first entry with this id, or adds an entry with them at the end of
    /// the file.
    pub fn upsert(&mut self, list: &str, id: &str, fields: &[Field]) {
        if let Some(table) = self.entry(list, id) {
            return set_fields(table, fields);
        }
        if let Some(Item::Value(Value::Array(array))) = self.toml.get_mut(list) {
            let mut table = InlineTable::new();
            set_fields(&mut table, fields);
            array.push(table);
            return;
        }
        self.append(list, fields);
    }

    /// Sets the fields of a table inside an entry; a table without any field goes.
    pub fn set_inside(&mut self, list: &str, id: &str, key: &str, fields: &[Field]) {
        let Some(entry) = self.entry(list, id) else {
            return;
        };
        if !entry.contains_key(key) {
            entry.insert(key, Item::Table(Table::new()));
        }
        let Some(table) = entry.get_mut(key).and_then(Item::as_table_like_mut) else {
            return;
        };
        set_fields(table, fields);
        if table.is_empty() {
            entry.remove(key);
        }
    }

    /// Sets a value of the file itself, above its sections; without one the key goes.
    pub fn set_root(&mut self, key: &'static str, value: Option<Value>) {
        let bare = !self.toml.iter().any(|(_, item)| item.is_value());
        let known = self.toml.contains_key(key);
        set_fields(self.toml.as_table_mut(), &[Field::new(key, value)]);
        if bare && !known && self.toml.contains_key(key) {
            self.head_above(key);
        }
    }

    /// Sets values of a section of its own (`[target]`); one that is not there comes at the end of the
    /// file when there is a value for it. A section whose last value goes stays, with its comments.
    pub fn set_section(&mut self, section: &str, fields: &[Field]) {
        if let Some(table) = self.toml.get_mut(section).and_then(Item::as_table_like_mut) {
            return set_fields(table, fields);
        }
        if fields.iter().all(|field| field.value.is_none()) {
            return;
        }
        let table = self.table_at_the_end(fields);
        self.toml.insert(section, Item::Table(table));
    }

    /// The head of the file stays its head: it stood above the first section, which now comes second.
    fn head_above(&mut self, key: &str) {
        let first = self
            .toml
            .iter_mut()
            .flat_map(|(_, item)| match item {
                Item::Table(table) => vec![table],
                Item::ArrayOfTables(tables) => tables.iter_mut().collect(),
                _ => Vec::new(),
            })
            .min_by_key(|table| table.position());
        let mut head = String::new();
        if let Some(table) = first {
            let prefix = table.decor().prefix().and_then(|p| p.as_str());
            let prefix = prefix.unwrap_or_default().to_owned();
            further_above(&prefix).clone_into(&mut head);
            let rest = prefix[head.len()..].to_owned();
            table.decor_mut().set_prefix(format!("\n{rest}"));
        } else {
            self.toml
                .trailing()
                .as_str()
                .unwrap_or_default()
                .clone_into(&mut head);
            self.toml.set_trailing("");
            if !head.is_empty() && !head.ends_with("\n\n") {
                head.push('\n');
            }
        }
        if let Some(mut name) = self.toml.key_mut(key) {
            name.leaf_decor_mut().set_prefix(head);
        }
    }

    /// Takes the last entry with this id out, with the comment lines directly above it. What
    /// stands further above (a header of the file) stays.
    pub fn remove(&mut self, list: &str, id: &str) -> bool {
        match self.toml.get_mut(list) {
            Some(Item::ArrayOfTables(tables)) => {
                let found: Vec<bool> = tables.iter().map(|table| has_id(table, id)).collect();
                let Some(index) = found.iter().rposition(|found| *found) else {
                    return false;
                };
                let table = tables.remove(index);
                let prefix = table
                    .decor()
                    .prefix()
                    .and_then(|p| p.as_str())
                    .unwrap_or_default();
                self.keep_above(
                    table.position().unwrap_or(isize::MAX),
                    further_above(prefix),
                );
                true
            }
            Some(Item::Value(Value::Array(array))) => {
                let found = |value: &Value| value.as_inline_table().is_some_and(|t| has_id(t, id));
                let found: Vec<bool> = array.iter().map(found).collect();
                let Some(index) = found.iter().rposition(|found| *found) else {
                    return false;
                };
                array.remove(index);
                true
            }
            _ => false,
        }
    }

    fn entry(&mut self, list: &str, id: &str) -> Option<&mut dyn TableLike> {
        match self.toml.get_mut(list)? {
            Item::ArrayOfTables(tables) => {
                let table = tables.iter_mut().find(|table| has_id(*table, id))?;
                Some(table)
            }
            Item::Value(Value::Array(array)) => {
                let mut tables = array.iter_mut().filter_map(Value::as_inline_table_mut);
                let table = tables.find(|table| has_id(*table, id))?;
                Some(table)
            }
            _ => None,
        }
    }

    fn append(&mut self, list: &str, fields: &[Field]) {
        let table = self.table_at_the_end(fields);
        let tables = self
            .toml
            .entry(list)
            .or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
        if let Item::ArrayOfTables(tables) = tables {
            tables.push(table);
        }
    }

    fn table_at_the_end(&mut self, fields: &[Field]) -> Table {
        let mut table = Table::new();
        set_fields(&mut table, fields);
        // At the end of the file, after the comments that stand there.
        let trailing = self.toml.trailing().as_str().unwrap_or_default().to_owned();
        self.toml.set_trailing("");
        let begun = self.toml.to_string();
        let mut prefix = trailing;
        if !(begun.is_empty() && prefix.is_empty()) {
            if !(prefix.is_empty() && begun.ends_with('\n') || prefix.ends_with('\n')) {
                prefix.push('\n');
            }
            prefix.push('\n');
        }
        table.decor_mut().set_prefix(prefix);
        table.set_position(Some(last_position(self.toml.as_table()) + 1));
        table
    }

    /// Puts what stood above a section that is gone above the one that follows it.
    fn keep_above(&mut self, removed_at: isize, kept: &str) {
        if kept.trim().is_empty() {
            return;
        }
        let next = self
            .toml
            .iter_mut()
            .filter_map(|(_, item)| item.as_array_of_tables_mut())
            .flat_map(ArrayOfTables::iter_mut)
            .filter(|table| table.position().is_some_and(|at| at > removed_at))
            .min_by_key(|table| table.position());
        if let Some(table) = next {
            let own = table
                .decor()
                .prefix()
                .and_then(|p| p.as_str())
                .unwrap_or_default();
            let joined = format!("{kept}{}", own.trim_start_matches(['\r', '\n']));
            table.decor_mut().set_prefix(joined);
        } else {
            let below = self.toml.trailing().as_str().unwrap_or_default();
            let trailing = format!("{kept}{below}");
            self.toml.set_trailing(trailing);
        }
    }
}

fn has_id(table: &dyn TableLike, id: &str) -> bool {
    table.get("id").and_then(Item::as_str) == Some(id)
}

/// Sets what differs and nothing else.
fn set_fields(table: &mut dyn TableLike, fields: &[Field]) {
    let new = table.is_empty();
    for Field {
        key,
        value,
        implied,
    } in fields
    {
        match (table.get_mut(key), value) {
            (Some(_), None) => {
                table.remove(key);
            }
            (None, None) => {}
            (Some(item), Some(value)) => {
                if let Some(old) = item.as_value()
                    && !same(old, value)
                {
                    // The decor carries the comment behind the value.
                    let decor = old.decor().clone();
                    let mut new = value.clone();
                    *new.decor_mut() = decor;
                    *item = Item::Value(new);
                }
            }
            // What the file leaves to the default stays unsaid.
            (None, Some(_)) if *implied && !new => {}
            (None, Some(value)) => {
                table.insert(key, Item::Value(value.clone()));
            }
        }
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.value() == b.value(),
        (Value::Integer(a), Value::Integer(b)) => a.value() == b.value(),
        (Value::Datetime(a), Value::Datetime(b)) => a.value() == b.value(),
        _ => false,
    }
}

/// The place of the last section, those inside of others among them.
fn last_position(table: &Table) -> isize {
    let inside = table.iter().flat_map(|(_, item)| match item {
        Item::Table(table) => vec![table],
        Item::ArrayOfTables(tables) => tables.iter().collect(),
        _ => Vec::new(),
    });
    let inside = inside.map(last_position).max().unwrap_or(0);
    table.position().unwrap_or(0).max(inside)
}

/// The part of the lines above a section that a blank line separates from it.
fn further_above(prefix: &str) -> &str {
    let mut end = prefix.len();
    for line in prefix.split_inclusive('\n').rev() {
        if line.trim().is_empty() {
            break;
        }
        end -= line.len();
    }
    prefix[..end].trim_end_matches([' ', '\t'])
}
