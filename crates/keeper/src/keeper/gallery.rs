//! Everything ever tested: looked for, removed, and what it takes on disk.

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    gallery::{GalleryPage, GalleryQuery, GalleryUse},
    generation::ReadParameters,
    ids::JobId,
};

use super::{KeeperHandle, handle::Inner, history};
use crate::{
    media::{parameters, pictures::PictureFile},
    store::generations::Removed,
    watch::facts::Report,
};

/// Longest text that is looked for, in bytes: a whole prompt.
const LONGEST_TEXT: usize = 20_000;

impl KeeperHandle {
    /// The kept generations that answer to a query, newest first. Words may stand anywhere in the
    /// prompts and the parameter text, in any case. `BadRequest` when the text is too long or the last
    /// page's end is not kept any more.
    pub async fn gallery(&self, query: GalleryQuery) -> Result<GalleryPage, ErrorInfo> {
        let longest = query.text.len().max(query.model.len());
        if longest > LONGEST_TEXT {
            return Err(ErrorInfo::new(
                ErrorCode::BadRequest,
                format!("the text to look for is longer than {LONGEST_TEXT} bytes"),
            )
            .hint("Look for some of its words."));
        }
        let page = self.inner.store.gallery(query).await?;
        page.ok_or_else(|| {
            ErrorInfo::new(
                ErrorCode::BadRequest,
                "the generation that the last page ended with is not kept any more",
            )
            .hint("Look for the first page again.")
        })
    }

    /// Removes generations, and the pictures that no other generation and no golden prompt holds.
    /// Returns how many generations there were; ids that are not known are no error.
    pub async fn forget_generations(&self, ids: Vec<JobId>) -> Result<u32, ErrorInfo> {
        let removed = self.inner.store.forget_generations(ids).await?;
        let count = removed.generations;
        tell_removed(&self.inner, removed).await;
        Ok(count)
    }

    /// Reads the parameters inside a PNG, JPEG or WebP file as a request, without unpacking its pixels.
    /// `BadPicture` when it is no such file or larger than 64 MiB, `BadRequest` when it has none.
    pub async fn read_parameters(&self, file: Bytes) -> Result<ReadParameters, ErrorInfo> {
        let read = tokio::task::spawn_blocking(move || parameters::read(&file));
        read.await.unwrap_or_else(|error| {
            Err(ErrorInfo::new(
                ErrorCode::Internal,
                "Reading a picture's parameters failed.",
            )
            .detail(error.to_string()))
        })
    }

    /// Walks once through the pictures, beside everything else.
    pub(super) fn mend_gallery(&self) {
        let inner = Arc::clone(&self.inner);
        let stop = self.inner.tasks.token();
        self.inner.tasks.spawn("gallery", async move {
            let mended = tokio::select! {
                () = stop.cancelled() => return,
                mended = mend(&inner) => mended,
            };
            if let Err(error) = mended {
                tracing::warn!(%error, detail = error.detail, "the pictures could not be counted");
            }
        });
    }

    /// What the kept pictures take on disk, as counted when they were written.
    pub async fn gallery_use(&self) -> Result<GalleryUse, ErrorInfo> {
        let generations = self.inner.store.count_generations().await?;
        let pictures = self.inner.store.pictures_use().await?;
        Ok(GalleryUse {
            generations,
            pictures: pictures.pictures,
            bytes: pictures.bytes as f64,
            budget_bytes: budget(&self.inner) as f64,
            golden_bytes: pictures.pinned_bytes as f64,
        })
    }
}

/// Most that pictures may take, bytes.
fn budget(inner: &Inner) -> u64 {
    let mib = inner.settings.borrow().settings.gallery.budget_mib;
    u64::from(mib) * 1024 * 1024
}

/// Removes the oldest generations until all pictures fit.
pub(super) async fn fit(inner: &Inner) {
    match inner.store.fit_generations(budget(inner)).await {
        Ok(removed) => {
            if removed.generations > 0 {
                tracing::info!(removed.generations, "the gallery's budget was exceeded");
            }
            tell_removed(inner, removed).await;
        }
        Err(error) => tracing::error!(%error, "the gallery's budget could not be kept"),
    }
}

/// Walks once through the folder of pictures: mends what is counted, and removes files that nothing
/// has named for a day.
pub(super) async fn mend(inner: &Inner) -> Result<(), ErrorInfo> {
    let found = inner.pictures.walk().await?;
    let old: HashSet<String> = found
        .iter()
        .filter(|picture| picture.is_old)
        .map(|picture| picture.hash.clone())
        .collect();
    let counted = found
        .into_iter()
        .map(|picture| (picture.hash, picture.bytes));
    let differences = inner.store.mend_pictures(counted.collect()).await?;
    let mut orphans = differences.orphans;
    orphans.retain(|hash| old.contains(hash));
    if !orphans.is_empty() {
        tracing::info!(orphans = orphans.len(), "pictures that nothing names go");
        inner.pictures.remove(orphans.clone()).await?;
    }
    // Written since the walk, or really gone: the files themselves tell.
    let look_again = orphans.into_iter().chain(differences.missing).collect();
    let sizes = inner.pictures.sizes(look_again).await?;
    inner.store.put_picture_sizes(sizes).await?;
    fit(inner).await;
    Ok(())
}

/// Removes the files of what was removed, and shows which generation is a service's newest now.
pub(super) async fn tell_removed(inner: &Inner, removed: Removed) {
    remove_pictures(inner, removed.pictures).await;
    for service in removed.services {
        let history = history::of_service(&inner.store, &service).await;
        // A closed channel means shutdown.
        let _ = inner
            .reports
            .send(Report::History(service, Box::new(history)))
            .await;
    }
}

/// Removes files that nothing holds any more. One that cannot be removed now is found by the next
/// walk through the folder.
pub(super) async fn remove_pictures(inner: &Inner, hashes: Vec<String>) {
    if let Err(error) = inner.pictures.remove(hashes).await {
        tracing::warn!(%error, detail = error.detail, "a picture's file could not be removed");
    }
}

/// A thumbnail; one that was made just now is counted.
pub(super) async fn thumbnail(inner: &Inner, hash: &str) -> Result<PictureFile, ErrorInfo> {
    let (file, made) = inner.pictures.thumbnail(hash).await?;
    if made {
        count(inner, vec![hash.to_owned()]).await;
    }
    Ok(file)
}

/// Enters what the files of pictures take. Without it the budget counts a little less than there
/// is, until the next walk through the folder.
pub(super) async fn count(inner: &Inner, hashes: Vec<String>) {
    let counted = async {
        let sizes = inner.pictures.sizes(hashes).await?;
        Ok::<_, ErrorInfo>(inner.store.put_picture_sizes(sizes).await?)
    };
    if let Err(error) = counted.await {
        tracing::warn!(%error, detail = error.detail, "pictures could not be counted");
    }
}
