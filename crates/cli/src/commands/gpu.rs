//! `gpu`: cards with their readings; what is not available says so.

use std::{sync::Arc, time::Duration};

use forgekeeper_domain::{
    error::ErrorInfo,
    gpu::{GpuSourceInfo, GpuView},
};
use forgekeeper_keeper::state::KeeperState;

use crate::{
    args::GpuArgs,
    exit,
    interrupt::Interrupt,
    session::{FIRST_ROUND, Session},
    text::{print_json, print_line, printable},
};

mod detail;
mod table;

pub(crate) use detail::card_name;

use table::Table;

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
        session.cards_read().await;
        Ok(())
    };
    interrupt.unless(looked).await?;
    if !args.watch {
        let now = state.borrow_and_update().clone();
        print(&now, json);
        let mut cards = now.hosts.iter().flat_map(|h| &h.gpus.cards).peekable();
        // What was read before the source fell silent is no measurement of now.
        let measured = cards.peek().is_some() && cards.all(|card| card.current);
        return Ok(if measured { exit::OK } else { exit::UNKNOWN });
    }
    let mut table = Table::new();
    loop {
        let now = state.borrow_and_update().clone();
        if json {
            print(&now, json);
        } else if !table.draw(&now) {
            return Ok(exit::OK);
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
            for line in detail::lines(card) {
                print_line(&line);
            }
        }
        if let Some(error) = &host.gpus.error {
            print_line(&format!("  {}", printable(error)));
        }
    }
    if state.hosts.is_empty() {
        print_line("No host is configured.");
    }
}

fn source(view: &GpuView) -> String {
    match &view.source {
        GpuSourceInfo::Nvml { driver, cuda } => {
            let cuda = cuda.as_ref().map(|v| format!(", CUDA {}", printable(v)));
            let driver = driver.as_deref().map_or_else(
                || "driver version not told".to_owned(),
                |version| format!("driver {}", printable(version)),
            );
            format!("NVML, {driver}{}", cuda.unwrap_or_default())
        }
        GpuSourceInfo::NvidiaSmi { container, driver } => {
            let driver = driver
                .as_ref()
                .map(|v| format!(", driver {}", printable(v)));
            format!(
                "nvidia-smi in {}{}",
                printable(container),
                driver.unwrap_or_default()
            )
        }
        GpuSourceInfo::None { tried } if tried.is_empty() => "not looked yet".to_owned(),
        GpuSourceInfo::None { tried } => {
            format!("no GPU reachable ({})", printable(&tried.join("; ")))
        }
    }
}
