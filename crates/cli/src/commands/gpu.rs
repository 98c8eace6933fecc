//! `gpu`: cards with their readings; what is not available says so.

use std::{sync::Arc, time::Duration};

use forgekeeper_domain::{
    error::ErrorInfo,
    gpu::{GpuCard, GpuSourceInfo, GpuView},
};
use forgekeeper_keeper::state::KeeperState;

use crate::{
    args::GpuArgs,
    exit,
    interrupt::Interrupt,
    session::{FIRST_ROUND, Session},
    text::{gibibytes, or_not_available, print_json, print_line, printable},
};

/// So long after the first round a source is asked again that found nothing at first.
const SECOND_QUESTION: Duration = Duration::from_secs(3);

pub(super) async fn run(
    session: &Session,
    args: &GpuArgs,
    json: bool,
    mut interrupt: Interrupt,
) -> Result<u8, ErrorInfo> {
    let handle = session.handle();
    let mut state = handle.state();
    let looked = async {
        // Past the deadlines it is said to be unknown; a closed channel means shutdown.
        let first = state.wait_for(everything_was_asked);
        let _ = tokio::time::timeout(FIRST_ROUND, first).await;
        // The first question may have come before any container was known to ask it in.
        handle.settled(FIRST_ROUND).await;
        let second = state.wait_for(|s| s.hosts.iter().all(|h| !h.gpus.cards.is_empty()));
        let _ = tokio::time::timeout(SECOND_QUESTION, second).await;
        Ok(())
    };
    interrupt.unless(looked).await?;
    loop {
        let now = state.borrow_and_update().clone();
        print(&now, json);
        if !args.watch {
            let mut cards = now.hosts.iter().flat_map(|h| &h.gpus.cards).peekable();
            // What was read before the source fell silent is no measurement of now.
            let measured = cards.peek().is_some() && cards.all(|card| card.current);
            return Ok(if measured { exit::OK } else { exit::UNKNOWN });
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            () = interrupt.asked() => return Ok(exit::OK),
        }
    }
}

fn everything_was_asked(state: &Arc<KeeperState>) -> bool {
    state.revision > 0
        && (!state.hosts.is_empty() || state.services.is_empty() && state.settings.exists)
        && state.hosts.iter().all(|h| h.gpus.checked_at.is_some())
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
