//! Stable Diffusion WebUI Forge, and A1111 with its forks.
//!
//! Facts: `forge-container.md` §1–6 (image, ports, supervisor) and `forge-api.md` §1 (readiness).

use super::{KindId, Recognition, ServiceKind, evidence_words};
use crate::container::ContainerSnapshot;

/// The `forge` row of [`super::KINDS`].
#[derive(Debug)]
pub(super) struct Forge;

/// 17860 is Forge itself, 7860 Caddy in front of it or a plain WebUI, 7861 `--nowebui`.
const PORTS: &[u16] = &[17860, 7860, 7861];

impl ServiceKind for Forge {
    fn id(&self) -> KindId {
        KindId::Forge
    }

    fn label(&self) -> &'static str {
        "Forge"
    }

    fn recognise(&self, container: &ContainerSnapshot) -> Option<Recognition> {
        evidence_words(
            container,
            &[
                "stable-diffusion-webui",
                "sd-webui",
                "sd-auto",
                "automatic1111",
                "forge",
            ],
            &[
                "launch.py",
                "webui.sh",
                "webui.py",
                "forgekeeper-standin forge",
            ],
            &["FORGE_ARGS", "FORGE_PORT_LOCAL", "WEBUI_ARGS"],
            PORTS,
        )
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

    fn ready_log_line(&self) -> &'static str {
        "Startup time:"
    }

    fn usual_start_s(&self) -> u32 {
        120
    }
}
