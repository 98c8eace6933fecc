//! Faults inside a real container: a file that `docker exec … forgekeeper-standin fault NAME`
//! writes and the running program follows, so that no further port is needed.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::faults::{Fault, FaultBoard};

/// The faults in the file; a missing file means none, an unknown name is left out.
pub fn stored(file: &Path) -> BTreeSet<Fault> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .filter_map(|name| name.trim().parse().ok())
        .collect()
}

/// Adds a fault to the file, or takes it out.
pub fn store(file: &Path, fault: Fault, raised: bool) -> io::Result<()> {
    let mut set = stored(file);
    if raised {
        set.insert(fault);
    } else {
        set.remove(&fault);
    }
    let text: Vec<&str> = set.iter().map(|fault| fault.name()).collect();
    let fresh = file.with_extension("new");
    std::fs::write(&fresh, text.join("\n"))?;
    std::fs::rename(fresh, file)
}

/// Follows the file for ever; faults of the program itself end this process.
pub(crate) async fn follow(file: &Path, board: FaultBoard) {
    let mut known = stored(file);
    loop {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let now = stored(file);
        for fault in now.difference(&known) {
            board.raise(*fault, None);
            if matches!(fault, Fault::ProgramFatal | Fault::ProgramLoop) {
                eprintln!("RuntimeError: CUDA error: unknown error");
                std::process::exit(1);
            }
        }
        for fault in known.difference(&now) {
            board.lower(*fault, None);
        }
        known = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_stored_and_taken_out_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("faults");
        assert!(stored(&file).is_empty());
        store(&file, Fault::ApiHang, true).unwrap();
        store(&file, Fault::GpuLost, true).unwrap();
        store(&file, Fault::ApiHang, false).unwrap();
        assert_eq!(stored(&file), BTreeSet::from([Fault::GpuLost]));
    }
}
