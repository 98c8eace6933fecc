//! Workflows of one's own for those outside: kept by name, run, and graphs to read and to save.

use std::path::PathBuf;

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{
        GenerationRequest,
        workflow::{OwnWorkflow, Workflow},
    },
    ids::{JobId, ServiceId},
};

use super::{KeeperHandle, generations::refused, save::save};
use crate::{
    clients::no_graph,
    jobs::generate::{Order, OwnGraph},
    sys::clock,
};

impl KeeperHandle {
    /// Workflows of one's own, by name; one that cannot be read says why. `Settings` when their folder
    /// cannot be read.
    pub async fn workflows(&self) -> Result<Vec<OwnWorkflow>, ErrorInfo> {
        let kept = self.inner.own_workflows.clone();
        blocking(move || kept.list()).await
    }

    /// Keeps a workflow under the name of its file, made fit; under another one where that stands for
    /// something else. `BadWorkflow` or `EditorWorkflow` for what is none in API format.
    pub async fn keep_workflow(
        &self,
        name: String,
        text: String,
    ) -> Result<OwnWorkflow, ErrorInfo> {
        let kept = self.inner.own_workflows.clone();
        blocking(move || kept.keep(&name, &text)).await
    }

    /// Takes a workflow of one's own out. `BadRequest` when there is none of this name.
    pub async fn remove_workflow(&self, name: String) -> Result<(), ErrorInfo> {
        let kept = self.inner.own_workflows.clone();
        blocking(move || kept.remove(&name)).await
    }

    /// Starts a test generation in the usual way, or with the kept workflow of this name.
    pub async fn generate_by(
        &self,
        id: &ServiceId,
        request: GenerationRequest,
        kept: Option<String>,
        force: bool,
    ) -> Result<JobId, ErrorInfo> {
        match kept {
            None => self.generate(id, request, force).await,
            Some(name) => {
                let workflow = self.kept_workflow(name.clone()).await?;
                self.begin_workflow(id, request, name, workflow).await
            }
        }
    }

    /// Starts a workflow of one's own, a JSON document in ComfyUI's API format, with a request in
    /// the place of its words. The record calls it by `name`.
    pub async fn generate_workflow(
        &self,
        id: &ServiceId,
        request: GenerationRequest,
        name: String,
        workflow: &str,
    ) -> Result<JobId, ErrorInfo> {
        let workflow = Workflow::parse(workflow).map_err(|problem| problem.info())?;
        self.begin_workflow(id, request, name, workflow).await
    }

    async fn begin_workflow(
        &self,
        id: &ServiceId,
        request: GenerationRequest,
        name: String,
        workflow: Workflow,
    ) -> Result<JobId, ErrorInfo> {
        request.check().map_err(|problem| refused(&problem))?;
        self.painter(id).await?.takes_workflows()?;
        let graph = Some(workflow);
        let own = Some(OwnGraph { name, graph });
        self.begin_generation(id, Order { request, own }).await
    }

    /// The graph that a request becomes, as it would be queued: JSON in ComfyUI's API format, for
    /// people to read. That of the kept workflow of this name, where one is named. A Forge takes none,
    /// which is an error.
    pub async fn generation_graph(
        &self,
        id: &ServiceId,
        request: &GenerationRequest,
        kept: Option<String>,
    ) -> Result<String, ErrorInfo> {
        request.check().map_err(|problem| refused(&problem))?;
        let painter = self.painter(id).await?;
        let workflow = match kept {
            Some(name) => Some(self.kept_workflow(name).await?),
            None => None,
        };
        // Many questions at once make a large future.
        let graph = Box::pin(painter.graph(request, workflow.as_ref())).await?;
        let graph = graph.ok_or_else(no_graph)?;
        serde_json::to_string_pretty(&graph).map_err(|error| {
            ErrorInfo::new(ErrorCode::Internal, "The graph cannot be written.")
                .detail(error.to_string())
        })
    }

    /// Name of a new graph file.
    pub fn graph_file_name(&self, id: &ServiceId) -> String {
        let now = clock::now().strftime("%Y-%m-%d-%H%M");
        let id: String = id.as_str().chars().map(file_character).collect();
        format!("workflow-{id}-{now}.json")
    }

    /// Writes [`KeeperHandle::generation_graph`] to a file.
    pub async fn save_graph(
        &self,
        id: &ServiceId,
        request: &GenerationRequest,
        kept: Option<String>,
        path: PathBuf,
    ) -> Result<(), ErrorInfo> {
        let graph = self.generation_graph(id, request, kept).await?;
        save(path, graph.into_bytes()).await
    }

    async fn kept_workflow(&self, name: String) -> Result<Workflow, ErrorInfo> {
        let kept = self.inner.own_workflows.clone();
        blocking(move || kept.read(&name)).await
    }
}

fn file_character(c: char) -> char {
    if c.is_alphanumeric() || matches!(c, '-' | '_') {
        c
    } else {
        '-'
    }
}

/// Files are read off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ErrorInfo> + Send + 'static,
) -> Result<T, ErrorInfo> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        Err(
            ErrorInfo::new(ErrorCode::Internal, "the workflows could not be looked at")
                .detail(error.to_string()),
        )
    })
}
