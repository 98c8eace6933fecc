//! The files of a run, as its entry in the history names them.

use forgekeeper_domain::generation::GenerationRequest;
use serde_json::Value;

use crate::media::decode::MAX_FILE_BYTES;

/// Room in a file for what is no pixel: the graph in its text chunks.
const BESIDE_PIXELS: usize = 16 * 1024 * 1024;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    name: String,
    subfolder: String,
    kind: String,
}

impl File {
    /// Where it is fetched.
    pub(super) fn path(&self) -> String {
        let query = reqwest::Url::parse_with_params(
            "http://host/view",
            [
                ("filename", &self.name),
                ("subfolder", &self.subfolder),
                ("type", &self.kind),
            ],
        );
        let query = query.as_ref().ok().and_then(|url| url.query());
        format!("/view?{}", query.unwrap_or_default())
    }
}

/// The pictures that one node showed, or every node, in their order, and no more than `most`.
pub(super) fn of(entry: &Value, node: Option<&str>, most: usize) -> Vec<File> {
    let outputs = entry.get("outputs").and_then(Value::as_object);
    let outputs = outputs.into_iter().flatten();
    let images = outputs
        .filter(|(id, _)| node.is_none_or(|node| node == *id))
        .filter_map(|(_, shown)| shown.get("images")?.as_array());
    let file = |image: &Value| {
        let word = |key: &str| Some(image.get(key)?.as_str()?.to_owned());
        Some(File {
            name: word("filename")?,
            subfolder: word("subfolder").unwrap_or_default(),
            kind: word("type")?,
        })
    };
    images.flatten().filter_map(file).take(most).collect()
}

/// Largest file of a request: its pixels without any compression, and its texts. More than can be
/// unpacked is not fetched.
pub(super) fn limit(request: &GenerationRequest) -> usize {
    let (width, height) = request.picture_size();
    let pixels = (u64::from(width) * u64::from(height)).saturating_mul(4);
    let pixels = usize::try_from(pixels).unwrap_or(usize::MAX);
    pixels.min(MAX_FILE_BYTES).saturating_add(BESIDE_PIXELS)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn files_are_fetched_under_any_name() {
        let entry = json!({"outputs": {
            "7": {"images": [
                {"filename": "a b&type=output#?.png", "subfolder": "été/x", "type": "temp"},
                {"filename": 5},
                {"filename": "second.png", "type": "temp"},
            ]},
            "9": {"images": [{"filename": "theirs.png", "subfolder": "", "type": "output"}]},
        }});
        let ours = Some("7");
        assert_eq!(of(&entry, ours, 1).len(), 1);
        assert_eq!(of(&entry, None, 8).len(), 3, "theirs, too");
        let paths: Vec<String> = of(&entry, ours, 8).iter().map(File::path).collect();
        assert_eq!(
            paths,
            [
                "/view?filename=a+b%26type%3Doutput%23%3F.png&subfolder=%C3%A9t%C3%A9%2Fx&type=temp",
                "/view?filename=second.png&subfolder=&type=temp",
            ]
        );
        for odd in [
            json!(null),
            json!([]),
            json!({"outputs": {"7": {"images": "x"}}}),
        ] {
            assert_eq!(of(&odd, ours, 8), []);
        }
    }
}
