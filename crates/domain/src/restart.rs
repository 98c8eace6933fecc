//! A restart as a state machine: stages with times, fed by observations, and its forecast.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

mod forecast;
mod run;

pub use forecast::{Forecasts, forecast};
pub use run::{Observation, RestartRun, RunEnd};

/// One stage of a restart, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The admin asked.
    Asked,
    /// The stop signal was sent.
    Stopping,
    /// PID 1 (or the program) has ended.
    Stopped,
    /// The engine (or supervisor) was told to start.
    Starting,
    /// PID 1 runs again.
    ContainerUp,
    /// The program runs again.
    ProgramUp,
    /// The API answered with its expected shape.
    ApiAnswers,
    /// A test picture came back. Optional: [`RestartRun::with_image`] waits for it; no action does yet.
    Image,
}

/// A stage with its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct StageTime {
    /// Which.
    pub stage: Stage,
    /// When it was reached.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub at: Timestamp,
    /// Milliseconds since the request.
    pub after_ms: u32,
}
