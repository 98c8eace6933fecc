//! `migration target`, `iis`, `images`, `extensions` and `decide`.

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    migration::{
        FieldSaid, PlanField, Setting,
        extensions::{Decided, Decision, DecisionKind, Fate},
    },
    suggest::nearest,
};
use forgekeeper_keeper::keeper::KeeperHandle;

use crate::{
    args::{DecideArgs, DecideHow, SettingsArgs, SettingsCommand},
    exit,
    session::Session,
    text::{print_json, print_line, printable},
};

/// The values of one section of `migration.toml`.
pub(super) async fn settings(
    session: &Session,
    section: &str,
    args: &SettingsArgs,
    json: bool,
) -> Result<u8, ErrorInfo> {
    let handle = session.handle();
    let (key, value, dry_run) = match args.command.as_ref().unwrap_or(&SettingsCommand::Show) {
        SettingsCommand::Show => {
            session.cards_read().await;
            return show(&handle, section, json).await;
        }
        SettingsCommand::Set {
            key,
            value,
            dry_run,
        } => (key, Some(value.clone()), *dry_run),
        SettingsCommand::Unset { key, dry_run } => (key, None, *dry_run),
    };
    let field = field(section, key)?;
    if value.as_ref().is_some_and(|value| value.trim().is_empty()) {
        let text = format!("`{key}` below `[{section}]`: nothing is written");
        return Err(ErrorInfo::new(ErrorCode::BadRequest, text)
            .hint("Write what it is, or take it out with `unset`."));
    }
    if field == PlanField::Gpu && value.is_some() {
        session.cards_read().await;
    }
    let settings = vec![Setting { field, value }];
    let draft = handle.migration_settings_plan(settings.clone()).await?;
    let wrong = draft.said.iter().any(|said| said.wrong);
    if dry_run && !wrong {
        if json {
            print_json(&draft);
        } else {
            remarks(&draft.said);
            let diff = draft.diff.trim_end();
            print_line(if diff.is_empty() {
                "nothing would change"
            } else {
                diff
            });
        }
        return Ok(exit::OK);
    }
    // One that is wrong is refused there, in words.
    let said = handle
        .migration_settings_save(settings, Some(draft.stamp))
        .await?;
    let path = handle.migration().await?.file.path;
    if json {
        print_json(&serde_json::json!({ "written": path, "said": said, "diff": draft.diff }));
    } else {
        remarks(&said);
        print_line(&if draft.diff.is_empty() {
            "it said so already".to_owned()
        } else {
            format!("written to {}", printable(&path))
        });
    }
    Ok(exit::OK)
}

fn field(section: &str, key: &str) -> Result<PlanField, ErrorInfo> {
    PlanField::named(section, key).ok_or_else(|| {
        let keys: Vec<&str> = PlanField::all()
            .filter(|field| field.section() == section)
            .map(PlanField::key)
            .collect();
        let text = format!("`[{section}]` has no `{}`", printable(key));
        let error = ErrorInfo::new(ErrorCode::BadRequest, text);
        match nearest(key, keys.iter().copied()) {
            Some(meant) => error.hint(format!("Did you mean `{meant}`?")),
            None => error.hint(format!("Write one of `{}`.", keys.join("`, `"))),
        }
    })
}

fn remarks(said: &[FieldSaid]) {
    for said in said {
        let (words, remedy) = (printable(&said.words.en), printable(&said.remedy.en));
        print_line(&format!("{}: {words} {remedy}", said.field.key()));
    }
}

async fn show(handle: &KeeperHandle, section: &str, json: bool) -> Result<u8, ErrorInfo> {
    let mut shown = handle.migration_settings().await?;
    shown
        .settings
        .retain(|setting| setting.field.section() == section);
    if json {
        print_json(&shown);
        return Ok(exit::OK);
    }
    for setting in &shown.settings {
        let key = setting.field.key();
        let line = match (&setting.value, &setting.found) {
            (Some(value), _) => printable(value),
            (None, Some(found)) => format!("(not set; {} would do)", printable(found)),
            (None, None) => "(not set)".to_owned(),
        };
        print_line(&format!("{key:<18} {line}"));
        for choice in setting.choices.iter().filter(|_| setting.value.is_none()) {
            let name = choice.name.as_deref().map(printable).unwrap_or_default();
            print_line(&format!("  {}  {name}", printable(&choice.value)));
        }
    }
    Ok(exit::OK)
}

/// The images that the target could run.
pub(super) fn images(handle: &KeeperHandle, json: bool) -> u8 {
    let images = handle.migration_images();
    if json {
        print_json(&images);
        return exit::OK;
    }
    for image in &images {
        let sign = if image.chosen { '*' } else { ' ' };
        print_line(&format!("{sign} {}", printable(&image.image)));
        if let Some(note) = &image.note {
            print_line(&format!("    {}", printable(&note.en)));
        }
    }
    print_line("choose one with `forgekeeperctl migration target set image IMAGE`");
    exit::OK
}

/// The extensions with what takes their place and what is decided: 1 while one is not decided.
pub(super) async fn extensions(session: &Session, json: bool) -> Result<u8, ErrorInfo> {
    session.measured().await;
    let list = session.handle().migration_extensions().await?;
    if json {
        print_json(&list);
    } else {
        for extension in &list.inventory.extensions {
            print_line(&line(extension));
        }
        for stray in &list.inventory.stray {
            print_line(&format!("{}  decided, and not there", printable(stray)));
        }
        let counted = list.counted;
        print_line(&format!(
            "{} of {}: {} adopted, {} not needed, {} open",
            list.inventory.extensions.len(),
            list.service,
            counted.adopted,
            counted.not_needed,
            counted.open
        ));
    }
    Ok(if list.counted.open == 0 {
        exit::OK
    } else {
        exit::NOT_OK
    })
}

fn line(extension: &Decided) -> String {
    let commit = extension.seen.commit.as_deref();
    let commit = commit.map_or("?", |commit| commit.get(..10).unwrap_or(commit));
    let decision = match &extension.decision {
        None => "NOT DECIDED".to_owned(),
        Some(Decision { kind, node, .. }) => {
            let node = node.as_deref().map(printable).unwrap_or_default();
            format!("{} {node}", kind.word())
        }
    };
    let offers = match &extension.known {
        None => "not known".to_owned(),
        Some(known) => {
            let nodes: Vec<&str> = known.nodes.iter().map(|node| node.name.as_str()).collect();
            match known.fate {
                Fate::Nodes => format!("try {}", nodes.join(", ")),
                Fate::BuiltIn => "built in".to_owned(),
                Fate::Needless => "needless".to_owned(),
                Fate::Nothing => "nothing does the same".to_owned(),
            }
        }
    };
    let name = printable(&extension.seen.name);
    format!(
        "{name:<34} {commit:<10}  {:<24} {offers}",
        decision.trim_end()
    )
}

/// Keeps a decision, or takes it back.
pub(super) async fn decide(
    session: &Session,
    args: &DecideArgs,
    json: bool,
) -> Result<u8, ErrorInfo> {
    let kind = match &args.how {
        DecideHow { adopt: Some(_), .. } => Some(DecisionKind::Adopt),
        DecideHow {
            not_needed: true, ..
        } => Some(DecisionKind::NotNeeded),
        DecideHow { open: true, .. } => Some(DecisionKind::Open),
        DecideHow { .. } => None,
    };
    let decision = kind.map(|kind| Decision {
        kind,
        node: args.how.adopt.clone(),
        note: args.note.clone(),
    });
    let handle = session.handle();
    handle
        .migration_decide(&args.extension, decision.clone())
        .await?;
    let path = handle.migration().await?.file.path;
    if json {
        print_json(&serde_json::json!({
            "written": path, "extension": args.extension, "decision": decision
        }));
    } else {
        print_line(&format!("written to {}", printable(&path)));
    }
    Ok(exit::OK)
}
