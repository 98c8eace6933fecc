//! ComfyUI beside Forge, from the first look to the second going back; extensions and custom nodes.

use std::net::TcpListener;

use forgekeeper_domain::{
    error::ErrorCode,
    ids::StepId,
    migration::{Found, PreviewLine, RecordOutcome},
    outcome::Status,
};
use forgekeeper_keeper::{
    keeper::{Keeper, KeeperHandle},
    state::KeeperState,
};
use forgekeeper_standin::{DemoSite, docker::Work};

use crate::rig::{Place, SECOND, id, service, site, until};

const STEP: &str = "compose-beside";

struct World {
    site: DemoSite,
    place: Place,
    keeper: Keeper,
    port: u16,
}

pub(crate) fn step(text: &str) -> StepId {
    StepId::new(text.to_owned()).expect("an id")
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

impl World {
    async fn start() -> Self {
        let site = site(40.0).await;
        let settings = format!("# mine\n{}", site.config_toml());
        let place = Place::with(&settings);
        std::fs::create_dir(place.folder.path().join("models")).expect("a folder");
        let port = free_port();
        let world = Self {
            keeper: place.keeper().await,
            site,
            place,
            port,
        };
        world.plan(&world.port.to_string(), "compose.yaml", "");
        let green = |s: &KeeperState| {
            let seen = s.hosts.iter().any(|host| !host.gpus.cards.is_empty());
            seen && s.services.len() == 3 && s.services.iter().all(|v| v.status == Status::Ok)
        };
        until(&world.handle(), "green", 30 * SECOND, green).await;
        world
    }

    fn handle(&self) -> KeeperHandle {
        self.keeper.handle()
    }

    /// The owner's plan; what other parts measure is left out.
    fn plan(&self, port: &str, file: &str, more: &str) {
        let card = &self.site.site().gpus().cards()[1].uuid;
        let text = format!(
            "[target]\nfrom = \"myia\"\nto = \"comfyui-next\"\n\
             image = \"{}/yanwk/comfyui-boot:cu126-slim\"\nport = {port}\ngpu = \"{card}\"\n\
             compose_file = \"{file}\"\nextra_model_paths = \"paths.yaml\"\nmodels = \"models\"\n\
             [[change]]\nid = \"gpu-plan\"\nskip = \"another test\"\n\
             [[change]]\nid = \"disk-space\"\nskip = \"another test\"\n\
             [[change]]\nid = \"target-image\"\nskip = \"another test\"\n{more}",
            self.site.registry().name()
        );
        std::fs::write(self.place.folder.path().join("migration.toml"), text).expect("written");
    }

    async fn planned(&self, holds: impl Fn(&forgekeeper_domain::migration::Target) -> bool) {
        let handle = self.handle();
        crate::rig::holds("the plan is read", 10 * SECOND, || async {
            let view = handle.migration().await.expect("a plan");
            holds(&view.target)
        })
        .await;
    }

    fn file(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.place.folder.path().join(name)).ok()
    }

    async fn end(self) {
        assert_eq!(self.keeper.shutdown().await, [""; 0]);
        self.site.shutdown().await;
    }
}

pub(crate) async fn done(
    handle: &KeeperHandle,
    undo: bool,
) -> forgekeeper_keeper::migration::StepEnd {
    let id = step(STEP);
    let begun = if undo {
        handle.migration_undo(&id, None).await
    } else {
        handle.migration_run(&id, None).await
    };
    begun.expect("it begins");
    let waited = tokio::time::timeout(90 * SECOND, handle.migration_wait(&id)).await;
    let Ok(end) = waited else {
        let progress = handle.migration_progress(&id).map(|p| p.borrow().clone());
        let state = handle.state().borrow().clone();
        panic!("no end: {progress:#?} {:#?}", state.services);
    };
    end.expect("its end")
}

#[tokio::test]
async fn comfyui_is_put_beside_forge_taken_back_and_put_there_again() {
    let world = World::start().await;
    world
        .planned(|target| target.port == Some(world.port))
        .await;
    let handle = world.handle();
    let image = handle.migration_check(&step("target-image")).await;
    let image = image.expect("a look").finding;
    assert_eq!(image.found, Found::Proved, "{image:#?}");
    assert_eq!(world.site.registry().leaked(), 0);

    let preview = handle.migration_preview(&step(STEP), false).await;
    let preview = preview.expect("a preview");
    assert_eq!(preview.refused, [], "{preview:#?}");
    let wrote = preview.lines.iter().find_map(|line| match line {
        PreviewLine::Writes { path, diff } if path.ends_with("compose.yaml") => Some(diff),
        _ => None,
    });
    let wrote = wrote.expect("the file is shown");
    assert!(
        wrote.contains("read_only: true") && wrote.contains("device_ids"),
        "{wrote}"
    );
    assert_eq!(world.file("compose.yaml"), None, "looking changes nothing");

    for round in 0..2 {
        let end = done(&handle, false).await;
        assert_eq!(end.outcome, RecordOutcome::Done, "round {round}: {end:#?}");
        let state = handle.state().borrow().clone();
        let next = service(&state, "comfyui-next").expect("in the roster");
        assert_eq!(next.status, Status::Ok);
        let settings = world.file("forgekeeper.toml").expect("settings");
        assert!(settings.starts_with("# mine"), "comments stay");
        assert!(settings.contains("id = \"comfyui-next\""));
        assert!(
            world
                .file("compose.yaml")
                .is_some_and(|text| text.contains("cu126-slim"))
        );
        assert!(world.file("paths.yaml").is_some());
        let engine = world.site.site().engine();
        let made = engine.find("comfyui-next-beside").expect("a container");
        assert!(made.running() && matches!(made.work(), Work::Comfy(_)));
        assert_eq!(engine.volumes().len(), 4);

        let end = done(&handle, true).await;
        assert_eq!(end.outcome, RecordOutcome::Done, "round {round}: {end:#?}");
        assert!(engine.find("comfyui-next-beside").is_none());
        assert_eq!(engine.networks(), [""; 0]);
        assert_eq!(engine.volumes().len(), 4, "volumes with data stay");
        assert_eq!(world.file("compose.yaml"), None);
        assert_eq!(world.file("paths.yaml"), None);
        let settings = world.file("forgekeeper.toml").expect("settings");
        assert!(!settings.contains("comfyui-next"), "{settings}");
        let state = handle.state().borrow().clone();
        assert_eq!(service(&state, "myia").map(|s| s.status), Some(Status::Ok));
    }
    world.end().await;
}

#[tokio::test]
async fn what_would_collide_is_refused_before_anything_is_made() {
    let world = World::start().await;
    let handle = world.handle();
    let forge = world
        .site
        .site()
        .service("myia")
        .expect("a service")
        .api
        .port();
    let foreign = world.place.folder.path().join("theirs.yaml");
    std::fs::write(&foreign, "services: {a: {image: x}}\n").expect("written");
    for (port, file, word) in [
        (forge, "compose.yaml", "Port"),
        (world.port, "theirs.yaml", "somebody else"),
    ] {
        world.plan(&port.to_string(), file, "");
        world
            .planned(|t| t.port == Some(port) && t.compose_file.as_deref() == Some(file))
            .await;
        let preview = handle.migration_preview(&step(STEP), false).await;
        let preview = preview.expect("a preview");
        let said = preview.refused.iter().any(|words| words.en.contains(word));
        assert!(said, "{word}: {preview:#?}");
        let refused = handle.migration_run(&step(STEP), None).await;
        assert_eq!(refused.map_err(|error| error.code), Err(ErrorCode::Refused));
    }
    assert_eq!(world.file("compose.yaml"), None);
    assert!(world.site.site().engine().volumes().is_empty());
    world.end().await;
}

#[tokio::test]
async fn extensions_are_decided_and_what_was_adopted_is_seen_to_be_loaded() {
    let world = World::start().await;
    world
        .planned(|target| target.port == Some(world.port))
        .await;
    let handle = world.handle();
    let of = "[[extension]]\n";
    let decided = |node: &str| {
        format!(
            "{of}id = \"adetailer\"\ndecision = \"adopt\"\nnode = \"{node}\"\n\
             {of}id = \"my-scripts\"\ndecision = \"not_needed\"\n\
             {of}id = \"sd-civitai-browser-plus\"\ndecision = \"adopt\"\nnode = \"ComfyUI-Manager\"\n\
             {of}id = \"sd-webui-regional-prompter\"\ndecision = \"not_needed\"\nnote = \"built in\"\n"
        )
    };
    let nodes = step("custom-nodes");
    let look = handle
        .migration_check(&nodes)
        .await
        .expect("a look")
        .finding;
    assert_eq!(look.found, Found::Failed, "{look:#?}");
    assert!(look.says[0].en.contains("adetailer"), "{look:#?}");
    let since = look
        .evidence
        .iter()
        .any(|e| e.value.starts_with("adetailer a7d961131e 2024-05-21"));
    assert!(since, "{look:#?}");

    let mut port = world.port;
    for (node, found) in [
        ("ComfyUI-ReActor", Found::Failed),
        ("ComfyUI-Manager", Found::Proved),
    ] {
        // The target is the ComfyUI that is there.
        port += 1;
        world.plan(&port.to_string(), "compose.yaml", &decided(node));
        let file = world.place.folder.path().join("migration.toml");
        let text = std::fs::read_to_string(&file).expect("the plan");
        std::fs::write(&file, text.replace("comfyui-next", "comfyui")).expect("written");
        world
            .planned(|t| t.port == Some(port) && t.to == Some(id("comfyui")))
            .await;
        let look = handle
            .migration_check(&nodes)
            .await
            .expect("a look")
            .finding;
        assert_eq!(look.found, found, "{node}: {look:#?}");
    }
    world.end().await;
}
