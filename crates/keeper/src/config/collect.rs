//! Gathers the parts of one service. A part that fails fails alone, and each ends by the deadline.

use std::{path::Path, sync::Arc, time::Duration};

use forgekeeper_domain::{
    Timestamp,
    config::{
        Part, PartId, Reading, Recipe, Source, Unread, Via, checkouts_json, env_files, parts_of,
        program_folders, program_marker, read, same_folder, workspace_of,
    },
    service::KindId,
};
use futures_util::future::join_all;
use tokio::time::Instant;

use super::{
    checkouts::checkouts,
    local::{self, LocalFolder},
    memory::Memory,
    place::{File, Miss, Places, off_thread},
};
use crate::{
    clients::{Reach, http::Ask},
    docker::{Endpoint, Engine},
    settings::ServiceSettings,
};

/// How long a file that is being written may take to be whole.
const HALF_WRITTEN: Duration = Duration::from_millis(400);

/// Whom to ask.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) settings: Arc<ServiceSettings>,
    /// The engine and what it calls the container; `None` when it does not answer.
    pub(crate) engine: Option<(Engine, String)>,
    /// The API, where one is configured.
    pub(crate) api: Option<Reach>,
    /// Files that were read before.
    pub(crate) memory: Arc<Memory>,
    /// When everything has to be done.
    pub(crate) deadline: Instant,
}

/// What was gathered.
#[derive(Debug)]
pub(crate) struct Collected {
    pub(crate) recipe: Option<Recipe>,
    pub(crate) found: Vec<Found>,
    /// Where the container's files are; `None` where it is not known.
    pub(crate) places: Option<Places>,
    /// A file of the program itself.
    pub(crate) program: Option<String>,
}

/// One item.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) part: PartId,
    pub(crate) path: String,
    pub(crate) got: Got,
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Got {
    Bytes(Read),
    Absent,
    NotReadable { why: Unread, words: String },
}

/// Bytes that were read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) bytes: Vec<u8>,
    pub(crate) mode: Option<u32>,
    pub(crate) modified_at: Option<Timestamp>,
    pub(crate) via: Via,
}

impl Got {
    fn made(bytes: Vec<u8>, via: Via) -> Self {
        Self::Bytes(Read {
            bytes,
            mode: None,
            modified_at: None,
            via,
        })
    }

    fn file(file: File, via: Via) -> Self {
        Self::Bytes(Read {
            bytes: file.bytes,
            mode: file.mode,
            modified_at: file.modified_at,
            via,
        })
    }

    fn missed(miss: Miss) -> Self {
        match miss.told() {
            None => Self::Absent,
            Some((why, words)) => Self::NotReadable { why, words },
        }
    }

    fn not(why: Unread, words: impl Into<String>) -> Self {
        let words = words.into();
        Self::NotReadable { why, words }
    }
}

/// Gathers everything. Ends by the deadline, whatever does not answer.
pub(crate) async fn collect(subject: &Subject) -> Collected {
    collect_some(subject, |_| true).await
}

/// The same with these parts only.
pub(crate) async fn collect_some(subject: &Subject, wanted: impl Fn(PartId) -> bool) -> Collected {
    let (recipe, missing) = recipe(subject).await;
    let scene = Scene::new(subject, recipe, missing).await;
    let parts = parts_of(subject.settings.kind).filter(|part| wanted(part.id));
    let parts = parts.map(|part| scene.in_time(part));
    let found = join_all(parts).await.into_iter().flatten().collect();
    let marker = program_marker(subject.settings.kind);
    let program = scene.folder.as_ref().ok();
    Collected {
        program: program.map(|folder| format!("{folder}/{marker}")),
        recipe: scene.recipe,
        places: scene.places,
        found,
    }
}

fn late() -> Got {
    Got::not(Unread::NotInTime, "it was not read within the time allowed")
}

/// What the container was made from, or why that is not known.
async fn recipe(subject: &Subject) -> (Option<Recipe>, Got) {
    let Some((engine, container)) = &subject.engine else {
        return (None, Got::not(Unread::Engine, "the engine does not answer"));
    };
    match tokio::time::timeout_at(subject.deadline, engine.recipe(container)).await {
        Ok(Ok(Some(recipe))) => (Some(recipe), Got::Absent),
        Ok(Ok(None)) => (None, Got::not(Unread::Engine, "there is no such container")),
        Ok(Err(error)) => (None, Got::missed(error.into())),
        Err(_) => (None, late()),
    }
}

struct Scene<'a> {
    subject: &'a Subject,
    recipe: Option<Recipe>,
    /// Why there is no recipe.
    missing: Got,
    places: Option<Places>,
    /// The program's folder inside the container, or why it is not known.
    folder: Result<String, Got>,
}

impl<'a> Scene<'a> {
    async fn new(subject: &'a Subject, recipe: Option<Recipe>, missing: Got) -> Self {
        let places = recipe.as_ref().and_then(|recipe| places(subject, recipe));
        let mut scene = Self {
            subject,
            recipe,
            missing,
            places,
            folder: Err(Got::Absent),
        };
        let looking = tokio::time::timeout_at(subject.deadline, scene.look_for_folder());
        scene.folder = looking.await.unwrap_or_else(|_| Err(late()));
        scene
    }

    async fn look_for_folder(&self) -> Result<String, Got> {
        let (Some(places), Some(recipe)) = (&self.places, &self.recipe) else {
            return Err(self.no_recipe());
        };
        match program_folder(places, self.subject.settings.kind, recipe).await {
            Ok(Some(folder)) => Ok(folder),
            Ok(None) => {
                let words = "the program's folder was found in none of the places known";
                Err(Got::not(Unread::NoPlace, words))
            }
            Err(miss) => Err(Got::missed(miss)),
        }
    }

    fn no_recipe(&self) -> Got {
        again(&self.missing)
    }

    /// Where a part is looked for, as far as that is known.
    fn path(&self, part: &Part) -> String {
        match part.source {
            Source::File(rest) | Source::Checkouts(rest) => match &self.folder {
                Ok(folder) => format!("{folder}/{rest}"),
                Err(_) => rest.to_owned(),
            },
            Source::Api(path) => path.to_owned(),
            Source::ComposeFile => self
                .subject
                .settings
                .compose_file
                .clone()
                .unwrap_or_default(),
            Source::EnvFiles | Source::Inspect | Source::InspectSecret => String::new(),
        }
    }

    async fn in_time(&self, part: &'static Part) -> Vec<Found> {
        let gathering = tokio::time::timeout_at(self.subject.deadline, self.part(part));
        gathering.await.unwrap_or_else(|_| {
            vec![Found {
                part: part.id,
                path: self.path(part),
                got: late(),
            }]
        })
    }

    async fn part(&self, part: &'static Part) -> Vec<Found> {
        let one = |got: Got| {
            vec![Found {
                part: part.id,
                path: self.path(part),
                got,
            }]
        };
        match part.source {
            Source::ComposeFile => self.compose(part).await.0,
            Source::EnvFiles => self.env_files(part).await,
            Source::Inspect => one(self.inspected(Recipe::open_json)),
            Source::InspectSecret => one(self.inspected(Recipe::secret_json)),
            Source::File(_) => one(self.file(part).await),
            Source::Checkouts(_) => one(self.checkouts(part).await),
            Source::Api(path) => one(self.asked(path, part.max_bytes).await),
        }
    }

    fn inspected(&self, text: impl FnOnce(&Recipe) -> Vec<u8>) -> Got {
        match &self.recipe {
            Some(recipe) => Got::made(text(recipe), Via::Inspect),
            None => self.no_recipe(),
        }
    }

    async fn file(&self, part: &Part) -> Got {
        let places = match (&self.folder, &self.places) {
            (Ok(_), Some(places)) => places,
            (Err(got), _) => return again(got),
            (Ok(_), None) => return self.no_recipe(),
        };
        let path = self.path(part);
        let mut found = places.read(&path, part.max_bytes).await;
        // Programs write their settings in place: what is half a file may be whole in a moment.
        if found.as_ref().is_ok_and(|(file, _)| is_half(part, file)) {
            tokio::time::sleep(HALF_WRITTEN).await;
            found = places.read(&path, part.max_bytes).await;
        }
        match found {
            Ok((file, via)) => Got::file(file, via),
            Err(miss) => Got::missed(miss),
        }
    }

    async fn asked(&self, path: &str, max: u32) -> Got {
        let Some(api) = &self.subject.api else {
            return Got::not(Unread::NoPlace, "no API address is configured");
        };
        let left = self
            .subject
            .deadline
            .saturating_duration_since(Instant::now());
        match api.get(&Ask::get(path, left).limit(max as usize)).await {
            Ok(answer) if answer.status == 200 && answer.is_json() && answer.cut.is_none() => {
                Got::made(answer.body.to_vec(), Via::Api)
            }
            Ok(answer) => Got::not(Unread::Api, format!("it answered {}", answer.status)),
            Err(error) => Got::not(Unread::Api, error.to_string()),
        }
    }

    /// The compose file, and its text for what it names.
    async fn compose(&self, part: &Part) -> (Vec<Found>, Vec<(String, String)>) {
        let named = self.compose_files();
        if named.is_empty() {
            let words = "neither the settings nor a label name a file of this machine";
            let got = Got::not(Unread::NoPlace, words);
            let path = String::new();
            return (
                vec![Found {
                    part: part.id,
                    path,
                    got,
                }],
                Vec::new(),
            );
        }
        let (mut all, mut texts) = (Vec::new(), Vec::new());
        for path in named {
            if self.subject.engine.is_none() && in_wsl(&path) {
                // Looking there would wake it.
                let got = Got::not(
                    Unread::Engine,
                    "its engine does not answer, and WSL may sleep",
                );
                all.push(Found {
                    part: part.id,
                    path,
                    got,
                });
                continue;
            }
            let (file, max) = (path.clone(), part.max_bytes as usize);
            let got = match off_thread(move || local::read_here(Path::new(&file), max)).await {
                Ok(file) => {
                    let text = String::from_utf8_lossy(&file.bytes).into_owned();
                    texts.push((path.clone(), text));
                    Got::file(file, Via::Local)
                }
                Err(miss) => Got::missed(miss),
            };
            all.push(Found {
                part: part.id,
                path,
                got,
            });
        }
        (all, texts)
    }

    /// Compose files on this machine: the one of the settings, else those of compose's label where
    /// the engine is on this machine, too.
    fn compose_files(&self) -> Vec<String> {
        if let Some(file) = &self.subject.settings.compose_file {
            return vec![file.clone()];
        }
        let here = self.subject.engine.as_ref().is_some_and(|(engine, _)| {
            !matches!(
                engine.resolved().endpoint,
                Endpoint::Tcp { .. } | Endpoint::Tls { .. } | Endpoint::Ssh { .. }
            )
        });
        let label = self.recipe.as_ref().and_then(|recipe| {
            recipe
                .compose
                .get("com.docker.compose.project.config_files")
        });
        let files = label.filter(|_| here).map(|files| files.split(','));
        let files = files.into_iter().flatten().map(str::trim);
        files
            .filter(|file| Path::new(file).is_file())
            .map(str::to_owned)
            .take(8)
            .collect()
    }

    async fn env_files(&self, part: &Part) -> Vec<Found> {
        let (_, texts) = self.compose(PartId::Compose.part()).await;
        let mut all: Vec<Found> = Vec::new();
        for (compose, text) in texts {
            let folder = Path::new(&compose).parent().unwrap_or(Path::new("."));
            for name in env_files(&text) {
                let path = folder.join(&name);
                let shown = path.display().to_string();
                if all.iter().any(|found| found.path == shown) {
                    continue;
                }
                let max = part.max_bytes as usize;
                let got = match off_thread(move || local::read_here(&path, max)).await {
                    Ok(file) => Got::file(file, Via::Local),
                    Err(miss) => Got::missed(miss),
                };
                all.push(Found {
                    part: part.id,
                    path: shown,
                    got,
                });
            }
        }
        all
    }

    async fn checkouts(&self, part: &Part) -> Got {
        let places = match (&self.folder, &self.places) {
            (Ok(_), Some(places)) => places,
            (Err(got), _) => return again(got),
            (Ok(_), None) => return self.no_recipe(),
        };
        let folder = self.path(part);
        let (names, via) = match places.folders(&folder).await {
            Ok(found) => found,
            Err(miss) => return Got::missed(miss),
        };
        let found = checkouts(places, &folder, names, &self.subject.memory).await;
        Got::made(checkouts_json(&found), via)
    }
}

/// Whether a file may just be written. One that was moved away is half for good.
fn is_half(part: &Part, file: &File) -> bool {
    let read = read(part.format, &file.bytes);
    part.id != PartId::ForgeConfigMoved && matches!(read, Reading::Unreadable(_))
}

/// Whether Windows reaches a path through a distribution.
fn in_wsl(path: &str) -> bool {
    let path = path.replace('\\', "/").to_ascii_lowercase();
    path.starts_with("//wsl.localhost/") || path.starts_with("//wsl$/")
}

fn again(got: &Got) -> Got {
    match got {
        Got::NotReadable { why, words } => Got::not(*why, words.clone()),
        Got::Bytes(_) | Got::Absent => Got::not(Unread::NoPlace, "nothing tells where it is"),
    }
}

/// The same for what is asked about.
pub(crate) fn places(subject: &Subject, recipe: &Recipe) -> Option<Places> {
    let (engine, container) = subject.engine.clone()?;
    let here = subject.settings.workspace.as_deref();
    Some(places_of(engine, container, here, recipe))
}

/// The folder inside a container where its program is; `None` when it is in none of those known.
pub(crate) async fn program_folder(
    places: &Places,
    kind: KindId,
    recipe: &Recipe,
) -> Result<Option<String>, Miss> {
    for folder in program_folders(kind, recipe) {
        let marker = format!("{folder}/{}", program_marker(kind));
        if places.has(&marker).await? {
            return Ok(Some(folder));
        }
    }
    Ok(None)
}

/// The container, and its workspace where the settings name the very folder that is mounted.
pub(crate) fn places_of(
    engine: Engine,
    container: String,
    here: Option<&str>,
    recipe: &Recipe,
) -> Places {
    let mount = workspace_of(recipe);
    let local = here.zip(mount).and_then(|(here, mount)| {
        // Another folder may be mounted by now: what the container really has counts.
        same_folder(here, &mount.source).then(|| LocalFolder {
            target: mount.target.clone(),
            here: here.into(),
        })
    });
    Places {
        engine,
        container,
        running: recipe.running,
        local,
    }
}
