//! `status`: the ladder of each service.

use forgekeeper_domain::error::ErrorInfo;
use forgekeeper_keeper::state::{KeeperState, ServiceState};

use crate::{
    args::StatusArgs,
    exit,
    session::Session,
    text::{print_json, print_line, printable, word},
};

pub(super) async fn run(session: &Session, args: &StatusArgs, json: bool) -> Result<u8, ErrorInfo> {
    if let Some(id) = &args.service {
        session.known(id)?;
    }
    let mut state = session.measured().await;
    if let Some(id) = &args.service {
        state.services.retain(|s| s.id == *id);
    }
    if json {
        print_json(&state);
    } else {
        print(&state);
    }
    if state.services.is_empty() {
        return Ok(exit::UNKNOWN);
    }
    Ok(exit::of_statuses(state.services.iter().map(|s| s.status)))
}

fn print(state: &KeeperState) {
    if state.services.is_empty() {
        print_line("No service is configured. `forgekeeperctl discover` looks for some.");
    }
    for service in &state.services {
        print_service(service);
    }
    for incident in &state.incidents {
        print_line(&format!("incident: {} ({})", incident.cause, incident.id));
    }
}

fn print_service(service: &ServiceState) {
    print_line(&format!(
        "{}  {}  {}",
        service.id,
        service.kind,
        word(service.status)
    ));
    for rung in &service.ladder.rungs {
        let outcome = &rung.outcome;
        let cause = outcome.cause.map(|c| format!("  {c}")).unwrap_or_default();
        let evidence: Vec<String> = outcome
            .evidence
            .iter()
            .map(|e| format!("{}={}", e.name, printable(&e.value).replace('\n', " ")))
            .collect();
        let checked = outcome
            .checked_at
            .map(|at| format!("  at {}", at.strftime("%H:%M:%S")))
            .unwrap_or_default();
        print_line(&format!(
            "  {:<10} {:<9}{cause}{}{checked}",
            format!("{:?}", rung.rung).to_lowercase(),
            word(outcome.status),
            if evidence.is_empty() {
                String::new()
            } else {
                format!("  {}", evidence.join(" "))
            },
        ));
    }
}
