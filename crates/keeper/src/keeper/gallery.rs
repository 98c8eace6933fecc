//! Everything ever tested: looked for, removed, and what it takes on disk.

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    gallery::{GalleryPage, GalleryQuery},
};

use super::KeeperHandle;

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
}
