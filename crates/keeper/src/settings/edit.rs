//! Edits of the text that leave comments, order and blank lines where they are.

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
};
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, TableLike, Value};

use super::{AUTO_ENGINE, HostSettings, LOCAL_HOST, ServiceSettings};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingsEdit {
    /// Adds a service or changes the one with its id.
    UpsertService(ServiceSettings),
    /// Takes a service out.
    RemoveService(ServiceId),
    /// Adds a host or changes the one with its id.
    UpsertHost(HostSettings),
}

/// The text after the change. The text must be a settings file without errors.
pub(super) fn edit(text: &str, change: &SettingsEdit) -> Result<String, ErrorInfo> {
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        ErrorInfo::new(ErrorCode::Settings, "the settings file cannot be edited")
            .detail(error.to_string())
    })?;
    match change {
        SettingsEdit::UpsertService(service) => {
            upsert(
                &mut document,
                "service",
                service.id.as_str(),
                &service_values(service),
            );
        }
        SettingsEdit::UpsertHost(host) => {
            let values = [
                ("id", host.id.as_str().into()),
                ("engine", host.engine.as_str().into()),
            ];
            upsert(
                &mut document,
                "host",
                host.id.as_str(),
                &values.map(|(k, v)| (k, Some(v))),
            );
        }
        SettingsEdit::RemoveService(id) => {
            if !remove(&mut document, "service", id.as_str()) {
                return Err(ErrorInfo::new(
                    ErrorCode::UnknownService,
                    format!("the settings file has no service `{id}`"),
                ));
            }
        }
    }
    let edited = document.to_string();
    // The library writes line feeds; a file of Windows editors keeps its own line ends.
    let windows = text.matches("\r\n").count() * 2 > text.matches('\n').count();
    Ok(if windows {
        edited.replace("\r\n", "\n").replace('\n', "\r\n")
    } else {
        edited
    })
}

type Values<'k> = [(&'k str, Option<Value>)];

fn service_values(service: &ServiceSettings) -> [(&'static str, Option<Value>); 9] {
    let text = |value: &Option<String>| value.as_deref().map(Value::from);
    [
        ("id", Some(service.id.as_str().into())),
        ("kind", Some(service.kind.as_str().into())),
        ("host", Some(service.host.as_str().into())),
        ("container", Some(service.container.as_str().into())),
        ("api", text(&service.api)),
        ("public_url", text(&service.public_url)),
        (
            "declared_gpu",
            service.declared_gpu.map(|gpu| i64::from(gpu).into()),
        ),
        ("compose_file", text(&service.compose_file)),
        ("workspace", text(&service.workspace)),
    ]
}

fn has_id(table: &dyn TableLike, id: &str) -> bool {
    table.get("id").and_then(Item::as_str) == Some(id)
}

fn upsert(document: &mut DocumentMut, list: &str, id: &str, values: &Values<'_>) {
    match document.get_mut(list) {
        Some(Item::ArrayOfTables(tables)) => {
            if let Some(table) = tables.iter_mut().find(|table| has_id(*table, id)) {
                return set_values(table, values);
            }
        }
        Some(Item::Value(Value::Array(array))) => {
            let known = array.iter_mut().filter_map(Value::as_inline_table_mut);
            if let Some(table) = known.into_iter().find(|table| has_id(*table, id)) {
                return set_values(table, values);
            }
            let mut table = toml_edit::InlineTable::new();
            set_values(&mut table, values);
            array.push(table);
            return;
        }
        _ => {}
    }
    append(document, list, values);
}

/// Sets what differs and nothing else; what is `None` goes.
fn set_values(table: &mut dyn TableLike, values: &Values<'_>) {
    let new = table.is_empty();
    for (key, value) in values {
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
            (None, Some(value)) if implied(key, value) && !new => {}
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
        _ => false,
    }
}

fn implied(key: &str, value: &Value) -> bool {
    match key {
        "host" => value.as_str() == Some(LOCAL_HOST),
        "engine" => value.as_str() == Some(AUTO_ENGINE),
        _ => false,
    }
}

fn append(document: &mut DocumentMut, list: &str, values: &Values<'_>) {
    let mut table = Table::new();
    for (key, value) in values {
        if let Some(value) = value {
            table.insert(key, Item::Value(value.clone()));
        }
    }
    // At the end of the file, after the comments that stand there.
    let trailing = document.trailing().as_str().unwrap_or_default().to_owned();
    document.set_trailing("");
    let begun = document.to_string();
    let mut prefix = trailing;
    if !(begun.is_empty() && prefix.is_empty()) {
        if !(prefix.is_empty() && begun.ends_with('\n') || prefix.ends_with('\n')) {
            prefix.push('\n');
        }
        prefix.push('\n');
    }
    table.decor_mut().set_prefix(prefix);
    let last = positions(document).into_iter().max().unwrap_or(0);
    table.set_position(Some(last + 1));
    let tables = document
        .entry(list)
        .or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    if let Item::ArrayOfTables(tables) = tables {
        tables.push(table);
    }
}

/// Places of all sections; the file has no others than these two lists.
fn positions(document: &DocumentMut) -> Vec<isize> {
    ["host", "service"]
        .into_iter()
        .filter_map(|list| document.get(list)?.as_array_of_tables())
        .flat_map(|tables| tables.iter().filter_map(Table::position))
        .collect()
}

/// Takes a section out, with the comment lines directly above it. What stands further above
/// (a header of the file) stays.
fn remove(document: &mut DocumentMut, list: &str, id: &str) -> bool {
    match document.get_mut(list) {
        Some(Item::ArrayOfTables(tables)) => {
            let Some(index) = tables.iter().position(|table| has_id(table, id)) else {
                return false;
            };
            let table = tables.remove(index);
            let prefix = table
                .decor()
                .prefix()
                .and_then(|p| p.as_str())
                .unwrap_or_default();
            keep_above(
                document,
                table.position().unwrap_or(isize::MAX),
                further_above(prefix),
            );
            true
        }
        Some(Item::Value(Value::Array(array))) => {
            let found = |value: &Value| value.as_inline_table().is_some_and(|t| has_id(t, id));
            let Some(index) = array.iter().position(found) else {
                return false;
            };
            array.remove(index);
            true
        }
        _ => false,
    }
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

fn keep_above(document: &mut DocumentMut, removed_at: isize, kept: &str) {
    if kept.trim().is_empty() {
        return;
    }
    let next = positions(document)
        .into_iter()
        .filter(|at| *at > removed_at)
        .min();
    let Some(next) = next else {
        let trailing = format!("{kept}{}", document.trailing().as_str().unwrap_or_default());
        return document.set_trailing(trailing);
    };
    for list in ["host", "service"] {
        let Some(Item::ArrayOfTables(tables)) = document.get_mut(list) else {
            continue;
        };
        for table in tables
            .iter_mut()
            .filter(|table| table.position() == Some(next))
        {
            let own = table
                .decor()
                .prefix()
                .and_then(|p| p.as_str())
                .unwrap_or_default();
            let joined = format!("{kept}{}", own.trim_start_matches(['\r', '\n']));
            table.decor_mut().set_prefix(joined);
        }
    }
}
