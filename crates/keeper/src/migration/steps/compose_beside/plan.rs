//! What would be made, out of the owner's plan and what is there.

use std::path::{Path, PathBuf};

use forgekeeper_domain::{
    ids::{GpuUuid, HostId, ServiceId},
    migration::{
        Finding, Words,
        compose::{
            Beside, EngineSide, GpuWish, Neighbour, Volume, conflicts, engine_path, is_ours,
            project_of, read_compose,
        },
        image::{ImageRef, layout_of},
    },
};

use super::words;
use crate::{
    docker::Engine,
    migration::{Site, steps::target_image::not_read},
    settings::ServiceSettings,
    sys::files,
};

/// Folders of ComfyUI that outlive its container.
const KEPT: &[&str] = &["output", "input", "user", "custom_nodes"];
/// Largest file that is read before it is replaced.
const MAX_FILE: u64 = 1024 * 1024;
/// What the file of model paths is before models are shared: a section without anything, which ComfyUI
/// passes over. An empty file would stop it.
const NO_PATHS: &str =
    "# Forge's models are shared by a later step of the migration.\nforgekeeper_nothing_yet:\n";

/// Everything that the step would make.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) beside: Beside,
    pub(super) to: ServiceId,
    pub(super) from: ServiceSettings,
    pub(super) engine: Engine,
    /// Number of the card, for the settings.
    pub(super) card: Option<u32>,
    /// The compose file, what it holds now, and what it will hold.
    pub(super) file: PathBuf,
    pub(super) file_before: Option<String>,
    pub(super) file_after: String,
    /// The file of model paths, where the plan names one that is not there yet.
    pub(super) paths: Option<(PathBuf, String)>,
    /// What the owner should know first.
    pub(super) notes: Vec<Words>,
    /// Why it is not done.
    pub(super) refused: Vec<Words>,
}

/// Whether a card is meant: `gpu = "none"` says that it computes on the processor.
pub(super) fn is_card(gpu: &GpuUuid) -> bool {
    gpu.as_str() != "none"
}

/// The cards of a host in the driver's order.
pub(super) fn cards(site: &Site, host: &HostId) -> Vec<GpuUuid> {
    let state = site.state();
    let host = state.hosts.iter().find(|state| state.id == *host);
    let cards = host.map_or(&[][..], |host| &host.gpus.cards);
    cards.iter().map(|card| card.latest.uuid.clone()).collect()
}

/// Finds out what would be made. Changes nothing.
pub(super) async fn planned(site: &Site) -> Result<Planned, Finding> {
    let target = site.target();
    let unset = |field| Finding::unset("target", field);
    let from = site.from()?;
    let to = target.to.clone().ok_or_else(|| unset("to"))?;
    let named = target.image.as_ref().ok_or_else(|| unset("image"))?;
    let image = ImageRef::read(named).map_err(|problem| not_read(named, &problem.to_string()))?;
    let port = target.port.ok_or_else(|| unset("port"))?;
    let said = target.compose_file.as_ref();
    let file = place(site, said.ok_or_else(|| unset("compose_file"))?);
    let models = target.models.as_ref().ok_or_else(|| unset("models"))?;
    let known = cards(site, &from.host);
    if target.gpu.is_none() && !known.is_empty() {
        return Err(unset("gpu"));
    }
    let silent = |words: String| Finding::unknown(words::engine_silent(&words));
    let watch = site.watch(&from.id).map_err(|e| silent(e.message))?;
    let engine = watch.host.engine().ok_or_else(|| silent(String::new()))?;
    let side = side_of(&engine).await.map_err(|e| silent(e.to_string()))?;
    let (layout, layout_known) = layout_of(&image);
    let project = project_of(to.as_str());
    let (mut notes, mut refused) = (Vec::new(), Vec::new());
    let in_engine = |path: &Path, refused: &mut Vec<Words>| {
        let path = path.display().to_string();
        engine_path(&path, side).unwrap_or_else(|| {
            refused.push(words::no_path_there(&path));
            path
        })
    };
    let models = place(site, models);
    if side == EngineSide::Here
        && engine.resolved().endpoint.is_local()
        && models.try_exists().is_ok_and(|there| !there)
    {
        refused.push(words::no_models(&models.display().to_string()));
    }
    let models = in_engine(&models, &mut refused);
    let (mut paths, mut model_paths) = (None, None);
    if let Some(said) = &target.extra_model_paths {
        let here = place(site, said);
        let inside = format!("{}/extra_model_paths.yaml", layout.root);
        model_paths = Some((in_engine(&here, &mut refused), inside));
        if here.try_exists().is_ok_and(|there| !there) {
            paths = Some((here, NO_PATHS.to_owned()));
        }
    }
    if !layout_known {
        notes.push(words::layout_assumed(&layout.root));
    }
    let arguments = layout.arguments.filter(|_| layout_known);
    let address = if engine.resolved().endpoint.is_local() {
        "127.0.0.1"
    } else {
        notes.push(words::open_port(port));
        "0.0.0.0"
    };
    let beside = Beside {
        service: to.as_str().to_owned(),
        container: project.clone(),
        project,
        image: named.trim().to_owned(),
        address: address.to_owned(),
        port,
        port_inside: layout.port,
        gpu: target
            .gpu
            .clone()
            .filter(is_card)
            .map_or(GpuWish::None, GpuWish::Card),
        models: Some(models),
        model_paths,
        volumes: KEPT
            .iter()
            .map(|name| Volume {
                name: (*name).to_owned(),
                target: format!("{}/{name}", layout.root),
            })
            .collect(),
        environment: arguments
            .map(|variable| (variable, "--preview-method auto".to_owned()))
            .into_iter()
            .collect(),
    };
    if let Some(other) = site.service(&to)
        && other.container != beside.container
    {
        refused.push(words::service_exists(to.as_str(), &other.container));
    }
    let file_before = read(&file, &mut refused);
    let mut neighbours = engine
        .neighbours(&known)
        .await
        .map_err(|e| silent(e.to_string()))?;
    neighbours.extend(declared(site, &to, &mut notes));
    let there = (!known.is_empty()).then_some(known.as_slice());
    for conflict in conflicts(&beside, &neighbours, there) {
        let list = if conflict.refuses() {
            &mut refused
        } else {
            &mut notes
        };
        list.push(words::conflict(&conflict));
    }
    let card = target.gpu.as_ref();
    let card = card.and_then(|card| known.iter().position(|known| known == card));
    Ok(Planned {
        file_after: beside.to_yaml(),
        beside,
        to,
        from,
        engine,
        card: card.and_then(|card| u32::try_from(card).ok()),
        file,
        file_before,
        paths,
        notes,
        refused,
    })
}

/// A path as the plan says it. One of Windows is whole, whatever machine this is.
fn place(site: &Site, said: &str) -> PathBuf {
    let bytes = said.as_bytes();
    let drive = bytes.len() > 1 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':';
    if drive || said.starts_with(r"\\") {
        PathBuf::from(said)
    } else {
        site.path(said)
    }
}

async fn side_of(engine: &Engine) -> Result<EngineSide, crate::docker::DockerError> {
    if !cfg!(windows) || engine.is_desktop().await? {
        return Ok(EngineSide::Here);
    }
    Ok(EngineSide::Wsl)
}

/// The file as it is. One that somebody else wrote is not replaced.
fn read(file: &Path, refused: &mut Vec<Words>) -> Option<String> {
    let shown = file.display().to_string();
    match files::read_limited(file, MAX_FILE) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            refused.push(words::unreadable(&shown, &error.to_string()));
            None
        }
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) if is_ours(&text) => Some(text),
            _ => {
                refused.push(words::foreign_file(&shown));
                None
            }
        },
    }
}

/// What the compose files of the other services declare: what is stopped or gone holds no port yet.
fn declared(site: &Site, to: &ServiceId, notes: &mut Vec<Words>) -> Vec<Neighbour> {
    let settings = site.settings();
    let mut found = Vec::new();
    for service in settings.services.iter().filter(|s| s.id != *to) {
        let Some(file) = &service.compose_file else {
            continue;
        };
        let read = files::read_limited(Path::new(file), MAX_FILE)
            .map_err(|error| error.to_string())
            .and_then(|bytes| String::from_utf8(bytes).map_err(|error| error.to_string()))
            .and_then(|text| read_compose(&text).map_err(|problem| problem.to_string()));
        let compose = match read {
            Ok(compose) => compose,
            Err(why) => {
                notes.push(words::compose_unread(file, &why));
                continue;
            }
        };
        for declared in compose.services {
            if let Some(unresolved) = declared.unresolved.first() {
                notes.push(words::unresolved(file, unresolved.line, &unresolved.what));
            }
            found.push(Neighbour {
                name: format!("{} ({file})", declared.name),
                names: declared.container_name.into_iter().collect(),
                ports: declared.ports.iter().filter_map(|port| port.host).collect(),
                compose: None,
                // Its container says the same, and is told already.
                cards: Vec::new(),
                ours: false,
            });
        }
    }
    found
}
