//! `workflows`: each golden prompt as a graph that the target would take. Nothing is queued.

use forgekeeper_domain::{
    error::ErrorCode,
    migration::{Finding, Found, Words},
};
use futures_util::future::BoxFuture;

use crate::migration::{Site, StepWork};

/// Prompts that are looked at.
const MOST: usize = 200;
/// Faults that are told.
const TOLD: usize = 20;

/// The step.
#[derive(Debug)]
pub(crate) struct Workflows;

impl StepWork for Workflows {
    fn check<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Finding> {
        Box::pin(async move { look(site).await.unwrap_or_else(|finding| finding) })
    }
}

async fn look(site: &Site) -> Result<Finding, Finding> {
    let target = site.to()?;
    let sets = site
        .keeper()
        .golden_sets()
        .await
        .map_err(|error| not_asked(&error.message))?;
    let mut prompts = Vec::new();
    for set in sets {
        for prompt in set.prompts {
            prompts.push((set.name.clone(), prompt));
        }
    }
    let (mut looked, mut faults) = (0_usize, Vec::new());
    for (set, prompt) in prompts.into_iter().take(MOST) {
        looked += 1;
        let graph = site
            .keeper()
            .accepted_graph(&target.id, &prompt.request)
            .await;
        match graph {
            Ok(told) => {
                faults.extend(
                    told.iter()
                        .map(|fault| format!("{set}/{}: {fault}", prompt.name)),
                );
            }
            // What the target has no equivalent of.
            Err(error) if is_refusal(error.code) => {
                faults.push(format!("{set}/{}: {}", prompt.name, error.message));
            }
            Err(error) => return Err(not_asked(&error.message)),
        }
    }
    if looked == 0 {
        return Err(Finding::unknown(Words::both(
            "There is no golden prompt yet: keep the usual work as a golden set on the Test bench page.",
            "Il n’y a pas encore de requête de référence\u{202f}: enregistrer le travail habituel comme jeu de référence sur la page Banc d’essai.",
        )));
    }
    let mut finding = if faults.is_empty() {
        Finding::proved()
    } else {
        Finding::failed(Words::both(
            "The target would not take every workflow.",
            "La cible n’accepterait pas tous les workflows.",
        ))
    };
    finding = finding
        .with("service", &target.id)
        .with("prompts", looked)
        .with("refused", faults.len());
    for fault in faults.into_iter().take(TOLD) {
        finding = finding.with("fault", fault);
    }
    Ok(finding)
}

fn is_refusal(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::BadRequest | ErrorCode::Refused | ErrorCode::BadWorkflow
    )
}

fn not_asked(why: &str) -> Finding {
    Finding::of(Found::Unknown)
        .say(Words::both(
            "The target cannot be asked.",
            "La cible ne peut pas être interrogée.",
        ))
        .with("error", why)
}
