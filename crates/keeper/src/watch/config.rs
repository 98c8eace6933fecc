//! Looks at what configures one service, again and again. Looking changes nothing and wakes nobody:
//! what is asked are inspect, the time of a file and, when that has changed, its bytes.

use std::{pin::Pin, sync::Arc, time::Duration};

use forgekeeper_domain::{
    Timestamp,
    config::{
        Format, LogMark, LogMarkKind, PartId, Reading, Recipe, SettingsScene, Source, Values, read,
        request_of, troubles, workspace_fact,
    },
    container::RunState,
    facts::{ConfigTrouble, ContainerFact, Measured, SharedFile},
    ids::SnapshotId,
    logs::{LogMeter, findings::Finding},
    service::KindId,
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

mod claims;
mod look;
mod past;

pub(crate) use claims::Claims;

use claims::Claim;
use look::{Known, Look, SettingsFile, Subject, look};
use past::Before;

use super::{
    facts::{ConfigReport, Report},
    service::{RunIdentity, ServiceWatch, run_identity},
};
use crate::{
    clients::{
        Reach,
        http::{Ask, Http},
    },
    config::{Vaults, place::Miss},
    docker::host::HostView,
    logs::ServiceLog,
    secrets::Secrets,
    sys::clock,
};

/// Between two looks while somebody looks at the window.
const ROUND: Duration = Duration::from_secs(10);
/// The same while nobody does: a fault of the configuration is promised within a minute.
const ROUND_HIDDEN: Duration = Duration::from_secs(20);
/// The same over SSH, where each question may take a login.
const ROUND_SSH: Duration = Duration::from_secs(30);
/// A look that takes longer is not waited for; none begins while it goes on.
const LOOK: Duration = Duration::from_secs(15);
/// How long the program may take to tell its options.
const OPTIONS: Duration = Duration::from_secs(4);
/// Between two looks into the snapshots; they are files, too.
const SNAPSHOTS_EVERY: Duration = Duration::from_secs(30);
/// For so long the program's folder is believed to be where it was: its first start moves it.
const FOLDER_FOR: Duration = Duration::from_mins(1);

/// A message that says that settings were set aside, and one that the workspace is no mount.
const RESET: &str = "forge.config-corrupt";
const NO_MOUNT: &str = "dock.no-mount";
/// The clocks of engine and log may differ by so much within one start, seconds.
const START_SKEW_S: i64 = 5;

/// What a watch over the configuration works with.
pub(crate) struct ConfigWatch {
    pub(crate) watch: ServiceWatch,
    pub(crate) log: ServiceLog,
    pub(crate) http: Http,
    pub(crate) secrets: Secrets,
    pub(crate) vaults: Vaults,
    pub(crate) claims: Claims,
    pub(crate) reports: mpsc::Sender<Report>,
}

impl ConfigWatch {
    /// What the program says of its options.
    async fn options(&self) -> Option<Values> {
        let settings = &self.watch.settings;
        let credentials = self.secrets.get(&settings.id).await;
        let reach = Reach::new(self.http.clone(), settings.api.as_deref()?, credentials);
        let part = PartId::ForgeOptions.part();
        let Source::Api(path) = part.source else {
            return None;
        };
        let ask = Ask::get(path, OPTIONS).limit(part.max_bytes as usize);
        let answer = reach.ok()?.get(&ask).await.ok()?;
        if answer.status != 200 || !answer.is_json() || answer.cut.is_some() {
            return None;
        }
        match read(Format::Json, &answer.body) {
            Reading::Keys(values) => Some(values),
            Reading::Lines(_) | Reading::Unreadable(_) => None,
        }
    }

    async fn tell(&self, report: ConfigReport) {
        let id = self.watch.settings.id.clone();
        // A closed channel means shutdown.
        let _ = self
            .reports
            .send(Report::Config(id, Box::new(report)))
            .await;
    }
}

type Looking = Pin<Box<dyn Future<Output = Result<Look, Miss>> + Send>>;

/// Looks until cancelled.
pub(crate) async fn run(
    of: ConfigWatch,
    mut visible: watch::Receiver<bool>,
    stop: CancellationToken,
) {
    let mut host = of.watch.host.view();
    let mut meter = of.log.meter_changes();
    let mut watcher = Watcher {
        of: &of,
        memory: Memory::default(),
        looking: None,
    };
    loop {
        let view = Arc::clone(&host.borrow_and_update());
        let looking = *visible.borrow_and_update();
        let seen = run_identity(&view, &of.watch.settings.container);
        let said = reset_said(&meter.borrow_and_update());
        tokio::select! {
            () = stop.cancelled() => break,
            () = watcher.round(&view) => {}
        }
        let ssh = view.resolved.as_ref().is_some_and(|r| r.endpoint.is_ssh());
        let pause = match (ssh, looking) {
            (true, _) => ROUND_SSH,
            (false, true) => ROUND,
            (false, false) => ROUND_HIDDEN,
        };
        let news = news(&of, &mut host, seen.as_ref(), &mut meter, said.as_ref());
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
            alive = news => if !alive { break },
        }
    }
    of.claims.set(&of.watch.settings.id, None);
}

/// Waits for what makes the last look old: another run of the container, or a line of the log. False
/// when nobody tells any more.
async fn news(
    of: &ConfigWatch,
    host: &mut watch::Receiver<Arc<HostView>>,
    seen: Option<&RunIdentity>,
    meter: &mut watch::Receiver<LogMeter>,
    said: Option<&Finding>,
) -> bool {
    loop {
        tokio::select! {
            changed = host.changed() => {
                if changed.is_err() {
                    return false;
                }
                if run_identity(&host.borrow_and_update(), &of.watch.settings.container).as_ref() != seen {
                    return true;
                }
            }
            changed = meter.changed() => {
                if changed.is_err() {
                    return false;
                }
                if reset_said(&meter.borrow_and_update()).as_ref() != said {
                    return true;
                }
            }
        }
    }
}

fn said(meter: &LogMeter, id: &str) -> Option<Finding> {
    let found = meter.said.findings.iter().find(|finding| finding.id == id);
    found.cloned()
}

fn reset_said(meter: &LogMeter) -> Option<Finding> {
    said(meter, RESET)
}

/// What is remembered between two looks.
#[derive(Default)]
struct Memory {
    /// Where the settings are; what is remembered is of no other place.
    place: Option<String>,
    folder: Option<(String, String, Instant)>,
    file: Option<SettingsFile>,
    /// The run of the container in which the settings were last read.
    read_in: Option<(String, Option<Timestamp>)>,
    before: Option<Before>,
    /// When the snapshots were last looked into.
    asked_snapshots: Option<Instant>,
    /// The newest snapshot in which the settings were well.
    snapshot: Option<SnapshotId>,
}

struct Watcher<'a> {
    of: &'a ConfigWatch,
    memory: Memory,
    /// A look that has not ended: a folder of another machine may hang.
    looking: Option<Looking>,
}

impl Watcher<'_> {
    async fn round(&mut self, view: &HostView) {
        let settings = &self.of.watch.settings;
        if !view.answers() {
            // What was measured fades by itself, and nobody is woken.
            return;
        }
        match view
            .container_fact(&settings.container)
            .map(|fact| fact.value)
        {
            Some(ContainerFact::Present(c)) if c.state == RunState::Running => {}
            Some(ContainerFact::Present(_) | ContainerFact::Missing { .. }) => {
                self.of.claims.set(&settings.id, None);
                return;
            }
            Some(ContainerFact::NotMeasurable { .. }) | None => return,
        }
        let at = clock::now();
        match self.look().await {
            Some(Ok(look)) => self.judge(look, at).await,
            Some(Err(miss)) => self.not_read(miss),
            None => {
                tracing::debug!(service = %settings.id, "its configuration is not read in time");
            }
        }
    }

    /// What cannot be read is not said to be well: the last measurement fades.
    fn not_read(&self, miss: Miss) {
        let why = miss.told().map(|(_, words)| words).unwrap_or_default();
        let service = &self.of.watch.settings.id;
        tracing::debug!(%service, why, "its configuration cannot be read");
    }

    /// One look; `None` when it has not ended in time.
    async fn look(&mut self) -> Option<Result<Look, Miss>> {
        if self.looking.is_none() {
            let watch = &self.of.watch;
            let container = watch.host.real_name(&watch.settings.container)?;
            let subject = Subject {
                settings: Arc::clone(&watch.settings),
                engine: watch.host.engine()?,
                container,
            };
            self.looking = Some(Box::pin(look(subject, self.memory.known())));
        }
        let looking = self.looking.as_mut()?;
        let found = tokio::time::timeout(LOOK, looking.as_mut()).await.ok()?;
        self.looking = None;
        Some(found)
    }

    async fn judge(&mut self, look: Look, at: Timestamp) {
        let settings = &self.of.watch.settings;
        let meter = self.of.log.meter();
        let no_mount = said(&meter, NO_MOUNT).filter(|said| is_of_run(said, &look));
        let line = no_mount.as_ref().map(|said| said.text.as_str());
        let workspace = workspace_fact(&look.recipe, look.folder.as_deref(), line);
        let lost = workspace.as_ref().is_some_and(|fact| !fact.mounted);
        self.memory.found_folder(&look);
        let claim = look.kept_at.clone().filter(|_| !lost).map(|file| Claim {
            host: settings.host.clone(),
            file,
            id: look.recipe.id.clone(),
            container: look.recipe.name.clone(),
            created_at: look.recipe.created_at,
        });
        self.of.claims.set(&settings.id, claim);
        let run = (look.recipe.id.clone(), look.recipe.started_at);
        let configuration = if lost {
            // A copy that goes with its container has the settings of nobody.
            Some(Vec::new())
        } else {
            self.configuration(look, &meter, at).await
        };
        let same_run = self.memory.read_in.as_ref() == Some(&run);
        if configuration.is_some() {
            self.memory.read_in = Some(run);
        }
        self.of
            .tell(ConfigReport {
                workspace: workspace.map(|fact| Measured::new(fact, at)),
                configuration: configuration.map(|found| Measured::new(found, at)),
                same_run,
            })
            .await;
    }

    /// What is wrong with the settings; `None` when they could not be read.
    async fn configuration(
        &mut self,
        look: Look,
        meter: &LogMeter,
        at: Timestamp,
    ) -> Option<Vec<ConfigTrouble>> {
        let settings = &self.of.watch.settings;
        let shared = self.of.claims.shared(&settings.id);
        let only_shared = |shared: Option<SharedFile>| shared.map(ConfigTrouble::SecondWriter);
        if settings.kind != KindId::Forge {
            look.place.as_ref()?;
            return Some(only_shared(shared).into_iter().collect());
        }
        self.memory.is_at(look.place.as_ref());
        let file = match look.file {
            Ok(file) => file,
            Err(miss) => {
                self.not_read(miss);
                return only_shared(shared).map(|told| vec![told]);
            }
        };
        self.memory.file.clone_from(&file);
        if self.memory.before.is_none() {
            self.ask_snapshots(&look.recipe, None).await;
        }
        let reset = reset_said(meter).filter(|said| {
            let before = self.memory.before.as_ref();
            before.is_none_or(|before| before.is_new_line(said))
        });
        let moved_to = look
            .aside
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .filter(|aside| {
                let before = self.memory.before.as_ref();
                before.is_some_and(|before| before.is_new_aside(aside.stat))
            });
        let moved_to = moved_to.map(|aside| aside.path.clone());
        let suspected = reset.is_some() || moved_to.is_some();
        let options = match &file {
            None if suspected => self.of.options().await,
            _ => None,
        };
        let evidence = Evidence {
            line: reset.as_ref().map(|said| said.text.clone()),
            moved_to,
            shared,
        };
        let mut found = self.troubles(&evidence, file.as_ref(), options.as_ref());
        if found.iter().any(is_of_values) {
            // Whoever pins a snapshot of these settings wants them.
            let since = self.memory.before.as_ref().map(|before| before.at);
            self.ask_snapshots(&look.recipe, since).await;
            found = self.troubles(&evidence, file.as_ref(), options.as_ref());
        }
        if let (true, Some(file)) = (found.is_empty(), file) {
            let aside = look.aside.as_ref();
            let aside = aside.map(|aside| aside.as_ref().map(|aside| aside.stat));
            let said = reset_said(meter);
            self.memory.before = Some(Before::seen(file.values, at, aside, said.as_ref()));
            self.memory.snapshot = None;
            self.memory.asked_snapshots = None;
        }
        Some(found)
    }

    fn troubles(
        &self,
        evidence: &Evidence,
        file: Option<&SettingsFile>,
        options: Option<&Values>,
    ) -> Vec<ConfigTrouble> {
        let before = self.memory.before.as_ref();
        let scene = SettingsScene {
            before: before.map(|before| &*before.values),
            file: file.map(|file| &*file.values),
            options,
            line: evidence.line.as_deref(),
            moved_to: evidence.moved_to.as_deref(),
            shared: evidence.shared.as_ref(),
            snapshot: self.memory.snapshot.as_ref(),
            request: None,
        };
        let mut found = troubles(&scene);
        for trouble in &mut found {
            if let ConfigTrouble::ModelUnset { request, .. } = trouble {
                *request = self.request(file);
            }
        }
        found
    }

    /// The request that wrote the settings, when the lines that are held show it.
    fn request(&self, file: Option<&SettingsFile>) -> Option<String> {
        let lines = self.of.log.lines();
        let marks: Vec<LogMark> = lines
            .into_iter()
            .filter_map(|line| {
                let kind = LogMarkKind::of_line(&line.text)?;
                let (at, line) = (line.at?, line.text);
                Some(LogMark { at, kind, line })
            })
            .collect();
        let since = self.memory.before.as_ref().map(|before| before.at);
        let written_at = file.and_then(|file| Some(file.stat?.modified_at));
        request_of(&marks, since, written_at).map(|mark| mark.line.clone())
    }

    /// Looks into the snapshots now and then. One that was pinned since is how the settings are meant
    /// to be.
    async fn ask_snapshots(&mut self, recipe: &Recipe, since: Option<Timestamp>) {
        let asked = &mut self.memory.asked_snapshots;
        if asked.is_some_and(|at| at.elapsed() < SNAPSHOTS_EVERY) {
            return;
        }
        *asked = Some(Instant::now());
        let service = &self.of.watch.settings.id;
        let Some(kept) = past::newest(&self.of.vaults, service, recipe, since).await else {
            return;
        };
        let before = self.memory.before.as_ref();
        if before.is_none_or(|before| kept.pinned && kept.before.at > before.at) {
            self.memory.before = Some(kept.before);
        }
        self.memory.snapshot = Some(kept.id);
    }
}

/// What a judgement rests on beside the values.
struct Evidence {
    line: Option<String>,
    moved_to: Option<String>,
    shared: Option<SharedFile>,
}

fn is_of_values(trouble: &ConfigTrouble) -> bool {
    matches!(
        trouble,
        ConfigTrouble::Reset { .. } | ConfigTrouble::ModelUnset { .. }
    )
}

/// Whether a line is of the present run of its container.
fn is_of_run(said: &Finding, look: &Look) -> bool {
    match (said.last, look.recipe.started_at) {
        (Some(last), Some(started)) => last.as_second() >= started.as_second() - START_SKEW_S,
        _ => true,
    }
}

impl Memory {
    fn known(&self) -> Known {
        let folder = self.folder.as_ref();
        let folder = folder.filter(|(_, _, at)| at.elapsed() < FOLDER_FOR);
        let file = self.place.clone().zip(self.file.clone());
        Known {
            folder: folder.map(|(id, folder, _)| (id.clone(), folder.clone())),
            file,
        }
    }

    fn found_folder(&mut self, look: &Look) {
        let known = self.folder.as_ref();
        let same = known.is_some_and(|(id, folder, at)| {
            *id == look.recipe.id
                && Some(folder) == look.folder.as_ref()
                && at.elapsed() < FOLDER_FOR
        });
        if !same {
            let id = look.recipe.id.clone();
            self.folder = look.folder.clone().map(|f| (id, f, Instant::now()));
        }
    }

    /// What is remembered of another place is forgotten.
    fn is_at(&mut self, place: Option<&String>) {
        if place.is_some() && place != self.place.as_ref() {
            *self = Self {
                place: place.cloned(),
                folder: self.folder.take(),
                read_in: self.read_in.take(),
                ..Self::default()
            };
        }
    }
}
