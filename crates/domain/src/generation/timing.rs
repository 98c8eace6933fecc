//! Where a generation's time went, and which card did the work.

use serde::{Deserialize, Serialize};

use super::GenerationStage;
use crate::ids::{GpuUuid, HostId};

/// How long each part took, milliseconds. A part that could not be told apart is `None`, never 0.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GenerationTiming {
    /// Waiting behind other work.
    pub queue_ms: Option<u32>,
    /// Loading the model.
    pub load_ms: Option<u32>,
    /// Sampling steps.
    pub sampling_ms: Option<u32>,
    /// From the last step to the finished picture.
    pub decode_ms: Option<u32>,
    /// Fetching and unpacking it.
    pub transfer_ms: Option<u32>,
    /// Sampling steps a second, from the first step seen to the last one.
    pub steps_per_second: Option<f64>,
}

/// The card that did the work, by its own readings while the generation ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct CardUse {
    /// Whose card.
    pub host: HostId,
    /// Its key.
    pub uuid: GpuUuid,
    /// As the driver names it.
    pub name: String,
    /// Memory in use before the generation, bytes.
    pub memory_before_bytes: Option<f64>,
    /// Of it what the service itself held, bytes; `None` when that was not known.
    #[serde(default)]
    pub held_before_bytes: Option<f64>,
    /// Most memory in use meanwhile, bytes.
    pub memory_peak_bytes: Option<f64>,
    /// Mean load meanwhile, percent.
    pub load_percent: Option<f64>,
    /// Whether a proof of placement stands behind it; else its readings alone.
    pub proved: bool,
}

/// Tells the parts of a generation apart while it runs. Times are milliseconds since it was sent.
#[derive(Debug, Clone, Default)]
pub struct StageClock {
    now: Option<(GenerationStage, u32)>,
    queue: Option<u32>,
    load: Option<u32>,
    sampling: Option<u32>,
    decode: Option<u32>,
    /// First and last step of the run of steps that goes on.
    steps: Option<[(u32, u32); 2]>,
}

impl StageClock {
    /// Takes in where the generation is at a moment.
    pub fn saw(&mut self, at_ms: u32, stage: GenerationStage, step: Option<u32>) {
        if self.now.is_none_or(|(before, _)| before != stage) {
            self.close(at_ms);
            self.now = Some((stage, at_ms));
        }
        let Some(step) = step.filter(|step| *step > 0) else {
            return;
        };
        self.steps = match self.steps {
            Some([first, last]) if step > last.0 => Some([first, (step, at_ms)]),
            Some(kept @ [_, last]) if step == last.0 => Some(kept),
            // The next picture, or the second pass, counts anew.
            _ => Some([(step, at_ms); 2]),
        };
    }

    fn close(&mut self, at_ms: u32) {
        let Some((stage, since)) = self.now.take() else {
            return;
        };
        let part = match stage {
            GenerationStage::Waiting => &mut self.queue,
            GenerationStage::LoadingModel => &mut self.load,
            GenerationStage::Sampling => &mut self.sampling,
            GenerationStage::Finishing => &mut self.decode,
            GenerationStage::AtWork => return,
        };
        *part = Some(
            part.unwrap_or(0)
                .saturating_add(at_ms.saturating_sub(since)),
        );
    }

    /// The parts of a generation whose pictures were ready at one moment and here at another.
    pub fn end(mut self, ready_ms: Option<u32>, here_ms: u32) -> GenerationTiming {
        // What was never seen to begin cannot be told from waiting.
        let only_waited = self
            .now
            .is_none_or(|(stage, _)| stage == GenerationStage::Waiting);
        if !only_waited {
            self.close(ready_ms.unwrap_or(here_ms));
        }
        GenerationTiming {
            queue_ms: self.queue,
            load_ms: self.load,
            sampling_ms: self.sampling,
            decode_ms: self.decode,
            transfer_ms: ready_ms.map(|ready| here_ms.saturating_sub(ready)),
            steps_per_second: self.steps.and_then(|[first, last]| {
                let (steps, ms) = (last.0 - first.0, last.1.saturating_sub(first.1));
                (steps > 0 && ms > 0).then(|| f64::from(steps) * 1000.0 / f64::from(ms))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{GenerationStage as Stage, *};

    #[test]
    fn each_part_gets_its_own_time() {
        let mut clock = StageClock::default();
        for (at, stage, step) in [
            (0, Stage::Waiting, None),
            (200, Stage::LoadingModel, None),
            (1_200, Stage::Sampling, Some(1)),
            (1_700, Stage::Sampling, Some(6)),
            (2_200, Stage::Sampling, Some(11)),
            (2_300, Stage::Finishing, Some(11)),
        ] {
            clock.saw(at, stage, step);
        }
        assert_eq!(
            clock.end(Some(2_500), 2_530),
            GenerationTiming {
                queue_ms: Some(200),
                load_ms: Some(1_000),
                sampling_ms: Some(1_100),
                decode_ms: Some(200),
                transfer_ms: Some(30),
                steps_per_second: Some(10.0),
            }
        );
    }

    #[test]
    fn what_was_not_seen_is_not_told() {
        let mut clock = StageClock::default();
        clock.saw(0, Stage::Waiting, None);
        assert_eq!(
            clock.end(Some(400), 410),
            GenerationTiming {
                transfer_ms: Some(10),
                ..GenerationTiming::default()
            }
        );
        let mut clock = StageClock::default();
        clock.saw(0, Stage::Waiting, None);
        clock.saw(100, Stage::AtWork, None);
        let timing = clock.end(None, 900);
        let told = GenerationTiming {
            queue_ms: Some(100),
            ..GenerationTiming::default()
        };
        assert_eq!(timing, told);
    }

    #[test]
    fn a_second_pass_adds_to_the_first_and_its_steps_count_anew() {
        let mut clock = StageClock::default();
        for (at, stage, step) in [
            (0, Stage::Sampling, Some(1)),
            (900, Stage::Sampling, Some(10)),
            (1_000, Stage::LoadingModel, None),
            (1_100, Stage::Sampling, Some(1)),
            (2_100, Stage::Sampling, Some(3)),
        ] {
            clock.saw(at, stage, step);
        }
        let timing = clock.end(Some(2_400), 2_400);
        assert_eq!(timing.sampling_ms, Some(2_300));
        assert_eq!(timing.load_ms, Some(100));
        assert_eq!(timing.steps_per_second, Some(2.0));
    }
}
