//! A stand-in for NVIDIA's management library: exports the C functions of libnvidia-ml that
//! nvml-wrapper calls, and plays the cards of a script. For tests only.
//!
//! The script is the JSON file named by `FORGEKEEPER_STANDIN_NVML`, else (on Unix) `nvml.json`
//! beside the loaded library: each copy of the library in a folder of its own is a world of its
//! own. Without a file the two founding cards are played, at rest. A test changes the world by
//! replacing the file with [`Script::write`]; the library looks at it again whenever it is
//! initialised, asked for the count of cards, or asked for a card's handle.
//!
//! What a script leaves out is as on a card at rest:
//!
//! ```json
//! {
//!   "driver": "570.133.07",
//!   "call_us": 200,
//!   "cards": [
//!     { "temperature_c": 83, "power_mw": "not_supported", "memory": { "used": 9663676416 } },
//!     { "lost": true }
//!   ]
//! }
//! ```

pub mod built;
mod codes;
mod exports;
mod script;
mod state;

pub use codes::NvmlCode;
pub use script::{
    Answer, Card, Clocks, Memory, PcieLink, Process, Script, ScriptError, Throttle, ThrottleReason,
    Utilization,
};

/// The environment variable that names the script.
pub const SCRIPT_VARIABLE: &str = "FORGEKEEPER_STANDIN_NVML";
/// The script's name beside the library.
pub const SCRIPT_FILE: &str = "nvml.json";
/// The name under which the loader looks for the library on Linux.
pub const LIBRARY_FILE: &str = "libnvidia-ml.so.1";
