//! Drills: the newest snapshot of a service restored into a scratch folder, compared, and gone again.
//! A service is never touched by one.

use std::{io, path::Path, time::Duration};

use forgekeeper_domain::{
    config::{
        Bytes, DrillItem, DrillReport, DrillVerdict, ItemState, PartId, Reading, Snapshot,
        Uncomparable, read,
    },
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
};
use jiff::SignedDuration;

use super::{KeeperHandle, restoring::marker_trouble};
use crate::{
    config::{manifests::Stored, restores::Drilling},
    store::journal::JournalEntry,
    sys::{clock, files},
};

/// One drill a month.
const EVERY: SignedDuration = SignedDuration::from_hours(24 * 30);

/// No drill takes so long: a folder that is older was left behind.
const LEFT_BEHIND: Duration = Duration::from_hours(1);
/// Such folders that are looked at.
const MAX_LEFT: usize = 1000;

impl KeeperHandle {
    /// Restores the newest snapshot of a service into a scratch folder and compares every byte.
    pub async fn drill(&self, service: &ServiceId) -> Result<DrillReport, ErrorInfo> {
        self.check_known(service)?;
        let all = self.snapshots(Some(service)).await?;
        let newest = all.into_iter().find_map(|one| match one.stored {
            Stored::Whole { snapshot, .. } => Some((one.id, snapshot)),
            Stored::Damaged { .. } => None,
        });
        let Some((id, snapshot)) = newest else {
            let words = format!("`{service}` has no snapshot yet to restore");
            return Err(ErrorInfo::new(ErrorCode::BadRequest, words)
                .hint("Take one: snapshot take SERVICE."));
        };
        let contents = snapshot.items.iter();
        let contents = contents.filter_map(|item| item.state.content().cloned());
        let bytes = self.inner.config.bytes(contents.collect()).await?;
        let restores = self.inner.config.restores.clone();
        // Beside those of other programs, each in its own.
        let scratch = restores
            .scratch()
            .join(uuid::Uuid::new_v4().simple().to_string());
        let (taken_at, service) = (snapshot.taken_at, service.clone());
        let owner = self.inner.presence.claim();
        let begun = Drilling {
            owner: owner.map_err(|error| marker_trouble(&error))?.to_owned(),
            at: clock::now(),
        };
        let done = tokio::task::spawn_blocking(move || {
            clear(&restores.scratch());
            restores.begin_drill(&service, &begun)?;
            let (items, written) = rehearse(&scratch, &snapshot, &bytes);
            let gone = std::fs::remove_dir_all(&scratch);
            if let Err(error) = gone.or_else(not_there) {
                tracing::warn!(%error, "the scratch folder of a drill stays behind");
            }
            let report = DrillReport {
                service,
                snapshot: id,
                taken_at,
                at: clock::now(),
                proved: items.iter().all(|item| !item.verdict.is_bad()),
                bytes: written,
                items,
            };
            restores.put_drill(&report)?;
            restores.end_drill(&report.service).map(|()| report)
        });
        let done = done
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)));
        let report = done.map_err(|error| marker_trouble(&error))?;
        self.note_drill(&report).await;
        Ok(report)
    }

    /// What the last drill of a service found; `None` when there was none.
    pub fn last_drill(&self, service: &ServiceId) -> Result<Option<DrillReport>, ErrorInfo> {
        let found = self.inner.config.restores.drill(service);
        found.map_err(|error| marker_trouble(&error))
    }

    /// One a month, where there is something to restore.
    pub(super) async fn drill_when_due(&self, service: &ServiceId) {
        let last = self.last_drill(service).unwrap_or_else(|error| {
            tracing::warn!(%service, %error, "the last drill cannot be read");
            None
        });
        let last = last.map(|report| report.at);
        if last.is_some_and(|at| clock::now().duration_since(at) < EVERY) {
            return;
        }
        match self.drill(service).await {
            Ok(_) => {}
            // Nothing to restore yet.
            Err(error) if error.code == ErrorCode::BadRequest => {}
            Err(error) => {
                tracing::warn!(%service, %error, "the monthly drill was not made");
                let text = format!("the monthly drill was not made: {error}");
                self.append_drill(service, text, None).await;
            }
        }
    }

    async fn note_drill(&self, report: &DrillReport) {
        let bad = report.items.iter().filter(|item| item.verdict.is_bad());
        let bad: Vec<&str> = bad.map(|item| item.part.as_str()).collect();
        let text = if report.proved {
            format!(
                "drill: {} was restored into a scratch folder, {} files, every byte as it was",
                report.snapshot,
                report.items.len()
            )
        } else {
            format!(
                "drill: {} cannot be restored as a whole: {}",
                report.snapshot,
                bad.join(", ")
            )
        };
        let detail = serde_json::to_value(report).ok();
        self.append_drill(&report.service, text, detail).await;
    }

    async fn append_drill(
        &self,
        service: &ServiceId,
        text: String,
        detail: Option<serde_json::Value>,
    ) {
        let entry = JournalEntry {
            at: clock::now(),
            kind: "drill".to_owned(),
            subject: Some(service.as_str().to_owned()),
            text,
            detail,
        };
        if let Err(error) = self.inner.store.append_journal(entry).await {
            tracing::error!(%error, "a drill could not be written to the journal");
        }
    }
}

/// What a drill left whose program was ended in the middle.
fn clear(scratch: &Path) {
    for name in files::names(scratch, MAX_LEFT).unwrap_or_default() {
        let folder = scratch.join(name);
        let written = std::fs::metadata(&folder).and_then(|about| about.modified());
        let old = written.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > LEFT_BEHIND));
        if old && let Err(error) = std::fs::remove_dir_all(&folder) {
            tracing::warn!(%error, "the scratch folder of a former drill stays behind");
        }
    }
}

fn not_there(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound {
        Ok(())
    } else {
        Err(error)
    }
}

/// Writes every item and reads it back.
fn rehearse(
    scratch: &Path,
    snapshot: &Snapshot,
    bytes: &std::collections::BTreeMap<String, Bytes>,
) -> (Vec<DrillItem>, u64) {
    let (mut items, mut written) = (Vec::new(), 0);
    for (place, item) in snapshot.items.iter().enumerate() {
        let verdict = match &item.state {
            ItemState::Absent | ItemState::NotReadable { .. } => continue,
            ItemState::InMemory(_) => DrillVerdict::NotKept,
            ItemState::Kept(content) => match bytes.get(&content.address) {
                Some(Ok(found)) => {
                    let path = scratch.join(format!("{place}-{}", item.part.as_str()));
                    let verdict = one(scratch, &path, item.part, found);
                    if verdict == DrillVerdict::Restored {
                        written += found.len() as u64;
                    }
                    verdict
                }
                Some(Err(Uncomparable::Damaged)) => DrillVerdict::Damaged,
                Some(Err(Uncomparable::Sealed)) => DrillVerdict::Sealed,
                Some(Err(Uncomparable::NotKept)) => DrillVerdict::NotKept,
                Some(Err(Uncomparable::Missing)) | None => DrillVerdict::Missing,
            },
        };
        items.push(DrillItem {
            part: item.part,
            path: item.path.clone(),
            verdict,
        });
    }
    (items, written)
}

fn one(scratch: &Path, path: &Path, part: PartId, bytes: &[u8]) -> DrillVerdict {
    // What was moved away is half for good, and is not put back.
    let moved = part == PartId::ForgeConfigMoved;
    if !moved && matches!(read(part.part().format, bytes), Reading::Unreadable(_)) {
        return DrillVerdict::Broken;
    }
    // Secrets lie there for a moment: nobody else looks into the folder.
    let back = files::ensure_private_dir(scratch)
        .and_then(|()| files::write_new(path, bytes))
        .and_then(|()| files::read_limited(path, bytes.len() as u64));
    match back {
        Ok(back) if back == bytes => DrillVerdict::Restored,
        Ok(_) => DrillVerdict::NotWritten,
        Err(error) => {
            tracing::warn!(%error, "a drill could not write");
            DrillVerdict::NotWritten
        }
    }
}
