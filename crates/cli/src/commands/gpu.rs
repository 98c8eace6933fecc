//! `gpu`: cards with their readings; what is not available says so.

use std::time::Duration;

use forgekeeper_domain::{
    error::ErrorInfo,
    gpu::{GpuCard, GpuSourceInfo, GpuView},
};
use forgekeeper_keeper::state::KeeperState;

use crate::{
    args::GpuArgs,
    exit,
    session::{FIRST_ROUND, Session},
    text::{gibibytes, or_not_available, print_json, print_line, printable},
};

pub(super) async fn run(session: &Session, args: &GpuArgs, json: bool) -> Result<u8, ErrorInfo> {
    let handle = session.handle();
    let mut state = handle.state();
    let read = state.wait_for(|s| {
        s.revision > 0
            && (!s.hosts.is_empty() || s.services.is_empty() && s.settings.exists)
            && s.hosts.iter().all(|h| h.gpus.checked_at.is_some())
    });
    // Past the deadline it is said to be unknown.
    let _ = tokio::time::timeout(FIRST_ROUND, read).await;
    loop {
        let now = state.borrow_and_update().clone();
        print(&now, json);
        if !args.watch {
            let any = now.hosts.iter().any(|h| !h.gpus.cards.is_empty());
            return Ok(if any { exit::OK } else { exit::UNKNOWN });
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            stop = tokio::signal::ctrl_c() => {
                if let Err(error) = stop {
                    tracing::warn!(%error, "interruption cannot be heard");
                }
                return Ok(exit::OK);
            }
        }
    }
}

fn print(state: &KeeperState, json: bool) {
    if json {
        let hosts: Vec<_> = state
            .hosts
            .iter()
            .map(|h| serde_json::json!({ "host": h.id, "gpus": h.gpus }))
            .collect();
        print_json(&serde_json::json!({ "at": state.at, "hosts": hosts }));
        return;
    }
    for host in &state.hosts {
        print_line(&format!("{}: {}", host.id, source(&host.gpus)));
        for card in &host.gpus.cards {
            print_line(&row(card));
        }
    }
    if state.hosts.is_empty() {
        print_line("No host is configured.");
    }
}

fn source(view: &GpuView) -> String {
    match &view.source {
        GpuSourceInfo::Nvml { driver } => format!("NVML, driver {}", printable(driver)),
        GpuSourceInfo::NvidiaSmi { container, .. } => {
            format!("nvidia-smi in {}", printable(container))
        }
        GpuSourceInfo::None { tried } if tried.is_empty() => "not looked yet".to_owned(),
        GpuSourceInfo::None { tried } => {
            format!("no GPU reachable ({})", printable(&tried.join("; ")))
        }
    }
}

fn row(card: &GpuCard) -> String {
    let s = &card.latest;
    let memory = match (s.memory_used, s.memory_total) {
        (Some(used), Some(total)) => format!("{} / {}", gibibytes(used), gibibytes(total)),
        (None, Some(total)) => format!("not available / {}", gibibytes(total)),
        _ => "not available".to_owned(),
    };
    format!(
        "  {} {}  {}  load {}  memory {memory}  temperature {}  power {}{}",
        s.index,
        printable(&s.name),
        s.uuid,
        or_not_available(s.load_percent, |v| format!("{v} %")),
        or_not_available(s.temperature_c, |v| format!("{v} °C")),
        or_not_available(s.power_w, |v| format!("{v:.0} W")),
        if card.current {
            String::new()
        } else {
            format!("  (as of {})", s.at)
        },
    )
}
