//! Files: written whole or not at all, read up to a limit.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

/// Attempts at the final rename. On Windows a virus scanner may hold the target for a moment.
const RENAME_ATTEMPTS: u32 = 5;
/// Readings of a file that keeps changing; the last one counts (the system's own pseudo files never
/// have the length they claim).
const READ_ATTEMPTS: u32 = 4;

/// Bytes of a draft that are gathered before they are written.
const WRITTEN_AT_ONCE: usize = 256 * 1024;

/// Makes a folder and those above it.
pub fn ensure_dir(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// Makes a folder that its owner alone may look into, and those above it.
pub fn ensure_private_dir(path: &Path) -> io::Result<()> {
    ensure_dir(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Reads a regular file of at most `max` bytes; a larger one is an error (`FileTooLarge`), not a
/// cut. A file that another program rewrites in place meanwhile is read again, so that the start
/// of the old text is not taken for the whole of the new.
pub fn read_limited(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let mut attempt = 1;
    loop {
        let (bytes, torn) = read_once(path, max)?;
        if !torn || attempt == READ_ATTEMPTS {
            return Ok(bytes);
        }
        attempt += 1;
    }
}

/// The bytes, and whether the file changed while they were read.
fn read_once(path: &Path, max: u64) -> io::Result<(Vec<u8>, bool)> {
    // Asked before opening: opening a pipe would wait for its other end.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a file",
        ));
    }
    let mut file = File::open(path)?;
    let before = file.metadata()?.modified().ok();
    let mut bytes = Vec::new();
    // One byte more than allowed tells a full file from a file that is too long.
    Read::by_ref(&mut file)
        .take(max.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is larger than {max} bytes"),
        ));
    }
    let after = file.metadata()?;
    let torn = after.len() != bytes.len() as u64 || after.modified().ok() != before;
    Ok((bytes, torn))
}

/// A file that is written piece by piece, and takes its place only when it is whole: a crash at
/// any moment leaves the old one or the new one, never half. Dropped before, it leaves nothing.
#[derive(Debug)]
pub struct Draft {
    /// Closed before the file is moved.
    file: Option<BufWriter<File>>,
    temporary: PathBuf,
    target: PathBuf,
    parent: PathBuf,
}

impl Draft {
    /// Begins to write. A symbolic link is followed: what it points to is replaced.
    pub fn begin(path: &Path) -> io::Result<Self> {
        Self::begin_at(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))
    }

    /// The same where a link is replaced and never followed: in a folder in which others may make
    /// one at any moment.
    pub fn begin_at(target: PathBuf) -> io::Result<Self> {
        let parent = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        ensure_dir(&parent)?;
        let name = target
            .file_name()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no file"))?;
        let mut temporary_name = OsString::from(".");
        temporary_name.push(name);
        temporary_name.push(format!(".{}.tmp", uuid::Uuid::new_v4().simple()));
        let temporary = parent.join(temporary_name);
        Ok(Self {
            file: Some(BufWriter::with_capacity(
                WRITTEN_AT_ONCE,
                new_file(&temporary)?,
            )),
            temporary,
            target,
            parent,
        })
    }

    /// Gives a new file this mode; one that replaces another keeps its mode whatever was said.
    pub fn set_mode(&self, mode: u32) -> io::Result<()> {
        #[cfg(unix)]
        if let Some(file) = &self.file {
            use std::os::unix::fs::PermissionsExt as _;
            file.get_ref()
                .set_permissions(fs::Permissions::from_mode(mode))?;
        }
        #[cfg(not(unix))]
        let _ = mode;
        Ok(())
    }

    /// Gives it to whom the file belongs that it replaces, else to whom the folder does: a program
    /// goes on writing what was its own.
    pub fn keep_owner(&self) -> io::Result<()> {
        #[cfg(unix)]
        if let Some(file) = &self.file {
            use std::os::unix::fs::{MetadataExt as _, fchown};
            let old = fs::symlink_metadata(&self.target)
                .ok()
                .filter(fs::Metadata::is_file);
            let wanted = old.map_or_else(|| fs::metadata(&self.parent), Ok)?;
            let is = file.get_ref().metadata()?;
            if (is.uid(), is.gid()) != (wanted.uid(), wanted.gid()) {
                fchown(file.get_ref(), Some(wanted.uid()), Some(wanted.gid()))?;
            }
        }
        Ok(())
    }

    /// Puts the file in its place.
    pub fn finish(mut self) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.flush()?;
            file.get_ref().sync_all()?;
        }
        self.file = None;
        keep_permissions(&self.target, &self.temporary)?;
        rename(&self.temporary, &self.target)?;
        sync_dir(&self.parent);
        Ok(())
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Some(file) => file.write(bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            // What was not written yet is not wanted any more.
            let _ = file.into_parts();
        }
        // After the move there is nothing left under this name; before it nothing depends on the
        // leftover, and the first error is the one worth telling.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Writes a file whole or not at all.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut draft = Draft::begin(path)?;
    draft.write_all(bytes)?;
    draft.finish()
}

/// Writes a file that must not exist yet (`AlreadyExists` otherwise); none is left behind by a
/// failure.
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let written = write_and_sync(path, bytes);
    if written
        .as_ref()
        .is_err_and(|error| error.kind() != io::ErrorKind::AlreadyExists)
    {
        // Half a file is worse than none; the first error is the one worth telling.
        let _ = fs::remove_file(path);
    }
    written
}

/// Names of a folder's entries, at most `most` of them in no order; none where there is no folder.
pub fn names(path: &Path, most: usize) -> io::Result<Vec<OsString>> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let names = entries.take(most).map(|entry| Ok(entry?.file_name()));
    names.collect()
}

/// Removes a file; one that is not there is no error.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a file as young as one that was written just now.
pub fn touch(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().append(true).open(path)?;
    let since_1970 = Duration::try_from(super::clock::now().as_duration());
    file.set_modified(UNIX_EPOCH + since_1970.unwrap_or_default())
}

/// Lets everybody read a file: a program in a container runs as somebody else.
pub fn let_all_read(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(path)?.permissions().mode();
        fs::set_permissions(path, fs::Permissions::from_mode(mode | 0o444))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

fn write_and_sync(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = new_file(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A file that was not there before; the owner's alone.
fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

/// A replaced file keeps its mode; a new one is the owner's alone.
#[cfg_attr(
    not(unix),
    expect(clippy::unnecessary_wraps, reason = "one signature for all systems")
)]
fn keep_permissions(old: &Path, new: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Ok(metadata) = fs::metadata(old) {
        fs::set_permissions(new, metadata.permissions())?;
    }
    #[cfg(not(unix))]
    let _ = (old, new);
    Ok(())
}

/// Moves a file or a folder within a file system; a file in its place is replaced.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let mut attempt = 1;
    loop {
        match fs::rename(from, to) {
            Err(error)
                if cfg!(windows)
                    && error.kind() == io::ErrorKind::PermissionDenied
                    && attempt < RENAME_ATTEMPTS =>
            {
                std::thread::sleep(Duration::from_millis(20 << attempt));
                attempt += 1;
            }
            result => return result,
        }
    }
}

/// Makes the rename itself durable. Some file systems cannot; the data is safe by then.
fn sync_dir(path: &Path) {
    #[cfg(unix)]
    if let Ok(dir) = File::open(path) {
        let _ = dir.sync_all();
    }
    #[cfg(not(unix))]
    let _ = path;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_whole_files_and_leaves_nothing_beside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("below/settings.toml");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(read_limited(&path, 3).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_draft_takes_its_place_when_it_is_whole_and_leaves_nothing_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        write_atomic(&path, b"old").unwrap();
        let mut draft = Draft::begin(&path).unwrap();
        draft.write_all(&vec![b'x'; 2 * WRITTEN_AT_ONCE]).unwrap();
        assert_eq!(read_limited(&path, 9).unwrap(), b"old");
        drop(draft);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let mut draft = Draft::begin(&path).unwrap();
        draft.write_all(b"new").unwrap();
        draft.finish().unwrap();
        assert_eq!(read_limited(&path, 9).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_new_file_never_replaces_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("picture.png");
        write_new(&path, b"one").unwrap();
        let taken = write_new(&path, b"two").unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read_limited(&path, 9).unwrap(), b"one");
        assert!(write_new(&dir.path().join("no/folder"), b"x").is_err());
    }

    #[test]
    fn reading_names_what_is_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let kind = |path: &Path| read_limited(path, 9).unwrap_err().kind();
        assert_eq!(kind(&path), io::ErrorKind::NotFound);
        assert_eq!(kind(dir.path()), io::ErrorKind::InvalidInput);
        write_atomic(&path, b"0123456789").unwrap();
        assert_eq!(kind(&path), io::ErrorKind::FileTooLarge);
    }

    #[cfg(unix)]
    #[test]
    fn links_and_modes_survive_and_a_new_file_is_private() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        write_atomic(&real, b"1").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&real), 0o600);
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&real, &link).unwrap();
        write_atomic(&link, b"2").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(
            (fs::read(&real).unwrap().as_slice(), mode(&real)),
            (&b"2"[..], 0o640)
        );
    }
}
