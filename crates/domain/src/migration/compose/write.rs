//! The service as a compose file to read and to run.

use std::fmt::Write as _;

use super::beside::{Beside, GpuWish, HEAD, MADE_BY, MADE_BY_VALUE, MODELS_INSIDE};

impl Beside {
    /// The file.
    pub fn to_yaml(&self) -> String {
        let mut out = format!(
            "{HEAD}: ComfyUI beside Forge. Change migration.toml\n\
             # instead of this file; it is written anew each time the step is done.\n"
        );
        let mut line = |depth: usize, text: String| {
            let _ = writeln!(out, "{:1$}{text}", "", depth * 2);
        };
        line(0, format!("name: {}", quoted(&self.project)));
        line(0, "services:".to_owned());
        line(1, format!("{}:", quoted(&self.service)));
        line(2, format!("image: {}", quoted(&self.image)));
        line(2, format!("container_name: {}", quoted(&self.container)));
        line(2, "restart: unless-stopped".to_owned());
        line(2, "ports:".to_owned());
        let port = format!(
            "{}:{}:{}",
            bracketed(&self.address),
            self.port,
            self.port_inside
        );
        line(3, format!("- {}", quoted(&port)));
        if !self.environment.is_empty() {
            line(2, "environment:".to_owned());
            for (name, value) in &self.environment {
                line(3, format!("{}: {}", quoted(name), quoted(value)));
            }
        }
        line(2, "volumes:".to_owned());
        let mut bind = |source: &str, target: &str| {
            line(3, "- type: bind".to_owned());
            line(4, format!("source: {}", quoted(source)));
            line(4, format!("target: {}", quoted(target)));
            line(4, "read_only: true".to_owned());
            // A folder that is misspelt is told instead of made.
            line(4, "bind:".to_owned());
            line(5, "create_host_path: false".to_owned());
        };
        if let Some(models) = &self.models {
            bind(models, MODELS_INSIDE);
        }
        if let Some((source, target)) = &self.model_paths {
            bind(source, target);
        }
        for volume in &self.volumes {
            line(3, "- type: volume".to_owned());
            line(4, format!("source: {}", quoted(&volume.name)));
            line(4, format!("target: {}", quoted(&volume.target)));
        }
        line(2, "healthcheck:".to_owned());
        let command: Vec<String> = self.health_command().iter().map(|w| quoted(w)).collect();
        line(3, format!("test: [{}]", command.join(", ")));
        line(3, "interval: 30s".to_owned());
        line(3, "timeout: 10s".to_owned());
        line(3, "retries: 3".to_owned());
        line(3, "start_period: 10m".to_owned());
        if let GpuWish::Card(card) = &self.gpu {
            line(2, "deploy:".to_owned());
            line(3, "resources:".to_owned());
            line(4, "reservations:".to_owned());
            line(5, "devices:".to_owned());
            line(6, "- driver: nvidia".to_owned());
            line(7, format!("device_ids: [{}]", quoted(card.as_str())));
            line(7, "capabilities: [gpu]".to_owned());
        }
        line(2, "labels:".to_owned());
        line(3, format!("{}: {}", quoted(MADE_BY), quoted(MADE_BY_VALUE)));
        if !self.volumes.is_empty() {
            line(0, "volumes:".to_owned());
            for volume in &self.volumes {
                line(1, format!("{}: {{}}", quoted(&volume.name)));
            }
        }
        out
    }
}

fn bracketed(address: &str) -> String {
    if address.contains(':') {
        format!("[{address}]")
    } else {
        address.to_owned()
    }
}

/// Between single quotes, where backslashes are themselves; a dollar is doubled, for compose would take
/// it for a variable.
fn quoted(text: &str) -> String {
    let clean: String = text.chars().filter(|c| !c.is_control()).collect();
    format!("'{}'", clean.replace('\'', "''").replace('$', "$$"))
}
