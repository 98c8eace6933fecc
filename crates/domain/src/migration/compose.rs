//! Compose files: the one that is made for the target, and those that others wrote.
//!
//! [`read_compose`] reads what stands in a file, within limits; [`Beside`] is the service that is made,
//! with its file and the conflicts that it would have.

mod beside;
mod conflicts;
mod declared;
mod place;
mod write;
mod yaml;

pub use beside::{
    Beside, GpuWish, MADE_BY, MADE_BY_VALUE, MODELS_INSIDE, Volume, is_ours, project_of,
};
pub use conflicts::{Conflict, Neighbour, conflicts};
pub use declared::{Compose, ComposeService, DeclaredPort, Unresolved, read_compose};
pub use place::{EngineSide, engine_path};
pub use yaml::{ComposeFault, ComposeProblem, MAX_COMPOSE_BYTES};

#[cfg(test)]
mod tests;
