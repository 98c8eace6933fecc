//! What happens to a container, told between the lines of its log.

use std::{sync::Arc, time::Duration};

use forgekeeper_domain::{
    Timestamp,
    container::{ContainerSnapshot, RunState},
    logs::Marker,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{docker::host::HostView, logs::ServiceLog};

/// The lines from before an event may come a moment after it.
const SETTLE: Duration = Duration::from_secs(1);
/// As much of an id as the command lines of the engines show.
const SHORT_ID: usize = 12;

/// What was last known of the container.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    id: String,
    image_id: Option<String>,
    started_at: Option<Timestamp>,
    /// When it ended; `None` while it runs.
    ended_at: Option<Timestamp>,
}

/// Marks the log until `stop`.
pub(super) async fn follow(
    log: ServiceLog,
    mut view: watch::Receiver<Arc<HostView>>,
    container: String,
    stop: CancellationToken,
) {
    let mut seen = log.container().map(|id| Seen {
        id,
        image_id: None,
        started_at: None,
        ended_at: None,
    });
    loop {
        let snapshot = {
            let view = view.borrow_and_update();
            let watched = view.containers.get(&container);
            watched.and_then(|watched| watched.present().cloned())
        };
        let mut news = false;
        if let Some(container) = snapshot {
            for (at, marker) in marks(seen.as_ref(), &container) {
                news = true;
                log.mark(at, marker);
            }
            if seen.as_ref().is_none_or(|seen| seen.id != container.id) {
                log.comes_from(&container.id);
            }
            seen = Some(Seen::of(&container));
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SETTLE), if news => {}
            changed = view.changed() => if changed.is_err() {
                stop.cancelled().await;
                return;
            },
        }
        if news {
            log.tell_marks();
        }
    }
}

impl Seen {
    fn of(container: &ContainerSnapshot) -> Self {
        Self {
            id: container.id.clone(),
            image_id: Some(container.image_id.clone()),
            started_at: container.started_at,
            ended_at: ended_at(container),
        }
    }
}

fn ended_at(container: &ContainerSnapshot) -> Option<Timestamp> {
    let ended = matches!(container.state, RunState::Exited | RunState::Dead);
    container.finished_at.filter(|_| ended)
}

/// What happened since the container was last seen, in order.
fn marks(seen: Option<&Seen>, now: &ContainerSnapshot) -> Vec<(Timestamp, Marker)> {
    let mut marks = Vec::new();
    let short = || now.id.chars().take(SHORT_ID).collect::<String>();
    let same = seen.filter(|seen| seen.id == now.id);
    if let (Some(seen), None, Some(at)) = (seen, same, now.created_at.or(now.started_at)) {
        let other_image = seen.image_id.as_ref().map(|image| *image != now.image_id);
        marks.push((
            at,
            Marker::Recreated {
                container: short(),
                other_image,
            },
        ));
    }
    if let Some(at) = now.started_at
        && same.is_none_or(|seen| seen.started_at != Some(at))
    {
        marks.push((at, Marker::Started { container: short() }));
    }
    if let Some(at) = ended_at(now)
        && same.is_none_or(|seen| seen.ended_at != Some(at))
    {
        let exit_code = now.exit_code;
        marks.push((at, Marker::Stopped { exit_code }));
    }
    marks.sort_by_key(|(at, _)| *at);
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(id: &str, image: &str) -> ContainerSnapshot {
        let json = serde_json::json!({
            "id": id, "name": "myia", "image": "forge", "image_id": image, "state": "running",
            "exit_code": null, "oom_killed": false, "error": null, "started_at": null,
            "finished_at": null, "created_at": null, "restart_count": 0, "health": null,
            "memory_limit": null, "tty": false, "ports": [], "compose_project": null,
            "compose_service": null, "compose_file": null, "image_title": null,
            "image_source": null, "gpu_device_ids": [], "command": [], "env_names": [],
            "gpu_env": [], "compose_hash": null
        });
        serde_json::from_value(json).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn each_change_is_told_once() {
        let mut now = container("aaaaaaaaaaaaaaaa", "sha256:1");
        now.started_at = Some(at(10));
        let started = Marker::Started {
            container: "aaaaaaaaaaaa".to_owned(),
        };
        assert_eq!(marks(None, &now), [(at(10), started.clone())]);
        let seen = Seen::of(&now);
        assert_eq!(marks(Some(&seen), &now), []);

        now.state = RunState::Exited;
        (now.finished_at, now.exit_code) = (Some(at(20)), Some(137));
        let stopped = Marker::Stopped {
            exit_code: Some(137),
        };
        assert_eq!(marks(Some(&seen), &now), [(at(20), stopped)]);
        let seen = Seen::of(&now);
        assert_eq!(marks(Some(&seen), &now), []);

        now.state = RunState::Running;
        now.started_at = Some(at(30));
        assert_eq!(marks(Some(&seen), &now), [(at(30), started)]);
    }

    #[test]
    fn another_container_is_told_with_what_is_known_of_its_image() {
        let seen = Seen::of(&container("a", "sha256:1"));
        let mut now = container("b", "sha256:2");
        (now.created_at, now.started_at) = (Some(at(40)), Some(at(41)));
        let recreated = |other_image| Marker::Recreated {
            container: "b".to_owned(),
            other_image,
        };
        let told = marks(Some(&seen), &now);
        assert_eq!(told[0], (at(40), recreated(Some(true))));
        assert_eq!(told.len(), 2);
        let stored = Seen {
            image_id: None,
            ..seen
        };
        assert_eq!(marks(Some(&stored), &now)[0].1, recreated(None));
    }
}
