//! A service of either kind that makes pictures.

use std::{sync::atomic::Ordering, time::Duration};

use forgekeeper_domain::{
    Timestamp,
    error::{ErrorCode, ErrorInfo},
    generation::{
        GenerationChoices, GenerationRequest, GenerationStage, GenerationVerdict,
        workflow::Workflow,
    },
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    comfyui::ComfyClient,
    errand::Errand,
    failure::Failure,
    forge::ForgeClient,
    outcome::{GenerationOutcomeRaw, LiveProgress},
    patience::Patience,
    reach::Reach,
};

/// Makes pictures.
#[derive(Debug, Clone)]
pub enum Painter {
    /// Forge, A1111 and their forks.
    Forge(ForgeClient),
    /// ComfyUI.
    Comfyui(ComfyClient),
}

impl Painter {
    fn reach(&self) -> &Reach {
        match self {
            Self::Forge(client) => &client.reach,
            Self::Comfyui(client) => &client.reach,
        }
    }

    fn reach_mut(&mut self) -> &mut Reach {
        match self {
            Self::Forge(client) => &mut client.reach,
            Self::Comfyui(client) => &mut client.reach,
        }
    }

    /// Sets other deadlines.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.reach_mut().patience = patience;
        self
    }

    /// Keeps a ticket before a request is sent, or finds a generation by one.
    #[must_use]
    pub fn with_errand(mut self, errand: Errand) -> Self {
        self.reach_mut().errand = errand;
        self
    }

    /// Listens for the wish to have a picture as it is.
    #[must_use]
    pub fn with_skip(mut self, skip: CancellationToken) -> Self {
        self.reach_mut().skip = skip;
        self
    }

    /// Whether a picture that is being made can be had as it is: ComfyUI has no such order.
    pub(crate) fn skips(&self) -> bool {
        matches!(self, Self::Forge(_)) && !self.finds()
    }

    /// Whether a server's options are changed for everybody until the generation ends.
    pub(crate) fn lends(&self) -> bool {
        self.reach().lends.load(Ordering::Relaxed)
    }

    /// Whether it looks for a generation that was sent before, instead of sending one.
    pub(crate) fn finds(&self) -> bool {
        self.reach().errand.finds()
    }

    /// When a generation that was looked for ended, by the server's word.
    pub(crate) fn ended_at(&self) -> Option<Timestamp> {
        self.reach().errand.ended_at()
    }

    /// Removes what a courier left of the generation: nothing more is to be read of it.
    pub(crate) fn forget_carried(&self) {
        let reach = self.reach();
        if let (Some(courier), Some(name)) = (&reach.courier, reach.carried_by.get()) {
            courier.forget(name);
        }
    }

    /// Names the service offers.
    pub async fn choices(&self) -> Result<GenerationChoices, ErrorInfo> {
        match self {
            Self::Forge(client) => client.choices().await,
            Self::Comfyui(client) => client.choices().await,
        }
    }

    /// Makes one test generation; see the clients.
    pub async fn txt2img(
        &self,
        request: &GenerationRequest,
        cancel: &CancellationToken,
        on_progress: impl FnMut(LiveProgress) + Send,
    ) -> GenerationOutcomeRaw {
        match self {
            Self::Forge(client) => client.txt2img(request, cancel, on_progress).await,
            Self::Comfyui(client) => client.txt2img(request, cancel, on_progress).await,
        }
    }

    /// The graph that a request becomes, as it would be queued, by a workflow of one's own where there is
    /// one; `None` for a service that takes none.
    pub async fn graph(
        &self,
        request: &GenerationRequest,
        workflow: Option<&Workflow>,
    ) -> Result<Option<Value>, ErrorInfo> {
        match (self, workflow) {
            (Self::Forge(_), _) => Ok(None),
            (Self::Comfyui(client), None) => client.graph(request).await.map(Some),
            (Self::Comfyui(client), Some(workflow)) => {
                client.workflow_graph(workflow, request).await.map(Some)
            }
        }
    }

    /// Refuses a workflow of one's own where the service takes none.
    pub fn takes_workflows(&self) -> Result<(), ErrorInfo> {
        match self {
            Self::Forge(_) => Err(no_graph()),
            Self::Comfyui(_) => Ok(()),
        }
    }

    /// Runs a workflow of one's own with a request in the place of its words.
    pub async fn run_workflow(
        &self,
        workflow: &Workflow,
        request: &GenerationRequest,
        cancel: &CancellationToken,
        on_progress: impl FnMut(LiveProgress) + Send,
    ) -> GenerationOutcomeRaw {
        match self {
            Self::Forge(_) => {
                let failure = (GenerationVerdict::Failed, no_graph());
                GenerationOutcomeRaw::failed(failure, Duration::ZERO)
            }
            Self::Comfyui(client) => {
                let run = client.run_workflow(workflow, request, cancel, on_progress);
                run.await
            }
        }
    }

    /// Makes one that nobody looks at; the stage is told as it changes. Sends the request once and never again.
    pub async fn paint(
        &self,
        request: &GenerationRequest,
        cancel: &CancellationToken,
        mut on_stage: impl FnMut(GenerationStage) + Send,
    ) -> Result<(), Failure> {
        match self {
            Self::Forge(client) => {
                let told = |live: LiveProgress| on_stage(live.progress.stage);
                let raw = client.txt2img(request, cancel, told).await;
                raw.failure.map_or(Ok(()), Err)
            }
            Self::Comfyui(client) => client.paint(request, cancel, on_stage).await,
        }
    }
}

/// What is said where a graph is asked of a service that takes none.
pub(crate) fn no_graph() -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::BadRequest,
        "Forge takes no graph: it makes pictures from a request alone.",
    )
    .hint("Choose a ComfyUI service.")
}
