//! A played host: one engine, its containers, its cards, its faults, and an endpoint to set them.

mod control;
mod damage;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::docker::{Container, Engine};
use crate::door::Door;
use crate::faults::{ActiveFault, Fault, FaultBoard};
use crate::gpu::{Card, GpuBoard};
use crate::lock::lock;
use crate::pace::Pace;
use crate::tasks::Tasks;

/// Why a site could not be set up or changed.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// A port or socket could not be opened.
    #[error("cannot open {what}: {source}")]
    Open {
        /// What was to be opened.
        what: String,
        /// The system's reason.
        source: io::Error,
    },
    /// No service has this id or container name.
    #[error("no service `{0}` in this site")]
    UnknownService(String),
}

/// One service of a site.
#[derive(Debug, Clone)]
pub struct SiteService {
    /// Service id.
    pub id: String,
    /// `forge` or `comfyui`.
    pub kind: &'static str,
    /// Where the API answers.
    pub api: SocketAddr,
    /// Index of the declared card.
    pub card: usize,
    /// Its container.
    pub container: Arc<Container>,
}

/// A played host; ends with its last handle.
#[derive(Debug)]
pub struct Site {
    pub(crate) engine: Arc<Engine>,
    pub(crate) services: Vec<SiteService>,
    pub(crate) faults: FaultBoard,
    pub(crate) gpus: GpuBoard,
    pub(crate) pace: Pace,
    pub(crate) tasks: Tasks,
}

/// Any free port on loopback.
pub(crate) fn anywhere() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

impl Site {
    /// An empty site.
    pub fn new(pace: Pace, cards: Vec<Card>) -> Self {
        let (faults, tasks) = (FaultBoard::default(), Tasks::new());
        let gpus = GpuBoard::new(cards, faults.clone());
        let engine = Engine::new(pace, faults.clone(), gpus.clone(), tasks.clone());
        Self {
            engine,
            services: Vec::new(),
            faults,
            gpus,
            pace,
            tasks,
        }
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The cards.
    pub fn gpus(&self) -> &GpuBoard {
        &self.gpus
    }

    /// The services.
    pub fn services(&self) -> &[SiteService] {
        &self.services
    }

    /// A service by id or container name.
    pub fn service(&self, key: &str) -> Option<&SiteService> {
        self.services
            .iter()
            .find(|s| s.id == key || s.container.name() == key)
    }

    fn id_of(&self, service: Option<&str>) -> Result<Option<String>, SiteError> {
        match service {
            None => Ok(None),
            Some(key) => match self.service(key) {
                Some(service) => Ok(Some(service.id.clone())),
                None => Err(SiteError::UnknownService(key.to_owned())),
            },
        }
    }

    /// Breaks something, everywhere or for one service. True if it was not broken yet.
    pub fn inject(&self, fault: Fault, service: Option<&str>) -> Result<bool, SiteError> {
        Ok(self.faults.raise(fault, self.id_of(service)?.as_deref()))
    }

    /// Mends it again; without a service, everywhere. True if something was mended.
    pub fn clear(&self, fault: Fault, service: Option<&str>) -> Result<bool, SiteError> {
        Ok(self.faults.lower(fault, self.id_of(service)?.as_deref()))
    }

    /// What is broken now.
    pub fn active(&self) -> Vec<ActiveFault> {
        self.faults.list()
    }

    /// Starts the task that turns faults into deeds, and the control endpoint.
    pub(crate) async fn animate(self: &Arc<Self>) -> Result<SocketAddr, SiteError> {
        damage::follow(self);
        let door =
            Door::tcp(anywhere(), control::router(self), &self.tasks, None).map_err(|source| {
                SiteError::Open {
                    what: "control endpoint".into(),
                    source,
                }
            })?;
        let addr = door.addr().unwrap_or_else(anywhere);
        door.set(true).await;
        let (stop, held) = (self.tasks.token().clone(), door);
        self.tasks.spawn(async move {
            stop.cancelled().await;
            drop(held);
        });
        Ok(addr)
    }

    /// Ends everything and waits for it.
    pub async fn shutdown(&self) {
        self.tasks.shutdown().await;
        for service in &self.services {
            lock(&service.container.run).cancel();
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}
