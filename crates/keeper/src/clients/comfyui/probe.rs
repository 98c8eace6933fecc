//! Is ComfyUI's API up: `/system_stats` proves it, `/queue` and `/models/checkpoints` fill it in.

use forgekeeper_domain::{
    facts::{Activity, ApiFact, Busy, DeviceReport},
    service::{KindId, kind},
};

use super::super::{
    http::{Ask, Http, HttpAnswer, Target},
    judge::{self, Judged},
    probe::{ASIDE_DEADLINE, PROBE_DEADLINE},
};

pub(crate) async fn probe(http: &Http, target: &Target) -> ApiFact {
    let stats = kind(KindId::Comfyui).api_probe_path();
    let answer = match http.send(target, &Ask::get(stats, PROBE_DEADLINE)).await {
        Ok(answer) => answer,
        Err(error) => return judge::failed(error),
    };
    let fact = classify(&answer, target.has_credentials());
    let ApiFact::Answered {
        latency_ms,
        version,
        device,
        ..
    } = fact
    else {
        return fact;
    };
    let aside = |path| async move {
        let answer = http
            .send(target, &Ask::get(path, ASIDE_DEADLINE))
            .await
            .ok()?;
        (answer.status == 200 && answer.cut.is_none())
            .then(|| judge::json(&answer).ok())
            .flatten()
    };
    let (models, queue) = tokio::join!(aside("/models/checkpoints"), aside("/queue"));
    ApiFact::Answered {
        models: models
            .as_ref()
            .and_then(|m| m.as_array())
            .and_then(|list| u32::try_from(list.len()).ok()),
        latency_ms,
        activity: queue.as_ref().map_or(Activity::Unknown, activity),
        version,
        device,
    }
}

/// Judges the answer to `/system_stats`.
fn classify(answer: &HttpAnswer, sent_credentials: bool) -> ApiFact {
    let judged = judge::judge(answer, sent_credentials, stats, |(version, device)| {
        ApiFact::Answered {
            models: None,
            latency_ms: answer.took_ms(),
            activity: Activity::Unknown,
            version: Some(version),
            device,
        }
    });
    match judged {
        Judged::Fact(fact) => fact,
        // The port opens only when everything is loaded, so a page is either the container's or foreign.
        Judged::Page => judge::page(answer, judge::is_preparing(&answer.body)),
    }
}

fn stats(answer: &HttpAnswer) -> Result<(String, Option<DeviceReport>), String> {
    let body = judge::json(answer)?;
    let version = body
        .get("system")
        .and_then(|system| system.get("comfyui_version"))
        .and_then(|version| version.as_str())
        .map(judge::shorten)
        .ok_or_else(|| "JSON that is not ComfyUI's system_stats".to_owned())?;
    Ok((version, device(&body)))
}

/// The first device, which is the one it computes on. Torch's own part of its memory is what it
/// holds; on the CPU the numbers are those of the machine's memory.
fn device(stats: &serde_json::Value) -> Option<DeviceReport> {
    let device = stats.get("devices")?.get(0)?;
    let name = device.get("name")?.as_str()?;
    let bytes = |key: &str| device.get(key).and_then(serde_json::Value::as_u64);
    let on_card = device.get("type").and_then(|kind| kind.as_str()) == Some("cuda");
    Some(DeviceReport {
        name: Some(judge::shorten(name)),
        held: bytes("torch_vram_total").filter(|_| on_card),
        total: bytes("vram_total").filter(|_| on_card),
    })
}

/// A running job; the queue tells neither its progress nor its time.
fn activity(queue: &serde_json::Value) -> Activity {
    let running = queue.get("queue_running").and_then(|r| r.as_array());
    match running {
        None => Activity::Unknown,
        Some(running) if running.is_empty() => Activity::Idle,
        Some(_) => Activity::Busy(Busy {
            percent: None,
            loading_model: false,
            eta_s: None,
        }),
    }
}
