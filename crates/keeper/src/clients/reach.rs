//! Where a service is reached, and how long it may say nothing: what both kinds of client stand on.

use std::sync::{Arc, OnceLock, atomic::AtomicBool};

use forgekeeper_domain::error::ErrorInfo;
use tokio_util::sync::CancellationToken;

use super::{
    courier::Courier,
    errand::Errand,
    failure,
    http::{Ask, Http, HttpAnswer, HttpError, Target},
    patience::Patience,
};
use crate::secrets::Credentials;

/// A service's address with its credentials.
#[derive(Debug, Clone)]
pub struct Reach {
    pub(super) http: Http,
    pub(super) target: Target,
    pub(super) patience: Patience,
    /// How a generation begins.
    pub(super) errand: Errand,
    /// Whether the server's options are changed for everybody until a generation ends.
    pub(super) lends: Arc<AtomicBool>,
    /// Asks for the picture as it is, unfinished.
    pub(super) skip: CancellationToken,
    /// Carries what must be answered even when this program ends.
    pub(super) courier: Option<Courier>,
    /// The courier that carries this generation.
    pub(super) carried_by: Arc<OnceLock<String>>,
}

impl Reach {
    /// The service at an address.
    pub fn new(
        http: Http,
        base_url: &str,
        credentials: Option<Credentials>,
    ) -> Result<Self, ErrorInfo> {
        let target =
            Target::new(base_url, credentials).map_err(|error| failure::unanswered(&error).1)?;
        Ok(Self::at(http, target))
    }

    /// The service at a target.
    pub(super) fn at(http: Http, target: Target) -> Self {
        Self {
            http,
            target,
            patience: Patience::default(),
            errand: Errand::default(),
            lends: Arc::default(),
            skip: CancellationToken::new(),
            courier: None,
            carried_by: Arc::default(),
        }
    }

    /// Asks the service once.
    pub(crate) async fn get(&self, ask: &Ask<'_>) -> Result<HttpAnswer, HttpError> {
        self.http.send(&self.target, ask).await
    }

    /// Sets other deadlines.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// Sends what a ticket is kept of by courier.
    #[must_use]
    pub fn with_courier(self, courier: Courier) -> Self {
        let courier = Some(courier);
        Self { courier, ..self }
    }
}
