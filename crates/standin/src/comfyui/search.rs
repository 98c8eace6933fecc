//! Where a ComfyUI finds models beside its own: `extra_model_paths.yaml`, read at the start and not again,
//! as the real one does. What lies in those folders is looked up at each question.

use std::collections::BTreeMap;
use std::path::PathBuf;

use granit_parser::{Event, Parser};
use serde_json::{Value, json};

use super::Comfy;
use crate::docker::real;
use crate::lock::lock;

const FILE: &str = "/root/ComfyUI/extra_model_paths.yaml";
/// Extensions that are listed (`folder_paths.supported_pt_extensions`).
const ENDINGS: &[&str] = &[
    ".ckpt",
    ".pt",
    ".pt2",
    ".bin",
    ".pth",
    ".safetensors",
    ".pkl",
    ".sft",
];

/// Folders of this run by ComfyUI's name for their sort, as inside the container.
#[derive(Debug, Default)]
pub(super) struct Search {
    mounts: Vec<(PathBuf, String)>,
    folders: BTreeMap<String, Vec<String>>,
}

/// Sections, and their keys with one or more lines; only what `yaml.safe_load` would find there.
fn sections(text: &str) -> Result<Vec<Vec<(String, String)>>, String> {
    let mut all = Vec::new();
    let (mut depth, mut keys, mut key) = (0, Vec::new(), None);
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| error.to_string())?;
        match event {
            Event::MappingStart(..) => depth += 1,
            Event::MappingEnd => {
                depth -= 1;
                if depth == 1 {
                    all.push(std::mem::take(&mut keys));
                }
            }
            Event::Scalar(words, ..) if depth == 2 => match key.take() {
                None => key = Some(words.into_owned()),
                Some(key) => keys.push((key, words.into_owned())),
            },
            _ => {}
        }
    }
    Ok(all)
}

impl Comfy {
    /// Mounts of the container whose source is on a real disk.
    pub(crate) fn mount(&self, mounts: Vec<(PathBuf, String)>) {
        lock(&self.search).mounts = mounts;
    }

    /// Reads the file; the lines are those that the program says.
    pub(super) fn read_paths(&self) -> Vec<String> {
        let mut search = lock(&self.search);
        search.folders.clear();
        let place = real::place(&search.mounts, FILE).filter(|path| path.is_file());
        let bytes = match place {
            Some(path) => std::fs::read(path).ok(),
            None => self
                .disk
                .get("extra_model_paths.yaml")
                .map(|file| file.bytes),
        };
        let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let mut said = Vec::new();
        let sections = text.map_or(Ok(Vec::new()), |text| sections(&text));
        let sections = match sections {
            Ok(sections) => sections,
            Err(error) => return vec![format!("yaml.scanner.ScannerError: {error}")],
        };
        for section in sections {
            let base = section.iter().find(|(key, _)| key == "base_path");
            let base = base.map_or("/root/ComfyUI", |(_, path)| path.as_str());
            for (key, paths) in &section {
                if key == "base_path" || key == "is_default" {
                    continue;
                }
                let key = match key.as_str() {
                    "unet" => "diffusion_models",
                    "clip" => "text_encoders",
                    key => key,
                };
                for path in paths.split('\n').filter(|path| !path.is_empty()) {
                    let path = if path.starts_with('/') {
                        path.to_owned()
                    } else {
                        format!("{}/{path}", base.trim_end_matches('/'))
                    };
                    said.push(format!("Adding extra search path {key} {path}"));
                    search.folders.entry(key.to_owned()).or_default().push(path);
                }
            }
        }
        said
    }

    /// The models of a sort: its own, then those of the folders beside, each name once.
    pub(super) fn with_found(&self, sort: &str, own: Vec<String>) -> Vec<String> {
        let mut all = own;
        for (name, ..) in self.found(sort) {
            if !all.contains(&name) {
                all.push(name);
            }
        }
        all
    }

    /// Files of the folders beside, each with the number of its folder; the program's own is 0.
    fn found(&self, sort: &str) -> Vec<(String, usize, PathBuf)> {
        let search = lock(&self.search);
        let folders = search.folders.get(sort).into_iter().flatten().enumerate();
        let files = folders.flat_map(|(number, folder)| {
            let place = real::place(&search.mounts, folder);
            let files = place.map(|place| real::files(&place)).unwrap_or_default();
            files
                .into_iter()
                .map(move |(name, path)| (name, number + 1, path))
        });
        files
            .filter(|(name, ..)| ENDINGS.iter().any(|ending| name.ends_with(ending)))
            .collect()
    }

    /// `/experiment/models`: where each sort lies.
    pub(super) fn experiment_folders(&self, sorts: &[&str]) -> Value {
        let search = lock(&self.search);
        let rows = sorts.iter().map(|sort| {
            let own = format!("/root/ComfyUI/models/{sort}");
            let more = search.folders.get(*sort).into_iter().flatten().cloned();
            json!({"name": sort, "folders": std::iter::once(own).chain(more).collect::<Vec<_>>()})
        });
        rows.collect::<Vec<_>>().into()
    }

    /// `/experiment/models/{folder}`: only files that really lie somewhere have a length.
    pub(super) fn experiment(&self, sort: &str, names: &[String], own: &[String]) -> Value {
        let found = self.found(sort);
        let rows = names.iter().map(|name| {
            let file = found.iter().find(|(found, ..)| found == name && !own.contains(name));
            let number = file.map_or(0, |(_, number, _)| *number);
            let mut row = json!({"name": name, "pathIndex": number, "modified": 1_760_000_000, "created": 1_760_000_000});
            if let Some(size) = file.and_then(|(.., path)| std::fs::metadata(path).ok()) {
                row["size"] = json!(size.len());
            }
            row
        });
        rows.collect::<Vec<_>>().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_read_as_the_real_loader_reads_them() {
        let found =
            sections("# c\na:\n  base_path: \"/x y\"\n  loras: |\n    l1\n    l2\nb: {vae: v}\n")
                .expect("YAML");
        assert_eq!(found[0][0], ("base_path".to_owned(), "/x y".to_owned()));
        assert_eq!(found[0][1], ("loras".to_owned(), "l1\nl2\n".to_owned()));
        assert_eq!(found[1], [("vae".to_owned(), "v".to_owned())]);
        assert!(sections("a: [").is_err());
    }
}
