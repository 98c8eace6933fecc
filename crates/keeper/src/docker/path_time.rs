//! When a path inside a container last changed.

use bollard::query_parameters::ContainerArchiveInfoOptionsBuilder;
use forgekeeper_domain::Timestamp;

use super::{
    engine::{Engine, container_name},
    error::DockerError,
};

impl Engine {
    /// The time of a path's last change; `None` where there is no such path, or it tells no time.
    pub async fn changed_at(
        &self,
        container: &str,
        path: &str,
    ) -> Result<Option<Timestamp>, DockerError> {
        let container = container_name(container)?;
        let options = ContainerArchiveInfoOptionsBuilder::default()
            .path(path)
            .build();
        let asked = self
            .docker()
            .get_container_archive_info(container, Some(options));
        match self.ask("archive", self.deadlines().question, asked).await {
            Ok(stat) => Ok(stat.modification_time.and_then(|at| at.parse().ok())),
            Err(error) if error.is_no_file() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
