//! What lists and events are asked for.

use std::collections::HashMap;

use axum::response::Response;
use serde_json::Value;

use super::container::Container;
use super::events;
use super::routes::refuse;
use crate::lock::lock;

/// What can be asked of the list; the engine refuses what it does not know.
pub(super) const LIST_FILTERS: &[&str] = &["name", "id", "status", "ancestor", "label"];
pub(super) const EVENT_FILTERS: &[&str] =
    &["type", "container", "image", "event", "action", "label"];

/// `filters`: a JSON object of lists, or of maps to booleans in old clients.
pub(super) fn filters(
    words: &HashMap<String, String>,
    known: &[&str],
) -> Result<HashMap<String, Vec<String>>, Box<Response>> {
    let Some(text) = words.get("filters").filter(|t| !t.is_empty()) else {
        return Ok(HashMap::new());
    };
    let Ok(Value::Object(map)) = serde_json::from_str(text) else {
        return Err(Box::new(refuse(400, "invalid filter")));
    };
    if let Some(key) = map.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(Box::new(refuse(400, &format!("invalid filter '{key}'"))));
    }
    Ok(map
        .into_iter()
        .map(|(key, value)| {
            let list = match value {
                Value::Array(items) => items
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
                Value::Object(items) => items.keys().cloned().collect(),
                _ => Vec::new(),
            };
            (key, list)
        })
        .collect())
}

fn has_label(labels: &[(String, String)], wanted: &str) -> bool {
    match wanted.split_once('=') {
        Some((key, value)) => labels.iter().any(|(k, v)| k == key && v == value),
        None => labels.iter().any(|(k, _)| k == wanted),
    }
}

pub(super) fn listed(container: &Container, filters: &HashMap<String, Vec<String>>) -> bool {
    filters.iter().all(|(key, values)| {
        let any = |test: &dyn Fn(&str) -> bool| values.iter().any(|v| test(v));
        match key.as_str() {
            "name" => any(&|v| {
                container
                    .spec
                    .name
                    .contains(v.trim_start_matches(['/', '^']).trim_end_matches('$'))
            }),
            "id" => any(&|v| container.id().starts_with(v)),
            "status" => any(&|v| lock(&container.state).status.word() == v),
            "ancestor" => any(&|v| {
                container.spec.image == v || container.spec.image.starts_with(&format!("{v}:"))
            }),
            "label" => values.iter().all(|v| has_label(&container.labels(), v)),
            _ => true,
        }
    })
}

pub(super) fn wanted(event: &events::Event, filters: &HashMap<String, Vec<String>>) -> bool {
    filters.iter().all(|(key, values)| match key.as_str() {
        "type" => values.iter().any(|v| v == "container"),
        "container" => values.iter().any(|v| {
            event.container.starts_with(v.as_str()) || event.name == v.trim_start_matches('/')
        }),
        "image" => values.iter().any(|v| event.image.starts_with(v.as_str())),
        "event" | "action" => values
            .iter()
            .any(|v| event.action == *v || event.action.starts_with(&format!("{v}:"))),
        "label" => values.iter().all(|v| has_label(&event.labels, v)),
        _ => true,
    })
}
