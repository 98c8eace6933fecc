//! `rules`: the user's own rules for logs, their file, and what a pattern would name.

use std::path::{Path, PathBuf};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
    logs::{
        LogQuery,
        rules::{DraftFault, Language, RuleDraft, RuleProblem},
        signature::{Blocking, Severity},
    },
};
use forgekeeper_keeper::{
    keeper::{Paths, RULES_FILE},
    rules::{OwnRules, RuleTest, RulesView},
    sys::clock,
};
use serde::Serialize;

use super::logs::{
    past::{self, Backlog},
    print::text,
};
use crate::{
    args::{Cli, RulesArgs, RulesCommand},
    exit,
    interrupt::Interrupt,
    session::Session,
    text::{print_json, print_line, printable},
};

/// What needs nothing but the file; `None` for the rest.
pub(super) fn of_file(cli: &Cli, args: &RulesArgs) -> Result<Option<u8>, ErrorInfo> {
    let given = match &args.command {
        None => None,
        Some(RulesCommand::Check { file }) => file.as_deref(),
        Some(RulesCommand::Test { .. }) => return Ok(None),
    };
    if cli.demo && given.is_none() {
        return Err(ErrorInfo::new(
            ErrorCode::BadRequest,
            "a demo host of one call has no rules file",
        )
        .hint("Leave out --demo, or name a file to check."));
    }
    let path = given.map_or_else(|| in_use(cli), Path::to_owned);
    let view = read(&path);
    if given.is_some() && !view.exists {
        return Err(ErrorInfo::new(
            ErrorCode::Settings,
            format!("{} does not exist", path.display()),
        )
        .hint("Check the path."));
    }
    if args.command.is_some() {
        print_check(&view, cli.json);
    } else if cli.json {
        print_json(&view);
    } else {
        for line in table(&view) {
            print_line(&line);
        }
    }
    warn(&view);
    Ok(Some(if view.problems.is_empty() {
        exit::OK
    } else {
        exit::WRONG_USE
    }))
}

/// The file beside the settings.
fn in_use(cli: &Cli) -> PathBuf {
    let paths = Paths::default_for(cli.config.clone());
    paths.config_file.with_file_name(RULES_FILE)
}

fn read(path: &Path) -> RulesView {
    let rules = OwnRules::new(path);
    rules.load(clock::now());
    rules.view(clock::now())
}

/// What `check` says of a file, for programs.
#[derive(Debug, Serialize)]
struct Checked<'v> {
    path: &'v str,
    exists: bool,
    rules: usize,
    silences: usize,
    problems: &'v [RuleProblem],
    notes: &'v [RuleProblem],
}

fn print_check(view: &RulesView, json: bool) {
    if json {
        print_json(&Checked {
            path: &view.path,
            exists: view.exists,
            rules: view.rules.len(),
            silences: view.silences.len(),
            problems: &view.problems,
            notes: &view.notes,
        });
    } else if view.problems.is_empty() {
        print_line(&in_order(view));
    }
}

fn in_order(view: &RulesView) -> String {
    let path = printable(&view.path);
    if !view.exists {
        return format!("{path} does not exist: there are no own rules");
    }
    let (rules, silences) = (view.rules.len(), view.silences.len());
    format!("{path} is in order: rules {rules}, silences {silences}")
}

fn table(view: &RulesView) -> Vec<String> {
    let path = printable(&view.path);
    let mut lines = vec![if view.exists {
        path
    } else {
        format!("{path} (does not exist)")
    }];
    if view.rules.is_empty() && view.silences.is_empty() && view.problems.is_empty() {
        lines.push("no own rules, and nothing is silenced".to_owned());
    }
    if !view.rules.is_empty() {
        lines.push(format!("{:<8}  {:<28}  PATTERN", "SEVERITY", "RULE"));
    }
    for rule in &view.rules {
        let signature = &rule.signature;
        let severity = signature.severity.as_str();
        lines.push(format!(
            "{severity:<8}  {:<28}  {}",
            printable(&signature.id),
            printable(&signature.pattern).replace('\n', " ")
        ));
    }
    for silence in &view.silences {
        let until = if silence.lasts { "until" } else { "ended" };
        lines.push(format!(
            "silenced  {:<28}  {until} {}",
            printable(&silence.id),
            silence.until
        ));
    }
    lines
}

/// Each mistake with its place and what to do about it, where compilers would say it.
fn told(view: &RulesView) -> Vec<String> {
    let place = |problem: &RuleProblem| {
        let line = problem.line.map(|line| format!(":{line}"));
        format!("{}{}", printable(&view.path), line.unwrap_or_default())
    };
    let errors = view.problems.iter().map(|problem| ("error", problem));
    let notes = view.notes.iter().map(|problem| ("note", problem));
    errors
        .chain(notes)
        .map(|(what, problem)| {
            let (reason, remedy) = (printable(&problem.reason), printable(&problem.remedy));
            format!("{}: {what}: {reason}; {remedy}", place(problem))
        })
        .collect()
}

fn warn(view: &RulesView) {
    for line in told(view) {
        eprintln!("{line}");
    }
}

/// A command that goes on with fewer rules than the file may mean to give says so.
pub(super) fn warn_of_problems(view: &RulesView) {
    if let Some(problem) = view.problems.first() {
        let (path, problem) = (printable(&view.path), printable(&problem.to_string()));
        eprintln!("forgekeeperctl: the rules in {path} are not used: {problem}");
    }
}

/// What needs the services.
pub(super) async fn run(
    session: &Session,
    args: &RulesArgs,
    json: bool,
    mut interrupt: Interrupt,
) -> Result<u8, ErrorInfo> {
    let Some(RulesCommand::Test { pattern, service }) = &args.command else {
        return Ok(exit::OK);
    };
    let services = if let Some(id) = service {
        vec![id.clone()]
    } else {
        let settings = session.handle().settings().settings;
        settings.services.into_iter().map(|s| s.id).collect()
    };
    let mut code = exit::OK;
    for id in services {
        match interrupt.unless(test(session, &id, pattern)).await {
            Ok(test) => print_test(&id, &test, json),
            // One of several that cannot be read does not hide what the others say.
            Err(error) if service.is_none() && error.code != ErrorCode::BadFilter => {
                crate::text::print_error(&error, json);
                code = exit::of_error(&error);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(code)
}

async fn test(session: &Session, id: &ServiceId, pattern: &str) -> Result<RuleTest, ErrorInfo> {
    let state = session.service(id).await?;
    let handle = session.handle();
    let reader = handle.logs(id, &LogQuery::default())?;
    if let Backlog::Failed(reason) = past::comes_in(&reader, &state).await {
        return Err(past::why(&state, &reason));
    }
    let draft = RuleDraft {
        id: "own.test".to_owned(),
        pattern: pattern.to_owned(),
        severity: Severity::Info,
        blocking: Blocking::No,
        sample: String::new(),
        language: Language::En,
        title: String::new(),
        remedy: String::new(),
    };
    let test = handle
        .test_rule(id, draft, Some("own.test".to_owned()))
        .await?;
    match test.faults.iter().find_map(pattern_fault) {
        Some(error) => Err(error),
        None => Ok(test),
    }
}

fn pattern_fault(fault: &DraftFault) -> Option<ErrorInfo> {
    match fault {
        DraftFault::BadPattern { message, at } => {
            let error = ErrorInfo::new(
                ErrorCode::BadFilter,
                format!("the pattern cannot be used: {message}"),
            );
            Some(match at {
                Some(at) => error.hint(format!("look at character {} of the pattern", at + 1)),
                None => error.hint("make it shorter or simpler"),
            })
        }
        DraftFault::MatchesEverything => Some(
            ErrorInfo::new(
                ErrorCode::BadFilter,
                "the pattern matches an empty line, and so every line",
            )
            .hint("write at least one word of the message into it"),
        ),
        _ => None,
    }
}

#[derive(Debug, Serialize)]
struct Tested<'t> {
    service: &'t ServiceId,
    #[serde(flatten)]
    test: &'t RuleTest,
}

fn print_test(service: &ServiceId, test: &RuleTest, json: bool) {
    if json {
        print_json(&Tested { service, test });
        return;
    }
    let (count, looked) = (test.count, test.looked);
    print_line(&format!("{service}: {count} of {looked} lines held"));
    for line in &test.samples {
        let named = line
            .signature
            .as_deref()
            .map(|id| format!("  ({})", printable(id)));
        print_line(&format!("  {}{}", text(line), named.unwrap_or_default()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_rules_and_silences_and_a_mistake_its_place() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join(RULES_FILE);
        let none = read(&path);
        assert_eq!(
            table(&none)[1..],
            ["no own rules, and nothing is silenced"],
            "{none:?}"
        );
        assert!(in_order(&none).ends_with("does not exist: there are no own rules"));
        let write = |text: &str| {
            let written = forgekeeper_keeper::sys::files::write_atomic(&path, text.as_bytes());
            written.expect("it can be written");
            read(&path)
        };
        let rule = "[[signature]]\nid = 'own.a'\npattern = \"a\\u001b+\"\nseverity = 'fatal'\n";
        let view = write(&format!(
            "{rule}[[silence]]\nid = 'oom.torc'\nuntil = 2999-01-01\n"
        ));
        let lines = table(&view);
        assert_eq!(lines[2], format!("fatal     {:<28}  a\u{fffd}+", "own.a"));
        let silenced = format!("silenced  {:<28}  until 2999-01-01T00:00:00Z", "oom.torc");
        assert_eq!(lines[3], silenced);
        let told_of = told(&view);
        assert!(told_of[0].contains("rules.toml:6: note: "), "{told_of:?}");
        assert!(in_order(&view).ends_with("in order: rules 1, silences 1"));
        let broken = told(&write(&rule.replace("fatal", "fatl")));
        let expected = "rules.toml:4: error: `severity` cannot be `fatl`; did you mean `fatal`?";
        assert!(broken[0].ends_with(expected), "{broken:?}");
    }
}
