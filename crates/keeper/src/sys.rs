//! The few doors to the operating system: clock, tasks, files, places.
//!
//! Nothing outside this folder reads the clock, spawns a task or writes a file.

pub mod clock;
pub(crate) mod detached;
pub(crate) mod file_watch;
pub mod files;
pub(crate) mod kernel;
pub(crate) mod outputs;
pub mod paths;
pub mod presence;
pub(crate) mod processes;
pub mod tasks;
