//! What is published for the demo host: the image that its migration leads to, and its source.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use super::{Ports, port};
use crate::registry::{Registry, Shelved, SourceRepository};
use crate::site::{Site, SiteError};

/// The image in its registry.
pub(super) const IMAGE: &str = "yanwk/comfyui-boot:cu126-slim";
/// Beside the candidate's own.
const FOUNDING_PORT: u16 = 8_189;

/// Opens the registry; the engine pulls from it.
pub(super) async fn open(site: &Site) -> Result<Arc<Registry>, SiteError> {
    let (repository, tag) = IMAGE.split_once(':').unwrap_or((IMAGE, "latest"));
    let image = Shelved {
        source: Some("https://github.com/YanWenKun/ComfyUI-Docker".into()),
        packs: vec![(
            "ComfyUI-Impact-Pack".into(),
            vec!["FaceDetailer".into(), "SAMLoader".into()],
        )],
        ..Shelved::plain(repository, tag, 9)
    };
    let source = SourceRepository {
        name: "YanWenKun/ComfyUI-Docker".into(),
        pushed_days_ago: 4,
        archived: false,
        rate_limited: false,
    };
    let registry = Registry::open(vec![image], vec![source], &site.tasks)
        .await
        .map_err(cannot("registry"))?;
    site.engine.pulls_from(&registry);
    Ok(registry)
}

/// A port that is free now: the target takes it when it is started.
pub(super) fn target_port(ports: Ports) -> Result<SocketAddr, SiteError> {
    let wanted = port(ports, FOUNDING_PORT);
    if wanted.port() != 0 {
        return Ok(wanted);
    }
    TcpListener::bind(wanted)
        .and_then(|listener| listener.local_addr())
        .map_err(cannot("port of the target"))
}

fn cannot(what: &str) -> impl FnOnce(std::io::Error) -> SiteError {
    let what = what.to_owned();
    move |source| SiteError::Open { what, source }
}
