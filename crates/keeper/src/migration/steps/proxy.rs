//! The steps of the public address: the rehearsal on a second host name, and the cutover.

use std::time::Duration;

use forgekeeper_domain::{
    error::ErrorInfo,
    migration::{
        AfterKill, Deed, Finding, Found, StepPreview, Words,
        iis::{Access, Address, Answer, Source, Trouble, Want, WebConfig, judge},
    },
    service::KindId,
};
use futures_util::future::BoxFuture;

use crate::{
    migration::{
        RefusedBy, Site, StepRun, StepWork,
        iis::{
            back::Receipt,
            look::Door,
            turn::{Turn, Unplanned},
        },
    },
    secrets::Credentials,
    settings::ServiceSettings,
};

/// Looks and a WebSocket through a proxy that hangs take this long at most.
const DEADLINE: Duration = Duration::from_secs(45);

/// Turns one address.
#[derive(Debug)]
pub(crate) struct Proxy {
    rehearsal: bool,
}

impl Proxy {
    /// The second host name: the same rule, seen by nobody else.
    pub(crate) const REHEARSAL: Self = Self { rehearsal: true };
    /// The public address.
    pub(crate) const CUTOVER: Self = Self { rehearsal: false };

    /// What it works with, or why that is not known.
    async fn turn(&self, site: &Site) -> Result<Turn, Box<Finding>> {
        let iis = site.iis();
        let unset = |field: &str| Box::new(Finding::unset("iis", field));
        let file = iis
            .web_config
            .as_deref()
            .ok_or_else(|| unset("web_config"))?;
        let new = site.to().map_err(Box::new)?;
        let old = site.from().map_err(Box::new)?;
        let (rule, url) = if self.rehearsal {
            let url = iis
                .rehearsal_url
                .clone()
                .ok_or_else(|| unset("rehearsal_url"))?;
            (
                iis.rehearsal_rule
                    .as_ref()
                    .ok_or_else(|| unset("rehearsal_rule"))?,
                url,
            )
        } else {
            let url = iis.public_url.clone().or_else(|| old.public_url.clone());
            (
                iis.rule.as_ref().ok_or_else(|| unset("rule"))?,
                url.ok_or_else(|| unset("public_url"))?,
            )
        };
        if self.rehearsal && Some(rule) == iis.rule.as_ref() {
            return Err(Box::new(Finding::unknown(Words::both(
                "`rehearsal_rule` is the rule of the public address: a rehearsal needs a rule of its own.",
                "`rehearsal_rule` est la règle de l’adresse publique\u{202f}: une répétition a besoin de sa propre règle.",
            ))));
        }
        let api = api_of(&new)?;
        let to = Address::read(api).map_err(|refusal| {
            Box::new(Finding::unknown(refusal.reason()).say(refusal.remedy()))
        })?;
        let credentials = site.secrets().get(&new.id).await;
        Ok(Turn {
            http: site.http().clone(),
            file: site.path(file),
            rule: rule.clone(),
            public: door(&url, credentials.clone())?,
            new: door(api, credentials)?,
            old: match &old.api {
                Some(api) => Some(door(api, site.secrets().get(&old.id).await)?),
                None => None,
            },
            to,
            kept: site.data_dir().join("migration").join("web-config"),
        })
    }

    async fn look(&self, site: &Site) -> Finding {
        let turn = match self.turn(site).await {
            Ok(turn) => turn,
            Err(finding) => return *finding,
        };
        let planned = match turn.plan().await {
            Ok(planned) => planned,
            Err(why) => {
                // A file that IIS cannot read, or without the rule, leads nowhere; one that cannot be read
                // from here says nothing.
                let found = match why {
                    Unplanned::Refused(_) => Found::Failed,
                    Unplanned::File(_) => Found::Unknown,
                };
                let says = why.words(&turn.file);
                return Finding {
                    says,
                    ..Finding::of(found)
                };
            }
        };
        let leads = rule_url(&planned.bytes, &turn.rule);
        if let Some(edit) = &planned.edit {
            return Finding::failed(Words::both(
                format!(
                    "The rule `{}` leads to {}, and not to {}.",
                    turn.rule, edit.from, turn.to
                ),
                format!(
                    "La règle «\u{202f}{}\u{202f}» mène à {}, et non à {}.",
                    turn.rule, edit.from, turn.to
                ),
            ))
            .with("rule", &turn.rule)
            .with_some("rule_address", leads);
        }
        let found = turn.measure_new(false).await;
        // Who was let in before is judged when it is turned; here it is told.
        let want = Want {
            kind: KindId::Comfyui,
            before: Access::Unknown,
        };
        let mut finding = match judge(&found, want) {
            Ok(()) => Finding::proved(),
            // While the service itself is down nothing is known of the way to it.
            Err(trouble @ Trouble::ServiceDown) => Finding::unknown(trouble.words()),
            Err(trouble) => Finding::failed(trouble.words()),
        }
        .with("rule", &turn.rule)
        .with_some("rule_address", leads);
        finding.evidence.extend(found.evidence());
        if found.access == Access::Open {
            finding = finding.say(Words::both(
                "Everybody who knows the address may generate pictures there: no credentials are asked for.",
                "Toute personne qui connaît l’adresse peut y générer des images\u{202f}: aucun identifiant n’est demandé.",
            ));
        }
        if !found.encrypted {
            finding = finding.say(Words::both(
                "The address is not encrypted (http).",
                "L’adresse n’est pas chiffrée (http).",
            ));
        }
        finding
    }

    async fn previewed(&self, site: &Site) -> Result<StepPreview, ErrorInfo> {
        let turn = self
            .turn(site)
            .await
            .map_err(|finding| RefusedBy(*finding))?;
        let mut preview = StepPreview::default();
        let planned = match turn.plan().await {
            Ok(planned) => planned,
            Err(why) => {
                preview.refused = why.words(&turn.file);
                return Ok(preview);
            }
        };
        let new = turn.new.look(&turn.http, KindId::Comfyui).await.answer;
        if !matches!(
            new,
            Answer::Service {
                kind: KindId::Comfyui,
                ..
            }
        ) {
            preview = preview.refused(Trouble::ServiceDown.words());
        }
        if let Some(old) = &turn.old {
            let before = turn.measure(KindId::Forge, old, false).await;
            let who = before.public.as_ref().map(Answer::told).unwrap_or_default();
            let ms = before
                .public_ms
                .map(|ms| format!(", {ms} ms"))
                .unwrap_or_default();
            preview = preview.looks(Words::both(
                format!(
                    "Now {} answers at {}{ms}; it is measured before and after.",
                    who, turn.public.url
                ),
                format!(
                    "{} répond actuellement à {}{ms}\u{202f}; la mesure est faite avant et après.",
                    who, turn.public.url
                ),
            ));
        }
        for advice in &planned.advice {
            preview = preview.looks(advice.words());
        }
        let Some(edit) = planned.edit else {
            return Ok(preview
                .does(Words::both(
                    "The rule leads there already: nothing is written, and what answers is measured.",
                    "La règle y mène déjà\u{202f}: rien n’est écrit, et ce qui répond est mesuré.",
                ))
                .undone_by(way_back()));
        };
        if let Err(trouble) = turn.writable().await {
            preview = preview.refused(trouble.words(&turn.file));
        }
        preview = preview
            .does(Words::both(
                format!("A copy of {} is made beside it, and another one among the data of Forgekeeper.", turn.file.display()),
                format!("Une copie de {} est faite à côté, et une autre dans les données de Forgekeeper.", turn.file.display()),
            ))
            .writes(turn.file.display().to_string(), edit.diff)
            .does(Words::both(
                format!("The first good answer at {} is waited for, up to a minute; without it, the old file goes back by itself.", turn.public.url),
                format!("La première bonne réponse à {} est attendue, une minute au plus\u{202f}; sans elle, l’ancien fichier est remis de lui-même.", turn.public.url),
            ));
        if !self.rehearsal {
            preview = preview.interrupts(Words::both(
                "IIS takes up the file at once: requests under way through this site may be cut, and its users find ComfyUI from then on.",
                "IIS relit le fichier aussitôt\u{202f}: les requêtes en cours à travers ce site peuvent être coupées, et ses utilisateurs trouvent dès lors ComfyUI.",
            ));
        }
        Ok(preview.undone_by(way_back()))
    }

    async fn previewed_undo(&self, site: &Site, run: &StepRun) -> Result<StepPreview, ErrorInfo> {
        let turn = self
            .turn(site)
            .await
            .map_err(|finding| RefusedBy(*finding))?;
        let mut preview = StepPreview::default();
        let Some(receipt) = run.remembered::<Receipt>() else {
            return Ok(preview.refused(Words::both(
                "It is not remembered what was there before; copies stand beside web.config, named after their time.",
                "Ce qui était là avant n’est pas mémorisé\u{202f}; des copies se trouvent à côté de web.config, nommées d’après leur heure.",
            )));
        };
        if let Err(trouble) = turn.writable().await {
            preview = preview.refused(trouble.words(&turn.file));
        }
        if let Some(old) = &turn.old
            && !matches!(
                old.look(&turn.http, KindId::Forge).await.answer,
                Answer::Service { .. }
            )
        {
            preview = preview.looks(Words::both(
                format!("The old service does not answer at {}: start it first, or its users find nothing.", old.url),
                format!("L’ancien service ne répond pas à {}\u{202f}: démarrez-le d’abord, sinon ses utilisateurs ne trouveront rien.", old.url),
            ));
        }
        let from = receipt.from.trim_end_matches('/');
        Ok(preview
            .does(Words::both(
                format!("The file of before is put back byte for byte: the rule `{}` leads to {from} again. What others have changed in it since stays.", receipt.rule),
                format!("Le fichier d’avant est remis octet pour octet\u{202f}: la règle «\u{202f}{}\u{202f}» mène de nouveau à {from}. Ce que d’autres y ont changé depuis reste.", receipt.rule),
            ))
            .undone_by(Words::both("Do the step again.", "Refaire l’étape.")))
    }
}

fn way_back() -> Words {
    Words::both(
        "One click puts the very bytes of before back; the time it takes is measured.",
        "Un clic remet exactement les octets d’avant\u{202f}; le temps que cela prend est mesuré.",
    )
}

fn api_of(service: &ServiceSettings) -> Result<&str, Box<Finding>> {
    service.api.as_deref().ok_or_else(|| {
        Box::new(Finding::unknown(Words::both(
            format!(
                "The settings give no `api` of the service `{}`.",
                service.id
            ),
            format!(
                "La configuration ne donne pas de `api` pour le service «\u{202f}{}\u{202f}».",
                service.id
            ),
        )))
    })
}

fn door(url: &str, credentials: Option<Credentials>) -> Result<Door, Box<Finding>> {
    Door::new(url, credentials).map_err(|_| {
        Box::new(Finding::unknown(Words::both(
            "An address of the public site cannot be used: write it like https://myia.io.",
            "Une adresse du site public est inutilisable\u{202f}: écrivez-la comme https://myia.io.",
        )))
    })
}

fn rule_url(bytes: &[u8], rule: &str) -> Option<String> {
    let config = WebConfig::read(&Source::read(bytes).ok()?).ok()?;
    config.rule(rule).ok()?.action.clone()?.url
}

impl StepWork for Proxy {
    fn check<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Finding> {
        Box::pin(self.look(site))
    }

    fn deadline(&self) -> Duration {
        DEADLINE
    }

    fn can_run(&self) -> bool {
        true
    }

    fn can_undo(&self) -> bool {
        true
    }

    // What was written is proved, what was not is written, and what does not hold goes back by itself; one
    // that was left before it wrote anything, and long ago, is not gone on with.
    fn after_kill(&self) -> AfterKill {
        AfterKill::Again
    }

    fn preview<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Result<StepPreview, ErrorInfo>> {
        Box::pin(self.previewed(site))
    }

    fn preview_undo<'a>(
        &'a self,
        site: &'a Site,
        run: &'a StepRun,
    ) -> BoxFuture<'a, Result<StepPreview, ErrorInfo>> {
        Box::pin(self.previewed_undo(site, run))
    }

    fn run<'a>(
        &'a self,
        site: &'a Site,
        run: &'a StepRun,
    ) -> BoxFuture<'a, Result<Deed, ErrorInfo>> {
        Box::pin(async move {
            let turn = self
                .turn(site)
                .await
                .map_err(|finding| RefusedBy(*finding))?;
            turn.run(run).await
        })
    }

    fn undo<'a>(
        &'a self,
        site: &'a Site,
        run: &'a StepRun,
    ) -> BoxFuture<'a, Result<Deed, ErrorInfo>> {
        Box::pin(async move {
            let turn = self
                .turn(site)
                .await
                .map_err(|finding| RefusedBy(*finding))?;
            turn.undo(run).await
        })
    }
}
