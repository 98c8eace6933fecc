//! What the Engine API tells about a container, reduced to the fields that are used.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// `State.Status` of the Engine API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Created, never started.
    Created,
    /// PID 1 lives; nothing more is said.
    Running,
    /// Frozen.
    Paused,
    /// The restart policy is waiting or starting it again.
    Restarting,
    /// Being removed.
    Removing,
    /// Ended.
    Exited,
    /// The engine could not remove it.
    Dead,
}

/// `State.Health.Status`, absent when the image has no health check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Within its start period.
    Starting,
    /// The last probe succeeded.
    Healthy,
    /// Several probes failed.
    Unhealthy,
}

/// A published port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct PortBinding {
    /// TCP port inside the container.
    pub container_port: u16,
    /// Address on the host; empty means every address.
    pub host_ip: String,
    /// TCP port on the host.
    pub host_port: u16,
}

/// A container as inspected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct ContainerSnapshot {
    /// Full id; changes when the container is recreated.
    pub id: String,
    /// Name without the leading slash.
    pub name: String,
    /// Image reference of its configuration.
    pub image: String,
    /// Digest of the image actually used.
    pub image_id: String,
    /// Whether PID 1 runs.
    pub state: RunState,
    /// Exit code of the last end; meaningless while running.
    pub exit_code: Option<i32>,
    /// The kernel killed a process of this container for memory.
    pub oom_killed: bool,
    /// The engine's own error text of the last start.
    pub error: Option<String>,
    /// Last start.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub started_at: Option<Timestamp>,
    /// Last end.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub finished_at: Option<Timestamp>,
    /// When it was created.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub created_at: Option<Timestamp>,
    /// Restarts by the restart policy since creation.
    pub restart_count: u32,
    /// The image's health check, when it has one.
    pub health: Option<Health>,
    /// Memory limit in bytes; `None` when unlimited.
    #[cfg_attr(feature = "specta", specta(type = Option<f64>))]
    pub memory_limit: Option<u64>,
    /// With a TTY the log stream is raw, without it is multiplexed.
    pub tty: bool,
    /// Published ports.
    pub ports: Vec<PortBinding>,
    /// `com.docker.compose.project`.
    pub compose_project: Option<String>,
    /// `com.docker.compose.service`.
    pub compose_service: Option<String>,
    /// `com.docker.compose.project.config_files`.
    pub compose_file: Option<String>,
    /// `org.opencontainers.image.title`, as the image or its owner labelled it.
    pub image_title: Option<String>,
    /// `org.opencontainers.image.source`, the repository that the image was built from.
    pub image_source: Option<String>,
    /// GPU device ids of the device requests: indices or UUIDs, as declared.
    pub gpu_device_ids: Vec<String>,
    /// How many cards the device requests ask for without naming them; -1 is all of them. `None`
    /// without such a request.
    pub gpu_count: Option<i32>,
    /// Entrypoint and command, joined for recognition only.
    pub command: Vec<String>,
    /// Names (never values) of environment variables.
    pub env_names: Vec<String>,
    /// The variables that place a program on a card, with their values; no other value is read.
    pub gpu_env: Vec<GpuVariable>,
    /// `com.docker.compose.config-hash`: changes with the service's compose configuration.
    pub compose_hash: Option<String>,
}

/// An environment variable of [`crate::placement::declared::GPU_VARIABLES`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GpuVariable {
    /// Its name.
    pub name: String,
    /// Its value as the container was given it.
    pub value: String,
}
