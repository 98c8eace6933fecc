//! Restores for those outside: shown first, then done, proved, and taken back.

use std::{io, sync::Arc, time::Duration};

use forgekeeper_domain::{
    action::{Action, Refusal, RestartTarget},
    config::{
        ContainerRef, FileName, Prepared, Present, PresentState, RestoreFacts, RestorePlan,
        RestoreScope, Write, prepare,
    },
    container::RunState,
    error::{ErrorCode, ErrorInfo},
    facts::{Busy, ContainerFact, ProgramFact, SupervisorState},
    ids::{JobId, ServiceId, SnapshotId},
    job::JobKind,
    service::kind,
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::{KeeperHandle, shared};
use crate::{
    config::{
        collect::{self, Got},
        restores::{Marked, hash},
    },
    jobs::{
        act,
        restore::{Where, Writer, changed, deed},
    },
    keeper::{doors, handle::new_job},
    program,
    sys::clock,
    watch::service::ServiceWatch,
};

mod carry_out;

/// How long the present state may take to be read. The API is not asked for it.
const LOOK: Duration = Duration::from_secs(30);

/// A restore as it is shown before it is done.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct RestoreView {
    /// What will be written, and what stays.
    #[serde(flatten)]
    pub plan: RestorePlan,
    /// It takes back an earlier restore.
    pub undo: bool,
    /// What is stopped meanwhile and started again; `None` when nothing has to be.
    pub stops: Option<RestartTarget>,
    /// Work that would be lost, as far as known.
    pub interrupts: Option<Busy>,
    /// Whether that was measured; otherwise a generation may be running and be lost.
    pub interrupts_known: bool,
    /// Equivalent commands.
    pub runs: Vec<String>,
    /// Why it will not be done, in the order they were found.
    pub refusals: Vec<Refusal>,
    /// Stands for exactly this plan and exactly what is there now; a restore is asked for with it.
    pub token: String,
}

/// What is to be restored.
#[derive(Debug, Clone)]
struct Order {
    snapshot: SnapshotId,
    scope: RestoreScope,
    undo: bool,
}

/// A plan with everything that is needed to do it.
struct Ready {
    view: RestoreView,
    writes: Vec<Write>,
    place: Where,
    writer: Option<Writer>,
    watch: ServiceWatch,
}

impl KeeperHandle {
    /// What a restore would do. Nothing is changed.
    pub async fn restore_plan(
        &self,
        snapshot: &SnapshotId,
        scope: &RestoreScope,
    ) -> Result<RestoreView, ErrorInfo> {
        let order = Order {
            snapshot: snapshot.clone(),
            scope: scope.clone(),
            undo: false,
        };
        Ok(Box::pin(self.ready_to_restore(&order)).await?.view)
    }

    /// What it would take to take the last restore of a service back. Nothing is changed.
    pub async fn restore_undo_plan(&self, service: &ServiceId) -> Result<RestoreView, ErrorInfo> {
        let order = self.undo_order(service)?;
        Ok(Box::pin(self.ready_to_restore(&order)).await?.view)
    }

    /// Does what was shown under this token; refused when what is there is not that any more. It goes
    /// on when the handle is dropped. `force` accepts lost work.
    pub async fn restore(
        &self,
        snapshot: &SnapshotId,
        scope: &RestoreScope,
        token: &str,
        force: bool,
    ) -> Result<JobId, ErrorInfo> {
        let order = Order {
            snapshot: snapshot.clone(),
            scope: scope.clone(),
            undo: false,
        };
        Box::pin(self.begin_restore(order, token, force)).await
    }

    /// Takes the last restore of a service back, as it was shown under this token.
    pub async fn restore_undo(
        &self,
        service: &ServiceId,
        token: &str,
        force: bool,
    ) -> Result<JobId, ErrorInfo> {
        let order = self.undo_order(service)?;
        Box::pin(self.begin_restore(order, token, force)).await
    }

    fn undo_order(&self, service: &ServiceId) -> Result<Order, ErrorInfo> {
        self.check_known(service)?;
        let last = self.inner.config.restores.last(service);
        let last = last.map_err(|error| marker_trouble(&error))?;
        let Some(last) = last else {
            let words = format!("nothing was restored on `{service}` that could be taken back");
            return Err(ErrorInfo::new(ErrorCode::BadRequest, words));
        };
        let files = last.files.into_iter().map(|file| FileName {
            part: file.part,
            path: Some(file.path),
        });
        Ok(Order {
            snapshot: last.before,
            scope: RestoreScope::Files {
                files: files.collect(),
            },
            undo: true,
        })
    }

    async fn ready_to_restore(&self, order: &Order) -> Result<Ready, ErrorInfo> {
        let snapshot = self.inner.config.get(&order.snapshot).await?;
        let service = snapshot.service.clone();
        let watch = self.watch(&service)?;
        if watch.settings.kind != snapshot.kind {
            let words = format!("`{service}` is of another kind than when the snapshot was taken");
            return Err(ErrorInfo::new(ErrorCode::Refused, words));
        }
        let deadline = Instant::now() + LOOK;
        let mut subject = self.subject(&service, &watch, deadline).await;
        subject.api = None;
        let scope = &order.scope;
        let wanted = |part| match scope {
            RestoreScope::All => true,
            RestoreScope::Files { files } => files.iter().any(|file| file.part == part),
            RestoreScope::Key { file, .. } => file.part == part,
        };
        let sharing = self.sharers(&watch, deadline);
        let collecting = collect::collect_some(&subject, wanted);
        let (collected, others) = tokio::join!(collecting, sharing);
        let container = collected.recipe.as_ref().map(|recipe| ContainerRef {
            shared_with: shared(recipe, &others),
            ..ContainerRef::of(recipe)
        });
        let contents = snapshot.items.iter();
        let contents = contents.filter_map(|item| item.state.content().cloned());
        let bytes = self.inner.config.bytes(contents.collect()).await?;
        let present = collected.found.into_iter().map(|found| Present {
            part: found.part,
            path: found.path,
            state: match found.got {
                Got::Bytes(read) => PresentState::Bytes(read.bytes),
                Got::Absent => PresentState::Absent,
                Got::NotReadable { why, words } => PresentState::NotReadable(why, words),
            },
        });
        let present: Vec<Present> = present.collect();
        let (id, scope, undo) = (order.snapshot.clone(), order.scope.clone(), order.undo);
        // Comparing megabytes holds nobody else up.
        let prepared = tokio::task::spawn_blocking(move || {
            let facts = RestoreFacts {
                id: &id,
                snapshot: &snapshot,
                bytes: &bytes,
                present: &present,
                container: container.as_ref(),
                at: clock::now(),
                undo,
            };
            prepare(&scope, &facts)
        });
        let Prepared { plan, writes } = prepared.await.map_err(|error| {
            ErrorInfo::new(ErrorCode::Internal, "a task ended unexpectedly")
                .detail(error.to_string())
        })?;
        let place = Where {
            places: collected.places,
            program: collected.program,
        };
        self.with_writer(order, plan, writes, place, watch).await
    }

    /// Adds who has to be stopped, and what that interrupts.
    async fn with_writer(
        &self,
        order: &Order,
        plan: RestorePlan,
        writes: Vec<Write>,
        place: Where,
        watch: ServiceWatch,
    ) -> Result<Ready, ErrorInfo> {
        let service = plan.service.clone();
        let (writer, refusal) = if plan.stops_writer() {
            writer(&watch).await
        } else {
            (None, None)
        };
        let mut view = RestoreView {
            token: token(order, &plan, &writes),
            plan,
            undo: order.undo,
            stops: writer.as_ref().map(|writer| writer.target),
            interrupts: None,
            interrupts_known: true,
            runs: Vec::new(),
            refusals: refusal.into_iter().collect(),
        };
        if let Some(writer) = &writer {
            let action = Action::Restart {
                target: writer.target,
            };
            let measured = self.activity_now(&service, &watch).await;
            let restart = self.plan_knowing(&service, action, measured)?;
            view.interrupts = restart.interrupts;
            view.interrupts_known = restart.interrupts_known;
            // Of the program it was just asked.
            let told = restart.refusals.into_iter();
            view.refusals
                .extend(told.filter(|refusal| *refusal != Refusal::NoProgram));
        } else if self.inner.jobs.acting_on(&service) {
            view.refusals.push(Refusal::AlreadyActing);
        }
        view.runs = runs(&view.plan, writer.as_ref());
        Ok(Ready {
            view,
            writes,
            place,
            writer,
            watch,
        })
    }

    async fn begin_restore(
        &self,
        order: Order,
        token: &str,
        force: bool,
    ) -> Result<JobId, ErrorInfo> {
        let service = self.inner.config.get(&order.snapshot).await?.service;
        self.settle_before(&service).await?;
        let ready = self.ready_to_restore(&order).await?;
        if ready.view.token != token {
            let first = ready.view.plan.files.first();
            return Err(changed(first.map_or("what is there", |file| &file.path)));
        }
        if ready.writes.is_empty() {
            return Err(nothing(&ready.view.plan));
        }
        let mut refusals = ready.view.refusals.iter();
        if let Some(refusal) = refusals.find(|refusal| !(force && refusal.forceable())) {
            return Err(doors::refused_because(&service, *refusal, &ready.view.runs));
        }
        let mut job = new_job(JobKind::Restore, service.clone(), None)?;
        // What is half written is worse than either.
        job.cancellable = false;
        let run = self.inner.jobs.begin(job, self.inner.reports.clone())?;
        let marker = self.mark(&order, &ready)?;
        let job = run.job.id.clone();
        run.show().await;
        let handle = self.clone();
        let name = "restore";
        self.inner.tasks.spawn(name, async move {
            Box::pin(handle.carry_out(run, order, ready, marker)).await;
        });
        Ok(job)
    }
}

/// Who writes the files of a service, when it runs; or why it cannot be told to stop.
async fn writer(watch: &ServiceWatch) -> (Option<Writer>, Option<Refusal>) {
    let view = Arc::clone(&watch.host.view().borrow());
    let fact = view.container_fact(&watch.settings.container);
    let state = match fact.map(|fact| fact.value) {
        Some(ContainerFact::Present(container)) => container.state,
        Some(ContainerFact::Missing { .. }) => return (None, Some(Refusal::ContainerMissing)),
        Some(ContainerFact::NotMeasurable { .. }) | None => {
            return (None, Some(Refusal::StateUnknown));
        }
    };
    let engine = watch.host.engine();
    let Some((engine, container)) = engine.zip(watch.host.real_name(&watch.settings.container))
    else {
        return (None, Some(Refusal::EngineNotAnswering));
    };
    let program = kind(watch.settings.kind).program();
    let target = match state {
        RunState::Created | RunState::Exited => return (None, None),
        RunState::Paused => return (None, Some(Refusal::ContainerPaused)),
        RunState::Removing | RunState::Dead => return (None, Some(Refusal::ContainerDead)),
        RunState::Restarting => RestartTarget::Container,
        RunState::Running => match program {
            None => RestartTarget::Container,
            Some(name) => match program::program_status(&engine, &container, name).await {
                ProgramFact::Supervised { state, .. } => match state {
                    // What does not run writes nothing, and nobody asked for it to run.
                    SupervisorState::Stopped | SupervisorState::Exited | SupervisorState::Fatal => {
                        return (None, None);
                    }
                    _ => RestartTarget::Program,
                },
                _ => RestartTarget::Container,
            },
        },
    };
    let writer = Writer {
        engine,
        container,
        program,
        target,
    };
    (Some(writer), None)
}

pub(super) fn marked(write: &Write) -> Marked {
    Marked {
        part: write.part,
        path: write.path.clone(),
        deed: deed(write),
        before: hash(write.before.as_deref()),
        after: hash(write.after.as_deref()),
    }
}

/// Stands for what is written over what.
fn token(order: &Order, plan: &RestorePlan, writes: &[Write]) -> String {
    let files: Vec<Marked> = writes.iter().map(marked).collect();
    let text = serde_json::json!([plan.service, order.snapshot, order.undo, order.scope, files]);
    let hash = Sha256::digest(text.to_string().as_bytes());
    hash.iter().fold(String::new(), |mut text, byte| {
        use std::fmt::Write as _;
        // Writing into a text never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What it comes down to, as commands.
fn runs(plan: &RestorePlan, writer: Option<&Writer>) -> Vec<String> {
    let files = plan.files.iter().map(|file| {
        let verb = match file.deed {
            forgekeeper_domain::config::Deed::Remove => "remove",
            _ => "write",
        };
        format!("{verb} {}", file.path)
    });
    let Some(writer) = writer else {
        return files.collect();
    };
    let name = &writer.container;
    let [stop, start] = match writer.target {
        RestartTarget::Program => ["stop", "start"].map(|verb| {
            let program = writer.program.unwrap_or("?");
            format!("docker exec {name} supervisorctl {verb} {program}")
        }),
        RestartTarget::Container => [
            format!("docker stop --time {} {name}", act::STOP_TIMEOUT_S),
            format!("docker start {name}"),
        ],
    };
    std::iter::once(stop)
        .chain(files)
        .chain(std::iter::once(start))
        .collect()
}

fn nothing(plan: &RestorePlan) -> ErrorInfo {
    let words = match plan.left.first() {
        None => "everything is as the snapshot has it already".to_owned(),
        Some(_) => "nothing of what was asked for can be put back".to_owned(),
    };
    ErrorInfo::new(ErrorCode::Refused, words).hint("The plan says why for each part.")
}

pub(super) fn under_way(service: &ServiceId) -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::Refused,
        format!("another restore of `{service}` is under way"),
    )
    .hint("Wait for its end.")
}

pub(super) fn marker_trouble(error: &io::Error) -> ErrorInfo {
    let words = "what restores leave beside the snapshots could not be read or written";
    ErrorInfo::new(ErrorCode::Io, words).detail(error.to_string())
}
