//! The one job a Forge works on, as `/progress` tells it.

use std::time::Instant;

use serde_json::{Value, json};

/// State of the current or last job.
#[derive(Debug, Default)]
pub(super) struct Job {
    pub active: bool,
    pub task: Option<String>,
    pub name: String,
    pub count: i64,
    pub number: i64,
    pub stamp: String,
    pub step: u64,
    pub steps: u64,
    pub skipped: bool,
    pub interrupted: bool,
    pub started: Option<Instant>,
    /// Base64 of the last preview and its running number.
    pub preview: Option<(String, i64)>,
}

impl Job {
    /// 0 idle, 0.01 while preparing, then the share that is done.
    pub(super) fn share(&self) -> f64 {
        if !self.active {
            return 0.0;
        }
        let mut share = 0.01;
        if self.count > 0 {
            let count = self.count as f64;
            share += self.number as f64 / count;
            if self.steps > 0 {
                share += self.step as f64 / self.steps as f64 / count;
            }
        }
        share.min(1.0)
    }

    /// Seconds left by plain proportion, absurd while nothing is done yet.
    pub(super) fn eta(&self) -> f64 {
        let share = self.share();
        match self.started {
            Some(start) if self.active && share > 0.0 => {
                let passed = start.elapsed().as_secs_f64();
                passed / share - passed
            }
            _ => 0.0,
        }
    }

    /// The body of `/sdapi/v1/progress`.
    pub(super) fn body(&self, with_image: bool) -> Value {
        let image = if self.active && with_image {
            self.preview.as_ref()
        } else {
            None
        };
        let stamp = if self.stamp.is_empty() {
            "0"
        } else {
            &self.stamp
        };
        json!({
            "progress": self.share(),
            "eta_relative": self.eta(),
            "state": {
                "skipped": self.skipped,
                "interrupted": self.interrupted,
                "stopping_generation": false,
                "job": if self.active { self.name.as_str() } else { "" },
                "job_count": if self.active { self.count } else { 0 },
                "job_timestamp": stamp,
                "job_no": self.number,
                "sampling_step": self.step,
                "sampling_steps": self.steps,
            },
            "current_image": image.map(|(base64, _)| base64),
            "textinfo": null,
        })
    }
}
