//! `generate`: test pictures into a folder, one line for each event with `--json`.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{
        GenerationRecord, GenerationRequest, Hires, PRESETS, Preset, Replaced, Seed, Substitution,
        Variation,
        workflow::{MAX_BYTES, Workflow, WorkflowProblem},
    },
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
/// Of a second pass: what A1111's own window starts with.
const USUAL_DENOISE: f64 = 0.7;

pub(super) async fn run(
    session: &Session,
    args: &GenerateArgs,
    json: bool,
    mut interrupt: Interrupt,
) -> Result<u8, ErrorInfo> {
    let usual = usual(session, args.preset.as_deref())?;
    let request = asked(args, usual);
    if let Some(verb) = args.golden.golden {
        return golden::run(session, args, verb, request, json, interrupt).await;
    }
    request
        .check()
        .map_err(|e| ErrorInfo::new(ErrorCode::BadRequest, e.to_string()).hint(e.remedy()))?;
    let workflow = args.workflow.as_deref().map(read_workflow).transpose()?;
    let handle = session.handle();
    let Some(out) = args.out.as_deref().filter(|_| !args.print_graph) else {
        interrupt.unless(session.service(&args.service)).await?;
        let graph = handle.generation_graph(&args.service, &request, None);
        print_line(&interrupt.unless(graph).await?);
        return Ok(exit::OK);
    };
    files::ensure_dir(out).map_err(|e| io(out, &e))?;
    interrupt.unless(session.service(&args.service)).await?;
    let id = match &workflow {
        Some(text) => {
            let name = args.workflow.as_deref().and_then(Path::file_stem);
            let name = name.unwrap_or_default().to_string_lossy().into_owned();
            let order = handle.generate_workflow(&args.service, request, name, text);
            order.await?
        }
        None => handle.generate(&args.service, request, args.force).await?,
    };
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

/// The founding document's request, or what a preset makes of it: a built-in one or the user's own.
fn usual(session: &Session, preset: Option<&str>) -> Result<GenerationRequest, ErrorInfo> {
    let mut usual = GenerationRequest::default();
    let Some(name) = preset else {
        return Ok(usual);
    };
    if let Some(preset) = Preset::of(name) {
        preset.apply(&mut usual);
        return Ok(usual);
    }
    let own = session.handle().presets()?;
    if let Some(preset) = own.iter().find(|preset| preset.name == name) {
        return Ok(preset.request.clone());
    }
    let known: Vec<String> = PRESETS
        .iter()
        .map(|preset| preset.name)
        .chain(own.iter().map(|preset| preset.name.as_str()))
        .map(|name| format!("`{}`", printable(name)))
        .collect();
    Err(ErrorInfo::new(
        ErrorCode::BadRequest,
        format!("there is no preset `{}`", printable(name)),
    )
    .hint(format!("Known presets: {}.", known.join(", "))))
}

/// The usual request with what was given.
fn asked(args: &GenerateArgs, usual: GenerationRequest) -> GenerationRequest {
    let variation = args.subseed_strength.map(|strength| Variation {
        seed: args.subseed.map(Seed),
        strength,
    });
    let hires = args.hires_scale.map(|scale| Hires {
        scale,
        steps: args.hires_steps,
        denoise: args.hires_denoise.unwrap_or(USUAL_DENOISE),
        upscaler: args.hires_upscaler.clone(),
    });
    GenerationRequest {
        prompt: args.prompt.clone().unwrap_or_default(),
        negative_prompt: if args.negative.is_empty() {
            usual.negative_prompt
        } else {
            args.negative.clone()
        },
        steps: args.steps.unwrap_or(usual.steps),
        width: args.width.unwrap_or(usual.width),
        height: args.height.unwrap_or(usual.height),
        cfg_scale: args.cfg.unwrap_or(usual.cfg_scale),
        seed: args.seed.map(Seed).or(usual.seed),
        sampler: args.sampler.clone().or(usual.sampler),
        scheduler: args.scheduler.clone().or(usual.scheduler),
        model: args.model.clone().or(usual.model),
        batch: args.batch.unwrap_or(usual.batch),
        distilled_cfg: args.distilled_cfg.or(usual.distilled_cfg),
        clip_skip: args.clip_skip.or(usual.clip_skip),
        variation: variation.or(usual.variation),
        hires: hires.or(usual.hires),
        modules: if args.modules.is_empty() {
            usual.modules
        } else {
            args.modules.clone()
        },
    }
}

/// The text of a workflow file, when it is one.
fn read_workflow(path: &Path) -> Result<String, ErrorInfo> {
    let bad = |why: &str| {
        let words = format!("{}: {why}", path.display());
        ErrorInfo::new(ErrorCode::BadRequest, words)
    };
    let read = || -> std::io::Result<Option<String>> {
        let mut text = String::new();
        let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
        std::fs::File::open(path)?
            .take(most.saturating_add(1))
            .read_to_string(&mut text)?;
        Ok((text.len() <= MAX_BYTES).then_some(text))
    };
    let text = read()
        .map_err(|error| bad(&error.to_string()))?
        .ok_or_else(|| bad(&WorkflowProblem::TooLarge.to_string()))?;
    Workflow::parse(&text).map_err(|problem| bad(&problem.to_string()))?;
    Ok(text)
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
    for substitution in &record.substitutions {
        print_line(&told(substitution));
    }
    print_line(&format!("{:?} in {}", record.verdict, seconds(record.took_ms)).to_lowercase());
}

fn told(Substitution { field, asked, used }: &Substitution) -> String {
    let (asked, used) = (printable(asked), printable(used));
    // Not of this picture, but of every one after it.
    if *field == Replaced::OptionsAfterwards {
        return format!("the server's options `{asked}` could not be put back: now `{used}`");
    }
    format!("the server used {field} `{used}` instead of `{asked}`")
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
    let stem = stem(record.service.as_str(), &seed, number + 1);
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

/// A name without its ending. Windows takes a file for a device when the part before its first point is
/// called like one.
fn stem(service: &str, seed: &str, number: usize) -> String {
    const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
    let stem = format!("{service}-{seed}-{number}");
    let first = stem
        .split('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let port = ["com", "lpt"].iter().any(|port| {
        first
            .strip_prefix(port)
            .is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|b| b.is_ascii_digit()))
    });
    if port || DEVICES.contains(&first.as_str()) {
        return format!("_{stem}");
    }
    stem
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
    fn a_name_is_a_file_everywhere() {
        for (service, expected) in [
            ("myia-turbo", "myia-turbo-5-1"),
            ("con", "con-5-1"),
            ("CON.x", "_CON.x-5-1"),
            ("nul.", "_nul.-5-1"),
            ("com1.gpu", "_com1.gpu-5-1"),
            ("lpt9.gpu", "_lpt9.gpu-5-1"),
            ("com12.gpu", "com12.gpu-5-1"),
            (".com1", ".com1-5-1"),
        ] {
            assert_eq!(stem(service, "5", 1), expected);
        }
        // The longest name of all stays far below what file systems take.
        let longest = stem(&"x".repeat(128), &u64::MAX.to_string(), 9_999);
        assert!(
            longest.len() + " (9999).webp".len() < 255,
            "{}",
            longest.len()
        );
        // Nothing of a prompt is in it: services are letters, digits, points, `_` and `-` alone.
        assert!(forgekeeper_domain::ids::ServiceId::new("a/b").is_err());
        assert!(forgekeeper_domain::ids::ServiceId::new("a:b").is_err());
    }

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
