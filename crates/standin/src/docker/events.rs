//! `/events`: what happened, for those who listen and those who come late.

use std::collections::VecDeque;
use std::sync::Mutex;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::broadcast;

use super::Container;
use crate::lock::lock;

const KEPT: usize = 1_000;

#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub at: Timestamp,
    pub action: String,
    pub container: String,
    pub name: String,
    pub image: String,
    pub labels: Vec<(String, String)>,
    pub extra: Vec<(&'static str, String)>,
}

#[derive(Debug)]
pub(crate) struct EventBus {
    past: Mutex<VecDeque<Event>>,
    sender: broadcast::Sender<Event>,
}

impl Default for EventBus {
    fn default() -> Self {
        Self {
            past: Mutex::default(),
            sender: broadcast::channel(1_024).0,
        }
    }
}

impl EventBus {
    pub(crate) fn tell(
        &self,
        container: &Container,
        action: &str,
        extra: &[(&'static str, String)],
    ) {
        let event = Event {
            at: Timestamp::now(),
            action: action.to_owned(),
            container: container.id(),
            name: container.spec.name.clone(),
            image: container.spec.image.clone(),
            labels: container.labels(),
            extra: extra.to_vec(),
        };
        let mut past = lock(&self.past);
        if past.len() == KEPT {
            past.pop_front();
        }
        past.push_back(event.clone());
        // Nobody listening is no error.
        let _ = self.sender.send(event);
    }

    pub(crate) fn open(&self) -> (Vec<Event>, broadcast::Receiver<Event>) {
        let past = lock(&self.past);
        (past.iter().cloned().collect(), self.sender.subscribe())
    }
}

impl Event {
    pub(crate) fn body(&self) -> Value {
        let mut attributes: Map<String, Value> = self
            .labels
            .iter()
            .map(|(k, v)| (k.clone(), v.as_str().into()))
            .collect();
        attributes.insert("image".into(), self.image.as_str().into());
        attributes.insert("name".into(), self.name.as_str().into());
        for (key, value) in &self.extra {
            attributes.insert((*key).into(), value.as_str().into());
        }
        let nanos = i64::try_from(self.at.as_nanosecond()).unwrap_or(i64::MAX);
        json!({"status": self.action, "id": self.container, "from": self.image, "Type": "container",
               "Action": self.action, "Actor": {"ID": self.container, "Attributes": attributes},
               "scope": "local", "time": self.at.as_second(), "timeNano": nanos})
    }
}
