//! The script's file: read again only when it changed.

use std::{fs, io, path::PathBuf, sync::Arc, time::SystemTime};

use super::place::Place;
use crate::{codes::NvmlCode, script::Script};

/// A script and where it comes from.
pub(super) struct Source {
    place: Place,
    /// The file as it was when it was last read.
    seen: Option<Seen>,
    /// `None` when it could not be read.
    script: Option<Arc<Script>>,
}

/// What tells one state of a file from another.
#[derive(PartialEq)]
enum Seen {
    Missing,
    Hidden(io::ErrorKind),
    File {
        modified: Option<SystemTime>,
        bytes: u64,
        /// A file that was replaced within one tick of the clock has another number.
        number: u64,
    },
}

impl Seen {
    fn at(place: &Place) -> Self {
        let Some(path) = place.path() else {
            return Self::Missing;
        };
        match fs::metadata(path) {
            Ok(metadata) => Self::File {
                modified: metadata.modified().ok(),
                bytes: metadata.len(),
                number: number(&metadata),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::Missing,
            Err(error) => Self::Hidden(error.kind()),
        }
    }
}

#[cfg(unix)]
fn number(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn number(_: &fs::Metadata) -> u64 {
    0
}

impl Source {
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            seen: None,
            script: None,
        }
    }

    pub(super) fn is_at(&self, place: &Place) -> bool {
        self.place == *place
    }

    /// The script as last read.
    pub(super) fn last(&self) -> Result<Arc<Script>, NvmlCode> {
        self.script.clone().ok_or(NvmlCode::Unknown)
    }

    /// The script now. The reason why a file cannot be used is printed once for each state of it.
    pub(super) fn look(&mut self) -> Result<Arc<Script>, NvmlCode> {
        // Looked at before it is read: what changes in between is seen the next time.
        let seen = Seen::at(&self.place);
        if self.seen.as_ref() != Some(&seen) {
            self.script = match (&self.place, &seen) {
                (Place::Nowhere | Place::Beside(_), Seen::Missing) => {
                    Some(Arc::new(Script::founding()))
                }
                _ => self.read(),
            };
            self.seen = Some(seen);
        }
        self.last()
    }

    fn read(&self) -> Option<Arc<Script>> {
        let path: PathBuf = self.place.path()?.into();
        match Script::read(&path) {
            Ok(script) => Some(Arc::new(script)),
            Err(error) => {
                eprintln!("stand-in NVML: {} {error}", path.display());
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_again_when_it_was_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nvml.json");
        let mut source = Source::new(Place::Beside(path.clone()));
        assert_eq!(*source.look().unwrap(), Script::founding());
        let mut script = Script::founding();
        for celsius in 50..60 {
            // Always of the same length, and often within one tick of the clock.
            script.cards[0].temperature_c = celsius.into();
            script.write(&path).unwrap();
            assert_ne!(
                *source.last().unwrap(),
                script,
                "not before it is looked at"
            );
            assert_eq!(*source.look().unwrap(), script);
        }
        let same = source.look().unwrap();
        assert!(
            Arc::ptr_eq(&same, &source.look().unwrap()),
            "not read again"
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_was_named_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("world.json");
        let mut source = Source::new(Place::Named(path.clone()));
        assert_eq!(source.look().unwrap_err(), NvmlCode::Unknown);
        Script::founding().write(&path).unwrap();
        assert_eq!(*source.look().unwrap(), Script::founding());
    }
}
