//! `disk-space`: the folder that the target is set up in has room.

use std::path::{Path, PathBuf};

use forgekeeper_domain::migration::{Finding, Words};
use futures_util::future::BoxFuture;

use crate::migration::{Site, StepWork};

const GIB: u64 = 1 << 30;
/// What the image, the custom nodes with their libraries, and the first pictures take. Models are shared.
const NEEDED: u64 = 30 * GIB;

/// The step.
#[derive(Debug)]
pub(crate) struct DiskSpace;

impl StepWork for DiskSpace {
    fn check<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Finding> {
        Box::pin(async move {
            let Some(said) = site.target().compose_file.as_deref() else {
                return Finding::unset("target", "compose_file");
            };
            let place = site.path(said);
            let looked = tokio::task::spawn_blocking(move || free(&place));
            match looked.await {
                Ok(Some((folder, free))) => judged(&folder, free),
                Ok(None) | Err(_) => Finding::unknown(Words::both(
                    "The disk cannot be asked.",
                    "Le disque ne peut pas être interrogé.",
                )),
            }
        })
    }
}

/// The nearest folder that exists, and what is free on its disk.
fn free(place: &Path) -> Option<(PathBuf, u64)> {
    let folder = place.ancestors().skip(1).find(|folder| folder.is_dir())?;
    Some((folder.to_owned(), fs4::available_space(folder).ok()?))
}

fn judged(folder: &Path, free: u64) -> Finding {
    let finding = if free >= NEEDED {
        Finding::proved()
    } else {
        Finding::failed(Words::both(
            "The disk has too little room for the image, the custom nodes and the pictures.",
            "Le disque n’a pas assez de place pour l’image, les nœuds personnalisés et les images produites.",
        ))
    };
    finding
        .with("folder", folder.display())
        .with("free_bytes", free)
        .with("needed_bytes", NEEDED)
}

#[cfg(test)]
mod tests {
    use forgekeeper_domain::migration::Found;

    use super::*;

    #[test]
    fn what_is_free_is_measured_where_the_file_will_be() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, bytes) = free(&dir.path().join("not/yet/compose.yaml")).unwrap();
        assert_eq!(folder, dir.path());
        assert!(bytes > 0);
        assert_eq!(judged(&folder, NEEDED).found, Found::Proved);
        assert_eq!(judged(&folder, NEEDED - 1).found, Found::Failed);
    }
}
