//! A file into a container, through the engine's archive: the engine unpacks it within the container's
//! own file system, whatever links are there.

use std::time::Duration;

use bollard::query_parameters::UploadToContainerOptionsBuilder;
use tar::{Builder, EntryType, Header};

use super::MAX_PATH;
use crate::{
    docker::{
        engine::{Engine, connection_given_up, container_name},
        error::DockerError,
    },
    sys::clock,
};

/// A file to be written.
#[derive(Debug, Clone, Copy)]
pub struct NewFile<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Its mode.
    pub mode: u32,
    /// User and group that it will belong to.
    pub owner: (u64, u64),
}

impl Engine {
    /// Writes a file of a container, running or not, into a folder that is there. The engine does not
    /// do it in one step: who reads at that moment may see half of it.
    pub async fn write_file(
        &self,
        container: &str,
        path: &str,
        file: NewFile<'_>,
        deadline: Duration,
    ) -> Result<(), DockerError> {
        let container = container_name(container)?;
        let bad = |words: &str| DockerError::BadAnswer {
            what: "archive",
            reason: words.to_owned(),
        };
        let place = path
            .rsplit_once('/')
            .filter(|_| path.starts_with('/') && path.len() <= MAX_PATH && !path.contains('\0'));
        let Some((folder, name)) = place.filter(|(_, name)| !matches!(*name, "" | "." | ".."))
        else {
            return Err(bad("its path cannot be written to"));
        };
        let tar = packed(name, file).map_err(|error| bad(&error.to_string()))?;
        let folder = if folder.is_empty() { "/" } else { folder };
        let options = UploadToContainerOptionsBuilder::default()
            .path(folder)
            .no_overwrite_dir_non_dir("true")
            .build();
        let body = bollard::body_full(tar.into());
        let writing = self
            .docker()
            .upload_to_container(container, Some(options), body);
        tokio::select! {
            done = tokio::time::timeout(deadline, writing) => match done {
                Ok(done) => done.map_err(|error| DockerError::from_bollard("archive", &error)),
                Err(_) => Err(DockerError::Timeout { what: "archive", deadline }),
            },
            () = self.given_up().cancelled() => Err(connection_given_up()),
        }
    }
}

fn packed(name: &str, file: NewFile<'_>) -> std::io::Result<Vec<u8>> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(file.mode & 0o7777);
    header.set_uid(file.owner.0);
    header.set_gid(file.owner.1);
    header.set_mtime(u64::try_from(clock::now().as_second()).unwrap_or_default());
    header.set_size(file.bytes.len() as u64);
    let mut tar = Builder::new(Vec::new());
    tar.append_data(&mut header, name, file.bytes)?;
    tar.into_inner()
}
