//! Faults by name: one table, and the board that says which are active where.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use tokio::sync::watch;

/// The part of the played world a fault changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultPart {
    /// The container engine as a whole.
    Engine,
    /// One container.
    Container,
    /// The program inside the container.
    Program,
    /// The HTTP answers of the program.
    Api,
    /// The pictures it makes.
    Image,
    /// What the cards report.
    Gpu,
    /// What the container's log shows.
    Log,
    /// The reverse proxy in front of the services.
    Proxy,
}

impl FaultPart {
    /// The word used in listings.
    pub fn word(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Container => "container",
            Self::Program => "program",
            Self::Api => "api",
            Self::Image => "image",
            Self::Gpu => "gpu",
            Self::Log => "log",
            Self::Proxy => "proxy",
        }
    }
}

/// One row of [`FAULTS`].
#[derive(Debug, Clone, Copy)]
pub struct FaultRow {
    /// The fault itself.
    pub fault: Fault,
    /// Its name on the command line and in the control endpoint.
    pub name: &'static str,
    /// What it changes.
    pub part: FaultPart,
    /// What happens, in one sentence.
    pub text: &'static str,
}

macro_rules! faults {
    ($($variant:ident $name:literal $part:ident $text:literal)*) => {
        /// Everything that can be broken on purpose; see [`FAULTS`] for names and meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Fault {
            $(#[doc = $text] $variant,)*
        }

        /// All faults, in the order of the fault catalogue.
        pub const FAULTS: &[FaultRow] = &[
            $(FaultRow { fault: Fault::$variant, name: $name, part: FaultPart::$part, text: $text },)*
        ];
    };
}

faults! {
    EngineStopped "engine-stopped" Engine "The engine's listener is closed; connections are refused and open ones cut."
    EngineHung "engine-hung" Engine "The engine accepts connections and never answers; open streams freeze."
    EngineRestarted "engine-restarted" Engine "The engine goes away for two seconds and comes back by itself."
    EngineNotDocker "engine-not-docker" Engine "The engine's address speaks HTTP but is not Docker."
    ContainerStopped "container-stopped" Container "The container is stopped (exit code 0)."
    ContainerGone "container-gone" Container "The container is removed."
    ContainerRecreated "container-recreated" Container "The container is removed and made again under the same name with another id."
    ContainerOom "container-oom" Container "The container is killed for memory (137, OOM flag)."
    ContainerKilled "container-killed" Container "The container is killed (137, no OOM flag)."
    CrashLoop "crash-loop" Container "The container exits at once and is restarted by its policy again and again."
    StartFailsPort "start-fails-port" Container "The engine refuses to start the container: its port is already bound."
    StartFailsGpu "start-fails-gpu" Container "The engine refuses to start the container: nvidia-container-cli finds no driver."
    DiskFull "disk-full" Container "The engine refuses to start the container: no space is left on the device."
    ProgramFatal "program-fatal" Program "Supervisor reports FATAL while the container stays up."
    ProgramLoop "program-loop" Program "Supervisor restarts the program again and again."
    ProgramStarting "program-starting" Program "The program is restarted and takes ten times as long to start."
    ConfigOptionsNulled "config-options-nulled" Program "A client changes one option and sends no checkpoint: the Forge of the image empties it and saves that."
    ConfigReset "config-reset" Program "Forge finds its settings file unreadable at a restart, moves it to tmp and goes on with defaults."
    ConfigSecondWriter "config-second-writer" Program "The container is made anew with the workspace of another service: two programs write one settings file."
    WorkspaceUnmounted "workspace-unmounted" Program "The container is made anew without its workspace mount, and says so in its log."
    ApiPlaceholder "api-placeholder" Api "Every GET is answered 200 with the container's HTML placeholder."
    ApiRefused "api-refused" Api "Nothing listens on the API port."
    ApiHang "api-hang" Api "The API accepts requests and never answers."
    Api401 "api-401" Api "The API asks for credentials it will not accept."
    ApiLoginPage "api-login-page" Api "Requests are redirected to a login page that answers 200 HTML."
    Api500 "api-500" Api "Every API request fails with an unhandled error."
    ApiHtml "api-html" Api "The API answers 200 with HTML."
    ApiTruncated "api-truncated" Api "JSON answers are cut off in the middle."
    ApiHuge "api-huge" Api "Every answer is a body of 2 GB."
    ApiNoModels "api-no-models" Api "The list of checkpoints is empty."
    ImageBlack "image-black" Image "Pictures come out entirely black."
    ImageNan "image-nan" Image "The VAE produces NaN: a black picture and a warning in the log."
    ImageOom "image-oom" Image "Generation fails: CUDA out of memory."
    ImageCudaBroken "image-cuda-broken" Image "An illegal memory access breaks CUDA until the program is restarted."
    ImageCorrupt "image-corrupt" Image "The picture is not valid base64 or not a readable file."
    ImageBomb "image-bomb" Image "The picture's header claims 50000 by 50000 pixels."
    ImageCpuFallback "image-cpu-fallback" Image "The picture comes slowly while the card stays idle."
    PlacementWrong "placement-wrong" Image "Generation loads the other card than the declared one."
    GpuNa "gpu-na" Gpu "Power and fan are reported as not available."
    GpuLost "gpu-lost" Gpu "The driver says that the card is lost."
    GpuHot "gpu-hot" Gpu "The card reports a temperature over its slowdown threshold."
    GpuDriver "gpu-driver" Gpu "nvidia-smi cannot reach the driver."
    GpuNeighbour "gpu-neighbour" Gpu "Another program computes on the card all the time, at about 20 %."
    GpuFull "gpu-full" Gpu "Another program holds nearly all of the card's memory: generations run out of it."
    GpuThrottled "gpu-throttled" Gpu "Heat holds the card's clocks back."
    GpuNarrow "gpu-narrow" Gpu "The card's PCI Express link has one lane of sixteen."
    LogSilent "log-silent" Log "The container's log stops while the program works on."
    LogReplay "log-replay" Log "The last 512 log lines appear again."
    LogFlood "log-flood" Log "The program writes 2 000 lines at once."
    IisMalformed "iis-malformed" Proxy "IIS finds its web.config malformed and answers 500.19 to everything."
    IisWebsocketOff "iis-websocket-off" Proxy "IIS passes no WebSocket on: the feature is not installed."
    IisHostRewritten "iis-host-rewritten" Proxy "ARR asks the servers under their own name, as it does when it is installed."
}

/// A name that is in no row of [`FAULTS`].
#[derive(Debug, Clone, thiserror::Error)]
#[error("unknown fault `{0}`; `forgekeeper-standin faults` lists them")]
pub struct UnknownFault(pub String);

impl Fault {
    /// The row that describes this fault.
    pub fn row(self) -> &'static FaultRow {
        FAULTS
            .iter()
            .find(|row| row.fault == self)
            .unwrap_or(&FAULTS[0])
    }

    /// The name used on the command line.
    pub fn name(self) -> &'static str {
        self.row().name
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(name: &str) -> Result<Self, UnknownFault> {
        FAULTS
            .iter()
            .find(|row| row.name == name)
            .map(|row| row.fault)
            .ok_or_else(|| UnknownFault(name.to_owned()))
    }
}

/// A fault and where it acts; `service` empty means everywhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActiveFault {
    /// What is broken.
    pub fault: Fault,
    /// The service id it is limited to.
    pub service: Option<String>,
}

/// The faults that are active now, shared by all parts of a site.
#[derive(Debug, Clone)]
pub struct FaultBoard {
    active: Arc<watch::Sender<BTreeSet<ActiveFault>>>,
}

impl Default for FaultBoard {
    fn default() -> Self {
        Self {
            active: Arc::new(watch::Sender::new(BTreeSet::new())),
        }
    }
}

impl FaultBoard {
    /// Puts a fault up; false if it was there already.
    pub fn raise(&self, fault: Fault, service: Option<&str>) -> bool {
        let entry = ActiveFault {
            fault,
            service: service.map(str::to_owned),
        };
        self.active.send_if_modified(|set| set.insert(entry))
    }

    /// Takes a fault down; with no service it is taken down everywhere. False if it was not up.
    pub fn lower(&self, fault: Fault, service: Option<&str>) -> bool {
        self.active.send_if_modified(|set| {
            let before = set.len();
            set.retain(|entry| {
                entry.fault != fault || (service.is_some() && entry.service.as_deref() != service)
            });
            set.len() != before
        })
    }

    /// Takes one fault down that acts on `service`: its own, else the one for everybody.
    pub fn spend(&self, fault: Fault, service: &str) {
        let own = ActiveFault {
            fault,
            service: Some(service.to_owned()),
        };
        let all = ActiveFault {
            fault,
            service: None,
        };
        self.active
            .send_if_modified(|set| set.remove(&own) || set.remove(&all));
    }

    /// True if `fault` acts on `service`.
    pub fn is(&self, fault: Fault, service: &str) -> bool {
        self.active
            .borrow()
            .iter()
            .any(|e| e.fault == fault && e.service.as_deref().is_none_or(|s| s == service))
    }

    /// True if `fault` is up anywhere.
    pub fn any(&self, fault: Fault) -> bool {
        self.active.borrow().iter().any(|e| e.fault == fault)
    }

    /// What is up now.
    pub fn list(&self) -> Vec<ActiveFault> {
        self.active.borrow().iter().cloned().collect()
    }

    /// Waits until `fault` is up nowhere.
    pub async fn wait_gone(&self, fault: Fault) {
        let mut seen = self.active.subscribe();
        // The sender lives in `self`, so waiting can only end by the condition.
        let _ = seen
            .wait_for(|set| !set.iter().any(|e| e.fault == fault))
            .await;
    }

    /// A receiver that wakes at every change.
    pub fn changes(&self) -> watch::Receiver<BTreeSet<ActiveFault>> {
        self.active.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_kebab_and_parse_back() {
        for row in FAULTS {
            assert_eq!(row.name.parse::<Fault>().unwrap(), row.fault);
            assert!(
                row.name
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            );
            assert_eq!(
                FAULTS.iter().filter(|r| r.name == row.name).count(),
                1,
                "{}",
                row.name
            );
        }
        assert!("no-such-fault".parse::<Fault>().is_err());
    }

    #[test]
    fn a_fault_for_one_service_leaves_the_others_alone() {
        let board = FaultBoard::default();
        assert!(board.raise(Fault::ApiHang, Some("a")));
        assert!(!board.raise(Fault::ApiHang, Some("a")));
        assert!(board.is(Fault::ApiHang, "a") && !board.is(Fault::ApiHang, "b"));
        board.raise(Fault::ApiHang, None);
        assert!(board.is(Fault::ApiHang, "b"));
        assert!(board.lower(Fault::ApiHang, None));
        assert!(!board.any(Fault::ApiHang));
    }
}
