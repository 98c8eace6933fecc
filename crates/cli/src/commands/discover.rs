//! `discover`: candidates found on every engine, and what was tried.

use forgekeeper_domain::error::ErrorInfo;

use crate::{
    exit,
    session::Session,
    text::{print_json, print_line, printable},
};

/// Origins of engines that somebody asked for.
const NAMED: [&str; 2] = ["forgekeeper.toml", "DOCKER_HOST"];

pub(super) async fn run(session: &Session, json: bool) -> Result<u8, ErrorInfo> {
    let report = session.handle().discover().await?;
    let answered = report.engines.iter().any(|e| e.version.is_some());
    // Places where Docker usually listens are tried and may be empty; what the settings or the
    // environment name must answer, or not everything was seen.
    let unseen = report
        .engines
        .iter()
        .any(|e| e.version.is_none() && NAMED.contains(&e.origin.as_str()));
    if json {
        print_json(&report);
    } else {
        for engine in &report.engines {
            let found = match (&engine.version, engine.cause) {
                (Some(version), _) => format!("Docker {version}"),
                (None, Some(cause)) => {
                    let detail = engine.detail.as_deref().map(printable).unwrap_or_default();
                    format!("{cause} {detail}")
                }
                (None, None) => "unknown".to_owned(),
            };
            print_line(&format!(
                "engine {} ({}): {found}",
                engine.endpoint, engine.origin
            ));
        }
        for candidate in &report.candidates {
            let known = candidate
                .known_as
                .as_ref()
                .map(|id| format!(", administered as {id}"))
                .unwrap_or_default();
            print_line(&format!(
                "{}  {}  container {}  api {}  gpu {}{known}",
                candidate.id,
                candidate.kind,
                printable(&candidate.container),
                candidate.api.as_deref().unwrap_or("no published port"),
                if candidate.gpu_device_ids.is_empty() {
                    "not declared".to_owned()
                } else {
                    printable(&candidate.gpu_device_ids.join(","))
                },
            ));
            for why in &candidate.why {
                print_line(&format!("    because {}", printable(&why.to_string())));
            }
        }
        if report.candidates.is_empty() {
            print_line("No candidate was found.");
        }
    }
    Ok(if answered && !unseen {
        exit::OK
    } else {
        exit::UNKNOWN
    })
}
