//! A registry of images over the distribution API, with tokens, an index and a store of blobs on another
//! address, and the interface of source repositories.

mod document;
mod routes;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};

use crate::door::Door;
use crate::lock::lock;
use crate::site::anywhere;
use crate::tasks::Tasks;

/// What is odd about an image on the shelf.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Oddity {
    /// Nothing.
    #[default]
    None,
    /// It is asked for too often.
    RateLimited,
    /// It is not given without a login.
    Denied,
    /// Its manifest never ends.
    Huge,
    /// Its manifest is of another image than its digest says.
    Swapped,
    /// Its manifest is a page.
    Page,
    /// The registry fails over it.
    Fails,
    /// Its manifest is of the first form, which has no configuration.
    FirstForm,
    /// Its blobs lead in a circle.
    Circle,
}

/// One tag.
#[derive(Debug, Clone)]
pub struct Shelved {
    /// `owner/name`.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// For which machines; one that is alone has no index.
    pub platforms: Vec<(String, String)>,
    /// When it was built.
    pub created: Option<Timestamp>,
    /// The address of the page of its source, as its label says it.
    pub source: Option<String>,
    /// Bytes of its layers.
    pub layers: Vec<u64>,
    /// What is odd about it.
    pub oddity: Oddity,
    /// Packs of custom nodes that a container of it has, with their classes.
    pub packs: Vec<(String, Vec<String>)>,
}

impl Shelved {
    /// An image for two kinds of machine, built so many days ago.
    pub fn plain(repository: &str, tag: &str, days: i64) -> Self {
        let platform = |arch: &str| ("linux".to_owned(), arch.to_owned());
        Self {
            repository: repository.to_owned(),
            tag: tag.to_owned(),
            platforms: vec![platform("amd64"), platform("arm64")],
            created: Some(Timestamp::now() - SignedDuration::from_hours(24 * days)),
            source: None,
            layers: vec![1_900_000_000, 3_400_000_000, 350_000_000],
            oddity: Oddity::None,
            packs: Vec::new(),
        }
    }
}

/// A source repository.
#[derive(Debug, Clone)]
pub struct SourceRepository {
    /// `owner/name`.
    pub name: String,
    /// Days since the last push.
    pub pushed_days_ago: i64,
    /// Whether it is archived.
    pub archived: bool,
    /// It is asked for too often.
    pub rate_limited: bool,
}

/// A played registry with what is on its shelf.
#[derive(Debug)]
pub struct Registry {
    shelf: Mutex<Vec<Shelved>>,
    sources: Mutex<Vec<SourceRepository>>,
    blobs: Mutex<BTreeMap<String, Vec<u8>>>,
    tokens: Mutex<BTreeSet<String>>,
    /// Requests to the store that carried a login meant for the registry.
    leaked: Mutex<u32>,
    address: SocketAddr,
    store: SocketAddr,
    source_api: SocketAddr,
    doors: Mutex<Vec<Door>>,
}

impl Registry {
    /// Opens the registry, its store and the interface of sources on any free ports.
    pub async fn open(
        shelf: Vec<Shelved>,
        sources: Vec<SourceRepository>,
        tasks: &Tasks,
    ) -> io::Result<Arc<Self>> {
        let mut held = Vec::new();
        // Addresses stand in answers: they have to be known before the routes are.
        let late = routes::Late::default();
        for kind in [
            routes::Kind::Registry,
            routes::Kind::Store,
            routes::Kind::Sources,
        ] {
            held.push(Door::tcp(
                anywhere(),
                routes::router(kind, late.clone()),
                tasks,
                None,
            )?);
        }
        let addr = |at: usize| held.get(at).and_then(Door::addr).unwrap_or_else(anywhere);
        let registry = Arc::new(Self {
            shelf: Mutex::new(shelf),
            sources: Mutex::new(sources),
            blobs: Mutex::default(),
            tokens: Mutex::default(),
            leaked: Mutex::default(),
            address: addr(0),
            store: addr(1),
            source_api: addr(2),
            doors: Mutex::default(),
        });
        late.is(&registry);
        for door in &held {
            door.set(true).await;
        }
        *lock(&registry.doors) = held;
        Ok(registry)
    }

    /// `127.0.0.1:PORT`, as names of images begin.
    pub fn name(&self) -> String {
        self.address.to_string()
    }

    /// `http://127.0.0.1:PORT` of the interface of sources.
    pub fn source_api(&self) -> String {
        format!("http://{}", self.source_api)
    }

    /// How many requests to the store carried a login that was not meant for it.
    pub fn leaked(&self) -> u32 {
        *lock(&self.leaked)
    }

    /// Puts an image on the shelf, in place of one of the same tag.
    pub fn put(&self, image: Shelved) {
        let mut shelf = lock(&self.shelf);
        shelf.retain(|old| (&old.repository, &old.tag) != (&image.repository, &image.tag));
        shelf.push(image);
    }

    /// Changes a source repository.
    pub fn put_source(&self, source: SourceRepository) {
        let mut sources = lock(&self.sources);
        sources.retain(|old| old.name != source.name);
        sources.push(source);
    }

    /// The image of a full name, `127.0.0.1:PORT/owner/name:tag`.
    pub fn find(&self, name: &str) -> Option<Shelved> {
        let rest = name.strip_prefix(&format!("{}/", self.name()))?;
        let (repository, tag) = rest.rsplit_once(':').unwrap_or((rest, "latest"));
        self.on_shelf(repository, tag)
    }

    fn on_shelf(&self, repository: &str, tag: &str) -> Option<Shelved> {
        let shelf = lock(&self.shelf);
        shelf
            .iter()
            .find(|image| image.repository == repository && image.tag == tag)
            .cloned()
    }

    fn has_repository(&self, repository: &str) -> bool {
        lock(&self.shelf).iter().any(|i| i.repository == repository)
    }
}
