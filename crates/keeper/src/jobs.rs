//! Long operations: one at a time per service, each with stages or progress, each cancellable.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    ids::{JobId, ServiceId},
    job::{Job, JobKind, JobPhase},
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{sys::clock, watch::facts::Report};

pub(crate) mod act;
pub(crate) mod generate;
pub(crate) mod golden;
pub(crate) mod placement;
pub(crate) mod restore;

/// Ended jobs that can still be waited for.
const ENDED_KEPT: usize = 50;

/// All jobs of one keeper.
#[derive(Debug, Clone, Default)]
pub(crate) struct Jobs {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    running: HashMap<JobId, Running>,
    /// Newest last.
    ended: Vec<watch::Receiver<Job>>,
}

#[derive(Debug)]
struct Running {
    /// The service and what is done to it: two jobs of one sort never run at once.
    on: (ServiceId, Sort),
    job: watch::Receiver<Job>,
    cancel: CancellationToken,
    skip: CancellationToken,
}

/// What excludes what: an action excludes actions, a generation excludes generations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Sort {
    Action,
    Generation,
}

fn sort(kind: JobKind) -> Sort {
    match kind {
        JobKind::Generate | JobKind::Golden | JobKind::ProvePlacement => Sort::Generation,
        JobKind::Start | JobKind::Stop | JobKind::Restart { .. } | JobKind::Restore => Sort::Action,
    }
}

impl Jobs {
    /// Registers a new job; refused while another of its sort runs on the service.
    pub(crate) fn begin(
        &self,
        job: Job,
        reports: mpsc::Sender<Report>,
    ) -> Result<JobRun, ErrorInfo> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let on = (job.service.clone(), sort(job.kind));
        if inner.running.values().any(|running| running.on == on) {
            let what = match on.1 {
                Sort::Action => "an action",
                Sort::Generation => "a generation",
            };
            return Err(ErrorInfo::new(
                ErrorCode::Refused,
                format!("{what} is already under way on `{}`", job.service),
            )
            .hint("Wait for it to end, or cancel it."));
        }
        let (cancel, skip) = (CancellationToken::new(), CancellationToken::new());
        let (sender, receiver) = watch::channel(job.clone());
        inner.running.insert(
            job.id.clone(),
            Running {
                on,
                job: receiver,
                cancel: cancel.clone(),
                skip: skip.clone(),
            },
        );
        Ok(JobRun {
            jobs: self.clone(),
            job,
            sender,
            reports,
            cancel,
            skip,
        })
    }

    /// Asks a running job to end.
    pub(crate) fn cancel(&self, id: &JobId) -> Result<(), ErrorInfo> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let running = inner.running.get(id).ok_or_else(|| unknown(id))?;
        if !running.job.borrow().cancellable {
            return Err(ErrorInfo::new(
                ErrorCode::Refused,
                "this job cannot be cancelled any more",
            ));
        }
        running.cancel.cancel();
        Ok(())
    }

    /// Asks a running job for its picture as it is.
    pub(crate) fn skip(&self, id: &JobId) -> Result<(), ErrorInfo> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let running = inner.running.get(id).ok_or_else(|| unknown(id))?;
        if !running.job.borrow().skippable {
            return Err(ErrorInfo::new(
                ErrorCode::Refused,
                "its picture cannot be had as it is now",
            )
            .hint("It can be while Forge samples it."));
        }
        running.skip.cancel();
        Ok(())
    }

    /// Follows a job, running or ended lately.
    pub(crate) fn follow(&self, id: &JobId) -> Result<watch::Receiver<Job>, ErrorInfo> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner
            .running
            .get(id)
            .map(|running| running.job.clone())
            .or_else(|| {
                inner
                    .ended
                    .iter()
                    .find(|job| job.borrow().id == *id)
                    .cloned()
            })
            .ok_or_else(|| unknown(id))
    }

    /// Whether an action is under way on a service.
    pub(crate) fn acting_on(&self, service: &ServiceId) -> bool {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner
            .running
            .values()
            .any(|r| r.on == (service.clone(), Sort::Action))
    }

    /// Whether a generation of ours is under way on a service.
    pub(crate) fn generating_on(&self, service: &ServiceId) -> bool {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner
            .running
            .values()
            .any(|r| r.on == (service.clone(), Sort::Generation))
    }

    fn ended(&self, id: &JobId) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = inner.running.remove(id) {
            inner.ended.push(running.job);
            let too_many = inner.ended.len().saturating_sub(ENDED_KEPT);
            inner.ended.drain(..too_many);
        }
    }
}

/// A new id, of a job or of a generation within one.
pub(crate) fn new_id() -> Result<JobId, ErrorInfo> {
    JobId::new(uuid::Uuid::new_v4().simple().to_string())
        .map_err(|e| ErrorInfo::new(ErrorCode::Internal, e.to_string()))
}

fn unknown(id: &JobId) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::UnknownJob, format!("no job `{id}` is known"))
}

/// A job as its own task sees it. Dropped without an end, it ends as cancelled, or as failed when
/// its task panicked.
#[derive(Debug)]
pub(crate) struct JobRun {
    jobs: Jobs,
    /// Its present form; [`JobRun::show`] publishes changes.
    pub(crate) job: Job,
    sender: watch::Sender<Job>,
    reports: mpsc::Sender<Report>,
    /// Cancelled by the user.
    pub(crate) cancel: CancellationToken,
    /// Its picture is wanted as it is.
    pub(crate) skip: CancellationToken,
}

impl JobRun {
    /// Publishes the present form.
    pub(crate) async fn show(&self) {
        self.sender.send_replace(self.job.clone());
        // A closed channel means shutdown.
        let _ = self
            .reports
            .send(Report::Job(Box::new(self.job.clone())))
            .await;
    }

    /// Ends the job and publishes the end.
    pub(crate) async fn end(mut self, phase: JobPhase, error: Option<ErrorInfo>) {
        self.job.phase = phase;
        self.job.error = error;
        self.job.finished_at = Some(clock::now());
        self.job.cancellable = false;
        self.job.skippable = false;
        // Before anybody is told: who waited for the end may act at once.
        self.jobs.ended(&self.job.id);
        self.show().await;
    }
}

impl Drop for JobRun {
    fn drop(&mut self) {
        if self.job.phase == JobPhase::Running {
            if std::thread::panicking() {
                self.job.phase = JobPhase::Failed;
                self.job.error = Some(
                    ErrorInfo::new(
                        ErrorCode::Internal,
                        "a defect of Forgekeeper ended this job",
                    )
                    .hint("Look at the state of the service before you try again."),
                );
            } else {
                self.job.phase = JobPhase::Cancelled;
            }
            self.job.finished_at = Some(clock::now());
            self.job.cancellable = false;
            self.job.skippable = false;
            self.jobs.ended(&self.job.id);
            self.sender.send_replace(self.job.clone());
            // Full or closed: the keeper is shutting down and nobody will read it.
            let _ = self
                .reports
                .try_send(Report::Job(Box::new(self.job.clone())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(jobs: &Jobs, reports: &mpsc::Sender<Report>) -> JobRun {
        let job = Job {
            id: JobId::new("j1").unwrap(),
            kind: JobKind::Stop,
            service: ServiceId::new("myia").unwrap(),
            phase: JobPhase::Running,
            started_at: clock::now(),
            finished_at: None,
            stages: Vec::new(),
            forecast: None,
            generation: None,
            record: None,
            golden: None,
            placement: None,
            proved: None,
            restored: None,
            error: None,
            cancellable: true,
            skippable: false,
        };
        jobs.begin(job, reports.clone()).unwrap()
    }

    #[tokio::test]
    async fn a_job_that_panics_has_failed_and_one_that_is_dropped_was_cancelled() {
        let (reports, _inbox) = mpsc::channel(16);
        let jobs = Jobs::default();
        let tasks = crate::sys::tasks::Tasks::new();
        for panics in [true, false] {
            let run = begun(&jobs, &reports);
            let follow = jobs.follow(&run.job.id).unwrap();
            let task = tasks.spawn("job", async move {
                run.show().await;
                assert!(!panics, "on purpose");
            });
            assert_eq!(task.await.is_err(), panics);
            let ended = follow.borrow().clone();
            let code = ended.error.map(|error| error.code);
            let expected = if panics {
                (JobPhase::Failed, Some(ErrorCode::Internal))
            } else {
                (JobPhase::Cancelled, None)
            };
            assert_eq!((ended.phase, code), expected);
            let service = ServiceId::new("myia").unwrap();
            assert!(!jobs.acting_on(&service), "the next one may begin");
        }
    }
}
