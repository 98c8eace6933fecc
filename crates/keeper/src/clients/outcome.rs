//! A generation as a client tells it: while it runs, and what came back.

use std::time::Duration;

use bytes::Bytes;
use forgekeeper_domain::{
    error::ErrorInfo,
    generation::{GenerationProgress, GenerationVerdict, Seed, Substitution},
};

use super::failure::Failure;

/// One look at a running generation.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveProgress {
    /// Where it is; its `preview` path is left to whoever keeps the picture.
    pub progress: GenerationProgress,
    /// A new live preview, encoded (PNG, JPEG or WebP), header checked.
    pub preview: Option<Bytes>,
}

/// What came back, not yet looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerationOutcomeRaw {
    /// Encoded pictures in order, as the server sent them.
    pub pictures: Vec<Bytes>,
    /// Seed of each picture, as far as told.
    pub seeds: Vec<Seed>,
    /// Parameter text of each picture, as far as told.
    pub infotexts: Vec<String>,
    /// Model used, as the server tells it.
    pub model: Option<String>,
    /// What the server replaced silently; sizes are compared once the pictures are decoded.
    pub substitutions: Vec<Substitution>,
    /// Whether an interrupt was sent while this generation ran: its pictures are unfinished.
    pub interrupted: bool,
    /// Why there is no usable result.
    pub failure: Option<(GenerationVerdict, ErrorInfo)>,
    /// From the request to the last byte of the answer.
    pub took: Duration,
    /// From the request to when the server had the pictures ready, where that is told.
    pub ready: Option<Duration>,
}

impl GenerationOutcomeRaw {
    /// A generation that ended without pictures.
    pub(crate) fn failed(failure: Failure, took: Duration) -> Self {
        Self {
            pictures: Vec::new(),
            seeds: Vec::new(),
            infotexts: Vec::new(),
            model: None,
            substitutions: Vec::new(),
            interrupted: failure.0 == GenerationVerdict::Interrupted,
            failure: Some(failure),
            took,
            ready: None,
        }
    }
}
