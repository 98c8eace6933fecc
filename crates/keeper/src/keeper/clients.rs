//! The clients of a service's own API, with its address and its credentials.

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
    service::KindId,
};

use super::KeeperHandle;
use crate::{
    clients::{Painter, comfyui::ComfyClient, forge::ForgeClient},
    settings::ServiceSettings,
};

impl KeeperHandle {
    /// The client through which a service makes pictures.
    pub(super) async fn painter(&self, id: &ServiceId) -> Result<Painter, ErrorInfo> {
        let watch = self.watch(id)?;
        let api = api_of(&watch.settings)?;
        let credentials = self.inner.secrets.get(id).await;
        let http = self.inner.http.clone();
        Ok(match watch.settings.kind {
            KindId::Forge => Painter::Forge(ForgeClient::new(http, api, credentials)?),
            KindId::Comfyui => Painter::Comfyui(ComfyClient::new(http, api, credentials)?),
        })
    }
}

fn api_of(settings: &ServiceSettings) -> Result<&str, ErrorInfo> {
    settings.api.as_deref().ok_or_else(|| {
        ErrorInfo::new(
            ErrorCode::Refused,
            format!("no API address is configured for `{}`", settings.id),
        )
        .hint("Add `api = \"http://…\"` to it in the settings.")
    })
}
