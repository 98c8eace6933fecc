//! The models folder, marked file by file before, and looked at again afterwards.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    migration::ending::FileMark,
};
use sha2::{Digest as _, Sha256};

use crate::sys::files;

/// Where the marks are kept, below the folder of the history.
const KEPT: &str = "migration/models.json";
/// Largest file of marks.
const MAX_KEPT: u64 = 128 * 1024 * 1024;
/// Most files that are marked; more are a mistake in the plan's folder.
const MAX_FILES: usize = 200_000;
/// Deepest folder.
const MAX_DEPTH: usize = 32;
/// How much of a file's beginning is read: the header of a model lies in it.
const HEAD: u64 = 64 * 1024;

/// Marks by name below the folder.
pub(super) type Marks = BTreeMap<String, FileMark>;

/// Marks every file below a folder. Links are marked as links, and never followed.
pub(super) async fn mark(folder: PathBuf) -> Result<Marks, ErrorInfo> {
    let shown = folder.display().to_string();
    let marked = tokio::task::spawn_blocking(move || {
        let mut marks = Marks::new();
        walk(&folder, &folder, 0, &mut marks).map(|()| marks)
    });
    let unread = |words: String| {
        ErrorInfo::new(
            ErrorCode::Io,
            format!("the models folder `{shown}` cannot be looked through"),
        )
        .hint("Correct `models` below `[target]` in migration.toml, or its rights.")
        .detail(words)
    };
    match marked.await {
        Ok(Ok(marks)) => Ok(marks),
        Ok(Err(error)) => Err(unread(error.to_string())),
        Err(error) => Err(unread(error.to_string())),
    }
}

fn walk(root: &Path, folder: &Path, depth: usize, marks: &mut Marks) -> io::Result<()> {
    let too = |words| io::Error::new(io::ErrorKind::InvalidData, words);
    if depth > MAX_DEPTH {
        return Err(too("its folders are too deep"));
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            walk(root, &path, depth + 1, marks)?;
            continue;
        }
        if marks.len() >= MAX_FILES {
            return Err(too("it holds too many files"));
        }
        let about = fs::symlink_metadata(&path)?;
        let head = if kind.is_symlink() {
            let target = fs::read_link(&path)?;
            hex::encode(Sha256::digest(target.to_string_lossy().as_bytes()))
        } else if kind.is_file() {
            head(&path)?
        } else {
            // A pipe or a socket is no model, and opening one could wait for ever.
            "-".to_owned()
        };
        let written = about.modified()?.duration_since(UNIX_EPOCH);
        let modified_ns = written
            .ok()
            .and_then(|at| i64::try_from(at.as_nanos()).ok());
        let name = path.strip_prefix(root).unwrap_or(&path);
        marks.insert(
            name.to_string_lossy().into_owned(),
            FileMark {
                size: about.len(),
                modified_ns: modified_ns.unwrap_or(0),
                head,
            },
        );
    }
    Ok(())
}

fn head(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(HEAD).read_to_end(&mut bytes)?;
    Ok(hex::encode(Sha256::digest(&bytes)))
}

/// Bytes of all of them.
pub(super) fn bytes(marks: &Marks) -> u64 {
    marks.values().map(|mark| mark.size).sum()
}

/// Keeps marks; the hash of what was written.
pub(super) fn keep(data: &Path, marks: &Marks) -> Result<String, ErrorInfo> {
    let not_kept = |words: String| {
        ErrorInfo::new(ErrorCode::Io, "the marks of the models cannot be kept")
            .hint("Nothing is removed without them.")
            .detail(words)
    };
    let text = serde_json::to_vec(marks).map_err(|error| not_kept(error.to_string()))?;
    let path = data.join(KEPT);
    if let Some(folder) = path.parent() {
        files::ensure_private_dir(folder).map_err(|error| not_kept(error.to_string()))?;
    }
    files::write_atomic(&path, &text).map_err(|error| not_kept(error.to_string()))?;
    Ok(hex::encode(Sha256::digest(&text)))
}

/// The marks that were kept; `None` where they are gone or are not those.
pub(super) fn kept(data: &Path, hash: &str) -> Option<Marks> {
    let text = files::read_limited(&data.join(KEPT), MAX_KEPT).ok()?;
    if hex::encode(Sha256::digest(&text)) != hash {
        return None;
    }
    serde_json::from_slice(&text).ok()
}
