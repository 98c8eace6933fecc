//! The steps that change something, through the command line, each killed at a random moment of doing it,
//! of taking it back and of doing it again: whatever moment that is, the same command ends it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use forgekeeper_standin::DemoSite;
use serde_json::Value;

use crate::rig::{Place, SECOND, get, site};

/// The longest that is waited before the kill: a step takes about as long here.
const LONGEST_MS: u64 = 2_500;
const BESIDE: &str = "comfyui-next-beside";
/// What these steps rest on, and what is tried elsewhere.
const SKIPPED: &[&str] = &[
    "target-image",
    "gpu-plan",
    "disk-space",
    "read-docs",
    "backup",
    "workflows",
    "document-models",
    "training",
    "maintenance-window",
    "custom-nodes",
    "batch-equivalence",
    "quality",
    "stability",
];

/// One step and whether it is done, as the played machine is.
type Row = (&'static str, fn(&World) -> bool);

struct World {
    site: DemoSite,
    place: Place,
    container: String,
}

impl World {
    fn is_there(&self, name: &str) -> bool {
        self.site.site().engine().find(name).is_some()
    }

    fn runs(&self, name: &str) -> bool {
        let found = self.site.site().engine().find(name);
        found.is_some_and(|container| container.running())
    }

    fn shares(&self) -> bool {
        let paths = self.site.shelf().extra_model_paths();
        std::fs::read_to_string(paths).is_ok_and(|text| text.contains("forgekeeper"))
    }

    /// Whether the step is at rest, and whether it is done, as the program says.
    async fn told(&self, step: &str) -> (bool, String) {
        let shown = self
            .place
            .ctl(&["--json", "migration", "show", step])
            .await
            .json();
        let state = shown["state"]["is"].as_str().expect("a state").to_owned();
        (shown["doing"] == Value::Null, state)
    }
}

/// Splitmix64: the seed is printed, and `FORGEKEEPER_SEED` gives it back.
struct Moments(u64);

impl Moments {
    fn new() -> Self {
        let given = std::env::var("FORGEKEEPER_SEED").ok();
        let now = || SystemTime::now().duration_since(UNIX_EPOCH);
        let seed = given.map_or_else(
            || now().map_or(1, |since| u64::from(since.subsec_nanos())),
            |text| text.parse().expect("a number"),
        );
        println!("FORGEKEEPER_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> Duration {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        Duration::from_millis((mixed ^ (mixed >> 31)) % LONGEST_MS)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_the_same_command_ends_what_was_begun() {
    let site = site(40.0).await;
    let place = Place::with(&site.config_toml());
    let skipped: String = SKIPPED
        .iter()
        .map(|id| format!("[[change]]\nid = \"{id}\"\nskip = \"tried elsewhere\"\n"))
        .collect();
    let plan = format!("{}{skipped}", site.plan_toml());
    std::fs::write(place.folder.path().join("migration.toml"), plan).expect("written");
    let old = site.services().iter().find(|s| s.kind == "forge");
    let old = old.expect("a Forge");
    let (old, container) = (old.id.clone(), old.container.name().to_owned());
    let world = World {
        site,
        place,
        container,
    };
    let web_config = || std::fs::read(world.site.iis().web_config()).expect("web.config");
    let original = web_config();
    let rows: [Row; 4] = [
        ("compose-beside", |w| w.runs(BESIDE)),
        ("share-models", World::shares),
        ("standby", |w| !w.runs(&w.container)),
        ("decommission", |w| !w.is_there(&w.container)),
    ];
    let mut moments = Moments::new();
    let (mut cut, mut ended) = (0, 0);
    for (step, is_done) in rows {
        if step == "standby" {
            // Between them the public address is turned; that has tests of its own.
            for turned in ["proxy-rehearsal", "proxy-cutover"] {
                let run = ["migration", "run", turned, "--yes"];
                world.place.ctl(&run).await.ends_with(0);
            }
        }
        if step == "decommission" {
            // The standby holds once its drill has passed, which starts the old service and stops it.
            let drill = ["migration", "drill", "standby", "--yes"];
            world.place.ctl(&drill).await.ends_with(0);
        }
        for verb in ["run", "undo", "run"] {
            let mut command = vec!["migration", verb, step, "--yes"];
            if step == "decommission" && verb == "run" {
                command.extend(["--confirm", &old]);
            }
            let wait = moments.next();
            let mut child = world.place.command(&command).spawn().expect("it starts");
            let end = tokio::time::timeout(wait, child.wait()).await;
            if end.is_ok() {
                ended += 1;
            } else {
                cut += 1;
                child.start_kill().expect("killed");
                child.wait().await.expect("its end");
            }
            let at = format!("{verb} {step}, killed after {wait:?}: {}", end.is_err());
            println!("{at}");
            let (at_rest, state) = world.told(step).await;
            let wanted = verb == "run";
            // Killed before it began, in the middle, or right before it could say that it had ended.
            if !at_rest || is_done(&world) != wanted || (state == "proved") != wanted {
                let again = world.place.ctl(&command).await;
                let fine = matches!(again.code, Some(0 | 3));
                assert!(fine, "{at}: {again:#?}");
            }
            assert_eq!(is_done(&world), wanted, "{at}");
            let (at_rest, state) = world.told(step).await;
            assert!(at_rest, "{at}: {state}");
        }
    }
    assert!(cut > 0, "none of {ended} was killed");
    assert_ne!(web_config(), original, "the address is still turned");
    let public = world.site.iis().urls()[0].clone();
    let answer = get(&format!("{public}/system_stats")).await;
    assert!(answer.is_some_and(|(code, _)| code == 200));
    let record = world.place.ctl(&["--json", "migration", "record"]).await;
    assert!(record.took < 30 * SECOND, "{record:#?}");
    world.site.shutdown().await;
}
