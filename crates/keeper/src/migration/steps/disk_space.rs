//! `disk-space`: the engine's disk has room for the image, and the target's folder for what it makes.
//!
//! They may be one disk or two (with WSL the engine has a virtual disk of its own): each is measured
//! where it is, and each has to have room.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use forgekeeper_domain::migration::{Finding, Words, image::RegistryAnswer};
use futures_util::future::BoxFuture;

use super::target_image::{asked, not_read};
use crate::{
    docker::Engine,
    migration::{Site, StepWork},
};

const GIB: u64 = 1 << 30;
/// What custom nodes with their libraries and the first pictures take. Models are shared.
const MADE: u64 = 10 * GIB;
/// Of an image whose size nobody tells: the usual ones with CUDA take 8 to 12 GB to transfer.
const ASSUMED: u64 = 10 * GIB;
/// What is transferred lies beside what it is unpacked to, which is about twice as large.
const UNPACKED: u64 = 3;
/// How long the command in the container may take.
const DF: Duration = Duration::from_secs(10);
const DF_OUTPUT: usize = 16 * 1024;

/// The step.
#[derive(Debug)]
pub(crate) struct DiskSpace;

impl StepWork for DiskSpace {
    fn check<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Finding> {
        Box::pin(check(site))
    }

    fn deadline(&self) -> Duration {
        // The registry's half a minute, and the command's.
        Duration::from_secs(45)
    }
}

async fn check(site: &Site) -> Finding {
    let Some(said) = site.target().compose_file.as_deref() else {
        return Finding::unset("target", "compose_file");
    };
    let place = site.path(said);
    let looked = tokio::task::spawn_blocking(move || free(&place)).await;
    let folder = match looked {
        Ok(Some((folder, free))) => of_folder(&folder, free),
        Ok(None) | Err(_) => Finding::unknown(Words::both(
            "The disk of the target's folder cannot be asked.",
            "Le disque du dossier de la cible ne peut pas être interrogé.",
        )),
    };
    let engine = of_engine(site).await.unwrap_or_else(|finding| finding);
    folder.and(engine)
}

/// The nearest folder that exists, and what is free on its disk.
fn free(place: &Path) -> Option<(PathBuf, u64)> {
    let folder = place.ancestors().skip(1).find(|folder| folder.is_dir())?;
    Some((folder.to_owned(), fs4::available_space(folder).ok()?))
}

fn of_folder(folder: &Path, free: u64) -> Finding {
    let finding = if free >= MADE {
        Finding::proved()
    } else {
        Finding::failed(Words::both(
            "The disk has too little room for the custom nodes and the pictures.",
            "Le disque n’a pas assez de place pour les nœuds personnalisés et les images produites.",
        ))
    };
    finding
        .with("folder", folder.display())
        .with("free_bytes", free)
        .with("needed_bytes", MADE)
}

/// The engine's disk, seen from inside the service that is replaced: its root lies there.
async fn of_engine(site: &Site) -> Result<Finding, Finding> {
    let from = site.from()?;
    let unseen = |why: String| {
        Finding::unknown(Words::both(
            "The engine’s disk cannot be measured: that takes the running container of the service that is replaced.",
            "Le disque du moteur ne peut pas être mesuré\u{202f}: il faut pour cela le conteneur en marche du service remplacé.",
        ))
        .with("engine_disk", why)
    };
    let watch = site
        .watch(&from.id)
        .map_err(|error| unseen(error.message))?;
    let engine = watch.host.engine();
    let engine = engine.ok_or_else(|| unseen("the engine does not answer".to_owned()))?;
    let (free, needed) = tokio::join!(
        free_inside(&engine, &from.container),
        Box::pin(needed(site, &engine))
    );
    let free = free.map_err(unseen)?;
    let Needed { bytes, known } = needed?;
    let finding = if free >= bytes {
        Finding::proved()
    } else {
        Finding::failed(Words::both(
            "The engine’s disk has too little room for the image.",
            "Le disque du moteur n’a pas assez de place pour l’image.",
        ))
    };
    let finding = finding
        .with("engine_free_bytes", free)
        .with("engine_needed_bytes", bytes);
    Ok(if known {
        finding
    } else {
        finding.say(Words::both(
            "The registry does not tell how large the image is; one of 10 GiB is assumed.",
            "Le registre n’indique pas la taille de l’image\u{202f}; 10 Gio sont supposés.",
        ))
    })
}

async fn free_inside(engine: &Engine, container: &str) -> Result<u64, String> {
    let argv = ["df", "-P", "-k", "/"];
    let output = engine.exec(container, &argv, DF, DF_OUTPUT).await;
    let output = output.map_err(|error| error.to_string())?;
    let text = output.stdout_text();
    available(&text).ok_or_else(|| {
        let said = format!("{text}{}", output.stderr_text());
        format!("df: {}", said.chars().take(200).collect::<String>().trim())
    })
}

/// The fourth column of the second line, as POSIX has it, in bytes.
fn available(text: &str) -> Option<u64> {
    let kib: u64 = text
        .lines()
        .nth(1)?
        .split_whitespace()
        .nth(3)?
        .parse()
        .ok()?;
    kib.checked_mul(1024)
}

struct Needed {
    bytes: u64,
    /// Whether the image is there, or its registry tells how large it is.
    known: bool,
}

/// What the engine needs to have the image.
async fn needed(site: &Site, engine: &Engine) -> Result<Needed, Finding> {
    let Some(named) = &site.target().image else {
        return Err(Finding::unset("target", "image"));
    };
    // An engine that cannot say it has not: then there is the more to be needed.
    if engine.has_image(named).await.unwrap_or(false) {
        return Ok(Needed {
            bytes: 0,
            known: true,
        });
    }
    let (_, facts) = asked(site, named)
        .await
        .map_err(|problem| not_read(named, &problem))?;
    let told = match facts.registry {
        RegistryAnswer::Found { build, .. } => build.and_then(|build| build.bytes),
        _ => None,
    };
    Ok(Needed {
        bytes: told.unwrap_or(ASSUMED).saturating_mul(UNPACKED),
        known: told.is_some(),
    })
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
        assert_eq!(of_folder(&folder, MADE).found, Found::Proved);
        assert_eq!(of_folder(&folder, MADE - 1).found, Found::Failed);
    }

    #[test]
    fn what_df_says_is_read_and_nothing_else() {
        let long = "Filesystem     1024-blocks      Used Available Capacity Mounted on\n\
                    overlay         1055762868 123456789 878612345      13% /\n";
        assert_eq!(available(long), Some(878_612_345 * 1024));
        for odd in ["", "df: /: no\n", "a\nb c d e\n", "a\no 1 1 -5 1% /\n"] {
            assert_eq!(available(odd), None, "{odd}");
        }
    }
}
