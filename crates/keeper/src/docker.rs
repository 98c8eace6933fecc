//! The container engine: where it is, what it says, and doing what is asked of it.
//!
//! [`endpoint`] and [`context`] find engines, [`Engine`] talks to one with a deadline on every
//! question, [`host::HostActor`] watches one for ever.

pub mod actions;
pub mod archive;
pub mod context;
pub mod endpoint;
pub mod engine;
pub mod error;
pub mod events;
pub mod exec;
mod failure;
pub mod follow;
pub mod host;
pub mod inspect;
pub mod logs;
pub mod make;
pub(crate) mod parting;
mod path_time;
mod probe;
mod recipe;
pub(crate) mod stat;
pub mod stats;

pub use endpoint::{Endpoint, EndpointError, Env, ResolvedEndpoint};
pub use engine::{Deadlines, Engine, Listed};
pub use error::DockerError;
pub use exec::ExecOutput;
pub use host::{HostActor, HostConfig, HostHandle, HostView, Timings};
pub use logs::{LogOptions, RawLog};
