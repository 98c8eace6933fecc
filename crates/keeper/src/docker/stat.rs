//! What the engine tells of a file without its bytes: enough to know that it has not changed.

use std::time::Duration;

use bollard::query_parameters::ContainerArchiveInfoOptionsBuilder;
use forgekeeper_domain::Timestamp;

use super::{
    engine::{Engine, container_name},
    error::DockerError,
};

/// Go's bits for folders, links, pipes, sockets, devices and what else is no ordinary file.
const NO_FILE: u32 = 1 << 31 | 1 << 27 | 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19;

/// A file by its size and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStat {
    /// Its length in bytes.
    pub bytes: u64,
    /// When it was last written.
    pub modified_at: Timestamp,
}

impl Engine {
    /// A file of a container by its size and time; `None` when the engine does not tell of one
    /// there, which has many reasons: who needs to know reads it.
    pub async fn stat_file(
        &self,
        container: &str,
        path: &str,
        deadline: Duration,
    ) -> Result<Option<FileStat>, DockerError> {
        let container = container_name(container)?;
        let options = ContainerArchiveInfoOptionsBuilder::default()
            .path(path)
            .build();
        let asked = self
            .docker()
            .get_container_archive_info(container, Some(options));
        match self.ask("archive", deadline, asked).await {
            Ok(told) => Ok(stat(
                told.size,
                told.file_mode,
                told.modification_time.as_deref(),
            )),
            Err(error) if error.is_connection() => Err(error),
            Err(_) => Ok(None),
        }
    }
}

fn stat(size: i64, mode: u32, modified: Option<&str>) -> Option<FileStat> {
    (mode & NO_FILE == 0).then_some(())?;
    Some(FileStat {
        bytes: u64::try_from(size).ok()?,
        modified_at: modified?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_ordinary_file_with_its_time_is_told() {
        let at = Some("2026-03-04T05:06:07.000000008Z");
        let found = stat(12, 0o644, at).expect("a file");
        assert_eq!(found.bytes, 12);
        assert_eq!(found.modified_at.subsec_nanosecond(), 8);
        for (size, mode, at) in [
            (12, (1 << 31) | 0o755, at),
            (12, (1 << 27) | 0o777, at),
            (-1, 0o644, at),
            (12, 0o644, Some("yesterday")),
            (12, 0o644, None),
        ] {
            assert_eq!(stat(size, mode, at), None, "{size} {mode:o} {at:?}");
        }
    }
}
