//! The rest of the handle: settings, credentials, discovery, and what actions leave behind.

use forgekeeper_domain::{
    action::{ActionPlan, Refusal},
    discovery::{Candidate, DiscoveryReport},
    error::{ErrorCode, ErrorInfo},
    generation::GenerationRecord,
    ids::ServiceId,
    job::Job,
};

use super::{
    gallery,
    handle::{Inner, KeeperHandle},
    history,
};
use crate::{
    discover,
    jobs::act::Acted,
    secrets::Credentials,
    settings::{HostSettings, ServiceSettings, SettingsEdit, SettingsFile, SettingsView},
    state::SecretPlace,
    store::journal::JournalEntry,
    sys::clock,
    watch::facts::Report,
};

impl KeeperHandle {
    /// Looks for services on every engine that can be reached.
    pub async fn discover(&self) -> Result<DiscoveryReport, ErrorInfo> {
        let settings = self.inner.settings.borrow().settings.clone();
        let hosts: Vec<_> = settings
            .hosts
            .iter()
            .map(|h| (h.id.clone(), h.engine.clone()))
            .collect();
        let known: Vec<_> = settings
            .services
            .iter()
            .map(|s| discover::Known {
                id: s.id.clone(),
                host: s.host.clone(),
                container: s.container.clone(),
            })
            .collect();
        Ok(discover::discover(&hosts, &known).await)
    }

    /// Writes candidates into the settings file as services.
    pub fn adopt(&self, candidates: Vec<Candidate>) -> Result<(), ErrorInfo> {
        let known = self.inner.settings.borrow().settings.clone();
        let mut edits = Vec::new();
        for candidate in candidates {
            if !known.hosts.iter().any(|h| h.id == candidate.host) {
                edits.push(SettingsEdit::UpsertHost(HostSettings {
                    id: candidate.host.clone(),
                    engine: candidate.endpoint.clone(),
                }));
            }
            edits.push(SettingsEdit::UpsertService(ServiceSettings {
                declared_gpu: candidate
                    .gpu_device_ids
                    .first()
                    .and_then(|id| id.parse().ok()),
                id: candidate.id,
                kind: candidate.kind,
                host: candidate.host,
                container: candidate.container,
                api: candidate.api,
                public_url: None,
                compose_file: candidate.compose_file,
                workspace: None,
            }));
        }
        self.settings_file()?.apply(&edits).map(drop)
    }

    /// The settings as typed values and as text.
    pub fn settings(&self) -> SettingsView {
        match &self.inner.settings_file {
            Some(file) => file.view(),
            None => SettingsView {
                path: self.inner.state.borrow().settings.path.clone(),
                text: self.inner.fixed_text.clone(),
                settings: (*self.inner.settings.borrow().settings).clone(),
                problem: None,
            },
        }
    }

    /// Adds or changes a service in the settings file.
    pub fn save_service(&self, service: ServiceSettings) -> Result<(), ErrorInfo> {
        self.settings_file()?.upsert_service(&service).map(drop)
    }

    /// Takes a service out of the settings file; its container is not touched.
    pub fn remove_service(&self, id: &ServiceId) -> Result<(), ErrorInfo> {
        self.settings_file()?.remove_service(id).map(drop)
    }

    /// Adds or changes a host in the settings file.
    pub fn save_host(&self, host: HostSettings) -> Result<(), ErrorInfo> {
        self.settings_file()?.upsert_host(&host).map(drop)
    }

    /// Keeps credentials for a service; says where.
    pub async fn set_credentials(
        &self,
        id: &ServiceId,
        credentials: Credentials,
    ) -> Result<SecretPlace, ErrorInfo> {
        let watch = self.watch(id)?;
        let place = self.inner.secrets.set(id, credentials).await?;
        // A closed channel means shutdown.
        let _ = self
            .inner
            .reports
            .send(Report::Credentials(id.clone(), Some(place)))
            .await;
        watch.poke();
        Ok(place)
    }

    /// Forgets the credentials of a service.
    pub async fn forget_credentials(&self, id: &ServiceId) -> Result<(), ErrorInfo> {
        let watch = self.watch(id)?;
        self.inner.secrets.forget(id).await?;
        let _ = self
            .inner
            .reports
            .send(Report::Credentials(id.clone(), None))
            .await;
        watch.poke();
        Ok(())
    }

    fn settings_file(&self) -> Result<&SettingsFile, ErrorInfo> {
        self.inner.settings_file.as_ref().ok_or_else(|| {
            ErrorInfo::new(
                ErrorCode::Refused,
                "the demo host's settings cannot be changed",
            )
            .hint("Leave the demo host to administer your own services.")
        })
    }
}

/// A refusal in words.
pub(super) fn refused(id: &ServiceId, refusal: Refusal, plan: &ActionPlan) -> ErrorInfo {
    refused_because(id, refusal, &plan.runs)
}

/// The same of anything that would have run.
pub(super) fn refused_because(id: &ServiceId, refusal: Refusal, runs: &[String]) -> ErrorInfo {
    let (why, hint) = match refusal {
        Refusal::EngineNotAnswering => (
            "the container engine does not answer",
            "Start the engine first.",
        ),
        Refusal::ContainerMissing => ("its container does not exist", "Recreate it from compose."),
        Refusal::StateUnknown => (
            "its state is not known yet",
            "Nothing acts on an unknown state; wait a moment.",
        ),
        Refusal::AlreadyActing => (
            "another action on it is under way",
            "Wait for it to end, or cancel it.",
        ),
        Refusal::GenerationRunning => (
            "a generation is running and would be lost",
            "Wait for it, or force the action.",
        ),
        Refusal::AlreadyRunning => ("it runs already", "Restart it instead."),
        Refusal::AlreadyStopped => ("it is stopped already", "Start it instead."),
        Refusal::ContainerNotRunning => {
            ("its container does not run", "Start the container instead.")
        }
        Refusal::ContainerPaused => (
            "its container is paused",
            "Unpause it with `docker unpause`, or restart it.",
        ),
        Refusal::ContainerDead => (
            "the engine is removing its container, or could not",
            "Remove it, then create it again with compose.",
        ),
        Refusal::NoProgram => (
            "no supervisor in its container knows its program",
            "Restart the container instead.",
        ),
    };
    ErrorInfo::new(ErrorCode::Refused, format!("`{id}` was left alone: {why}"))
        .hint(hint)
        .detail(format!("would have run: {}", runs.join("; ")))
}

/// Writes an action into the journal before anything is sent: whatever happens to this program
/// next, what it asked for can be read.
pub(super) async fn remember_asked(inner: &Inner, plan: &ActionPlan, job: &Job) {
    let entry = JournalEntry {
        at: clock::now(),
        kind: "action_asked".to_owned(),
        subject: Some(job.service.as_str().to_owned()),
        text: plan.runs.join("; "),
        detail: Some(serde_json::json!({ "job": job.id })),
    };
    // A full disk must not keep a service from being restarted.
    if let Err(error) = inner.store.append_journal(entry).await {
        tracing::error!(%error, "an action could not be written to the journal");
    }
}

/// Writes an ended action into history and journal, and publishes the new forecast.
pub(super) async fn remember_action(inner: &Inner, plan: &ActionPlan, acted: Acted) {
    let service = acted.entry.service.clone();
    let text = match &acted.error {
        None => "done and proved".to_owned(),
        Some(error) => error.message.clone(),
    };
    let entry = JournalEntry {
        at: clock::now(),
        kind: "action".to_owned(),
        subject: Some(service.as_str().to_owned()),
        text: format!("{}: {text}", plan.runs.join("; ")),
        detail: serde_json::to_value(&acted.entry.stages).ok(),
    };
    if let Err(error) = inner.store.insert_restart(acted.entry).await {
        tracing::error!(%error, "an action could not be written to the history");
    }
    if let Err(error) = inner.store.append_journal(entry).await {
        tracing::error!(%error, "an action could not be written to the journal");
    }
    let history = history::of_service(&inner.store, &service).await;
    let _ = inner
        .reports
        .send(Report::History(service, Box::new(history)))
        .await;
}

/// Writes a generation into the history and judges the image rung by it.
pub(super) async fn remember_generation(inner: &Inner, record: GenerationRecord) -> bool {
    let stored = match inner.store.insert_generation(record.clone()).await {
        Ok(free) => {
            inner.pictures.recorded(&record.pictures);
            gallery::remove_pictures(inner, free).await;
            let hashes = record.pictures.iter().map(|p| p.hash.clone()).collect();
            gallery::count(inner, hashes).await;
            gallery::fit(inner).await;
            true
        }
        // Its pictures stay until a walk through the folder finds that nothing holds them.
        Err(error) => {
            tracing::error!(%error, "a generation could not be written to the history");
            false
        }
    };
    let _ = inner
        .reports
        .send(Report::Generation(Box::new(record)))
        .await;
    stored
}
