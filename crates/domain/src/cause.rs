//! Stable cause codes. The window turns each into a sentence; the codes never change meaning.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! causes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal,)+) => {
        /// Why an outcome is what it is. Codes are those of the fault catalogue.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "specta", derive(specta::Type))]
        pub enum Cause {
            $($(#[$doc])* #[serde(rename = $code)] $variant,)+
        }

        impl Cause {
            /// Every cause, in ladder order.
            pub const ALL: &[Cause] = &[$(Cause::$variant,)+];

            /// The stable code, as on the wire and in translation keys.
            pub fn code(self) -> &'static str {
                match self { $(Cause::$variant => $code,)+ }
            }
        }
    };
}

causes! {
    /// The rung below is broken, so this one was not judged.
    RungBelow = "rung.below",
    /// Nothing has been measured yet since the start.
    NotMeasuredYet = "rung.not_measured_yet",
    /// The configuration names nothing to look at.
    NotConfigured = "rung.not_configured",
    /// Measured too long ago to be believed.
    Stale = "rung.stale",
    /// This kind of service has no such rung, or it cannot be measured from here.
    NotMeasurable = "rung.not_measurable",
    /// The container is down because the owner's plan has the service at rest.
    Resting = "rung.resting",

    /// The WSL distribution sleeps.
    HostAsleep = "host.asleep",
    /// The machine cannot be reached.
    HostUnreachable = "host.unreachable",

    /// Nothing listens where the engine should.
    EngineRefused = "engine.refused",
    /// The engine accepts connections and does not answer in time.
    EngineTimeout = "engine.timeout",
    /// Something answers HTTP there, but it is no Docker Engine.
    EngineNotDocker = "engine.not_docker",
    /// The engine's socket exists and this user may not open it.
    EngineDenied = "engine.denied",
    /// No engine was found anywhere.
    EngineNotFound = "engine.not_found",
    /// The engine is older or newer than any API version both sides speak.
    EngineVersion = "engine.version",

    /// The container was stopped or ended by itself.
    ContainerExited = "container.exited",
    /// No container has this name.
    ContainerMissing = "container.missing",
    /// Killed by the kernel for memory.
    ContainerOomKilled = "container.oom_killed",
    /// Exit 137 without the out-of-memory flag.
    ContainerKilled = "container.killed",
    /// Starts and ends again and again.
    ContainerCrashLoop = "container.crash_loop",
    /// The host port is taken.
    ContainerPortInUse = "container.port_in_use",
    /// The NVIDIA runtime refused to start it.
    ContainerGpuRuntime = "container.gpu_runtime",
    /// Frozen with `docker pause`.
    ContainerPaused = "container.paused",
    /// Created, never started.
    ContainerCreated = "container.created",
    /// The engine is starting or restarting it now.
    ContainerStarting = "container.starting",
    /// The image's own health check says unhealthy.
    ContainerUnhealthy = "container.unhealthy",
    /// The engine gave up on it (`dead`).
    ContainerDead = "container.dead",

    /// No space is left on a mount of the container or on the engine's disk.
    DiskFull = "disk.full",
    /// The newest build of the image is a year old or more.
    FreshnessAbandoned = "freshness.abandoned",

    /// Supervisor gave up on the program.
    ProgramFatal = "program.fatal",
    /// Supervisor restarts the program again and again.
    ProgramCrashLoop = "program.crash_loop",
    /// The program was stopped inside its container.
    ProgramStopped = "program.stopped",
    /// The program is being stopped inside its container.
    ProgramStopping = "program.stopping",
    /// The program is starting.
    ProgramStarting = "program.starting",
    /// Supervisor does not know the program's name.
    ProgramMissing = "program.missing",
    /// The program lost its CUDA context, by the word of its log: every picture will fail.
    ProgramContextLost = "program.context_lost",

    /// The workspace is no mount: settings made now are lost with the container.
    ConfigWorkspaceUnmounted = "config.workspace_unmounted",
    /// Another service writes the same settings file.
    ConfigSecondWriter = "config.second_writer",
    /// The settings file was set aside and defaults were loaded.
    ConfigReset = "config.reset",
    /// No checkpoint is selected any more.
    ConfigModelUnset = "config.model_unset",
    /// The log stopped while the program works on.
    LogsSilent = "logs.silent",

    /// Nothing listens on the API's port.
    ApiRefused = "api.refused",
    /// The API accepts connections and does not answer in time.
    ApiTimeout = "api.timeout",
    /// Credentials are needed or wrong.
    ApiUnauthorized = "api.unauthorized",
    /// A login page answered instead of the API.
    ApiLoginPage = "api.login_page",
    /// The API answered with a server error.
    ApiServerError = "api.server_error",
    /// The answer is of the wrong type, cut off or too large.
    ApiBadAnswer = "api.bad_answer",
    /// The model list is empty.
    ApiNoModels = "api.no_models",
    /// A placeholder page or a 404 answers while the program starts.
    ApiStarting = "api.starting",
    /// The port answers, `/sdapi` never appears: started without `--api`.
    ApiDisabled = "api.disabled",
    /// The host name of the API address does not resolve.
    ApiDns = "api.dns",

    /// No test picture was made since the last start.
    ImageNotSinceRestart = "image.not_since_restart",
    /// The picture is of one colour.
    ImageBlank = "image.blank",
    /// The picture could not be decoded within the limits.
    ImageUndecodable = "image.undecodable",
    /// CUDA ran out of memory.
    ImageOutOfMemory = "image.out_of_memory",
    /// The CUDA context is broken; only a program restart helps.
    ImageCudaContextLost = "image.cuda_context_lost",
    /// The picture was made on the CPU.
    ImageCpuFallback = "image.cpu_fallback",
    /// The generation failed with the server's own error.
    ImageFailed = "image.failed",
    /// The generation was interrupted.
    ImageInterrupted = "image.interrupted",
    /// Another card than the declared one does the work, by a placement proof.
    PlacementMismatch = "placement.mismatch",

    /// The driver says that a card is lost.
    GpuLost = "gpu.lost",
    /// A card is over its slowdown threshold.
    GpuHot = "gpu.hot",
    /// Heat or a lack of power has held a card's clocks back for minutes.
    GpuThrottled = "gpu.throttled",
    /// A card's PCI Express link has far fewer lanes than it could have.
    GpuPcieDegraded = "gpu.pcie_degraded",
    /// So little of a card's memory is free that a test picture may fail.
    GpuMemoryLow = "gpu.memory_low",
}

impl Cause {
    /// Whether a placement proof found it, so that only another one refutes it.
    pub fn is_of_placement(self) -> bool {
        matches!(self, Cause::PlacementMismatch | Cause::ImageCpuFallback)
    }

    /// True for long and never urgent: it gives way to every other trouble of its service, and is
    /// announced once a month at most.
    pub fn is_advice(self) -> bool {
        matches!(self, Cause::FreshnessAbandoned | Cause::GpuPcieDegraded)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
