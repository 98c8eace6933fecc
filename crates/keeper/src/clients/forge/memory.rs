//! `GET /sdapi/v1/memory`: what torch holds of the card, and how large the card is.

use forgekeeper_domain::facts::DeviceReport;

use super::super::{
    http::{Ask, Http, Target},
    judge,
    probe::ASIDE_DEADLINE,
};

const MEMORY: &str = "/sdapi/v1/memory";

/// Asks; `None` when it is not told (no CUDA, no such route, no answer in time).
pub(crate) async fn ask(http: &Http, target: &Target) -> Option<DeviceReport> {
    let answer = http
        .send(target, &Ask::get(MEMORY, ASIDE_DEADLINE))
        .await
        .ok()?;
    if answer.status != 200 || answer.cut.is_some() {
        return None;
    }
    read(&judge::json(&answer).ok()?)
}

/// `reserved` is what this process took from the card; `system` is the whole card, whoever uses it.
fn read(body: &serde_json::Value) -> Option<DeviceReport> {
    let cuda = body.get("cuda")?;
    let bytes = |part: &str, key: &str| cuda.get(part)?.get(key)?.as_u64();
    let report = DeviceReport {
        name: None,
        held: bytes("reserved", "current"),
        total: bytes("system", "total"),
    };
    (report.held.is_some() || report.total.is_some()).then_some(report)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_torch_holds_is_told_apart_from_the_whole_card() {
        let body = json!({
            "ram": {"free": 2.4e10, "used": 1, "total": 2.5e10},
            "cuda": {"system": {"free": 5, "used": 7, "total": 12}, "reserved": {"current": 3, "peak": 9}},
        });
        let report = read(&body).expect("told");
        assert_eq!(
            (report.held, report.total, report.name),
            (Some(3), Some(12), None)
        );
        for silent in [
            json!({"cuda": {"error": "unavailable"}}),
            json!({"cuda": {"reserved": {"current": -1}}}),
            json!({"cuda": []}),
            json!([]),
            json!(null),
        ] {
            assert_eq!(read(&silent), None, "{silent}");
        }
    }
}
