//! ComfyUI; so far only its probe.

pub(crate) mod probe;
