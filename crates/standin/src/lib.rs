//! The outside world of Forgekeeper, played by real servers on loopback: a Docker engine, Forge,
//! ComfyUI, two graphics cards, and everything that can go wrong with them, by name.

#![expect(
    clippy::disallowed_methods,
    reason = "a stand-in keeps its own tasks and clock"
)]

pub mod comfyui;
pub mod container_side;
pub mod demo;
pub mod disk;
pub mod docker;
mod door;
pub mod faults;
pub mod flood;
pub mod forge;
pub mod gpu;
pub mod iis;
mod lock;
pub mod logbook;
pub mod pace;
pub mod picture;
mod programs;
pub mod registry;
mod reply;
pub mod shelf;
pub mod site;
pub mod tasks;

pub use demo::{DemoOptions, DemoSite, Ports};
pub use faults::{ActiveFault, FAULTS, Fault, FaultPart, FaultRow, UnknownFault};
pub use iis::Iis;
pub use site::{Site, SiteError, SiteService};
