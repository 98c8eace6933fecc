//! `snapshot`: the configuration guard.

use forgekeeper_domain::{
    config::{Drift, Item, ItemState, Reason, Snapshot, Unread, describe},
    error::{ErrorCode, ErrorInfo},
    ids::{ServiceId, SnapshotId},
};
use forgekeeper_keeper::{
    config::{Listed, Stored, Verdict},
    keeper::{KeeperHandle, SnapshotCheck, SnapshotView},
};

use crate::{
    args::{SnapshotArgs, SnapshotCommand},
    exit,
    interrupt::Interrupt,
    session::Session,
    text::{print_json, print_line, printable},
};

mod keep;
mod restore;

pub(super) async fn run(
    session: &Session,
    args: &SnapshotArgs,
    json: bool,
    mut interrupt: Interrupt,
) -> Result<u8, ErrorInfo> {
    // What is half written is worse than either: a restore is not simply dropped.
    match &args.command {
        SnapshotCommand::Restore {
            snapshot,
            part,
            path,
            key,
            how,
        } => {
            let wanted = restore::Wanted {
                part: part.as_deref(),
                path: path.as_deref(),
                key: key.as_deref(),
            };
            Box::pin(restore::run(
                session, snapshot, &wanted, how, json, interrupt,
            ))
            .await
        }
        SnapshotCommand::Undo { service, how } => {
            Box::pin(restore::undo(session, service, how, json, interrupt)).await
        }
        others => {
            interrupt
                .unless(Box::pin(look(session, others, json)))
                .await
        }
    }
}

async fn look(session: &Session, command: &SnapshotCommand, json: bool) -> Result<u8, ErrorInfo> {
    let handle = session.handle();
    match command {
        SnapshotCommand::Take { service } => take(session, service, json).await,
        SnapshotCommand::List { service } => list(session, service.as_ref(), json).await,
        SnapshotCommand::Show { id } => {
            let view = handle.snapshot(&handle.find_snapshot(id).await?).await?;
            show(&view, json);
            Ok(exit::OK)
        }
        SnapshotCommand::Diff { before, after } => {
            diff(&handle, before, after.as_deref(), json).await
        }
        SnapshotCommand::Verify { id } => {
            let check = handle
                .verify_snapshot(&handle.find_snapshot(id).await?)
                .await?;
            Ok(verified(&check, json))
        }
        SnapshotCommand::Pin { id } => keep::pin(&handle, id, true, json).await,
        SnapshotCommand::Unpin { id } => keep::pin(&handle, id, false, json).await,
        SnapshotCommand::Remove { id, yes } => keep::remove(&handle, id, *yes, json).await,
        SnapshotCommand::Drill { service } => restore::drill(session, service.as_ref(), json).await,
        // Not looked at here: they act.
        SnapshotCommand::Restore { .. } | SnapshotCommand::Undo { .. } => Ok(exit::OK),
    }
}

async fn take(session: &Session, service: &ServiceId, json: bool) -> Result<u8, ErrorInfo> {
    // Measured first: whether the service is well stands in the snapshot.
    session.service(service).await?;
    let view = session
        .handle()
        .take_snapshot(service, Reason::OnDemand)
        .await?;
    show(&view, json);
    // What could not be read is not known.
    Ok(if view.snapshot.missed().next().is_none() {
        exit::OK
    } else {
        exit::UNKNOWN
    })
}

async fn list(session: &Session, service: Option<&ServiceId>, json: bool) -> Result<u8, ErrorInfo> {
    if let Some(service) = service {
        session.known(service)?;
    }
    let all = session.handle().snapshots(service).await?;
    if json {
        print_json(&serde_json::json!({ "snapshots": all }));
    } else if all.is_empty() {
        print_line("no snapshot yet");
    }
    if !json {
        for one in &all {
            print_line(&line(one));
        }
    }
    let damaged = all
        .iter()
        .any(|one| matches!(one.stored, Stored::Damaged { .. }));
    Ok(if damaged { exit::NOT_OK } else { exit::OK })
}

fn line(one: &Listed) -> String {
    match &one.stored {
        Stored::Whole { snapshot, pinned } => {
            let missed = snapshot.missed().count();
            let missed = if missed == 0 {
                String::new()
            } else {
                format!(", {missed} not readable")
            };
            let pinned = if *pinned { ", pinned" } else { "" };
            format!(
                "{}  {}  {}{missed}{pinned}",
                one.id,
                snapshot.service,
                reason(snapshot)
            )
        }
        Stored::Damaged { problem } => format!("{}  DAMAGED: {problem}", one.id),
    }
}

fn reason(snapshot: &Snapshot) -> String {
    match (snapshot.reason, &snapshot.note) {
        (Reason::Daily, _) => "daily".to_owned(),
        (Reason::OnDemand, _) => "on demand".to_owned(),
        (Reason::BeforeAction, Some(note)) => format!("before {}", printable(note)),
        (Reason::BeforeAction, None) => "before an action".to_owned(),
    }
}

fn show(view: &SnapshotView, json: bool) {
    if json {
        return print_json(&serde_json::json!(view));
    }
    let snapshot = &view.snapshot;
    let healthy = match snapshot.healthy {
        Some(true) => "well",
        Some(false) => "not well",
        None => "not known",
    };
    print_line(&format!("{}  {}", view.id, snapshot.service));
    print_line(&format!(
        "taken {} ({}), the service was {healthy}",
        snapshot.taken_at,
        reason(snapshot)
    ));
    for item in &snapshot.items {
        print_line(&item_line(item));
    }
}

fn item_line(item: &Item) -> String {
    let state = match &item.state {
        ItemState::Kept(content) if content.key.is_some() => {
            format!("{} bytes, sealed", content.bytes)
        }
        ItemState::Kept(content) => format!("{} bytes", content.bytes),
        ItemState::InMemory(content) => format!(
            "{} bytes, not kept: it may hold secrets and there is no keyring",
            content.bytes
        ),
        ItemState::Absent => "not there".to_owned(),
        ItemState::NotReadable { why, words } => {
            let known = *why != Unread::NoPlace;
            let head = if known { "NOT READABLE" } else { "not found" };
            format!("{head}: {}", printable(words))
        }
    };
    let name = item.part.as_str();
    format!("{name:<20}{state}  {}", printable(&item.path))
}

async fn diff(
    handle: &KeeperHandle,
    before: &str,
    after: Option<&str>,
    json: bool,
) -> Result<u8, ErrorInfo> {
    let before = handle.find_snapshot(before).await?;
    let after = match after {
        Some(after) => handle.find_snapshot(after).await?,
        None => newest_like(handle, &before).await?,
    };
    let drift = handle.config_drift(&before, &after).await?;
    if json {
        print_json(&serde_json::json!(drift));
    } else {
        print_drift(&drift);
    }
    let (changed, unknown) = (drift.changed(), drift.unknown());
    Ok(match (changed, unknown) {
        (true, _) => exit::NOT_OK,
        (false, true) => exit::UNKNOWN,
        (false, false) => exit::OK,
    })
}

/// The newest snapshot of the same service.
async fn newest_like(handle: &KeeperHandle, id: &SnapshotId) -> Result<SnapshotId, ErrorInfo> {
    let service = handle.snapshot(id).await?.snapshot.service;
    let all = handle.snapshots(Some(&service)).await?;
    let newest = all
        .into_iter()
        .find(|one| matches!(one.stored, Stored::Whole { .. }));
    newest
        .map(|one| one.id)
        .filter(|newest| newest != id)
        .ok_or_else(|| {
            ErrorInfo::new(
                ErrorCode::BadRequest,
                format!("`{id}` is the newest snapshot of `{service}`"),
            )
            .hint("Take another one, or name an older one.")
        })
}

fn print_drift(drift: &Drift) {
    print_line(&format!(
        "{}: {} → {}",
        drift.service, drift.before_at, drift.after_at
    ));
    for part in &drift.parts {
        let name = part.part.as_str();
        print_line(&format!("{name}  {}", printable(&part.path)));
        for line in describe(part) {
            print_line(&format!("  {}", printable(&line)));
        }
    }
    print_line(&format!("{} parts unchanged", drift.unchanged));
}

fn verified(check: &SnapshotCheck, json: bool) -> u8 {
    if json {
        print_json(&serde_json::json!(check));
    } else {
        for item in &check.items {
            let word = match item.verdict {
                Verdict::Whole => "whole",
                Verdict::NothingKept => "nothing was kept",
                Verdict::Missing => "MISSING",
                Verdict::Damaged => "DAMAGED",
                Verdict::Sealed => "sealed, and the key is not there",
                Verdict::NotKept => "was held in memory only",
            };
            let name = item.part.as_str();
            print_line(&format!("{name:<20}{word}  {}", printable(&item.path)));
        }
    }
    if check.whole { exit::OK } else { exit::NOT_OK }
}
