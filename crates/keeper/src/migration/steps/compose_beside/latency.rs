//! Whether Forge suffers: the same short question several times before and after.

use std::time::Duration;

use forgekeeper_domain::migration::Finding;

use super::words;
use crate::{
    clients::{Reach, http::Ask},
    migration::Site,
    settings::ServiceSettings,
};

/// How often it is asked, and how many answers there have to be.
const TIMES: usize = 7;
const ENOUGH: usize = 5;
const DEADLINE: Duration = Duration::from_secs(5);
/// What is asked: it reads no file and paints nothing.
const PATH: &str = "/sdapi/v1/progress?skip_current_image=true";
/// Slower by this much, and by this factor, is harm.
const SLACK_MS: u32 = 50;
const FACTOR: f64 = 1.5;

/// The median in milliseconds; `None` where too few answered.
pub(super) async fn of(site: &Site, service: &ServiceSettings) -> Option<u32> {
    let api = service.api.as_deref()?;
    let credentials = site.secrets().get(&service.id).await;
    let reach = Reach::new(site.http().clone(), api, credentials).ok()?;
    let mut took = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        if let Ok(answer) = reach.get(&Ask::get(PATH, DEADLINE)).await
            && answer.status == 200
        {
            took.push(answer.took_ms());
        }
    }
    median(took)
}

fn median(mut took: Vec<u32>) -> Option<u32> {
    if took.len() < ENOUGH {
        return None;
    }
    took.sort_unstable();
    took.get(took.len() / 2).copied()
}

/// Compares with what was measured before; without it there is nothing to compare.
pub(super) fn judge(before: Option<u32>, now: Option<u32>) -> Finding {
    let finding = match (before, now) {
        (_, None) => Finding::unknown(words::forge_silent()),
        (Some(before), Some(now)) if is_harm(before, now) => {
            Finding::failed(words::forge_slower(before, now))
        }
        _ => Finding::proved(),
    };
    finding
        .with_some("forge_latency_before_ms", before)
        .with_some("forge_latency_ms", now)
}

fn is_harm(before: u32, now: u32) -> bool {
    f64::from(now) > f64::from(before) * FACTOR && now > before.saturating_add(SLACK_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use forgekeeper_domain::migration::Found;

    #[test]
    fn slower_is_harm_only_when_it_is_much() {
        for (before, now, found) in [
            (Some(20), Some(20), Found::Proved),
            (Some(20), Some(69), Found::Proved),
            (Some(20), Some(71), Found::Failed),
            (Some(400), Some(590), Found::Proved),
            (Some(400), Some(601), Found::Failed),
            (None, Some(900), Found::Proved),
            (Some(20), None, Found::Unknown),
        ] {
            assert_eq!(judge(before, now).found, found, "{before:?} {now:?}");
        }
        assert_eq!(median(vec![9, 1, 5, 7, 3]), Some(5));
        assert_eq!(median(vec![9, 1, 5, 7]), None);
    }
}
