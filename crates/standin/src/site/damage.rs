//! Turns raised and lowered faults into what happens to containers and programs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::{Site, SiteService};
use crate::docker::Work;
use crate::faults::{ActiveFault, Fault};
use crate::flood;
use crate::forge::FORGE_LOG;
use crate::programs::Verb;

/// Starts the task that watches the board.
pub(super) fn follow(site: &Arc<Site>) {
    let mut changes = site.faults.changes();
    // Faults that are up already count as new.
    let mut known = BTreeSet::new();
    let weak = Arc::downgrade(site);
    site.tasks.spawn(async move {
        loop {
            let now = changes.borrow_and_update().clone();
            let Some(site) = weak.upgrade() else { return };
            for entry in now.difference(&known) {
                each(&site, entry, true);
            }
            for entry in known.difference(&now) {
                each(&site, entry, false);
            }
            drop(site);
            known = now;
            if changes.changed().await.is_err() {
                return;
            }
        }
    });
}

fn each(site: &Arc<Site>, entry: &ActiveFault, raised: bool) {
    if entry.fault == Fault::EngineRestarted && raised {
        let board = site.faults.clone();
        site.tasks.spawn(async move {
            tokio::time::sleep(Duration::from_secs(2)).await;
            board.lower(Fault::EngineRestarted, None);
        });
    }
    for service in &site.services {
        if entry.service.as_ref().is_none_or(|id| *id == service.id) {
            let (service, fault) = (service.clone(), entry.fault);
            let still = site.faults.clone();
            site.tasks.spawn(async move {
                if raised {
                    begin(&service, fault).await;
                } else if !still.is(fault, &service.id) {
                    mend(&service, fault).await;
                }
            });
        }
    }
}

/// Deeds of the engine that fail here were refused because the container is already so.
async fn begin(service: &SiteService, fault: Fault) {
    let container = &service.container;
    let forge = match &container.spec.work {
        Work::Forge(forge) => Some(forge),
        _ => None,
    };
    match fault {
        Fault::ContainerStopped => {
            let _ = container.stop(Some(0)).await;
        }
        Fault::ContainerGone => {
            let _ = container.remove(true).await;
        }
        Fault::ContainerRecreated => {
            let _ = container.remove(true).await;
            let _ = container.recreate().await;
        }
        Fault::ContainerOom => {
            let _ = container.kill("KILL", true).await;
        }
        Fault::ContainerKilled => {
            let _ = container.kill("KILL", false).await;
        }
        // A container that does not run has nothing that could end.
        Fault::CrashLoop if container.running() => Arc::clone(container).crash_loop().await,
        Fault::ProgramFatal => {
            if let (Some(forge), Some(supervisor)) = (forge, &container.supervisor) {
                supervisor.looping.end().await;
                supervisor.go_fatal(forge, &container.spec.log);
            }
        }
        Fault::ProgramLoop => container.program_loop().await,
        // Both show in the next start of the program.
        Fault::ProgramStarting | Fault::ConfigReset => {
            if let Some(supervisor) = &container.supervisor {
                let _ = supervisor.act(Verb::Restart, &["forge"], container).await;
            }
        }
        // Mounts are made at the creation of a container and never change after it.
        Fault::WorkspaceUnmounted | Fault::ConfigSecondWriter if forge.is_some() => {
            let _ = container.remove(true).await;
            let _ = container.recreate().await;
        }
        Fault::ConfigOptionsNulled => {
            if let Some(forge) = forge {
                forge.careless_request();
            }
        }
        Fault::LogReplay => container.spec.log.replay(512),
        Fault::LogFlood if forge.is_some() => {
            for line in flood::burst() {
                container.spec.log.file(FORGE_LOG, &line);
            }
        }
        _ => {}
    }
}

async fn mend(service: &SiteService, fault: Fault) {
    let container = &service.container;
    match fault {
        Fault::ContainerStopped | Fault::ContainerOom | Fault::ContainerKilled => {
            let _ = container.start().await;
        }
        Fault::ContainerGone => {
            let _ = container.recreate().await;
        }
        Fault::ProgramFatal => {
            if let Some(supervisor) = &container.supervisor {
                let _ = supervisor.act(Verb::Start, &["forge"], container).await;
            }
        }
        Fault::ConfigOptionsNulled => {
            if let Work::Forge(forge) = &container.spec.work {
                forge.restore_checkpoint();
            }
        }
        Fault::ConfigReset => {
            if let Work::Forge(forge) = &container.spec.work {
                forge.restore_options();
            }
        }
        Fault::WorkspaceUnmounted | Fault::ConfigSecondWriter => {
            if let Work::Forge(forge) = &container.spec.work {
                let _ = container.remove(true).await;
                forge.restore_options();
                let _ = container.recreate().await;
            }
        }
        _ => {}
    }
}
