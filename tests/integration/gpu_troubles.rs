//! What is wrong with a card, from the driver's own library to the verdict, and what a service that
//! stopped holds of it.

use std::path::{Path, PathBuf};

use forgekeeper_domain::{
    Timestamp,
    action::Action,
    cause::Cause,
    gpu::{GpuCard, condition::Condition},
};
use forgekeeper_keeper::{gpu::nvml::Sampler, state::KeeperState};
use forgekeeper_standin_nvml::{
    Memory, PcieLink, SCRIPT_FILE, Script, Throttle, ThrottleReason, built,
};

use crate::rig::{Kept, SECOND, id, until};

/// The driver's library, read at times of the test's own.
struct Bench {
    folder: tempfile::TempDir,
    script: Script,
    sampler: Sampler,
    condition: Condition,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let script = Script::founding();
        let library: PathBuf = built::install(folder.path(), &script).expect("the library");
        Self {
            folder,
            script,
            sampler: Sampler::new(Some(library)),
            condition: Condition::default(),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn say(&mut self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script);
        let path = self.path().join(SCRIPT_FILE);
        self.script.write(&path).expect("written");
    }

    /// The causes found on the second card, which is read every ten seconds of a stretch of time.
    fn causes(&mut self, seconds: std::ops::Range<i64>) -> Vec<(i64, Vec<&'static str>)> {
        seconds
            .step_by(10)
            .map(|second| {
                let at = Timestamp::from_second(1_800_000_000 + second).expect("a time");
                let reading = self.sampler.read(at).expect("a reading");
                let card = &reading.samples[1];
                self.condition.see(card);
                let found = self.condition.found(card);
                let causes = found.iter().filter_map(|outcome| outcome.cause);
                (second, causes.map(Cause::code).collect())
            })
            .collect()
    }
}

#[test]
fn the_drivers_values_become_troubles_when_they_last() {
    let mut bench = Bench::new();
    let rest = bench.causes(0..200);
    assert!(
        rest.iter().all(|(_, found)| found.is_empty()),
        "a card at rest, on a link that sleeps: {rest:?}"
    );
    bench.say(|script| {
        let card = &mut script.cards[1];
        card.throttle_reasons = Throttle::Reasons(vec![ThrottleReason::HwThermalSlowdown]).into();
        card.pcie = PcieLink {
            width: 4.into(),
            ..card.pcie.clone()
        };
        card.memory = Memory::new(24 << 30, (24 << 30) - (100 << 20)).into();
    });
    let found = bench.causes(200..340);
    let first = |cause: &str| {
        let mut with = found.iter().filter(|(_, causes)| causes.contains(&cause));
        with.next().map(|(second, _)| second - 200)
    };
    assert_eq!(first("gpu.memory_low"), Some(30), "{found:?}");
    assert_eq!(first("gpu.pcie_degraded"), Some(60), "{found:?}");
    assert_eq!(first("gpu.throttled"), Some(120), "{found:?}");
    assert_eq!(
        found.last().map(|(_, causes)| causes.as_slice()),
        Some(["gpu.throttled", "gpu.pcie_degraded", "gpu.memory_low"].as_slice()),
        "gravest first"
    );
    bench.say(|script| *script = Script::founding());
    let after = bench.causes(340..400);
    assert!(
        after.iter().skip(2).all(|(_, found)| found.is_empty()),
        "{after:?}"
    );
}

/// The bytes that a service is said to hold of a card, and how that is known.
fn held(card: &GpuCard, service: &str) -> Option<u64> {
    let shares = &card.shares.as_ref()?.shares;
    let ours = shares
        .iter()
        .find(|share| share.holder.is_service(&id(service)))?;
    ours.memory
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stopped_holds_no_memory_any_more() {
    let kept = Kept::start(20.0).await;
    let of = |state: &KeeperState, service: &str| -> Option<u64> {
        let cards = &state.hosts[0].gpus.cards;
        cards.iter().find_map(|card| held(card, service))
    };
    let reported = |state: &KeeperState| {
        of(state, "myia").is_some_and(|bytes| bytes > 0) && of(state, "comfyui").is_some()
    };
    until(&kept.handle(), "the report", 20 * SECOND, reported).await;
    let handle = kept.handle();
    handle
        .act(&id("myia"), Action::Stop, true)
        .await
        .expect("begun");
    let gone = |state: &KeeperState| {
        // The cards are read all the same: that nobody knows it would say nothing.
        let cards = &state.hosts[0].gpus.cards;
        cards
            .iter()
            .all(|card| card.current && card.shares.is_some())
            && of(state, "myia").is_none()
            && of(state, "comfyui").is_some()
    };
    until(&handle, "that it holds nothing", 15 * SECOND, gone).await;
    // It stays so: what was reported before the stop does not come back.
    tokio::time::sleep(2 * SECOND).await;
    assert!(of(&handle.state().borrow(), "myia").is_none());
    assert_eq!(kept.end().await, [""; 0]);
}
