//! What the demo host's logs already hold, and the small life that goes on in them.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::comfyui::Comfy;
use crate::forge::{FORGE_LOG, Forge};
use crate::logbook::{Logbook, Stream};
use crate::site::Site;

/// The log of a Forge container that was started at `started` and has worked since.
pub(super) fn past_forge(log: &Logbook, forge: &Forge, started: Timestamp) {
    let mut at = started;
    let mut put = |wait: i64, source: Option<&str>, text: &str| {
        at += SignedDuration::from_millis(wait);
        log.write(at, Stream::Out, source, text);
    };
    put(0, None, "/workspace is a mounted volume");
    put(
        900,
        Some("/var/log/supervisor/supervisor.log"),
        "INFO supervisord started with pid 42",
    );
    put(
        80,
        Some("/var/log/supervisor/supervisor.log"),
        "INFO spawned: 'forge' with pid 312",
    );
    put(
        700,
        Some("/var/log/sync.log"),
        "Skipping sync: .move_complete exists",
    );
    put(
        500,
        Some("/var/log/preflight.log"),
        "Writing FORGE_ARGS to /etc/forge_args.conf",
    );
    put(
        4_000,
        Some("/var/log/provisioning.log"),
        "Provisioning complete:  Web UI will start now",
    );
    for line in forge.old_start() {
        put(1_100, Some(FORGE_LOG), &line);
    }
    let gap = SignedDuration::from_mins(58).as_millis();
    for round in 0..20u64 {
        let steps = 6 + round % 3 * 7;
        let millis = i64::try_from(gap).unwrap_or(3_000_000);
        let mut bar = String::new();
        for n in 1..=steps {
            let percent = n * 100 / steps;
            let blocks = "\u{2588}".repeat(usize::try_from(percent / 10).unwrap_or(0));
            // Writing to a String cannot fail.
            let _ = write!(
                bar,
                "\r{percent:>3}%|{blocks:<10}| {n}/{steps} [00:01<00:00,  7.{round}1it/s]"
            );
        }
        put(
            millis,
            Some(FORGE_LOG),
            "[Unload] Trying to free 3051.58 MB for cuda:0 with 0 models keep loaded ... Current free memory is 9871.22 MB ... Done.",
        );
        put(40, Some(FORGE_LOG), bar.trim_start_matches('\r'));
        put(
            900,
            Some(FORGE_LOG),
            &format!(
                "Total progress: 100%|\u{2588}\u{2588}\u{2588}\u{2588}\u{2588}| {steps}/{steps}"
            ),
        );
        if round % 7 == 3 {
            put(
                20,
                Some("/var/log/supervisor/caddy.log"),
                "{\"level\":\"info\",\"msg\":\"certificate maintenance\"}",
            );
        }
    }
}

/// The same for ComfyUI, which writes everything to standard error.
pub(super) fn past_comfy(log: &Logbook, comfy: &Comfy, started: Timestamp) {
    let mut at = started + SignedDuration::from_hours(2);
    for line in comfy.old_start() {
        at += SignedDuration::from_millis(300);
        log.write(at, Stream::Err, None, &line);
    }
}

const MURMUR: &[(&str, &str)] = &[
    (
        "/var/log/supervisor/storagemonitor.log",
        "Storage monitor: no change in /workspace/storage",
    ),
    (
        "/var/log/supervisor/syncthing.log",
        "INFO: Completed initial scan of sendreceive folder \"default\"",
    ),
    (
        "/var/log/supervisor/caddy.log",
        "{\"level\":\"info\",\"logger\":\"tls\",\"msg\":\"cleaning storage unit\"}",
    ),
    (
        "/var/log/supervisor/serviceportal.log",
        "INFO:     127.0.0.1:41822 - \"GET /ai-dock/api/status HTTP/1.1\" 200 OK",
    ),
];

/// Now and then a line in each log.
pub(super) fn go_on(site: &Arc<Site>) {
    let weak = Arc::downgrade(site);
    let pace = site.pace;
    let mut followers = site.engine.followers();
    site.tasks.spawn(async move {
        for round in 0usize.. {
            // Nobody is woken for lines that nobody reads.
            if followers.wait_for(|count| *count > 0).await.is_err() {
                return;
            }
            pace.wait(23_000.0).await;
            let Some(site) = weak.upgrade() else { return };
            for (place, service) in site.services.iter().enumerate() {
                if service.kind == "forge" && service.container.running() {
                    let (file, line) = MURMUR[(round + place) % MURMUR.len()];
                    service.container.spec.log.file(file, line);
                }
            }
        }
    });
}
