//! The backup for those outside: planned, begun, followed, ended, and what is known of it.

use std::sync::{Arc, Mutex, PoisonError};

use forgekeeper_domain::{
    backup::{
        BackupEnd, BackupMode, BackupPlan, BackupProgress, BackupRecord, BackupSettings,
        BackupStatus, BackupTask, USUAL_KEEP,
    },
    error::{ErrorCode, ErrorInfo},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::handle::KeeperHandle;
use crate::{
    backup::{self, Doors},
    jobs::new_id,
    store::JournalEntry,
    sys::clock,
};

/// What is asked for beside the settings; what is left out is as they say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupWish {
    /// Another source.
    pub source: Option<String>,
    /// Another target.
    pub target: Option<String>,
    /// Another mode.
    pub mode: Option<BackupMode>,
}

/// A task as it is followed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BackupNow {
    /// How far it is; `None` after its end.
    pub progress: Option<BackupProgress>,
    /// What came of it.
    pub ended: Option<BackupRecord>,
}

/// The one task of this program.
#[derive(Debug, Default)]
pub(super) struct Backups {
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    now: watch::Receiver<BackupNow>,
    cancel: CancellationToken,
}

impl Backups {
    fn with<T>(&self, f: impl FnOnce(&mut Option<Running>) -> T) -> T {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running
            .as_ref()
            .is_some_and(|running| running.now.borrow().ended.is_some())
        {
            *running = None;
        }
        f(&mut running)
    }
}

impl KeeperHandle {
    /// What would be done, and everything that speaks against it. Nothing is written.
    pub async fn backup_plan(&self, wish: &BackupWish) -> Result<BackupPlan, ErrorInfo> {
        let settings = self.backup_settings(wish)?;
        let cancel = self.inner.tasks.token().child_token();
        // Who does not wait any more wants no more looking.
        let _abandoned = cancel.clone().drop_guard();
        let look = self
            .inner
            .tasks
            .spawn_blocking("backup plan", move || backup::plan(&settings, &cancel));
        look.await.map_err(|error| defect(&error))?
    }

    /// Begins to copy, or to read again what was copied. `Refused` while another task of the backup runs.
    pub fn backup_begin(
        &self,
        task: BackupTask,
        wish: &BackupWish,
    ) -> Result<watch::Receiver<BackupNow>, ErrorInfo> {
        let settings = self.backup_settings(wish)?;
        let id = new_id()?.as_str().to_owned();
        let record = BackupRecord::begun(id, task, &settings, clock::now());
        let cancel = self.inner.tasks.token().child_token();
        let (tell, now) = watch::channel(BackupNow {
            progress: Some(BackupProgress::begun(task, record.started_at)),
            ended: None,
        });
        self.inner.backups.with(|running| {
            if running.is_some() {
                return Err(
                    ErrorInfo::new(ErrorCode::Refused, "the backup is at work already")
                        .hint("Wait for its end, or cancel it."),
                );
            }
            *running = Some(Running {
                now: now.clone(),
                cancel: cancel.clone(),
            });
            Ok(())
        })?;
        let this = self.clone();
        self.inner.tasks.spawn("backup", async move {
            let record = this.backup_work(settings, record, cancel, &tell).await;
            tell.send_replace(BackupNow {
                progress: None,
                ended: Some(record),
            });
        });
        Ok(now)
    }

    async fn backup_work(
        &self,
        settings: BackupSettings,
        begun: BackupRecord,
        cancel: CancellationToken,
        tell: &watch::Sender<BackupNow>,
    ) -> BackupRecord {
        // A program that is killed leaves this behind: that it has begun, and no end.
        self.keep_backup(&begun).await;
        let (mut record, tell) = (begun.clone(), tell.clone());
        let work = self.inner.tasks.spawn_blocking("backup at work", move || {
            let show = |progress: &BackupProgress| {
                tell.send_replace(BackupNow {
                    progress: Some(progress.clone()),
                    ended: None,
                });
            };
            backup::work(&settings, &mut record, &Doors::default(), &cancel, &show);
            record
        });
        let mut record = match work.await {
            Ok(record) => record,
            Err(error) => BackupRecord {
                end: BackupEnd::Failed,
                error: Some(defect(&error)),
                ..begun
            },
        };
        record.finished_at = Some(clock::now());
        self.keep_backup(&record).await;
        let entry = JournalEntry {
            at: clock::now(),
            kind: "backup".to_owned(),
            subject: None,
            text: record.sentence(),
            detail: serde_json::to_value(&record).ok(),
        };
        if let Err(error) = self.inner.store.append_journal(entry).await {
            tracing::error!(%error, "a backup could not be written to the journal");
        }
        record
    }

    async fn keep_backup(&self, record: &BackupRecord) {
        if let Err(error) = self.inner.store.put_backup(record.clone()).await {
            tracing::error!(%error, "what came of a backup could not be written to the history");
        }
    }

    /// Asks the task that runs to end. What was copied stays, and the next run goes on from there.
    pub fn backup_cancel(&self) -> Result<(), ErrorInfo> {
        self.inner.backups.with(|running| match running {
            Some(running) => {
                running.cancel.cancel();
                Ok(())
            }
            None => Err(ErrorInfo::new(
                ErrorCode::Refused,
                "the backup is not at work",
            )),
        })
    }

    /// What is known: settings, what runs, what came of the last ones.
    pub async fn backup_status(&self) -> Result<BackupStatus, ErrorInfo> {
        let known = self.inner.store.backups().await?;
        let running = self.inner.backups.with(|running| {
            let now = running.as_ref()?.now.borrow();
            now.progress.clone()
        });
        Ok(BackupStatus {
            settings: self.inner.settings.borrow().settings.backup.clone(),
            running,
            last: known.last,
            last_whole: known.last_whole,
            verified: known.verified,
        })
    }

    /// The settings with what is asked for beside them.
    fn backup_settings(&self, wish: &BackupWish) -> Result<BackupSettings, ErrorInfo> {
        let written = Arc::clone(&self.inner.settings.borrow().settings);
        let written = written.backup.clone();
        let missing = |what: &str| {
            ErrorInfo::new(
                ErrorCode::BadRequest,
                format!("the backup has no {what}: there is no `[backup]` in the settings"),
            )
            .hint(
                "Write `[backup]` with `source` and `target` into forgekeeper.toml, or give both.",
            )
        };
        let of = written.as_ref();
        let source = wish.source.clone().or(of.map(|of| of.source.clone()));
        let target = wish.target.clone().or(of.map(|of| of.target.clone()));
        let mode = wish.mode.or(of.map(|of| of.mode));
        Ok(BackupSettings {
            source: source.ok_or_else(|| missing("source"))?,
            target: target.ok_or_else(|| missing("target"))?,
            mode: mode.unwrap_or(BackupMode::Mirror),
            // Patterns are meant for the source they stand beside.
            exclude: match (&wish.source, of) {
                (None, Some(of)) => of.exclude.clone(),
                _ => Vec::new(),
            },
            keep: of.map_or(USUAL_KEEP, |of| of.keep),
        })
    }
}

fn defect(error: &tokio::task::JoinError) -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::Internal,
        "a defect of Forgekeeper ended the backup",
    )
    .hint("What was copied is whole; run it again to go on from there.")
    .detail(error.to_string())
}
