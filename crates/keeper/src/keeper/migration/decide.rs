//! What the owner decides: the values of `[target]` and `[iis]`, the image, and what becomes of each extension.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    golden::Vote,
    ids::{GpuUuid, ServiceId, StepId},
    migration::{
        Evidence, FieldSaid, KnownService, OwnPlan, PlanEdit, PlanField, RecordAction, RecordEntry,
        RecordOutcome, Setting, Surroundings,
        extensions::Decision,
        image::{ImageRef, known_images},
        judge_settings,
    },
    service::KindId,
};

use crate::{
    keeper::KeeperHandle,
    migration::{
        ExtensionList, FieldChoice, ImageChoice, PlanSetting, PlanSettings, RefusedBy,
        SettingsDraft, extensions_of, paired, rules_of,
    },
    sys::clock,
};

/// ComfyUI's own port.
const PORT: u16 = 8188;
/// Names of files that are made, beside the plan's, where nobody named others.
const COMPOSE_FILE: &str = "compose.comfyui.yaml";
const MODEL_PATHS: &str = "extra_model_paths.yaml";
/// How long Forge's folders are looked for before nothing is suggested.
const FOLDERS: Duration = Duration::from_secs(8);
/// No extension's folder has a longer name.
const MAX_NAME: usize = 200;
/// The step that decisions about extensions belong to.
const CUSTOM_NODES: &str = "custom-nodes";

impl KeeperHandle {
    /// The values of `[target]` and `[iis]`, with what was found that they could be.
    pub async fn migration_settings(&self) -> Result<PlanSettings, ErrorInfo> {
        let file = self.inner.migration.file.clone();
        let (stamp, plan) = blocking(move || file.read_now()).await??;
        let around = self.surroundings(&plan, &[]).await;
        let models = self.models_of(plan.target.from.as_ref()).await;
        let settings = PlanField::all().map(|field| PlanSetting {
            field,
            value: field.of(&plan),
            found: match field {
                PlanField::Models => models.clone(),
                _ => self.field_found(field, &plan, &around),
            },
            choices: self.field_choices(field, &around),
        });
        Ok(PlanSettings {
            stamp,
            path: self.inner.migration.file.path().display().to_string(),
            settings: settings.collect(),
        })
    }

    /// What writing these values would change, and what is to be said of them.
    pub async fn migration_settings_plan(
        &self,
        settings: Vec<Setting>,
    ) -> Result<SettingsDraft, ErrorInfo> {
        let file = self.inner.migration.file.clone();
        let settings: Vec<Setting> = settings.into_iter().map(Setting::trimmed).collect();
        let reading = file.clone();
        let (stamp, plan) = blocking(move || reading.read_now()).await??;
        let said = self.judged_settings(&plan, &settings).await;
        if said.iter().any(|said| said.wrong) {
            return Ok(SettingsDraft {
                stamp,
                said,
                diff: String::new(),
            });
        }
        let change = PlanEdit::Set(settings);
        let (stamp, diff) = blocking(move || file.diff(&change)).await??;
        Ok(SettingsDraft { stamp, said, diff })
    }

    /// Writes values; what is to be said of them besides. Refused when one is wrong, and when the text is not
    /// that of `stamp` any more.
    pub async fn migration_settings_save(
        &self,
        settings: Vec<Setting>,
        stamp: Option<String>,
    ) -> Result<Vec<FieldSaid>, ErrorInfo> {
        let settings: Vec<Setting> = settings.into_iter().map(Setting::trimmed).collect();
        let file = self.inner.migration.file.clone();
        let (_, plan) = blocking(move || file.read_now()).await??;
        let said = self.judged_settings(&plan, &settings).await;
        if let Some(error) = refused_by(&said) {
            return Err(error);
        }
        self.migration_edit_seen(PlanEdit::Set(settings), stamp)
            .await?;
        Ok(said)
    }

    /// The extensions of the service that is replaced, by its newest snapshot.
    pub async fn migration_extensions(&self) -> Result<ExtensionList, ErrorInfo> {
        let judged = self.judged().await?;
        let site = self.site(judged.plan, judged.proofs);
        let from = site.from().map_err(RefusedBy)?.id;
        let found = Box::pin(extensions_of(&site, &from)).await;
        let (at, inventory) = found.map_err(RefusedBy)?;
        Ok(ExtensionList {
            service: from,
            at,
            counted: inventory.counted(),
            inventory,
        })
    }

    /// Decides what becomes of an extension; without a decision, none is made. Whether there is such an
    /// extension is not asked: one that is gone may have a decision that has to go, too.
    pub async fn migration_decide(
        &self,
        extension: &str,
        decision: Option<Decision>,
    ) -> Result<(), ErrorInfo> {
        let name = extension.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME {
            return Err(ErrorInfo::new(
                ErrorCode::BadRequest,
                "an extension has the name of its folder",
            )
            .hint("`forgekeeperctl migration extensions` lists them."));
        }
        self.migration_edit(PlanEdit::Decide(name.to_owned(), decision))
            .await
    }

    /// Votes on a pair of pictures of the two runs that the step of their quality looks at. Whoever does not
    /// want to know whose picture is whose votes on the test bench.
    pub async fn migration_vote(&self, prompt: &str, vote: Vote) -> Result<(), ErrorInfo> {
        let judged = self.judged().await?;
        let site = self.site(judged.plan, judged.proofs);
        let pair = Box::pin(paired(&site)).await.map_err(RefusedBy)?;
        self.vote_golden(pair.old.id, pair.new.id, prompt.to_owned(), vote)
            .await
    }

    /// The images that the target could run, the most suited first; the plan's own among them.
    pub fn migration_images(&self) -> Vec<ImageChoice> {
        let named = self.inner.migration.file.plan().target.image.clone();
        let chosen = named.as_deref().and_then(|text| ImageRef::read(text).ok());
        let mut images: Vec<ImageChoice> = known_images()
            .images
            .iter()
            .map(|known| ImageChoice {
                image: known.image.to_string(),
                verdict: Some(known.verdict),
                note: Some(known.note.clone()),
                source: known.source.clone(),
                chosen: chosen.as_ref() == Some(&known.image),
            })
            .collect();
        if let Some(own) = named
            && !images.iter().any(|image| image.chosen)
        {
            let own = ImageChoice {
                image: own,
                verdict: None,
                note: None,
                source: None,
                chosen: true,
            };
            images.insert(0, own);
        }
        images
    }

    async fn judged_settings(&self, plan: &OwnPlan, settings: &[Setting]) -> Vec<FieldSaid> {
        let around = self.surroundings(plan, settings).await;
        judge_settings(settings, plan, &around)
    }

    async fn surroundings(&self, plan: &OwnPlan, settings: &[Setting]) -> Surroundings {
        let services = self.settings_in_force();
        let services = services.services.iter().map(|service| KnownService {
            id: service.id.clone(),
            kind: service.kind,
            port: service.api.as_deref().and_then(port_of),
        });
        let cards = self.cards();
        let cards: Vec<GpuUuid> = cards.into_iter().map(|(uuid, _)| uuid).collect();
        let mut set = settings.iter().rev();
        let web_config = match set.find(|setting| setting.field == PlanField::WebConfig) {
            Some(setting) => setting.value.clone(),
            None => plan.iis.web_config.clone(),
        };
        Surroundings {
            services: services.collect(),
            cards: (!cards.is_empty()).then_some(cards),
            rules: match web_config {
                Some(said) => self.rule_names(said).await,
                None => None,
            },
        }
    }

    /// The names of the rules in a file; `None` where it cannot be read.
    async fn rule_names(&self, said: String) -> Option<Vec<String>> {
        let path = self.beside_the_plan(&said);
        blocking(move || rules_of(&path)).await.ok()?
    }

    fn beside_the_plan(&self, said: &str) -> PathBuf {
        let file = self.inner.migration.file.path();
        file.parent()
            .map_or_else(|| said.into(), |at| at.join(said))
    }

    /// The cards that are seen, with their names.
    fn cards(&self) -> Vec<(GpuUuid, String)> {
        let state = self.inner.state.borrow().clone();
        let cards = state.hosts.iter().flat_map(|host| &host.gpus.cards);
        cards
            .map(|card| (card.latest.uuid.clone(), card.latest.name.clone()))
            .collect()
    }

    /// The folder that holds Forge's folders of models, as this machine or the engine names it.
    async fn models_of(&self, from: Option<&ServiceId>) -> Option<String> {
        let only = || {
            let settings = self.settings_in_force();
            only(settings.services.iter().filter(|s| s.kind == KindId::Forge)).map(|s| s.id.clone())
        };
        let from = from.cloned().or_else(only)?;
        let folders = Box::pin(self.folders_of(&from));
        let folders = tokio::time::timeout(FOLDERS, folders).await.ok()?.ok()?;
        let mut parents: BTreeMap<String, usize> = BTreeMap::new();
        for folder in &folders.shared {
            let end = folder.path.rfind(['/', '\\'])?;
            *parents.entry(folder.path[..end].to_owned()).or_default() += 1;
        }
        let most = parents.into_iter().max_by_key(|(_, count)| *count)?;
        Some(most.0)
    }

    fn field_found(
        &self,
        field: PlanField,
        plan: &OwnPlan,
        around: &Surroundings,
    ) -> Option<String> {
        let of_kind = |kind| {
            let known = only(around.services.iter().filter(|known| known.kind == kind))?;
            Some(known.id.to_string())
        };
        match field {
            PlanField::From => of_kind(KindId::Forge),
            PlanField::To => of_kind(KindId::Comfyui),
            PlanField::Port => Some(free_port(plan, around).to_string()),
            PlanField::Gpu => only(around.cards.iter().flatten()).map(GpuUuid::to_string),
            PlanField::ComposeFile => Some(COMPOSE_FILE.to_owned()),
            PlanField::ExtraModelPaths => Some(MODEL_PATHS.to_owned()),
            PlanField::PublicUrl => {
                let settings = self.settings_in_force();
                let mut services = settings.services.iter();
                let old =
                    services.find(|service| plan.target.from.as_ref() == Some(&service.id))?;
                old.public_url.clone()
            }
            // The folder of models is asked for; of the others one is as likely as another.
            PlanField::Image
            | PlanField::Models
            | PlanField::WebConfig
            | PlanField::Rule
            | PlanField::RehearsalRule
            | PlanField::RehearsalUrl => None,
        }
    }

    fn field_choices(&self, field: PlanField, around: &Surroundings) -> Vec<FieldChoice> {
        let bare = |value: String| FieldChoice { value, name: None };
        let of_kind = |kind| {
            let known = around
                .services
                .iter()
                .filter(move |known| known.kind == kind);
            known.map(|known| bare(known.id.to_string())).collect()
        };
        match field {
            PlanField::From => of_kind(KindId::Forge),
            PlanField::To => of_kind(KindId::Comfyui),
            PlanField::Gpu => {
                let cards = self.cards().into_iter();
                cards
                    .map(|(uuid, name)| FieldChoice {
                        value: uuid.to_string(),
                        name: Some(name),
                    })
                    .collect()
            }
            PlanField::Image => {
                let known = known_images().images.iter();
                known.map(|known| bare(known.image.to_string())).collect()
            }
            PlanField::Rule | PlanField::RehearsalRule => {
                around.rules.iter().flatten().cloned().map(bare).collect()
            }
            PlanField::Port
            | PlanField::ComposeFile
            | PlanField::ExtraModelPaths
            | PlanField::Models
            | PlanField::WebConfig
            | PlanField::PublicUrl
            | PlanField::RehearsalUrl => Vec::new(),
        }
    }
}

/// What the recorder keeps of a decision: of which step, how it was, and how it is.
pub(super) fn decided(change: &PlanEdit, before: &OwnPlan) -> Option<RecordEntry> {
    let entry = |step: Option<StepId>, was: Vec<Evidence>, is: Vec<Evidence>| {
        let mut entry =
            RecordEntry::new(clock::now(), step, RecordAction::Edit, RecordOutcome::Done);
        (entry.before, entry.after) = (was, is);
        entry
    };
    match change {
        PlanEdit::Set(settings) => {
            let said = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
            let of = |pick: &dyn Fn(&Setting) -> Option<String>| {
                let pieces = settings.iter();
                pieces
                    .map(|setting| Evidence::new(&setting.field.to_string(), said(pick(setting))))
                    .collect()
            };
            let was = of(&|setting| setting.field.of(before));
            Some(entry(None, was, of(&|setting| setting.value.clone())))
        }
        PlanEdit::Decide(extension, decision) => {
            let piece =
                |decision: Option<&Decision>| vec![Evidence::new(extension, told(decision))];
            let was = piece(before.extensions.get(extension));
            let step = StepId::new(CUSTOM_NODES).ok();
            Some(entry(step, was, piece(decision.as_ref())))
        }
        _ => None,
    }
}

fn told(decision: Option<&Decision>) -> String {
    let Some(Decision { kind, node, note }) = decision else {
        return "-".to_owned();
    };
    let node = node.as_ref().map(|node| format!(" {node}"));
    let note = note.as_ref().map(|note| format!(" ({note})"));
    format!(
        "{}{}{}",
        kind.word(),
        node.unwrap_or_default(),
        note.unwrap_or_default()
    )
}

fn refused_by(said: &[FieldSaid]) -> Option<ErrorInfo> {
    let mut wrong = said.iter().filter(|said| said.wrong).peekable();
    let remedy = wrong.peek()?.remedy.en.clone();
    let reasons: Vec<String> = wrong
        .map(|said| {
            let (section, key) = (said.field.section(), said.field.key());
            format!("`{key}` below `[{section}]`: {}", said.words.en)
        })
        .collect();
    Some(ErrorInfo::new(ErrorCode::BadRequest, reasons.join(" ")).hint(remedy))
}

fn port_of(api: &str) -> Option<u16> {
    let url = reqwest::Url::parse(api).ok()?;
    url.port_or_known_default()
}

/// ComfyUI's own port, or the next that no other service answers on.
fn free_port(plan: &OwnPlan, around: &Surroundings) -> u16 {
    let to = plan.target.to.as_ref();
    let own = around.services.iter().find(|known| Some(&known.id) == to);
    if let Some(port) = own.and_then(|known| known.port) {
        return port;
    }
    let taken = |port: &u16| {
        around
            .services
            .iter()
            .any(|known| known.port == Some(*port))
    };
    (PORT..u16::MAX).find(|port| !taken(port)).unwrap_or(PORT)
}

fn only<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ErrorInfo> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| {
        ErrorInfo::new(ErrorCode::Internal, "the plan could not be worked on")
            .detail(error.to_string())
    })
}

#[cfg(test)]
mod tests;
