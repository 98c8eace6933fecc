//! Makes what was planned. Each piece is remembered before it is made.

use std::{ffi::OsStr, path::Path, time::Duration};

use forgekeeper_domain::{
    container::RunState,
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
    ladder::Rung,
    migration::{Deed, Found},
    outcome::Status,
    service::KindId,
};
use sha2::{Digest, Sha256};

use super::{Made, Written, latency, plan, plan::Planned, words};
use crate::{
    docker::make::{Origin, PullProgress, Pulled},
    migration::{RefusedBy, Site, StepRun},
    settings::ServiceSettings,
    state::KeeperState,
    sys::{clock, files, outputs},
};

/// What the container may take to end.
pub(super) const GRACE_S: u32 = 30;
/// A first start may fetch ComfyUI and everything it stands on.
const PROOF: Duration = Duration::from_mins(45);
/// How long compose may read a file.
const COMPOSE: Duration = Duration::from_secs(20);
/// For so long after the start nothing has ended for good: the watcher sees the run before it.
const SETTLE: Duration = Duration::from_secs(5);

pub(super) async fn run(site: &Site, run: &StepRun) -> Result<Deed, ErrorInfo> {
    let planned = Box::pin(plan::planned(site))
        .await
        .map_err(|finding| ErrorInfo::from(RefusedBy(finding)))?;
    if !planned.refused.is_empty() {
        let why: Vec<&str> = planned.refused.iter().map(|w| w.en.as_str()).collect();
        return Err(ErrorInfo::new(ErrorCode::Refused, why.join(" ")));
    }
    let mut made: Made = run.remembered().unwrap_or_default();
    run.say(words::measuring(), None);
    // A run that was cut short has loaded the host already: what was measured before it counts.
    if made.beside.is_none() {
        made.latency_before = latency::of(site, &planned.from).await;
    }
    made.latency_after = None;
    write_files(&planned, run, &mut made).await?;
    pull(&planned, run).await?;
    make(&planned, run, &mut made).await?;
    add_service(site, &planned, run, &mut made).await?;
    wait_until_green(site, run, &planned.to).await?;
    made.latency_after = latency::of(site, &planned.from).await;
    run.remember(&made).await?;
    let judged = latency::judge(made.latency_before, made.latency_after);
    let beside = &planned.beside;
    let mut deed = Deed::default()
        .after("container", &beside.container)
        .after("image", &beside.image)
        .after("compose_file", planned.file.display())
        .after("service", &planned.to)
        .after("forge_unharmed", judged.found == Found::Proved);
    if let Some(before) = made.latency_before {
        deed = deed.before("forge_latency_ms", before);
    }
    if let Some(after) = made.latency_after {
        deed = deed.after("forge_latency_ms", after);
    }
    Ok(deed)
}

async fn write_files(planned: &Planned, run: &StepRun, made: &mut Made) -> Result<(), ErrorInfo> {
    run.say(words::writing(), None);
    // The same text again is what an earlier run wrote: what stood there before it stays remembered.
    let again = made
        .compose
        .as_ref()
        .is_some_and(|written| planned.file_before.as_deref() == Some(written.after.as_str()));
    made.compose = Some(Written {
        path: planned.file.display().to_string(),
        before: if again {
            made.compose.take().and_then(|written| written.before)
        } else {
            planned.file_before.clone()
        },
        after: planned.file_after.clone(),
    });
    if let Some((path, text)) = &planned.paths {
        made.paths = Some(Written {
            path: path.display().to_string(),
            before: None,
            after: text.clone(),
        });
    }
    made.host = Some(planned.from.host.as_str().to_owned());
    made.beside = Some(planned.beside.clone());
    run.remember(made).await?;
    if let Some((path, text)) = &planned.paths {
        write(path, text)?;
    }
    write(&planned.file, &planned.file_after)?;
    run.say(words::asking_compose(), None);
    if let Some(objection) = compose_objects(&planned.file).await {
        return Err(ErrorInfo::new(
            ErrorCode::Refused,
            "`docker compose config` does not accept the file",
        )
        .hint("Take the step back, and correct `[target]` in migration.toml.")
        .detail(objection));
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), ErrorInfo> {
    files::write_atomic(path, text.as_bytes()).map_err(|error| {
        let code = match error.kind() {
            std::io::ErrorKind::StorageFull => ErrorCode::DiskFull,
            std::io::ErrorKind::PermissionDenied => ErrorCode::NotAllowed,
            _ => ErrorCode::Io,
        };
        ErrorInfo::new(code, format!("`{}` could not be written", path.display()))
            .detail(error.to_string())
    })
}

/// What compose says against the file; `None` also where there is no compose to ask.
async fn compose_objects(file: &Path) -> Option<String> {
    let word = OsStr::new;
    let version = [word("compose"), word("version")];
    let there = outputs::run("docker", &version, COMPOSE).await;
    if !there.is_ok_and(|ended| ended.code == Some(0)) {
        return None;
    }
    let arguments = [
        word("compose"),
        word("--file"),
        file.as_os_str(),
        word("config"),
        word("--quiet"),
    ];
    let ended = outputs::run("docker", &arguments, COMPOSE).await.ok()?;
    (ended.code != Some(0)).then(|| crate::docker::error::shortened(&ended.words))
}

async fn pull(planned: &Planned, run: &StepRun) -> Result<(), ErrorInfo> {
    let image = &planned.beside.image;
    let there = planned.engine.has_image(image).await;
    if there.map_err(|error| error.to_info())? {
        return Ok(());
    }
    run.say(words::pulling(), None);
    let tell = |progress: PullProgress| {
        let percent = (progress.done * 100).checked_div(progress.total);
        let percent = percent.and_then(|percent| u8::try_from(percent.min(100)).ok());
        run.say(words::pulling(), percent);
    };
    match planned.engine.pull(image, &run.cancel, tell).await {
        Ok(Pulled::Done) => Ok(()),
        Ok(Pulled::Cancelled) => Err(StepRun::cancelled()),
        Err(error) => Err(error.to_info()),
    }
}

async fn make(planned: &Planned, run: &StepRun, made: &mut Made) -> Result<(), ErrorInfo> {
    run.go_on()?;
    run.say(words::making(), None);
    let (engine, beside) = (&planned.engine, &planned.beside);
    let told = |error: crate::docker::DockerError| error.to_info();
    // One that an earlier run left may be made from another plan.
    match engine.made_by(&beside.container).await.map_err(told)? {
        Origin::Absent => {}
        Origin::Ours => {
            engine
                .remove_made(&beside.container, GRACE_S)
                .await
                .map_err(told)?;
        }
        Origin::Foreign => {
            return Err(ErrorInfo::new(
                ErrorCode::Refused,
                format!(
                    "there is a container `{}` of somebody else",
                    beside.container
                ),
            ));
        }
    }
    run.remember(made).await?;
    engine.make_network(beside).await.map_err(told)?;
    engine.make_volumes(beside).await.map_err(told)?;
    let file = planned.file.display().to_string();
    let folder = planned.file.parent().unwrap_or_else(|| Path::new("."));
    let hash = hex::encode(Sha256::digest(planned.file_after.as_bytes()));
    let labels = beside.labels(&file, &folder.display().to_string(), &hash);
    engine.make_container(beside, labels).await.map_err(told)?;
    run.go_on()?;
    run.say(words::starting(), None);
    engine.start(&beside.container).await.map_err(told)
}

async fn add_service(
    site: &Site,
    planned: &Planned,
    run: &StepRun,
    made: &mut Made,
) -> Result<(), ErrorInfo> {
    made.service = Some(planned.to.as_str().to_owned());
    run.remember(made).await?;
    let host = planned.engine.resolved().endpoint.published_host();
    site.keeper().put_service(ServiceSettings {
        id: planned.to.clone(),
        kind: KindId::Comfyui,
        host: planned.from.host.clone(),
        container: planned.beside.container.clone(),
        api: Some(format!("http://{host}:{}", planned.beside.port)),
        public_url: None,
        declared_gpu: planned.card,
        compose_file: Some(planned.file.display().to_string()),
        workspace: None,
    })
}

/// Waits for the ladder, as measured since the container was started: before that it may be that of
/// the container whose place it took. A container that has ended proves that it will not come.
async fn wait_until_green(site: &Site, run: &StepRun, to: &ServiceId) -> Result<(), ErrorInfo> {
    let mut state = site.keeper().state();
    let (begun, since) = (tokio::time::Instant::now(), clock::now());
    let ended = |state: &KeeperState| -> Option<Result<(), ErrorInfo>> {
        let service = state.services.iter().find(|service| service.id == *to)?;
        let fresh = |rung: Rung| {
            let outcome = service.ladder.outcome(rung);
            outcome.is_some_and(|outcome| outcome.checked_at.is_some_and(|at| at >= since))
        };
        if service.status == Status::Ok && fresh(Rung::Container) && fresh(Rung::Api) {
            return Some(Ok(()));
        }
        let container = service.container.as_ref()?;
        let over = matches!(container.state, RunState::Exited | RunState::Dead);
        (over && begun.elapsed() > SETTLE).then(|| {
            Err(ErrorInfo::new(
                ErrorCode::NotProved,
                "the container ended before it answered",
            )
            .hint("Look into its log, then take the step back or do it again.")
            .detail(container.error.clone().unwrap_or_default()))
        })
    };
    let deadline = tokio::time::sleep(PROOF);
    tokio::pin!(deadline);
    loop {
        let end = ended(&state.borrow_and_update());
        if let Some(end) = end {
            return end;
        }
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return Err(StepRun::cancelled()) },
            () = run.cancel.cancelled() => return Err(StepRun::cancelled()),
            () = &mut deadline => {
                return Err(ErrorInfo::new(
                    ErrorCode::NotProved,
                    "the target did not become green in time",
                )
                .hint("Look into its log: a first start fetches much."));
            }
        }
    }
}
