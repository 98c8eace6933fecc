//! Who plays in the demo host: two Forge services and a ComfyUI candidate.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{DemoOptions, history, port};
use crate::comfyui::{Comfy, ComfySpec};
use crate::docker::{ContainerSpec, Devices, Published, Work};
use crate::forge::{FORGE_ARGS, Forge, ForgeSpec};
use crate::logbook::Logbook;
use crate::shelf::Shelf;
use crate::site::{Site, SiteError, SiteService};

const FORGE_IMAGE: &str = "ghcr.io/ai-dock/stable-diffusion-webui-forge:latest-cuda";

struct Role {
    id: &'static str,
    container: &'static str,
    /// One each: two programs on one settings file lose each other's changes.
    workspace: &'static str,
    port: u16,
    card: usize,
    checkpoints: &'static [&'static str],
    step_ms: f64,
    model_mib: u64,
}

const FORGES: &[Role] = &[
    Role {
        id: "myia-turbo",
        container: "myia-turbo-supervisor-1",
        workspace: "/home/jesse/SD/workspace",
        port: 17_861,
        card: 1,
        checkpoints: &[
            "sd_xl_turbo_1.0_fp16.safetensors",
            "dreamshaperXL_v21TurboDPMSDE.safetensors",
            "flux/flux1-schnell-fp8.safetensors",
        ],
        step_ms: 110.0,
        model_mib: 6_940,
    },
    Role {
        id: "myia",
        container: "myia-supervisor-1",
        workspace: "/home/jesse/SD/myia-workspace",
        port: 36_525,
        card: 0,
        checkpoints: &[
            "sd_xl_base_1.0.safetensors",
            "dreamshaper_8.safetensors",
            "juggernautXL_v9.safetensors",
        ],
        step_ms: 165.0,
        model_mib: 6_890,
    },
];

/// What the administrator has changed over the months.
fn own_settings() -> Vec<(String, serde_json::Value)> {
    vec![
        (
            "samples_filename_pattern".into(),
            "[datetime]-[seed]".into(),
        ),
        ("forge_inference_memory".into(), 2048.0.into()),
        ("forge_preset".into(), "all".into()),
    ]
}

fn environment(role: &Role, args: &str) -> Vec<String> {
    vec![
        "PATH=/opt/ai-dock/bin:/usr/local/nvidia/bin:/usr/local/cuda/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into(),
        format!("FORGE_ARGS={args}"),
        "WORKSPACE=/workspace".into(),
        "WEB_ENABLE_AUTH=true".into(),
        "WEB_USER=admin".into(),
        "WEB_PASSWORD=demo-password".into(),
        "CF_QUICK_TUNNELS=false".into(),
        "XPU_TARGET=NVIDIA_GPU".into(),
        format!("NVIDIA_VISIBLE_DEVICES={}", role.card),
    ]
}

/// Fills the site; the containers have been up for 21 hours.
pub(super) fn people(
    site: &mut Site,
    options: &DemoOptions,
    shelf: &Shelf,
) -> Result<(), SiteError> {
    let now = Timestamp::now();
    let started = now - SignedDuration::from_mins(21 * 60 - 3);
    let created = now - SignedDuration::from_hours(24 * 47);
    let open = |what: &str| {
        let what = format!("API port of {what}");
        move |source| SiteError::Open { what, source }
    };
    let args = options.forge_args.as_deref().unwrap_or(FORGE_ARGS);
    for role in FORGES {
        let log = Arc::new(Logbook::new(role.id, site.faults.clone()));
        let spec = ForgeSpec {
            build: options.build,
            checkpoints: role.checkpoints.iter().map(|c| (*c).to_owned()).collect(),
            auth: options.auth.clone(),
            card: role.card,
            step_ms: role.step_ms,
            model_mib: role.model_mib,
            args: args.to_owned(),
            settings: own_settings(),
            ..ForgeSpec::plain(role.id)
        };
        let forge = Forge::new(
            spec,
            site.pace,
            site.faults.clone(),
            site.gpus.clone(),
            Arc::clone(&log),
            site.tasks.clone(),
        );
        let api = forge
            .serve(port(options.ports, role.port))
            .map_err(open(role.id))?;
        history::past_forge(&log, &forge, started);
        let project = role.container.trim_end_matches("-supervisor-1");
        let own = options.workspace.as_ref().filter(|_| role.id == "myia");
        let workspace = own.map_or_else(
            || role.workspace.to_owned(),
            |folder| folder.to_string_lossy().into_owned(),
        );
        let container = site.engine.add(ContainerSpec {
            service: role.id.into(),
            name: role.container.into(),
            image: FORGE_IMAGE.into(),
            compose: Some((project.into(), "supervisor".into())),
            labels: vec![(
                "org.opencontainers.image.source".into(),
                "https://github.com/ai-dock/stable-diffusion-webui-forge".into(),
            )],
            command: vec!["init.sh".into()],
            env: environment(role, args),
            ports: vec![Published {
                inner: 17_860,
                host: api,
            }],
            devices: Devices::Ids(vec![role.card.to_string()]),
            cards: vec![role.card],
            binds: vec![
                (workspace, "/workspace".into()),
                (
                    shelf.models(role.id).to_string_lossy().into_owned(),
                    "/workspace/stable-diffusion-webui-forge/models".into(),
                ),
            ],
            other_workspace: FORGES
                .iter()
                .find(|other| other.id != role.id)
                .map(|other| other.workspace.into()),
            tty: false,
            work: Work::Forge(forge),
            log,
            network: None,
        });
        container.be_old(started, created);
        site.services.push(SiteService {
            id: role.id.into(),
            kind: "forge",
            api,
            card: role.card,
            container,
        });
    }
    let log = Arc::new(Logbook::new("comfyui", site.faults.clone()));
    let comfy = Comfy::new(
        ComfySpec::plain("comfyui"),
        site.pace,
        site.faults.clone(),
        site.gpus.clone(),
        Arc::clone(&log),
        site.tasks.clone(),
    );
    let api = comfy
        .serve(port(options.ports, 8_188))
        .map_err(open("comfyui"))?;
    history::past_comfy(&log, &comfy, started);
    let container = site.engine.add(ContainerSpec {
        service: "comfyui".into(),
        name: "comfyui-candidate".into(),
        image: "yanwk/comfyui-boot:cu126-slim".into(),
        compose: None,
        labels: Vec::new(),
        command: vec!["bash".into(), "/runner-scripts/entrypoint.sh".into()],
        env: vec![
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into(),
            "CLI_ARGS=--preview-method auto".into(),
        ],
        ports: vec![Published {
            inner: 8_188,
            host: api,
        }],
        devices: Devices::Count(1),
        cards: vec![0],
        binds: vec![
            (
                shelf.comfyui().to_string_lossy().into_owned(),
                "/root".into(),
            ),
            (
                shelf.models("myia").to_string_lossy().into_owned(),
                "/forge-models/myia:ro".into(),
            ),
            (
                shelf.models("myia-turbo").to_string_lossy().into_owned(),
                "/forge-models/myia-turbo:ro".into(),
            ),
        ],
        other_workspace: None,
        tty: false,
        work: Work::Comfy(comfy),
        log,
        network: None,
    });
    container.be_old(
        started + SignedDuration::from_hours(2),
        created + SignedDuration::from_hours(900),
    );
    site.services.push(SiteService {
        id: "comfyui".into(),
        kind: "comfyui",
        api,
        card: 0,
        container,
    });
    Ok(())
}
