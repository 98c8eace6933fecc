//! Bytes by their address. What is written is read back; what is read is verified, each time.

use std::{
    collections::{BTreeSet, HashMap},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use forgekeeper_domain::config::{Bytes, Content, Uncomparable};
use sha2::{Digest as _, Sha256};

use crate::{
    secrets::SealKey,
    sys::{clock, files},
};

const PLAIN: &str = "sha256:";
const SEALED: &str = "sealed:";
/// Largest content, unpacked and packed.
const MAX_BYTES: usize = 16 * 1024 * 1024;
const LEVEL: i32 = 6;
/// Bytes of secrets that are held in memory at most; the oldest go first.
const MAX_HELD: usize = 32 * 1024 * 1024;
/// A snapshot that is being taken has no manifest yet: its bytes are younger than this.
const YOUNG: Duration = Duration::from_hours(1);

/// Why bytes were not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlobError {
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Nothing can be sealed without random numbers.
    #[error("the system gives no random numbers")]
    Random,
    /// What was read back is not what was written.
    #[error("what was written does not read back")]
    NotVerified,
}

/// A folder of files named by what they hold.
#[derive(Debug, Clone)]
pub(crate) struct Blobs {
    folder: PathBuf,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    bytes: HashMap<String, Vec<u8>>,
    order: Vec<String>,
    size: usize,
}

impl Blobs {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            held: Arc::default(),
        }
    }

    /// Keeps bytes; the same bytes are kept once.
    pub(super) fn put(&self, bytes: &[u8]) -> Result<String, BlobError> {
        let address = format!("{PLAIN}{}", hex::encode(Sha256::digest(bytes)));
        self.write(&address, None, || Ok(zstd::bulk::compress(bytes, LEVEL)?))?;
        Ok(address)
    }

    /// Keeps bytes sealed. The address tells nothing of them to who has not the key.
    pub(super) fn put_sealed(&self, bytes: &[u8], key: &SealKey) -> Result<String, BlobError> {
        let address = format!("{SEALED}{}", key.name(bytes));
        self.write(&address, Some(key), || {
            let packed = zstd::bulk::compress(bytes, LEVEL)?;
            key.seal(&packed, &address).ok_or(BlobError::Random)
        })?;
        Ok(address)
    }

    /// Holds bytes in memory until the program ends.
    pub(super) fn hold(&self, bytes: &[u8], key: &SealKey) -> String {
        let address = format!("{SEALED}{}", key.name(bytes));
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.bytes.contains_key(&address) {
            return address;
        }
        held.size += bytes.len();
        held.order.push(address.clone());
        held.bytes.insert(address.clone(), bytes.to_vec());
        while held.size > MAX_HELD && !held.order.is_empty() {
            let oldest = held.order.remove(0);
            let gone = held.bytes.remove(&oldest).map_or(0, |bytes| bytes.len());
            held.size -= gone;
        }
        address
    }

    fn write(
        &self,
        address: &str,
        key: Option<&SealKey>,
        packed: impl FnOnce() -> Result<Vec<u8>, BlobError>,
    ) -> Result<(), BlobError> {
        let Some(path) = self.path(address) else {
            return Err(BlobError::NotVerified);
        };
        // Written before and still whole; a damaged one is written anew.
        if self.read(address, key).is_ok() {
            // Kept for who takes a snapshot with it at this moment. Not vital: it is there.
            let _ = files::touch(&path);
            return Ok(());
        }
        files::write_atomic(&path, &packed()?)?;
        match self.read(address, key) {
            Ok(_) => Ok(()),
            Err(_) => Err(BlobError::NotVerified),
        }
    }

    /// The bytes of a content, if they are what was kept.
    pub(super) fn get(&self, content: &Content, key: Option<&SealKey>) -> Bytes {
        if content.key.is_some() {
            let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(bytes) = held.bytes.get(&content.address) {
                return Ok(bytes.clone());
            }
        }
        match (&content.key, key) {
            (Some(wanted), Some(key)) if wanted == key.id() => {
                self.read(&content.address, Some(key))
            }
            (Some(_), _) => {
                let there = self
                    .path(&content.address)
                    .is_some_and(|path| path.exists());
                Err(if there {
                    Uncomparable::Sealed
                } else {
                    Uncomparable::NotKept
                })
            }
            (None, _) => self.read(&content.address, None),
        }
    }

    fn read(&self, address: &str, key: Option<&SealKey>) -> Bytes {
        let path = self.path(address).ok_or(Uncomparable::Damaged)?;
        let packed = match files::read_limited(&path, MAX_BYTES as u64) {
            Ok(packed) => packed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Uncomparable::Missing);
            }
            Err(error) => {
                tracing::warn!(%error, address, "bytes of a snapshot cannot be read");
                return Err(Uncomparable::Damaged);
            }
        };
        let packed = match key {
            Some(key) => key.open(packed, address).ok_or(Uncomparable::Damaged)?,
            None => packed,
        };
        let bytes =
            zstd::bulk::decompress(&packed, MAX_BYTES).map_err(|_| Uncomparable::Damaged)?;
        let right = match (address.strip_prefix(PLAIN), key) {
            (Some(hash), _) => hex::encode(Sha256::digest(&bytes)) == hash,
            (None, Some(key)) => address.strip_prefix(SEALED) == Some(&key.name(&bytes)),
            (None, None) => return Err(Uncomparable::Sealed),
        };
        if right {
            Ok(bytes)
        } else {
            Err(Uncomparable::Damaged)
        }
    }

    /// Bytes that a content takes on disk.
    pub(super) fn size(&self, address: &str) -> u64 {
        let path = self.path(address);
        path.and_then(|path| fs::metadata(path).ok())
            .map_or(0, |metadata| metadata.len())
    }

    /// The file of an address; `None` when it is none of ours, as in a manifest from elsewhere.
    fn path(&self, address: &str) -> Option<PathBuf> {
        let (hash, ending) = match address.strip_prefix(PLAIN) {
            Some(hash) => (hash, "zst"),
            None => (address.strip_prefix(SEALED)?, "sealed"),
        };
        let good = hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        good.then(|| {
            self.folder
                .join(&hash[..2])
                .join(format!("{hash}.{ending}"))
        })
    }

    /// Removes what is not named and not young.
    pub(super) fn sweep(&self, named: &BTreeSet<String>) -> io::Result<()> {
        let kept: BTreeSet<PathBuf> = named.iter().filter_map(|a| self.path(a)).collect();
        let now = SystemTime::UNIX_EPOCH
            + Duration::try_from(clock::now().as_duration()).unwrap_or_default();
        for folder in entries(&self.folder)? {
            for file in entries(&folder)? {
                let young = fs::metadata(&file)
                    .and_then(|metadata| metadata.modified())
                    // One that tells no time, or a time to come, is not old.
                    .map_or(true, |at| {
                        now.duration_since(at).is_ok_and(|age| age < YOUNG)
                            || now.duration_since(at).is_err()
                    });
                if !young && !kept.contains(&file) {
                    files::remove(&file)?;
                }
            }
        }
        Ok(())
    }
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(found) => found.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        // A stray file beside the folders is none of ours.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
