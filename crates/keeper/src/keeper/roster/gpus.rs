//! The cards of a watched host: where they are asked, and where their minutes go.

use std::{sync::Arc, time::Duration};

use forgekeeper_domain::{container::RunState, ids::HostId};
use tokio::sync::{mpsc, watch};

use super::Roster;
use crate::{
    docker::{
        Engine, Env, endpoint,
        host::{HostHandle, HostView, WatchedContainer},
    },
    gpu::{GpuActor, GpuConfig, GpuContainer, GpuExec, GpuHandle, GpuPlace, past::Minute},
    settings::HostSettings,
    sys::{clock, tasks::Tasks},
};

/// `nvidia-smi` answers in a fraction of a second, or the driver is in trouble.
const SMI_DEADLINE: Duration = Duration::from_secs(5);
/// The same where it may take a login.
const SMI_DEADLINE_SSH: Duration = Duration::from_secs(15);
/// Minutes that may wait for the store.
const MINUTES_BOUND: usize = 16;
/// A table of a few cards is a few hundred bytes.
const SMI_OUTPUT_BYTES: usize = 64 * 1024;

impl Roster {
    /// Starts to read the cards of a host.
    pub(super) fn start_gpus(
        &self,
        tasks: &Tasks,
        host: &HostSettings,
        handle: &HostHandle,
        env: &Env,
        demo: bool,
    ) -> GpuHandle {
        let (place, gpu_place) = watch::channel(GpuPlace::default());
        {
            let (engine, env) = (host.engine.clone(), env.clone());
            let (handle, mut view) = (handle.clone(), handle.view());
            let stop = tasks.token();
            tasks.spawn("gpu place", async move {
                loop {
                    let wanted = handle.wanted();
                    let seen =
                        gpu_place_of(&view.borrow_and_update(), &wanted, &engine, &env, demo);
                    place.send_if_modified(|known| {
                        let news = *known != seen;
                        *known = seen;
                        news
                    });
                    tokio::select! {
                        () = stop.cancelled() => return,
                        changed = view.changed() => if changed.is_err() { return }
                    }
                }
            });
        }
        GpuActor::spawn(
            tasks,
            GpuConfig {
                lib_path: None,
                exec: Some(exec_door(handle.engines())),
                place: gpu_place,
                visible: self.around.visible.clone(),
                minutes: self.keep_gpu_minutes(tasks, &host.id),
            },
        )
    }

    /// Where ended minutes of a host's cards go, when this keeper is a chronicler.
    fn keep_gpu_minutes(&self, tasks: &Tasks, host: &HostId) -> Option<mpsc::Sender<Vec<Minute>>> {
        if !self.around.keeps_history {
            return None;
        }
        let (minutes, mut ended) = mpsc::channel(MINUTES_BOUND);
        let (store, host) = (self.around.store.clone(), host.clone());
        // It ends with the actor that sends them, so that the last minute is kept, too.
        tasks.spawn("gpu minutes", async move {
            while let Some(minutes) = ended.recv().await {
                let kept = store.insert_gpu_minutes(&host, minutes, clock::now()).await;
                if let Err(error) = kept {
                    tracing::error!(%error, "minutes of graphics cards could not be kept");
                }
            }
        });
        Some(minutes)
    }
}

/// The door through which `nvidia-smi` is asked inside a container.
fn exec_door(engines: watch::Receiver<Option<Engine>>) -> GpuExec {
    Arc::new(move |container, argv| {
        let mut engines = engines.clone();
        Box::pin(async move {
            // At start the engine is being connected: that is worth a moment's wait.
            let connected = engines.wait_for(Option::is_some);
            let engine = match tokio::time::timeout(SMI_DEADLINE, connected).await {
                Ok(Ok(engine)) => engine.clone(),
                Ok(Err(_)) | Err(_) => None,
            };
            let engine = engine.ok_or("the engine does not answer")?;
            let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
            let deadline = if engine.resolved().endpoint.is_ssh() {
                SMI_DEADLINE_SSH
            } else {
                SMI_DEADLINE
            };
            let output = engine
                .exec(&container, &argv, deadline, SMI_OUTPUT_BYTES)
                .await
                .map_err(|error| error.to_string())?;
            // A lost card is said on either stream and with any exit code: the parser reads all.
            Ok(output.stdout_text() + &output.stderr_text())
        })
    })
}

/// Where the cards of a host are, and which containers may see them.
fn gpu_place_of(
    view: &HostView,
    wanted: &[String],
    engine: &str,
    env: &Env,
    demo: bool,
) -> GpuPlace {
    let local = match &view.resolved {
        // A demo host's engine is on this machine, and its cards are not this machine's.
        _ if demo => false,
        Some(resolved) => resolved.endpoint.is_local(),
        // No engine at all: this machine is meant when nothing else could have been.
        None => {
            let places = endpoint::resolve(engine, env).candidates;
            view.engine.is_some() && places.iter().all(|place| place.endpoint.is_local())
        }
    };
    let followed = wanted.iter().filter_map(|name| view.containers.get(name));
    let running = followed.filter(|_| view.answers());
    let running = running.filter_map(WatchedContainer::present);
    let mut containers: Vec<GpuContainer> = running
        .filter(|container| container.state == RunState::Running)
        .map(|container| GpuContainer {
            name: container.name.clone(),
            device_ids: container.gpu_device_ids.clone(),
        })
        .collect();
    containers.dedup();
    let looked = view
        .containers
        .values()
        .all(|container| container.fact.is_some() || container.unread.is_some());
    GpuPlace {
        known: view.engine.is_some() && (looked || !view.answers()),
        local,
        login_each_time: view.resolved.as_ref().is_some_and(|r| r.endpoint.is_ssh()),
        containers,
    }
}
