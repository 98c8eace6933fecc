//! Takes back what was made, in the opposite order. What others changed since stays.

use std::path::Path;

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
    migration::Deed,
};

use super::{Made, Written, deed::GRACE_S, words};
use crate::{
    migration::{Site, StepRun},
    sys::files,
};

/// Largest file that is read before it is taken away.
const MAX_FILE: u64 = 1024 * 1024;

pub(super) async fn undo(site: &Site, run: &StepRun) -> Result<Deed, ErrorInfo> {
    let made: Made = run.remembered().unwrap_or_default();
    let mut deed = Deed::default();
    if let Some(service) = &made.service {
        let id = ServiceId::new(service.clone())
            .map_err(|error| ErrorInfo::new(ErrorCode::Internal, error.to_string()))?;
        let ours = made.beside.as_ref().map(|beside| &beside.container);
        // One that somebody gave another container since is not this step's any more.
        if site
            .service(&id)
            .is_some_and(|is| Some(&is.container) == ours)
        {
            site.keeper().take_service(&id)?;
            deed = deed.before("service", service);
        }
    }
    if let Some(beside) = &made.beside {
        run.say(words::stopping(), None);
        let from = site.target().from.as_ref();
        let watch = from.map(|from| site.watch(from));
        let engine = watch.and_then(Result::ok).and_then(|w| w.host.engine());
        let engine = engine.ok_or_else(|| {
            ErrorInfo::new(ErrorCode::Engine, "the engine does not answer")
                .hint("Start Docker, then take the step back again.")
        })?;
        let removed = engine.remove_made(&beside.container, GRACE_S).await;
        if removed.map_err(|error| error.to_info())? {
            deed = deed.before("container", &beside.container);
        }
        let removed = engine.remove_network(beside).await;
        removed.map_err(|error| error.to_info())?;
        let kept = beside.volumes.iter().map(|v| beside.volume_name(v));
        deed = deed.after("volumes_kept", kept.collect::<Vec<_>>().join(", "));
    }
    for written in made.compose.iter().chain(&made.paths) {
        let what = if restore(written)? {
            "restored"
        } else {
            "left"
        };
        deed = deed.after(what, &written.path);
    }
    run.remember(&Made::default()).await?;
    Ok(deed)
}

/// Puts a file back; `false`: somebody changed it since, and it stays.
fn restore(written: &Written) -> Result<bool, ErrorInfo> {
    let path = Path::new(&written.path);
    let told = |error: std::io::Error| {
        ErrorInfo::new(
            ErrorCode::Io,
            format!("`{}` could not be put back", written.path),
        )
        .detail(error.to_string())
    };
    match files::read_limited(path, MAX_FILE) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(told(error)),
        Ok(bytes) if bytes != written.after.as_bytes() => return Ok(false),
        Ok(_) => {}
    }
    match &written.before {
        Some(before) => files::write_atomic(path, before.as_bytes()).map_err(told)?,
        None => files::remove(path).map_err(told)?,
    }
    Ok(true)
}
