//! The file: read, kept twice, replaced only if it is still what was read, and read back.
//!
//! What was there is kept beside the file, where people look for it, and under its hash among the data of
//! this program, where nobody edits it.

use std::{
    fs::OpenOptions,
    io::{self, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use forgekeeper_domain::{
    Timestamp,
    error::{ErrorCode, ErrorInfo},
    migration::{
        Words,
        iis::{MAX_BYTES, Refusal},
    },
};
use sha2::{Digest as _, Sha256};

use crate::sys::files;

/// Most files beside it that are looked at for one that holds the same.
const MAX_BESIDE: usize = 10_000;

/// Why the file is not read or not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileTrouble {
    /// It is not there, or is no file.
    #[error("there is no such file")]
    Missing,
    /// The system does not allow it.
    #[error("the system does not allow it")]
    Denied,
    /// Another program holds it.
    #[error("another program holds it")]
    Locked,
    /// There is no room.
    #[error("there is no room")]
    Full,
    /// It is not what it was when it was read.
    #[error("it was changed meanwhile")]
    Changed,
    /// What was written does not read back.
    #[error("what was written does not read back")]
    NotVerified,
    /// Something else.
    #[error("{0}")]
    Other(io::Error),
}

impl From<io::Error> for FileTrouble {
    fn from(error: io::Error) -> Self {
        // Two programs at one file, as Windows numbers it.
        if cfg!(windows) && matches!(error.raw_os_error(), Some(32 | 33)) {
            return Self::Locked;
        }
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::InvalidInput => Self::Missing,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::Denied,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::ResourceBusy | io::ErrorKind::WouldBlock => Self::Locked,
            _ => Self::Other(error),
        }
    }
}

impl FileTrouble {
    /// What is wrong and what to do.
    pub(crate) fn words(&self, path: &Path) -> Words {
        let path = path.display();
        match self {
            Self::Missing => Words::both(
                format!("There is no file {path}: correct `web_config` in migration.toml."),
                format!(
                    "Il n’y a pas de fichier {path}\u{202f}: corrigez `web_config` dans migration.toml."
                ),
            ),
            Self::Denied => Words::both(
                format!(
                    "The system does not let Forgekeeper write {path}: start it as administrator, or give your account the right to write this file and its folder."
                ),
                format!(
                    "Le système ne laisse pas Forgekeeper écrire {path}\u{202f}: démarrez-le en tant qu’administrateur, ou donnez à votre compte le droit d’écrire ce fichier et son dossier."
                ),
            ),
            Self::Locked => Words::both(
                format!(
                    "Another program holds {path}: close IIS Manager and editors that have it open, and try again."
                ),
                format!(
                    "Un autre programme tient {path}\u{202f}: fermez le gestionnaire IIS et les éditeurs qui l’ont ouvert, puis réessayez."
                ),
            ),
            Self::Full => Words::both(
                format!("There is no room to write {path}."),
                format!("Il n’y a pas la place d’écrire {path}."),
            ),
            Self::Changed => Words::both(
                format!(
                    "{path} was changed by somebody else meanwhile; nothing was written. Look at the preview again."
                ),
                format!(
                    "{path} a été modifié par quelqu’un d’autre entre-temps\u{202f}; rien n’a été écrit. Consultez de nouveau l’aperçu."
                ),
            ),
            Self::NotVerified => Words::both(
                format!("What was written to {path} does not read back."),
                format!("Ce qui a été écrit dans {path} ne se relit pas."),
            ),
            Self::Other(error) => Words::both(
                format!("{path} cannot be used: {error}."),
                format!("{path} est inutilisable\u{202f}: {error}."),
            ),
        }
    }

    /// The same as an error.
    pub(crate) fn error(&self, path: &Path) -> ErrorInfo {
        let code = match self {
            Self::Denied => ErrorCode::NotAllowed,
            Self::Full => ErrorCode::DiskFull,
            Self::Changed | Self::Locked => ErrorCode::Refused,
            Self::Missing | Self::NotVerified | Self::Other(_) => ErrorCode::Io,
        };
        ErrorInfo::new(code, self.words(path).en)
    }
}

/// A refusal of the domain as an error.
pub(crate) fn refused(refusal: &Refusal) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::Refused, refusal.reason().en).hint(refusal.remedy().en)
}

/// The bytes. A file that is larger than any `web.config` is cut after the first byte too many, by which the
/// domain refuses it.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, FileTrouble> {
    match files::read_limited(path, MAX_BYTES as u64) {
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(vec![b' '; MAX_BYTES + 1]),
        read => Ok(read?),
    }
}

/// Whether it could be written now. Changes nothing.
pub(crate) fn writable(path: &Path) -> Result<(), FileTrouble> {
    OpenOptions::new().write(true).open(path)?;
    Ok(())
}

/// The name of bytes.
pub(crate) fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Keeps the bytes beside the file under the time, or finds the copy that is there already.
pub(crate) fn back_up(path: &Path, bytes: &[u8], at: Timestamp) -> Result<PathBuf, FileTrouble> {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let prefix = format!("{name}.forgekeeper-");
    let mut there: Vec<String> = files::names(folder, MAX_BESIDE)?
        .into_iter()
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.starts_with(&prefix) && name.strip_suffix(".bak").is_some())
        .collect();
    there.sort_unstable();
    if let Some(newest) = there.last() {
        let copy = folder.join(newest);
        if read(&copy).is_ok_and(|kept| kept == bytes) {
            return Ok(copy);
        }
    }
    let copy = folder.join(format!("{prefix}{}.bak", at.strftime("%Y%m%dT%H%M%SZ")));
    match files::write_new(&copy, bytes) {
        // Made in the same second, with other bytes.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(FileTrouble::Changed);
        }
        written => written?,
    }
    if read(&copy)? != bytes {
        return Err(FileTrouble::NotVerified);
    }
    Ok(copy)
}

/// Keeps the bytes under their hash in a folder that only its owner may look into.
pub(crate) fn keep(folder: &Path, bytes: &[u8]) -> Result<String, FileTrouble> {
    files::ensure_private_dir(folder)?;
    let name = hash(bytes);
    if kept(folder, &name).is_err() {
        files::write_atomic(&folder.join(&name), bytes)?;
        kept(folder, &name)?;
    }
    Ok(name)
}

/// The bytes of this hash, if they are whole.
pub(crate) fn kept(folder: &Path, name: &str) -> Result<Vec<u8>, FileTrouble> {
    let bytes = files::read_limited(&folder.join(name), MAX_BYTES as u64)?;
    if hash(&bytes) == name {
        Ok(bytes)
    } else {
        Err(FileTrouble::NotVerified)
    }
}

/// Replaces what is expected there, and reads it back.
pub(crate) fn replace(path: &Path, expected: &[u8], new: &[u8]) -> Result<(), FileTrouble> {
    if read(path)? != expected {
        return Err(FileTrouble::Changed);
    }
    write(path, new)?;
    if read(path)? == new {
        Ok(())
    } else {
        Err(FileTrouble::NotVerified)
    }
}

fn write(path: &Path, new: &[u8]) -> Result<(), FileTrouble> {
    // A file that is moved into the place of another on Windows has the rights of its folder, and not those
    // that IIS was given on the file.
    if cfg!(windows) {
        return Ok(in_place(path, new)?);
    }
    match files::write_atomic(path, new) {
        // The file may be written although nothing may be made beside it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(in_place(path, new)?),
        written => Ok(written?),
    }
}

/// Writes into the file itself: owner, rights and attributes stay. Its end is cut last, so that what a reader
/// meets in between is never empty.
fn in_place(path: &Path, new: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.rewind()?;
    file.write_all(new)?;
    file.set_len(new.len() as u64)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn what_was_there_is_kept_once_and_found_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("web.config");
        fs::File::create(&path)
            .expect("made")
            .write_all(b"old")
            .expect("written");
        let first = back_up(&path, b"old", at("2026-11-28T00:00:00Z")).expect("kept");
        assert!(first.ends_with("web.config.forgekeeper-20261128T000000Z.bak"));
        let again = back_up(&path, b"old", at("2026-11-28T00:00:09Z")).expect("kept");
        assert_eq!(first, again);
        let other = back_up(&path, b"other", at("2026-11-28T00:01:00Z")).expect("kept");
        assert_ne!(first, other);
        assert!(matches!(
            back_up(&path, b"third", at("2026-11-28T00:01:00Z")),
            Err(FileTrouble::Changed)
        ));
        let folder = dir.path().join("kept");
        let name = keep(&folder, b"old").expect("kept");
        assert_eq!(keep(&folder, b"old").expect("kept"), name);
        assert_eq!(kept(&folder, &name).expect("whole"), b"old");
        files::write_atomic(&folder.join(&name), b"damaged").expect("written");
        assert!(matches!(
            kept(&folder, &name),
            Err(FileTrouble::NotVerified)
        ));
        assert_eq!(keep(&folder, b"old").expect("kept anew"), name);
        assert_eq!(kept(&folder, &name).expect("whole again"), b"old");
    }

    #[test]
    fn only_what_was_read_is_replaced() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("web.config");
        assert!(matches!(read(&path), Err(FileTrouble::Missing)));
        assert!(matches!(read(dir.path()), Err(FileTrouble::Missing)));
        files::write_atomic(&path, b"one and more").expect("written");
        replace(&path, b"one and more", b"two").expect("replaced");
        assert!(matches!(
            replace(&path, b"one", b"three"),
            Err(FileTrouble::Changed)
        ));
        assert_eq!(read(&path).expect("read"), b"two");
        in_place(&path, b"longer than before").expect("written");
        assert_eq!(read(&path).expect("read"), b"longer than before");
        in_place(&path, b"x").expect("written");
        assert_eq!(read(&path).expect("read"), b"x");
        writable(&path).expect("it may be");
        files::write_atomic(&path, &vec![b'x'; MAX_BYTES + 7]).expect("written");
        assert_eq!(read(&path).expect("cut").len(), MAX_BYTES + 1);
    }

    #[test]
    fn each_trouble_says_what_to_do_in_both_languages() {
        let path = Path::new("web.config");
        for trouble in [
            FileTrouble::Missing,
            FileTrouble::Denied,
            FileTrouble::Locked,
            FileTrouble::Full,
            FileTrouble::Changed,
            FileTrouble::NotVerified,
            FileTrouble::Other(io::Error::other("x")),
        ] {
            let words = trouble.words(path);
            assert_ne!(words.en, words.fr);
            assert!(words.en.contains("web.config") && words.fr.contains("web.config"));
            assert!(
                !words.fr.contains('\'') && !words.fr.contains(" :") && !words.fr.contains(" ;")
            );
            assert_eq!(trouble.error(path).message, words.en);
        }
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        assert!(matches!(FileTrouble::from(denied), FileTrouble::Denied));
    }
}
