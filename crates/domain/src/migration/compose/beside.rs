//! The service that is put beside Forge.

use serde::{Deserialize, Serialize};

use crate::ids::GpuUuid;

/// The label of what this step made: nothing else is ever removed by it.
pub const MADE_BY: &str = "forgekeeper.made-by";
/// Its value.
pub const MADE_BY_VALUE: &str = "migration";
/// Where Forge's models are seen inside, read only.
pub const MODELS_INSIDE: &str = "/models";
/// The first words of a file that this step wrote.
pub(super) const HEAD: &str = "# Written by Forgekeeper for the migration";

/// Which card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GpuWish {
    /// This one.
    Card(GpuUuid),
    /// None: the host has no card runtime, or none is wanted.
    None,
}

/// A named volume: it is filled with what the image has there, and stays when the container goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Its name in the file; the engine's has the project in front.
    pub name: String,
    /// Where it is inside.
    pub target: String,
}

/// The service, with everything that its file and its container are made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// Compose project.
    pub project: String,
    /// Name in the file.
    pub service: String,
    /// Name of the container.
    pub container: String,
    /// The image, as the plan names it.
    pub image: String,
    /// Address of the host that the port is bound to.
    pub address: String,
    /// Port of the host.
    pub port: u16,
    /// Port inside.
    pub port_inside: u16,
    /// The card.
    pub gpu: GpuWish,
    /// Forge's models as the engine's machine names the folder.
    pub models: Option<String>,
    /// The file of more model paths as the engine's machine names it, and where ComfyUI looks for it.
    pub model_paths: Option<(String, String)>,
    /// What is kept when the container goes.
    pub volumes: Vec<Volume>,
    /// Environment.
    pub environment: Vec<(String, String)>,
}

impl Beside {
    /// The volume's name in the engine.
    pub fn volume_name(&self, volume: &Volume) -> String {
        format!("{}_{}", self.project, volume.name)
    }

    /// The network's name in the engine.
    pub fn network_name(&self) -> String {
        format!("{}_default", self.project)
    }

    /// What tells whether it is well, inside: the interpreter is there, whatever else is not.
    pub fn health_command(&self) -> Vec<String> {
        let port = self.port_inside;
        let ask = format!(
            "import urllib.request as u; u.urlopen('http://127.0.0.1:{port}/system_stats', timeout=5)"
        );
        vec!["CMD-SHELL".to_owned(), format!("python3 -c \"{ask}\"")]
    }

    /// The labels of the container, those of compose among them: `docker compose` takes it for its own.
    pub fn labels(&self, file: &str, folder: &str, hash: &str) -> Vec<(String, String)> {
        let compose =
            |key: &str, value: &str| (format!("com.docker.compose.{key}"), value.to_owned());
        vec![
            compose("project", &self.project),
            compose("service", &self.service),
            compose("container-number", "1"),
            compose("oneoff", "False"),
            compose("project.config_files", file),
            compose("project.working_dir", folder),
            compose("config-hash", hash),
            (MADE_BY.to_owned(), MADE_BY_VALUE.to_owned()),
        ]
    }
}

/// Whether a file was written by this step, so that it may be replaced.
pub fn is_ours(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').starts_with(HEAD)
}

/// The project of a service: compose allows small letters, digits, dashes and underscores.
pub fn project_of(service: &str) -> String {
    let mut name: String = service
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' || c == '-' {
                c
            } else {
                '-'
            }
        })
        .collect();
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        name.insert(0, 'x');
    }
    format!("{name}-beside")
}
