//! The stand-in inside a real container: a tiny supervisor as PID 1, the Forge program as its
//! child, and the commands that are run through exec (`supervisorctl`, `nvidia-smi`, `tail`).

#[cfg(unix)]
pub mod client;
pub mod faults;
#[cfg(unix)]
pub mod pid1;
pub mod program;
pub mod rootfs;
#[cfg(unix)]
pub mod tail;

/// Where the supervisor listens inside the container.
pub const SOCKET: &str = "/run/supervisor.sock";
/// What the Forge program tells `nvidia-smi` about its work.
pub const GPU_FILE: &str = "/run/standin-gpu";
/// Faults set at run time through exec, one name a line; read by the program and by `nvidia-smi`.
pub const FAULT_FILE: &str = "/run/standin-faults";
/// Names of faults from the start, separated by commas; read once, into the file.
pub const FAULTS_VARIABLE: &str = "STANDIN_FAULTS";
/// The program's own output.
pub const LOG: &str = "/var/log/supervisor/forge.log";
