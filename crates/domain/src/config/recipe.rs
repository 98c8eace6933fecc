//! What a container was made from: what inspect says, reduced to what configures it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::places::Mount;
use crate::Timestamp;

/// A published port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RecipePort {
    /// Inside, such as `17860/tcp`.
    pub container: String,
    /// Where the host listens, such as `0.0.0.0:36525`.
    pub host: String,
}

/// What a container was made from. Environment and command are kept apart: secrets stand there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recipe {
    /// Full id.
    pub id: String,
    /// Name without slash.
    pub name: String,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When it was last started.
    pub started_at: Option<Timestamp>,
    /// Whether it runs.
    pub running: bool,
    /// Image reference.
    pub image: String,
    /// Digest of the image in use.
    pub image_id: String,
    /// Mounts.
    pub mounts: Vec<Mount>,
    /// Published ports.
    pub ports: Vec<RecipePort>,
    /// Cards and other devices asked for.
    pub devices: Vec<String>,
    /// Restart policy.
    pub restart_policy: Option<String>,
    /// Memory limit in bytes.
    pub memory_limit: Option<u64>,
    /// Shared memory in bytes.
    pub shm_size: Option<u64>,
    /// Names of the environment's variables, sorted.
    pub env_names: Vec<String>,
    /// The environment, `NAME=value`.
    pub env: Vec<String>,
    /// Entry point and command.
    pub command: Vec<String>,
    /// Labels of compose.
    pub compose: BTreeMap<String, String>,
}

impl Recipe {
    /// The value of a variable.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.env.iter().find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (key == name).then_some(value)
        })
    }

    /// The part without secrets, always the same text for the same container.
    pub fn open_json(&self) -> Vec<u8> {
        let mut mounts = BTreeMap::new();
        for mount in &self.mounts {
            mounts.insert(mount.target.as_str(), mount);
        }
        let mut ports: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for port in &self.ports {
            ports.entry(&port.container).or_default().push(&port.host);
        }
        for hosts in ports.values_mut() {
            hosts.sort_unstable();
        }
        text(&serde_json::json!({
            "image": self.image,
            "image_id": self.image_id,
            "mounts": mounts,
            "ports": ports,
            "devices": self.devices,
            "restart_policy": self.restart_policy,
            "memory_limit": self.memory_limit,
            "shm_size": self.shm_size,
            "env_names": self.env_names,
            "compose": self.compose,
        }))
    }

    /// The part with environment and command.
    pub fn secret_json(&self) -> Vec<u8> {
        let env: BTreeMap<&str, &str> = self
            .env
            .iter()
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .collect();
        text(&serde_json::json!({ "env": env, "command": self.command }))
    }
}

fn text(value: &serde_json::Value) -> Vec<u8> {
    // A JSON value always prints.
    serde_json::to_vec_pretty(value).unwrap_or_default()
}
