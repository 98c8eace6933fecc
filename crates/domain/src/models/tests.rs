//! Headers that lie, headers of real files, YAML as people write it, and what both servers list.

mod headers;
mod kinds;
mod lists;
mod places;
mod yaml;

use serde_json::{Map, Value, json};

/// A safetensors header of half-precision tensors one behind the other, and the file's length.
pub(super) fn header(tensors: &[(&str, &[u64])], notes: &[(&str, &str)]) -> (Vec<u8>, u64) {
    let mut all = Map::new();
    if !notes.is_empty() {
        let notes: Map<String, Value> = notes
            .iter()
            .map(|(name, text)| ((*name).to_owned(), json!(text)))
            .collect();
        all.insert("__metadata__".to_owned(), notes.into());
    }
    let mut at = 0;
    for (name, shape) in tensors {
        let end = at + shape.iter().product::<u64>() * 2;
        let entry = json!({"dtype": "F16", "shape": shape, "data_offsets": [at, end]});
        all.insert((*name).to_owned(), entry);
        at = end;
    }
    let text = serde_json::to_vec(&Value::from(all)).expect("JSON");
    let size = 8 + text.len() as u64 + at;
    (text, size)
}
