//! The actor that keeps the readings of one host: NVML, else `nvidia-smi` in a container, else none.

use std::{path::PathBuf, sync::Arc, time::Duration};

use forgekeeper_domain::{
    Timestamp,
    gpu::{GpuSourceInfo, GpuView},
};
use futures_util::future::BoxFuture;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use super::{
    GpuHandle, Reading,
    cards::Cards,
    door::Inside,
    nvml::NvmlThread,
    past::{Minute, Past},
    smi::{SmiRound, SmiSource},
};
use crate::sys::{clock, tasks::Tasks};

/// While somebody looks.
const PERIOD: Duration = Duration::from_secs(1);
/// While somebody looks closely: the driver renews its load a few times a second.
const CLOSE_PERIOD: Duration = Duration::from_millis(200);
/// While nobody looks.
const QUIET_PERIOD: Duration = Duration::from_secs(10);
/// Each run of `nvidia-smi` over SSH may be a login.
const LOGIN_PERIOD: Duration = Duration::from_secs(15);
const QUIET_LOGIN_PERIOD: Duration = Duration::from_mins(1);
/// Each run of `nvidia-smi` is a process in a container.
const QUIET_EXEC_PERIOD: Duration = Duration::from_secs(30);
/// First pause after a source failed; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Runs a program in a container: container name and argument list to what it printed, standard
/// output and error alike, whatever its exit code; the error says why it could not be run.
pub type GpuExec =
    Arc<dyn Fn(String, Vec<String>) -> BoxFuture<'static, Result<String, String>> + Send + Sync>;

/// Where the cards of a host are, as far as known now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GpuPlace {
    /// Whether the host was looked at: before that there is nothing to say.
    pub known: bool,
    /// Whether the host is this machine: only then its driver can be asked.
    pub local: bool,
    /// Whether each command in a container may need a login on the host.
    pub login_each_time: bool,
    /// Running containers that may hold `nvidia-smi`, best first.
    pub containers: Vec<GpuContainer>,
}

/// A running container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuContainer {
    /// Its name at the engine.
    pub name: String,
    /// The cards it was given, as asked for (index or UUID); empty for all or none.
    pub device_ids: Vec<String>,
}

/// Where readings may come from.
pub struct GpuConfig {
    /// Another NVML library than the system's; `FORGEKEEPER_NVML` sets it too.
    pub lib_path: Option<PathBuf>,
    /// Door into containers; `None` while there is no engine.
    pub exec: Option<GpuExec>,
    /// Where to look; changes with the engine and its containers.
    pub place: watch::Receiver<GpuPlace>,
    /// Whether somebody looks.
    pub visible: watch::Receiver<bool>,
    /// Where ended minutes go, when they are kept.
    pub(crate) minutes: Option<mpsc::Sender<Vec<Minute>>>,
}

/// The actor.
#[derive(Debug)]
pub struct GpuActor;

impl GpuActor {
    /// Starts it; the view says `none` with nothing tried until the first look ended.
    pub(crate) fn spawn(tasks: &Tasks, config: GpuConfig) -> GpuHandle {
        let first = GpuView {
            source: GpuSourceInfo::None { tried: Vec::new() },
            cards: Vec::new(),
            checked_at: None,
            error: None,
        };
        let (publish, view) = watch::channel(Arc::new(first.clone()));
        let past = Past::default();
        let (handle, inside) = GpuHandle::new(view, past.clone());
        let token = tasks.token();
        tasks.spawn("gpu", async move {
            let minutes = config.minutes.clone();
            let watching = Watching::new(config, first, publish, inside, past.clone()).run();
            tokio::select! {
                () = token.cancelled() => {}
                () = watching => {}
            }
            keep(minutes.as_ref(), past.unfinished());
        });
        handle
    }
}

struct Watching {
    config: GpuConfig,
    nvml: Option<NvmlThread>,
    nvml_pause: Pause,
    nvml_words: Option<String>,
    smi: SmiSource,
    smi_pause: Pause,
    smi_words: Vec<String>,
    /// Whether the host was this machine when last heard of.
    was_local: bool,
    /// Whether a source was asked since the last verdict.
    asked: bool,
    cards: Cards,
    inside: Inside,
    past: Past,
    view: GpuView,
    publish: watch::Sender<Arc<GpuView>>,
}

/// When a failed source is asked again.
#[derive(Debug)]
struct Pause {
    next: Instant,
    length: Duration,
}

impl Pause {
    fn none() -> Self {
        Self {
            next: Instant::now(),
            length: FIRST_PAUSE,
        }
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.next
    }

    fn failed(&mut self) {
        self.next = Instant::now() + self.length;
        self.length = (self.length * 2).min(LONGEST_PAUSE);
    }
}

impl Watching {
    fn new(
        config: GpuConfig,
        view: GpuView,
        publish: watch::Sender<Arc<GpuView>>,
        inside: Inside,
        past: Past,
    ) -> Self {
        let was_local = config.place.borrow().local;
        Self {
            was_local,
            config,
            nvml: None,
            nvml_pause: Pause::none(),
            nvml_words: None,
            smi: SmiSource::default(),
            smi_pause: Pause::none(),
            smi_words: Vec::new(),
            asked: false,
            cards: Cards::default(),
            inside,
            past,
            view,
            publish,
        }
    }

    async fn run(mut self) {
        let mut next = Instant::now();
        loop {
            if Instant::now() >= next {
                let started = Instant::now();
                let period = self.period();
                self.cards.read_every(period);
                self.read(period).await;
                next = started + self.period();
            }
            self.show();
            let stale = self
                .cards
                .next_stale_ms(clock::now())
                .map(Duration::from_millis);
            let wake = stale.map_or(next, |stale| next.min(Instant::now() + stale));
            tokio::select! {
                () = tokio::time::sleep_until(wake) => {}
                Ok(()) = self.config.visible.changed() => {
                    if *self.config.visible.borrow() {
                        next = Instant::now();
                    }
                }
                Ok(()) = self.inside.looks.changed() => {
                    next = next.min(Instant::now() + CLOSE_PERIOD);
                }
                Ok(()) = self.config.place.changed() => {
                    let moved = self.follow();
                    self.smi_pause = Pause::none();
                    if moved || !matches!(self.view.source, GpuSourceInfo::Nvml { .. }) {
                        next = Instant::now();
                    }
                }
            }
        }
    }

    /// Takes in where the cards are now; `true` when that is another machine than before.
    ///
    /// Each reading begins with it: the timer may win against the news that the place changed.
    fn follow(&mut self) -> bool {
        let local = self.config.place.borrow().local;
        if local == self.was_local {
            return false;
        }
        self.was_local = local;
        // The other machine's cards are not these.
        self.cards = Cards::default();
        self.nvml = None;
        self.nvml_words = None;
        self.nvml_pause = Pause::none();
        true
    }

    /// Until the next reading.
    fn period(&mut self) -> Duration {
        let visible = *self.config.visible.borrow_and_update();
        let by_exec = matches!(self.view.source, GpuSourceInfo::NvidiaSmi { .. });
        let login = self.config.place.borrow().login_each_time;
        if *self.inside.looks.borrow_and_update() > 0 {
            return CLOSE_PERIOD;
        }
        match (by_exec, login, visible) {
            (false, _, true) | (true, false, true) => PERIOD,
            (false, _, false) => QUIET_PERIOD,
            (true, false, false) => QUIET_EXEC_PERIOD,
            (true, true, true) => LOGIN_PERIOD,
            (true, true, false) => QUIET_LOGIN_PERIOD,
        }
    }

    /// Asks the best source that answers.
    async fn read(&mut self, period: Duration) {
        if !self.config.place.borrow().known {
            return;
        }
        self.follow();
        if let Some(reading) = self.read_nvml().await {
            let driver = reading.driver.clone();
            let cuda = reading.cuda.clone();
            self.took(GpuSourceInfo::Nvml { driver, cuda }, reading, period);
            return;
        }
        if let Some(round) = self.read_smi().await {
            let container = round.containers.join(", ");
            let driver = round.reading.driver.clone();
            self.took(
                GpuSourceInfo::NvidiaSmi { container, driver },
                round.reading,
                period,
            );
            return;
        }
        if !std::mem::take(&mut self.asked) {
            // Both sources rest after a failure; nothing new is known.
            return;
        }
        let tried: Vec<String> = self
            .nvml_words
            .iter()
            .chain(&self.smi_words)
            .cloned()
            .collect();
        self.view.checked_at = Some(clock::now());
        self.view.error = (!tried.is_empty()).then(|| tried.join("; "));
        self.view.source = GpuSourceInfo::None { tried };
    }

    fn took(&mut self, source: GpuSourceInfo, reading: Reading, period: Duration) {
        let now: Timestamp = clock::now();
        let reading = reading.bounded();
        self.asked = false;
        self.view.error = (!reading.problems.is_empty()).then(|| reading.problems.join("; "));
        keep(
            self.config.minutes.as_ref(),
            self.past.record(&reading.samples, period, now),
        );
        if self.inside.readings.receiver_count() > 0 {
            // Who looked a moment ago may have gone.
            let _ = self.inside.readings.send(Arc::new(reading.clone()));
        }
        self.cards.take(reading, now);
        self.view.source = source;
        self.view.checked_at = Some(now);
    }

    async fn read_nvml(&mut self) -> Option<Reading> {
        if !self.was_local || !self.nvml_pause.is_over() {
            return None;
        }
        self.asked = true;
        let opened = match self.nvml.take() {
            Some(thread) => Ok(thread),
            None => NvmlThread::start(self.config.lib_path.clone().or_else(from_environment)),
        };
        let result = match opened {
            Ok(mut thread) => {
                let result = thread.read().await;
                self.nvml = Some(thread);
                result
            }
            Err(words) => Err(words),
        };
        match result {
            Ok(reading) if reading.samples.is_empty() && reading.lost.is_empty() => {
                self.nvml_failed("the driver counts no GPU")
            }
            Ok(reading) => {
                self.nvml_pause = Pause::none();
                self.nvml_words = None;
                Some(reading)
            }
            Err(words) => self.nvml_failed(&words),
        }
    }

    fn nvml_failed(&mut self, words: &str) -> Option<Reading> {
        self.nvml_words = Some(format!("NVML: {words}"));
        self.nvml_pause.failed();
        None
    }

    async fn read_smi(&mut self) -> Option<SmiRound> {
        let exec = self.config.exec.clone()?;
        if !self.smi_pause.is_over() {
            return None;
        }
        self.asked = true;
        let containers = self.config.place.borrow().containers.clone();
        match self.smi.read(&exec, &containers).await {
            Ok(round) => {
                self.smi_pause = Pause::none();
                self.smi_words.clear();
                Some(round)
            }
            Err(words) => {
                self.smi_words = words;
                self.smi_pause.failed();
                None
            }
        }
    }

    /// Publishes what is known now, if it differs.
    fn show(&mut self) {
        self.view.cards = self.cards.view(clock::now());
        self.publish.send_if_modified(|shown| {
            let differs = **shown != self.view;
            if differs {
                *shown = Arc::new(self.view.clone());
            }
            differs
        });
    }
}

/// Hands ended minutes on. A store that does not keep up loses some, and says so.
fn keep(minutes: Option<&mpsc::Sender<Vec<Minute>>>, ended: Vec<Minute>) {
    if let Some(minutes) = minutes
        && !ended.is_empty()
        && minutes.try_send(ended).is_err()
    {
        tracing::warn!("minutes of graphics cards could not be kept");
    }
}

fn from_environment() -> Option<PathBuf> {
    std::env::var_os("FORGEKEEPER_NVML")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
}

#[cfg(test)]
mod tests;
