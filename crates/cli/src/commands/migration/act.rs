//! `migration run`, `migration undo` and `migration drill`.

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    migration::{PreviewLine, RecordOutcome, StepPreview},
};
use forgekeeper_keeper::{keeper::KeeperHandle, migration::StepEnd};

use super::{looked, of_found};
use crate::{
    args::DoArgs,
    exit,
    session::Session,
    text::{print_json, print_line, printable},
};

/// What is done to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Run,
    Undo,
    Drill,
}

/// Prints what would be done; with `--yes` does it, tells its progress, and what was found after.
pub(super) async fn run(
    session: &Session,
    args: &DoArgs,
    verb: Verb,
    json: bool,
) -> Result<u8, ErrorInfo> {
    session.measured().await;
    let handle = session.handle();
    let preview = match verb {
        Verb::Drill => handle.migration_preview_drill(&args.step).await?,
        _ => {
            handle
                .migration_preview(&args.step, verb == Verb::Undo)
                .await?
        }
    };
    if json {
        print_json(&serde_json::json!({ "preview": preview }));
    } else {
        print_preview(&preview);
    }
    if args.dry_run {
        return Ok(if preview.refused.is_empty() {
            exit::OK
        } else {
            exit::NOT_OK
        });
    }
    if !args.yes && preview.refused.is_empty() {
        return Err(ErrorInfo::new(
            ErrorCode::BadRequest,
            "nothing was done: this was a preview",
        )
        .hint("Add --yes to do it, or --dry-run to end here."));
    }
    let confirm = args.confirm.as_deref();
    match verb {
        Verb::Run => handle.migration_run(&args.step, confirm).await?,
        Verb::Undo => handle.migration_undo(&args.step, confirm).await?,
        Verb::Drill => handle.migration_drill(&args.step).await?,
    }
    let end = followed(&handle, args, json).await?;
    Ok(ended(&end, json))
}

async fn followed(handle: &KeeperHandle, args: &DoArgs, json: bool) -> Result<StepEnd, ErrorInfo> {
    let wait = handle.migration_wait(&args.step);
    tokio::pin!(wait);
    let Some(mut progress) = handle.migration_progress(&args.step) else {
        return wait.await;
    };
    loop {
        tokio::select! {
            end = &mut wait => return end,
            changed = progress.changed() => if changed.is_err() {
                return wait.await;
            }
        }
        let Some(now) = progress.borrow_and_update().clone() else {
            continue;
        };
        if json {
            print_json(&serde_json::json!({ "progress": now }));
        } else {
            let percent = now.percent.map(|percent| format!(" {percent} %"));
            let doing = printable(&now.doing.en);
            print_line(&format!("… {doing}{}", percent.unwrap_or_default()));
        }
    }
}

fn ended(end: &StepEnd, json: bool) -> u8 {
    if json {
        print_json(&serde_json::json!({ "end": end }));
    } else {
        match (&end.outcome, &end.error) {
            (RecordOutcome::Done, _) => print_line("done"),
            (_, Some(error)) => print_line(&format!("FAILED: {}", printable(&error.message))),
            (_, None) => print_line("not done"),
        }
        if let Some(look) = &end.look {
            looked(look);
        }
    }
    match (&end.outcome, &end.look) {
        (RecordOutcome::Done, Some(look)) => of_found(look.finding.found),
        (RecordOutcome::Done, None) => exit::OK,
        _ => exit::NOT_OK,
    }
}

fn print_preview(preview: &StepPreview) {
    for line in &preview.lines {
        match line {
            PreviewLine::Does { words } => print_line(&format!("- {}", printable(&words.en))),
            PreviewLine::Looks { words } => print_line(&format!("? {}", printable(&words.en))),
            PreviewLine::Runs { command } => print_line(&format!("$ {}", printable(command))),
            PreviewLine::Writes { path, diff } => {
                print_line(&format!("> {}", printable(path)));
                for line in diff.lines() {
                    print_line(&format!("    {}", printable(line)));
                }
            }
        }
    }
    for words in &preview.interrupts {
        print_line(&format!("interrupts: {}", printable(&words.en)));
    }
    match &preview.undo {
        Some(words) => print_line(&format!("undo: {}", printable(&words.en))),
        None => print_line("undo: it cannot be taken back"),
    }
    if let Some(word) = &preview.confirm {
        print_line(&format!("confirm with: --confirm {}", printable(word)));
    }
    for words in &preview.refused {
        print_line(&format!("REFUSED: {}", printable(&words.en)));
    }
}
