//! What a container uses right now.

use bollard::{models::ContainerStatsResponse, query_parameters::StatsOptions};
use futures_util::StreamExt as _;

use super::{
    engine::{Engine, container_name},
    error::DockerError,
};

/// One reading; what the engine does not tell is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ContainerStats {
    /// CPU in percent of one core, over about a second.
    pub cpu_percent: Option<f64>,
    /// Memory in bytes without the page cache, as `docker stats` counts it.
    pub memory_bytes: Option<u64>,
    /// Memory limit in bytes.
    pub memory_limit: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
}

impl Engine {
    /// One reading; takes a second, since the engine measures CPU between two moments.
    pub async fn stats_once(&self, container: &str) -> Result<ContainerStats, DockerError> {
        let container = container_name(container)?;
        let options = StatsOptions {
            stream: false,
            one_shot: false,
        };
        let mut stream = self.docker().stats(container, Some(options));
        let first = async {
            match stream.next().await {
                Some(answer) => answer,
                None => Ok(ContainerStatsResponse::default()),
            }
        };
        Ok(read(
            &self.ask("stats", self.deadlines().question, first).await?,
        ))
    }
}

fn read(found: &ContainerStatsResponse) -> ContainerStats {
    let memory = found.memory_stats.as_ref();
    let usage = memory.and_then(|memory| memory.usage);
    // cgroup v2 calls it `inactive_file`, v1 `total_inactive_file`.
    let cache = memory
        .and_then(|memory| memory.stats.as_ref())
        .and_then(|stats| {
            stats
                .get("inactive_file")
                .or_else(|| stats.get("total_inactive_file"))
        })
        .copied()
        .unwrap_or_default();
    ContainerStats {
        cpu_percent: cpu_percent(found),
        memory_bytes: usage.map(|usage| usage.saturating_sub(cache)),
        memory_limit: memory.and_then(|memory| memory.limit),
        pids: found.pids_stats.as_ref().and_then(|pids| pids.current),
    }
}

fn cpu_percent(found: &ContainerStatsResponse) -> Option<f64> {
    let (now, before) = (found.cpu_stats.as_ref()?, found.precpu_stats.as_ref()?);
    let used = now
        .cpu_usage
        .as_ref()?
        .total_usage?
        .checked_sub(before.cpu_usage.as_ref()?.total_usage?)?;
    let passed = now
        .system_cpu_usage?
        .checked_sub(before.system_cpu_usage?)?;
    let cores = now.online_cpus.filter(|cores| *cores > 0)?;
    (passed > 0).then(|| used as f64 / passed as f64 * f64::from(cores) * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_those_of_docker_stats() {
        let found: ContainerStatsResponse = serde_json::from_value(serde_json::json!({
            "cpu_stats": {"cpu_usage": {"total_usage": 200}, "system_cpu_usage": 2000, "online_cpus": 2},
            "precpu_stats": {"cpu_usage": {"total_usage": 100}, "system_cpu_usage": 1000},
            "memory_stats": {"usage": 1000, "limit": 5000, "stats": {"inactive_file": 300}},
            "pids_stats": {"current": 7}
        }))
        .expect("stats");
        assert_eq!(
            read(&found),
            ContainerStats {
                cpu_percent: Some(20.0),
                memory_bytes: Some(700),
                memory_limit: Some(5000),
                pids: Some(7)
            }
        );
    }

    #[test]
    fn what_a_stopped_container_does_not_tell_is_unknown() {
        let found: ContainerStatsResponse = serde_json::from_value(serde_json::json!({
            "cpu_stats": {"cpu_usage": {"total_usage": 0}},
            "precpu_stats": {"cpu_usage": {"total_usage": 0}},
            "memory_stats": {}
        }))
        .expect("stats");
        assert_eq!(read(&found), ContainerStats::default());
    }
}
