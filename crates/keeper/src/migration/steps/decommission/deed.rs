//! Removes what was planned, and makes it again. Everything is remembered before it goes.

use std::collections::BTreeMap;

use forgekeeper_domain::{
    config::{PartId, Reason},
    error::{ErrorCode, ErrorInfo},
    ids::SnapshotId,
    migration::{
        Deed,
        ending::{ImageFate, untouched},
    },
};
use serde::Deserialize;

use super::{Memory, folder, models, plan, rest, words};
use crate::{
    docker::{DockerError, engine::Engine, make::Pulled},
    migration::{RefusedBy, Site, StepRun},
};

fn told(error: DockerError) -> ErrorInfo {
    error.to_info()
}

pub(super) async fn run(site: &Site, run: &StepRun) -> Result<Deed, ErrorInfo> {
    let from = site.from().map_err(RefusedBy)?;
    rest::seen(site, &from.id).await;
    let engine = rest::engine(site, &from.id)?;
    let mut memory = match plan::parting(site, &engine, &from.container).await? {
        // Nothing has gone yet: what an earlier run remembered is of another moment.
        Some(parting) => prepared(site, run, &engine, parting).await?,
        None => run.remembered::<Memory>().ok_or_else(|| {
            ErrorInfo::new(
                ErrorCode::Refused,
                format!("there is no container `{}`", from.container),
            )
        })?,
    };
    run.go_on()?;
    run.say(words::removing(), Some(50));
    let made = &memory.container;
    engine.remove_container(&made.name).await.map_err(told)?;
    let mut deed = Deed::default()
        .before("container", &made.name)
        .before("image", &made.image);
    if let Some(network) = &memory.network {
        let removed = engine.remove_empty_network(&network.name).await;
        deed = deed.after("network_removed", removed.map_err(told)?);
    }
    if memory.image_goes {
        remove_image(&engine, &memory).await?;
    }
    run.say(words::counting(), Some(70));
    memory.space_after = engine.space().await;
    run.remember(&memory).await?;
    deed = deed
        .after("container", "removed")
        .after("image", if memory.image_goes { "removed" } else { "kept" });
    if let (Some(before), Some(after)) = (memory.space_before, memory.space_after) {
        deed = deed
            .before("engine_bytes", before)
            .after("engine_bytes", after)
            .after("recovered_bytes", before.saturating_sub(after));
    }
    run.say(words::marking(), Some(80));
    let before = folder::kept(site.data_dir(), &memory.marks);
    let now = folder::mark(memory.models.clone().into()).await?;
    if let Some(before) = before {
        let left = untouched(&before, &now);
        deed = deed
            .before("models", before.len())
            .after("models_untouched", left.untouched)
            .after("models_untouched_bytes", left.bytes);
    }
    Ok(deed.after("snapshot", memory.snapshot))
}

/// Looks, keeps, and remembers; nothing is removed yet.
async fn prepared(
    site: &Site,
    run: &StepRun,
    engine: &Engine,
    parting: plan::Parting,
) -> Result<Memory, ErrorInfo> {
    let from = site.from().map_err(RefusedBy)?;
    if parting.running {
        return Err(ErrorInfo::new(
            ErrorCode::Refused,
            format!("`{}` runs: it is not at rest", from.id),
        )
        .hint("Do the standby again first."));
    }
    run.say(words::marking(), Some(10));
    let path = models(site)?;
    let marks = folder::mark(path.clone()).await?;
    let hash = folder::keep(site.data_dir(), &marks)?;
    run.go_on()?;
    run.say(words::taking_snapshot(), Some(30));
    let keeper = site.keeper();
    let taken = keeper.take_snapshot(&from.id, Reason::BeforeAction).await?;
    keeper.pin_snapshot(&taken.id, true).await?;
    if !keeper.verify_snapshot(&taken.id).await?.whole {
        return Err(ErrorInfo::new(
            ErrorCode::Io,
            "the last snapshot is not whole: nothing is removed",
        ));
    }
    let memory = Memory {
        service: from.id,
        begun: Some(site.now()),
        container: parting.container,
        network: parting.network,
        image_goes: matches!(parting.fate, ImageFate::Goes { .. }),
        digest: parting.digest,
        snapshot: taken.id.to_string(),
        models: path.display().to_string(),
        marks: hash,
        space_before: engine.space().await,
        space_after: None,
    };
    run.remember(&memory).await?;
    Ok(memory)
}

/// The name goes only while it still means this image.
async fn remove_image(engine: &Engine, memory: &Memory) -> Result<(), ErrorInfo> {
    let made = &memory.container;
    let named = engine.image_here(&made.image).await.map_err(told)?;
    let by_name = named.is_some_and(|image| image.id == made.image_id);
    let image = if by_name { &made.image } else { &made.image_id };
    engine.remove_image(image).await.map_err(told)?;
    Ok(())
}

#[derive(Deserialize, Default)]
struct Secret {
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    command: Vec<String>,
}

/// Environment and command out of the last snapshot; empty where it cannot be opened.
pub(super) async fn withheld(
    site: &Site,
    memory: &Memory,
) -> (BTreeMap<String, String>, Vec<String>) {
    let secret = async {
        let id = SnapshotId::new(memory.snapshot.clone()).ok()?;
        let snapshot = site.vaults().get(&id).await.ok()?;
        let item = snapshot
            .items
            .iter()
            .find(|item| item.part == PartId::Environment)?;
        let content = item.state.content()?.clone();
        let address = content.address.clone();
        let mut read = site.vaults().bytes(vec![content]).await.ok()?;
        let bytes = read.remove(&address)?.ok()?;
        serde_json::from_slice::<Secret>(&bytes).ok()
    };
    let secret = secret.await.unwrap_or_default();
    (secret.env, secret.command)
}

pub(super) async fn undo(site: &Site, run: &StepRun) -> Result<Deed, ErrorInfo> {
    let memory: Memory = run.remembered().ok_or_else(|| {
        ErrorInfo::new(
            ErrorCode::Refused,
            "nothing is remembered that could be made again",
        )
    })?;
    rest::seen(site, &memory.service).await;
    let engine = rest::engine(site, &memory.service)?;
    let made = &memory.container;
    if rest::runs(&engine, &made.name).await?.is_some() {
        // Killed before it went, or after it came back.
        return Ok(Deed::default().after("container", &made.name));
    }
    if let Some(network) = &memory.network {
        engine.remake_network(network).await.map_err(told)?;
    }
    let image = image_again(&engine, run, &memory).await?;
    run.say(words::making(), Some(80));
    let (secrets, command) = withheld(site, &memory).await;
    let missing = engine
        .recreate(made, &image, &secrets, &command)
        .await
        .map_err(told)?;
    rest::present(site, &memory.service).await;
    let mut deed = Deed::default()
        .before("container", "removed")
        .after("container", &made.name)
        .after("image", image)
        .after("running", false);
    if !missing.is_empty() {
        deed = deed.after("variables_missing", missing.join(", "));
    }
    Ok(deed)
}

/// The very image, by the name that means it now.
async fn image_again(engine: &Engine, run: &StepRun, memory: &Memory) -> Result<String, ErrorInfo> {
    let made = &memory.container;
    let named = engine.image_here(&made.image).await.map_err(told)?;
    if named.is_some_and(|image| image.id == made.image_id) {
        return Ok(made.image.clone());
    }
    let by_id = engine.image_here(&made.image_id).await.map_err(told)?;
    if by_id.is_some() {
        return Ok(made.image_id.clone());
    }
    let wanted = memory.digest.as_ref().unwrap_or(&made.image);
    run.say(words::pulling(), None);
    let tell = |progress: crate::docker::make::PullProgress| {
        let percent = (progress.done * 100).checked_div(progress.total);
        run.say(words::pulling(), percent.and_then(|p| u8::try_from(p).ok()));
    };
    match engine.pull(wanted, &run.cancel, tell).await.map_err(told)? {
        Pulled::Done => Ok(wanted.clone()),
        Pulled::Cancelled => Err(StepRun::cancelled()),
    }
}
