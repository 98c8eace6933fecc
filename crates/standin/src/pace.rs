//! How fast the played world runs: one factor for every wait in it.

use std::time::Duration;

/// Speed factor of the played world; 10 makes start-up and generation ten times faster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace(f64);

impl Pace {
    /// A pace of `speed` (clamped to 0.01 … 1000; anything that is not a number counts as 1).
    pub fn new(speed: f64) -> Self {
        if speed.is_finite() && speed > 0.0 {
            Self(speed.clamp(0.01, 1000.0))
        } else {
            Self(1.0)
        }
    }

    /// The factor itself.
    pub fn speed(self) -> f64 {
        self.0
    }

    /// The real duration of `millis` played milliseconds.
    pub fn of(self, millis: f64) -> Duration {
        Duration::from_secs_f64((millis / 1000.0 / self.0).clamp(0.0, 86_400.0))
    }

    /// Waits for `millis` played milliseconds.
    pub async fn wait(self, millis: f64) {
        tokio::time::sleep(self.of(millis)).await;
    }
}
