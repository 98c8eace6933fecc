//! One row per clue, with the near misses that must not be taken for it.

use super::*;
use crate::{
    checks::tests::container,
    container::{ContainerSnapshot, PortBinding},
};

/// A container that says nothing of itself.
fn plain() -> ContainerSnapshot {
    ContainerSnapshot {
        image: "example.org/app:1".into(),
        ..container()
    }
}

fn image(image: &str) -> ContainerSnapshot {
    ContainerSnapshot {
        image: image.into(),
        ..plain()
    }
}

fn source(source: &str) -> ContainerSnapshot {
    ContainerSnapshot {
        image_source: Some(source.into()),
        ..plain()
    }
}

fn command(words: &[&str]) -> ContainerSnapshot {
    ContainerSnapshot {
        command: words.iter().map(|w| (*w).to_owned()).collect(),
        ..plain()
    }
}

fn environment(name: &str) -> ContainerSnapshot {
    ContainerSnapshot {
        env_names: vec!["PATH".into(), name.into()],
        gpu_env: vec![],
        compose_hash: None,
        ..plain()
    }
}

fn compose(service: &str) -> ContainerSnapshot {
    ContainerSnapshot {
        compose_project: Some("p".into()),
        compose_service: Some(service.into()),
        ..plain()
    }
}

fn publishing(port: u16, container: ContainerSnapshot) -> ContainerSnapshot {
    ContainerSnapshot {
        ports: vec![PortBinding {
            container_port: port,
            host_ip: String::new(),
            host_port: 40_000,
        }],
        ..container
    }
}

#[test]
fn each_clue_recognises_its_kind_and_no_near_miss_does() {
    use KindId::{Comfyui, Forge};
    let rows: Vec<(&str, ContainerSnapshot, Option<KindId>)> = vec![
        (
            "the ai-dock image",
            image("ghcr.io/ai-dock/stable-diffusion-webui-forge:latest-cuda"),
            Some(Forge),
        ),
        (
            "by digest",
            image("ghcr.io/ai-dock/stable-diffusion-webui-forge@sha256:0123"),
            Some(Forge),
        ),
        ("compose of AbdBarho", image("sd-auto:78"), Some(Forge)),
        ("capitals", image("Example/SD_WebUI:1"), Some(Forge)),
        ("a fork", image("me/webui-forge"), Some(Forge)),
        (
            "ComfyUI of ai-dock",
            image("ghcr.io/ai-dock/comfyui:latest"),
            Some(Comfyui),
        ),
        (
            "ComfyUI of yanwk",
            image("yanwk/comfyui-boot:cu126-slim"),
            Some(Comfyui),
        ),
        (
            "ComfyUI of mmartial",
            image("mmartial/comfyui-nvidia-docker"),
            Some(Comfyui),
        ),
        ("compose of AbdBarho", image("sd-comfy:7"), Some(Comfyui)),
        ("Forgejo", image("codeberg.org/forgejo/forgejo:11"), None),
        ("conda-forge", image("condaforge/miniforge3:latest"), None),
        (
            "conda-forge",
            image("quay.io/conda-forge/linux-anvil"),
            None,
        ),
        (
            "Minecraft Forge",
            image("itzg/minecraft-server:forge"),
            None,
        ),
        ("a word within a word", image("example/comfyuiless"), None),
        ("a word within a word", image("example/xsd-webui"), None),
        (
            "a registry's name",
            image("forge.example.org/team/app"),
            None,
        ),
        ("a digest", image("example/app@sha256:a1111"), None),
        (
            "the source label",
            source("https://github.com/ai-dock/stable-diffusion-webui-forge"),
            Some(Forge),
        ),
        (
            "the source label",
            source("https://github.com/comfyanonymous/ComfyUI"),
            Some(Comfyui),
        ),
        (
            "another source",
            source("https://codeberg.org/forgejo/forgejo"),
            None,
        ),
        (
            "the title label",
            ContainerSnapshot {
                image_title: Some("comfyui".into()),
                ..plain()
            },
            Some(Comfyui),
        ),
        (
            "the command",
            command(&["python", "launch.py", "--listen"]),
            Some(Forge),
        ),
        (
            "a path",
            command(&["sh", "-c", "cd /opt && /opt/webui.sh"]),
            Some(Forge),
        ),
        (
            "a folder",
            command(&["python", "/opt/ComfyUI/main.py"]),
            Some(Comfyui),
        ),
        ("another file", command(&["python", "relaunch.py"]), None),
        ("another file", command(&["python", "launch.pyc"]), None),
        ("another file", command(&["my-webui.sh"]), None),
        ("the environment", environment("FORGE_ARGS"), Some(Forge)),
        (
            "the environment",
            environment("COMFYUI_ARGS"),
            Some(Comfyui),
        ),
        ("a longer name", environment("MY_FORGE_ARGS"), None),
        ("a shared name", environment("CLI_ARGS"), None),
        ("the compose service", compose("Forge"), Some(Forge)),
        ("the compose service", compose("comfyui"), Some(Comfyui)),
        ("another compose service", compose("forgejo"), None),
        ("the image's own name for it", compose("supervisor"), None),
        ("a port alone", publishing(17860, plain()), Some(Forge)),
        ("a port alone", publishing(8188, plain()), Some(Comfyui)),
        ("another port", publishing(8080, plain()), None),
        (
            "a shared port weighs less than the image",
            publishing(7860, image("sd-comfy:7")),
            Some(Comfyui),
        ),
        ("nothing", plain(), None),
    ];
    for (what, container, expected) in rows {
        let found = recognise(&container).map(|(kind, _)| kind);
        assert_eq!(found, expected, "{what}: {container:?}");
    }
}

#[test]
fn a_port_alone_says_that_it_is_weak() {
    let (_, alone) = recognise(&publishing(17860, plain())).expect("a candidate");
    assert_eq!(alone.why, [Clue::PortAlone { port: 17860 }]);
    assert!(alone.why[0].is_weak());
    assert!(alone.why[0].to_string().contains("weak"));
    let both = publishing(17860, environment("FORGE_ARGS"));
    let (_, both) = recognise(&both).expect("a candidate");
    assert_eq!(both.why.last(), Some(&Clue::Port { port: 17860 }));
    assert!(both.score > alone.score && !both.why.iter().any(Clue::is_weak));
}

#[test]
fn what_the_containers_say_together_adds_up_in_the_order_of_its_weight() {
    let all = ContainerSnapshot {
        image: "ghcr.io/ai-dock/stable-diffusion-webui-forge".into(),
        image_source: Some("https://github.com/ai-dock/stable-diffusion-webui-forge".into()),
        image_title: Some("stable-diffusion-webui-forge".into()),
        command: vec!["launch.py".into()],
        env_names: vec!["FORGE_ARGS".into()],
        gpu_env: vec![],
        compose_hash: None,
        compose_service: Some("forge".into()),
        ..publishing(17860, plain())
    };
    let (kind, found) = recognise(&all).expect("a candidate");
    assert_eq!(kind, KindId::Forge);
    assert_eq!(found.why.len(), 6, "title and source count once");
    assert_eq!(found.score, 100 + 80 + 50 + 40 + 30 + 10);
}

#[test]
fn every_row_answers_everything_that_is_asked_of_it() {
    for row in KINDS {
        assert_eq!(kind(row.id()).id(), row.id());
        assert!(row.api_probe_path().starts_with('/'), "{:?}", row.id());
        assert!(!row.api_ports().is_empty() && !row.ready_log_line().is_empty());
        assert!(row.usual_start_s() > 0 && row.program().is_some());
    }
}
