//! A Docker engine over real sockets: containers with a life, logs, events, statistics, exec.

mod archive;
mod command;
mod container;
mod events;
mod exec;
mod filters;
mod inspect;
mod lifecycle;
mod logs;
mod looping;
mod making;
mod parting;
pub(crate) mod real;
mod routes;
mod stats;
mod supervisor;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use crate::door::Door;
use crate::faults::{Fault, FaultBoard};
use crate::gpu::GpuBoard;
use crate::lock::lock;
use crate::pace::Pace;
use crate::tasks::Tasks;

pub(crate) use container::hex_id;
pub use container::{Container, ContainerSpec, Devices, Published, Work};
pub(crate) use events::EventBus;
pub(crate) use exec::Exec;

/// The API versions the engine speaks.
pub(crate) const API: (u32, u32) = (1, 43);
pub(crate) const MIN_API: (u32, u32) = (1, 24);
pub(crate) const ENGINE: &str = "24.0.7";

/// A played engine.
#[derive(Debug)]
pub struct Engine {
    pub(crate) containers: Mutex<Vec<Arc<Container>>>,
    pub(crate) execs: Mutex<HashMap<String, Arc<Exec>>>,
    pub(crate) events: EventBus,
    pub(crate) gpus: GpuBoard,
    pub(crate) faults: FaultBoard,
    pub(crate) pace: Pace,
    pub(crate) tasks: Tasks,
    pub(crate) made: Mutex<making::Made>,
    doors: Mutex<Vec<Arc<Door>>>,
    followers: watch::Sender<usize>,
}

/// Counted for as long as somebody follows a log.
pub(crate) struct Follower(watch::Sender<usize>);

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Engine {
    /// An engine without containers.
    pub fn new(pace: Pace, faults: FaultBoard, gpus: GpuBoard, tasks: Tasks) -> Arc<Self> {
        Arc::new(Self {
            containers: Mutex::default(),
            execs: Mutex::default(),
            events: EventBus::default(),
            gpus,
            faults,
            pace,
            tasks,
            made: Mutex::default(),
            doors: Mutex::default(),
            followers: watch::Sender::new(0),
        })
    }

    /// Adds a container; it is created, not started.
    pub fn add(self: &Arc<Self>, spec: ContainerSpec) -> Arc<Container> {
        let container = Container::new(spec, self);
        self.of_compose(&container);
        lock(&self.containers).push(Arc::clone(&container));
        container
    }

    /// Serves the API on a TCP address.
    pub async fn serve_tcp(self: &Arc<Self>, addr: SocketAddr) -> io::Result<SocketAddr> {
        let door = Door::tcp(addr, routes::router(Arc::clone(self)), &self.tasks, None)?;
        let bound = door.addr().unwrap_or(addr);
        self.keep(door).await;
        Ok(bound)
    }

    /// Serves the API on a Unix socket.
    #[cfg(unix)]
    pub async fn serve_unix(self: &Arc<Self>, path: &std::path::Path) -> io::Result<()> {
        let door = Door::unix(
            path.to_owned(),
            routes::router(Arc::clone(self)),
            &self.tasks,
        )?;
        self.keep(door).await;
        Ok(())
    }

    /// Opens the door and keeps it as the faults want it.
    async fn keep(self: &Arc<Self>, door: Door) {
        let door = Arc::new(door);
        lock(&self.doors).push(Arc::clone(&door));
        let faults = self.faults.clone();
        let away = move || faults.any(Fault::EngineStopped) || faults.any(Fault::EngineRestarted);
        door.set(!away()).await;
        let mut changes = self.faults.changes();
        self.tasks.spawn(async move {
            while changes.changed().await.is_ok() {
                changes.borrow_and_update();
                door.set(!away()).await;
            }
        });
    }

    /// The container with this id, unique start of an id, or name.
    pub fn find(&self, key: &str) -> Option<Arc<Container>> {
        let key = key.trim_start_matches('/');
        let all = lock(&self.containers);
        let named = all.iter().find(|c| c.spec.name == key || c.id() == key);
        let by_start = || {
            let mut hits = all
                .iter()
                .filter(|c| key.len() >= 2 && c.id().starts_with(key));
            hits.next().filter(|_| hits.next().is_none())
        };
        named.or_else(by_start).cloned()
    }

    /// Somebody begins to follow a log.
    pub(crate) fn follower(&self) -> Follower {
        self.followers.send_modify(|count| *count += 1);
        Follower(self.followers.clone())
    }

    /// How many follow a log now.
    pub(crate) fn followers(&self) -> watch::Receiver<usize> {
        self.followers.subscribe()
    }

    /// All containers.
    pub fn all(&self) -> Vec<Arc<Container>> {
        lock(&self.containers).clone()
    }
}
