//! ComfyUI: its probe, and test generations. Contract: `comfyui-api.md`; where the real server surprises a client: `observed.md` §2.3.

mod again;
mod choose;
mod client;
mod course;
mod errors;
mod files;
mod frames;
mod graph;
mod names;
mod offers;
pub(crate) mod probe;
mod queue;
mod run;
mod socket;
mod workflow;

pub use client::ComfyClient;

#[cfg(test)]
mod tests;
