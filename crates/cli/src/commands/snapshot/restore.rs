//! `snapshot restore`, `snapshot undo`, `snapshot drill`: shown first, done when told so.

use forgekeeper_domain::{
    action::RestartTarget,
    config::{
        DrillReport, DrillVerdict, FileName, PARTS, PartId, RestoreScope, WhyLeft,
        describe_restore, settings_part,
    },
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
    service::KindId,
};
use forgekeeper_keeper::keeper::RestoreView;

use crate::{
    args::RestoreHow,
    commands::act,
    exit,
    interrupt::Interrupt,
    session::Session,
    text::{print_json, print_line, printable},
};

/// What stands between the keys of a path, as `snapshot diff` prints it.
const BETWEEN_KEYS: &str = " › ";

/// Which part of a snapshot.
pub(super) struct Wanted<'a> {
    pub(super) part: Option<&'a str>,
    pub(super) path: Option<&'a str>,
    pub(super) key: Option<&'a str>,
}

impl Wanted<'_> {
    fn scope(&self, kind: KindId) -> Result<RestoreScope, ErrorInfo> {
        let part = match self.part {
            None if self.key.is_none() => return Ok(RestoreScope::All),
            None => settings_part(kind),
            Some(name) => part_called(name)?,
        };
        let path = self.path.map(str::to_owned);
        let file = FileName { part, path };
        Ok(match self.key {
            None => RestoreScope::Files { files: vec![file] },
            Some(key) => RestoreScope::Key {
                file,
                key: key.split(BETWEEN_KEYS).map(str::to_owned).collect(),
            },
        })
    }
}

fn part_called(name: &str) -> Result<PartId, ErrorInfo> {
    let mut parts = PARTS.iter().map(|part| part.id);
    parts.find(|part| part.as_str() == name).ok_or_else(|| {
        let names: Vec<&str> = PARTS.iter().map(|part| part.id.as_str()).collect();
        let words = format!("no part is called `{name}`");
        ErrorInfo::new(ErrorCode::BadRequest, words).hint(format!("Parts: {}.", names.join(", ")))
    })
}

pub(super) async fn run(
    session: &Session,
    snapshot: &str,
    wanted: &Wanted<'_>,
    how: &RestoreHow,
    json: bool,
    mut interrupt: Interrupt,
) -> Result<u8, ErrorInfo> {
    let handle = session.handle();
    let looking = async {
        let id = handle.find_snapshot(snapshot).await?;
        let of = handle.snapshot(&id).await?.snapshot;
        // Nothing acts on an unknown state: the first round of measurements comes before.
        session.service(&of.service).await?;
        let scope = wanted.scope(of.kind)?;
        let view = handle.restore_plan(&id, &scope).await?;
        Ok((id, scope, view))
    };
    let (id, scope, view) = Box::pin(interrupt.unless(looking)).await?;
    if let Some(code) = shown(&view, how, json) {
        return Ok(code);
    }
    let job = handle.restore(&id, &scope, &view.token, how.force).await?;
    act::follow(&handle, &job, json, interrupt).await
}

pub(super) async fn undo(
    session: &Session,
    service: &ServiceId,
    how: &RestoreHow,
    json: bool,
    mut interrupt: Interrupt,
) -> Result<u8, ErrorInfo> {
    let handle = session.handle();
    let looking = async {
        session.service(service).await?;
        handle.restore_undo_plan(service).await
    };
    let view = Box::pin(interrupt.unless(looking)).await?;
    if let Some(code) = shown(&view, how, json) {
        return Ok(code);
    }
    let job = handle.restore_undo(service, &view.token, how.force).await?;
    act::follow(&handle, &job, json, interrupt).await
}

/// Prints a plan; the exit code when that was all.
fn shown(view: &RestoreView, how: &RestoreHow, json: bool) -> Option<u8> {
    let does = how.yes && !view.plan.files.is_empty();
    if json && does {
        print_json(&serde_json::json!({ "event": "plan", "plan": view }));
    } else if json {
        print_json(view);
    } else {
        print_view(view);
    }
    if does {
        return None;
    }
    if view.plan.files.is_empty() {
        return Some(of_left(view));
    }
    if !how.dry_run {
        eprintln!("forgekeeperctl: nothing was changed; --yes does it");
    }
    Some(exit::NOT_OK)
}

/// Nothing to write: because all is as it was, or because something cannot go back.
fn of_left(view: &RestoreView) -> u8 {
    let asked = view.plan.scope != RestoreScope::All;
    let mut code = exit::OK;
    for left in &view.plan.left {
        match left.why {
            WhyLeft::Damaged | WhyLeft::Gone => return exit::NOT_OK,
            WhyLeft::NotReadNow
            | WhyLeft::NotReadThen
            | WhyLeft::NotKept
            | WhyLeft::Sealed
            | WhyLeft::PlaceUnknown => code = exit::UNKNOWN,
            why if asked && !why.is_fine() => return exit::NOT_OK,
            _ => {}
        }
    }
    code
}

fn print_view(view: &RestoreView) {
    let plan = &view.plan;
    let verb = if view.undo { "undo on" } else { "restore of" };
    print_line(&format!(
        "{verb} {}: as in {}, taken {}",
        plan.service, plan.snapshot, plan.taken_at
    ));
    for line in describe_restore(plan) {
        print_line(&printable(&line));
    }
    if plan.files.is_empty() {
        return print_line("nothing to put back");
    }
    match view.stops {
        None => {}
        Some(RestartTarget::Program) => print_line("its program is stopped meanwhile"),
        Some(RestartTarget::Container) => print_line("its container is stopped meanwhile"),
    }
    if view.interrupts.is_some() {
        print_line("a generation is running and would be lost");
    } else if !view.interrupts_known {
        print_line("whether a generation is running could not be measured; one would be lost");
    }
    print_line(&format!("runs: {}", printable(&view.runs.join("; "))));
}

pub(super) async fn drill(
    session: &Session,
    service: Option<&ServiceId>,
    json: bool,
) -> Result<u8, ErrorInfo> {
    let services = if let Some(service) = service {
        session.known(service)?;
        vec![service.clone()]
    } else {
        let settings = session.handle().settings().settings;
        settings.services.into_iter().map(|one| one.id).collect()
    };
    let (mut reports, mut code) = (Vec::new(), exit::OK);
    for one in &services {
        match session.handle().drill(one).await {
            Ok(report) => {
                if !report.proved {
                    code = exit::NOT_OK;
                }
                if !json {
                    print_report(&report);
                }
                reports.push(report);
            }
            // Of all services those without a snapshot prove nothing.
            Err(error) if service.is_none() && error.code == ErrorCode::BadRequest => {
                code = code.max(exit::UNKNOWN);
                if !json {
                    print_line(&format!("{one}: {}", error.message));
                }
            }
            Err(error) => return Err(error),
        }
    }
    if json {
        print_json(&serde_json::json!({ "drills": reports }));
    }
    let failed = reports.iter().any(|report| !report.proved);
    Ok(if failed { exit::NOT_OK } else { code })
}

fn print_report(report: &DrillReport) {
    let proved = if report.proved {
        "restored, every byte as it was"
    } else {
        "NOT restorable as a whole"
    };
    print_line(&format!("{}: {} {proved}", report.service, report.snapshot));
    for item in &report.items {
        let word = match item.verdict {
            DrillVerdict::Restored => "restored",
            DrillVerdict::Broken => "half a file when the snapshot was taken",
            DrillVerdict::Missing => "MISSING",
            DrillVerdict::Damaged => "DAMAGED",
            DrillVerdict::Sealed => "sealed, and the key is not there",
            DrillVerdict::NotKept => "was held in memory only",
            DrillVerdict::NotWritten => "COULD NOT BE WRITTEN",
        };
        let name = item.part.as_str();
        print_line(&format!("  {name:<20}{word}  {}", printable(&item.path)));
    }
}
