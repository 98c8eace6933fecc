//! What a check found: a status with its cause, its evidence and its times.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cause::Cause;

/// The six answers a check may give. Only `Ok` is green, and only a measurement makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Measured and good.
    Ok,
    /// Works, but a part is missing, slow or not ready yet.
    Degraded,
    /// Measured and broken.
    Failing,
    /// Not measured, or not measurable while a lower rung is broken.
    Unknown,
    /// At rest on purpose (WSL sleeps); nothing was woken to ask.
    Asleep,
    /// The configuration does not name what this check would look at.
    NotConfigured,
}

impl Status {
    /// Whether this status breaks the ladder: what stands above cannot be judged.
    pub fn blocks(self) -> bool {
        matches!(self, Status::Failing | Status::Asleep)
    }

    /// Order of concern for a summary, worst last.
    pub fn concern(self) -> u8 {
        match self {
            Status::Ok => 0,
            Status::NotConfigured => 1,
            Status::Unknown => 2,
            Status::Asleep => 3,
            Status::Degraded => 4,
            Status::Failing => 5,
        }
    }
}

/// One measured value that supports a verdict; the name is translated by the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Evidence {
    /// Stable name: `endpoint`, `http_status`, `exit_code`, `latency_ms`, …
    pub name: String,
    /// The value as text; hostile until escaped.
    pub value: String,
}

impl Evidence {
    /// A named value.
    pub fn new(name: &str, value: impl ToString) -> Self {
        Self {
            name: name.to_owned(),
            value: value.to_string(),
        }
    }
}

/// A verdict with everything needed to believe it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Outcome {
    /// The verdict.
    pub status: Status,
    /// Why, whenever the status is not `ok`; `None` with `ok`.
    pub cause: Option<Cause>,
    /// What was measured.
    pub evidence: Vec<Evidence>,
    /// Since when status and cause have been the same; `None` only before the ladder stamps it.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub since: Option<Timestamp>,
    /// When it was last measured; `None` when it never was.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub checked_at: Option<Timestamp>,
    /// Expected to pass by itself within the usual time (a start): opens no incident.
    pub transient: bool,
}

impl Outcome {
    /// Measured and good.
    pub fn ok(at: Timestamp) -> Self {
        Self::measured(Status::Ok, None, at)
    }

    /// Measured, works, but not as it should.
    pub fn degraded(cause: Cause, at: Timestamp) -> Self {
        Self::measured(Status::Degraded, Some(cause), at)
    }

    /// Measured and broken.
    pub fn failing(cause: Cause, at: Timestamp) -> Self {
        Self::measured(Status::Failing, Some(cause), at)
    }

    /// At rest on purpose.
    pub fn asleep(cause: Cause, at: Timestamp) -> Self {
        Self::measured(Status::Asleep, Some(cause), at)
    }

    /// Nothing measured, and why not.
    pub fn unknown(cause: Cause) -> Self {
        Self {
            status: Status::Unknown,
            cause: Some(cause),
            evidence: Vec::new(),
            since: None,
            checked_at: None,
            transient: false,
        }
    }

    /// Nothing to measure.
    pub fn not_configured(cause: Cause) -> Self {
        Self {
            status: Status::NotConfigured,
            ..Self::unknown(cause)
        }
    }

    /// Keeps the time of a measurement that led to no verdict.
    #[must_use]
    pub fn checked(mut self, at: Timestamp) -> Self {
        self.checked_at = Some(at);
        self
    }

    fn measured(status: Status, cause: Option<Cause>, at: Timestamp) -> Self {
        Self {
            status,
            cause,
            evidence: Vec::new(),
            since: Some(at),
            checked_at: Some(at),
            transient: false,
        }
    }

    /// Marks a state that is expected to pass by itself.
    #[must_use]
    pub fn transient_if(mut self, expected: bool) -> Self {
        self.transient = expected;
        self
    }

    /// Adds one measured value.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.evidence.push(Evidence::new(name, value));
        self
    }

    /// Adds a measured value if there is one.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Carries `since` over from the previous verdict when nothing but the evidence changed.
    #[must_use]
    pub fn continuing(mut self, previous: Option<&Outcome>) -> Self {
        let same = |p: &&Outcome| p.status == self.status && p.cause == self.cause;
        self.since = previous.filter(same).and_then(|p| p.since).or(self.since);
        self
    }

    /// What was never measured has been so since this moment at the latest.
    #[must_use]
    pub fn stamped(mut self, now: Timestamp) -> Self {
        self.since.get_or_insert(now);
        self
    }

    /// The value of a piece of evidence.
    pub fn evidence_value(&self, name: &str) -> Option<&str> {
        self.evidence
            .iter()
            .find(|e| e.name == name)
            .map(|e| e.value.as_str())
    }
}
