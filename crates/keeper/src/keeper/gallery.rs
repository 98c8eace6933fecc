//! Everything ever tested: looked for, removed, and what it takes on disk.

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    gallery::{GalleryPage, GalleryQuery},
    ids::JobId,
};

use super::{KeeperHandle, handle::Inner, history};
use crate::{media::pictures::PictureFile, store::generations::Removed, watch::facts::Report};

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
