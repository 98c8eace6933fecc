//! Where the script lies.

use std::path::{Path, PathBuf};

/// Where the script is looked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Named by the environment: it must be there.
    Named(PathBuf),
    /// Beside the library: it may be there.
    #[cfg_attr(
        not(unix),
        allow(dead_code, reason = "the library's own file is not asked for")
    )]
    Beside(PathBuf),
    /// The library does not know its own file.
    Nowhere,
}

impl Place {
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Named(path) | Self::Beside(path) => Some(path),
            Self::Nowhere => None,
        }
    }
}

/// Where this process, or this copy of the library, has its script.
pub(super) fn script() -> Place {
    match std::env::var_os(crate::SCRIPT_VARIABLE) {
        Some(path) if !path.is_empty() => Place::Named(path.into()),
        _ => beside(),
    }
}

#[cfg(not(unix))]
fn beside() -> Place {
    Place::Nowhere
}

#[cfg(unix)]
fn beside() -> Place {
    let file = own_file().and_then(|file| std::path::absolute(file).ok());
    match file.as_deref().and_then(Path::parent) {
        Some(folder) => Place::Beside(folder.join(crate::SCRIPT_FILE)),
        None => Place::Nowhere,
    }
}

/// The file that this code was loaded from, as the loader was told.
#[cfg(unix)]
#[expect(unsafe_code, reason = "only the loader knows, and it is asked in C")]
fn own_file() -> Option<PathBuf> {
    use std::{
        ffi::{CStr, OsStr},
        os::unix::ffi::OsStrExt,
    };

    /// Lies in the library like all of its data.
    static HERE: u8 = 0;
    let mut info = libc::Dl_info {
        dli_fname: std::ptr::null(),
        dli_fbase: std::ptr::null_mut(),
        dli_sname: std::ptr::null(),
        dli_saddr: std::ptr::null_mut(),
    };
    // SAFETY: `info` may be written; the address is only compared with those of loaded files.
    let found = unsafe { libc::dladdr((&raw const HERE).cast(), &raw mut info) };
    if found == 0 || info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: the loader's own text, which stays as long as this library is loaded.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    Some(PathBuf::from(OsStr::from_bytes(name.to_bytes())))
}
