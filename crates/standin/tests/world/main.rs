//! The stand-ins over real sockets, through clients of other people where there are some.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests may stop at once and keep their own tasks"
)]

mod archive;
mod comfy;
mod docker;
mod faults;
mod forge;
mod site;
