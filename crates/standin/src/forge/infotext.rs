//! The text that Forge writes into its pictures.

use serde_json::{Map, Value};

/// Quotes a value the way Forge does: JSON if it holds a comma, colon or line feed.
pub(super) fn quoted(value: &str) -> String {
    if value.contains([',', ':', '\n']) {
        Value::from(value).to_string()
    } else {
        value.to_owned()
    }
}

/// Splits the last line of an infotext into its pairs; empty when it is no settings line.
pub(super) fn parse(text: &str) -> Map<String, Value> {
    let mut out = Map::new();
    let (head, last) = text.rsplit_once('\n').unwrap_or(("", text));
    let pairs = pairs(last);
    let settings = pairs.len() >= 3;
    let body = if settings { head } else { text };
    let (prompt, negative) = match body.split_once("Negative prompt:") {
        Some((p, n)) => (p, n),
        None => (body, ""),
    };
    out.insert("Prompt".into(), prompt.trim().into());
    out.insert("Negative prompt".into(), negative.trim().into());
    if settings {
        for (key, value) in pairs {
            if let Some((w, h)) = value.split_once('x')
                && w.parse::<u32>().is_ok()
                && h.parse::<u32>().is_ok()
            {
                out.insert(format!("{key}-1"), w.into());
                out.insert(format!("{key}-2"), h.into());
            } else {
                out.insert(key, value.into());
            }
        }
    }
    for (key, value) in [
        ("Clip skip", "1"),
        ("RNG", "GPU"),
        ("Schedule type", "Automatic"),
    ] {
        out.entry(key).or_insert_with(|| value.into());
    }
    for key in ["Hires resize-1", "Hires resize-2"] {
        out.entry(key).or_insert_with(|| 0.into());
    }
    out
}

fn pairs(line: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut rest = line;
    while let Some((key, tail)) = rest.split_once(':') {
        let key = key.trim();
        if key.len() < 2 || key.contains(',') {
            break;
        }
        let tail = tail.trim_start();
        let value;
        if tail.starts_with('"') {
            let mut stream = serde_json::Deserializer::from_str(tail).into_iter::<String>();
            let Some(Ok(text)) = stream.next() else { break };
            rest = tail[stream.byte_offset()..].trim_start_matches([',', ' ']);
            value = text;
        } else {
            let (text, next) = tail.split_once(',').unwrap_or((tail, ""));
            rest = next.trim_start();
            value = text.trim().to_owned();
        }
        out.push((key.to_owned(), value));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_back() {
        let text = "a (red:1.2) fox\nNegative prompt: blurry, low\nSteps: 20, Sampler: DPM++ 2M, \
                    Seed: 42, Size: 512x768, Lora hashes: \"foo: aa, bar: bb\", Version: f2";
        let got = parse(text);
        assert_eq!(got["Prompt"], "a (red:1.2) fox");
        assert_eq!(got["Negative prompt"], "blurry, low");
        assert_eq!(got["Size-2"], "768");
        assert_eq!(got["Lora hashes"], "foo: aa, bar: bb");
        assert_eq!(got["Version"], "f2");
    }
}
