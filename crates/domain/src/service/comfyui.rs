//! ComfyUI.
//!
//! Facts: `comfyui-api.md` §1 (ready as soon as the port opens) and `forge-container.md` §13 (images).

use super::{KindId, Recognition, ServiceKind, evidence_words};
use crate::container::ContainerSnapshot;

/// The `comfyui` row of [`super::KINDS`].
#[derive(Debug)]
pub(super) struct Comfyui;

/// 18188 is the raw port of the ai-dock image, 8188 everybody else's.
const PORTS: &[u16] = &[18188, 8188];

impl ServiceKind for Comfyui {
    fn id(&self) -> KindId {
        KindId::Comfyui
    }

    fn label(&self) -> &'static str {
        "ComfyUI"
    }

    fn recognise(&self, container: &ContainerSnapshot) -> Option<Recognition> {
        evidence_words(
            container,
            &["comfyui", "comfy-ui", "sd-comfy"],
            &["comfyui"],
            &["COMFYUI_ARGS", "COMFY_CMDLINE_BASE"],
            PORTS,
        )
    }

    fn api_ports(&self) -> &'static [u16] {
        PORTS
    }

    fn api_probe_path(&self) -> &'static str {
        "/system_stats"
    }

    fn program(&self) -> Option<&'static str> {
        // Most ComfyUI images run the program as PID 1. In the ai-dock image the supervisor's
        // program is called `comfyui`; restarting its container restarts it as well.
        None
    }

    fn ready_log_line(&self) -> &'static str {
        "To see the GUI go to:"
    }

    fn usual_start_s(&self) -> u32 {
        60
    }
}
