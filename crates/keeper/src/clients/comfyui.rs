//! ComfyUI: its probe, and pictures that are made to see a card at work. Contract:
//! `comfyui-api.md`; where the real server surprises a client: `observed.md` §2.3.

mod client;
mod errors;
mod frames;
mod graph;
pub(crate) mod probe;
mod socket;

pub use client::ComfyClient;

#[cfg(test)]
mod tests;
