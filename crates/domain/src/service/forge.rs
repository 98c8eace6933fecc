//! Stable Diffusion WebUI Forge, and A1111 with its forks.
//!
//! Facts: `forge-container.md` §1–6 (image, ports, supervisor) and `forge-api.md` §1 (readiness).

use super::{
    KindId, Recognition, ServiceKind,
    words::{Words, clues},
};
use crate::{container::ContainerSnapshot, facts::Busy};

/// The `forge` row of [`super::KINDS`].
#[derive(Debug)]
pub(super) struct Forge;

/// 17860 is Forge itself, 7860 Caddy in front of it or a plain WebUI, 7861 `--nowebui`.
const PORTS: &[u16] = &[17860, 7860, 7861];

/// `forge` alone is no image word: conda, Minecraft and Laravel have theirs.
const WORDS: Words = Words {
    image: &[
        "stable-diffusion-webui",
        "sd-webui",
        "webui-forge",
        "sd-forge",
        "sd-auto",
        "automatic1111",
        "a1111",
    ],
    command: &[
        "launch.py",
        "webui.sh",
        "webui.py",
        "stable-diffusion-webui",
    ],
    environment: &["FORGE_ARGS", "FORGE_PORT_LOCAL", "WEBUI_ARGS"],
    compose: &["forge", "webui", "sd-webui", "automatic1111"],
    ports: PORTS,
};

impl ServiceKind for Forge {
    fn id(&self) -> KindId {
        KindId::Forge
    }

    fn label(&self) -> &'static str {
        "Forge"
    }

    fn recognise(&self, container: &ContainerSnapshot) -> Option<Recognition> {
        clues(container, &WORDS)
    }

    fn api_ports(&self) -> &'static [u16] {
        PORTS
    }

    fn api_probe_path(&self) -> &'static str {
        "/sdapi/v1/sd-models"
    }

    fn program(&self) -> Option<&'static str> {
        Some("forge")
    }

    fn log_files(&self) -> &'static [&'static str] {
        // Of the ai-dock images of Forge and of A1111.
        &[
            "/var/log/supervisor/forge.log",
            "/var/log/supervisor/webui.log",
        ]
    }

    fn leaves_lines(&self, busy: &Busy) -> bool {
        // Steps draw a progress bar; an interrogation, for one, may pass without a word.
        busy.percent.is_some()
    }

    fn ready_log_line(&self) -> &'static str {
        "Startup time:"
    }

    fn usual_start_s(&self) -> u32 {
        120
    }
}
