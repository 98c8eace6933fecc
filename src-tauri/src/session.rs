//! The keeper behind the window: started once, switched to the demo host and back.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use forgekeeper_domain::error::{ErrorCode, ErrorInfo};
use forgekeeper_keeper::keeper::{Keeper, KeeperHandle, KeeperOptions, Paths};
use forgekeeper_standin::{DemoOptions, DemoSite};
use tokio::sync::{Mutex as AsyncMutex, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::args::Args;

/// How far the keeper is.
type Opening = Option<Result<KeeperHandle, ErrorInfo>>;

/// What runs behind the window.
#[derive(Debug)]
struct Running {
    keeper: Keeper,
    demo: Option<DemoSite>,
}

/// Batches that a page may have waiting for it: with more on their way, a page that is slow would
/// fill its memory with them.
const WAITING_BATCHES: usize = 6;

/// What a page reads from, until it closes it.
#[derive(Debug, Clone)]
pub(crate) struct PageReader {
    /// Ends it.
    pub(crate) stop: CancellationToken,
    /// A permit for each batch that may still be sent; the page gives it back once it has it.
    pub(crate) room: Arc<Semaphore>,
}

/// One run of the program.
#[derive(Debug)]
pub struct Session {
    args: Args,
    paths: Paths,
    running: AsyncMutex<Option<Running>>,
    /// What was asked for last.
    demo: AtomicBool,
    opening: watch::Sender<Opening>,
    visible: watch::Sender<bool>,
    readers: Mutex<HashMap<u32, PageReader>>,
    next_reader: AtomicU32,
}

impl Session {
    /// Nothing runs yet; [`Session::open`] starts it.
    pub(crate) fn new(args: Args) -> Self {
        let paths = Paths::default_for(args.config.clone());
        Self {
            demo: AtomicBool::new(args.demo),
            args,
            paths,
            running: AsyncMutex::default(),
            opening: watch::Sender::new(None),
            visible: watch::Sender::new(true),
            readers: Mutex::default(),
            next_reader: AtomicU32::new(1),
        }
    }

    /// A demo window and one with a configuration of its own may stand beside another.
    pub(crate) fn single_instance(&self) -> bool {
        let configured =
            std::env::var_os("FORGEKEEPER_CONFIG").is_some_and(|path| !path.is_empty());
        !cfg!(debug_assertions) && !self.args.demo && self.args.config.is_none() && !configured
    }

    /// Starts what the arguments ask for.
    pub(crate) async fn open(&self) {
        self.switch(self.args.demo).await;
    }

    /// Starts again what did not start; what runs is left alone.
    pub(crate) async fn retry(&self) {
        let failed = matches!(&*self.opening.borrow(), Some(Err(_)));
        if failed {
            self.switch(self.demo.load(Ordering::Relaxed)).await;
        }
    }

    /// Replaces what runs. The page keeps its place; its next snapshot is another host's.
    pub(crate) async fn switch(&self, demo: bool) {
        let mut running = self.running.lock().await;
        self.demo.store(demo, Ordering::Relaxed);
        self.opening.send_replace(None);
        self.end_readers();
        if let Some(old) = running.take() {
            end(old).await;
        }
        let started = start(&self.paths, demo).await;
        let opening = match started {
            Ok(new) => {
                let handle = new.keeper.handle();
                handle.set_visible(*self.visible.borrow());
                *running = Some(new);
                Ok(handle)
            }
            Err(error) => {
                tracing::error!(%error, detail = error.detail, "the keeper did not start");
                Err(error)
            }
        };
        self.opening.send_replace(Some(opening));
    }

    /// Ends what runs, in order.
    pub(crate) async fn close(&self) {
        self.end_readers();
        if let Some(running) = self.running.lock().await.take() {
            end(running).await;
        }
    }

    /// The keeper, as soon as it has started.
    pub(crate) async fn keeper(&self) -> Result<KeeperHandle, ErrorInfo> {
        let mut opening = self.opening.subscribe();
        match opening.wait_for(Option::is_some).await.map(|o| o.clone()) {
            Ok(Some(result)) => result,
            _ => Err(ErrorInfo::new(
                ErrorCode::Cancelled,
                "the program is ending",
            )),
        }
    }

    /// Each keeper as it comes.
    pub(crate) fn openings(&self) -> watch::Receiver<Opening> {
        self.opening.subscribe()
    }

    /// Whether the page is seen.
    pub(crate) fn visibility(&self) -> watch::Receiver<bool> {
        self.visible.subscribe()
    }

    /// The page was hidden or shown.
    pub(crate) fn set_visible(&self, visible: bool) {
        self.visible.send_replace(visible);
        if let Some(Ok(keeper)) = &*self.opening.borrow() {
            keeper.set_visible(visible);
        }
    }

    /// Registers a reader of logs; it ends when its token is cancelled.
    pub(crate) fn add_reader(&self) -> (u32, PageReader) {
        let id = self.next_reader.fetch_add(1, Ordering::Relaxed);
        let reader = PageReader {
            stop: CancellationToken::new(),
            room: Arc::new(Semaphore::new(WAITING_BATCHES)),
        };
        self.lock_readers().insert(id, reader.clone());
        (id, reader)
    }

    /// The page has taken a batch of a reader; an id that ended already is no error.
    pub(crate) fn batch_taken(&self, id: u32) {
        if let Some(reader) = self.lock_readers().get(&id)
            // A page that gives back more than it got gains nothing.
            && reader.room.available_permits() < WAITING_BATCHES
        {
            reader.room.add_permits(1);
        }
    }

    /// Ends a reader of logs; an id that ended already is no error.
    pub(crate) fn end_reader(&self, id: u32) {
        if let Some(reader) = self.lock_readers().remove(&id) {
            reader.stop.cancel();
        }
    }

    /// Ends all of them: the page was loaded anew, or the host changed.
    pub(crate) fn end_readers(&self) {
        for (_, reader) in self.lock_readers().drain() {
            reader.stop.cancel();
        }
    }

    fn lock_readers(&self) -> std::sync::MutexGuard<'_, HashMap<u32, PageReader>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn start(paths: &Paths, demo: bool) -> Result<Running, ErrorInfo> {
    if !demo {
        // It loads no libraries of a window, which take longer than all else that a courier does.
        let options = KeeperOptions::for_file(paths.clone()).with_couriers(Some("forgekeeperctl"));
        let keeper = Keeper::start(options).await?;
        return Ok(Running { keeper, demo: None });
    }
    let site = DemoSite::start(DemoOptions::default())
        .await
        .map_err(|error| {
            ErrorInfo::new(ErrorCode::Io, "the demo host could not be started")
                .detail(error.to_string())
        })?;
    let label = "demo host".to_owned();
    let options = KeeperOptions::for_demo(paths.clone(), label, site.config_toml())
        .with_plan(site.plan_toml());
    let keeper = Keeper::start(options).await?;
    Ok(Running {
        keeper,
        demo: Some(site),
    })
}

async fn end(running: Running) {
    let left = running.keeper.shutdown().await;
    if !left.is_empty() {
        tracing::warn!(tasks = ?left, "did not end in time");
    }
    if let Some(site) = running.demo {
        site.shutdown().await;
    }
}
