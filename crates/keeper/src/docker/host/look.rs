//! Looking at containers: by name at once, by list when a name alone does not find them.

use std::collections::BTreeSet;

use forgekeeper_domain::{
    container::ContainerSnapshot,
    facts::{ContainerFact, Measured},
};

use super::{WatchedContainer, actor::Actor};
use crate::{
    docker::{engine::Engine, error::DockerError, follow},
    sys::clock,
};

impl Actor {
    /// Lists everything and inspects what is wanted; false when the connection is in doubt.
    pub(super) async fn resync(&mut self, engine: &Engine) -> bool {
        let names = self.wanted.iter().cloned().collect();
        self.look_by_list(engine, &names).await
    }

    /// Inspects some by name, and looks in the list for those that are not found by it.
    pub(super) async fn look_at(&mut self, engine: &Engine, names: &BTreeSet<String>) -> bool {
        let mut unfound = BTreeSet::new();
        for name in names {
            if name.contains('/') {
                unfound.insert(name.clone());
                continue;
            }
            match engine.inspect(name).await {
                Ok(Some(found)) => self.note_container(name, Some(found)),
                Ok(None) => {
                    unfound.insert(name.clone());
                }
                Err(error) => return self.note_listing_error(&error),
            }
        }
        if unfound.is_empty() {
            self.publish();
            return true;
        }
        self.look_by_list(engine, &unfound).await
    }

    pub(super) async fn look_by_list(&mut self, engine: &Engine, names: &BTreeSet<String>) -> bool {
        let listed = match engine.list().await {
            Ok(listed) => listed,
            Err(error) => return self.note_listing_error(&error),
        };
        for name in names {
            let found = match follow::find(name, &listed) {
                None => None,
                Some(container) => match engine.inspect(&container.id).await {
                    Ok(found) => found,
                    Err(error) => return self.note_listing_error(&error),
                },
            };
            self.note_container(name, found);
        }
        self.view.listing_error = None;
        self.view.listing_complete = self
            .view
            .containers
            .values()
            .all(|container| container.fact.is_some());
        self.publish();
        true
    }

    pub(super) fn note_listing_error(&mut self, error: &DockerError) -> bool {
        if error.is_connection() {
            return false;
        }
        tracing::warn!(host = %self.config.id, %error, "the engine cannot be listed");
        self.view.listing_error = Some(error.to_string());
        self.view.listing_complete = false;
        self.publish();
        true
    }

    pub(super) fn note_container(&mut self, name: &str, found: Option<ContainerSnapshot>) {
        let now = clock::now();
        let window = self.timings().starts_window;
        let starts = self.starts.entry(name.to_owned()).or_default();
        let watched = self.view.containers.entry(name.to_owned()).or_default();
        let fact = match found {
            Some(container) => {
                starts.observe(&container, now, window);
                ContainerFact::Present(Box::new(container))
            }
            None => missing(name, watched),
        };
        watched.fact = Some(Measured::new(fact, now));
        watched.starts = starts.recent(now, window);
    }
}

/// What was known of a container that is gone stays as evidence.
fn missing(name: &str, watched: &WatchedContainer) -> ContainerFact {
    let (last_seen, image_id) = match &watched.fact {
        Some(Measured {
            value: ContainerFact::Present(container),
            at,
        }) => (Some(*at), Some(container.image_id.clone())),
        Some(Measured {
            value:
                ContainerFact::Missing {
                    last_seen,
                    image_id,
                    ..
                },
            ..
        }) => (*last_seen, image_id.clone()),
        None => (None, None),
    };
    ContainerFact::Missing {
        name: name.to_owned(),
        last_seen,
        image_id,
    }
}

pub(super) fn known_id(watched: &WatchedContainer) -> Option<&str> {
    match &watched.fact.as_ref()?.value {
        ContainerFact::Present(container) => Some(&container.id),
        ContainerFact::Missing { .. } => None,
    }
}
