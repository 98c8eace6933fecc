//! `snapshot pin`, `unpin` and `remove`: how long one stays.

use forgekeeper_domain::error::ErrorInfo;
use forgekeeper_keeper::keeper::KeeperHandle;
use serde_json::json;

use crate::{
    exit,
    text::{print_json, print_line},
};

pub(super) async fn pin(
    handle: &KeeperHandle,
    id: &str,
    stays: bool,
    json: bool,
) -> Result<u8, ErrorInfo> {
    let id = handle.find_snapshot(id).await?;
    handle.pin_snapshot(&id, stays).await?;
    let word = if stays {
        "pinned"
    } else {
        "not pinned any more"
    };
    if json {
        print_json(&json!({ "id": id, "pinned": stays }));
    } else {
        print_line(&format!("{id}  {word}"));
    }
    Ok(exit::OK)
}

pub(super) async fn remove(
    handle: &KeeperHandle,
    id: &str,
    yes: bool,
    json: bool,
) -> Result<u8, ErrorInfo> {
    let id = handle.find_snapshot(id).await?;
    if yes {
        handle.remove_snapshot(&id).await?;
    }
    let word = if yes {
        "removed"
    } else {
        "would be removed, and cannot be had again: add --yes"
    };
    if json {
        print_json(&json!({ "id": id, "removed": yes }));
    } else {
        print_line(&format!("{id}  {word}"));
    }
    // As of a restore: something is there to be done, and was not done.
    Ok(if yes { exit::OK } else { exit::NOT_OK })
}
