//! Kept pictures: files named by their SHA-256, written once, found by name alone.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{Picture, Seed},
};
use image::ImageFormat;
use sha2::{Digest as _, Sha256};

use super::{decode, png_text, thumbnails};
use crate::sys::{clock, files};

mod walk;

pub use walk::FoundPicture;

/// Largest stored file: a picture as it came, and its added parameter text.
const MAX_STORED_BYTES: u64 = decode::MAX_FILE_BYTES as u64 + 8 * 1024 * 1024;
/// Endings under which a picture may lie, with their media types.
const KINDS: [(ImageFormat, &str, &str); 3] = [
    (ImageFormat::Png, "png", "image/png"),
    (ImageFormat::Jpeg, "jpg", "image/jpeg"),
    (ImageFormat::WebP, "webp", "image/webp"),
];

/// A picture as it goes to a viewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureFile {
    /// Media type.
    pub mime: String,
    /// The encoded file.
    pub bytes: Bytes,
}

/// The folder of kept pictures. Clones share what was kept lately.
#[derive(Debug, Clone)]
pub struct PictureStore {
    dir: PathBuf,
    fresh: Fresh,
    /// One picture at a time is unpacked for its thumbnail: each may take half a gigabyte.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// How often each picture was kept since the last record that names it: the same picture may be
/// made anew while an older record of it is removed. Held while a file is removed.
type Fresh = Arc<Mutex<HashMap<String, u32>>>;

impl PictureStore {
    /// Opens or makes the folder.
    pub async fn open(dir: impl Into<PathBuf>) -> Result<Self, ErrorInfo> {
        let dir = dir.into();
        blocking(move || {
            files::ensure_dir(&dir).map_err(|e| io(&e))?;
            Ok(Self {
                dir,
                fresh: Fresh::default(),
                turn: Arc::default(),
            })
        })
        .await
    }

    /// Unpacks, judges and keeps one picture; a PNG without parameters gets those given.
    pub async fn keep(
        &self,
        bytes: Bytes,
        parameters: Option<String>,
        seed: Option<Seed>,
    ) -> Result<Picture, ErrorInfo> {
        let (dir, fresh) = (self.dir.clone(), Arc::clone(&self.fresh));
        blocking(move || keep(&dir, &fresh, &bytes, parameters.as_deref(), seed)).await
    }

    /// The thumbnail of a picture by its hash, and whether it was made just now.
    pub async fn thumbnail(&self, hash: &str) -> Result<(PictureFile, bool), ErrorInfo> {
        if !is_hash(hash) {
            return Err(missing());
        }
        let path = thumbnails::path(&self.dir, hash);
        if let Some(made) = read_thumbnail(path.clone()).await? {
            return Ok((made, false));
        }
        let _turn = self.turn.lock().await;
        // Somebody else may have had the turn before for the same one.
        if let Some(made) = read_thumbnail(path.clone()).await? {
            return Ok((made, false));
        }
        let picture = self.get(hash).await?;
        blocking(move || {
            let (_, picture) = decode::decode(&picture.bytes).map_err(|problem| bad(&problem))?;
            let bytes = thumbnails::shrink(&picture).map_err(|error| bad(&error))?;
            files::write_atomic(&path, &bytes).map_err(|e| io(&e))?;
            Ok((thumbnail_file(bytes), true))
        })
        .await
    }

    /// How large the files of each picture are, its thumbnail among them; `None` for one that is not
    /// there.
    pub async fn sizes(
        &self,
        hashes: Vec<String>,
    ) -> Result<Vec<(String, Option<u64>)>, ErrorInfo> {
        let dir = self.dir.clone();
        blocking(move || {
            let size = |hash: &str| {
                let bytes: u64 = paths(&dir, hash)
                    .filter_map(|path| std::fs::metadata(path).ok())
                    .map(|file| file.len())
                    .sum();
                (bytes > 0).then_some(bytes)
            };
            let hashes = hashes.into_iter().filter(|hash| is_hash(hash));
            Ok(hashes
                .map(|hash| {
                    let bytes = size(&hash);
                    (hash, bytes)
                })
                .collect())
        })
        .await
    }

    /// Walks through the folder: every picture with its files. Leftovers of writes that were cut off
    /// long ago are removed.
    pub async fn walk(&self) -> Result<Vec<FoundPicture>, ErrorInfo> {
        let dir = self.dir.clone();
        blocking(move || walk::walk(&dir, clock::now()).map_err(|e| io(&e))).await
    }

    /// Pictures that were kept are in a record now, and may go with it.
    pub fn recorded(&self, pictures: &[Picture]) {
        let mut fresh = lock(&self.fresh);
        for picture in pictures {
            if let Some(times) = fresh.get_mut(&picture.hash) {
                *times -= 1;
                if *times == 0 {
                    fresh.remove(&picture.hash);
                }
            }
        }
    }

    /// Removes the files of pictures that no record holds; one that is missing is no error. A picture
    /// that was kept again meanwhile stays.
    pub async fn remove(&self, hashes: Vec<String>) -> Result<(), ErrorInfo> {
        let (dir, fresh) = (self.dir.clone(), Arc::clone(&self.fresh));
        blocking(move || {
            let mut failed = Ok(());
            for hash in hashes.iter().filter(|hash| is_hash(hash)) {
                let fresh = lock(&fresh);
                if fresh.contains_key(hash) {
                    continue;
                }
                for path in paths(&dir, hash) {
                    if let Err(error) = files::remove(&path)
                        && failed.is_ok()
                    {
                        failed = Err(io(&error));
                    }
                }
            }
            failed
        })
        .await
    }

    /// The file of a picture by its hash.
    pub async fn get(&self, hash: &str) -> Result<PictureFile, ErrorInfo> {
        if !is_hash(hash) {
            return Err(missing());
        }
        let stem = self.dir.join(&hash[..2]).join(hash);
        blocking(move || {
            for (_, ending, mime) in KINDS {
                let path = stem.with_extension(ending);
                if path.is_file() {
                    let bytes = files::read_limited(&path, MAX_STORED_BYTES).map_err(|e| io(&e))?;
                    return Ok(PictureFile {
                        mime: mime.to_owned(),
                        bytes: Bytes::from(bytes),
                    });
                }
            }
            Err(missing())
        })
        .await
    }
}

/// 64 lower-case hex digits and nothing else: a name can never be a path.
pub fn is_hash(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn lock(fresh: &Fresh) -> MutexGuard<'_, HashMap<String, u32>> {
    // Nothing panics while the lock is held; if it ever did, the counts are still whole.
    fresh.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every path under which a picture may have a file.
fn paths(dir: &Path, hash: &str) -> impl Iterator<Item = PathBuf> {
    let stem = dir.join(&hash[..2]).join(hash);
    KINDS
        .into_iter()
        .map(move |(_, ending, _)| stem.with_extension(ending))
        .chain([thumbnails::path(dir, hash)])
}

async fn read_thumbnail(path: PathBuf) -> Result<Option<PictureFile>, ErrorInfo> {
    blocking(
        move || match files::read_limited(&path, thumbnails::MAX_BYTES) {
            Ok(bytes) => Ok(Some(thumbnail_file(bytes))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io(&error)),
        },
    )
    .await
}

fn thumbnail_file(bytes: Vec<u8>) -> PictureFile {
    let format = image::guess_format(&bytes).unwrap_or(ImageFormat::Jpeg);
    PictureFile {
        mime: format.to_mime_type().to_owned(),
        bytes: Bytes::from(bytes),
    }
}

fn keep(
    dir: &Path,
    fresh: &Fresh,
    bytes: &Bytes,
    parameters: Option<&str>,
    seed: Option<Seed>,
) -> Result<Picture, ErrorInfo> {
    let (header, picture) = decode::decode(bytes).map_err(|problem| bad(&problem))?;
    let blank = decode::stats(&picture).is_blank();
    let thumbnail = thumbnails::shrink(&picture);
    drop(picture);
    let file = match parameters {
        Some(text) if header.format == ImageFormat::Png => {
            png_text::with_parameters(bytes.to_vec(), text)
        }
        _ => bytes.to_vec(),
    };
    let hash = hex::encode(Sha256::digest(&file));
    let ending = KINDS
        .iter()
        .find(|(format, ..)| *format == header.format)
        .map_or("png", |(_, ending, _)| ending);
    let path = dir.join(&hash[..2]).join(format!("{hash}.{ending}"));
    // Before the file is looked for: from here on nothing removes it.
    *lock(fresh).entry(hash.clone()).or_default() += 1;
    if path.is_file() {
        // One that no record held may be about to be cleared away for its age.
        files::touch(&path).map_err(|e| io(&e))?;
    } else {
        files::write_atomic(&path, &file).map_err(|e| io(&e))?;
    }
    let small = thumbnails::path(dir, &hash);
    if let Ok(bytes) = thumbnail
        && !small.is_file()
        && let Err(error) = files::write_atomic(&small, &bytes)
    {
        // The picture is what counts: a thumbnail is made again when it is asked for.
        tracing::warn!(%error, "a thumbnail could not be written");
    }
    Ok(Picture {
        hash,
        width: header.width,
        height: header.height,
        bytes: u32::try_from(file.len()).unwrap_or(u32::MAX),
        seed,
        blank,
    })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ErrorInfo> + Send + 'static,
) -> Result<T, ErrorInfo> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| {
            Err(
                ErrorInfo::new(ErrorCode::Internal, "Working on a picture failed.")
                    .detail(error.to_string()),
            )
        })
}

fn missing() -> ErrorInfo {
    ErrorInfo::new(ErrorCode::PictureMissing, "No such picture is stored.")
}

fn bad(problem: &dyn std::fmt::Display) -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::BadPicture,
        "The picture could not be decoded within the limits.",
    )
    .hint("Make it once more, or look at what the service itself saved.")
    .detail(problem.to_string())
}

fn io(error: &dyn std::fmt::Display) -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::Io,
        "The picture's file could not be read or written.",
    )
    .detail(error.to_string())
}

#[cfg(test)]
mod tests;
