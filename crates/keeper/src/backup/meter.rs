//! How far a task is, told a few times a second, and whether it is to end.

use std::time::{Duration, Instant};

use forgekeeper_domain::{
    Timestamp,
    backup::{Amount, BackupProgress, BackupStage, BackupTask, Pace},
};
use tokio_util::sync::CancellationToken;

use super::{Stop, names::Name};

/// Between two tellings.
const EVERY: Duration = Duration::from_millis(250);

/// Where progress goes.
pub(crate) type Tell<'t> = &'t dyn Fn(&BackupProgress);

/// Counts, and tells.
pub(crate) struct Meter<'t> {
    progress: BackupProgress,
    pace: Pace,
    /// Bytes that took time: what was found to be there already says nothing of the pace.
    moved: u64,
    began: Instant,
    told: Option<Instant>,
    cancel: &'t CancellationToken,
    tell: Tell<'t>,
}

impl<'t> Meter<'t> {
    pub(crate) fn new(
        task: BackupTask,
        started_at: Timestamp,
        cancel: &'t CancellationToken,
        tell: Tell<'t>,
    ) -> Self {
        Self {
            progress: BackupProgress::begun(task, started_at),
            pace: Pace::default(),
            moved: 0,
            began: Instant::now(),
            told: None,
            cancel,
            tell,
        }
    }

    /// An error once somebody has asked for the end.
    pub(crate) fn go_on(&self) -> Result<(), Stop> {
        if self.cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        Ok(())
    }

    /// Waits; an error once somebody has asked for the end.
    pub(crate) fn wait(&self, time: Duration) -> Result<(), Stop> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.go_on()?;
            std::thread::sleep(Duration::from_millis(20));
        }
        self.go_on()
    }

    /// Another stage begins.
    pub(crate) fn stage(&mut self, stage: BackupStage) {
        self.progress.stage = stage;
        self.progress.current = None;
        self.told = None;
        self.perhaps_tell();
    }

    /// So much is to be done, and nothing of it is.
    pub(crate) fn expect(&mut self, of: Amount) {
        self.progress.of = Some(of);
        self.progress.done = Amount::default();
        self.began = Instant::now();
        self.pace.add(Duration::ZERO, 0);
    }

    /// The file at hand.
    pub(crate) fn current(&mut self, name: &Name) -> Result<(), Stop> {
        self.go_on()?;
        self.progress.current = Some(name.shown().into_owned());
        self.perhaps_tell();
        Ok(())
    }

    /// Bytes of it were done.
    pub(crate) fn bytes(&mut self, bytes: u64) -> Result<(), Stop> {
        self.progress.done.bytes = self.progress.done.bytes.saturating_add(bytes);
        self.moved = self.moved.saturating_add(bytes);
        self.perhaps_tell();
        self.go_on()
    }

    /// Bytes that were done are not: they are done again.
    pub(crate) fn take_back(&mut self, bytes: u64) {
        self.progress.done.bytes = self.progress.done.bytes.saturating_sub(bytes);
    }

    /// A file is done, with bytes that nobody had to move.
    pub(crate) fn done(&mut self, unmoved: u64) {
        self.progress.done.add(unmoved);
        self.perhaps_tell();
    }

    /// A file will not be done, of which so much is.
    pub(crate) fn left_out(&mut self, size: u64, moved: u64) {
        self.take_back(moved);
        if let Some(of) = &mut self.progress.of {
            of.files = of.files.saturating_sub(1);
            of.bytes = of.bytes.saturating_sub(size);
        }
    }

    /// So many problems so far.
    pub(crate) fn problems(&mut self, count: u32) {
        self.progress.problems = count;
    }

    fn perhaps_tell(&mut self) {
        let now = Instant::now();
        if self.told.is_some_and(|told| now - told < EVERY) {
            return;
        }
        self.told = Some(now);
        let progress = &mut self.progress;
        if let Some(of) = &mut progress.of {
            // The source has grown since it was counted.
            of.files = of.files.max(progress.done.files);
            of.bytes = of.bytes.max(progress.done.bytes);
            self.pace.add(now - self.began, self.moved);
            progress.rate = self.pace.rate();
            let left = of.bytes - progress.done.bytes;
            progress.remaining_s = self.pace.remaining_s(left);
        }
        (self.tell)(progress);
    }
}
