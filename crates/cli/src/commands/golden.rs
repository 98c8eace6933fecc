//! `generate --golden`: sets of fixed prompts, run, run again, compared.

use std::path::Path;

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{GenerationRecord, GenerationRequest, GenerationVerdict, Seed},
    golden::{
        self, GoldenComparison, GoldenFinding, GoldenPrompt, GoldenRow, GoldenRun, GoldenSet,
    },
    ids::JobId,
    job::{Job, JobPhase},
};
use forgekeeper_keeper::sys::files;

use super::generate::io;
use crate::{
    args::{GenerateArgs, GoldenVerb},
    exit,
    interrupt::Interrupt,
    session::Session,
    text::{print_json, print_line, printable, seconds},
};

/// Longest file of prompts.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

pub(super) async fn run(
    session: &Session,
    args: &GenerateArgs,
    verb: GoldenVerb,
    usual: GenerationRequest,
    json: bool,
    mut interrupt: Interrupt,
) -> Result<u8, ErrorInfo> {
    let handle = session.handle();
    // The parser asks for it.
    let set = args.golden.set.clone().unwrap_or_default();
    if let Some(path) = &args.golden.prompts {
        handle.save_golden_set(read_set(usual, &set, path)?).await?;
    }
    interrupt.unless(session.service(&args.service)).await?;
    // Chosen before the run, which would be the newest itself.
    let before = handle.golden_runs(set.clone()).await?;
    let earlier = match verb {
        GoldenVerb::Replay => Some(choose(args, &before, None)?),
        GoldenVerb::Record | GoldenVerb::Compare => None,
    };
    let (candidate, ended) = match verb {
        GoldenVerb::Compare => (newest_here(args, &before)?, None),
        GoldenVerb::Record | GoldenVerb::Replay => {
            let id = handle.run_golden(&set, &args.service, args.force).await?;
            let ended = follow(session, &id, json, interrupt).await?;
            (id, Some(ended))
        }
    };
    let runs = handle.golden_runs(set).await?;
    let run = runs.iter().find(|run| run.id == candidate);
    let reference = match verb {
        GoldenVerb::Compare => Some(choose(args, &before, Some(&candidate))?),
        GoldenVerb::Record | GoldenVerb::Replay => earlier,
    };
    let comparison = match &reference {
        Some(reference) => Some(handle.compare_golden(reference, &candidate).await?),
        None => None,
    };
    if let (Some(comparison), Some(path)) = (&comparison, &args.golden.csv) {
        files::write_new(path, golden::csv(comparison).as_bytes()).map_err(|e| io(path, &e))?;
    }
    if json {
        print_json(&serde_json::json!({
            "event": "end", "job": ended, "run": run, "comparison": comparison,
        }));
    } else if let Some(comparison) = &comparison {
        print_comparison(comparison);
    }
    if let Some(error) = ended.and_then(|job| job.error) {
        return Err(error);
    }
    let good = match (&comparison, run) {
        (Some(comparison), _) => comparison.holds,
        (None, Some(run)) => run.complete && run.entries.iter().all(|e| proved(&e.record)),
        (None, None) => false,
    };
    Ok(if good { exit::OK } else { exit::NOT_OK })
}

/// A set of the lines of a file, with the other options for all of them.
fn read_set(usual: GenerationRequest, name: &str, path: &Path) -> Result<GoldenSet, ErrorInfo> {
    let bytes = files::read_limited(path, MAX_FILE_BYTES).map_err(|error| {
        ErrorInfo::new(
            ErrorCode::BadRequest,
            format!("{} cannot be read", path.display()),
        )
        .detail(error.to_string())
    })?;
    let bad = |text: String| ErrorInfo::new(ErrorCode::BadRequest, text);
    let text = std::str::from_utf8(&bytes)
        .map_err(|error| bad(format!("{}: no UTF-8: {error}", path.display())))?;
    let first = usual.seed.map_or(1, |seed| seed.0);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let prompts = lines
        .zip(0_u64..)
        .map(|(line, number)| GoldenPrompt {
            name: format!("{:03}", number + 1),
            request: GenerationRequest {
                prompt: line.to_owned(),
                seed: Some(Seed(first.saturating_add(number))),
                ..usual.clone()
            },
        })
        .collect();
    Ok(GoldenSet {
        name: name.to_owned(),
        prompts,
    })
}

/// The newest complete run on the service.
fn newest_here(args: &GenerateArgs, runs: &[GoldenRun]) -> Result<JobId, ErrorInfo> {
    let here = runs
        .iter()
        .find(|run| run.complete && run.service == args.service);
    here.map(|run| run.id.clone()).ok_or_else(|| {
        missing(&format!(
            "the set was never run to its end on `{}`",
            args.service
        ))
    })
}

/// The run to compare with: the one asked for, else the first complete one on this service when it
/// is run again, or on another when two are compared.
fn choose(
    args: &GenerateArgs,
    runs: &[GoldenRun],
    candidate: Option<&JobId>,
) -> Result<JobId, ErrorInfo> {
    let other = |run: &GoldenRun| Some(&run.id) != candidate;
    let found = if let Some(wanted) = &args.golden.against {
        let is_it = |run: &GoldenRun| run.id.as_str() == wanted || run.service.as_str() == wanted;
        golden::reference(runs, |run| other(run) && is_it(run)).ok_or_else(|| {
            missing(&format!(
                "no complete run of the set is or is on `{wanted}`"
            ))
        })
    } else {
        let here = |run: &GoldenRun| (run.service == args.service) == candidate.is_none();
        golden::reference(runs, |run| other(run) && here(run))
            .or_else(|| golden::reference(runs, other))
            .ok_or_else(|| missing("there is no complete run of the set to compare with"))
    };
    found.map(|run| run.id.clone())
}

fn missing(text: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::BadRequest, text)
        .hint("Record one first: generate SERVICE --golden record --set NAME.")
}

/// Follows a run to its end, and prints what becomes of each prompt.
async fn follow(
    session: &Session,
    id: &JobId,
    json: bool,
    mut interrupt: Interrupt,
) -> Result<Job, ErrorInfo> {
    let handle = session.handle();
    let mut follow = handle.follow_job(id)?;
    let (mut told, mut shown) = (false, None);
    loop {
        let job = follow.borrow_and_update().clone();
        if job.phase != JobPhase::Running {
            return Ok(job);
        }
        if json {
            print_json(&serde_json::json!({
                "event": "progress", "golden": job.golden, "progress": job.generation,
            }));
        } else if let Some(golden) = &job.golden
            && shown != Some(golden.done)
        {
            shown = Some(golden.done);
            let prompt = printable(&golden.prompt);
            print_line(&format!("{}/{} {prompt}", golden.done + 1, golden.of));
        }
        tokio::select! {
            changed = follow.changed() => if changed.is_err() { return handle.wait(id).await },
            () = interrupt.asked(), if !told => {
                told = true;
                // An error means that it ended at this very moment.
                let _ = handle.cancel(id);
            }
        }
    }
}

fn proved(record: &GenerationRecord) -> bool {
    record.verdict == GenerationVerdict::Proved
}

fn print_comparison(comparison: &GoldenComparison) {
    for row in &comparison.rows {
        print_line(&line(row));
    }
    let summary = &comparison.summary;
    let [reference, candidate] = &comparison.services;
    let times = |value: Option<f64>| {
        value.map_or("time unknown".to_owned(), |v| format!("{v:.2} × the time"))
    };
    print_line(&format!(
        "{candidate} against {reference}: {}, {} of {} identical, {}",
        word(summary.finding),
        summary.identical,
        comparison.rows.len(),
        times(summary.slower),
    ));
}

fn line(row: &GoldenRow) -> String {
    let side = |record: &Option<GenerationRecord>| match record {
        Some(record) if proved(record) => seconds(record.took_ms),
        Some(record) => record.verdict.name().replace('_', " "),
        None => "missing".to_owned(),
    };
    let like = match row.likeness {
        Some(likeness) if likeness.identical => "identical".to_owned(),
        Some(likeness) => likeness
            .similarity
            .map_or("other size".to_owned(), |s| format!("similarity {s:.3}")),
        None => "not compared".to_owned(),
    };
    let name = printable(&row.prompt);
    format!(
        "{name}  {}  {}  {like}",
        side(&row.reference),
        side(&row.candidate)
    )
}

fn word(finding: GoldenFinding) -> &'static str {
    match finding {
        GoldenFinding::Nothing => "nothing to compare",
        GoldenFinding::Same => "the same pictures",
        GoldenFinding::Alike => "pictures alike",
        GoldenFinding::Different => "different pictures",
        GoldenFinding::Worse => "WORSE: a picture that the reference has is missing",
    }
}
