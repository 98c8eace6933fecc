//! `status`: the ladder of each service.

use forgekeeper_domain::{
    error::ErrorInfo,
    logs::{LogMeter, LogSource, Storage},
};
use forgekeeper_keeper::state::{KeeperState, ServiceState};

use crate::{
    args::StatusArgs,
    exit,
    session::Session,
    text::{print_json, print_line, printable, word},
};

/// Shorter delays of a log are the way of things.
const LATE_MS: u32 = 2_000;

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
    if let Some(words) = log_words(&service.log) {
        print_line(&format!("  {:<10} {words}", "log"));
    }
}

/// What of a log is worth a word: that it does not live, comes from elsewhere or late, or is not
/// stored although it should be.
pub(super) fn log_words(meter: &LogMeter) -> Option<String> {
    let mut words = Vec::new();
    if meter.silent {
        words.push("silent".to_owned());
    }
    match (&meter.source, &meter.file_error) {
        (LogSource::File { path }, _) => {
            words.push(format!("reading {} in the container", printable(path)));
        }
        (LogSource::Stream, Some(reason)) if meter.silent => {
            words.push(format!("its file cannot be read: {}", printable(reason)));
        }
        (LogSource::Stream, _) => {}
    }
    if let Some(behind) = meter.behind_ms.filter(|ms| *ms > LATE_MS) {
        let catching_up = if meter.catching_up {
            "catching up, "
        } else {
            ""
        };
        words.push(format!("{catching_up}{} s behind", behind / 1000));
    }
    match &meter.stored {
        Storage::Elsewhere => words.push("another Forgekeeper stores it".to_owned()),
        Storage::Failed { reason } => words.push(format!("not stored: {}", printable(reason))),
        Storage::Here(kept) => {
            let error = kept.error.as_ref();
            words.extend(error.map(|reason| format!("not stored: {}", printable(reason))));
        }
        // One command stores nothing, and is not asked to.
        Storage::Opening | Storage::ReadOnly => {}
    }
    (!words.is_empty()).then(|| words.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_log_in_order_nothing_is_said() {
        let meter = LogMeter {
            connected: true,
            behind_ms: Some(LATE_MS),
            stored: Storage::ReadOnly,
            ..LogMeter::unopened()
        };
        assert_eq!(log_words(&meter), None);
        let late = LogMeter {
            behind_ms: Some(12_300),
            stored: Storage::Elsewhere,
            ..meter.clone()
        };
        let said = log_words(&late);
        assert_eq!(
            said.as_deref(),
            Some("12 s behind; another Forgekeeper stores it")
        );
        let silent = LogMeter {
            silent: true,
            source: LogSource::File {
                path: "/var/log/x\u{1b}[2J.log".to_owned(),
            },
            stored: Storage::Failed {
                reason: "disk full".to_owned(),
            },
            ..meter
        };
        let said = log_words(&silent).unwrap_or_default();
        assert!(said.starts_with("silent; reading /var/log/x"), "{said}");
        assert!(said.ends_with("; not stored: disk full"), "{said}");
        assert!(!said.contains('\u{1b}'), "{said}");
    }
}
