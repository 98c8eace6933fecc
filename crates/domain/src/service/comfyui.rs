//! ComfyUI.
//!
//! Facts: `comfyui-api.md` §1 (ready as soon as the port opens) and `forge-container.md` §13 (images).

use super::{
    KindId, Recognition, ServiceKind,
    words::{Words, clues},
};
use crate::{container::ContainerSnapshot, facts::Busy};

/// The `comfyui` row of [`super::KINDS`].
#[derive(Debug)]
pub(super) struct Comfyui;

/// 18188 is the raw port of the ai-dock image, 8188 everybody else's.
const PORTS: &[u16] = &[18188, 8188];

const WORDS: Words = Words {
    image: &["comfyui", "comfy-ui", "sd-comfy"],
    command: &["comfyui"],
    environment: &["COMFYUI_ARGS", "COMFY_CMDLINE_BASE"],
    compose: &["comfyui", "comfy"],
    ports: PORTS,
};

impl ServiceKind for Comfyui {
    fn id(&self) -> KindId {
        KindId::Comfyui
    }

    fn label(&self) -> &'static str {
        "ComfyUI"
    }

    fn recognise(&self, container: &ContainerSnapshot) -> Option<Recognition> {
        clues(container, &WORDS)
    }

    fn api_ports(&self) -> &'static [u16] {
        PORTS
    }

    fn api_probe_path(&self) -> &'static str {
        "/system_stats"
    }

    fn program(&self) -> Option<&'static str> {
        // Of the ai-dock image. The others run it as PID 1 and have no supervisor: that is
        // measured in the container, not assumed here.
        Some("comfyui")
    }

    fn log_files(&self) -> &'static [&'static str] {
        // Of the ai-dock image; the others write to PID 1's output alone.
        &["/var/log/supervisor/comfyui.log"]
    }

    fn leaves_lines(&self, _: &Busy) -> bool {
        // "got prompt", and "Prompt executed in" at its end.
        true
    }

    fn ready_log_line(&self) -> &'static str {
        "To see the GUI go to:"
    }

    fn usual_start_s(&self) -> u32 {
        60
    }
}
