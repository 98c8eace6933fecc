//! IIS with URL Rewrite and ARR in front of the services: sites on ports of their own, one `web.config` that
//! is read from the disk whenever it changes, as IIS does, and requests passed on as it says.

mod config;
mod proxy;
mod sample;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::door::Door;
use crate::faults::FaultBoard;
use crate::lock::lock;
use crate::tasks::Tasks;

use config::Config;

/// Between two looks at the file.
const LOOK: Duration = Duration::from_millis(40);
/// IIS is told of a change and restarts the site's application before it counts.
const RECYCLE: Duration = Duration::from_millis(120);

/// What is in force, until the file changes.
#[derive(Debug, Clone)]
struct InForce {
    config: Arc<Config>,
    /// Open WebSockets end when the application is restarted.
    until: CancellationToken,
}

#[derive(Debug)]
struct Shared {
    now: Mutex<InForce>,
    faults: FaultBoard,
    tasks: Tasks,
}

/// A running IIS; ends with its tasks.
#[derive(Debug)]
pub struct Iis {
    file: PathBuf,
    doors: Vec<Door>,
    /// Goes with it.
    folder: Option<tempfile::TempDir>,
}

impl Iis {
    /// Serves as many sites as there are addresses, all of them by one file.
    pub(crate) async fn serve(
        file: &Path,
        sites: &[SocketAddr],
        faults: &FaultBoard,
        tasks: &Tasks,
    ) -> io::Result<Self> {
        let bytes = std::fs::read(file).ok();
        let shared = Arc::new(Shared {
            now: Mutex::new(InForce {
                config: Arc::new(Config::read(bytes.as_deref())),
                until: tasks.token().child_token(),
            }),
            faults: faults.clone(),
            tasks: tasks.clone(),
        });
        let mut doors = Vec::new();
        for site in sites {
            let door = Door::tcp(*site, proxy::router(&shared), tasks, None)?;
            door.set(true).await;
            doors.push(door);
        }
        tasks.spawn(follow(shared, file.to_owned(), bytes));
        Ok(Self {
            file: file.to_owned(),
            doors,
            folder: None,
        })
    }

    /// The demo host's: a site for each Forge (turbo, myia) and one to rehearse on, in a folder of its own.
    pub(crate) async fn of_the_demo(
        forges: [SocketAddr; 2],
        sites: [SocketAddr; 3],
        faults: &FaultBoard,
        tasks: &Tasks,
    ) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("web.config");
        // The ports are known once the doors are there; until then there is no file, and nothing to pass on.
        let mut iis = Self::serve(&file, &sites, faults, tasks).await?;
        let ports: Vec<SocketAddr> = iis.doors.iter().filter_map(Door::addr).collect();
        let [turbo, myia, rehearsal] = ports[..] else {
            return Err(io::Error::other("a site without an address"));
        };
        std::fs::write(&file, sample::site([turbo, myia, rehearsal], forges))?;
        iis.folder = Some(folder);
        Ok(iis)
    }

    /// Its `web.config`.
    pub fn web_config(&self) -> &Path {
        &self.file
    }

    /// The addresses of its sites, in the order they were asked for.
    pub fn urls(&self) -> Vec<String> {
        let addrs = self.doors.iter().filter_map(Door::addr);
        addrs.map(|addr| format!("http://{addr}")).collect()
    }
}

/// Takes up the file when it is another.
async fn follow(shared: Arc<Shared>, file: PathBuf, mut known: Option<Vec<u8>>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let bytes = tokio::fs::read(&file).await.ok();
        if bytes == known {
            continue;
        }
        tokio::time::sleep(RECYCLE).await;
        // Whoever writes in two steps is met half way, as by IIS, and once more when it is whole.
        let bytes = tokio::fs::read(&file).await.ok();
        let config = Arc::new(Config::read(bytes.as_deref()));
        known = bytes;
        let fresh = InForce {
            config,
            until: shared.tasks.token().child_token(),
        };
        let old = std::mem::replace(&mut *lock(&shared.now), fresh);
        old.until.cancel();
    }
}
