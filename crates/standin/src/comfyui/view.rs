//! Written files: their names, and `/view`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde_json::Value;

use super::Comfy;
use crate::faults::Fault;
use crate::lock::lock;
use crate::picture::{self, Picture};
use crate::reply;

/// JSON with everything outside ASCII escaped, as Python writes it.
pub(super) fn ascii_json(value: &Value) -> String {
    value.to_string().chars().fold(String::new(), |mut out, c| {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
        out
    })
}

fn decoded(file: &[u8]) -> Option<Picture> {
    let rgb = image::load_from_memory_with_format(file, image::ImageFormat::Png)
        .ok()?
        .to_rgb8();
    Some(Picture {
        width: rgb.width(),
        height: rgb.height(),
        rgb: rgb.into_raw(),
    })
}

fn ranged(headers: &HeaderMap, length: usize) -> Option<(usize, usize)> {
    let text = headers
        .get(header::RANGE)?
        .to_str()
        .ok()?
        .strip_prefix("bytes=")?;
    let (from, to) = text.split_once('-')?;
    let from: usize = from.parse().ok()?;
    let to = to
        .parse::<usize>()
        .map_or(length, |to| to.saturating_add(1))
        .min(length);
    (from < to).then_some((from, to))
}

pub(super) async fn get(
    State(comfy): State<Arc<Comfy>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let Some(asked) = query.get("filename") else {
        return reply::empty(404);
    };
    let (name, noted) = match asked.split_once(" [") {
        Some((name, note)) => (name, Some(note.trim_end_matches(']').to_owned())),
        None => (asked.as_str(), None),
    };
    if name.starts_with('/') || name.contains("..") {
        return reply::empty(400);
    }
    let folder = query.get("subfolder").map_or("", String::as_str);
    if folder.contains("..") || folder.starts_with('/') {
        return reply::empty(403);
    }
    let kind = noted
        .or_else(|| query.get("type").cloned())
        .unwrap_or_else(|| "output".into());
    if !matches!(kind.as_str(), "output" | "temp" | "input") {
        return reply::empty(400);
    }
    let found = lock(&comfy.files).get(&(kind, folder.to_owned(), name.to_owned()));
    let Some(file) = found else {
        return reply::empty(404);
    };
    let mut bytes: Vec<u8> = file.to_vec();
    if comfy.is(Fault::ImageCorrupt) {
        bytes.truncate(bytes.len() / 3);
    }
    if comfy.is(Fault::ImageBomb) {
        bytes = picture::bomb().unwrap_or_default();
    }
    let mut content = "image/png";
    if let Some(preview) = query.get("preview") {
        let (format, quality) = preview.split_once(';').unwrap_or((preview, "90"));
        let quality = quality.parse().unwrap_or(90);
        let again = decoded(&bytes).and_then(|picture| match format {
            "jpeg" => picture.jpeg(quality).ok().map(|b| (b, "image/jpeg")),
            _ => picture.webp().ok().map(|b| (b, "image/webp")),
        });
        if let Some((other, kind)) = again {
            (bytes, content) = (other, kind);
        }
    }
    let length = bytes.len();
    let mut response = match ranged(&headers, length) {
        Some((from, to)) => {
            let mut part = reply::typed(206, content, bytes[from..to].to_vec());
            if let Ok(value) = HeaderValue::from_str(&format!("bytes {from}-{}/{length}", to - 1)) {
                part.headers_mut().insert(header::CONTENT_RANGE, value);
            }
            part
        }
        None => reply::typed(200, content, bytes),
    };
    let set = response.headers_mut();
    set.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Ok(value) = HeaderValue::from_str(&format!("filename=\"{name}\"")) {
        set.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn chunks_are_ascii() {
        assert_eq!(
            ascii_json(&json!({"t": "caf\u{e9} \u{1f98a}"})),
            "{\"t\":\"caf\\u00e9 \\ud83e\\udd8a\"}"
        );
    }

    #[test]
    fn ranges_end_with_the_file() {
        let asked = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, HeaderValue::from_str(text).unwrap());
            ranged(&headers, 100)
        };
        assert_eq!(asked("bytes=0-18446744073709551615"), Some((0, 100)));
        assert_eq!(asked("bytes=10-19"), Some((10, 20)));
        assert_eq!(asked("bytes=90-"), Some((90, 100)));
        assert_eq!(asked("bytes=100-200"), None);
    }
}
