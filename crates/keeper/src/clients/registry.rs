//! Registries of images over the distribution API, and the interface of source repositories: asked
//! without any login, within limits, and never believed further than their digests go.

mod challenge;
mod image;
mod source;
mod walk;

use std::time::Duration;

use forgekeeper_domain::{
    Timestamp,
    migration::image::{ImageFacts, ImageRef, RegistryAnswer, SourceAnswer, known_images},
};
use tokio::time::Instant;

use super::http::Http;

/// How long everything about one image may take.
pub const IMAGE_DEADLINE: Duration = Duration::from_secs(30);

/// Asks the registry about an image, and its source about its age.
pub async fn ask_about(
    http: &Http,
    image: &ImageRef,
    source_api: &str,
    within: Duration,
    now: Timestamp,
) -> ImageFacts {
    let deadline = Instant::now() + within;
    let registry = image::ask(http, image, deadline).await;
    let said = match &registry {
        RegistryAnswer::Found {
            build: Some(build), ..
        } => build.source.clone(),
        _ => None,
    };
    // What the image says of itself comes before what the table says of it.
    let known = || {
        known_images()
            .of(image)
            .and_then(|known| known.source.clone())
    };
    let source = match said.or_else(known) {
        None => SourceAnswer::NotNamed,
        Some(address) => source::ask(http, &address, source_api, deadline).await,
    };
    ImageFacts {
        image: image.clone(),
        registry,
        source,
        at: now,
    }
}

/// Asks the registry alone, whether it has these very bytes.
pub(crate) async fn of_registry(
    http: &Http,
    image: &ImageRef,
    deadline: Instant,
) -> RegistryAnswer {
    image::ask(http, image, deadline).await
}
