//! What the steps of the migration reach of a keeper.

use std::sync::Arc;

use forgekeeper_domain::{error::ErrorInfo, ids::ServiceId};

use super::KeeperHandle;
use crate::{
    clients::http::Http,
    config::Vaults,
    secrets::Secrets,
    settings::{ServiceSettings, Settings},
    store::Store,
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

    /// Adds or changes a service: in the settings file, or in the demo host's settings for as long as
    /// they last.
    pub(crate) fn put_service(&self, service: ServiceSettings) -> Result<(), ErrorInfo> {
        let Some(fixed) = &self.inner.fixed_settings else {
            return self.save_service(service);
        };
        fixed.send_modify(|snapshot| {
            let settings = Arc::make_mut(&mut snapshot.settings);
            settings.services.retain(|other| other.id != service.id);
            settings.services.push(service);
        });
        Ok(())
    }

    /// Takes a service out again.
    pub(crate) fn take_service(&self, id: &ServiceId) -> Result<(), ErrorInfo> {
        let Some(fixed) = &self.inner.fixed_settings else {
            return self.remove_service(id);
        };
        fixed.send_modify(|snapshot| {
            let settings = Arc::make_mut(&mut snapshot.settings);
            settings.services.retain(|other| other.id != *id);
        });
        Ok(())
    }
}
