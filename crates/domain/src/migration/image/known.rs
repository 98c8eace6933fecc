//! The maintained table of images of ComfyUI, and what Docker itself takes for granted.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::ImageRef;
use crate::migration::Words;

const TEXT: &str = include_str!("known.toml");

// A test reads the file, so the empty table is never seen.
static KNOWN: LazyLock<KnownImages> = LazyLock::new(|| toml::from_str(TEXT).unwrap_or_default());

/// What is said of an image before anything is measured. It never makes a step green.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum KnownVerdict {
    /// Made for this: a server with its page, several builds.
    Suited,
    /// Works with reserves, which its note names.
    Limited,
    /// Named by somebody; whether it is there, only the registry can tell.
    Unproved,
}

/// Where things lie inside an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// ComfyUI's folder, where `main.py` stands.
    pub root: String,
    /// The variable that its start script takes arguments of ComfyUI from.
    pub arguments: Option<String>,
    /// The port it listens on.
    pub port: u16,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownImage {
    /// Its name with a tag.
    pub image: ImageRef,
    /// Where it is built from, as an address of a page.
    pub source: Option<String>,
    /// What is said of it.
    pub verdict: KnownVerdict,
    /// Why.
    pub note: Words,
    /// Where things lie in it; `None`: not known.
    pub layout: Option<Layout>,
}

/// What a name leaves out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// The registry of names without one.
    pub registry: String,
    /// Other words for it.
    pub aliases: Vec<String>,
    /// Where it answers.
    pub endpoint: String,
    /// The owner of names without one there.
    pub official: String,
    /// The page of source repositories whose interface is known.
    pub source_page: String,
    /// Where that interface answers, unless the settings name another.
    pub source_api: String,
}

/// The table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownImages {
    /// What a name leaves out.
    pub defaults: Defaults,
    /// Images, the most suited first.
    #[serde(rename = "image")]
    pub images: Vec<KnownImage>,
}

impl KnownImages {
    /// The row of a repository, whatever the tag.
    pub fn of(&self, image: &ImageRef) -> Option<&KnownImage> {
        let same = |known: &&KnownImage| known.image.same_repository(image);
        // A mirror keeps the name and has another registry.
        let mirrored = |known: &&KnownImage| known.image.repository() == image.repository();
        let mut images = self.images.iter();
        images
            .find(same)
            .or_else(|| self.images.iter().find(mirrored))
    }

    /// What else there is, most suited first.
    pub fn others<'t>(&'t self, image: &'t ImageRef) -> impl Iterator<Item = &'t KnownImage> {
        let own = self.of(image);
        self.images
            .iter()
            .filter(move |known| own.is_none_or(|own| own.image != known.image))
            .filter(|known| known.verdict != KnownVerdict::Unproved)
    }
}

/// The table that comes with the program.
pub fn known_images() -> &'static KnownImages {
    &KNOWN
}

/// What a name leaves out.
pub fn defaults() -> &'static Defaults {
    static DEFAULTS: LazyLock<Defaults> = LazyLock::new(|| {
        /// Read apart from the images, whose names need it to be read.
        #[derive(Deserialize)]
        struct Only {
            defaults: Defaults,
        }
        toml::from_str(TEXT).map_or_else(|_| Defaults::default(), |only: Only| only.defaults)
    });
    &DEFAULTS
}

/// Where things lie in an image, and whether that is known or taken from the most suited one.
pub fn layout_of(image: &ImageRef) -> (Layout, bool) {
    let known = known_images();
    if let Some(layout) = known.of(image).and_then(|known| known.layout.clone()) {
        return (layout, true);
    }
    let first = known.images.iter().find_map(|known| known.layout.clone());
    let layout = first.unwrap_or(Layout {
        root: "/root/ComfyUI".to_owned(),
        arguments: None,
        port: 8188,
    });
    (layout, false)
}

#[cfg(test)]
pub(super) fn read() -> Result<KnownImages, toml::de::Error> {
    toml::from_str(TEXT)
}
