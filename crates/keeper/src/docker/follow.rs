//! Following a container by its name through recreations, and telling crashes from restarts that
//! somebody asked for. Pure.

use std::time::Duration;

use forgekeeper_domain::{
    Timestamp,
    container::{ContainerSnapshot, RunState},
    facts::RecentStarts,
};

use super::{engine::Listed, events::EngineEvent};

/// More starts than this within the window say nothing new.
const MAX_STARTS: usize = 64;

/// The container that a configured name means: of this name, or of this compose
/// `project/service`, or named by the other version of compose (`-` and `_` exchanged).
pub fn find<'a>(wanted: &str, listed: &'a [Listed]) -> Option<&'a Listed> {
    listed
        .iter()
        .filter_map(|container| {
            let names = container.names.iter().map(String::as_str);
            let project = container.compose_project.as_deref();
            let rank = rank(wanted, names, project, container.compose_service.as_deref())?;
            let running = container.state == Some(RunState::Running);
            Some(((rank, running), container))
        })
        .max_by_key(|(rank, _)| *rank)
        .map(|(_, container)| container)
}

/// Whether an event may change what is known about a configured name.
pub fn concerns(wanted: &str, known_id: Option<&str>, event: &EngineEvent) -> bool {
    known_id == Some(event.id.as_str())
        || rank(
            wanted,
            event.names.iter().map(String::as_str),
            event.compose_project.as_deref(),
            event.compose_service.as_deref(),
        )
        .is_some()
}

/// Whether a configured name means the container of this name and these compose labels.
pub fn means(wanted: &str, name: &str, project: Option<&str>, service: Option<&str>) -> bool {
    rank(wanted, std::iter::once(name), project, service).is_some()
}

fn rank<'a>(
    wanted: &str,
    mut names: impl Iterator<Item = &'a str> + Clone,
    project: Option<&str>,
    service: Option<&str>,
) -> Option<u8> {
    if names.clone().any(|name| name == wanted) {
        return Some(3);
    }
    if let (Some((wanted_project, wanted_service)), Some(project), Some(service)) =
        (wanted.split_once('/'), project, service)
        && wanted_project == project
        && wanted_service == service
    {
        return Some(2);
    }
    let alike = |name: &str| name.replace('_', "-") == wanted.replace('_', "-");
    (project.is_some() && names.any(alike)).then_some(1)
}

/// What was seen of one container's starts.
#[derive(Debug, Clone, Default)]
pub struct StartWatch {
    last: Option<Seen>,
    ended_on_request: bool,
    expected_until: Option<Timestamp>,
    unasked: Vec<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    id: String,
    restart_count: u32,
    started_at: Option<Timestamp>,
    state: RunState,
}

impl StartWatch {
    /// Somebody stops or restarts it through the engine: its next start is asked for.
    pub fn ended_on_request(&mut self) {
        self.ended_on_request = true;
    }

    /// We are about to start it.
    pub fn expect_start(&mut self, until: Timestamp) {
        self.expected_until = Some(until);
    }

    /// The engine was away: changes since then are its own restart, not a crash.
    pub fn after_absence(&mut self) {
        self.ended_on_request = true;
    }

    /// Compares with what was seen last.
    pub fn observe(&mut self, container: &ContainerSnapshot, now: Timestamp, window: Duration) {
        let seen = Seen {
            id: container.id.clone(),
            restart_count: container.restart_count,
            started_at: container.started_at,
            state: container.state,
        };
        if let Some(last) = self.last.replace(seen)
            && last.id == container.id
        {
            let started_again = container.started_at != last.started_at;
            // The policy counts when it decides, before the start itself.
            let by_policy = container.restart_count.saturating_sub(last.restart_count);
            let expected = self.ended_on_request || self.expected_until.is_some_and(|t| now <= t);
            if by_policy > 0 {
                let times = usize::try_from(by_policy)
                    .unwrap_or(MAX_STARTS)
                    .min(MAX_STARTS);
                self.unasked.extend(std::iter::repeat_n(now, times));
            } else if started_again
                && !expected
                && matches!(last.state, RunState::Running | RunState::Paused)
            {
                self.unasked.push(now);
            }
            if started_again {
                self.ended_on_request = false;
                self.expected_until = None;
            }
        } else {
            self.ended_on_request = false;
        }
        self.forget(now, window);
    }

    /// Unasked starts within the window.
    pub fn recent(&mut self, now: Timestamp, window: Duration) -> RecentStarts {
        self.forget(now, window);
        RecentStarts {
            at: self.unasked.clone(),
        }
    }

    fn forget(&mut self, now: Timestamp, window: Duration) {
        let window_s = i64::try_from(window.as_secs()).unwrap_or(i64::MAX);
        self.unasked
            .retain(|at| now.as_second().saturating_sub(at.as_second()) <= window_s);
        let surplus = self.unasked.len().saturating_sub(MAX_STARTS);
        self.unasked.drain(..surplus);
    }
}

#[cfg(test)]
mod tests;
