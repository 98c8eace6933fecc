//! Test generations: what is offered, what would be queued, and pictures as jobs.

use std::{sync::Arc, time::Duration};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{GenerationChoices, GenerationRequest, workflow::Workflow},
    ids::{JobId, ServiceId},
    job::{Job, JobKind},
};

use super::{KeeperHandle, doors, handle::new_job};
use crate::{
    clients::no_graph,
    jobs::generate::{Order, generate},
};

/// How long a generation may take to leave its server as it was when the keeper ends: less than the
/// shutdown waits for a task.
const LEAVING: Duration = Duration::from_secs(3);

fn bad(problem: &impl ToString) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::BadRequest, problem.to_string())
}

impl KeeperHandle {
    /// Names a service offers for generations.
    pub async fn choices(&self, id: &ServiceId) -> Result<GenerationChoices, ErrorInfo> {
        self.painter(id).await?.choices().await
    }

    /// The graph that a request becomes, as it would be queued: JSON in ComfyUI's API format, for
    /// people to read. A Forge takes none, which is an error.
    pub async fn generation_graph(
        &self,
        id: &ServiceId,
        request: &GenerationRequest,
    ) -> Result<String, ErrorInfo> {
        request.check().map_err(|problem| bad(&problem))?;
        let painter = self.painter(id).await?;
        // Many questions at once make a large future.
        let graph = Box::pin(painter.graph(request)).await?;
        let graph = graph.ok_or_else(no_graph)?;
        serde_json::to_string_pretty(&graph).map_err(|error| {
            ErrorInfo::new(ErrorCode::Internal, "The graph cannot be written.")
                .detail(error.to_string())
        })
    }

    /// Starts a test generation.
    pub async fn generate(
        &self,
        id: &ServiceId,
        request: GenerationRequest,
    ) -> Result<JobId, ErrorInfo> {
        request.check().map_err(|problem| bad(&problem))?;
        self.begin_generation(id, Order::plain(request)).await
    }

    /// Starts a workflow of one's own, a JSON document in ComfyUI's API format, with a request in
    /// the place of its words.
    pub async fn generate_workflow(
        &self,
        id: &ServiceId,
        request: GenerationRequest,
        workflow: &str,
    ) -> Result<JobId, ErrorInfo> {
        request.check().map_err(|problem| bad(&problem))?;
        let workflow = Some(Workflow::parse(workflow).map_err(|problem| bad(&problem))?);
        let painter = self.painter(id).await?;
        painter.takes_workflows()?;
        self.begin_generation(id, Order { request, workflow }).await
    }

    async fn begin_generation(&self, id: &ServiceId, order: Order) -> Result<JobId, ErrorInfo> {
        let easel = self.easel(id).await?;
        let run = self.inner.jobs.begin(
            Job {
                cancellable: true,
                ..new_job(JobKind::Generate, id.clone(), None)?
            },
            self.inner.reports.clone(),
        )?;
        let job = run.job.id.clone();
        run.show().await;
        let inner = Arc::clone(&self.inner);
        let stop = self.inner.tasks.token();
        self.inner.tasks.spawn("generation", async move {
            let cancel = run.cancel.clone();
            let made = generate(run, &easel, order);
            tokio::pin!(made);
            let record = tokio::select! {
                biased;
                () = stop.cancelled() => {
                    // The server would go on for nobody, perhaps with options that are only lent.
                    cancel.cancel();
                    match tokio::time::timeout(LEAVING, made).await {
                        Ok(record) => record,
                        Err(_) => return,
                    }
                }
                record = &mut made => record,
            };
            doors::remember_generation(&inner, record).await;
        });
        Ok(job)
    }
}
