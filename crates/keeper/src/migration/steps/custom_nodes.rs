//! Extensions and custom nodes: everything is decided, and what was adopted is loaded.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use forgekeeper_domain::{
    Timestamp,
    config::{ItemState, PartId, Reason, Snapshot},
    error::ErrorInfo,
    ids::ServiceId,
    migration::{
        Finding, Words,
        extensions::{
            Adoption, DecisionKind, Inventory, NodesAnswer, Seen, adoption, inventory,
            repository_of, seen_in,
        },
        image::defaults,
    },
};
use futures_util::future::BoxFuture;
use serde::Deserialize;

use crate::{
    clients::{Reach, http::Ask},
    config::manifests::Stored,
    migration::{Site, StepWork},
};

/// How long the server may take over each list; the one of all classes is long.
const ASKED: Duration = Duration::from_secs(20);
/// Largest list of classes.
const MAX_CLASSES: usize = 32 * 1024 * 1024;
/// Names that a sentence tells before it only counts.
const MAX_NAMED: usize = 8;
/// A snapshot of so long ago tells what there is now.
const YOUNG: Duration = Duration::from_mins(10);

/// The step.
#[derive(Debug)]
pub struct CustomNodes;

impl StepWork for CustomNodes {
    fn check<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Finding> {
        Box::pin(check(site))
    }
}

async fn check(site: &Site) -> Finding {
    let from = match site.from() {
        Ok(service) => service.id,
        Err(finding) => return finding,
    };
    let inventory = match extensions_of(site, &from).await {
        Ok((_, inventory)) => inventory,
        Err(finding) => return finding,
    };
    let finding = decided(&inventory);
    let adopted = inventory.adopted();
    if adopted.is_empty() {
        return finding;
    }
    let to = match site.to() {
        Ok(service) => service.id,
        Err(missing) => return finding.and(missing),
    };
    let answer = loaded(site, &to).await;
    finding.and(seen(&adopted, &answer))
}

/// The extensions of a service as its newest snapshot lists them; one is taken where there is none.
pub(crate) async fn extensions_of(
    site: &Site,
    from: &ServiceId,
) -> Result<(Timestamp, Inventory), Finding> {
    let (at, seen) = checkouts(site, from, PartId::ForgeExtensions).await?;
    Ok((at, inventory(seen, &site.plan().extensions)))
}

async fn checkouts(
    site: &Site,
    of: &ServiceId,
    part: PartId,
) -> Result<(Timestamp, Vec<Seen>), Finding> {
    let unread = |why: &str| {
        Finding::unknown(Words::both(
            format!("The extensions of `{of}` cannot be read: {why}."),
            format!("Les extensions de «\u{202f}{of}\u{202f}» sont illisibles\u{202f}: {why}."),
        ))
    };
    let snapshot = young(site, of).await;
    let snapshot = snapshot.map_err(|error| unread(&error.message))?;
    let item = snapshot.items.iter().find(|item| item.part == part);
    let content = match item.map(|item| &item.state) {
        // There is no such folder: no extension is installed.
        Some(ItemState::Absent) => return Ok((snapshot.taken_at, Vec::new())),
        Some(ItemState::NotReadable { words, .. }) => return Err(unread(words)),
        Some(ItemState::Kept(content) | ItemState::InMemory(content)) => content.clone(),
        None => return Err(unread("its kind has none")),
    };
    let address = content.address.clone();
    let bytes = site.vaults().bytes(vec![content]).await;
    let mut bytes = bytes.map_err(|error| unread(&error.message))?;
    let Some(Ok(bytes)) = bytes.remove(&address) else {
        return Err(unread("its copy is damaged"));
    };
    let seen = seen_in(&bytes).ok_or_else(|| unread("the list has not the form of one"))?;
    Ok((snapshot.taken_at, seen))
}

/// The newest snapshot if it is of the last minutes, else one that is taken now.
async fn young(site: &Site, of: &ServiceId) -> Result<Snapshot, ErrorInfo> {
    let listed = site.vaults().list().await?;
    let newest = listed.into_iter().find_map(|listed| match listed.stored {
        Stored::Whole { snapshot, .. } if snapshot.service == *of => Some(*snapshot),
        _ => None,
    });
    let age = newest
        .as_ref()
        .map(|snapshot| site.now().duration_since(snapshot.taken_at));
    match newest.zip(age) {
        Some((snapshot, age)) if age.unsigned_abs() < YOUNG => Ok(snapshot),
        _ => {
            let taken = site.keeper().take_snapshot(of, Reason::OnDemand).await?;
            Ok(taken.snapshot)
        }
    }
}

/// Whether everything is decided.
fn decided(inventory: &Inventory) -> Finding {
    let counted = inventory.counted();
    let open: Vec<&str> = inventory
        .extensions
        .iter()
        .filter(|extension| {
            let kind = extension.decision.as_ref().map(|decision| decision.kind);
            !matches!(kind, Some(DecisionKind::Adopt | DecisionKind::NotNeeded))
        })
        .map(|extension| extension.seen.name.as_str())
        .collect();
    let mut finding = if open.is_empty() {
        Finding::proved()
    } else {
        let names = named(&open);
        Finding::failed(Words::both(
            format!(
                "Not decided: {names}. Decide each in the table of this step, or with `forgekeeperctl migration decide`."
            ),
            format!(
                "Non décidé\u{202f}: {names}. Décider de chacune dans le tableau de l’étape, ou avec `forgekeeperctl migration decide`."
            ),
        ))
    };
    finding = finding
        .with("extensions", inventory.extensions.len())
        .with("adopted", counted.adopted)
        .with("not_needed", counted.not_needed)
        .with("open", counted.open);
    for extension in &inventory.extensions {
        let commit = extension.seen.commit.as_deref();
        let commit = commit.map_or("?", |commit| &commit[..commit.len().min(10)]);
        let since = extension
            .seen
            .since
            .map_or(String::new(), |since| format!(" {since}"));
        let name = &extension.seen.name;
        finding = finding.with("extension", format!("{name} {commit}{since}"));
    }
    finding
}

/// Whether what was adopted is loaded.
fn seen(adopted: &BTreeSet<&str>, answer: &NodesAnswer) -> Finding {
    let mut finding = Finding::proved();
    let of = |wanted: Adoption| -> Vec<&str> {
        let all = adopted.iter().copied();
        all.filter(|node| adoption(node, answer) == wanted)
            .collect()
    };
    let (missing, silent) = (of(Adoption::Missing), of(Adoption::NotLoaded));
    if !of(Adoption::Unknown).is_empty() {
        finding = finding.and(Finding::unknown(Words::both(
            "The target does not tell which nodes it has.",
            "La cible ne dit pas quels nœuds elle possède.",
        )));
    }
    if !missing.is_empty() {
        let names = named(&missing);
        finding = finding.and(Finding::failed(Words::both(
            format!("Adopted and not installed: {names}. Install them below `custom_nodes` of the target, with what their requirements.txt asks for, and restart it."),
            format!("Adoptés mais absents\u{202f}: {names}. Les installer sous `custom_nodes` de la cible, avec ce que demande leur requirements.txt, puis la redémarrer."),
        )));
        for repository in missing.iter().filter_map(|node| repository_of(node)) {
            let page = &defaults().source_page;
            finding = finding.with("install_from", format!("https://{page}/{repository}"));
        }
    }
    if !silent.is_empty() {
        let names = named(&silent);
        finding = finding.and(Finding::failed(Words::both(
            format!("Installed and not loaded: {names}. Restart the target, and look for IMPORT FAILED in its log."),
            format!("Installés mais non chargés\u{202f}: {names}. Redémarrer la cible et chercher IMPORT FAILED dans son journal."),
        )));
    }
    finding.with("nodes_loaded", of(Adoption::Loaded).join(", "))
}

fn named(names: &[&str]) -> String {
    let shown = names.iter().take(MAX_NAMED).copied();
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if names.len() > MAX_NAMED {
        text.push_str(&format!(" (+{})", names.len() - MAX_NAMED));
    }
    text
}

/// What the target tells of its custom nodes.
async fn loaded(site: &Site, to: &ServiceId) -> NodesAnswer {
    let Some(api) = site.service(to).and_then(|service| service.api) else {
        return NodesAnswer::default();
    };
    let credentials = site.secrets().get(to).await;
    let Ok(reach) = Reach::new(site.http().clone(), &api, credentials) else {
        return NodesAnswer::default();
    };
    let folders = checkouts(site, to, PartId::ComfyNodes).await.ok();
    NodesAnswer {
        folders: folders.map(|(_, seen)| seen.into_iter().map(|seen| seen.name).collect()),
        classes: classes(&reach).await,
        scripts: scripts(&reach).await,
    }
}

async fn classes(reach: &Reach) -> Option<BTreeMap<String, String>> {
    #[derive(Deserialize)]
    struct Class {
        #[serde(default)]
        python_module: String,
    }
    let ask = Ask::get("/object_info", ASKED).limit(MAX_CLASSES);
    let answer = reach.get(&ask).await.ok()?;
    if answer.status != 200 || answer.cut.is_some() {
        return None;
    }
    let found: BTreeMap<String, Class> = serde_json::from_slice(&answer.body).ok()?;
    let found = found.into_iter();
    Some(
        found
            .map(|(name, class)| (name, class.python_module))
            .collect(),
    )
}

async fn scripts(reach: &Reach) -> Option<BTreeSet<String>> {
    let answer = reach.get(&Ask::get("/extensions", ASKED)).await.ok()?;
    if answer.status != 200 || answer.cut.is_some() {
        return None;
    }
    let found: Vec<String> = serde_json::from_slice(&answer.body).ok()?;
    let folder = |path: &String| {
        let rest = path.strip_prefix("/extensions/")?;
        Some(rest.split_once('/')?.0.to_owned())
    };
    Some(found.iter().filter_map(folder).collect())
}
