//! The few doors to the operating system: clock, tasks, processes, files, places.
//!
//! Nothing outside this folder reads the clock, spawns a task, starts a program or writes a file.

pub mod clock;
pub mod files;
pub mod paths;
pub mod process;
pub mod tasks;
