//! The log of a watched service: fed from its container, and handed on when the service is started
//! anew.

use std::{sync::Arc, time::Duration};

use forgekeeper_domain::Timestamp;
use futures_util::StreamExt as _;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::HostEntry;
use crate::{
    docker::{Engine, host::HostView, logs::LogOptions},
    logs::{HELD_LINES, Renewal, ServiceLog, follow},
    settings::ServiceSettings,
    sys::tasks::Tasks,
};

/// How long a log waits for the first look at its container.
const LOOK_DEADLINE: Duration = Duration::from_secs(5);

/// The log of a service that is started anew: its readers go on, whatever was edited.
pub(super) struct KeptLog {
    pub(super) log: ServiceLog,
    /// It feeds the log until it has ended.
    pub(super) follower: JoinHandle<()>,
    /// Of the same container on the same engine.
    pub(super) same: bool,
}

/// Begins to feed the log of a service; the kept one, where it was watched before.
pub(super) fn start(
    tasks: &Tasks,
    host: &HostEntry,
    service: &ServiceSettings,
    kept: Option<KeptLog>,
) -> (ServiceLog, JoinHandle<()>) {
    let log = kept
        .as_ref()
        .map_or_else(ServiceLog::new, |kept| kept.log.clone());
    let following = follow_container(log.clone(), host, service, tasks.token());
    let of_log = log.clone();
    let follower = tasks.spawn("log follower", async move {
        if let Some(kept) = kept {
            // Two followers at once would mix their lines. Why the old one ended is no matter.
            let _ = kept.follower.await;
            if !kept.same {
                of_log.start_anew();
            }
        }
        following.await;
    });
    (log, follower)
}

/// Follows the log of a container by name, across engine restarts and recreations.
fn follow_container(
    log: ServiceLog,
    host: &HostEntry,
    service: &ServiceSettings,
    stop: CancellationToken,
) -> impl Future<Output = ()> + Send + 'static {
    let runs = Runs {
        view: host.handle.view(),
        container: service.container.clone(),
    };
    let (engines, view) = (host.handle.engines(), host.handle.view());
    let container = service.container.clone();
    let log_of_open = log.clone();
    let open = move |since: Option<Timestamp>| {
        let (mut engines, mut view) = (engines.clone(), view.clone());
        let (container, log) = (container.clone(), log_of_open.clone());
        async move {
            let engine: Engine = loop {
                if let Some(engine) = engines.borrow_and_update().clone() {
                    break engine;
                }
                // Readers are told why nothing comes.
                log.disconnected("waiting for the container engine");
                if engines.changed().await.is_err() {
                    return Err("the engine is not watched any more".to_owned());
                }
            };
            let options = LogOptions {
                follow: true,
                tail: since.is_none().then_some(HELD_LINES),
                after: since,
            };
            // Compose may call it otherwise than the settings do; that is known after the first
            // look, and a look that takes long must not keep the log away.
            let looked = view.wait_for(|view| view.container_fact(&container).is_some());
            let _ = tokio::time::timeout(LOOK_DEADLINE, looked).await;
            let name = view.borrow().real_name(&container);
            let name = name.ok_or_else(|| format!("`{container}` has no container"))?;
            let stream = engine.logs(&name, options);
            Ok(stream.map(|part| {
                part.map(|raw| (raw.stream, raw.bytes))
                    .map_err(|error| error.to_string())
            }))
        }
    };
    follow(log, open, runs, stop)
}

/// The runs of a container, as its host's watcher sees them.
struct Runs {
    view: watch::Receiver<Arc<HostView>>,
    container: String,
}

impl Renewal for Runs {
    type Run = Option<(String, Option<Timestamp>)>;

    fn run(&mut self) -> Self::Run {
        let view = self.view.borrow_and_update();
        let container = view.containers.get(&self.container)?.present()?;
        Some((container.id.clone(), container.started_at))
    }

    async fn changed(&mut self) {
        if self.view.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
