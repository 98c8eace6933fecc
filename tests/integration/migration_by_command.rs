//! The whole plan on the demo host through the command line alone, from its first step to its last: what is
//! not set is set, what is open is decided, each step is measured, done, taken back and done again.

use forgekeeper_standin::DemoSite;
use serde_json::Value;

use crate::rig::{Place, get, site};

const EXTENSIONS: &[&str] = &[
    "adetailer",
    "my-scripts",
    "sd-civitai-browser-plus",
    "sd-webui-regional-prompter",
];
const PROMPTS: &str = "a fox in the snow\na lighthouse\na bowl of pears\n";

struct Journey {
    site: DemoSite,
    place: Place,
    old: String,
    container: String,
}

impl Journey {
    async fn begin() -> Self {
        let site = site(20.0).await;
        let place = Place::new();
        let folder = place.folder.path();
        std::fs::create_dir(folder.join("project")).expect("a folder");
        std::fs::write(folder.join("project/compose.yaml"), "services: {}\n").expect("written");
        place.write(format!(
            "{}\n[backup]\nsource = '{}'\ntarget = '{}'\n",
            site.config_toml(),
            folder.join("project").display(),
            folder.join("copy").display()
        ));
        // The image is chosen on the way.
        let named = site.plan_toml();
        let plan = named.lines().filter(|line| !line.starts_with("image = "));
        let plan: String = plan.map(|line| format!("{line}\n")).collect();
        std::fs::write(folder.join("migration.toml"), plan).expect("written");
        let old = site.services().iter().find(|s| s.kind == "forge");
        let old = old.expect("a Forge");
        Self {
            old: old.id.clone(),
            container: old.container.name().to_owned(),
            site,
            place,
        }
    }

    async fn says(&self, code: i32, arguments: &[&str]) -> String {
        let ran = self.place.ctl(arguments).await;
        assert_eq!(ran.code, Some(code), "{arguments:?}: {ran:#?}");
        ran.stdout
    }

    async fn migration(&self, code: i32, arguments: &[&str]) -> String {
        let all: Vec<&str> = ["migration"].iter().chain(arguments).copied().collect();
        self.says(code, &all).await
    }

    async fn measured(&self, step: &str) {
        self.migration(0, &["check", step]).await;
    }

    /// Done, taken back, done again; the played machine is asked after each.
    async fn thrice(&self, step: &str, is_done: impl AsyncFn(&Self) -> bool) {
        for (verb, wanted) in [("run", true), ("undo", false), ("run", true)] {
            let mut command = vec![verb, step, "--yes"];
            if step == "decommission" && verb == "run" {
                self.migration(1, &command).await;
                assert!(!is_done(self).await, "nothing goes without its name");
                command.extend(["--confirm", &self.old]);
            }
            self.migration(0, &command).await;
            assert_eq!(is_done(self).await, wanted, "{verb} {step}");
        }
    }

    fn runs(&self, container: &str) -> bool {
        let found = self.site.site().engine().find(container);
        found.is_some_and(|container| container.running())
    }

    async fn comfyui_answers(&self, site: usize) -> bool {
        let url = self.site.iis().urls()[site].clone();
        let answer = get(&format!("{url}/system_stats")).await;
        answer.is_some_and(|(code, body)| code == 200 && body.contains("comfyui_version"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_plan_is_walked_by_commands() {
    let journey = Journey::begin().await;
    let old = journey.old.clone();

    // What is missing is said with what to write, and set.
    let told = journey.migration(3, &["check", "target-image"]).await;
    assert!(told.contains("`image` below `[target]`"), "{told}");
    let images = journey.migration(0, &["images"]).await;
    let named = journey.site.plan_toml();
    let image = named
        .lines()
        .find_map(|line| line.strip_prefix("image = "))
        .expect("an image")
        .trim_matches(['"', '\'']);
    assert!(!images.is_empty());
    journey
        .migration(0, &["target", "set", "image", image])
        .await;
    journey.measured("target-image").await;
    // Its placement is proved first: how much room there is depends on it.
    journey.says(0, &["placement", &old]).await;
    journey.measured("gpu-plan").await;
    journey.says(0, &["backup", "run"]).await;
    journey.measured("backup").await;
    // The disk is that of the machine of the test: it has what it has.
    let disk = journey
        .place
        .ctl(&["migration", "check", "disk-space"])
        .await;
    if disk.code != Some(0) {
        let skip = ["skip", "disk-space", "--reason", "a small disk"];
        journey.migration(0, &skip).await;
    }
    for step in ["read-docs", "maintenance-window"] {
        journey
            .migration(0, &["attest", step, "--by", "jesse"])
            .await;
    }
    journey
        .thrice("compose-beside", async |j: &Journey| {
            j.runs("comfyui-next-beside")
        })
        .await;
    for step in ["document-models", "training"] {
        journey
            .migration(0, &["attest", step, "--by", "jesse"])
            .await;
    }

    let prompts = journey.place.folder.path().join("prompts.txt");
    std::fs::write(&prompts, PROMPTS).expect("prompts");
    let prompts = prompts.to_string_lossy().into_owned();
    let mut names = Vec::new();
    for service in [old.as_str(), "comfyui-next"] {
        let record = [
            "--json",
            "generate",
            service,
            "--golden",
            "record",
            "--set",
            "usual",
            "--prompts",
            &prompts,
            "--seed",
            "4",
            "--steps",
            "2",
            "--width",
            "64",
            "--height",
            "64",
        ];
        let ran = journey.place.ctl(&record).await.ends_with(0);
        let end = ran.lines().pop().expect("an end");
        let entries = end["run"]["entries"].as_array().expect("entries").clone();
        let name = |entry: &Value| entry["prompt"].as_str().expect("a name").to_owned();
        names = entries.iter().map(name).collect();
    }
    journey.measured("workflows").await;
    let paths = journey.site.shelf().extra_model_paths();
    journey
        .thrice("share-models", async |_: &Journey| {
            let text = std::fs::read_to_string(&paths).unwrap_or_default();
            text.contains("forgekeeper")
        })
        .await;
    journey.migration(1, &["check", "custom-nodes"]).await;
    for extension in EXTENSIONS {
        journey
            .migration(0, &["decide", extension, "--not-needed"])
            .await;
    }
    journey.measured("custom-nodes").await;
    journey.measured("batch-equivalence").await;
    journey
        .thrice("proxy-rehearsal", async |j: &Journey| {
            j.comfyui_answers(2).await
        })
        .await;
    for (place, prompt) in names.iter().enumerate() {
        let code = if place + 1 == names.len() { 0 } else { 3 };
        journey.migration(code, &["vote", prompt, "equal"]).await;
    }
    journey.measured("quality").await;
    journey
        .thrice("proxy-cutover", async |j: &Journey| {
            j.comfyui_answers(0).await
        })
        .await;
    journey.measured("stability").await;

    // The standby holds once its drill has passed.
    for (verb, code) in [("run", 3), ("undo", 0), ("run", 3)] {
        journey.migration(code, &[verb, "standby", "--yes"]).await;
        assert_eq!(journey.runs(&journey.container), verb == "undo", "{verb}");
    }
    journey.migration(0, &["drill", "standby", "--yes"]).await;
    assert!(!journey.runs(&journey.container));
    journey.measured("standby").await;
    journey
        .thrice("decommission", async |j: &Journey| {
            j.site.site().engine().find(&j.container).is_none()
        })
        .await;

    let list: Value = journey.place.ctl(&["--json", "migration"]).await.json();
    assert_eq!(list["next"], Value::Null, "{list:#}");
    let steps = list["phases"].as_array().expect("phases").iter();
    let steps = steps.flat_map(|phase| phase["steps"].as_array().expect("steps"));
    for step in steps {
        let state = step["state"]["is"].as_str().expect("a state");
        assert!(matches!(state, "proved" | "skipped"), "{step:#}");
    }
    let record = journey.migration(0, &["record"]).await;
    for told in ["decommission", "standby", "proxy-cutover"] {
        assert!(record.contains(told), "{record}");
    }
    journey.site.shutdown().await;
}
