//! `demo`: the demo host as a server of its own, until interrupted.

use std::path::Path;

use forgekeeper_domain::error::{ErrorCode, ErrorInfo};
use forgekeeper_keeper::{keeper::MIGRATION_FILE, sys::files};
use forgekeeper_standin::{DemoOptions, DemoSite, FAULTS, Fault};

use crate::{
    args::DemoArgs,
    exit,
    interrupt::Interrupt,
    session::demo_folder,
    text::{print_json, print_line},
};

pub(super) async fn run(
    args: &DemoArgs,
    json: bool,
    mut interrupt: Interrupt,
) -> Result<u8, ErrorInfo> {
    if args.list_faults {
        for row in FAULTS {
            if json {
                print_json(&serde_json::json!({ "name": row.name, "what": row.text }));
            } else {
                print_line(&format!("{:<24} {}", row.name, row.text));
            }
        }
        return Ok(exit::OK);
    }
    if !(args.speed.is_finite() && args.speed > 0.0 && args.speed <= 1000.0) {
        return Err(ErrorInfo::new(
            ErrorCode::BadRequest,
            format!("--speed must be between 0 and 1000, not {}", args.speed),
        ));
    }
    let faults = args
        .fault
        .iter()
        .map(|f| parse_fault(f))
        .collect::<Result<Vec<_>, _>>()?;
    let options = DemoOptions {
        speed: args.speed,
        faults,
        ..DemoOptions::default()
    };
    let site = DemoSite::start(options).await.map_err(|error| {
        ErrorInfo::new(ErrorCode::Io, "the demo host could not be started")
            .detail(error.to_string())
    })?;
    let folder = demo_folder()?;
    let path = folder.path().join("forgekeeper.toml");
    write(&path, &site.config_toml())?;
    write(&path.with_file_name(MIGRATION_FILE), &site.plan_toml())?;
    if json {
        print_json(&serde_json::json!({ "config": path.display().to_string(),
            "engine": site.engine_url(), "control": site.control_url() }));
    } else {
        print_line(&path.display().to_string());
        eprintln!(
            "engine {}  faults {}",
            site.engine_url(),
            site.control_url()
        );
        eprintln!("Press Ctrl+C to end.");
    }
    interrupt.asked().await;
    site.shutdown().await;
    if let Err(error) = folder.close() {
        tracing::warn!(%error, "the demo's folder was left behind");
    }
    Ok(exit::OK)
}

fn parse_fault(text: &str) -> Result<(Fault, Option<String>), ErrorInfo> {
    let (name, service) = match text.split_once('=') {
        Some((name, service)) => (name, Some(service.to_owned())),
        None => (text, None),
    };
    let fault = name.parse::<Fault>().map_err(|error| {
        ErrorInfo::new(ErrorCode::BadRequest, error.to_string())
            .hint("`forgekeeperctl demo --list-faults` lists them.")
    })?;
    Ok((fault, service))
}

fn write(path: &Path, text: &str) -> Result<(), ErrorInfo> {
    files::write_atomic(path, text.as_bytes()).map_err(|error| {
        let words = format!("{} could not be written", path.display());
        ErrorInfo::new(ErrorCode::Io, words).detail(error.to_string())
    })
}
