//! `/containers/{id}/archive`: files of a container as a tar, out of it and into it.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::HeaderValue;
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;

use super::Engine;
use super::container::{Container, Work};
use super::real;
use super::routes::{App, Words, missing, refuse};
use crate::disk::{Disk, DiskFile};
use crate::reply;

const STAT: &str = "X-Docker-Container-Path-Stat";
/// Where the image has the program; with a workspace a link stands there.
const FORGE: &str = "/opt/stable-diffusion-webui-forge";
const FORGE_IN_WORKSPACE: &str = "/workspace/stable-diffusion-webui-forge";
const COMFYUI: &str = "/root/ComfyUI";
/// Go's bits for folders and links.
const FOLDER_BIT: u32 = 1 << 31;
const LINK_BIT: u32 = 1 << 27;

/// What is at a path.
enum Node {
    File(DiskFile),
    /// Names of all that lies below, relative.
    Folder(Vec<(String, DiskFile)>),
    Link(String),
    /// A folder of the real disk; it is told of, not packed.
    Real(PathBuf),
    /// A file of the real disk that is longer than what is packed.
    Long(PathBuf, u64),
}

/// Longest file of the real disk that is packed whole.
const MAX_REAL: u64 = 16 << 20;

/// The program's folder, and what lies in it.
fn program(container: &Container) -> Option<(&'static str, Arc<Disk>)> {
    match &container.spec.work {
        Work::Forge(forge) if container.workspace().is_some() => {
            Some((FORGE_IN_WORKSPACE, forge.disk()))
        }
        Work::Forge(forge) => Some((FORGE, forge.disk())),
        Work::Comfy(comfy) => Some((COMFYUI, comfy.disk())),
        Work::Idle => None,
    }
}

/// The path as it is inside, links on the way followed; the last piece is not.
fn inside(container: &Container, path: &str) -> String {
    let mut pieces: Vec<&str> = Vec::new();
    for piece in path.split('/') {
        match piece {
            "" | "." => {}
            ".." => drop(pieces.pop()),
            name => pieces.push(name),
        }
    }
    let path = format!("/{}", pieces.join("/"));
    match (program(container), path.strip_prefix(FORGE)) {
        (Some((FORGE_IN_WORKSPACE, _)), Some(rest)) if rest.starts_with('/') => {
            format!("{FORGE_IN_WORKSPACE}{rest}")
        }
        _ => path,
    }
}

/// What is at a path of a container.
fn find(container: &Container, path: &str) -> Option<Node> {
    let path = inside(container, path);
    if let Some(node) = find_real(container, &path) {
        return Some(node);
    }
    let (root, disk) = program(container)?;
    if path == FORGE && root == FORGE_IN_WORKSPACE {
        return Some(Node::Link(FORGE_IN_WORKSPACE.to_owned()));
    }
    let rest = path.strip_prefix(root)?.trim_start_matches('/');
    if let Some(file) = disk.get(rest) {
        return Some(Node::File(file));
    }
    let start = if rest.is_empty() {
        String::new()
    } else {
        format!("{rest}/")
    };
    let below: Vec<(String, DiskFile)> = disk
        .all()
        .into_iter()
        .filter_map(|(path, file)| Some((path.strip_prefix(&start)?.to_owned(), file)))
        .collect();
    (!below.is_empty()).then_some(Node::Folder(below))
}

/// What is at a path below a mount whose source is really there.
fn find_real(container: &Container, path: &str) -> Option<Node> {
    let place = real::place(&real::mounts(container), path)?;
    let metadata = std::fs::metadata(&place).ok()?;
    if metadata.is_dir() {
        // The program's own folder has more in it than what lies on the disk.
        let own = program(container).is_some_and(|(root, _)| path == root);
        return (!own).then_some(Node::Real(place));
    }
    if metadata.len() > MAX_REAL {
        return Some(Node::Long(place, metadata.len()));
    }
    Some(Node::File(DiskFile {
        bytes: std::fs::read(&place).ok()?,
        mode: 0o644,
        modified: real::changed(&place),
    }))
}

fn name_of(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or("/")
}

/// Largest tar that is taken in.
const MAX_TAR: usize = 64 << 20;

pub(super) fn route() -> MethodRouter<Arc<Engine>> {
    let both = get(take_out).put(put_in);
    both.layer(DefaultBodyLimit::max(MAX_TAR))
}

/// `GET`, and `HEAD` without the body.
async fn take_out(State(engine): App, Path(id): Path<String>, Query(words): Words) -> Response {
    match engine.find(&id) {
        Some(container) => taken_out(&container, words.get("path").map_or("", String::as_str)),
        None => missing(&id),
    }
}

fn taken_out(container: &Container, path: &str) -> Response {
    if path.is_empty() {
        return refuse(400, "bad parameter: path cannot be empty");
    }
    let Some(node) = find(container, path) else {
        let name = container.name();
        return refuse(
            404,
            &format!("Could not find the file {path} in container {name}"),
        );
    };
    let name = name_of(path);
    let (size, mode, at, link) = match &node {
        Node::File(file) => (file.bytes.len(), file.mode, file.modified, ""),
        Node::Folder(_) => (4096, FOLDER_BIT | 0o755, Timestamp::UNIX_EPOCH, ""),
        Node::Real(place) => (4096, FOLDER_BIT | 0o755, real::changed(place), ""),
        Node::Long(place, size) => {
            let size = usize::try_from(*size).unwrap_or(usize::MAX);
            (size, 0o644, real::changed(place), "")
        }
        Node::Link(target) => (
            target.len(),
            LINK_BIT | 0o777,
            Timestamp::UNIX_EPOCH,
            target.as_str(),
        ),
    };
    let stat = json!({"name": name, "size": size, "mode": mode, "mtime": at.to_string(), "linkTarget": link});
    let Ok(tar) = packed(name, &node) else {
        return refuse(500, "the archive cannot be made");
    };
    let mut response = reply::typed(200, "application/x-tar", tar);
    if let Ok(value) = HeaderValue::from_str(&STANDARD.encode(stat.to_string())) {
        response.headers_mut().insert(STAT, value);
    }
    response
}

fn header(kind: tar::EntryType, mode: u32, at: Timestamp, size: usize) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(u64::try_from(at.as_second()).unwrap_or_default());
    header.set_size(size as u64);
    header
}

fn packed(name: &str, node: &Node) -> std::io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    let old = Timestamp::UNIX_EPOCH;
    match node {
        Node::File(file) => {
            let size = file.bytes.len();
            let mut header = header(tar::EntryType::Regular, file.mode, file.modified, size);
            tar.append_data(&mut header, name, file.bytes.as_slice())?;
        }
        Node::Real(place) => {
            let at = real::changed(place);
            let mut header = header(tar::EntryType::Directory, 0o755, at, 0);
            tar.append_data(&mut header, format!("{name}/"), &[][..])?;
        }
        Node::Long(place, size) => {
            let size = usize::try_from(*size).unwrap_or(usize::MAX);
            let mut header = header(tar::EntryType::Regular, 0o644, real::changed(place), size);
            header.set_path(name)?;
            header.set_cksum();
            let mut bytes = header.as_bytes().to_vec();
            std::fs::File::open(place)?
                .take(MAX_REAL)
                .read_to_end(&mut bytes)?;
            return Ok(bytes);
        }
        Node::Link(target) => {
            let mut header = header(tar::EntryType::Symlink, 0o777, old, 0);
            tar.append_link(&mut header, name, target)?;
        }
        Node::Folder(below) => {
            let mut folders = BTreeSet::from([String::new()]);
            for (path, _) in below {
                for (place, _) in path.match_indices('/') {
                    folders.insert(path[..place].to_owned());
                }
            }
            for folder in folders {
                let mut header = header(tar::EntryType::Directory, 0o755, old, 0);
                tar.append_data(&mut header, format!("{name}/{folder}"), &[][..])?;
            }
            for (path, file) in below {
                let size = file.bytes.len();
                let mut header = header(tar::EntryType::Regular, file.mode, file.modified, size);
                tar.append_data(&mut header, format!("{name}/{path}"), file.bytes.as_slice())?;
            }
        }
    }
    tar.into_inner()
}

/// `PUT`: unpacks into a folder that is there.
async fn put_in(
    State(engine): App,
    Path(id): Path<String>,
    Query(words): Words,
    bytes: Bytes,
) -> Response {
    let path = words.get("path").map_or("", String::as_str);
    match engine.find(&id) {
        Some(container) => taken_in(&container, path, &bytes),
        None => missing(&id),
    }
}

fn taken_in(container: &Container, path: &str, bytes: &[u8]) -> Response {
    let name = container.name().to_owned();
    let folder = inside(container, path);
    let there = program(container).filter(|(root, _)| folder.starts_with(root));
    let Some((root, disk)) = there else {
        return refuse(
            404,
            &format!("Could not find the file {path} in container {name}"),
        );
    };
    if let Some(Node::File(_)) = find(container, path) {
        return refuse(400, "extraction point is not a directory");
    }
    let below = folder[root.len()..].trim_matches('/').to_owned();
    if let Err(error) = unpack_real(container, &folder, bytes) {
        return refuse(500, &error.to_string());
    }
    match unpack(&disk, &below, bytes) {
        Ok(()) => reply::empty(200),
        Err(error) => refuse(400, &error.to_string()),
    }
}

/// Files that lie on the real disk are written there.
fn unpack_real(container: &Container, folder: &str, bytes: &[u8]) -> std::io::Result<()> {
    let mounts = real::mounts(container);
    for entry in tar::Archive::new(bytes).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        let place = real::place(&mounts, &format!("{folder}/{name}"));
        if let Some(place) = place.filter(|place| place.is_file()) {
            let mut file = Vec::new();
            entry.read_to_end(&mut file)?;
            std::fs::write(place, file)?;
        }
    }
    Ok(())
}

fn unpack(disk: &Disk, below: &str, bytes: &[u8]) -> std::io::Result<()> {
    for entry in tar::Archive::new(bytes).entries()? {
        let mut entry = entry?;
        if entry.header().entry_type() != tar::EntryType::Regular {
            continue;
        }
        let path = entry.path()?.to_string_lossy().into_owned();
        let path = path.trim_start_matches("./").to_owned();
        let mode = entry.header().mode()?;
        let at = i64::try_from(entry.header().mtime()?).unwrap_or_default();
        let mut file = Vec::new();
        entry.read_to_end(&mut file)?;
        let whole = if below.is_empty() {
            path
        } else {
            format!("{below}/{path}")
        };
        let at = Timestamp::from_second(at).unwrap_or(Timestamp::UNIX_EPOCH);
        disk.put_at(&whole, file, mode, at);
    }
    Ok(())
}

/// What `rm -f` does; a folder stays.
pub(super) fn removed(container: &Container, path: &str) -> bool {
    let path = inside(container, path);
    if let Some((root, disk)) = program(container)
        && let Some(rest) = path.strip_prefix(root)
    {
        disk.remove(rest.trim_start_matches('/'));
    }
    !matches!(find(container, &path), Some(Node::Folder(_)))
}

/// What `ls` prints of a folder: a name a line, folders with a slash.
pub(super) fn listed(container: &Container, path: &str) -> Option<String> {
    let node = match find(container, path)? {
        Node::Link(target) => find(container, &target)?,
        node => node,
    };
    let names: BTreeSet<String> = match node {
        Node::Real(place) => real::names(&place),
        Node::Folder(below) => below
            .into_iter()
            .map(|(path, _)| match path.split_once('/') {
                Some((folder, _)) => format!("{folder}/"),
                None => path,
            })
            .collect(),
        _ => return Some(format!("{path}\n")),
    };
    Some(names.into_iter().fold(String::new(), |mut text, name| {
        text.push_str(&name);
        text.push('\n');
        text
    }))
}
