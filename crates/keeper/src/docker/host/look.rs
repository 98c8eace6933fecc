//! Looking at containers: each by itself, so that one which hangs the engine hides no other.

use std::collections::BTreeSet;

use forgekeeper_domain::{
    container::ContainerSnapshot,
    facts::{ContainerFact, Measured},
};
use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{BoxFuture, pending},
    stream::FuturesUnordered,
};

use super::{WatchedContainer, actor::Actor};
use crate::{
    docker::{
        engine::{Engine, Listed},
        error::DockerError,
        follow,
    },
    sys::clock,
};

/// What the engine answered.
pub(super) enum Looked {
    /// To the list in which these are looked for.
    List(BTreeSet<String>, Result<Vec<Listed>, DockerError>),
    /// To an inspection by the wanted name itself.
    ByName(String, Result<Option<ContainerSnapshot>, DockerError>),
    /// To an inspection of what the list gave for the wanted name.
    ById(String, Result<Option<ContainerSnapshot>, DockerError>),
}

/// The questions under way on one connection.
pub(super) struct Looks {
    engine: Engine,
    running: FuturesUnordered<BoxFuture<'static, Looked>>,
    /// Names that are being looked at.
    busy: BTreeSet<String>,
    /// Names to be looked at once more: something happened to them while they were looked at.
    again: BTreeSet<String>,
    /// Names that only the list can find, waiting for the next one.
    unfound: BTreeSet<String>,
    listing: bool,
}

impl Looks {
    pub(super) fn new(engine: Engine) -> Self {
        Self {
            engine,
            running: FuturesUnordered::new(),
            busy: BTreeSet::new(),
            again: BTreeSet::new(),
            unfound: BTreeSet::new(),
            listing: false,
        }
    }

    /// Looks at these, by name first; compose's `project/service` stands in the list alone.
    pub(super) fn at(&mut self, names: impl IntoIterator<Item = String>) {
        for name in names {
            if !self.busy.insert(name.clone()) {
                self.again.insert(name);
            } else if name.contains('/') {
                self.unfound.insert(name);
            } else {
                let engine = self.engine.clone();
                self.running.push(
                    async move {
                        let answer = engine.inspect(&name).await;
                        Looked::ByName(name, answer)
                    }
                    .boxed(),
                );
            }
        }
        self.list();
    }

    /// Looks at those of these that nobody is looking at.
    pub(super) fn at_idle(&mut self, names: &[String]) {
        let idle = names.iter().filter(|name| !self.busy.contains(*name));
        let idle: Vec<String> = idle.cloned().collect();
        self.at(idle);
    }

    /// The next answer; waits for ever while nothing is asked.
    pub(super) async fn next(&mut self) -> Looked {
        match self.running.next().await {
            Some(looked) => looked,
            None => pending().await,
        }
    }

    fn list(&mut self) {
        if self.listing || self.unfound.is_empty() {
            return;
        }
        self.listing = true;
        let names = std::mem::take(&mut self.unfound);
        let engine = self.engine.clone();
        self.running.push(
            async move {
                let answer = engine.list().await;
                Looked::List(names, answer)
            }
            .boxed(),
        );
    }

    fn not_by_name(&mut self, name: String) {
        self.unfound.insert(name);
        self.list();
    }

    fn by_id(&mut self, name: String, id: String) {
        let engine = self.engine.clone();
        self.running.push(
            async move {
                let answer = engine.inspect(&id).await;
                Looked::ById(name, answer)
            }
            .boxed(),
        );
    }

    fn done(&mut self, name: &str) {
        self.busy.remove(name);
        if let Some(name) = self.again.take(name) {
            self.at([name]);
        }
    }
}

impl Actor {
    /// Takes an answer in. Returns those that could not be looked at, and why.
    pub(super) fn take_look(
        &mut self,
        looks: &mut Looks,
        looked: Looked,
    ) -> Option<(BTreeSet<String>, DockerError)> {
        let failed = match looked {
            Looked::ByName(name, Ok(None)) => {
                looks.not_by_name(name);
                return None;
            }
            Looked::ByName(name, answer) | Looked::ById(name, answer) => {
                looks.done(&name);
                match answer {
                    Ok(found) => {
                        self.note_container(&name, found);
                        None
                    }
                    Err(error) => Some((BTreeSet::from([name]), error)),
                }
            }
            Looked::List(names, answer) => {
                looks.listing = false;
                let failed = match answer {
                    Ok(listed) => {
                        for name in names {
                            if let Some(found) = follow::find(&name, &listed) {
                                looks.by_id(name, found.id.clone());
                            } else {
                                self.note_container(&name, None);
                                looks.done(&name);
                            }
                        }
                        None
                    }
                    Err(error) => {
                        for name in &names {
                            looks.done(name);
                        }
                        Some((names, error))
                    }
                };
                looks.list();
                failed
            }
        };
        if failed.is_none() {
            self.view.listing_complete = self.wanted.iter().all(|name| self.looked.contains(name));
            self.publish();
        }
        failed
    }

    /// The engine answers, but did not tell about these.
    pub(super) fn note_unread(&mut self, names: &BTreeSet<String>, error: &DockerError) {
        for name in names {
            // What is not wanted any more is not shown.
            let Some(watched) = self.view.containers.get_mut(name) else {
                continue;
            };
            if watched.unread.is_none() {
                let host = &self.config.id;
                tracing::warn!(%host, name, %error, "a container cannot be looked at");
            }
            watched.unread = Some(Measured::new(error.to_string(), clock::now()));
        }
        self.publish();
    }

    fn note_container(&mut self, name: &str, found: Option<ContainerSnapshot>) {
        let now = clock::now();
        let window = self.timings().starts_window;
        let Some(watched) = self.view.containers.get_mut(name) else {
            return;
        };
        let starts = self.starts.entry(name.to_owned()).or_default();
        let fact = match found {
            Some(container) => {
                starts.observe(&container, now, window);
                ContainerFact::Present(Box::new(container))
            }
            None => missing(name, watched),
        };
        watched.fact = Some(Measured::new(fact, now));
        watched.unread = None;
        watched.starts = starts.recent(now, window);
        self.looked.insert(name.to_owned());
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
        Some(Measured {
            value: ContainerFact::NotMeasurable { .. },
            ..
        })
        | None => (None, None),
    };
    ContainerFact::Missing {
        name: name.to_owned(),
        last_seen,
        image_id,
    }
}

pub(super) fn known_id(watched: &WatchedContainer) -> Option<&str> {
    Some(&watched.present()?.id)
}
