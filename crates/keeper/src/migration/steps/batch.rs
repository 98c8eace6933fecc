//! `batch-equivalence`: one golden set, run whole on both services. The runs are the evidence.

use forgekeeper_domain::{
    golden::{GoldenComparison, GoldenRun},
    ids::ServiceId,
    migration::{Finding, Words},
};
use futures_util::future::BoxFuture;
use jiff::SignedDuration;

use crate::migration::{Site, StepWork};

/// A run that is older says nothing of the service as it is now.
const FRESH: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The step.
#[derive(Debug)]
pub(crate) struct Batch;

impl StepWork for Batch {
    fn check<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Finding> {
        Box::pin(async move { Box::pin(look(site)).await.unwrap_or_else(|finding| finding) })
    }
}

async fn look(site: &Site) -> Result<Finding, Finding> {
    let (from, to) = (site.from()?, site.to()?);
    let unread = |error: forgekeeper_domain::error::ErrorInfo| {
        Finding::unknown(Words::both(
            "The golden runs cannot be read.",
            "Les exécutions de référence ne peuvent pas être lues.",
        ))
        .with("error", error.message)
    };
    let mut best: Option<(GoldenRun, GoldenRun)> = None;
    for set in site.keeper().golden_sets().await.map_err(unread)? {
        let runs = site.keeper().golden_runs(set.name).await.map_err(unread)?;
        let fresh = |service: &ServiceId| {
            let mut runs = runs.iter();
            runs.find(|run| {
                run.complete
                    && run.service == *service
                    && site.now().duration_since(run.started_at) <= FRESH
            })
        };
        // The newest of the target's counts.
        if let (Some(old), Some(new)) = (fresh(&from.id), fresh(&to.id))
            && best
                .as_ref()
                .is_none_or(|(_, other)| other.started_at < new.started_at)
        {
            best = Some((old.clone(), new.clone()));
        }
    }
    let (old, new) = best.ok_or_else(|| {
        Finding::unknown(Words::both(
            "No golden set was run whole on both services within 30 days: run one on both on the Test bench page.",
            "Aucun jeu de référence n’a été exécuté en entier sur les deux services depuis 30\u{a0}jours\u{202f}: en exécuter un sur les deux sur la page Banc d’essai.",
        ))
    })?;
    let compared = site
        .keeper()
        .compare_golden(&old.id, &new.id)
        .await
        .map_err(unread)?;
    Ok(judged(&old, &new, &compared))
}

fn judged(old: &GoldenRun, new: &GoldenRun, compared: &GoldenComparison) -> Finding {
    let summary = &compared.summary;
    let whole = summary.candidate.failed == 0 && summary.candidate.proved > 0;
    let finding = if whole && summary.reference.failed == 0 {
        Finding::proved()
    } else {
        Finding::failed(Words::both(
            "Not every prompt of the batch gave a picture on both.",
            "Toutes les requêtes du lot n’ont pas donné d’image des deux côtés.",
        ))
    };
    let votes = |at: usize| summary.votes.get(at).copied().unwrap_or_default();
    finding
        .with("golden_set", &compared.set)
        .with("reference_run", &old.id)
        .with("reference_at", old.started_at)
        .with("candidate_run", &new.id)
        .with("candidate_at", new.started_at)
        .with("reference_pictures", summary.reference.proved)
        .with("candidate_pictures", summary.candidate.proved)
        .with("candidate_failed", summary.candidate.failed)
        .with_some("reference_median_ms", summary.reference.median_ms)
        .with_some("candidate_median_ms", summary.candidate.median_ms)
        .with_some(
            "slower",
            summary.slower.map(|slower| format!("{slower:.2}")),
        )
        .with_some(
            "similarity",
            summary.similarity.map(|alike| format!("{alike:.3}")),
        )
        .with("votes_reference", votes(0))
        .with("votes_candidate", votes(1))
        .with("votes_equal", votes(2))
        .with("votes_neither", votes(3))
}
