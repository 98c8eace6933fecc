//! Stable Diffusion WebUI Forge, A1111 and their forks.

mod again;
mod answer;
mod client;
mod errors;
mod follow;
mod memory;
mod offers;
pub(super) mod options;
mod post;
pub(crate) mod probe;
pub(crate) mod progress;
mod wire;

pub use client::ForgeClient;

#[cfg(test)]
mod tests;
