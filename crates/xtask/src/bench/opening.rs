//! From the start of the program to the first frame that shows data.

use std::time::Duration;

use super::{Figure, build, median, screen::Program};
use crate::repo::Repo;

const PAIRS: usize = 7;
const DEADLINE: Duration = Duration::from_mins(1);

/// Ours on the demo host against an empty window, one after the other.
pub(super) fn run(repo: &Repo) -> Result<Vec<Figure>, String> {
    let ours = build::ours(repo)?.join("forgekeeper");
    let peer = build::peer(repo)?;
    let (mut mine, mut theirs) = (Vec::new(), Vec::new());
    // The first pair warms the disk cache and is not counted.
    for pair in 0..=PAIRS {
        let a = Program::start(&ours, &["--demo"])?
            .until("forgekeeper: first paint of data", DEADLINE)?;
        let b = Program::start(&peer, &[])?.until("peer: first paint", DEADLINE)?;
        if pair > 0 {
            mine.push(a);
            theirs.push(b);
        }
    }
    Ok(vec![
        Figure::ratio(
            "opening to first paint of data",
            "ms",
            median(&mine),
            median(&theirs),
            1.5,
        )
        .how(format!(
            "medians of {PAIRS} alternated starts against an empty Tauri window"
        )),
    ])
}
