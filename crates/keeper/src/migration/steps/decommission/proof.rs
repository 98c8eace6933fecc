//! Whether it is gone, and everything else is as it was.

use forgekeeper_domain::{
    error::ErrorInfo,
    ids::SnapshotId,
    migration::{Finding, ending::untouched},
};

use super::{Memory, STEP, backup, folder, rest, words};
use crate::migration::Site;

/// Names that a sentence has room for.
const NAMES: usize = 5;

fn unread(error: &ErrorInfo) -> Finding {
    Finding::unknown(words::not_seen()).with("error", &error.message)
}

pub(super) async fn look(site: &Site) -> Result<Finding, Finding> {
    let from = site.from()?;
    let engine = rest::engine(site, &from.id).map_err(|error| unread(&error))?;
    let there = rest::runs(&engine, &from.container).await;
    let there = there.map_err(|error| unread(&error))?.is_some();
    let Some(memory) = site.memory::<Memory>(STEP).await else {
        return Ok(Finding::failed(if there {
            words::is_there(&from.container)
        } else {
            words::gone_otherwise(&from.container)
        }));
    };
    let made = &memory.container;
    let mut finding = if there {
        Finding::failed(words::is_there(&made.name))
    } else {
        Finding::proved()
    }
    .with("container", &made.name)
    .with("image", &made.image);
    if memory.image_goes {
        let image = engine.image_here(&made.image_id).await;
        finding = finding.and(match image {
            Ok(None) => Finding::proved().with("image_removed", true),
            Ok(Some(_)) => Finding::failed(words::image_is_there(&made.image)),
            Err(error) => unread(&error.to_info()),
        });
    } else {
        finding = finding.with("image_removed", false);
    }
    let finding = finding
        .and(models(site, &memory).await)
        .and(snapshot(site, &memory).await)
        .and(backed_up(site).await);
    Ok(match (memory.space_before, memory.space_after) {
        (Some(before), Some(after)) => finding
            .with("engine_bytes_before", before)
            .with("engine_bytes_after", after)
            .with("recovered_bytes", before.saturating_sub(after)),
        _ => finding.with("recovered_bytes", "unknown"),
    })
}

async fn models(site: &Site, memory: &Memory) -> Finding {
    let Some(before) = folder::kept(site.data_dir(), &memory.marks) else {
        return Finding::unknown(words::marks_lost());
    };
    let now = match folder::mark(memory.models.clone().into()).await {
        Ok(now) => now,
        Err(error) => return unread(&error),
    };
    let left = untouched(&before, &now);
    let finding = if left.holds() {
        Finding::proved()
    } else {
        let names = left.gone.iter().chain(&left.changed);
        let names: Vec<&str> = names.map(String::as_str).take(NAMES).collect();
        let count = left.gone.len() + left.changed.len();
        Finding::failed(words::models_touched(count, &names.join(", ")))
    };
    finding
        .with("models", before.len())
        .with("models_untouched", left.untouched)
        .with("models_untouched_bytes", left.bytes)
        .with("models_gone", left.gone.len())
        .with("models_changed", left.changed.len())
        .with("models_new", left.more)
}

async fn snapshot(site: &Site, memory: &Memory) -> Finding {
    let checked = match SnapshotId::new(memory.snapshot.clone()) {
        Ok(id) => site.keeper().verify_snapshot(&id).await,
        Err(error) => {
            return Finding::unknown(words::snapshot_unread()).with("error", error);
        }
    };
    match checked {
        Ok(checked) if checked.whole => Finding::proved().with("snapshot_whole", true),
        Ok(_) => Finding::failed(words::snapshot_damaged()),
        Err(error) => Finding::failed(words::snapshot_unread()).with("error", error.message),
    }
    .with("snapshot", &memory.snapshot)
}

/// What is known of the backup. That there is a young one was asked before; here it counts that it was
/// not found to be damaged.
async fn backed_up(site: &Site) -> Finding {
    let Ok(status) = site.keeper().backup_status().await else {
        return Finding::unknown(words::backup_unread());
    };
    match backup::last_whole(&status) {
        None => Finding::proved().with("backup", "none"),
        Some(last) if last.damaged => Finding::failed(words::backup_damaged()),
        Some(last) => Finding::proved()
            .with("backup", last.at)
            .with_some("backup_verified_at", last.verified_at),
    }
}
