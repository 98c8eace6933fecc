//! Snapshots as they are looked at: page by page, in few words, as text.

use std::time::{Duration, Instant};

use forgekeeper_domain::{
    Timestamp,
    config::{
        Bytes, DriftDigest, Item, ItemState, PartId, PartText, Reason, TextDiff, Uncomparable,
        look, text_diff,
    },
    error::{ErrorCode, ErrorInfo},
    ids::{ServiceId, SnapshotId},
};
use serde::Serialize;

use super::super::handle::KeeperHandle;
use crate::{
    config::manifests::{Stored, time_of},
    event::KeeperEvent,
};

/// Most snapshots of one page.
pub const MAX_PAGE: u32 = 100;
/// Damaged ones that are listed.
const MAX_DAMAGED: usize = 50;
/// How long the shortest answer to what differs in a text is looked for.
const TEXT_DEADLINE: Duration = Duration::from_secs(2);

/// One snapshot in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct SnapshotEntry {
    /// Its id.
    pub id: SnapshotId,
    /// When it was taken.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub taken_at: Timestamp,
    /// Why.
    pub reason: Reason,
    /// The action that it was taken before.
    pub note: Option<String>,
    /// Whether the service was known to be well.
    pub healthy: Option<bool>,
    /// Taken while the service was well, with everything read.
    pub good: bool,
    /// It stays whatever its age.
    pub pinned: bool,
    /// Parts that are kept on disk.
    pub kept: u32,
    /// Parts that this program alone holds, until it ends.
    pub in_memory: u32,
    /// Parts that such a service has and that could not be read.
    pub missed: u32,
    /// The one before it of the same service.
    pub previous: Option<SnapshotId>,
    /// The last good one before it.
    pub good_before: Option<SnapshotId>,
}

/// A snapshot that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct DamagedSnapshot {
    /// Its id.
    pub id: SnapshotId,
    /// When it was taken, as its name says.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub taken_at: Option<Timestamp>,
    /// What is wrong.
    pub problem: String,
}

/// Some snapshots of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct SnapshotPage {
    /// Newest first.
    pub entries: Vec<SnapshotEntry>,
    /// All that there are of the service.
    pub total: u32,
    /// There are older ones.
    pub more: bool,
    /// Those that are damaged, of whatever service: whose they were is not known.
    pub damaged: Vec<DamagedSnapshot>,
    /// All damaged ones.
    pub damaged_total: u32,
}

impl KeeperHandle {
    /// Snapshots of a service that are older than one of them, or the newest.
    pub async fn snapshot_page(
        &self,
        service: &ServiceId,
        before: Option<&SnapshotId>,
        most: u32,
    ) -> Result<SnapshotPage, ErrorInfo> {
        self.check_known(service)?;
        let mut entries: Vec<SnapshotEntry> = Vec::new();
        let mut damaged = Vec::new();
        for one in self.snapshots(Some(service)).await? {
            match one.stored {
                Stored::Damaged { problem } => damaged.push(DamagedSnapshot {
                    taken_at: time_of(&one.id),
                    id: one.id,
                    problem,
                }),
                Stored::Whole { snapshot, pinned } => {
                    let with = |wanted: fn(&ItemState) -> bool| {
                        count(snapshot.items.iter().filter(|item| wanted(&item.state)))
                    };
                    entries.push(SnapshotEntry {
                        id: one.id,
                        taken_at: snapshot.taken_at,
                        healthy: snapshot.healthy,
                        good: snapshot.is_good(),
                        pinned,
                        kept: with(|state| matches!(state, ItemState::Kept(_))),
                        in_memory: with(|state| matches!(state, ItemState::InMemory(_))),
                        missed: count(snapshot.missed()),
                        reason: snapshot.reason,
                        note: snapshot.note,
                        previous: None,
                        good_before: None,
                    });
                }
            }
        }
        let (mut previous, mut good) = (None, None);
        for entry in entries.iter_mut().rev() {
            entry.previous = previous.replace(entry.id.clone());
            entry.good_before.clone_from(&good);
            if entry.good {
                good = Some(entry.id.clone());
            }
        }
        let total = count(&entries);
        let damaged_total = count(&damaged);
        damaged.truncate(MAX_DAMAGED);
        if let Some(before) = before {
            // By the moment: the one that was named may be gone meanwhile.
            entries.retain(|entry| entry.id.as_str() < before.as_str());
        }
        let most = usize::try_from(most.clamp(1, MAX_PAGE)).unwrap_or(1);
        let more = entries.len() > most;
        entries.truncate(most);
        Ok(SnapshotPage {
            entries,
            total,
            more,
            damaged,
            damaged_total,
        })
    }

    /// What changed between two snapshots, in few words.
    pub async fn config_digest(
        &self,
        first: &SnapshotId,
        second: &SnapshotId,
    ) -> Result<DriftDigest, ErrorInfo> {
        Ok(self.config_drift(first, second).await?.digest())
    }

    /// A part of a snapshot as text, within limits and without secrets.
    pub async fn snapshot_text(
        &self,
        id: &SnapshotId,
        part: PartId,
        path: &str,
    ) -> Result<PartText, ErrorInfo> {
        let bytes = self.part_bytes(id, part, path).await?;
        let format = part.part().format;
        apart(move || look(format, &bytes)).await
    }

    /// A part of two snapshots, line by line. A part that is not there is an empty text.
    pub async fn snapshot_text_diff(
        &self,
        [before, after]: [&SnapshotId; 2],
        part: PartId,
        path: &str,
    ) -> Result<TextDiff, ErrorInfo> {
        let (old, new) = (
            self.part_bytes(before, part, path).await?,
            self.part_bytes(after, part, path).await?,
        );
        let deadline = Instant::now() + TEXT_DEADLINE;
        apart(move || text_diff(&old, &new, Some(deadline))).await
    }

    async fn part_bytes(
        &self,
        id: &SnapshotId,
        part: PartId,
        path: &str,
    ) -> Result<Vec<u8>, ErrorInfo> {
        let snapshot = self.inner.config.get(id).await?;
        let of_part = || snapshot.items.iter().filter(|item| item.part == part);
        // A file that was found elsewhere then is the same part, where there is only one.
        let item = of_part()
            .find(|item| item.path == path)
            .or_else(|| of_part().next().filter(|_| of_part().count() == 1));
        let refused = |words: String| ErrorInfo::new(ErrorCode::BadRequest, words);
        let content = match item.map(|item: &Item| &item.state) {
            None => return Err(refused(format!("the snapshot `{id}` has no such part"))),
            Some(ItemState::Absent) => return Ok(Vec::new()),
            Some(ItemState::NotReadable { words, .. }) => {
                return Err(refused(format!(
                    "it could not be read when the snapshot `{id}` was taken: {words}"
                )));
            }
            Some(ItemState::Kept(content) | ItemState::InMemory(content)) => content.clone(),
        };
        let address = content.address.clone();
        let mut read = self.inner.config.bytes(vec![content]).await?;
        let bytes: Bytes = read.remove(&address).unwrap_or(Err(Uncomparable::Missing));
        bytes.map_err(|why| {
            let words = match why {
                Uncomparable::Missing => "its bytes are gone",
                Uncomparable::Damaged => "its bytes are damaged, and are not used",
                Uncomparable::Sealed => "it is sealed, and the key is not there",
                Uncomparable::NotKept => "it was held in the memory of a program that has ended",
            };
            let code = match why {
                Uncomparable::Sealed => ErrorCode::KeyringUnavailable,
                _ => ErrorCode::Io,
            };
            ErrorInfo::new(code, words)
        })
    }

    /// Tells who looks at the snapshots of a service that there are others now.
    pub(in crate::keeper) fn snapshots_changed(&self, service: &ServiceId) {
        // Nobody listens: nobody looks.
        let _ = self
            .inner
            .events
            .send(KeeperEvent::SnapshotsChanged(service.clone()));
    }
}

fn count(all: impl IntoIterator) -> u32 {
    u32::try_from(all.into_iter().count()).unwrap_or(u32::MAX)
}

/// Megabytes are compared where they hold nobody up.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ErrorInfo> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        ErrorInfo::new(ErrorCode::Internal, "a task ended unexpectedly").detail(error.to_string())
    })
}
