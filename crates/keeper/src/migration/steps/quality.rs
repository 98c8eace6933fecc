//! `quality`: a golden set recorded on the old service and replayed on the target, and a vote of the owner on
//! every pair, given without knowing which picture is whose.

use forgekeeper_domain::{
    Timestamp,
    error::ErrorInfo,
    golden::{GoldenComparison, GoldenRun, Vote, compare},
    ids::ServiceId,
    migration::{
        ACCEPTED_PERCENT, Finding, MIN_PAIRS, QualityCount, QualityVerdict, Words, count_votes,
        unvoted,
    },
};
use futures_util::future::BoxFuture;
use jiff::SignedDuration;

use crate::migration::{Site, StepWork};

/// Pictures that are older say nothing of the target as it is now: as long as the proof holds.
const FRESH: SignedDuration = SignedDuration::from_hours(60 * 24);
/// Most pairs of runs that are looked at.
const MAX_RUNS: usize = 60;
/// Names that a sentence tells before it only counts.
const MAX_NAMED: usize = 5;

/// The step.
#[derive(Debug)]
pub(crate) struct Quality;

impl StepWork for Quality {
    fn check<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Finding> {
        Box::pin(async move {
            match Box::pin(paired(site)).await {
                Ok(pair) => judged(&pair),
                Err(finding) => finding,
            }
        })
    }
}

/// Two runs of one set with their votes; the reference is the old service's.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) old: GoldenRun,
    pub(crate) new: GoldenRun,
    compared: GoldenComparison,
    count: QualityCount,
}

/// The two runs that count: of those with every vote the newest on the target, else the newest, with the run
/// of the old service that most votes were given against.
pub(crate) async fn paired(site: &Site) -> Result<Pair, Finding> {
    let (from, to) = (site.from()?.id, site.to()?.id);
    let mut newest: Option<Pair> = None;
    let mut voted: Option<Pair> = None;
    for set in site.keeper().golden_sets().await.map_err(unread)? {
        let runs = site.keeper().golden_runs(set.name).await.map_err(unread)?;
        for (old, new) in pairs_of(&runs, &from, &to, site.now()) {
            let pair = with_votes(site, old, new).await.map_err(unread)?;
            let at = |pair: &Pair| pair.new.started_at;
            let whole = matches!(
                pair.count.verdict(),
                QualityVerdict::Accepted | QualityVerdict::Rejected
            );
            if whole && voted.as_ref().is_none_or(|known| at(known) < at(&pair)) {
                voted = Some(pair);
            } else if newest.as_ref().is_none_or(|known| {
                // Of one run of the target, the earliest of the other that has no fewer votes: the one that
                // a comparison begins with.
                (at(known), known.count.voted()) <= (at(&pair), pair.count.voted())
            }) {
                newest = Some(pair);
            }
        }
    }
    voted.or(newest).ok_or_else(|| {
        Finding::unknown(Words::both(
            format!("No golden set was run whole on both services within 60 days: record one on `{from}` and replay it on `{to}`, on the Test bench page."),
            format!("Aucun jeu de référence n’a été exécuté en entier sur les deux services depuis 60\u{a0}jours\u{202f}: en enregistrer un sur `{from}` et le rejouer sur `{to}`, sur la page Banc d’essai."),
        ))
    })
}

/// The runs that can be compared, the newest of the target first.
fn pairs_of<'r>(
    runs: &'r [GoldenRun],
    from: &ServiceId,
    to: &ServiceId,
    now: Timestamp,
) -> Vec<(&'r GoldenRun, &'r GoldenRun)> {
    let mut pairs = Vec::new();
    for new in runs.iter().filter(|run| run.complete && run.service == *to) {
        if now.duration_since(new.started_at) > FRESH {
            continue;
        }
        for old in runs
            .iter()
            .filter(|run| run.complete && run.service == *from)
        {
            pairs.push((old, new));
        }
    }
    pairs.truncate(MAX_RUNS);
    pairs
}

fn unread(error: ErrorInfo) -> Finding {
    Finding::unknown(Words::both(
        "The golden runs cannot be read.",
        "Les exécutions de référence ne peuvent pas être lues.",
    ))
    .with("error", error.message)
}

/// Whoever compares may put either run first.
async fn with_votes(site: &Site, old: &GoldenRun, new: &GoldenRun) -> Result<Pair, ErrorInfo> {
    let mut votes = site.store().golden_votes([&new.id, &old.id]).await?;
    for vote in votes.values_mut() {
        *vote = match vote {
            Vote::Reference => Vote::Candidate,
            Vote::Candidate => Vote::Reference,
            Vote::Equal => Vote::Equal,
            Vote::Neither => Vote::Neither,
        };
    }
    votes.extend(site.store().golden_votes([&old.id, &new.id]).await?);
    let compared = compare(old, new, &votes, &std::collections::BTreeMap::new());
    Ok(Pair {
        old: old.clone(),
        new: new.clone(),
        count: count_votes(&compared),
        compared,
    })
}

fn judged(pair: &Pair) -> Finding {
    let (count, set) = (pair.count, &pair.compared.set);
    let percent = count.accepted_percent();
    let finding = match count.verdict() {
        QualityVerdict::Accepted => Finding::proved(),
        QualityVerdict::Rejected => Finding::failed(Words::both(
            format!(
                "The target’s pictures were as good or better in {percent} % of the pairs; {ACCEPTED_PERCENT} % are needed. Change its models or settings, replay the set, and vote again."
            ),
            format!(
                "Les images de la cible sont aussi bonnes ou meilleures dans {percent}\u{a0}% des paires\u{202f}; il en faut {ACCEPTED_PERCENT}\u{a0}%. Revoir ses modèles ou ses réglages, rejouer le jeu et voter de nouveau."
            ),
        )),
        QualityVerdict::TooFew => Finding::unknown(Words::both(
            format!(
                "The set `{set}` has {} pairs of pictures; fewer than {MIN_PAIRS} say nothing. Record a larger one.",
                count.pairs
            ),
            format!(
                "Le jeu `{set}` compte {} paires d’images\u{202f}; moins de {MIN_PAIRS} ne disent rien. En enregistrer un plus grand.",
                count.pairs
            ),
        )),
        QualityVerdict::Unvoted => Finding::unknown(Words::both(
            format!(
                "{} of {} pairs have no vote yet: on the Test bench page, compare the two runs of `{set}` and say for each pair which picture is better.",
                count.unvoted, count.pairs
            ),
            format!(
                "{} paires sur {} sont encore sans vote\u{202f}: sur la page Banc d’essai, comparer les deux exécutions de `{set}` et dire pour chaque paire quelle image est la meilleure.",
                count.unvoted, count.pairs
            ),
        )),
    };
    let open = named_open(pair);
    finding
        .with("golden_set", set)
        .with("reference_run", &pair.old.id)
        .with("reference_at", pair.old.started_at)
        .with("candidate_run", &pair.new.id)
        .with("candidate_at", pair.new.started_at)
        .with("pairs", count.pairs)
        .with("votes", count.voted())
        .with("votes_candidate", count.won)
        .with("votes_equal", count.equal)
        .with("votes_reference", count.lost)
        .with("votes_neither", count.neither)
        .with("candidate_without_picture", count.missing)
        .with("accepted_percent", percent)
        .with("needed_percent", ACCEPTED_PERCENT)
        .with_some("without_vote", (!open.is_empty()).then_some(open))
}

/// The prompts of the pairs without a vote.
fn named_open(pair: &Pair) -> String {
    let open: Vec<&str> = unvoted(&pair.compared).collect();
    let mut text = open[..open.len().min(MAX_NAMED)].join(", ");
    if open.len() > MAX_NAMED {
        text.push_str(&format!(" (+{})", open.len() - MAX_NAMED));
    }
    text
}
