//! What a step works with: the services, their engines, the cards, the history, and what the owner's
//! plan says of the two services.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use forgekeeper_domain::{
    Timestamp,
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
    migration::{Finding, Iis, OwnPlan, Proofs, Target},
};

use crate::{
    clients::http::Http,
    config::Vaults,
    keeper::KeeperHandle,
    secrets::Secrets,
    settings::{ServiceSettings, Settings},
    state::KeeperState,
    store::Store,
    sys::clock,
    watch::service::ServiceWatch,
};

/// Everything a step may look at and act through, at one moment of the owner's plan.
#[derive(Debug, Clone)]
pub struct Site {
    keeper: KeeperHandle,
    plan: Arc<OwnPlan>,
    proofs: Arc<Proofs>,
    file: PathBuf,
}

#[allow(
    dead_code,
    reason = "each step takes what it needs; they come one by one"
)]
impl Site {
    /// Over a keeper, with the plan and what is proved of it.
    pub(crate) fn new(
        keeper: KeeperHandle,
        plan: Arc<OwnPlan>,
        proofs: Arc<Proofs>,
        file: PathBuf,
    ) -> Self {
        Self {
            keeper,
            plan,
            proofs,
            file,
        }
    }

    /// The keeper's own door: actions, generations, golden sets, snapshots.
    pub fn keeper(&self) -> &KeeperHandle {
        &self.keeper
    }

    /// What is known now.
    pub fn state(&self) -> Arc<KeeperState> {
        self.keeper.state().borrow().clone()
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        self.keeper.settings_in_force()
    }

    /// The settings of one service.
    pub fn service(&self, id: &ServiceId) -> Option<ServiceSettings> {
        let settings = self.settings();
        settings.services.iter().find(|s| s.id == *id).cloned()
    }

    /// The watch over a service, with its engine.
    pub(crate) fn watch(&self, id: &ServiceId) -> Result<ServiceWatch, ErrorInfo> {
        self.keeper.service_watch(id)
    }

    /// HTTP with deadlines and limits.
    pub(crate) fn http(&self) -> &Http {
        self.keeper.http()
    }

    /// The history.
    pub(crate) fn store(&self) -> &Store {
        self.keeper.store()
    }

    /// Credentials.
    pub(crate) fn secrets(&self) -> &Secrets {
        self.keeper.secrets()
    }

    /// Snapshots.
    pub(crate) fn vaults(&self) -> &Vaults {
        self.keeper.vaults()
    }

    /// The folder of history and pictures.
    pub fn data_dir(&self) -> &Path {
        self.keeper.data_dir()
    }

    /// The owner's plan.
    pub fn plan(&self) -> &OwnPlan {
        &self.plan
    }

    /// What is proved so far.
    pub fn proofs(&self) -> &Proofs {
        &self.proofs
    }

    /// Its section `[target]`.
    pub fn target(&self) -> &Target {
        &self.plan.target
    }

    /// Its section `[iis]`.
    pub fn iis(&self) -> &Iis {
        &self.plan.iis
    }

    /// The file of the plan; relative paths in it start from its folder.
    pub fn plan_file(&self) -> &Path {
        &self.file
    }

    /// A path as the plan says it.
    pub fn path(&self, said: &str) -> PathBuf {
        let folder = self.file.parent().unwrap_or_else(|| Path::new("."));
        folder.join(said)
    }

    /// The service that is replaced, or why it is not known.
    pub fn from(&self) -> Result<ServiceSettings, Finding> {
        self.named(self.plan.target.from.as_ref(), "from")
    }

    /// The service that takes over, or why it is not known.
    pub fn to(&self) -> Result<ServiceSettings, Finding> {
        self.named(self.plan.target.to.as_ref(), "to")
    }

    fn named(&self, id: Option<&ServiceId>, field: &str) -> Result<ServiceSettings, Finding> {
        let id = id.ok_or_else(|| Finding::unset("target", field))?;
        self.service(id).ok_or_else(|| {
            Finding::unknown(forgekeeper_domain::migration::Words::both(
                format!("The settings have no service `{id}`, which `{field}` names."),
                format!(
                    "La configuration n’a pas de service «\u{202f}{id}\u{202f}», que nomme `{field}`."
                ),
            ))
        })
    }

    /// What a step remembers of its last run.
    pub(crate) async fn memory<T: serde::de::DeserializeOwned>(&self, step: &str) -> Option<T> {
        let step = forgekeeper_domain::ids::StepId::new(step.to_owned()).ok()?;
        let memory = self.store().migration_memory(step).await.ok()??;
        serde_json::from_value(memory).ok()
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        clock::now()
    }
}

/// The error of a step that cannot be done because of what a look would say, too.
impl From<RefusedBy> for ErrorInfo {
    fn from(RefusedBy(finding): RefusedBy) -> Self {
        let why: Vec<&str> = finding.says.iter().map(|words| words.en.as_str()).collect();
        ErrorInfo::new(ErrorCode::Refused, why.join(" "))
    }
}

/// What a look found, as the reason for not doing a step: `site.from().map_err(RefusedBy)?`.
#[derive(Debug)]
pub struct RefusedBy(pub Finding);
