//! `backup`: the project folder, copied and verified.

use forgekeeper_domain::{
    backup::{
        Amount, BackupEnd, BackupPlan, BackupProblem, BackupProgress, BackupRecord, BackupStage,
        BackupStatus, BackupTask, SharedDisk,
    },
    error::{ErrorCode, ErrorInfo},
};
use forgekeeper_keeper::keeper::BackupWish;

use crate::{
    args::{BackupArgs, BackupCommand},
    exit,
    interrupt::Interrupt,
    session::Session,
    text::{gibibytes, print_json, print_line, printable},
};

pub(super) async fn run(
    session: &Session,
    args: &BackupArgs,
    json: bool,
    mut interrupt: Interrupt,
) -> Result<u8, ErrorInfo> {
    let wish = BackupWish {
        source: args.source.clone(),
        target: args.target.clone(),
        mode: args.mode.map(Into::into),
    };
    let handle = session.handle();
    match args.command {
        BackupCommand::Plan => {
            let plan = interrupt.unless(handle.backup_plan(&wish)).await?;
            show_plan(&plan, json);
            Ok(of_plan(&plan))
        }
        BackupCommand::Run => work(session, BackupTask::Run, &wish, json, interrupt).await,
        BackupCommand::Verify => work(session, BackupTask::Verify, &wish, json, interrupt).await,
        BackupCommand::Status => {
            let status = handle.backup_status().await?;
            show_status(&status, json);
            Ok(status.last.as_ref().map_or(exit::UNKNOWN, of_record))
        }
    }
}

fn of_plan(plan: &BackupPlan) -> u8 {
    match plan.fits() {
        Some(false) => exit::NOT_OK,
        _ if plan.problem_count > 0 => exit::NOT_OK,
        Some(true) => exit::OK,
        None => exit::UNKNOWN,
    }
}

fn of_record(record: &BackupRecord) -> u8 {
    match record.end {
        BackupEnd::Whole => exit::OK,
        BackupEnd::Nothing => exit::UNKNOWN,
        BackupEnd::Failed => match record.error.as_ref().map(|error| error.code) {
            Some(ErrorCode::BadRequest) => exit::WRONG_USE,
            _ => exit::NOT_OK,
        },
        BackupEnd::Incomplete
        | BackupEnd::Cancelled
        | BackupEnd::DiskFull
        | BackupEnd::Unfinished => exit::NOT_OK,
    }
}

/// Follows a task to its end. Who interrupts it finds the rest at the next run.
async fn work(
    session: &Session,
    task: BackupTask,
    wish: &BackupWish,
    json: bool,
    mut interrupt: Interrupt,
) -> Result<u8, ErrorInfo> {
    let handle = session.handle();
    if task == BackupTask::Run {
        let plan = interrupt.unless(handle.backup_plan(wish)).await?;
        warn(&plan, json);
    }
    let mut follow = handle.backup_begin(task, wish)?;
    let (mut told, mut shown) = (false, None);
    loop {
        let now = follow.borrow_and_update().clone();
        if let Some(record) = now.ended {
            show_end(&record, json);
            return Ok(of_record(&record));
        }
        if let Some(progress) = &now.progress {
            if json {
                print_json(&serde_json::json!({ "event": "progress", "progress": progress }));
            } else {
                show_progress(progress, &mut shown);
            }
        }
        tokio::select! {
            changed = follow.changed() => if changed.is_err() {
                return Err(ErrorInfo::new(ErrorCode::Cancelled, "the keeper ended first"));
            },
            () = interrupt.asked(), if !told => {
                told = true;
                // An error means that it ended at this very moment.
                let _ = handle.backup_cancel();
            }
        }
    }
}

fn warn(plan: &BackupPlan, json: bool) {
    if json {
        print_json(&serde_json::json!({ "event": "plan", "plan": plan }));
    } else if let Some(warning) = disks(plan.disks) {
        eprintln!("forgekeeperctl: {warning}");
    }
}

fn disks(shared: SharedDisk) -> Option<&'static str> {
    match shared {
        SharedDisk::SameVolume => Some("source and target are on one volume: one fault takes both"),
        SharedDisk::SameDisk => Some("source and target are on one disk: one fault takes both"),
        SharedDisk::Unknown => Some("whether source and target share a disk is not known"),
        SharedDisk::Different => None,
    }
}

fn amount(amount: Amount) -> String {
    format!("{} files, {}", amount.files, bytes(amount.bytes))
}

fn bytes(bytes: u64) -> String {
    const MIB: u64 = 1024 * 1024;
    match bytes {
        0..MIB => format!("{bytes} bytes"),
        _ if bytes < 1024 * MIB => format!("{:.1} MB", bytes as f64 / MIB as f64),
        _ => gibibytes(bytes),
    }
}

fn show_plan(plan: &BackupPlan, json: bool) {
    if json {
        return print_json(plan);
    }
    print_line(&format!(
        "{} → {} ({})",
        printable(&plan.source),
        printable(&plan.target),
        plan.mode.name()
    ));
    let free = plan
        .free_bytes
        .map_or_else(|| "not known".to_owned(), bytes);
    for (what, text) in [
        ("belongs in", amount(plan.all)),
        ("models among", amount(plan.models)),
        ("to copy", amount(plan.copy)),
        ("there already", amount(plan.unchanged)),
        ("to remove", amount(plan.remove)),
        ("left out", plan.excluded.to_string()),
        ("links, noted", plan.links.to_string()),
        ("needed", bytes(plan.needed_bytes)),
        ("free", free),
    ] {
        print_line(&format!("{what:<14}{text}"));
    }
    for folder in &plan.folders {
        let name = match folder.name.as_str() {
            "" => ".",
            name => name,
        };
        let size = bytes(folder.amount.bytes);
        print_line(&format!("  {size:>12}  {}", printable(name)));
    }
    if plan.continues {
        print_line("a run that was broken off is continued");
    }
    if let Some(warning) = disks(plan.disks) {
        print_line(warning);
    }
    if plan.fits() == Some(false) {
        print_line("there is NO ROOM for it");
    }
    show_problems(&plan.problems, plan.problem_count);
}

/// A line each time a stage begins, and each time a tenth more is done.
fn show_progress(progress: &BackupProgress, shown: &mut Option<(BackupStage, u64)>) {
    let of = progress.of.unwrap_or_default();
    let tenth = match (of.bytes, progress.of) {
        (0, _) | (_, None) => 0,
        (of, Some(_)) => progress.done.bytes.saturating_mul(10) / of,
    };
    let now = Some((progress.stage, tenth));
    if *shown == now {
        return;
    }
    *shown = now;
    let stage = match progress.stage {
        BackupStage::Looking => "looking",
        BackupStage::Copying => "copying",
        BackupStage::Retrying => "trying again",
        BackupStage::Removing => "removing",
        BackupStage::Finishing => "finishing",
        BackupStage::Verifying => "reading",
    };
    if progress.of.is_none() {
        return print_line(stage);
    }
    let left = progress
        .remaining_s
        .map_or_else(|| "time left unknown".to_owned(), |s| format!("{s} s left"));
    print_line(&format!(
        "{stage:<13}{} of {} files, {} of {}, {left}",
        progress.done.files,
        of.files,
        bytes(progress.done.bytes),
        bytes(of.bytes),
    ));
}

fn end_words(record: &BackupRecord) -> &'static str {
    match record.end {
        BackupEnd::Unfinished => "was ended before its end, or runs in another program",
        BackupEnd::Whole => "whole",
        BackupEnd::Incomplete => "INCOMPLETE",
        BackupEnd::Cancelled => "cancelled; the next run goes on from there",
        BackupEnd::DiskFull => {
            "the target is FULL; what is there is whole, the next run goes on from there"
        }
        BackupEnd::Failed => "FAILED",
        BackupEnd::Nothing => "there is no backup",
    }
}

fn show_end(record: &BackupRecord, json: bool) {
    if json {
        return print_json(&serde_json::json!({ "event": "end", "record": record }));
    }
    show_record(record);
}

fn show_record(record: &BackupRecord) {
    print_line(&format!(
        "{} → {}: {}",
        printable(&record.source),
        printable(&record.target),
        end_words(record)
    ));
    if let Some(folder) = &record.folder {
        print_line(&format!("  folder    {}", printable(folder)));
    }
    let all = [
        ("held", record.held),
        ("copied", record.copied),
        ("linked", record.linked),
        ("unchanged", record.unchanged),
        ("removed", record.removed),
    ];
    for (what, of) in all {
        if of.files > 0 || what == "held" {
            print_line(&format!("  {what:<10}{}", amount(of)));
        }
    }
    if record.links + record.special > 0 {
        print_line(&format!(
            "  noted     {} links, {} that are no files",
            record.links, record.special
        ));
    }
    show_problems(&record.problems, record.problem_count);
    if let Some(error) = &record.error {
        print_line(&format!("  {}", printable(&error.message)));
        for more in [&error.hint, &error.detail].into_iter().flatten() {
            print_line(&format!("  {}", printable(more)));
        }
    }
}

fn show_problems(problems: &[BackupProblem], count: u32) {
    for problem in problems {
        let detail = problem.detail.as_ref();
        let detail = detail.map(|text| format!(" ({text})")).unwrap_or_default();
        let line = format!("{}: {}{detail}", problem.path, problem.why.words());
        // A name may hold line feeds.
        print_line(&format!(
            "  ! {}",
            printable(&line).replace('\n', "\u{fffd}")
        ));
    }
    let more = count.saturating_sub(u32::try_from(problems.len()).unwrap_or(u32::MAX));
    if more > 0 {
        print_line(&format!("  ! and {more} more"));
    }
}

fn show_status(status: &BackupStatus, json: bool) {
    if json {
        return print_json(status);
    }
    match &status.settings {
        Some(settings) => print_line(&format!(
            "{} → {} ({})",
            printable(&settings.source),
            printable(&settings.target),
            settings.mode.name()
        )),
        None => print_line("no `[backup]` in the settings"),
    }
    match &status.last {
        Some(last) => {
            print_line(&format!("last run {}", last.started_at));
            show_record(last);
        }
        None => print_line("never run"),
    }
    match &status.last_whole {
        Some(last) => print_line(&format!("last whole run {}", last.started_at)),
        None => print_line("no run was whole yet"),
    }
    match &status.verified {
        Some(last) => print_line(&format!(
            "verified {}: {}",
            last.started_at,
            end_words(last)
        )),
        None => print_line("never verified"),
    }
}
