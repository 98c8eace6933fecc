//! The files of a ComfyUI: what it has written, and what clients have uploaded.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::Comfy;
use crate::lock::lock;
use crate::picture::Picture;
use crate::reply;

/// Files and bytes kept at most; the oldest go first, their numbers are not used again.
const MOST_FILES: usize = 500;
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// Type, subfolder and name of a file.
pub(super) type FileKey = (String, String, String);

/// Files in memory, oldest first.
#[derive(Debug, Default)]
pub(super) struct Files {
    all: HashMap<FileKey, Arc<Vec<u8>>>,
    ages: VecDeque<FileKey>,
    bytes: usize,
}

impl Files {
    pub(super) fn get(&self, key: &FileKey) -> Option<Arc<Vec<u8>>> {
        self.all.get(key).cloned()
    }

    pub(super) fn insert(&mut self, key: FileKey, file: Vec<u8>) {
        self.bytes += file.len();
        match self.all.insert(key.clone(), Arc::new(file)) {
            Some(old) => self.bytes -= old.len(),
            None => self.ages.push_back(key),
        }
        while self.all.len() > MOST_FILES || (self.bytes > MOST_BYTES && self.all.len() > 1) {
            let Some(oldest) = self.ages.pop_front() else {
                return;
            };
            if let Some(gone) = self.all.remove(&oldest) {
                self.bytes -= gone.len();
            }
        }
    }

    /// Names of one type without subfolder, sorted.
    fn names(&self, kind: &str) -> Vec<String> {
        let mut names: Vec<String> = self
            .all
            .keys()
            .filter(|(of, folder, _)| of == kind && folder.is_empty())
            .map(|(.., name)| name.clone())
            .collect();
        names.sort();
        names
    }
}

/// Where a name may not lead.
fn outside(path: &str) -> bool {
    path.starts_with('/') || path.split(['/', '\\']).any(|part| part == "..")
}

impl Comfy {
    /// Keeps a file under the next free name of its prefix.
    pub(super) fn keep(&self, prefix: &str, kind: &str, file: Vec<u8>) -> Value {
        let (folder, stem) = prefix.rsplit_once('/').unwrap_or(("", prefix));
        let number = {
            let mut counters = lock(&self.counters);
            let counter = counters.entry(format!("{kind}/{prefix}")).or_insert(0);
            *counter += 1;
            *counter
        };
        let name = format!("{stem}_{number:05}_.png");
        let key = (kind.to_owned(), folder.to_owned(), name.clone());
        lock(&self.files).insert(key, file);
        json!({"filename": name, "subfolder": folder, "type": kind})
    }

    /// Pictures that a node can load.
    pub(super) fn uploads(&self) -> Vec<String> {
        lock(&self.files).names("input")
    }

    /// The file that `LoadImage` means by a name: `folder/name.png`, maybe with ` [output]`.
    pub(super) fn input_file(&self, asked: &str) -> Option<Arc<Vec<u8>>> {
        let (path, kind) = match asked.strip_suffix(']').and_then(|t| t.rsplit_once(" [")) {
            Some((path, kind)) => (path, kind),
            None => (asked, "input"),
        };
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        lock(&self.files).get(&(kind.to_owned(), folder.to_owned(), name.to_owned()))
    }

    /// The picture behind a name, if it is one.
    pub(super) fn input_picture(&self, asked: &str) -> Option<Picture> {
        let rgb = image::load_from_memory(&self.input_file(asked)?)
            .ok()?
            .to_rgb8();
        Some(Picture {
            width: rgb.width(),
            height: rgb.height(),
            rgb: rgb.into_raw(),
        })
    }
}

/// A part of a multipart form: its field, the name of its file if it is one, and its content.
#[derive(Debug, PartialEq, Eq)]
struct Part<'a> {
    field: String,
    file: Option<String>,
    content: &'a [u8],
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// The value of `name="…"` in a header line.
fn quoted(line: &str, name: &str) -> Option<String> {
    let start = format!("; {name}=\"");
    let (_, rest) = line.split_once(&start)?;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}

/// Splits a `multipart/form-data` body.
fn parts<'a>(kind: &str, body: &'a [u8]) -> Option<Vec<Part<'a>>> {
    let (_, boundary) = kind
        .strip_prefix("multipart/form-data")?
        .split_once("boundary=")?;
    let boundary = boundary.split(';').next()?.trim().trim_matches('"');
    let mark = format!("--{boundary}").into_bytes();
    let between = [b"\r\n".as_slice(), &mark].concat();
    let mut rest = &body[find(body, &mark)? + mark.len()..];
    let mut found = Vec::new();
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let end = find(part, &between)?;
        let head = find(&part[..end], b"\r\n\r\n")?;
        let about = String::from_utf8_lossy(&part[..head]).into_owned();
        let line = about
            .lines()
            .find(|l| l.to_ascii_lowercase().starts_with("content-disposition"))?;
        found.push(Part {
            field: quoted(line, "name")?,
            file: quoted(line, "filename"),
            content: &part[head + 4..end],
        });
        rest = &part[end + between.len()..];
    }
    Some(found)
}

/// `POST /upload/image`: whatever is sent is stored; a broken picture fails when it is loaded.
pub(super) async fn upload(
    State(comfy): State<Arc<Comfy>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let Some(parts) = kind.and_then(|kind| parts(kind, &body)) else {
        return reply::empty(400);
    };
    let text = |field: &str| {
        let part = parts.iter().find(|part| part.field == field)?;
        Some(String::from_utf8_lossy(part.content).into_owned())
    };
    let image = parts
        .iter()
        .find(|part| part.field == "image" && part.file.as_ref().is_some_and(|f| !f.is_empty()));
    let Some((part, asked)) = image.and_then(|part| Some((part, part.file.clone()?))) else {
        return reply::empty(400);
    };
    let folder = text("subfolder").unwrap_or_default();
    let kind = text("type").unwrap_or_else(|| "input".to_owned());
    if outside(&folder) || outside(&asked) || !matches!(&*kind, "input" | "temp" | "output") {
        return reply::empty(400);
    }
    let overwrite = text("overwrite").is_some_and(|word| word == "true" || word == "1");
    let mut files = lock(&comfy.files);
    let key = |name: &str| (kind.clone(), folder.clone(), name.to_owned());
    let (stem, ending) = match asked.rsplit_once('.') {
        Some((stem, ending)) => (stem.to_owned(), format!(".{ending}")),
        None => (asked.clone(), String::new()),
    };
    let mut name = asked;
    let mut number = 1;
    // The same name with other content becomes `name (1).png`.
    while !overwrite
        && files
            .get(&key(&name))
            .is_some_and(|old| old.as_slice() != part.content)
    {
        name = format!("{stem} ({number}){ending}");
        number += 1;
    }
    files.insert(key(&name), part.content.to_vec());
    drop(files);
    reply::json(
        200,
        &json!({"name": name, "subfolder": folder, "type": kind}),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_split_into_its_parts() {
        let body = b"--x\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\ninput\r\n--x\r\n\
            Content-Disposition: form-data; name=\"image\"; filename=\"a b.png\"\r\n\
            Content-Type: image/png\r\n\r\n\x89PNG\r\n\r\nrest\r\n--x--\r\n";
        let found = parts("multipart/form-data; boundary=x", body).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(
            (&*found[0].field, found[0].content),
            ("type", &b"input"[..])
        );
        assert_eq!(found[1].file.as_deref(), Some("a b.png"));
        assert_eq!(found[1].content, b"\x89PNG\r\n\r\nrest");
        assert!(parts("multipart/form-data; boundary=x", b"--x\r\ncut").is_none());
        assert!(parts("application/json", b"{}").is_none());
    }

    #[test]
    fn the_oldest_file_goes_first() {
        let key = |n: usize| ("output".to_owned(), String::new(), format!("{n}.png"));
        let mut files = Files::default();
        for n in 0..=MOST_FILES {
            files.insert(key(n), vec![0; 10]);
        }
        assert!(files.get(&key(0)).is_none() && files.get(&key(1)).is_some());
        assert_eq!(files.bytes, MOST_FILES * 10);
        files.insert(key(9_999), vec![0; MOST_BYTES]);
        assert_eq!((files.all.len(), files.bytes), (1, MOST_BYTES));
    }
}
