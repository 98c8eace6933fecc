//! Room on a disk, and whether two folders share one.

use std::path::Path;

use forgekeeper_domain::backup::SharedDisk;

/// Bytes that are free for this user where a folder is, or would be made; `None` when the system does not
/// tell.
pub(crate) fn free_bytes(folder: &Path) -> Option<u64> {
    fs4::available_space(existing(folder)).ok()
}

/// What two folders share; one that does not exist yet counts as the one it would be made in.
pub(crate) fn shared(one: &Path, other: &Path) -> SharedDisk {
    system::shared(existing(one), existing(other))
}

/// The nearest folder that exists.
pub(crate) fn existing(folder: &Path) -> &Path {
    let mut nearest = folder;
    while std::fs::metadata(nearest).is_err() {
        match nearest.parent() {
            Some(parent) => nearest = parent,
            None => break,
        }
    }
    nearest
}

#[cfg(unix)]
mod system {
    use std::{
        fs,
        os::unix::fs::MetadataExt as _,
        path::{Path, PathBuf},
    };

    use forgekeeper_domain::backup::SharedDisk;

    pub(super) fn shared(one: &Path, other: &Path) -> SharedDisk {
        let device = |path: &Path| fs::metadata(path).ok().map(|metadata| metadata.dev());
        let (Some(one), Some(other)) = (device(one), device(other)) else {
            return SharedDisk::Unknown;
        };
        if one == other {
            return SharedDisk::SameVolume;
        }
        match (disk(one), disk(other)) {
            (Some(one), Some(other)) if one == other => SharedDisk::SameDisk,
            (Some(_), Some(_)) => SharedDisk::Different,
            // A network, a container's layers, a virtual disk of WSL: what is below is not told.
            _ => SharedDisk::Unknown,
        }
    }

    /// The disk of a device, where the kernel knows one: a partition lies in the folder of its disk.
    fn disk(device: u64) -> Option<PathBuf> {
        // As in glibc's makedev.
        let major = ((device >> 8) & 0xfff) | ((device >> 32) & !0xfff);
        let minor = (device & 0xff) | ((device >> 12) & !0xff);
        let folder = fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()?;
        // What is made of other devices (LVM, RAID, encryption, loops) may share those.
        let made_of_others = folder.starts_with("/sys/devices/virtual");
        if made_of_others {
            return None;
        }
        if folder.join("partition").exists() {
            return folder.parent().map(Path::to_owned);
        }
        Some(folder)
    }
}

#[cfg(windows)]
mod system {
    use std::path::Path;

    use forgekeeper_domain::backup::SharedDisk;
    use winapi_util::{Handle, file};

    /// Two volumes may be parts of one disk, and WSL's files lie in a file on another volume: that they are
    /// on different disks is never known here.
    pub(super) fn shared(one: &Path, other: &Path) -> SharedDisk {
        let volume = |path: &Path| {
            let handle = Handle::from_path_any(path).ok()?;
            let serial = file::information(&handle).ok()?.volume_serial_number();
            (serial != 0).then_some(serial)
        };
        match (volume(one), volume(other)) {
            (Some(one), Some(other)) if one == other => SharedDisk::SameVolume,
            _ => SharedDisk::Unknown,
        }
    }
}

#[cfg(not(any(unix, windows)))]
mod system {
    use std::path::Path;

    use forgekeeper_domain::backup::SharedDisk;

    pub(super) fn shared(_: &Path, _: &Path) -> SharedDisk {
        SharedDisk::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_folders_of_one_file_system_share_it() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("a"), dir.path().join("not/there/yet"));
        std::fs::create_dir(&one).unwrap();
        assert_eq!(shared(&one, &other), SharedDisk::SameVolume);
        assert!(free_bytes(&other).is_some_and(|free| free > 0));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_below_a_virtual_file_system_is_not_known() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(shared(dir.path(), Path::new("/proc")), SharedDisk::Unknown);
    }
}
