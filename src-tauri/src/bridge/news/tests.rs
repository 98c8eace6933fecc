use forgekeeper_domain::{
    Timestamp,
    cause::Cause,
    gpu::{GpuCard, GpuSample, GpuSourceInfo, GpuView},
    ids::{GpuUuid, HostId},
    outcome::Outcome,
};
use forgekeeper_keeper::state::{HostState, KeeperState, RulesStatus, SettingsStatus};

use super::Shown;

const GIB: u64 = 1 << 30;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn state() -> KeeperState {
    let uuid = GpuUuid::new("GPU-1").expect("an id");
    let latest = GpuSample {
        load_percent: Some(3),
        memory_used: Some(4 * GIB),
        memory_total: Some(24 * GIB),
        temperature_c: Some(41),
        slowdown_c: Some(93),
        power_w: Some(24.0),
        power_limit_w: Some(350.0),
        ..GpuSample::unread(uuid, 0, "RTX 3090", at(1))
    };
    KeeperState {
        revision: 1,
        at: at(1),
        demo: false,
        hosts: vec![HostState {
            id: HostId::new("local").expect("an id"),
            endpoint: None,
            origin: None,
            engine_version: None,
            api_version: None,
            host: Outcome::ok(at(1)),
            engine: Outcome::ok(at(1)).with("ping_ms", 3),
            retry_in_ms: None,
            gpus: GpuView {
                source: GpuSourceInfo::Nvml {
                    driver: Some("576".to_owned()),
                    cuda: None,
                },
                cards: vec![GpuCard {
                    latest,
                    load_history: vec![Some(3)],
                    current: true,
                    outcome: Outcome::ok(at(1)),
                    remarks: Vec::new(),
                    shares: None,
                }],
                checked_at: Some(at(1)),
                error: None,
            },
        }],
        services: Vec::new(),
        incidents: Vec::new(),
        jobs: Vec::new(),
        settings: SettingsStatus {
            path: "forgekeeper.toml".to_owned(),
            exists: true,
            problem: None,
            keyring_available: None,
        },
        rules: RulesStatus::default(),
    }
}

fn after(change: impl FnOnce(&mut KeeperState)) -> (Shown, KeeperState) {
    let mut now = state();
    change(&mut now);
    (Shown::new(std::sync::Arc::new(state())), now)
}

fn sample(state: &mut KeeperState) -> &mut GpuSample {
    &mut state.hosts[0].gpus.cards[0].latest
}

#[test]
fn a_new_number_and_time_alone_are_not_sent() {
    let (shown, now) = after(|state| {
        state.revision = 2;
        state.at = at(2);
    });
    assert!(!shown.differs(&now));
    assert!(!shown.is_news(&now));
}

#[test]
fn times_and_readings_that_hardly_moved_may_wait() {
    let (shown, now) = after(|state| {
        state.hosts[0].engine = Outcome::ok(at(1)).with("ping_ms", 4);
        state.hosts[0].engine.checked_at = Some(at(2));
        state.hosts[0].gpus.cards[0].load_history.push(Some(7));
        let sample = sample(state);
        sample.at = at(2);
        sample.load_percent = Some(7);
        sample.memory_used = Some(4 * GIB + GIB / 4);
        sample.temperature_c = Some(42);
        sample.power_w = Some(30.0);
    });
    assert!(shown.differs(&now));
    assert!(!shown.is_news(&now));
}

#[test]
fn what_an_eye_notices_is_sent_at_once() {
    type Change = fn(&mut KeeperState);
    let changes: [(&str, Change); 8] = [
        ("load", |state| sample(state).load_percent = Some(8)),
        ("memory", |state| {
            sample(state).memory_used = Some(5 * GIB);
        }),
        ("temperature", |state| {
            sample(state).temperature_c = Some(43);
        }),
        ("power", |state| sample(state).power_w = Some(60.0)),
        ("a reading is gone", |state| {
            sample(state).load_percent = None;
        }),
        ("status", |state| {
            state.hosts[0].engine = Outcome::failing(Cause::EngineRefused, at(1));
        }),
        ("settings", |state| state.settings.exists = false),
        ("rules", |state| state.rules.version = 1),
    ];
    for (what, change) in changes {
        let (shown, now) = after(change);
        assert!(shown.is_news(&now), "{what}");
    }
}
