//! A service of either kind that makes a picture for the sake of its work.

use forgekeeper_domain::generation::{GenerationRequest, GenerationStage};
use tokio_util::sync::CancellationToken;

use super::{comfyui::ComfyClient, failure::Failure, forge::ForgeClient, patience::Patience};

/// Makes pictures that nobody looks at.
#[derive(Debug, Clone)]
pub enum Painter {
    /// Forge, A1111 and their forks.
    Forge(ForgeClient),
    /// ComfyUI.
    Comfyui(ComfyClient),
}

impl Painter {
    /// Sets other deadlines.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        match self {
            Self::Forge(client) => Self::Forge(client.with_patience(patience)),
            Self::Comfyui(client) => Self::Comfyui(client.with_patience(patience)),
        }
    }

    /// Makes one; the stage is told as it changes. Sends the request once and never again.
    pub async fn paint(
        &self,
        request: &GenerationRequest,
        cancel: &CancellationToken,
        mut on_stage: impl FnMut(GenerationStage) + Send,
    ) -> Result<(), Failure> {
        match self {
            Self::Forge(client) => {
                let told = |live: super::forge::LiveProgress| on_stage(live.progress.stage);
                let raw = client.txt2img(request, cancel, told).await;
                raw.failure.map_or(Ok(()), Err)
            }
            Self::Comfyui(client) => client.paint(request, cancel, on_stage).await,
        }
    }
}
