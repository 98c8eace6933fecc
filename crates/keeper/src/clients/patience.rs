//! How long a service may say nothing while it makes a picture.

use std::time::Duration;

/// How long a generation may show no sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Between two looks at the progress.
    pub poll: Duration,
    /// While sampling: no step, no percent, nothing.
    pub still: Duration,
    /// While waiting in the queue or loading a model, which shows nothing for minutes.
    pub loading: Duration,
    /// After an interrupt was sent: the last step and the decoding still run.
    pub interrupt: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            // A preview should be on the screen within a quarter of a second.
            poll: Duration::from_millis(200),
            still: Duration::from_mins(5),
            loading: Duration::from_mins(30),
            interrupt: Duration::from_mins(2),
        }
    }
}
