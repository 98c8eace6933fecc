//! `GET /sdapi/v1/progress`: global, without an id, stale around the ends of a job.

use forgekeeper_domain::facts::Busy;
use serde::Deserialize;

/// Below this the server's estimate is nonsense (99 times the elapsed time while preparing).
const USABLE_PROGRESS: f64 = 0.02;
/// Longest estimate that is believed, in seconds.
const LONGEST_ETA_S: f64 = 24.0 * 3600.0;

/// The state of whatever runs on the server now, ours or another's.
#[allow(clippy::struct_field_names)] // the server's own names
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(crate) struct Progress {
    /// 0 idle, 0.01 preparing, then up to 1.
    pub progress: f64,
    /// Seconds left; see [`Progress::eta_s`].
    #[serde(default)]
    pub eta_relative: f64,
    /// Counters.
    pub state: State,
    /// Preview, base64 without prefix.
    #[serde(default)]
    pub current_image: Option<String>,
}

/// The counters of a job.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(crate) struct State {
    /// Empty while idle.
    #[serde(default)]
    pub job: String,
    /// 0 idle, -1 preparing or loading a model, else iterations.
    #[serde(default)]
    pub job_count: i64,
    /// Iterations finished.
    #[serde(default)]
    pub job_no: i64,
    /// Start of the current or last job; its identity.
    #[serde(default)]
    pub job_timestamp: String,
    /// Keeps its last value while idle.
    #[serde(default)]
    pub sampling_step: i64,
    /// Keeps its last value while idle, and at the start of the next job.
    #[serde(default)]
    pub sampling_steps: i64,
}

/// What changes while a generation moves.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mark {
    progress: f64,
    job_timestamp: String,
    job_no: i64,
    sampling_step: i64,
}

impl Progress {
    /// Something runs or prepares.
    pub(crate) fn is_running(&self) -> bool {
        self.state.job_count != 0 || !self.state.job.is_empty() || self.progress > 0.0
    }

    /// A model is being loaded (or the job is being prepared, which the server does not tell apart).
    pub(crate) fn is_loading(&self) -> bool {
        self.state.job_count == -1
    }

    /// Whether step numbers belong to the running job and not to the one before.
    pub(crate) fn has_steps(&self) -> bool {
        self.progress > USABLE_PROGRESS && !self.is_loading()
    }

    /// 0 to 1, once it means something.
    pub(crate) fn fraction(&self) -> Option<f64> {
        (self.has_steps() && self.progress.is_finite()).then(|| self.progress.min(1.0))
    }

    /// Seconds left, once the estimate is usable.
    pub(crate) fn eta_s(&self) -> Option<f64> {
        (self.has_steps() && (0.0..LONGEST_ETA_S).contains(&self.eta_relative))
            .then_some(self.eta_relative)
    }

    /// What to compare with the next answer.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            progress: self.progress,
            job_timestamp: self.state.job_timestamp.clone(),
            job_no: self.state.job_no,
            sampling_step: self.state.sampling_step,
        }
    }

    /// As shown beside the `api` rung.
    pub(crate) fn busy(&self) -> Option<Busy> {
        self.is_running().then(|| Busy {
            percent: self.fraction().map(percent),
            loading_model: self.is_loading(),
            eta_s: self.eta_s().map(whole),
        })
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 1 by `fraction`
fn percent(fraction: f64) -> u32 {
    (fraction * 100.0).round() as u32
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // below a day by `eta_s`
fn whole(seconds: f64) -> u32 {
    seconds.ceil() as u32
}
