//! What goes and what stays, found out by looking alone.

use forgekeeper_domain::{
    error::ErrorInfo,
    migration::{
        StepPreview,
        ending::{ImageFate, image_fate, is_shared_network},
        image::{ImageRef, RegistryAnswer},
    },
};

use super::{Memory, deed, folder, models, rest, words};
use crate::{
    clients::registry,
    docker::{
        engine::Engine,
        parting::{ImageHere, NetworkHere, Recreation},
    },
    migration::{RefusedBy, Site, StepRun},
};

/// How long a registry may take.
const REGISTRY: std::time::Duration = std::time::Duration::from_secs(20);

/// What is to be done.
pub(super) struct Parting {
    pub(super) container: Recreation,
    pub(super) running: bool,
    pub(super) image: Option<ImageHere>,
    pub(super) fate: ImageFate,
    /// What is called so in its registry.
    pub(super) digest: Option<String>,
    /// Containers that are made from the image, too.
    pub(super) sharers: Vec<String>,
    /// The network, if it goes.
    pub(super) network: Option<NetworkHere>,
    /// Others in the network.
    pub(super) neighbours: Vec<String>,
}

/// Looks; `None`: there is no container.
pub(super) async fn parting(
    site: &Site,
    engine: &Engine,
    container: &str,
) -> Result<Option<Parting>, ErrorInfo> {
    let told = |error: crate::docker::DockerError| error.to_info();
    let Some(made) = engine.recreation(container).await.map_err(told)? else {
        return Ok(None);
    };
    let running = rest::runs(engine, container).await? == Some(true);
    let (sharers, neighbours) = engine
        .others(&made.name, &made.image_id, &made.network)
        .await
        .map_err(told)?;
    let image = engine.image_here(&made.image_id).await.map_err(told)?;
    let digest = image
        .as_ref()
        .and_then(|image| image.digests.first().cloned());
    let wish = site.target().remove_image;
    // Where the answer changes nothing, nobody is asked.
    let in_registry = if image.is_none() || !sharers.is_empty() || wish == Some(false) {
        None
    } else {
        in_registry(site, digest.as_deref()).await
    };
    let fate = image_fate(image.is_some(), !sharers.is_empty(), wish, in_registry);
    let network = if neighbours.is_empty() && !is_shared_network(&made.network) {
        engine.compose_network(&made.network).await.map_err(told)?
    } else {
        None
    };
    Ok(Some(Parting {
        container: made,
        running,
        image,
        fate,
        digest,
        sharers,
        network,
        neighbours,
    }))
}

/// Whether the registry still has these very bytes. An image that was built here, or loaded from a file,
/// is in none.
pub(super) async fn in_registry(site: &Site, digest: Option<&str>) -> Option<bool> {
    let Some(digest) = digest else {
        return Some(false);
    };
    let image = ImageRef::read(digest).ok()?;
    let deadline = tokio::time::Instant::now() + REGISTRY;
    match registry::of_registry(site.http(), &image, deadline).await {
        RegistryAnswer::Found { .. } => Some(true),
        RegistryAnswer::NotThere => Some(false),
        RegistryAnswer::Denied | RegistryAnswer::Unknown { .. } => None,
    }
}

pub(super) async fn preview(site: &Site) -> Result<StepPreview, ErrorInfo> {
    let from = site.from().map_err(RefusedBy)?;
    let path = models(site)?;
    let mut preview = StepPreview {
        confirm: Some(from.id.to_string()),
        ..StepPreview::default()
    };
    let Ok(engine) = rest::engine(site, &from.id) else {
        return Ok(preview.refused(words::no_engine()));
    };
    let Some(parting) = parting(site, &engine, &from.container).await? else {
        return Ok(match site.memory::<Memory>(super::STEP).await {
            Some(_) => preview.does(words::goes_on()).undone_by(words::undone_by()),
            None => preview.refused(words::no_container(&from.container)),
        });
    };
    if parting.running {
        preview = preview.refused(words::still_runs(&from.id));
    }
    preview = match folder::mark(path.clone()).await {
        Ok(marks) => preview.looks(words::marks(
            &path.display().to_string(),
            marks.len(),
            folder::bytes(&marks),
        )),
        Err(error) => preview.refused(words::not_marked(&error)),
    };
    let made = &parting.container;
    preview = preview
        .does(words::last_snapshot(&from.id))
        .does(words::container_goes(&made.name, made.written))
        .runs(format!("docker rm {}", made.name));
    preview = match &parting.network {
        Some(network) => preview
            .does(words::network_goes(&network.name))
            .runs(format!("docker network rm {}", network.name)),
        None => preview.looks(words::network_stays(&made.network, &parting.neighbours)),
    };
    let bytes = parting.image.as_ref().and_then(|image| image.bytes);
    preview = match parting.fate {
        ImageFate::Goes { comes_back } => preview
            .does(words::image_goes(&made.image, bytes, comes_back))
            .runs(format!("docker rmi {}", made.image)),
        ImageFate::Stays(why) => preview.looks(words::image_stays(
            &made.image,
            bytes,
            why,
            &parting.sharers,
        )),
    };
    preview = preview
        .looks(words::stays())
        .looks(words::service_stays(&from.id));
    if !made.withheld.is_empty() && !site.secrets().keyring_available().await {
        preview = preview.looks(words::secrets_in_memory(&made.withheld));
    }
    Ok(match parting.fate {
        ImageFate::Goes { comes_back: false } => preview,
        _ => preview.undone_by(words::undone_by()),
    })
}

pub(super) async fn preview_undo(site: &Site, run: &StepRun) -> Result<StepPreview, ErrorInfo> {
    let from = site.from().map_err(RefusedBy)?;
    let preview = StepPreview::default();
    let Some(memory) = run.remembered::<Memory>() else {
        return Ok(preview.refused(words::nothing_remembered()));
    };
    let Ok(engine) = rest::engine(site, &from.id) else {
        return Ok(preview.refused(words::no_engine()));
    };
    let made = &memory.container;
    if rest::runs(&engine, &made.name).await?.is_some() {
        return Ok(preview.looks(words::there_already(&made.name)));
    }
    let mut preview = preview.does(words::made_again(&made.name));
    if let Some(network) = &memory.network {
        preview = preview.does(words::network_again(&network.name));
    }
    let here = engine.image_here(&made.image_id).await;
    if here.map_err(|error| error.to_info())?.is_none() {
        preview = match in_registry(site, memory.digest.as_deref()).await {
            Some(true) => preview.does(words::pulled_again(&made.image)),
            Some(false) => preview.refused(words::image_lost(&made.image)),
            None => preview
                .does(words::pulled_again(&made.image))
                .looks(words::registry_unknown()),
        };
    }
    let (secrets, _) = deed::withheld(site, &memory).await;
    let missing: Vec<String> = made
        .withheld
        .iter()
        .filter(|name| !secrets.contains_key(*name))
        .cloned()
        .collect();
    if !missing.is_empty() {
        preview = preview.looks(words::secrets_lost(&missing));
    }
    Ok(preview.undone_by(words::again()))
}
