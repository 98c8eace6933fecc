//! `--known`: what the log has told since the program started.

use forgekeeper_domain::{
    Timestamp,
    logs::{
        findings::{Finding, Opening, Run, UnknownError},
        rules::RulesInForce,
        signature::Blocking,
    },
};

use super::{
    groups::word,
    print::{known, title},
};
use crate::{
    exit,
    text::{print_json, print_line, printable},
};

/// Prints it; the number is the exit code.
pub(super) fn print(rules: &RulesInForce, said: &Run, json: bool) -> u8 {
    if json {
        print_json(said);
    } else {
        for line in table(rules, said) {
            print_line(&line);
        }
    }
    code(said)
}

fn code(said: &Run) -> u8 {
    if said.findings.iter().any(blocks) {
        exit::NOT_OK
    } else {
        exit::OK
    }
}

/// Whether it keeps the service from working at this moment.
fn blocks(finding: &Finding) -> bool {
    finding.open && finding.blocking == Blocking::Service
}

fn table(rules: &RulesInForce, said: &Run) -> Vec<String> {
    let mut lines = vec![beginning(said)];
    if !said.findings.is_empty() {
        lines.push(row("SEVERITY", "COUNT", "LAST", "MESSAGE"));
    }
    for finding in &said.findings {
        lines.extend(of_finding(rules, finding));
    }
    let (before, new): (Vec<_>, Vec<_>) = said.unknown.iter().partition(|error| error.before);
    for (heading, errors) in [
        ("never seen before:", new),
        ("unknown, and in the run before, too:", before),
    ] {
        if !errors.is_empty() {
            lines.push(heading.to_owned());
            lines.extend(errors.into_iter().map(of_unknown));
        }
    }
    if said.others > 0 {
        lines.push(format!("and {} more unknown errors", said.others));
    }
    if said.is_empty() {
        lines.push("nothing that is worth a look".to_owned());
    }
    match said.silenced {
        0 => {}
        1 => lines.push("1 known message is silenced (forgekeeperctl rules)".to_owned()),
        n => lines.push(format!(
            "{n} known messages are silenced (forgekeeperctl rules)"
        )),
    }
    lines
}

fn beginning(said: &Run) -> String {
    let since = match (said.opening, said.at) {
        (Opening::Unseen, _) => "since the oldest line (the start is older)".to_owned(),
        (Opening::Told, Some(at)) => format!("since the container started at {}", time(Some(at))),
        (_, Some(at)) => format!("since the program started at {}", time(Some(at))),
        (_, None) => "since the program started".to_owned(),
    };
    match (said.ready, said.ready_at) {
        (true, Some(at)) => format!("{since}, ready at {}", time(Some(at))),
        (true, None) => format!("{since}, ready"),
        (false, _) => format!("{since}, not yet seen to be ready"),
    }
}

fn of_finding(rules: &RulesInForce, finding: &Finding) -> Vec<String> {
    let signature = known(rules, &finding.id);
    let mut message = signature.map_or_else(|| printable(&finding.id), title);
    let names: Vec<String> = finding.names.iter().map(|n| one_line(&n.value)).collect();
    if !names.is_empty() {
        message.push_str(": ");
        message.push_str(&names.join(", "));
    }
    if blocks(finding) {
        message.push_str(" — BLOCKS THE SERVICE");
    } else if !finding.open {
        message.push_str(" (over)");
    }
    let mut lines = vec![row(
        finding.severity.as_str(),
        &finding.count.to_string(),
        &time(finding.last),
        &message,
    )];
    let remedy = signature
        .and_then(|signature| signature.wording("en"))
        .map(|wording| wording.remedy.as_str())
        .filter(|remedy| !remedy.is_empty());
    lines.extend(remedy.map(|remedy| format!("          {}", one_line(remedy))));
    lines
}

fn of_unknown(error: &UnknownError) -> String {
    row(
        word(error.level),
        &error.count.to_string(),
        &time(error.last),
        &one_line(&error.sample),
    )
}

fn row(severity: &str, count: &str, last: &str, message: &str) -> String {
    format!("{severity:<8}  {count:>5}  {last:<20}  {message}")
}

fn one_line(text: &str) -> String {
    printable(text.trim()).replace('\n', " ")
}

/// A time to the second.
pub(super) fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(
        || "-".to_owned(),
        |at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use forgekeeper_domain::logs::{LogLevel, signature::Name};

    use super::*;

    fn at(second: &str) -> Option<Timestamp> {
        format!("2026-11-23T10:00:{second}Z").parse().ok()
    }

    fn finding(id: &str) -> Finding {
        let rules = RulesInForce::default();
        let signature = known(&rules, id).expect("a signature");
        Finding {
            id: id.to_owned(),
            severity: signature.severity,
            blocking: signature.blocking,
            count: 2,
            first: at("01"),
            last: at("05.5"),
            level: LogLevel::Error,
            text: "x".to_owned(),
            program: None,
            names: Vec::new(),
            open: true,
        }
    }

    fn unknown(sample: &str, before: bool) -> UnknownError {
        UnknownError {
            shape: sample.to_owned(),
            count: 1,
            first: at("03"),
            last: at("03"),
            sample: sample.to_owned(),
            level: LogLevel::Error,
            before,
        }
    }

    #[test]
    fn the_table_says_what_is_known_and_then_what_is_not() {
        let mut script = finding("ext.script-load");
        script.names.push(Name {
            group: "path".to_owned(),
            value: "atten\u{1b}tion.py\n".to_owned(),
        });
        let said = Run {
            opening: Opening::Launched,
            at: at("00"),
            findings: vec![finding("cuda.illegal"), script],
            unknown: vec![unknown("old", true), unknown("new", false)],
            others: 4,
            silenced: 1,
            ..Run::default()
        };
        let rules = RulesInForce::default();
        let table = table(&rules, &said);
        let place = |words: &str| {
            let found = table.iter().position(|line| line.contains(words));
            found.unwrap_or_else(|| panic!("`{words}` is not said: {table:#?}"))
        };
        assert_eq!(
            table[0],
            "since the program started at 2026-11-23T10:00:00Z, not yet seen to be ready"
        );
        let cuda = place("The CUDA context is broken — BLOCKS THE SERVICE");
        assert!(table[cuda].starts_with("error         2  2026-11-23T10:00:05Z  "));
        // What to do stands below.
        let remedy = &known(&rules, "cuda.illegal")
            .expect("known")
            .en
            .as_ref()
            .expect("English")
            .remedy;
        assert_eq!(table[cuda + 1].trim(), remedy);
        let script = place(": atten\u{fffd}tion.py");
        let new = place("never seen before:");
        assert!(cuda < script && script < new, "{table:#?}");
        assert!(table[new + 1].ends_with("  new"), "{table:#?}");
        let old = place("in the run before");
        assert!(table[old + 1].ends_with("  old"), "{table:#?}");
        assert_eq!(
            table[table.len() - 2..],
            [
                "and 4 more unknown errors",
                "1 known message is silenced (forgekeeperctl rules)"
            ]
        );
    }

    #[test]
    fn the_code_is_1_while_something_blocks_the_service() {
        let mut over = finding("cuda.illegal");
        over.open = false;
        for (findings, expected) in [
            (vec![], 0),
            (vec![finding("oom.torch")], 0),
            (vec![over.clone()], 0),
            (vec![over, finding("cuda.illegal")], 1),
        ] {
            let said = Run {
                findings,
                ..Run::default()
            };
            assert_eq!(code(&said), expected, "{said:?}");
        }
    }

    #[test]
    fn where_nothing_was_told_that_is_said() {
        assert_eq!(
            table(&RulesInForce::default(), &Run::default()),
            [
                "since the oldest line (the start is older), not yet seen to be ready",
                "nothing that is worth a look"
            ]
        );
    }
}
