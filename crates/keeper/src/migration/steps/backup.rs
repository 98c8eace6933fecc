//! `backup`: the last whole backup of the project folder, by its record, and what its verification found.

use forgekeeper_domain::{
    Timestamp,
    backup::{BackupEnd, BackupRecord, BackupStatus},
    migration::{Finding, Words},
};
use futures_util::future::BoxFuture;
use jiff::SignedDuration;

use crate::{
    migration::{Site, StepWork},
    sys::clock,
};

/// An older one is no way back: too much has changed since.
const YOUNG: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The step.
#[derive(Debug)]
pub(crate) struct Backup;

impl StepWork for Backup {
    fn check<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Finding> {
        Box::pin(async move {
            match site.keeper().backup_status().await {
                Ok(status) => judged(&status, clock::now()),
                Err(error) => Finding::unknown(Words::both(
                    format!(
                        "What is known of the backup cannot be read: {}",
                        error.message
                    ),
                    format!(
                        "Ce que l’on sait de la sauvegarde ne peut pas être lu\u{a0}: {}",
                        error.message
                    ),
                )),
            }
        })
    }
}

/// The last whole backup.
pub(super) struct LastWhole {
    pub(super) at: Timestamp,
    pub(super) verified_at: Option<Timestamp>,
    /// Its verification found that it is not whole any more.
    pub(super) damaged: bool,
}

/// What is known of the last whole backup of the folders that are set; `None`: there is none.
pub(super) fn last_whole(status: &BackupStatus) -> Option<LastWhole> {
    let settings = status.settings.as_ref()?;
    let of_them = |record: &&BackupRecord| {
        record.source == settings.source && record.target == settings.target
    };
    let at = status.last_whole.as_ref().filter(of_them)?.finished_at?;
    let verified = status.verified.as_ref().filter(of_them);
    let verified = verified.filter(|verified| verified.started_at >= at);
    Some(LastWhole {
        at,
        verified_at: verified.and_then(|verified| verified.finished_at),
        damaged: verified.is_some_and(|verified| {
            matches!(verified.end, BackupEnd::Incomplete | BackupEnd::Nothing)
        }),
    })
}

fn judged(status: &BackupStatus, now: Timestamp) -> Finding {
    let Some(settings) = &status.settings else {
        return Finding::unknown(Words::both(
            "No backup is set up: write `[backup]` with source and target in forgekeeper.toml.",
            "Aucune sauvegarde n’est configurée\u{a0}: écrire `[backup]` avec source et target dans forgekeeper.toml.",
        ));
    };
    // Of other folders than those that are set, a record says nothing.
    let of_them = |record: &&BackupRecord| {
        record.source == settings.source && record.target == settings.target
    };
    let Some((whole, at)) = status
        .last_whole
        .as_ref()
        .filter(of_them)
        .and_then(|whole| Some((whole, whole.finished_at?)))
    else {
        return Finding::failed(Words::both(
            "There is no whole backup yet: make one on the Configuration page or with `forgekeeperctl backup`.",
            "Il n’y a pas encore de sauvegarde complète\u{a0}: en faire une sur la page Configuration ou avec `forgekeeperctl backup`.",
        ))
        .with("source", &settings.source)
        .with("target", &settings.target);
    };
    let verified = status.verified.as_ref().filter(of_them);
    let damaged = verified.is_some_and(|verified| {
        verified.started_at >= at
            && matches!(verified.end, BackupEnd::Incomplete | BackupEnd::Nothing)
    });
    let finding = if damaged {
        Finding::failed(Words::both(
            "Its verification found that it is not whole.",
            "Sa vérification a montré qu’elle n’est pas intacte.",
        ))
    } else if now.duration_since(at) > YOUNG {
        Finding::failed(Words::both(
            "The last whole backup is older than seven days.",
            "La dernière sauvegarde complète a plus de sept jours.",
        ))
    } else {
        Finding::proved()
    };
    finding
        .with("source", &whole.source)
        .with("target", &whole.target)
        .with("finished_at", at)
        .with("files", whole.held.files)
        .with_some(
            "verified_at",
            verified.and_then(|verified| verified.finished_at),
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use forgekeeper_domain::{
        backup::{BackupMode, BackupSettings, BackupTask},
        migration::Found,
    };

    fn settings() -> BackupSettings {
        BackupSettings {
            source: "/a".to_owned(),
            target: "/b".to_owned(),
            mode: BackupMode::Mirror,
            exclude: Vec::new(),
            keep: 7,
        }
    }

    fn record(task: BackupTask, end: BackupEnd, at: &str) -> BackupRecord {
        let at: Timestamp = at.parse().unwrap();
        BackupRecord {
            finished_at: Some(at),
            end,
            ..BackupRecord::begun("x".to_owned(), task, &settings(), at)
        }
    }

    fn status() -> BackupStatus {
        BackupStatus {
            settings: Some(settings()),
            running: None,
            last: None,
            last_whole: Some(record(
                BackupTask::Run,
                BackupEnd::Whole,
                "2026-11-27T10:00:00Z",
            )),
            verified: None,
        }
    }

    #[test]
    fn only_a_young_whole_backup_of_these_folders_is_a_way_back() {
        let now: Timestamp = "2026-11-28T10:00:00Z".parse().unwrap();
        assert_eq!(judged(&status(), now).found, Found::Proved);
        let later: Timestamp = "2026-12-28T10:00:00Z".parse().unwrap();
        assert_eq!(judged(&status(), later).found, Found::Failed, "too old");
        let none = BackupStatus {
            settings: None,
            ..status()
        };
        assert_eq!(judged(&none, now).found, Found::Unknown, "nothing is set");
        let never = BackupStatus {
            last_whole: None,
            ..status()
        };
        assert_eq!(judged(&never, now).found, Found::Failed, "never made");
        let mut elsewhere = status();
        if let Some(settings) = &mut elsewhere.settings {
            settings.target = "/c".to_owned();
        }
        assert_eq!(judged(&elsewhere, now).found, Found::Failed, "of others");
        let damaged = BackupStatus {
            verified: Some(record(
                BackupTask::Verify,
                BackupEnd::Incomplete,
                "2026-11-27T12:00:00Z",
            )),
            ..status()
        };
        assert_eq!(judged(&damaged, now).found, Found::Failed, "damaged");
        let before = BackupStatus {
            verified: Some(record(
                BackupTask::Verify,
                BackupEnd::Incomplete,
                "2026-11-26T12:00:00Z",
            )),
            ..status()
        };
        assert_eq!(
            judged(&before, now).found,
            Found::Proved,
            "of the one before"
        );
    }
}
