//! What the keeper measured, as values. Outcomes are pure functions of these.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{container::ContainerSnapshot, error::ErrorCode, generation::GenerationVerdict};

mod beside;
mod placement;

pub use placement::PlacementFact;

pub use beside::{
    ConfigTrouble, ContextLost, LogFact, MountSpace, RegistryFact, SharedFile, WorkspaceFact,
    Writer,
};

/// A measurement with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured<T> {
    /// What was found.
    pub value: T,
    /// When.
    pub at: Timestamp,
}

impl<T> Measured<T> {
    /// A value found at a time.
    pub fn new(value: T, at: Timestamp) -> Self {
        Self { value, at }
    }
}

/// The machine below the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostFact {
    /// Reached, or local.
    Reachable,
    /// The WSL distribution that holds the engine is stopped; it was not woken.
    Asleep {
        /// Its name.
        distribution: String,
    },
    /// The machine could not be reached.
    Unreachable {
        /// The system's words.
        reason: String,
    },
}

/// What a program says of its own device: ComfyUI's `/system_stats`, Forge's `/sdapi/v1/memory`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceReport {
    /// Its name as the program writes it; hostile until parsed.
    pub name: Option<String>,
    /// Bytes that the program itself holds on it.
    pub held: Option<u64>,
    /// Bytes that it has in all; tells cards of different sizes apart.
    pub total: Option<u64>,
}

/// One ping of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineFact {
    /// Answered in time.
    Answering {
        /// Engine version, such as `28.3.0`.
        version: String,
        /// Negotiated API version, such as `1.43`.
        api_version: String,
        /// Version of the kernel that it runs on, where it tells; hostile until parsed.
        kernel: Option<String>,
        /// Round trip in milliseconds.
        ping_ms: u32,
    },
    /// Connection refused, or no such socket or pipe.
    Refused {
        /// Where.
        endpoint: String,
        /// The system's words.
        reason: String,
    },
    /// Connected, no answer within the deadline.
    TimedOut {
        /// Where.
        endpoint: String,
        /// Deadline in milliseconds.
        deadline_ms: u32,
    },
    /// Something answered, but no Docker Engine.
    NotDocker {
        /// Where.
        endpoint: String,
        /// What came instead, shortened.
        answer: String,
    },
    /// The socket may not be opened by this user.
    Denied {
        /// Where.
        endpoint: String,
    },
    /// No API version in common.
    Version {
        /// What the engine said.
        reason: String,
    },
    /// No candidate endpoint exists.
    NotFound {
        /// What was tried.
        tried: Vec<String>,
    },
}

/// The container as followed by name.
#[derive(Debug, Clone, PartialEq)]
pub enum ContainerFact {
    /// It exists.
    Present(Box<ContainerSnapshot>),
    /// It does not; what was known of it is kept as evidence.
    Missing {
        /// Name looked for.
        name: String,
        /// When it was last seen.
        last_seen: Option<Timestamp>,
        /// Digest of its image then.
        image_id: Option<String>,
    },
    /// The engine answers, but does not tell about this container.
    NotMeasurable {
        /// Its words, or for how long it was waited.
        reason: String,
    },
}

/// Starts seen recently, oldest first, to tell a crash loop from a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecentStarts {
    /// Times of starts that nobody asked for, within the window of the check.
    pub at: Vec<Timestamp>,
}

/// `supervisorctl status`: the STATE column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SupervisorState {
    /// Not running on purpose.
    Stopped,
    /// Younger than its start seconds.
    Starting,
    /// Up.
    Running,
    /// Died young, will be tried again.
    Backoff,
    /// Being stopped.
    Stopping,
    /// Ended by itself.
    Exited,
    /// Given up.
    Fatal,
    /// Supervisor's own bug state.
    Unknown,
}

/// The program inside the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramFact {
    /// Supervisor answered.
    Supervised {
        /// Its state.
        state: SupervisorState,
        /// Supervisor's detail text.
        detail: String,
        /// Uptime in seconds when running.
        uptime_s: Option<u32>,
    },
    /// Supervisor does not know this name.
    NoSuchProgram {
        /// Name asked for.
        program: String,
    },
    /// The kind has no supervisor; PID 1 is the program.
    NotSupervised,
    /// The question could not be asked.
    NotMeasurable {
        /// Why.
        reason: String,
    },
}

/// How an API request ended, before it is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiFact {
    /// The expected shape came back.
    Answered {
        /// Models (Forge) or devices' checkpoints (ComfyUI) listed; `None` when the list was not asked for.
        models: Option<u32>,
        /// Round trip in milliseconds.
        latency_ms: u32,
        /// Whether a generation runs.
        activity: Activity,
        /// Program version, when told.
        version: Option<String>,
        /// What the program says of the device it computes on, when asked and told.
        device: Option<DeviceReport>,
    },
    /// Connection refused or reset before any byte.
    Refused {
        /// The system's words.
        reason: String,
    },
    /// The host name does not resolve.
    Dns {
        /// The name.
        host: String,
    },
    /// Connected, no answer in time.
    TimedOut {
        /// Deadline in milliseconds.
        deadline_ms: u32,
        /// The progress route still answers and moves: busy, not hung.
        progress_moves: bool,
    },
    /// 401 or 403.
    Unauthorized {
        /// HTTP status.
        status: u16,
        /// Whether credentials were sent.
        sent_credentials: bool,
    },
    /// A redirect to a login page, or an HTML login form.
    LoginPage {
        /// Where it redirects to, if it does.
        location: Option<String>,
    },
    /// 5xx with the error name and message of its body.
    ServerError {
        /// HTTP status.
        status: u16,
        /// Error name and message, shortened.
        message: String,
    },
    /// 404 on the API path, or the container's placeholder page: not ready yet.
    Starting {
        /// What answered: `placeholder`, `not_found`, `bad_gateway`.
        what: String,
    },
    /// `/internal/ping` answers and `/sdapi` is 404: no `--api`.
    Disabled,
    /// Wrong type, cut off, too large, or not the expected shape.
    BadAnswer {
        /// HTTP status.
        status: u16,
        /// What came instead, shortened.
        what: String,
    },
}

/// Whether a generation runs on a service, as measured. Not measured is not idle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Activity {
    /// Nothing runs.
    Idle,
    /// A generation runs.
    Busy(Busy),
    /// It could not be measured.
    Unknown,
}

impl Activity {
    /// What runs, when something is known to.
    pub fn busy(&self) -> Option<&Busy> {
        match self {
            Activity::Busy(busy) => Some(busy),
            Activity::Idle | Activity::Unknown => None,
        }
    }
}

/// A generation seen through the progress route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Busy {
    /// Progress in percent when known.
    pub percent: Option<u32>,
    /// Whether a model is being loaded.
    pub loading_model: bool,
    /// Seconds left when the server's own estimate is usable.
    pub eta_s: Option<u32>,
}

/// The last real picture of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFact {
    /// What it proved.
    pub verdict: GenerationVerdict,
    /// No card did the work.
    pub on_cpu: bool,
    /// Milliseconds from request to decoded picture.
    pub took_ms: u32,
    /// The server's error, when it failed.
    pub error: Option<(ErrorCode, String)>,
}

/// Everything known about one service at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The moment of judgement.
    pub now: Timestamp,
    /// The machine.
    pub host: Option<Measured<HostFact>>,
    /// The engine.
    pub engine: Option<Measured<EngineFact>>,
    /// The container.
    pub container: Option<Measured<ContainerFact>>,
    /// Unasked starts of the container.
    pub container_starts: RecentStarts,
    /// The program.
    pub program: Option<Measured<ProgramFact>>,
    /// Unasked starts of the program (uptime that fell back).
    pub program_starts: RecentStarts,
    /// When the program was first seen in its present phase, where supervisor's attempts to start
    /// it (STARTING and BACKOFF in turn) are one phase. Supervisor tells no time for these states.
    pub program_phase_since: Option<Timestamp>,
    /// Whether an API address is configured.
    pub api_configured: bool,
    /// The API.
    pub api: Option<Measured<ApiFact>>,
    /// The last picture, `None` when none since the last start.
    pub image: Option<Measured<ImageFact>>,
    /// Whether a public address is configured.
    pub public_configured: bool,
    /// Usual seconds from start to answering API (median of earlier starts).
    pub usual_start_s: Option<u32>,
    /// Space on the mounts of the container. `None` has no say on its rung, here and below.
    /// Nothing measures it yet; a start that the engine refuses for lack of space is seen without.
    pub space: Option<Measured<Vec<MountSpace>>>,
    /// What the registry says of the image's tag. Nothing measures it yet.
    pub registry: Option<Measured<RegistryFact>>,
    /// Whether the workspace survives the container.
    pub workspace: Option<Measured<WorkspaceFact>>,
    /// What is wrong with the program's settings; empty when nothing.
    pub configuration: Option<Measured<Vec<ConfigTrouble>>>,
    /// What the log tells of the program, and whether it still follows it.
    pub log: Option<Measured<LogFact>>,
    /// What the newest placement proof says.
    pub placement: Option<Measured<PlacementFact>>,
}

impl Facts {
    /// Nothing measured yet.
    pub fn none(now: Timestamp) -> Self {
        Self {
            now,
            host: None,
            engine: None,
            container: None,
            container_starts: RecentStarts::default(),
            program: None,
            program_starts: RecentStarts::default(),
            program_phase_since: None,
            api_configured: false,
            api: None,
            image: None,
            public_configured: false,
            usual_start_s: None,
            space: None,
            registry: None,
            workspace: None,
            configuration: None,
            log: None,
            placement: None,
        }
    }
}
