//! Everything ever tested: found again, shown small, removed with its files, kept within a budget.

use std::path::{Path, PathBuf};

use forgekeeper_domain::{
    gallery::GalleryQuery,
    generation::{GenerationRecord, GenerationRequest, Seed},
};
use forgekeeper_keeper::keeper::KeeperHandle;

use crate::rig::{Place, SECOND, holds, id, site, until};

async fn made(handle: &KeeperHandle, prompt: &str, seed: u64) -> GenerationRecord {
    let request = GenerationRequest {
        prompt: prompt.to_owned(),
        steps: 2,
        seed: Some(Seed(seed)),
        ..GenerationRequest::default()
    };
    let job = handle.generate(&id("myia-turbo"), request, false).await;
    let ended = handle.wait(&job.expect("accepted")).await.expect("ended");
    let record = ended.record.expect("a record");
    holds("it is in the history", 10 * SECOND, async || {
        let page = handle.gallery(GalleryQuery::default()).await;
        page.expect("a page")
            .records
            .iter()
            .any(|r| r.id == record.id)
    })
    .await;
    record
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut all = Vec::new();
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path);
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_is_found_shown_small_and_removed_with_its_files() {
    let site = site(20.0).await;
    let place = Place::with(&site.config_toml());
    let keeper = place.keeper().await;
    let handle = keeper.handle();
    until(&handle, "an API", 20 * SECOND, |s| {
        s.services
            .iter()
            .any(|s| s.id.as_str() == "myia-turbo" && s.models.is_some())
    })
    .await;
    let fox = made(&handle, "a Fox in the snow", 1).await;
    // The same picture again: both records hold one file.
    let twin = made(&handle, "a Fox in the snow", 1).await;
    let cat = made(&handle, "a cat", 2).await;
    assert_eq!(fox.pictures[0].hash, twin.pictures[0].hash);
    let query = GalleryQuery {
        text: "fox SNOW".to_owned(),
        ..GalleryQuery::default()
    };
    let page = handle.gallery(query.clone()).await.expect("a page");
    assert_eq!(
        (page.total, page.records[0].id.clone()),
        (2, twin.id.clone())
    );

    let small = handle
        .picture(&format!("thumb/{}", fox.pictures[0].hash))
        .await;
    let small = small.expect("a thumbnail");
    assert!(small.bytes.len() < 100 * 1024, "{}", small.bytes.len());
    let folder = handle.data_dir().join("pictures");
    let on_disk = || -> u64 {
        let sizes = files(&folder).into_iter();
        sizes.map(|f| f.metadata().expect("there").len()).sum()
    };
    #[expect(clippy::cast_precision_loss, reason = "a few megabytes")]
    let counted_right = async || {
        let sums = handle.gallery_use().await.expect("counted");
        (sums.bytes - on_disk() as f64).abs() < 0.5
    };
    holds("what is on disk is counted", 5 * SECOND, counted_right).await;
    let sums = handle.gallery_use().await.expect("counted");
    assert_eq!((sums.generations, sums.pictures), (3, 2));
    assert_eq!(files(&folder).len(), 4, "two pictures, two thumbnails");

    let sheet = place.folder.path().join("sheet.html");
    let ids = [cat.id.clone(), fox.id.clone()];
    let saved = handle.contact_sheet(&ids, sheet.clone()).await;
    saved.expect("saved");
    let page = std::fs::read_to_string(&sheet).expect("a page");
    assert_eq!(page.matches("<img alt=").count(), 2);
    let places = ["myia-turbo</bdi> · seed 2 ·", "seed 1 ·"].map(|words| page.find(words));
    assert!(places[0].is_some() && places[0] < places[1], "{places:?}");
    let many = vec![cat.id.clone(); 201];
    let refused = handle.contact_sheet(&many, sheet.clone()).await;
    assert!(refused.expect_err("too many").message.contains("200"));

    let forget = |records: &[&GenerationRecord]| {
        handle.forget_generations(records.iter().map(|r| r.id.clone()).collect())
    };
    assert_eq!(forget(&[&fox]).await.expect("removed"), 1);
    assert!(
        handle.picture(&twin.pictures[0].hash).await.is_ok(),
        "the twin holds it"
    );
    assert_eq!(forget(&[&twin, &fox]).await.expect("removed"), 1);
    assert_eq!(files(&folder).len(), 2, "{:?}", files(&folder));
    assert_eq!(handle.gallery(query).await.expect("a page").total, 0);
    assert!(handle.picture(&cat.pictures[0].hash).await.is_ok());
    holds("what is on disk is counted", 5 * SECOND, counted_right).await;
    assert!(keeper.shutdown().await.is_empty());
    site.shutdown().await;
}
