//! The clients of a service's own API, with its address and its credentials.

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::Whereabouts,
    ids::ServiceId,
    service::KindId,
};

use super::KeeperHandle;
use crate::{
    clients::{Painter, Reach, comfyui::ComfyClient, forge::ForgeClient},
    jobs::generate::Easel,
    settings::ServiceSettings,
    state::KeeperState,
};

impl KeeperHandle {
    /// The client through which a service makes pictures.
    pub(super) async fn painter(&self, id: &ServiceId) -> Result<Painter, ErrorInfo> {
        let watch = self.watch(id)?;
        let api = api_of(&watch.settings)?;
        let credentials = self.inner.secrets.get(id).await;
        let reach = Reach::new(self.inner.http.clone(), api, credentials)?
            .with_courier(self.inner.courier.clone());
        Ok(match watch.settings.kind {
            KindId::Forge => Painter::Forge(ForgeClient::new(reach)),
            KindId::Comfyui => Painter::Comfyui(ComfyClient::new(reach)),
        })
    }

    /// What a generation on a service works with.
    pub(super) async fn easel(&self, id: &ServiceId) -> Result<Easel, ErrorInfo> {
        let host = self.watch(id)?.settings.host.clone();
        let cards = self.inner.roster.gpus(&host);
        let (state, service) = (self.state(), id.clone());
        Ok(Easel {
            painter: self.painter(id).await?,
            pictures: self.inner.pictures.clone(),
            previews: self.inner.previews.clone(),
            log: self.log_of(id)?,
            cards: cards.map(|gpus| (host, gpus)),
            whereabouts: Box::new(move || whereabouts(&state.borrow(), &service)),
        })
    }
}

/// Where a service computes, as the state says it now.
fn whereabouts(state: &KeeperState, id: &ServiceId) -> Whereabouts {
    let Some(service) = state.services.iter().find(|service| service.id == *id) else {
        return Whereabouts::default();
    };
    let host = state.hosts.iter().find(|host| host.id == service.host);
    let cards = host.map_or(&[][..], |host| &host.gpus.cards);
    Whereabouts::of(id, &service.placement, cards)
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
