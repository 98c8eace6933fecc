//! The files of a run, as its entry in the history names them.

use forgekeeper_domain::generation::GenerationRequest;
use serde_json::Value;

use super::graph;

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

/// The pictures that our output node showed, in their order, and no more than were asked for.
pub(super) fn of(entry: &Value, most: u32) -> Vec<File> {
    let images = entry
        .get("outputs")
        .and_then(|outputs| outputs.get(graph::OUTPUT)?.get("images")?.as_array());
    let file = |image: &Value| {
        let word = |key: &str| Some(image.get(key)?.as_str()?.to_owned());
        Some(File {
            name: word("filename")?,
            subfolder: word("subfolder").unwrap_or_default(),
            kind: word("type")?,
        })
    };
    let files = images.into_iter().flatten().filter_map(file);
    files.take(usize::try_from(most).unwrap_or(1)).collect()
}

/// Largest file of a request: its pixels without any compression, and its texts.
pub(super) fn limit(request: &GenerationRequest) -> usize {
    let pixels = u64::from(request.width) * u64::from(request.height);
    usize::try_from(pixels.saturating_mul(4))
        .unwrap_or(usize::MAX)
        .saturating_add(BESIDE_PIXELS)
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
        assert_eq!(of(&entry, 1).len(), 1);
        let paths: Vec<String> = of(&entry, 8).iter().map(File::path).collect();
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
            assert_eq!(of(&odd, 8), []);
        }
    }
}
