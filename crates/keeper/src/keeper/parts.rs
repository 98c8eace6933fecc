//! What the steps of the migration reach of a keeper.

use std::sync::Arc;

use forgekeeper_domain::{error::ErrorInfo, ids::ServiceId};

use super::KeeperHandle;
use crate::{
    clients::http::Http, config::Vaults, secrets::Secrets, settings::Settings, store::Store,
    watch::service::ServiceWatch,
};

impl KeeperHandle {
    pub(crate) fn settings_in_force(&self) -> Arc<Settings> {
        Arc::clone(&self.inner.settings.borrow().settings)
    }

    pub(crate) fn service_watch(&self, id: &ServiceId) -> Result<ServiceWatch, ErrorInfo> {
        self.watch(id)
    }

    pub(crate) fn http(&self) -> &Http {
        &self.inner.http
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn secrets(&self) -> &Secrets {
        &self.inner.secrets
    }

    pub(crate) fn vaults(&self) -> &Vaults {
        &self.inner.config
    }
}
