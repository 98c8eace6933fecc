//! Long operations: what they are, how far they are, how they ended.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    action::RestartTarget,
    config::RestoreReport,
    error::ErrorInfo,
    generation::{GenerationProgress, GenerationRecord},
    golden::GoldenProgress,
    ids::{JobId, ServiceId},
    placement::Proved,
    restart::StageTime,
};

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum JobKind {
    /// Starts a container and waits for its API.
    Start,
    /// Stops a container.
    Stop,
    /// Restarts and waits for proof.
    Restart {
        /// Container or program.
        target: RestartTarget,
    },
    /// Makes a test picture.
    Generate,
    /// Finds the card that a service computes on.
    ProvePlacement,
    /// Makes the pictures of a golden set, one after the other.
    Golden,
    /// Puts configuration back as a snapshot has it.
    Restore,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum JobPhase {
    /// Under way.
    Running,
    /// Ended and proved.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Cancelled.
    Cancelled,
}

/// How long it will take, in milliseconds, from earlier runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Forecast {
    /// Median, in milliseconds.
    pub median_ms: u32,
    /// Half of the distance between the quartiles, in milliseconds; one run has no spread.
    pub spread_ms: Option<u32>,
    /// How many runs it rests on.
    pub runs: u32,
}

/// What a placement proof does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum PlacementStage {
    /// Another proof on the host has to end first: two at once would disturb each other.
    Waiting,
    /// The cards are read at rest.
    Resting,
    /// The service makes the tiny picture.
    Working,
    /// The cards come to rest again.
    Settling,
}

/// How far a placement proof is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct PlacementProgress {
    /// What it does now.
    pub stage: PlacementStage,
    /// The round, from 1.
    pub round: u32,
    /// Rounds it takes when each is clear.
    pub rounds: u32,
}

/// One long operation as shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// On which service.
    pub service: ServiceId,
    /// How far it is.
    pub phase: JobPhase,
    /// When it was asked for.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub started_at: Timestamp,
    /// When it ended.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub finished_at: Option<Timestamp>,
    /// Stages reached so far (start, stop, restart), in order.
    pub stages: Vec<StageTime>,
    /// From earlier runs of the same kind on this service.
    pub forecast: Option<Forecast>,
    /// Progress of a generation.
    pub generation: Option<GenerationProgress>,
    /// Result of a generation.
    pub record: Option<GenerationRecord>,
    /// Progress of a golden set; [`Job::generation`] is that of its picture.
    pub golden: Option<GoldenProgress>,
    /// Progress of a placement proof.
    pub placement: Option<PlacementProgress>,
    /// Result of a placement proof.
    pub proved: Option<Proved>,
    /// Result of a restore.
    #[serde(default)]
    pub restored: Option<RestoreReport>,
    /// Why it failed.
    pub error: Option<ErrorInfo>,
    /// Whether cancelling it makes sense now.
    pub cancellable: bool,
    /// Whether its picture can be taken as it is now, unfinished.
    #[serde(default)]
    pub skippable: bool,
}
