//! `cargo xtask tidy | bindings | bench`: work on the repository itself.
#![allow(
    clippy::disallowed_methods,
    reason = "runs on developers' machines only: it starts cargo and docker, and writes nothing but test folders"
)]

use std::process::ExitCode;

mod bench;
mod bindings;
mod repo;
mod tidy;

const HELP: &str = "\
Usage: cargo xtask COMMAND

  tidy               checks the rules of the house: layers, sizes, tables, translations
  bindings           writes ui/src/backend/bindings.gen.ts from the shell's command list
  bench [--json] [--no-build] [MEASURE…]
                     measures against Docker and an empty Tauri window, as ratios of the same run;
                     MEASURE: restart, opening, memory, cpu (all of them when none is named)";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next();
    let rest: Vec<String> = args.collect();
    let outcome = repo::Repo::here().and_then(|repo| match command.as_deref() {
        Some("tidy") if rest.is_empty() => Ok(tidy::run(&repo)),
        Some("bindings") if rest.is_empty() => bindings::run(&repo),
        Some("bench") => bench::run(&repo, &rest),
        Some("help" | "--help" | "-h") => {
            println!("{HELP}");
            Ok(true)
        }
        _ => Err(format!("wrong use\n\n{HELP}")),
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::from(2)
        }
    }
}
