//! The target image: asked of its registry and of its source, each time anew.

use forgekeeper_domain::migration::{
    Finding, Found, Words,
    image::{
        ImageFacts, ImageFault, ImageRef, ImageReport, ImageVerdict, KnownVerdict,
        MAX_BUILD_AGE_DAYS, MAX_PUSH_AGE_DAYS, Unasked, defaults, judge, known_images,
    },
};
use futures_util::future::BoxFuture;

use crate::{
    clients::registry::{self, IMAGE_DEADLINE},
    migration::{Site, StepWork},
};

/// The step.
#[derive(Debug)]
pub struct TargetImage;

impl StepWork for TargetImage {
    fn check<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Finding> {
        Box::pin(check(site))
    }
}

async fn check(site: &Site) -> Finding {
    let Some(named) = &site.target().image else {
        return Finding::unset("target", "image");
    };
    match asked(site, named).await {
        Ok((image, facts)) => said(&image, judge(&facts)),
        Err(problem) => not_read(named, &problem),
    }
}

/// What registry and source say of an image now; the error says why the name is none.
pub(super) async fn asked(site: &Site, named: &str) -> Result<(ImageRef, ImageFacts), String> {
    let image = ImageRef::read(named).map_err(|problem| problem.to_string())?;
    let settings = site.settings();
    let api = settings.sources.api.clone();
    let api = api.unwrap_or_else(|| defaults().source_api.clone());
    let asked = registry::ask_about(site.http(), &image, &api, IMAGE_DEADLINE, site.now());
    let facts = Box::pin(asked).await;
    Ok((image, facts))
}

/// The finding for a name that is none.
pub(super) fn not_read(named: &str, problem: &str) -> Finding {
    Finding::failed(Words::both(
        format!("`image` below `[target]` in migration.toml names no image: {problem}."),
        format!(
            "`image` sous `[target]` dans migration.toml ne nomme aucune image\u{202f}: {problem}."
        ),
    ))
    .with("image", named)
}

fn said(image: &ImageRef, report: ImageReport) -> Finding {
    let found = match report.verdict {
        ImageVerdict::Good => Found::Proved,
        ImageVerdict::Bad { .. } => Found::Failed,
        ImageVerdict::Unknown { .. } | ImageVerdict::AgeNotTold => Found::Unknown,
    };
    let mut finding = Finding::of(found);
    match report.verdict {
        ImageVerdict::Good => {}
        ImageVerdict::Bad { fault } => finding = finding.say(fault_words(fault)).say(others(image)),
        ImageVerdict::Unknown { why, source } => {
            finding = finding.say(unasked_words(why, source));
        }
        ImageVerdict::AgeNotTold => finding = finding.say(Words::both(
            "The build does not say when it was made, and no source is known that would. Whether it is maintained is not known.",
            "L’image n’indique pas sa date de construction, et aucune source connue ne la donne. On ignore si elle est maintenue.",
        )),
    }
    finding
        .evidence
        .extend(report.findings.into_iter().map(|f| f.evidence));
    finding
}

fn fault_words(fault: ImageFault) -> Words {
    match fault {
        ImageFault::NotThere => Words::both(
            "The registry has no such image or tag.",
            "Le registre n’a ni cette image ni cette étiquette.",
        ),
        ImageFault::Denied => Words::both(
            "The registry does not give it without a login. Registries answer so for images that do not exist, too.",
            "Le registre ne la fournit pas sans connexion. Les registres répondent ainsi pour les images inexistantes aussi.",
        ),
        ImageFault::NoBuild => Words::both(
            "There is no build of it for linux/amd64.",
            "Il n’en existe pas de version pour linux/amd64.",
        ),
        ImageFault::Old => Words::both(
            format!("It was built more than {MAX_BUILD_AGE_DAYS} days ago."),
            format!("Elle a été construite il y a plus de {MAX_BUILD_AGE_DAYS} jours."),
        ),
        ImageFault::Archived => Words::both(
            "Its source repository is archived: nobody builds it any more.",
            "Son dépôt source est archivé\u{202f}: plus personne ne la construit.",
        ),
        ImageFault::Abandoned => Words::both(
            format!(
                "Its source repository has received nothing for more than {MAX_PUSH_AGE_DAYS} days."
            ),
            format!("Son dépôt source n’a rien reçu depuis plus de {MAX_PUSH_AGE_DAYS} jours."),
        ),
        ImageFault::SourceGone => Words::both(
            "The source repository that it names is gone.",
            "Le dépôt source qu’elle indique n’existe plus.",
        ),
    }
}

fn unasked_words(why: Unasked, source: bool) -> Words {
    let (en, fr) = if source {
        ("The source repository", "Le dépôt source")
    } else {
        ("The registry", "Le registre")
    };
    let (why_en, why_fr) = match why {
        Unasked::Unreachable => (
            "cannot be reached from this machine. Check the network and try again.",
            "est injoignable depuis cette machine. Vérifier le réseau et réessayer.",
        ),
        Unasked::NotInTime => (
            "did not answer in time. Try again.",
            "n’a pas répondu à temps. Réessayer.",
        ),
        Unasked::RateLimited => (
            "was asked too often for now. Try again in an hour.",
            "a été trop sollicité pour l’instant. Réessayer dans une heure.",
        ),
        Unasked::ServerFault => (
            "has a fault of its own. Try again later.",
            "est lui-même en panne. Réessayer plus tard.",
        ),
        Unasked::Unexpected => (
            "answered something that cannot be believed. What it was stands in the evidence.",
            "a répondu quelque chose d’irrecevable. Le détail figure dans les preuves.",
        ),
        Unasked::Redirected => (
            "leads to an address that is not followed. Which stands in the evidence.",
            "renvoie vers une adresse qui n’est pas suivie. Le détail figure dans les preuves.",
        ),
    };
    Words::both(format!("{en} {why_en}"), format!("{fr} {why_fr}"))
}

/// What else there is. To choose one is to write it into the plan's file.
fn others(image: &ImageRef) -> Words {
    let known = known_images();
    let mut others = known
        .others(image)
        .map(|known| (known.image.to_string(), known.verdict));
    let list = |word: fn(KnownVerdict) -> &'static str,
                others: &mut dyn Iterator<Item = (String, KnownVerdict)>| {
        let all: Vec<String> = others
            .map(|(name, verdict)| format!("{name} ({})", word(verdict)))
            .collect();
        all.join(", ")
    };
    let rows: Vec<(String, KnownVerdict)> = others.by_ref().collect();
    let en = list(in_english, &mut rows.clone().into_iter());
    let fr = list(in_french, &mut rows.into_iter());
    Words::both(
        format!(
            "Others that are known: {en}. Choose one in this step or with `forgekeeperctl migration target set image`, and check again."
        ),
        format!(
            "Autres images connues\u{202f}: {fr}. En choisir une dans cette étape ou avec `forgekeeperctl migration target set image`, puis revérifier."
        ),
    )
}

fn in_english(verdict: KnownVerdict) -> &'static str {
    match verdict {
        KnownVerdict::Suited => "suited",
        KnownVerdict::Limited => "with reserves",
        KnownVerdict::Unproved => "unproved",
    }
}

fn in_french(verdict: KnownVerdict) -> &'static str {
    match verdict {
        KnownVerdict::Suited => "adaptée",
        KnownVerdict::Limited => "avec réserves",
        KnownVerdict::Unproved => "non vérifiée",
    }
}
