//! Clients of the services' own APIs: the probe behind the `api` rung, and test generations.

pub mod comfyui;
pub mod forge;
pub mod http;
mod judge;
pub mod probe;
#[cfg(test)]
pub(crate) mod scripted;

pub use http::{Http, HttpAnswer, HttpError};
pub use probe::{ProbeMemory, probe};
