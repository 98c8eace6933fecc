//! `generate`: test pictures into a folder, one line for each event with `--json`.

use std::path::{Path, PathBuf};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{GenerationRecord, GenerationRequest, Preset, Seed},
    job::{Job, JobPhase},
};
use forgekeeper_keeper::{media::pictures::PictureFile, sys::files};

use super::golden;
use crate::{
    args::GenerateArgs,
    exit,
    interrupt::Interrupt,
    session::Session,
    text::{print_json, print_line, printable, seconds},
};

/// Pictures of one seed in one folder.
const MAX_NAMES: u32 = 9_999;

pub(super) async fn run(
    session: &Session,
    args: &GenerateArgs,
    json: bool,
    mut interrupt: Interrupt,
) -> Result<u8, ErrorInfo> {
    if let Some(verb) = args.golden.golden {
        return golden::run(session, args, verb, json, interrupt).await;
    }
    let request = asked(args);
    request
        .check()
        .map_err(|e| ErrorInfo::new(ErrorCode::BadRequest, e.to_string()))?;
    // The parser asks for it.
    let out = args.out.as_deref().unwrap_or(Path::new("."));
    files::ensure_dir(out).map_err(|e| io(out, &e))?;
    interrupt.unless(session.service(&args.service)).await?;
    let handle = session.handle();
    let id = handle.generate(&args.service, request).await?;
    let mut follow = handle.follow_job(&id)?;
    let mut told = false;
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
            () = interrupt.asked(), if !told => {
                told = true;
                // An error means that it ended at this very moment, with its pictures.
                let _ = handle.cancel(&id);
            }
        }
    };
    finish(session, out, ended, json).await
}

/// The request: the founding document's, then the preset's, then what was given.
pub(super) fn asked(args: &GenerateArgs) -> GenerationRequest {
    let mut usual = GenerationRequest::default();
    if let Some(preset) = args.preset.as_deref().and_then(Preset::of) {
        preset.apply(&mut usual);
    }
    GenerationRequest {
        prompt: args.prompt.clone().unwrap_or_default(),
        negative_prompt: args.negative.clone(),
        steps: args.steps.unwrap_or(usual.steps),
        width: args.width.unwrap_or(usual.width),
        height: args.height.unwrap_or(usual.height),
        cfg_scale: args.cfg.unwrap_or(usual.cfg_scale),
        seed: args.seed.map(Seed),
        sampler: args.sampler.clone(),
        scheduler: args.scheduler.clone(),
        model: args.model.clone(),
        batch: args.batch,
        ..usual
    }
}

async fn finish(session: &Session, out: &Path, job: Job, json: bool) -> Result<u8, ErrorInfo> {
    let mut written = Vec::new();
    if let Some(record) = &job.record {
        for (number, picture) in record.pictures.iter().enumerate() {
            let file = session.handle().picture(&picture.hash).await?;
            written.push(write(out, record, number, &file)?);
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

/// Writes a picture as `SERVICE-SEED-NUMBER` with the ending of its kind, and a counter where the
/// name is taken: nothing is overwritten, not even by another command at the same moment.
fn write(
    folder: &Path,
    record: &GenerationRecord,
    number: usize,
    file: &PictureFile,
) -> Result<PathBuf, ErrorInfo> {
    let seed = record.pictures[number]
        .seed
        .map_or_else(|| "seed".to_owned(), |s| s.to_string());
    let stem = format!("{}-{seed}-{}", record.service, number + 1);
    let ending = ending(&file.mime);
    for n in 1..=MAX_NAMES {
        let path = folder.join(match n {
            1 => format!("{stem}.{ending}"),
            n => format!("{stem} ({n}).{ending}"),
        });
        match files::write_new(&path, &file.bytes) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(io(&path, &error)),
        }
    }
    Err(ErrorInfo::new(
        ErrorCode::Io,
        format!(
            "{} holds {MAX_NAMES} pictures called `{stem}` already",
            folder.display()
        ),
    )
    .hint("Choose another folder with --out."))
}

/// The server chooses the format by its own settings.
fn ending(mime: &str) -> &'static str {
    match mime {
        "image/jpeg" => "jpg",
        "image/webp" => "webp",
        _ => "png",
    }
}

pub(super) fn io(path: &Path, error: &std::io::Error) -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::Io,
        format!("{} could not be written", path.display()),
    )
    .hint("Check that the folder exists and may be written to, and that the disk has room.")
    .detail(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_is_that_of_the_format() {
        for (mime, expected) in [
            ("image/png", "png"),
            ("image/jpeg", "jpg"),
            ("image/webp", "webp"),
        ] {
            assert_eq!(ending(mime), expected);
        }
    }
}
