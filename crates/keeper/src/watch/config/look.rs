//! One look at what configures a service: small, and nothing in the container is run or changed.

use std::{sync::Arc, time::Duration};

use forgekeeper_domain::{
    config::{Format, PartId, Reading, Recipe, Source, Values, read, through_mounts},
    service::KindId,
};

use crate::{
    config::{
        collect::{places_of, program_folder},
        place::{Miss, Places},
    },
    docker::{Engine, stat::FileStat},
    settings::ServiceSettings,
};

/// How long a file that is being written may take to be whole.
const HALF_WRITTEN: Duration = Duration::from_millis(400);

/// Whom to look at.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) settings: Arc<ServiceSettings>,
    pub(super) engine: Engine,
    /// As the engine calls it.
    pub(super) container: String,
}

/// What an earlier look found, so that nothing is read twice.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// The program's folder, and the container in which it was found.
    pub(super) folder: Option<(String, String)>,
    /// The settings file, and its place.
    pub(super) file: Option<(String, SettingsFile)>,
}

/// A settings file that was read whole.
#[derive(Debug, Clone)]
pub(super) struct SettingsFile {
    pub(super) stat: Option<FileStat>,
    pub(super) values: Arc<Values>,
}

/// Settings that were set aside.
#[derive(Debug, Clone)]
pub(super) struct Aside {
    pub(super) path: String,
    pub(super) stat: FileStat,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) recipe: Recipe,
    /// The program's folder inside the container.
    pub(super) folder: Option<String>,
    /// Where the settings file is: on the engine's machine, else in its container. Another place
    /// holds other settings.
    pub(super) place: Option<String>,
    /// Its path on the engine's machine, where a mount keeps it that the container may write.
    pub(super) kept_at: Option<String>,
    /// The file; `Ok(None)` when there is none.
    pub(super) file: Result<Option<SettingsFile>, Miss>,
    /// Settings that were set aside; `Ok(None)` when there are none.
    pub(super) aside: Result<Option<Aside>, Miss>,
}

/// The settings file of a kind.
pub(super) fn settings_part(kind: KindId) -> PartId {
    match kind {
        KindId::Forge => PartId::ForgeConfig,
        KindId::Comfyui => PartId::ComfySettings,
    }
}

/// Where a part lies below the program's folder.
fn below(part: PartId) -> &'static str {
    match part.part().source {
        Source::File(path) => path,
        _ => "",
    }
}

/// Looks once. Fails where nothing at all is told.
pub(super) async fn look(subject: Subject, known: Known) -> Result<Look, Miss> {
    let kind = subject.settings.kind;
    let recipe = subject.engine.recipe(&subject.container).await?;
    let recipe = recipe.ok_or_else(|| Miss::Engine("there is no such container".to_owned()))?;
    let here = subject.settings.workspace.as_deref();
    let places = places_of(subject.engine, subject.container, here, &recipe);
    let found = match known.folder.filter(|(id, _)| *id == recipe.id) {
        Some((_, folder)) => Ok(Some(folder)),
        None => program_folder(&places, kind, &recipe).await,
    };
    let folder = match found {
        Ok(Some(folder)) => folder,
        Ok(None) => {
            let words = "the program's folder was found in none of the places known";
            return Ok(nothing(recipe, &Miss::Odd(words.to_owned())));
        }
        Err(miss) => return Ok(nothing(recipe, &miss)),
    };
    let path = format!("{folder}/{}", below(settings_part(kind)));
    let kept_at = through_mounts(&recipe.mounts, &path)
        .filter(|(mount, _)| mount.writable)
        .map(|(mount, rest)| format!("{}/{rest}", mount.source.trim_end_matches('/')));
    let in_container = format!("{}:{path}", recipe.id);
    let place = kept_at.clone().unwrap_or(in_container);
    let (file, aside) = match kind {
        KindId::Forge => {
            let aside = format!("{folder}/{}", below(PartId::ForgeConfigMoved));
            let known = known.file.filter(|(of, _)| *of == place);
            let known = known.map(|(_, file)| file);
            let both = (settings_file(&places, &path, known), there(&places, aside));
            tokio::join!(both.0, both.1)
        }
        // Nothing is known that its settings lose by themselves.
        KindId::Comfyui => (Ok(None), Ok(None)),
    };
    Ok(Look {
        recipe,
        folder: Some(folder),
        place: Some(place),
        kept_at,
        file,
        aside,
    })
}

fn nothing(recipe: Recipe, miss: &Miss) -> Look {
    Look {
        recipe,
        folder: None,
        place: None,
        kept_at: None,
        file: Err(miss.clone()),
        aside: Err(miss.clone()),
    }
}

/// The settings; read only when they are not those that are known.
async fn settings_file(
    places: &Places,
    path: &str,
    known: Option<SettingsFile>,
) -> Result<Option<SettingsFile>, Miss> {
    // Before the bytes: what changes in between is read again next time.
    let stat = places.stat(path).await?;
    if let Some(known) = known.filter(|known| stat.is_some() && known.stat == stat) {
        return Ok(Some(known));
    }
    let found = whole(places, path).await?;
    if !matches!(found, Whole::Half) {
        return Ok(found.with(stat));
    }
    // Programs write their settings in place: what is half a file may be whole in a moment.
    tokio::time::sleep(HALF_WRITTEN).await;
    match whole(places, path).await? {
        Whole::Half => Err(Miss::Odd("it cannot be read as JSON".to_owned())),
        found => Ok(found.with(None)),
    }
}

/// What a settings file is.
enum Whole {
    Absent,
    /// Not readable, or not yet.
    Half,
    Values(Arc<Values>),
}

impl Whole {
    fn with(self, stat: Option<FileStat>) -> Option<SettingsFile> {
        match self {
            Self::Values(values) => Some(SettingsFile { stat, values }),
            Self::Absent | Self::Half => None,
        }
    }
}

async fn whole(places: &Places, path: &str) -> Result<Whole, Miss> {
    let max = PartId::ForgeConfig.part().max_bytes;
    let file = match places.read(path, max).await {
        Ok((file, _)) => file,
        Err(Miss::Absent) => return Ok(Whole::Absent),
        Err(miss) => return Err(miss),
    };
    // Megabytes hold nobody else up.
    let reading = tokio::task::spawn_blocking(move || read(Format::Json, &file.bytes)).await;
    Ok(match reading {
        Ok(Reading::Keys(values)) => Whole::Values(Arc::new(values)),
        Ok(Reading::Lines(_) | Reading::Unreadable(_)) | Err(_) => Whole::Half,
    })
}

/// A file by its size and time. That the engine tells of none may have other reasons.
async fn there(places: &Places, path: String) -> Result<Option<Aside>, Miss> {
    if let Some(stat) = places.stat(&path).await? {
        return Ok(Some(Aside { path, stat }));
    }
    if places.has(&path).await? {
        return Err(Miss::Odd("its size and time are not told".to_owned()));
    }
    Ok(None)
}
