//! The door to the actor: what is known of a host's cards, and a closer look while one is needed.

use std::sync::Arc;

use forgekeeper_domain::gpu::GpuView;
use tokio::sync::{broadcast, watch};

use super::{Reading, past::Past};

/// Readings that a close look may be behind.
const READINGS_BOUND: usize = 64;

/// What is known of a host's cards. Clones are the same door.
#[derive(Debug, Clone)]
pub struct GpuHandle {
    pub(super) view: watch::Receiver<Arc<GpuView>>,
    pub(super) past: Past,
    looks: watch::Sender<u32>,
    /// Goes with the actor, so that a close look ends with it.
    readings: broadcast::WeakSender<Arc<Reading>>,
}

/// The actor's side of the door.
#[derive(Debug)]
pub(super) struct Inside {
    /// How many look closely.
    pub(super) looks: watch::Receiver<u32>,
    pub(super) readings: broadcast::Sender<Arc<Reading>>,
}

/// While it lives, cards are read several times a second and each reading is told.
#[derive(Debug)]
pub(crate) struct CloseLook {
    looks: watch::Sender<u32>,
    readings: broadcast::Receiver<Arc<Reading>>,
}

impl GpuHandle {
    pub(super) fn new(view: watch::Receiver<Arc<GpuView>>, past: Past) -> (Self, Inside) {
        let (looks, seen) = watch::channel(0);
        let (readings, _) = broadcast::channel(READINGS_BOUND);
        let inside = Inside {
            looks: seen,
            readings,
        };
        let handle = Self {
            view,
            past,
            looks,
            readings: inside.readings.downgrade(),
        };
        (handle, inside)
    }

    /// What is known, and every change of it.
    pub fn view(&self) -> watch::Receiver<Arc<GpuView>> {
        self.view.clone()
    }

    /// Every reading of the last hour.
    pub(crate) fn past(&self) -> &Past {
        &self.past
    }

    /// Looks closely from now on.
    pub(crate) fn look_closely(&self) -> CloseLook {
        let readings = match self.readings.upgrade() {
            Some(actor) => actor.subscribe(),
            // The actor has ended: nothing comes any more.
            None => broadcast::channel(1).1,
        };
        self.looks.send_modify(|count| *count += 1);
        CloseLook {
            looks: self.looks.clone(),
            readings,
        }
    }
}

impl CloseLook {
    /// The next reading; `None` when the actor has ended.
    pub(crate) async fn next(&mut self) -> Option<Arc<Reading>> {
        loop {
            match self.readings.recv().await {
                Ok(reading) => return Some(reading),
                // Missed readings are gaps; the newest ones count.
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

impl Drop for CloseLook {
    fn drop(&mut self) {
        self.looks
            .send_modify(|count| *count = count.saturating_sub(1));
    }
}
