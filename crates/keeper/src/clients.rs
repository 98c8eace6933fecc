//! Clients of the services' own APIs: the probe behind the `api` rung, and test generations.

pub mod comfyui;
pub mod courier;
pub mod errand;
pub mod failure;
pub mod forge;
pub mod http;
mod judge;
pub(crate) mod model_lists;
mod outcome;
mod painter;
mod patience;
pub mod probe;
mod reach;
pub mod registry;
#[cfg(test)]
pub(crate) mod scripted;

pub use http::{Http, HttpAnswer, HttpError};
pub use outcome::{GenerationOutcomeRaw, LiveProgress};
pub use painter::Painter;
pub(crate) use painter::no_graph;
pub use patience::Patience;
pub use probe::{ProbeMemory, probe};
pub use reach::Reach;
