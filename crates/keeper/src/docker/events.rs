//! What the engine announces about containers.

use std::collections::HashMap;

use bollard::{models::EventMessage, query_parameters::EventsOptions};
use futures_util::{
    StreamExt as _,
    stream::{BoxStream, once},
};

use super::{
    engine::{Engine, connection_given_up},
    error::DockerError,
};

/// Actions that can change what an inspect says. Execs are left out: ours would wake us.
const ACTIONS: &[&str] = &[
    "create",
    "start",
    "restart",
    "stop",
    "die",
    "kill",
    "oom",
    "pause",
    "unpause",
    "destroy",
    "rename",
    "update",
    "health_status",
];

/// One announcement about a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineEvent {
    /// `start`, `die`, `health_status`, …
    pub action: String,
    /// Full id of the container.
    pub id: String,
    /// Its name, and its former one after a rename.
    pub names: Vec<String>,
    /// `com.docker.compose.project`.
    pub compose_project: Option<String>,
    /// `com.docker.compose.service`.
    pub compose_service: Option<String>,
}

impl EngineEvent {
    /// Whether somebody, not the restart policy, stops or restarts the container.
    pub fn is_asked_end(&self) -> bool {
        matches!(
            self.action.as_str(),
            "kill" | "stop" | "restart" | "destroy"
        )
    }
}

impl Engine {
    /// Announcements from now on; ends with an error when the connection breaks or is given up.
    pub fn events(&self) -> BoxStream<'static, Result<EngineEvent, DockerError>> {
        let list = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect();
        let options = EventsOptions {
            since: None,
            until: None,
            filters: Some(HashMap::from([
                ("type".to_owned(), list(&["container"])),
                ("event".to_owned(), list(ACTIONS)),
            ])),
        };
        let given_up = self.given_up().clone();
        self.docker()
            .events(Some(options))
            .filter_map(|event| async move {
                match event {
                    Ok(event) => read(event).map(Ok),
                    Err(error) => Some(Err(DockerError::from_bollard("events", &error))),
                }
            })
            .take_until(given_up.cancelled_owned())
            .chain(once(async { Err(connection_given_up()) }))
            .boxed()
    }
}

fn read(event: EventMessage) -> Option<EngineEvent> {
    let actor = event.actor?;
    let mut attributes = actor.attributes.unwrap_or_default();
    let action = event.action?;
    // `health_status: healthy`, `exec_start: …`
    let action = action.split(':').next().unwrap_or_default().to_owned();
    if !ACTIONS.contains(&action.as_str()) {
        return None;
    }
    let names = ["name", "oldName"]
        .iter()
        .filter_map(|key| attributes.remove(*key))
        .map(|name| name.trim_start_matches('/').to_owned())
        .collect();
    Some(EngineEvent {
        action,
        id: actor.id?,
        names,
        compose_project: attributes.remove("com.docker.compose.project"),
        compose_service: attributes.remove("com.docker.compose.service"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(json: serde_json::Value) -> Option<EngineEvent> {
        read(serde_json::from_value(json).expect("an event"))
    }

    #[test]
    fn events_are_reduced_and_execs_left_out() {
        let found = event(serde_json::json!({
            "Type": "container", "Action": "health_status: healthy",
            "Actor": {"ID": "abc", "Attributes": {
                "name": "myia-supervisor-1", "com.docker.compose.project": "myia"
            }}
        }))
        .expect("an event");
        assert_eq!(found.action, "health_status");
        assert_eq!(found.names, ["myia-supervisor-1"]);
        assert_eq!(found.compose_project.as_deref(), Some("myia"));
        assert!(!found.is_asked_end());
        assert_eq!(
            event(serde_json::json!({
                "Type": "container", "Action": "exec_start: supervisorctl status",
                "Actor": {"ID": "abc", "Attributes": {"name": "x"}}
            })),
            None
        );
    }

    #[test]
    fn a_rename_concerns_both_names() {
        let found = event(serde_json::json!({
            "Type": "container", "Action": "rename",
            "Actor": {"ID": "abc", "Attributes": {"name": "new", "oldName": "/old"}}
        }))
        .expect("an event");
        assert_eq!(found.names, ["new", "old"]);
    }
}
