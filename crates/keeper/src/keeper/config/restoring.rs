//! Restores for those outside: shown first, then done, proved, and taken back.

use std::{io, sync::Arc, time::Duration};

use forgekeeper_domain::{
    action::{Action, Refusal, RestartTarget},
    config::{
        ContainerRef, FileName, ItemState, Prepared, Present, PresentState, Reason, RestoreFacts,
        RestorePlan, RestoreReport, RestoreScope, Write, prepare,
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

use super::{KeeperHandle, SnapshotView, UNHURRIED, shared};
use crate::{
    config::{
        collect::{self, Got},
        restores::{Last, Marked, Marker, hash},
    },
    jobs::{
        JobRun, act,
        restore::{Stepped, Steps, Where, Writer, changed, deed, steps},
    },
    keeper::{doors, handle::new_job},
    program,
    store::journal::JournalEntry,
    sys::clock,
    watch::service::ServiceWatch,
};

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
        let (id, scope, removes) = (order.snapshot.clone(), order.scope.clone(), order.undo);
        // Comparing megabytes holds nobody else up.
        let prepared = tokio::task::spawn_blocking(move || {
            let facts = RestoreFacts {
                id: &id,
                snapshot: &snapshot,
                bytes: &bytes,
                present: &present,
                container: container.as_ref(),
                at: clock::now(),
                removes,
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

    /// From here on another program knows that this one is at it.
    fn mark(&self, order: &Order, ready: &Ready) -> Result<Marker, ErrorInfo> {
        let owner = self.inner.presence.claim();
        let owner = owner.map_err(|error| marker_trouble(&error))?.to_owned();
        let marker = Marker {
            owner,
            service: ready.view.plan.service.clone(),
            snapshot: order.snapshot.clone(),
            before: None,
            at: clock::now(),
            undo: order.undo,
            files: ready.writes.iter().map(marked).collect(),
            stops: ready.view.stops,
        };
        match self.inner.config.restores.begin(&marker) {
            Ok(()) => Ok(marker),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(under_way(&marker.service))
            }
            Err(error) => Err(marker_trouble(&error)),
        }
    }

    async fn carry_out(&self, mut run: JobRun, order: Order, ready: Ready, marker: Marker) {
        let service = run.job.service.clone();
        let runs = ready.view.runs.join("; ");
        let (stop, cancel) = (self.inner.tasks.token(), run.cancel.clone());
        let done = {
            let doing = self.do_restore(&mut run, &order, ready, marker);
            tokio::pin!(doing);
            tokio::select! {
                biased;
                // The wait for proof ends; the steps come to their end by themselves.
                () = stop.cancelled() => {
                    cancel.cancel();
                    doing.await
                }
                done = &mut doing => done,
            }
        };
        let error = match done {
            Ok((report, ended)) => {
                run.job.restored = Some(report);
                ended.err()
            }
            // Nothing was touched yet.
            Err(error) => {
                self.unmark(&service);
                self.note_restore(&service, format!("not restored: {error} ({runs})"), None)
                    .await;
                Some(error)
            }
        };
        let phase = act::phase_of(error.as_ref());
        run.end(phase, error).await;
    }

    /// Everything up to the proof. The outer error says that nothing was touched.
    async fn do_restore(
        &self,
        run: &mut JobRun,
        order: &Order,
        ready: Ready,
        mut marker: Marker,
    ) -> Result<(RestoreReport, Result<(), ErrorInfo>), ErrorInfo> {
        let service = run.job.service.clone();
        let before = self.keep_before(order, &ready).await?;
        marker.before = Some(before.clone());
        let restores = &self.inner.config.restores;
        restores
            .go_on(&marker)
            .map_err(|error| marker_trouble(&error))?;
        let Ready {
            view,
            writes,
            place,
            writer,
            watch,
        } = ready;
        let stop = self.inner.tasks.token();
        let work = Steps {
            writes: writes.clone(),
            place: place.clone(),
            writer,
            stop,
        };
        let mut task = self.inner.tasks.spawn("restore steps", steps(work));
        let mut stepped: Option<Stepped> = None;
        let proved = match view.stops {
            None => Ok(()),
            Some(target) => {
                let request = async {
                    let ended = ended(&mut task).await;
                    let result = result_of(&ended);
                    stepped = Some(ended);
                    result
                };
                let action = Action::Restart { target };
                Box::pin(act::pursue(run, &watch, action, Some(request))).await
            }
        };
        let mut stepped = match stepped {
            Some(stepped) => stepped,
            None => ended(&mut task).await,
        };
        watch.poke();
        let done = result_of(&stepped).and(proved);
        if view.stops.is_some() && stepped.written.is_ok() && done.is_ok() {
            for (file, write) in stepped.files.iter_mut().zip(&writes) {
                let now = place.now(write).await.ok();
                file.still = now.map(|now| now == write.after);
            }
        }
        let report = RestoreReport {
            service: service.clone(),
            snapshot: order.snapshot.clone(),
            before,
            undo: order.undo,
            at: marker.at,
            files: stepped.files.clone(),
            stopped: view.stops,
            started: stepped.started.as_ref().map(Result::is_ok),
        };
        if !stepped.untouched {
            self.remember_restore(&marker, &report).await;
        }
        if !stepped.cut {
            self.unmark(&service);
        }
        let text = told(&report, &view.plan, &done);
        let detail =
            serde_json::json!({ "report": report, "files": marker.files, "plan": view.plan.files });
        self.note_restore(&service, text, Some(detail)).await;
        Ok((report, done))
    }

    /// The snapshot of what is there now. Without the very bytes that will be replaced there would be
    /// no way back, and nothing is done.
    async fn keep_before(&self, order: &Order, ready: &Ready) -> Result<SnapshotId, ErrorInfo> {
        let service = &ready.view.plan.service;
        let verb = if order.undo {
            "undo of a restore"
        } else {
            "restore"
        };
        let note = Some(format!("{verb} from {}", order.snapshot));
        let SnapshotView { id, snapshot } =
            Box::pin(self.take(service, Reason::BeforeAction, note, UNHURRIED)).await?;
        let contents = snapshot.kept().map(|(_, content)| content.clone());
        let bytes = self.inner.config.bytes(contents.collect()).await?;
        for write in &ready.writes {
            let item = snapshot
                .items
                .iter()
                .find(|item| item.part == write.part && item.path == write.path);
            let kept = match item.map(|item| &item.state) {
                Some(ItemState::Absent) => None,
                Some(ItemState::Kept(content)) => match bytes.get(&content.address) {
                    Some(Ok(bytes)) => Some(bytes),
                    _ => return Err(no_way_back(&write.path)),
                },
                _ => return Err(no_way_back(&write.path)),
            };
            if kept != write.before.as_ref() {
                return Err(changed(&write.path));
            }
        }
        Ok(id)
    }

    /// What an undo needs. Its snapshot stays whatever its age, and that of the restore before goes as
    /// others do.
    pub(super) async fn remember_restore(&self, marker: &Marker, report: &RestoreReport) {
        let (vaults, service) = (&self.inner.config, &report.service);
        if let Ok(Some(former)) = vaults.restores.last(service)
            && former.before != report.before
        {
            // One that is gone need not be let go.
            let _ = vaults.pin(&former.before, false).await;
        }
        if let Err(error) = vaults.pin(&report.before, true).await {
            tracing::warn!(%error, "the snapshot before a restore may go with its age");
        }
        let last = Last {
            snapshot: report.snapshot.clone(),
            before: report.before.clone(),
            at: report.at,
            undo: report.undo,
            files: marker.files.clone(),
        };
        if let Err(error) = vaults.restores.put_last(service, &last) {
            tracing::error!(%error, "a restore cannot be taken back by one command");
        }
    }

    pub(super) fn unmark(&self, service: &ServiceId) {
        if let Err(error) = self.inner.config.restores.end(service) {
            tracing::error!(%error, "the mark of a restore stays behind");
        }
    }

    pub(super) async fn note_restore(
        &self,
        service: &ServiceId,
        text: String,
        detail: Option<serde_json::Value>,
    ) {
        let entry = JournalEntry {
            at: clock::now(),
            kind: "restore".to_owned(),
            subject: Some(service.as_str().to_owned()),
            text,
            detail,
        };
        if let Err(error) = self.inner.store.append_journal(entry).await {
            tracing::error!(%error, "a restore could not be written to the journal");
        }
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

async fn ended(task: &mut tokio::task::JoinHandle<Stepped>) -> Stepped {
    task.await.unwrap_or_else(|error| {
        let info = ErrorInfo::new(ErrorCode::Internal, "a defect ended a restore on its way");
        Stepped {
            files: Vec::new(),
            written: Err(info.detail(error.to_string())),
            started: None,
            untouched: false,
            cut: true,
        }
    })
}

fn result_of(stepped: &Stepped) -> Result<(), ErrorInfo> {
    stepped.written.clone()?;
    match &stepped.started {
        Some(Err(error)) => Err(ErrorInfo {
            message: format!(
                "the files were put back, but what was stopped did not start: {}",
                error.message
            ),
            ..error.clone()
        }),
        Some(Ok(())) | None => Ok(()),
    }
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

/// The end in words, for the journal.
fn told(report: &RestoreReport, plan: &RestorePlan, done: &Result<(), ErrorInfo>) -> String {
    let files: Vec<&str> = plan.files.iter().map(|file| file.path.as_str()).collect();
    let verb = if report.undo {
        "taken back"
    } else {
        "put back"
    };
    let end = match done {
        Ok(()) if report.stopped.is_some() => "verified, and its program answers".to_owned(),
        Ok(()) => "verified".to_owned(),
        Err(error) => error.message.clone(),
    };
    format!(
        "{verb} from {}: {}: {end} (before: {})",
        report.snapshot,
        files.join(", "),
        report.before
    )
}

fn nothing(plan: &RestorePlan) -> ErrorInfo {
    let words = match plan.left.first() {
        None => "everything is as the snapshot has it already".to_owned(),
        Some(_) => "nothing of what was asked for can be put back".to_owned(),
    };
    ErrorInfo::new(ErrorCode::Refused, words).hint("The plan says why for each part.")
}

fn no_way_back(path: &str) -> ErrorInfo {
    let words = format!("`{path}` as it is now could not be kept, so nothing was changed");
    ErrorInfo::new(ErrorCode::Refused, words)
        .hint("It may hold secrets, which only a keyring can keep.")
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
