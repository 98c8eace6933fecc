//! `/containers/{id}/stats`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::container::{Container, Work};
use super::{Engine, logs};
use crate::faults::Fault;
use crate::lock::lock;
use crate::reply;

const SECOND: f64 = 1e9;
const CPUS: f64 = 16.0;

/// A counter as the engine writes it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "totals only grow from zero"
)]
fn count(total: f64) -> u64 {
    total as u64
}

/// One sample; `cpu` and `system` are running totals in nanoseconds.
fn sample(
    container: &Container,
    at: Timestamp,
    before: Option<(Timestamp, f64, f64)>,
    now: (f64, f64),
) -> Value {
    let running = container.running();
    let id = container.id();
    let name = format!("/{}", container.spec.name);
    if !running {
        return json!({"id": id, "name": name, "read": "0001-01-01T00:00:00Z",
            "preread": "0001-01-01T00:00:00Z", "pids_stats": {}, "blkio_stats": {},
            "num_procs": 0, "storage_stats": {}, "cpu_stats": {}, "precpu_stats": {}, "memory_stats": {}});
    }
    let held = match &container.spec.work {
        Work::Forge(forge) => 3_600 + forge.held_mib() / 4,
        Work::Comfy(comfy) => 2_900 + comfy.held_mib() / 4,
        Work::Idle => 12,
    };
    let usage = held * 1024 * 1024 + count(now.0) % 9_000_000;
    let cpu = |(total, system): (f64, f64)| {
        json!({"cpu_usage": {"total_usage": count(total), "usage_in_kernelmode": count(total * 0.2),
                             "usage_in_usermode": count(total * 0.8)},
               "system_cpu_usage": count(system), "online_cpus": count(CPUS),
               "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0}})
    };
    let (preread, previous) = match before {
        Some((at, total, system)) => (logs::stamp(at), cpu((total, system))),
        None => (
            "0001-01-01T00:00:00Z".to_owned(),
            json!({"cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
                   "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0}}),
        ),
    };
    let seconds = now.1 / SECOND / CPUS;
    json!({
        "read": logs::stamp(at), "preread": preread,
        "pids_stats": {"current": 143, "limit": 18_446_744_073_709_551_615u64},
        "blkio_stats": {"io_service_bytes_recursive": [
            {"major": 8, "minor": 48, "op": "read", "value": 7_214_862_336u64},
            {"major": 8, "minor": 48, "op": "write", "value": 98_304_000u64}]},
        "num_procs": 0, "storage_stats": {},
        "cpu_stats": cpu(now), "precpu_stats": previous,
        "memory_stats": {"usage": usage, "limit": 33_554_432_000u64,
                         "stats": {"inactive_file": 512 * 1024 * 1024u64, "active_file": 96 * 1024 * 1024u64}},
        "name": name, "id": id,
        "networks": {"eth0": {"rx_bytes": count(seconds * 420.0), "rx_packets": 9_211, "rx_errors": 0,
            "rx_dropped": 0, "tx_bytes": count(seconds * 3_900.0), "tx_packets": 8_730, "tx_errors": 0,
            "tx_dropped": 0}},
    })
}

/// Running totals of a container's run, as far as they have been asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Totals {
    started: Option<Timestamp>,
    at: Timestamp,
    cpu: f64,
    system: f64,
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

/// The totals up to now; every reader sees the same ones grow.
fn totals(container: &Container, now: Timestamp) -> (f64, f64) {
    let started = lock(&container.state).started;
    let busy = match &container.spec.work {
        Work::Forge(forge) => forge.busy(),
        Work::Comfy(comfy) => comfy.busy(),
        Work::Idle => false,
    };
    let mut kept = lock(&container.totals);
    let old = kept.filter(|totals| totals.started == started);
    let mut totals = old.unwrap_or_else(|| {
        let up = started.map_or(0.0, |started| seconds(started, now));
        Totals {
            started,
            at: now,
            cpu: up * SECOND * 0.031,
            system: (up + 90_000.0) * SECOND * CPUS,
        }
    });
    let passed = seconds(totals.at, now);
    totals.at = now.max(totals.at);
    totals.cpu += passed * SECOND * if busy { 1.18 } else { 0.027 };
    totals.system += passed * SECOND * CPUS;
    *kept = Some(totals);
    (totals.cpu, totals.system)
}

pub(crate) async fn answer(
    engine: &Arc<Engine>,
    container: Arc<Container>,
    stream: bool,
    one_shot: bool,
) -> Response {
    let take = |container: &Container| {
        let now = Timestamp::now();
        let (cpu, system) = totals(container, now);
        (now, cpu, system)
    };
    if !stream {
        let mut before = None;
        if !one_shot && container.running() {
            before = Some(take(&container));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let (now, cpu, system) = take(&container);
        return reply::json(200, &sample(&container, now, before, (cpu, system)));
    }
    let faults = engine.faults.clone();
    let samples = futures_util::stream::unfold(
        (container, None, faults),
        move |(container, before, faults)| async move {
            if before.is_some() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            faults.wait_gone(Fault::EngineHung).await;
            let (now, cpu, system) = take(&container);
            let body = sample(&container, now, before, (cpu, system));
            let line = Bytes::from(format!("{body}\n"));
            let next = (container, Some((now, cpu, system)), faults);
            Some((Ok::<_, std::io::Error>(line), next))
        },
    );
    reply::typed(200, "application/json", Body::from_stream(samples))
}
