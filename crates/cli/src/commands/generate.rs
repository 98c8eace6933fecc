//! `generate`: test pictures into a folder, one line for each event with `--json`.

use std::path::{Path, PathBuf};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{GenerationRecord, GenerationRequest, Seed},
    job::{Job, JobPhase},
};
use forgekeeper_keeper::sys::files;

use crate::{
    args::GenerateArgs,
    exit,
    session::Session,
    text::{print_json, print_line, printable, seconds},
};

pub(super) async fn run(
    session: &Session,
    args: &GenerateArgs,
    json: bool,
) -> Result<u8, ErrorInfo> {
    let request = GenerationRequest {
        prompt: args.prompt.clone(),
        negative_prompt: args.negative.clone(),
        steps: args.steps,
        width: args.width,
        height: args.height,
        cfg_scale: args.cfg,
        seed: args.seed.map(Seed),
        sampler: args.sampler.clone(),
        scheduler: args.scheduler.clone(),
        model: args.model.clone(),
        batch: args.batch,
    };
    request
        .check()
        .map_err(|e| ErrorInfo::new(ErrorCode::BadRequest, e.to_string()))?;
    files::ensure_dir(&args.out).map_err(|e| io(&args.out, &e))?;
    session.service(&args.service).await?;
    let handle = session.handle();
    let id = handle.generate(&args.service, request).await?;
    let mut follow = handle.follow_job(&id)?;
    let ended = loop {
        let job = follow.borrow_and_update().clone();
        if job.phase != JobPhase::Running {
            break job;
        }
        if json {
            print_json(&serde_json::json!({ "event": "progress", "progress": job.generation }));
        }
        tokio::select! {
            changed = follow.changed() => if changed.is_err() { break handle.wait(&id).await? },
            // The server goes on with a run whose client left; so it is told to stop.
            Ok(()) = tokio::signal::ctrl_c() => handle.cancel(&id)?,
        }
    };
    finish(session, args, ended, json).await
}

async fn finish(
    session: &Session,
    args: &GenerateArgs,
    job: Job,
    json: bool,
) -> Result<u8, ErrorInfo> {
    let mut written = Vec::new();
    if let Some(record) = &job.record {
        for (number, picture) in record.pictures.iter().enumerate() {
            let file = session.handle().picture(&picture.hash).await?;
            let path = free_name(&args.out, record, number);
            files::write_atomic(&path, &file.bytes).map_err(|e| io(&path, &e))?;
            written.push(path);
        }
        if !json {
            print_record(record, &written);
        }
    }
    if json {
        let files: Vec<String> = written.iter().map(|p| p.display().to_string()).collect();
        print_json(&serde_json::json!({ "event": "end", "job": job, "files": files }));
    }
    match job.error {
        Some(error) if json => {
            eprintln!("forgekeeperctl: {}", printable(&error.message));
            Ok(exit::of_error(&error))
        }
        Some(error) => Err(error),
        None => Ok(if job.phase == JobPhase::Succeeded {
            exit::OK
        } else {
            exit::NOT_OK
        }),
    }
}

fn print_record(record: &GenerationRecord, written: &[PathBuf]) {
    for path in written {
        print_line(&path.display().to_string());
    }
    for s in &record.substitutions {
        print_line(&format!(
            "the server used {} `{}` instead of `{}`",
            s.field,
            printable(&s.used),
            printable(&s.asked)
        ));
    }
    print_line(&format!("{:?} in {}", record.verdict, seconds(record.took_ms)).to_lowercase());
}

/// `SERVICE-SEED-NUMBER.png`, with a counter where the name is taken: nothing is overwritten.
fn free_name(folder: &Path, record: &GenerationRecord, number: usize) -> PathBuf {
    let seed = record.pictures[number]
        .seed
        .map_or_else(|| "seed".to_owned(), |s| s.to_string());
    let stem = format!("{}-{seed}-{}", record.service, number + 1);
    let plain = folder.join(format!("{stem}.png"));
    if !plain.exists() {
        return plain;
    }
    // Nobody has so many pictures of one seed; then the last name is refused by nothing worse
    // than the atomic write.
    (2..10_000)
        .map(|n| folder.join(format!("{stem} ({n}).png")))
        .find(|path| !path.exists())
        .unwrap_or(plain)
}

fn io(path: &Path, error: &std::io::Error) -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::Io,
        format!("{} could not be written", path.display()),
    )
    .hint("Check that the folder exists and may be written to, and that the disk has room.")
    .detail(error.to_string())
}
