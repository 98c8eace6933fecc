//! For a test that depends on this crate: the library that was built with it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{LIBRARY_FILE, SCRIPT_FILE, Script};

/// The library of that crate name, beside the running test or in a folder of the target folder
/// near it.
fn find(name: &str, folders: &[&str]) -> io::Result<PathBuf> {
    let file = format!(
        "{}{name}{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    let test = std::env::current_exe()?;
    // …/target/debug/deps/test-0123456789abcdef
    let deps = test.parent().unwrap_or(Path::new("."));
    folders
        .iter()
        .map(|folder| deps.join(folder).join(&file))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            let place = deps.display();
            io::Error::new(io::ErrorKind::NotFound, format!("no {file} near {place}"))
        })
}

/// The stand-in library, built because the test depends on this crate.
pub fn library() -> io::Result<PathBuf> {
    find("forgekeeper_standin_nvml", &[".", ".."])
}

/// A library of this crate's examples by name: `old_library`, `wrong_library`. Built only by the
/// tests of this crate itself.
pub fn example(name: &str) -> io::Result<PathBuf> {
    find(name, &["../examples"])
}

/// Makes a world of its own in `folder`: a copy of the library under the name that the loader
/// looks for, and `script` beside it. Gives the path of the library.
pub fn install(folder: &Path, script: &Script) -> io::Result<PathBuf> {
    let library = folder.join(LIBRARY_FILE);
    fs::copy(self::library()?, &library)?;
    script.write(&folder.join(SCRIPT_FILE))?;
    Ok(library)
}
