//! The desktop program. Everything it does is in the library, where tests can reach it.

// No console window beside the real one on Windows.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

use std::process::ExitCode;

fn main() -> ExitCode {
    forgekeeper_shell::main()
}
