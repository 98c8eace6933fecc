use forgekeeper_domain::generation::GenerationRecord;

use super::{
    super::gallery::tests::{job, made, open_at, with_pictures},
    *,
};

async fn opened() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = open_at(dir.path()).await;
    (dir, store)
}

fn holding(id: &str, second: i64, hashes: &[&str]) -> GenerationRecord {
    with_pictures(made(id, second, "x"), hashes)
}

async fn left(store: &Store) -> Vec<String> {
    let kept = store.generations(100).await.unwrap();
    kept.into_iter().map(|r| r.id.as_str().to_owned()).collect()
}

#[tokio::test]
async fn a_picture_is_free_once_no_record_and_no_pin_holds_it() {
    let (_dir, store) = opened().await;
    for record in [
        holding("one", 1, &["a", "shared", "pinned"]),
        holding("two", 2, &["b", "shared"]),
    ] {
        store.insert_generation(record).await.unwrap();
    }
    let pinned = vec!["pinned".to_owned()];
    for by in ["golden", "other"] {
        store.pin_pictures(by, pinned.clone()).await.unwrap();
    }
    let forget = |ids: &[&str]| store.forget_generations(ids.iter().map(|id| job(id)).collect());
    let removed = forget(&["one", "unknown", "one"]).await.unwrap();
    assert_eq!(
        (removed.generations, removed.pictures),
        (1, vec!["a".into()])
    );
    assert_eq!(removed.services[0].as_str(), "myia");
    assert_eq!(left(&store).await, ["two"]);
    assert_eq!(store.unpin_pictures("golden").await.unwrap(), [""; 0]);
    assert_eq!(store.unpin_pictures("other").await.unwrap(), pinned);
    let removed = forget(&["two"]).await.unwrap();
    assert_eq!(removed.pictures, ["b", "shared"]);
    assert_eq!(store.pictures_use().await.unwrap(), PicturesUse::default());
}

#[tokio::test]
async fn a_record_that_is_kept_again_lets_go_what_it_does_not_name_any_more() {
    let (_dir, store) = opened().await;
    let first = holding("j", 1, &["a", "b"]);
    assert_eq!(store.insert_generation(first).await.unwrap(), [""; 0]);
    let second = holding("j", 1, &["b", "c"]);
    assert_eq!(store.insert_generation(second).await.unwrap(), ["a"]);
    assert_eq!(store.pictures_use().await.unwrap().pictures, 2);
}

#[tokio::test]
async fn the_rows_beyond_the_most_that_is_kept_take_their_pictures_along() {
    let (_dir, store) = opened().await;
    for record in [holding("old", 1, &["a"]), holding("golden", 2, &["b"])] {
        store.insert_generation(record).await.unwrap();
    }
    store.pin_pictures("g", vec!["b".to_owned()]).await.unwrap();
    store
        .run(|connection| {
            let work = connection.transaction()?;
            for n in 0..9_999 {
                work.execute(
                    "INSERT INTO generations (job, service, at_ns, record) VALUES (?, 'myia', 5, '{}')",
                    [format!("filler{n}")],
                )?;
            }
            work.commit()?;
            Ok(())
        })
        .await
        .unwrap();
    let free = store.insert_generation(made("new", 9, "x")).await.unwrap();
    assert_eq!(free, ["a"], "the pinned one stays");
    assert_eq!(store.count_generations().await.unwrap(), 10_001);
}

#[tokio::test]
async fn the_oldest_generations_make_room_and_no_more_than_needed() {
    let (_dir, store) = opened().await;
    for record in [
        holding("pinned", 1, &["p"]),
        made("without", 2, "x"),
        holding("old", 3, &["a", "shared"]),
        holding("second", 4, &["b"]),
        holding("young", 5, &["shared"]),
        holding("newest", 6, &["n"]),
    ] {
        store.insert_generation(record).await.unwrap();
    }
    store.pin_pictures("g", vec!["p".to_owned()]).await.unwrap();
    let use_of = async || store.pictures_use().await.unwrap();
    assert_eq!(
        use_of().await,
        PicturesUse {
            pictures: 5,
            bytes: 500,
            pinned_bytes: 100
        }
    );
    assert_eq!(
        store.fit_generations(500).await.unwrap(),
        Removed::default()
    );
    let removed = store.fit_generations(499).await.unwrap();
    assert_eq!(
        (removed.generations, removed.pictures),
        (1, vec!["a".into()])
    );
    // Thumbnails count as soon as they are made.
    let larger = vec![("shared".to_owned(), Some(150))];
    store.put_picture_sizes(larger).await.unwrap();
    let removed = store.fit_generations(1).await.unwrap();
    assert_eq!(removed.pictures, ["b", "shared"]);
    assert_eq!(left(&store).await, ["newest", "without", "pinned"]);
    assert_eq!(use_of().await.bytes, 200);
}

#[tokio::test]
async fn a_walk_mends_sizes_and_says_what_does_not_fit() {
    let (_dir, store) = opened().await;
    let record = holding("j", 1, &["a", "gone"]);
    store.insert_generation(record).await.unwrap();
    store.pin_pictures("g", vec!["p".to_owned()]).await.unwrap();
    let found = [("a", 130), ("p", 50), ("stray", 7)].map(|(hash, n)| (hash.to_owned(), n));
    let differences = store.mend_pictures(found.into()).await.unwrap();
    assert_eq!(differences.orphans, ["stray"]);
    assert_eq!(differences.missing, ["gone"]);
    let gone = vec![("gone".to_owned(), None), ("stray".to_owned(), None)];
    store.put_picture_sizes(gone).await.unwrap();
    let sums = store.pictures_use().await.unwrap();
    assert_eq!((sums.bytes, sums.pinned_bytes), (180, 50));
}
