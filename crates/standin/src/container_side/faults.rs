//! Faults inside a real container: a file that `docker exec … forgekeeper-standin fault NAME`
//! writes and the running program follows, so that no further port is needed.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::faults::{Fault, FaultBoard, FaultPart};

/// The faults in the file; a missing file means none, an unknown name is left out.
pub fn stored(file: &Path) -> BTreeSet<Fault> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .filter_map(|name| name.trim().parse().ok())
        .collect()
}

/// Whether a fault can be played from inside a container: the engine and the containers are real
/// there, and there is no second card.
pub fn playable(fault: Fault) -> bool {
    match fault.row().part {
        FaultPart::Engine | FaultPart::Container | FaultPart::Proxy => false,
        FaultPart::Program => {
            !matches!(fault, Fault::WorkspaceUnmounted | Fault::ConfigSecondWriter)
        }
        FaultPart::Image => fault != Fault::PlacementWrong,
        FaultPart::Api | FaultPart::Gpu | FaultPart::Log => true,
    }
}

/// Reads a name that is to act inside a container.
pub fn read(name: &str) -> io::Result<Fault> {
    let refused = |text: String| io::Error::new(io::ErrorKind::InvalidInput, text);
    let fault: Fault = name.parse().map_err(|error| refused(format!("{error}")))?;
    if playable(fault) {
        Ok(fault)
    } else {
        Err(refused(format!(
            "`{fault}` needs a played engine or two cards; inside a container it does nothing"
        )))
    }
}

fn write(file: &Path, set: &BTreeSet<Fault>) -> io::Result<()> {
    let text: Vec<&str> = set.iter().map(|fault| fault.name()).collect();
    let fresh = file.with_extension("new");
    std::fs::write(&fresh, text.join("\n"))?;
    std::fs::rename(fresh, file)
}

/// Adds a fault to the file, or takes it out.
pub fn store(file: &Path, fault: Fault, raised: bool) -> io::Result<()> {
    let mut set = stored(file);
    if raised {
        set.insert(fault);
    } else {
        set.remove(&fault);
    }
    write(file, &set)
}

/// The faults of a container that starts: those of its environment at its first start, later what
/// the file says, so that a lifted one stays lifted.
pub fn first(file: &Path, wanted: Option<String>) -> io::Result<FaultBoard> {
    if !file.exists() {
        let wanted = wanted.unwrap_or_default();
        let names = wanted.split(',').map(str::trim).filter(|n| !n.is_empty());
        write(file, &names.map(read).collect::<io::Result<_>>()?)?;
    }
    let board = FaultBoard::default();
    for fault in stored(file) {
        board.raise(fault, None);
    }
    Ok(board)
}

/// Follows the file for ever, and takes out of it what the program has spent. `raised` hears of
/// every new fault.
pub(crate) async fn follow(file: &Path, board: &FaultBoard, raised: impl Fn(Fault)) {
    let mut known = stored(file);
    let mut changes = board.changes();
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(150)) => {}
            // The board outlives this.
            _ = changes.changed() => {}
        }
        let up = changes.borrow_and_update().clone();
        for fault in &known.clone() {
            if !up.iter().any(|entry| entry.fault == *fault) {
                // Losing this race only means that the fault comes back once more.
                let _ = store(file, *fault, false);
                known.remove(fault);
            }
        }
        let now = stored(file);
        for fault in now.difference(&known) {
            board.raise(*fault, None);
            raised(*fault);
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

    #[test]
    fn the_environment_counts_once_and_only_with_what_can_be_played() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("faults");
        let wanted = || Some("program-fatal, gpu-na".to_owned());
        assert_eq!(first(&file, wanted()).unwrap().list().len(), 2);
        store(&file, Fault::ProgramFatal, false).unwrap();
        store(&file, Fault::GpuNa, false).unwrap();
        assert!(first(&file, wanted()).unwrap().list().is_empty(), "lifted");
        let other = folder.path().join("other");
        for name in ["engine-stopped", "placement-wrong", "nonsense"] {
            assert!(first(&other, Some(name.to_owned())).is_err(), "{name}");
        }
    }

    #[tokio::test]
    async fn what_is_spent_leaves_the_file_and_what_is_new_is_heard() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("faults");
        let board = first(&file, Some("image-cuda-broken".to_owned())).unwrap();
        let (followed, path) = (board.clone(), file.clone());
        let (tell, mut heard) = tokio::sync::mpsc::channel(4);
        let task = tokio::spawn(async move {
            follow(&path, &followed, |fault| tell.try_send(fault).unwrap()).await;
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        board.spend(Fault::ImageCudaBroken, "forge");
        store(&file, Fault::ApiHang, true).unwrap();
        assert_eq!(heard.recv().await, Some(Fault::ApiHang));
        assert_eq!(stored(&file), BTreeSet::from([Fault::ApiHang]));
        assert!(board.any(Fault::ApiHang));
        task.abort();
    }
}
