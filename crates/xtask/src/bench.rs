//! `cargo xtask bench`: figures that only mean something beside a peer's, taken in the same run.

use std::process::{Command, Stdio};

use serde::Serialize;

use crate::repo::Repo;

mod build;
mod engine;
mod frames;
mod generate;
#[cfg(unix)]
mod gpu;
mod inventory;
// It reads the engine's Unix socket itself.
#[cfg(unix)]
mod logs;
mod opening;
mod processes;
mod rest;
mod restart;
mod screen;
#[cfg(unix)]
mod snapshot;

/// One line of the result.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    /// What was measured.
    what: &'static str,
    /// Unit of the two figures.
    unit: &'static str,
    /// Ours: the median.
    ours: f64,
    /// The peer's: the median. None where the limit is absolute.
    peer: Option<f64>,
    /// Ours by the peer's, or ours alone.
    value: f64,
    /// The most that `value` may be.
    limit: f64,
    /// How it was measured.
    how: String,
}

impl Figure {
    fn ratio(what: &'static str, unit: &'static str, ours: f64, peer: f64, limit: f64) -> Self {
        Self {
            what,
            unit,
            ours,
            peer: Some(peer),
            value: ours / peer,
            limit,
            how: String::new(),
        }
    }

    fn share(what: &'static str, unit: &'static str, ours: f64, limit: f64) -> Self {
        Self {
            what,
            unit,
            ours,
            peer: None,
            value: ours,
            limit,
            how: String::new(),
        }
    }

    fn how(mut self, how: impl Into<String>) -> Self {
        self.how = how.into();
        self
    }

    fn good(&self) -> bool {
        // Not a number is never good.
        self.value <= self.limit
    }
}

/// One group of figures.
struct Measure {
    id: &'static str,
    /// Whether a window is opened for it.
    window: bool,
    run: fn(&Repo) -> Result<Vec<Figure>, String>,
}

const MEASURES: &[Measure] = &[
    Measure {
        id: "restart",
        window: false,
        run: restart::run,
    },
    #[cfg(unix)]
    Measure {
        id: "logs",
        window: false,
        run: logs::run,
    },
    #[cfg(unix)]
    Measure {
        id: "gpu",
        window: true,
        run: gpu::run,
    },
    Measure {
        id: "generate",
        window: true,
        run: generate::run,
    },
    Measure {
        id: "inventory",
        window: false,
        run: inventory::run,
    },
    #[cfg(unix)]
    Measure {
        id: "snapshot",
        window: false,
        run: snapshot::run,
    },
    Measure {
        id: "opening",
        window: true,
        run: opening::run,
    },
    Measure {
        id: "memory",
        window: true,
        run: rest::memory,
    },
    Measure {
        id: "frames",
        window: true,
        run: frames::run,
    },
    Measure {
        id: "cpu",
        window: true,
        run: rest::cpu,
    },
];

/// Measures, prints a table (or JSON), and says whether every limit holds.
pub(crate) fn run(repo: &Repo, args: &[String]) -> Result<bool, String> {
    let json = args.iter().any(|arg| arg == "--json");
    let as_built = args.iter().any(|arg| arg == "--no-build");
    build::AS_BUILT.store(as_built, std::sync::atomic::Ordering::Relaxed);
    let names: Vec<&String> = args.iter().filter(|arg| !arg.starts_with("--")).collect();
    if let Some(unknown) = args
        .iter()
        .find(|arg| arg.starts_with("--") && *arg != "--json" && *arg != "--no-build")
    {
        return Err(format!("unknown option `{unknown}`"));
    }
    if let Some(unknown) = names
        .iter()
        .find(|name| MEASURES.iter().all(|m| m.id != name.as_str()))
    {
        return Err(format!("no measure is called `{unknown}`"));
    }
    let chosen: Vec<&Measure> = MEASURES
        .iter()
        .filter(|m| names.is_empty() || names.iter().any(|name| name.as_str() == m.id))
        .collect();
    if chosen.iter().any(|m| m.window) && std::env::var_os("DISPLAY").is_none() {
        return on_a_screen(repo, args);
    }
    let mut figures = Vec::new();
    for measure in chosen {
        eprintln!("measuring {} ...", measure.id);
        figures.extend((measure.run)(repo).map_err(|why| format!("{}: {why}", measure.id))?);
    }
    if json {
        let text = serde_json::to_string_pretty(&figures).map_err(|error| error.to_string())?;
        println!("{text}");
    } else {
        print(&figures);
    }
    Ok(figures.iter().all(Figure::good))
}

/// The same again on a virtual screen with a session bus of its own.
fn on_a_screen(repo: &Repo, args: &[String]) -> Result<bool, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let status = Command::new(repo.root.join("scripts/with-screen.sh"))
        .arg(own)
        .arg("bench")
        .args(args)
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("scripts/with-screen.sh: {error}"))?;
    match status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err("the measurement on a virtual screen ended badly".to_owned()),
    }
}

fn print(figures: &[Figure]) {
    println!(
        "{:<46} {:>10} {:>10} {:>4} {:>7} {:>7}",
        "what", "ours", "peer", "", "value", "limit"
    );
    for figure in figures {
        let peer = figure
            .peer
            .map_or("-".to_owned(), |peer| format!("{peer:.1}"));
        println!(
            "{:<46} {:>10.1} {:>10} {:>4} {:>7.2} {:>7.2} {}",
            figure.what,
            figure.ours,
            peer,
            figure.unit,
            figure.value,
            figure.limit,
            if figure.good() { "ok" } else { "OVER" }
        );
        println!("    {}", figure.how);
    }
}

/// The middle value; not a number when there is none, which no limit accepts.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert!(median(&[]).is_nan());
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
    }

    #[test]
    fn a_limit_can_be_broken_and_nothing_measured_is_not_good() {
        assert!(Figure::ratio("", "ms", 11.0, 10.0, 1.1).good());
        assert!(!Figure::ratio("", "ms", 12.0, 10.0, 1.1).good());
        assert!(!Figure::share("", "%", f64::NAN, 2.0).good());
        assert!(!Figure::ratio("", "ms", 0.0, 0.0, 1.1).good());
    }
}
