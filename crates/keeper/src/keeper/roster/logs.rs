//! The log of a watched service: fed from its container, and handed on when the service is started
//! anew.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use forgekeeper_domain::{Timestamp, ids::ServiceId, logs::Storage, service::kind};
use futures_util::StreamExt as _;
use jiff::SignedDuration;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{HostEntry, Surroundings};
use crate::{
    docker::{Engine, host::HostView, logs::LogOptions},
    keeper::LogKeeping,
    logs::{
        HELD_LINES, Renewal, ServiceLog,
        archive::{self, Archive, Newest},
        follow,
    },
    rules::RulesSnapshot,
    settings::ServiceSettings,
    sys::{clock, tasks::Tasks},
};

mod file;
mod marks;

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

/// Where and how the logs of all services are stored.
#[derive(Debug, Clone)]
pub(in crate::keeper) struct StoredLogs {
    folder: PathBuf,
    keeping: LogKeeping,
}

impl StoredLogs {
    pub(in crate::keeper) fn new(data_dir: &Path, keeping: LogKeeping) -> Self {
        let folder = data_dir.join("logs");
        if matches!(keeping, LogKeeping::StoredAnew(_))
            && let Err(error) = std::fs::remove_dir_all(&folder)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "the stored logs of the last demo could not be removed");
        }
        Self { folder, keeping }
    }

    /// Where they are.
    pub(in crate::keeper) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The archive to write, or why there is none, and the end of what was stored before.
    async fn open(&self, service: &ServiceId) -> (Result<Archive, Storage>, Newest) {
        let archive = match self.keeping {
            LogKeeping::Read => Err(Storage::ReadOnly),
            LogKeeping::Stored(keeping) | LogKeeping::StoredAnew(keeping) => {
                match Archive::open(&self.folder, service, keeping).await {
                    Ok(Some(archive)) => Ok(archive),
                    Ok(None) => {
                        tracing::info!(%service, "another Forgekeeper stores this log");
                        Err(Storage::Elsewhere)
                    }
                    // The live view goes on without.
                    Err(error) => {
                        tracing::error!(%service, %error, "the log cannot be stored");
                        Err(Storage::Failed {
                            reason: error.to_string(),
                        })
                    }
                }
            }
        };
        let (folder, id) = (self.folder.clone(), service.clone());
        let read =
            tokio::task::spawn_blocking(move || archive::newest(&folder, &id, HELD_LINES as usize));
        let newest = match read.await {
            Ok(Ok(newest)) => newest,
            Ok(Err(error)) => {
                tracing::error!(%service, %error, "the stored log cannot be read");
                Newest::default()
            }
            // The runtime is being shut down.
            Err(_) => Newest::default(),
        };
        (archive, newest)
    }

    /// How far back a log is asked for that was never stored.
    fn first_look(&self) -> FirstLook {
        match self.keeping {
            LogKeeping::Read => FirstLook::Lines(HELD_LINES),
            LogKeeping::Stored(keeping) | LogKeeping::StoredAnew(keeping) => {
                FirstLook::Days(keeping.days)
            }
        }
    }
}

/// What is asked of the engine when nothing of a log is held.
#[derive(Debug, Clone, Copy)]
enum FirstLook {
    /// Its newest lines.
    Lines(u32),
    /// All that would be kept.
    Days(u32),
}

impl FirstLook {
    fn options(self) -> LogOptions {
        let (tail, after) = match self {
            FirstLook::Lines(lines) => (Some(lines), None),
            FirstLook::Days(days) => {
                let back = SignedDuration::from_hours(24 * i64::from(days));
                (None, clock::now().checked_sub(back).ok())
            }
        };
        LogOptions {
            follow: true,
            tail,
            after,
        }
    }
}

/// Begins to feed the log of a service; the kept one, where it was watched before.
pub(super) fn start(
    around: &Surroundings,
    tasks: &Tasks,
    host: &HostEntry,
    service: &ServiceSettings,
    kept: Option<KeptLog>,
) -> (ServiceLog, JoinHandle<()>) {
    let files = kind(service.kind).log_files();
    let log = kept
        .as_ref()
        .map_or_else(ServiceLog::expecting_the_past, |kept| kept.log.clone());
    obey(log.clone(), around.rules.clone(), tasks);
    log.own_is_called(files.iter().map(|file| stem(file)).collect());
    let stored = around.stored_logs.clone();
    let following = follow_container(
        log.clone(),
        host,
        service,
        stored.first_look(),
        tasks.token(),
    );
    let marking = marks::follow(
        log.clone(),
        host.handle.view(),
        service.container.clone(),
        tasks.token(),
    );
    let beside = file::follow(
        log.clone(),
        file::Beside {
            service: service.id.clone(),
            state: around.state.clone(),
            engines: host.handle.engines(),
            runs: Runs::of(host, service),
            files,
        },
        tasks.token(),
    );
    let (of_log, id) = (log.clone(), service.id.clone());
    let follower = tasks.spawn_on(&around.log_runtime, "log follower", async move {
        if let Some(kept) = kept {
            // Two followers at once would mix their lines. Why the old one ended is no matter.
            let _ = kept.follower.await;
            if !kept.same {
                of_log.start_anew();
            }
        }
        let (archive, newest) = stored.open(&id).await;
        of_log.adopt(archive, newest);
        tokio::join!(following, marking, beside);
        if let Some(archive) = of_log.give_up_archive() {
            archive.close().await;
        }
    });
    (log, follower)
}

/// Keeps a log to the rules in force.
fn obey(log: ServiceLog, mut rules: watch::Receiver<RulesSnapshot>, tasks: &Tasks) {
    log.obey(&rules.borrow_and_update().in_force);
    let stop = tasks.token();
    tasks.spawn("log rules", async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                changed = rules.changed() => if changed.is_err() { return }
            }
            let in_force = Arc::clone(&rules.borrow_and_update().in_force);
            log.obey(&in_force);
        }
    });
}

/// Follows the log of a container by name, across engine restarts and recreations.
fn follow_container(
    log: ServiceLog,
    host: &HostEntry,
    service: &ServiceSettings,
    first_look: FirstLook,
    stop: CancellationToken,
) -> impl Future<Output = ()> + Send + 'static {
    let runs = Runs::of(host, service);
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
            let options = match since {
                Some(_) => LogOptions {
                    follow: true,
                    tail: None,
                    after: since,
                },
                None => first_look.options(),
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

impl Runs {
    fn of(host: &HostEntry, service: &ServiceSettings) -> Self {
        Self {
            view: host.handle.view(),
            container: service.container.clone(),
        }
    }

    /// The container as the engine calls it: Compose may call it otherwise than the settings do.
    fn real_name(&self) -> Option<String> {
        self.view.borrow().real_name(&self.container)
    }
}

/// How the multiplexer calls a program whose file has this path.
fn stem(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(".log").unwrap_or(name).to_owned()
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
