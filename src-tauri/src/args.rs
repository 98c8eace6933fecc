//! The few arguments of the window; everything else is `forgekeeperctl`'s.

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

/// What the window was started with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Args {
    /// Straight to the demo host.
    pub(crate) demo: bool,
    /// Another `forgekeeper.toml`.
    pub(crate) config: Option<PathBuf>,
}

/// An answer that needs no window.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Help,
    Version,
    Wrong(String),
}

const HELP: &str = "\
Forgekeeper keeps image-generation services alive.

Usage: forgekeeper [--demo] [--config FILE]

  --demo           show the demo host instead of your own services
  --config FILE    use this forgekeeper.toml
  --version        print the version
  --help           print this

Everything else is done by forgekeeperctl.";

/// Reads the arguments.
pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Result<Args, Answer> {
    let mut parsed = Args::default();
    let mut args = args;
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("--demo") => parsed.demo = true,
            Some("--config") => {
                let file = args
                    .next()
                    .ok_or_else(|| Answer::Wrong("--config needs a FILE".to_owned()))?;
                parsed.config = Some(PathBuf::from(file));
            }
            Some("--help" | "-h") => return Err(Answer::Help),
            Some("--version" | "-V") => return Err(Answer::Version),
            _ => return Err(Answer::Wrong(format!("unknown argument {}", arg.display()))),
        }
    }
    Ok(parsed)
}

impl Answer {
    /// Prints it; wrong use ends with 2.
    pub(crate) fn print(self) -> ExitCode {
        match self {
            Answer::Help => println!("{HELP}"),
            Answer::Version => println!("forgekeeper {}", env!("CARGO_PKG_VERSION")),
            Answer::Wrong(why) => {
                eprintln!("forgekeeper: {why}\n\n{HELP}");
                return ExitCode::from(2);
            }
        }
        ExitCode::SUCCESS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Args, Answer> {
        parse(words.iter().map(OsString::from))
    }

    #[test]
    fn arguments() {
        assert_eq!(parsed(&[]), Ok(Args::default()));
        assert_eq!(
            parsed(&["--demo", "--config", "x.toml"]),
            Ok(Args {
                demo: true,
                config: Some("x.toml".into())
            })
        );
        assert!(matches!(parsed(&["--config"]), Err(Answer::Wrong(_))));
        assert!(matches!(parsed(&["--frobnicate"]), Err(Answer::Wrong(_))));
        assert_eq!(parsed(&["--help"]), Err(Answer::Help));
    }
}
