//! `migration`: the plan from Forge to ComfyUI.

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    ids::StepId,
    logs::rules::Language,
    migration::{AddedStep, Days, Evidence, Found, PlanEdit, RecordEntry, StepState},
};
use forgekeeper_keeper::{
    keeper::KeeperHandle,
    migration::{MigrationView, StepLook, StepView},
};

use crate::{
    args::{AddArgs, MigrationArgs, MigrationCommand},
    exit,
    session::Session,
    text::{print_json, print_line, printable},
};

mod act;
mod decide;

use act::Verb;

/// Entries of the recorder that are printed.
const PRINTED: u32 = 20_000;

pub(super) async fn run(
    session: &Session,
    args: &MigrationArgs,
    json: bool,
) -> Result<u8, ErrorInfo> {
    let handle = session.handle();
    let edit = match args.command.as_ref().unwrap_or(&MigrationCommand::List) {
        MigrationCommand::List => return Ok(list(&handle.migration().await?, json)),
        MigrationCommand::Show { step } => return show(&handle, step, json).await,
        MigrationCommand::Check { step } => return check(session, step.as_ref(), json).await,
        MigrationCommand::Run(args) => return act::run(session, args, Verb::Run, json).await,
        MigrationCommand::Undo(args) => return act::run(session, args, Verb::Undo, json).await,
        MigrationCommand::Drill(args) => return act::run(session, args, Verb::Drill, json).await,
        MigrationCommand::Target(args) => {
            return decide::settings(session, "target", args, json).await;
        }
        MigrationCommand::Iis(args) => return decide::settings(session, "iis", args, json).await,
        MigrationCommand::Vote { prompt, preferred } => {
            handle.migration_vote(prompt, (*preferred).into()).await?;
            let quality = StepId::new("quality").ok();
            return check(session, quality.as_ref(), json).await;
        }
        MigrationCommand::Images => return Ok(decide::images(&handle, json)),
        MigrationCommand::Extensions => return decide::extensions(session, json).await,
        MigrationCommand::Decide(args) => return decide::decide(session, args, json).await,
        MigrationCommand::Attest { step, by, note } => {
            // Unix and Windows name it differently.
            let user = ["USER", "USERNAME"]
                .iter()
                .find_map(|name| std::env::var(name).ok());
            let by = by.clone().or(user).unwrap_or_default();
            handle.migration_attest(step, &by, note.as_deref()).await?;
            return show(&handle, step, json).await;
        }
        MigrationCommand::Export { out, lang } => {
            handle.export_migration(out.clone(), (*lang).into()).await?;
            return Ok(written(&out.display().to_string(), json));
        }
        MigrationCommand::Record { out: None, .. } => return record(&handle, json).await,
        MigrationCommand::Record {
            out: Some(out),
            lang,
        } => {
            let lang = (*lang).into();
            handle.export_migration_record(out.clone(), lang).await?;
            return Ok(written(&out.display().to_string(), json));
        }
        MigrationCommand::Skip { step, reason } => {
            PlanEdit::Skip(step.clone(), Some(reason.clone()))
        }
        MigrationCommand::Unskip { step } => PlanEdit::Skip(step.clone(), None),
        MigrationCommand::Note { step, text } => PlanEdit::Note(step.clone(), text.clone()),
        MigrationCommand::Date { step, day } => PlanEdit::Start(step.clone(), *day),
        MigrationCommand::Move { step, before } => PlanEdit::Move(step.clone(), before.clone()),
        MigrationCommand::Add(args) => PlanEdit::Add(Box::new(added(args))),
        MigrationCommand::Remove { step } => PlanEdit::Remove(step.clone()),
    };
    handle.migration_edit(edit).await?;
    let view = handle.migration().await?;
    if json {
        print_json(&view);
    } else {
        print_line(&format!("written to {}", printable(&view.file.path)));
    }
    Ok(exit::OK)
}

fn added(args: &AddArgs) -> AddedStep {
    AddedStep {
        id: args.step.clone(),
        phase: args.phase,
        title: args.title.clone(),
        why: args.why.clone(),
        days: Days::from((1, args.days)),
        needs: args.needs.clone(),
        expires_after: None,
        undoable: false,
        risky: false,
    }
}

fn written(path: &str, json: bool) -> u8 {
    if json {
        print_json(&serde_json::json!({ "written": path }));
    } else {
        print_line(&format!("written to {}", printable(path)));
    }
    exit::OK
}

/// Prints the plan: 1 when a step failed or is out of date, or its file is broken.
fn list(view: &MigrationView, json: bool) -> u8 {
    if json {
        print_json(view);
    } else {
        for problem in &view.file.problems {
            print_line(&format!(
                "migration.toml: {}",
                printable(&problem.to_string())
            ));
        }
        for phase in &view.phases {
            print_line(&format!(
                "{}  {} of {} done",
                phase.title.in_language(Language::En),
                phase.counts.done(),
                phase.counts.total()
            ));
            for step in &phase.steps {
                print_line(&format!("  {:<20}{}", step.id, state(step)));
            }
        }
        match &view.next {
            Some(next) => print_line(&format!("next: {next}")),
            None => print_line("next: none that can be done now"),
        }
    }
    let bad = view.counts.failed > 0 || view.counts.stale > 0 || !view.file.problems.is_empty();
    if bad { exit::NOT_OK } else { exit::OK }
}

fn state(step: &StepView) -> String {
    match &step.state {
        StepState::Blocked { missing } => {
            let names: Vec<&str> = missing.iter().map(StepId::as_str).collect();
            format!("waits for {}", names.join(", "))
        }
        StepState::Ready => "ready".to_owned(),
        StepState::Running { since } => format!("being done since {since}"),
        StepState::Proved { at, attested: true } => format!("attested {at}"),
        StepState::Proved {
            at,
            attested: false,
        } => format!("proved {at}"),
        StepState::Failed { at } if step.doing.as_ref().is_some_and(|d| d.interrupted) => {
            format!("INTERRUPTED, begun {at}: do it again or take it back")
        }
        StepState::Failed { at } => format!("FAILED {at}"),
        StepState::Stale { since } => format!("OUT OF DATE since {since}"),
        StepState::Skipped { why } => format!("skipped: {}", printable(why)),
    }
}

async fn show(handle: &KeeperHandle, id: &StepId, json: bool) -> Result<u8, ErrorInfo> {
    let view = handle.migration().await?;
    let step = view.step(id).ok_or_else(|| {
        ErrorInfo::new(
            ErrorCode::BadRequest,
            format!("the plan has no step `{id}`"),
        )
        .hint("`forgekeeperctl migration list` has their names.")
    })?;
    if json {
        print_json(step);
    } else {
        print_line(&format!("{}  {}", step.id, printable(&step.title.en)));
        print_line(&printable(&step.why.en));
        print_line(&state(step));
        if !step.built && step.check.is_some() {
            print_line("not built: this version of the program cannot measure it");
        }
        if let Some(note) = &step.note {
            print_line(&format!("note: {}", printable(note)));
        }
        if let Some(proof) = &step.proof {
            print_line(&format!("found {}:", proof.at));
            evidence(&proof.evidence);
        }
        if let Some(until) = step.holds_until {
            print_line(&format!("holds until {until}"));
        }
        if let Some(look) = &step.look {
            print_line("last look:");
            looked(look);
        }
    }
    Ok(match &step.state {
        StepState::Failed { .. } | StepState::Stale { .. } => exit::NOT_OK,
        _ => exit::OK,
    })
}

fn evidence(pieces: &[Evidence]) {
    for piece in pieces {
        let (name, value) = (printable(&piece.name), printable(&piece.value));
        print_line(&format!("  {name} = {value}"));
    }
}

fn looked(look: &StepLook) {
    let word = match look.finding.found {
        Found::Proved => "holds",
        Found::Failed => "DOES NOT HOLD",
        Found::Unknown => "unknown",
    };
    print_line(&format!("  {word} ({})", look.at));
    for words in &look.finding.says {
        print_line(&format!("  {}", printable(&words.en)));
    }
    evidence(&look.finding.evidence);
}

fn of_found(found: Found) -> u8 {
    match found {
        Found::Proved => exit::OK,
        Found::Failed => exit::NOT_OK,
        Found::Unknown => exit::UNKNOWN,
    }
}

async fn check(session: &Session, id: Option<&StepId>, json: bool) -> Result<u8, ErrorInfo> {
    // Steps look at what is measured of services and cards.
    session.cards_read().await;
    let handle = session.handle();
    if let Some(id) = id {
        let look = handle.migration_check(id).await?;
        if json {
            print_json(&look);
        } else {
            print_line(id.as_str());
            looked(&look);
        }
        return Ok(of_found(look.finding.found));
    }
    let ids = handle.migration_check_due(true).await?;
    let view = handle.migration().await?;
    let mut code = exit::OK;
    let mut lines = Vec::new();
    for step in ids.iter().filter_map(|id| view.step(id)) {
        let Some(look) = &step.look else { continue };
        if json {
            lines.push(serde_json::json!({ "step": step.id, "look": look }));
        } else {
            print_line(step.id.as_str());
            looked(look);
        }
        code = match (code, of_found(look.finding.found)) {
            (exit::NOT_OK, _) | (_, exit::NOT_OK) => exit::NOT_OK,
            (exit::UNKNOWN, _) | (_, exit::UNKNOWN) => exit::UNKNOWN,
            _ => exit::OK,
        };
    }
    if json {
        print_json(&serde_json::json!({ "checked": lines }));
    } else if ids.is_empty() {
        print_line("no step can be measured now");
    }
    Ok(code)
}

async fn record(handle: &KeeperHandle, json: bool) -> Result<u8, ErrorInfo> {
    let entries = handle.migration_record(PRINTED).await?;
    for entry in &entries {
        if json {
            print_json(entry);
        } else {
            print_line(&line(entry));
        }
    }
    if entries.is_empty() && !json {
        print_line("nothing was done yet");
    }
    Ok(exit::OK)
}

fn line(entry: &RecordEntry) -> String {
    // Their words in JSON are what people read here, too.
    let words = serde_json::json!([entry.action, entry.outcome]);
    let word = |at: usize| words[at].as_str().unwrap_or_default().to_owned();
    let step = entry.step.as_ref().map_or("-", StepId::as_str);
    let mut line = format!("{}  {step:<20}{} {}", entry.at, word(0), word(1));
    for words in &entry.says {
        line.push_str(&format!("  {}", printable(&words.en)));
    }
    if let Some(by) = &entry.by {
        line.push_str(&format!("  by {}", printable(by)));
    }
    if let Some(detail) = &entry.detail {
        line.push_str(&format!("  {}", printable(detail)));
    }
    line
}
