//! The configuration guard: gathers what configures a service, keeps it whole, and knows when what
//! was kept is not whole any more.

use std::{collections::BTreeMap, io, path::Path, sync::Arc};

use forgekeeper_domain::{
    config::{self as domain, Bytes, Content, ItemState, Snapshot, Uncomparable},
    error::{ErrorCode, ErrorInfo},
    ids::SnapshotId,
};
use serde::Serialize;

pub(crate) mod blobs;
mod checkouts;
pub(crate) mod collect;
pub(crate) mod local;
pub(crate) mod manifests;
pub(crate) mod memory;
pub(crate) mod place;
pub(crate) mod restores;
#[cfg(test)]
mod tests;
pub(crate) mod write;

use blobs::{BlobError, Blobs};
use manifests::{ManifestError, Manifests};
use memory::Memory;
use restores::Restores;

use crate::secrets::{SealKey, Secrets};

pub use manifests::{Listed, Stored};

/// What a verification found of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The bytes are those that were read then.
    Whole,
    /// There were no bytes to keep.
    NothingKept,
    /// They are gone.
    Missing,
    /// They are not those that were kept.
    Damaged,
    /// They are sealed, and the key is not there.
    Sealed,
    /// They were in the memory of a program that has ended.
    NotKept,
}

impl Verdict {
    /// Whether something is wrong.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Missing | Self::Damaged | Self::Sealed)
    }

    fn of(why: Uncomparable) -> Self {
        match why {
            Uncomparable::Missing => Self::Missing,
            Uncomparable::Damaged => Self::Damaged,
            Uncomparable::Sealed => Self::Sealed,
            Uncomparable::NotKept => Self::NotKept,
        }
    }
}

/// Where snapshots are kept.
#[derive(Debug, Clone)]
pub(crate) struct Vaults {
    manifests: Manifests,
    blobs: Blobs,
    pub(crate) restores: Restores,
    secrets: Secrets,
    /// Stands in for the keyring's key where there is none.
    passing: Option<SealKey>,
    /// Files that were read before.
    memory: Arc<Memory>,
}

impl Vaults {
    /// Below this folder; nothing is made before something is kept.
    pub(crate) fn new(data: &Path, secrets: Secrets) -> Self {
        let folder = data.join("config");
        Self {
            manifests: Manifests::new(folder.join("snapshots")),
            blobs: Blobs::new(folder.join("blobs")),
            restores: Restores::new(folder),
            secrets,
            passing: SealKey::passing(),
            memory: Arc::default(),
        }
    }

    /// Files that were read before.
    pub(crate) fn memory(&self) -> Arc<Memory> {
        Arc::clone(&self.memory)
    }

    /// Wants a snapshot to stay, or no longer.
    pub(crate) async fn pin(&self, id: &SnapshotId, stays: bool) -> Result<(), ErrorInfo> {
        let (manifests, id) = (self.manifests.clone(), id.clone());
        blocking(move || manifests.pin(&id, stays).map_err(|e| not_written(&e))).await
    }

    /// What a snapshot's contents take on disk.
    pub(crate) fn sizes(&self, snapshot: &Snapshot) -> Vec<(String, u64)> {
        let addresses = snapshot.kept().map(|(_, content)| content.address.clone());
        addresses
            .map(|address| {
                let size = self.blobs.size(&address);
                (address, size)
            })
            .collect()
    }

    /// Keeps a snapshot with the bytes of its items; those that belong sealed are sealed, or held in
    /// memory where no keyring keeps the key.
    pub(crate) async fn keep(
        &self,
        mut snapshot: Snapshot,
        found: Vec<collect::Found>,
    ) -> Result<(SnapshotId, Snapshot), ErrorInfo> {
        let key = self.secrets.seal_key().await;
        let this = self.clone();
        blocking(move || {
            for found in found {
                let item = this.keep_one(found, key.as_ref())?;
                snapshot.items.push(item);
            }
            let id = this.manifests.put(&snapshot).map_err(|e| not_written(&e))?;
            Ok((id, snapshot))
        })
        .await
    }

    fn keep_one(
        &self,
        found: collect::Found,
        key: Option<&SealKey>,
    ) -> Result<domain::Item, ErrorInfo> {
        let collect::Found { part, path, got } = found;
        let state = match got {
            collect::Got::Absent => ItemState::Absent,
            collect::Got::NotReadable { why, words } => ItemState::NotReadable { why, words },
            collect::Got::Bytes(file) => {
                let row = part.part();
                let seal = row.secret || domain::holds_secret(row.format, &file.bytes);
                let content = |address: String, key: Option<&SealKey>| Content {
                    address,
                    bytes: u32::try_from(file.bytes.len()).unwrap_or(u32::MAX),
                    mode: file.mode,
                    modified_at: file.modified_at,
                    via: file.via,
                    key: key.map(|key| key.id().to_owned()),
                };
                match (seal, key, &self.passing) {
                    (false, ..) => {
                        let address = self.blobs.put(&file.bytes).map_err(not_kept)?;
                        ItemState::Kept(content(address, None))
                    }
                    (true, Some(key), _) => {
                        let address = self.blobs.put_sealed(&file.bytes, key).map_err(not_kept)?;
                        ItemState::Kept(content(address, Some(key)))
                    }
                    (true, None, Some(key)) => {
                        let address = self.blobs.hold(&file.bytes, key);
                        ItemState::InMemory(content(address, Some(key)))
                    }
                    (true, None, None) => ItemState::NotReadable {
                        why: domain::Unread::Refused,
                        words: "it may hold secrets, and nothing can seal them".to_owned(),
                    },
                }
            }
        };
        Ok(domain::Item { part, path, state })
    }

    /// Every snapshot there is, newest first; those that are damaged say so.
    pub(crate) async fn list(&self) -> Result<Vec<Listed>, ErrorInfo> {
        let manifests = self.manifests.clone();
        blocking(move || manifests.list().map_err(|e| not_read(&e))).await
    }

    /// One snapshot, whole or not at all.
    pub(crate) async fn get(&self, id: &SnapshotId) -> Result<Snapshot, ErrorInfo> {
        let (manifests, id) = (self.manifests.clone(), id.clone());
        blocking(move || {
            manifests.get(&id).map_err(|error| match error {
                ManifestError::Missing => unknown(&id),
                ManifestError::Damaged(words) => damaged(&id, &words),
                ManifestError::Io(error) => not_read(&error),
            })
        })
        .await
    }

    /// The bytes of these contents by their address; each is verified as it is read.
    pub(crate) async fn bytes(
        &self,
        contents: Vec<Content>,
    ) -> Result<BTreeMap<String, Bytes>, ErrorInfo> {
        let key = self.secrets.seal_key().await;
        let blobs = self.blobs.clone();
        blocking(move || {
            let read = contents.into_iter().map(|content| {
                let bytes = blobs.get(&content, key.as_ref());
                (content.address, bytes)
            });
            Ok(read.collect())
        })
        .await
    }

    /// What a content is now.
    pub(crate) async fn verify(&self, snapshot: &Snapshot) -> Result<Vec<Verdict>, ErrorInfo> {
        let key = self.secrets.seal_key().await;
        let (blobs, snapshot) = (self.blobs.clone(), snapshot.clone());
        blocking(move || {
            let verdicts = snapshot
                .items
                .iter()
                .map(|item| match item.state.content() {
                    None => Verdict::NothingKept,
                    Some(content) => match blobs.get(content, key.as_ref()) {
                        Ok(_) => Verdict::Whole,
                        Err(why) => Verdict::of(why),
                    },
                });
            Ok(verdicts.collect())
        })
        .await
    }

    /// Removes snapshots, then the bytes that no other one names.
    pub(crate) async fn remove(&self, ids: Vec<SnapshotId>) -> Result<u32, ErrorInfo> {
        let this = self.clone();
        blocking(move || {
            let mut removed = 0;
            for id in &ids {
                removed += u32::from(this.manifests.remove(id).map_err(|e| not_written(&e))?);
            }
            this.sweep();
            Ok(removed)
        })
        .await
    }

    /// Bytes that nobody names go. Not while a manifest cannot be read: what it names is not known.
    fn sweep(&self) {
        let named = self.manifests.list().map(|all| {
            let whole = all.iter().map(|one| match &one.stored {
                Stored::Whole { snapshot, .. } => Some(&**snapshot),
                Stored::Damaged { .. } => None,
            });
            whole.collect::<Option<Vec<_>>>().map(|all| {
                let kept = all.into_iter().flat_map(Snapshot::kept);
                kept.map(|(_, content)| content.address.clone()).collect()
            })
        });
        match named {
            Ok(Some(named)) => {
                if let Err(error) = self.blobs.sweep(&named) {
                    tracing::warn!(%error, "bytes that no snapshot names could not be removed");
                }
            }
            Ok(None) => tracing::warn!("a snapshot is damaged: no bytes are removed meanwhile"),
            Err(error) => tracing::warn!(%error, "the snapshots cannot be listed"),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ErrorInfo> + Send + 'static,
) -> Result<T, ErrorInfo> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| {
        Err(ErrorInfo::new(ErrorCode::Internal, "a task ended unexpectedly").detail(e.to_string()))
    })
}

fn unknown(id: &SnapshotId) -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::BadRequest,
        format!("there is no snapshot `{id}`"),
    )
    .hint("`snapshot list` names those that there are.")
}

fn damaged(id: &SnapshotId, words: &str) -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::Io,
        format!("the snapshot `{id}` is damaged and is not used"),
    )
    .detail(words.to_owned())
}

fn not_kept(error: BlobError) -> ErrorInfo {
    match error {
        BlobError::Io(error) => not_written(&error),
        BlobError::Random => ErrorInfo::new(
            ErrorCode::Internal,
            "the system gives no random numbers, and nothing can be sealed",
        ),
        BlobError::NotVerified => ErrorInfo::new(
            ErrorCode::Io,
            "what was written to the snapshots' folder does not read back as it was written",
        )
        .hint("Check the disk."),
    }
}

fn not_written(error: &io::Error) -> ErrorInfo {
    of_io(error, "the snapshot could not be written".to_owned())
}

/// What the file system said, by what somebody can do about it.
fn of_io(error: &io::Error, words: String) -> ErrorInfo {
    let info = |code| ErrorInfo::new(code, words).detail(error.to_string());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            info(ErrorCode::DiskFull).hint("Make room on its disk.")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            info(ErrorCode::NotAllowed)
        }
        _ => info(ErrorCode::Io),
    }
}

fn not_read(error: &io::Error) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::Io, "the snapshots could not be read").detail(error.to_string())
}
