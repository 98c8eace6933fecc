//! Who is watched: starts and ends watchers as the settings change.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use forgekeeper_domain::ids::{HostId, ServiceId};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::history;
use crate::{
    clients::http::Http,
    config::Vaults,
    docker::host::{HostActor, HostConfig, HostHandle},
    gpu::GpuHandle,
    logs::ServiceLog,
    rules::RulesSnapshot,
    secrets::{ASK_AGAIN, Secrets},
    settings::{HostSettings, ServiceSettings, Settings, SettingsSnapshot},
    state::{KeeperState, SecretPlace},
    store::Store,
    sys::tasks::Tasks,
    watch::{
        config::{self, Claims, ConfigWatch},
        facts::Report,
        service::{self, ServiceWatch},
    },
};

mod gpus;
mod logs;

pub(super) use logs::StoredLogs;

use logs::KeptLog;

/// One watched host.
#[derive(Debug, Clone)]
struct HostEntry {
    settings: HostSettings,
    handle: HostHandle,
    gpus: GpuHandle,
    /// One placement proof at a time: two would disturb each other.
    proofs: Arc<tokio::sync::Mutex<()>>,
    tasks: Tasks,
}

/// One watched service.
#[derive(Debug)]
struct ServiceEntry {
    watch: ServiceWatch,
    log: ServiceLog,
    follower: JoinHandle<()>,
    tasks: Tasks,
}

/// All watched hosts and services; clones share them.
#[derive(Debug, Clone)]
pub(super) struct Roster {
    entries: Arc<Mutex<Entries>>,
    around: Surroundings,
}

/// What the watchers work with.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    pub(super) tasks: Tasks,
    pub(super) reports: mpsc::Sender<Report>,
    pub(super) http: Http,
    pub(super) secrets: Secrets,
    pub(super) store: Store,
    pub(super) visible: watch::Receiver<bool>,
    /// What all facts together say.
    pub(super) state: watch::Receiver<Arc<KeeperState>>,
    /// Where the streams of logs are read.
    pub(super) log_runtime: tokio::runtime::Handle,
    pub(super) stored_logs: StoredLogs,
    /// What the lines of logs are named by.
    pub(super) rules: watch::Receiver<RulesSnapshot>,
    /// Where the snapshots of configurations are.
    pub(super) vaults: Vaults,
    /// Who writes which settings file.
    pub(super) claims: Claims,
    /// Whether what is seen belongs in the history.
    pub(super) keeps_history: bool,
}

#[derive(Debug, Default)]
struct Entries {
    hosts: HashMap<HostId, HostEntry>,
    services: HashMap<ServiceId, ServiceEntry>,
}

/// Follows the settings until cancelled.
pub(super) async fn follow(
    roster: Roster,
    mut settings: watch::Receiver<SettingsSnapshot>,
    stop: CancellationToken,
) {
    loop {
        let snapshot = settings.borrow_and_update().clone();
        roster.apply(&snapshot.settings).await;
        // A closed channel means shutdown.
        let _ = roster.around.reports.send(Report::Settings(snapshot)).await;
        tokio::select! {
            () = stop.cancelled() => return,
            changed = settings.changed() => if changed.is_err() {
                // Settings that never change: the demo host's.
                stop.cancelled().await;
                return;
            }
        }
    }
}

impl Roster {
    pub(super) fn new(around: Surroundings) -> Self {
        Self {
            entries: Arc::default(),
            around,
        }
    }

    /// The watch over a service.
    pub(super) fn service(&self, id: &ServiceId) -> Option<ServiceWatch> {
        self.lock()
            .services
            .get(id)
            .map(|entry| entry.watch.clone())
    }

    /// The log of a service.
    pub(super) fn log(&self, id: &ServiceId) -> Option<ServiceLog> {
        self.lock().services.get(id).map(|entry| entry.log.clone())
    }

    /// Where logs are stored.
    pub(super) fn stored_logs(&self) -> &std::path::Path {
        self.around.stored_logs.folder()
    }

    /// Every watched host.
    pub(super) fn hosts(&self) -> Vec<HostHandle> {
        self.lock()
            .hosts
            .values()
            .map(|entry| entry.handle.clone())
            .collect()
    }

    /// The cards of a host.
    pub(super) fn gpus(&self, id: &HostId) -> Option<GpuHandle> {
        self.lock().hosts.get(id).map(|entry| entry.gpus.clone())
    }

    /// The cards of a host, and the turn of those who prove with them.
    pub(super) fn proofs(&self, id: &HostId) -> Option<(GpuHandle, Arc<tokio::sync::Mutex<()>>)> {
        let entries = self.lock();
        let entry = entries.hosts.get(id)?;
        Some((entry.gpus.clone(), Arc::clone(&entry.proofs)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn apply(&self, settings: &Settings) {
        self.apply_hosts(settings);
        let added = self.apply_services(settings);
        for id in added {
            let history = history::of_service(&self.around.store, &id).await;
            self.tell_placement(&id).await;
            let place = self.around.secrets.place(&id).await;
            if self.around.secrets.is_unsettled(&id) {
                self.ask_again_for_credentials(&id, place);
            }
            // A closed channel means shutdown.
            let _ = self
                .around
                .reports
                .send(Report::History(id.clone(), Box::new(history)))
                .await;
            let _ = self
                .around
                .reports
                .send(Report::Credentials(id, place))
                .await;
        }
    }

    /// A keyring may be unlocked, or come, later: until something is known it is asked now and
    /// then. Who enters credentials here has told already.
    fn ask_again_for_credentials(&self, id: &ServiceId, mut told: Option<SecretPlace>) {
        let Some(tasks) = self.lock().services.get(id).map(|s| s.tasks.clone()) else {
            return;
        };
        let (secrets, reports, id) = (
            self.around.secrets.clone(),
            self.around.reports.clone(),
            id.clone(),
        );
        let stop = tasks.token();
        tasks.spawn("credentials", async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(ASK_AGAIN) => {}
                }
                let place = secrets.place(&id).await;
                if place != told {
                    told = place;
                    // A closed channel means shutdown.
                    let _ = reports.send(Report::Credentials(id.clone(), place)).await;
                }
                if !secrets.is_unsettled(&id) {
                    return;
                }
            }
        });
    }

    fn apply_hosts(&self, settings: &Settings) {
        let mut entries = self.lock();
        entries.hosts.retain(|id, entry| {
            let stays = settings
                .hosts
                .iter()
                .any(|h| h.id == *id && *h == entry.settings);
            if !stays {
                entry.tasks.cancel();
            }
            stays
        });
        for host in &settings.hosts {
            let wanted: Vec<String> = settings
                .services
                .iter()
                .filter(|s| s.host == host.id)
                .map(|s| s.container.clone())
                .collect();
            if let Some(entry) = entries.hosts.get(&host.id) {
                entry.handle.want(wanted);
            } else {
                let entry = self.start_host(host, wanted, settings.demo);
                entries.hosts.insert(host.id.clone(), entry);
            }
        }
    }

    fn start_host(&self, host: &HostSettings, wanted: Vec<String>, demo: bool) -> HostEntry {
        let tasks = self.around.tasks.child();
        let config = HostConfig::new(host.id.clone(), host.engine.clone(), wanted);
        let env = config.env.clone();
        let handle = HostActor::spawn(&tasks, config);
        let gpus = self.start_gpus(&tasks, host, &handle, &env, demo);
        self.forward(&tasks, "host view", handle.view(), {
            let id = host.id.clone();
            move |view| Report::Host(id.clone(), view)
        });
        self.forward(&tasks, "gpu view", gpus.view(), {
            let id = host.id.clone();
            move |view| Report::Gpu(id.clone(), view)
        });
        {
            let (handle, mut visible) = (handle.clone(), self.around.visible.clone());
            let stop = tasks.token();
            tasks.spawn("visibility", async move {
                loop {
                    handle.set_visible(*visible.borrow_and_update());
                    tokio::select! {
                        () = stop.cancelled() => return,
                        changed = visible.changed() => if changed.is_err() { return }
                    }
                }
            });
        }
        HostEntry {
            settings: host.clone(),
            handle,
            gpus,
            proofs: Arc::default(),
            tasks,
        }
    }

    /// Starts what is new or changed; returns the services started.
    fn apply_services(&self, settings: &Settings) -> Vec<ServiceId> {
        let mut entries = self.lock();
        let Entries { hosts, services } = &mut *entries;
        // A host whose engine was changed ended its services with it; the one that took its place
        // has the same id.
        let lives = |entry: &ServiceEntry| !entry.tasks.token().is_cancelled();
        let mut kept = HashMap::new();
        for (id, entry) in services.extract_if(|id, entry| {
            let said = settings.services.iter().find(|s| s.id == *id);
            !(lives(entry) && said.is_some_and(|s| *s == *entry.watch.settings))
        }) {
            let lived = lives(&entry);
            entry.tasks.cancel();
            let old = &entry.watch.settings;
            if let Some(new) = settings.services.iter().find(|s| s.id == id) {
                let same = lived && (&old.host, &old.container) == (&new.host, &new.container);
                let (log, follower) = (entry.log, entry.follower);
                kept.insert(
                    id,
                    KeptLog {
                        log,
                        follower,
                        same,
                    },
                );
            } else {
                // Its readers end after what is held, instead of waiting for ever.
                entry.log.close();
            }
        }
        let mut added = Vec::new();
        for service in &settings.services {
            if services.contains_key(&service.id) {
                continue;
            }
            // The parser refuses services on hosts that are not declared.
            let Some(host) = hosts.get(&service.host) else {
                continue;
            };
            let entry = self.start_service(service, host, kept.remove(&service.id));
            services.insert(service.id.clone(), entry);
            added.push(service.id.clone());
        }
        for kept in kept.into_values() {
            kept.log.close();
        }
        added
    }

    fn start_service(
        &self,
        service: &ServiceSettings,
        host: &HostEntry,
        kept: Option<KeptLog>,
    ) -> ServiceEntry {
        // A child of its host: it ends with it.
        let tasks = host.tasks.child();
        let watch = ServiceWatch::new(Arc::new(service.clone()), host.handle.clone());
        tasks.spawn(
            "service watch",
            service::run(
                watch.clone(),
                self.around.http.clone(),
                self.around.secrets.clone(),
                self.around.visible.clone(),
                self.around.reports.clone(),
                tasks.token(),
            ),
        );
        let (log, follower) = logs::start(&self.around, &tasks, host, service, kept);
        let configuration = ConfigWatch {
            watch: watch.clone(),
            log: log.clone(),
            http: self.around.http.clone(),
            secrets: self.around.secrets.clone(),
            vaults: self.around.vaults.clone(),
            claims: self.around.claims.clone(),
            reports: self.around.reports.clone(),
        };
        tasks.spawn(
            "configuration watch",
            config::run(configuration, self.around.visible.clone(), tasks.token()),
        );
        self.forward(&tasks, "log meter", log.meter_changes(), {
            let id = service.id.clone();
            move |meter| Report::Log(id.clone(), Box::new(meter))
        });
        ServiceEntry {
            watch,
            log,
            follower,
            tasks,
        }
    }

    /// What was proved of a service's placement, from the history.
    async fn tell_placement(&self, id: &ServiceId) {
        match self.around.store.newest_placements(id).await {
            Ok(measurements) => {
                for measurement in measurements {
                    let report = Report::Placement(Box::new(measurement));
                    // A closed channel means shutdown.
                    let _ = self.around.reports.send(report).await;
                }
            }
            Err(error) => tracing::error!(%error, "a placement proof could not be read"),
        }
    }

    /// Turns each new value of a channel into a report.
    fn forward<T, F>(
        &self,
        tasks: &Tasks,
        name: &'static str,
        mut from: watch::Receiver<T>,
        report: F,
    ) where
        T: Clone + Send + Sync + 'static,
        F: Fn(T) -> Report + Send + 'static,
    {
        let (reports, stop) = (self.around.reports.clone(), tasks.token());
        tasks.spawn(name, async move {
            loop {
                let value = from.borrow_and_update().clone();
                tokio::select! {
                    () = stop.cancelled() => return,
                    sent = reports.send(report(value)) => if sent.is_err() { return }
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    changed = from.changed() => if changed.is_err() { return }
                }
            }
        });
    }
}
