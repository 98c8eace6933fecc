#![expect(
    clippy::disallowed_methods,
    reason = "tests write damaged files on purpose"
)]

use std::io::Cursor;

use image::DynamicImage;

use super::*;

/// A PNG of this level.
fn png(level: u8) -> Bytes {
    let mut bytes = Vec::new();
    DynamicImage::from(image::RgbImage::from_fn(40, 20, |x, _| {
        image::Rgb([level, u8::from(x > 9), 0])
    }))
    .write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)
    .expect("encodes");
    Bytes::from(bytes)
}

async fn store() -> (tempfile::TempDir, PictureStore) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = PictureStore::open(folder.path()).await.expect("a store");
    (folder, store)
}

#[tokio::test]
async fn a_picture_goes_once_nothing_can_hold_it() {
    let (_folder, store) = store().await;
    let picture = store.keep(png(1), None, None).await.expect("kept");
    let other = store.keep(png(2), None, None).await.expect("kept");
    let gone = vec![picture.hash.clone(), "../../etc".to_owned(), String::new()];
    store.remove(gone.clone()).await.expect("nothing to do");
    let got = store.get(&picture.hash).await;
    assert!(got.is_ok(), "its record is not written yet");
    store.recorded(std::slice::from_ref(&picture));
    // Made once more, before the record of the first one is removed.
    store.keep(png(1), None, None).await.expect("kept");
    store.remove(gone.clone()).await.expect("nothing to do");
    assert!(store.get(&picture.hash).await.is_ok());
    store.recorded(std::slice::from_ref(&picture));
    store.remove(gone.clone()).await.expect("removed");
    let error = store.get(&picture.hash).await.expect_err("gone");
    assert_eq!(error.code, ErrorCode::PictureMissing);
    store.remove(gone).await.expect("a missing one is no error");
    assert!(store.get(&other.hash).await.is_ok(), "others stay");
}

/// The path of a file of a picture.
fn file(folder: &tempfile::TempDir, hash: &str, ending: &str) -> PathBuf {
    let name = format!("{hash}.{ending}");
    folder.path().join(&hash[..2]).join(name)
}

#[tokio::test]
async fn a_thumbnail_is_made_once() {
    let (folder, store) = store().await;
    let mut large = Vec::new();
    let pixels = image::RgbImage::from_fn(800, 400, |x, _| image::Rgb([u8::from(x > 9), 0, 9]));
    DynamicImage::from(pixels)
        .write_to(&mut Cursor::new(&mut large), ImageFormat::Png)
        .expect("encodes");
    let kept = store.keep(large.into(), None, None).await.expect("kept");
    let path = file(&folder, &kept.hash, "thumb");
    let first = std::fs::read(&path).expect("made with the picture");
    let size = image::load_from_memory(&first).expect("a picture");
    assert_eq!((size.width(), size.height()), (320, 160));
    let sizes = store.sizes(vec![kept.hash.clone()]).await.expect("sizes");
    let both = u64::from(kept.bytes) + first.len() as u64;
    assert_eq!(sizes, [(kept.hash.clone(), Some(both))]);

    // A picture from before there were thumbnails.
    std::fs::remove_file(&path).expect("removed");
    let (made, anew) = store.thumbnail(&kept.hash).await.expect("made");
    assert!(anew);
    assert_eq!(made.mime, "image/jpeg");
    assert_eq!(made.bytes, first, "the same again");
    // Without the picture it could not be made again.
    std::fs::remove_file(file(&folder, &kept.hash, "png")).expect("removed");
    let (again, anew) = store.thumbnail(&kept.hash).await.expect("kept");
    assert_eq!((again, anew), (made, false));

    for nothing in ["", "../x", &"0".repeat(64)] {
        let error = store.thumbnail(nothing).await.expect_err("nothing there");
        assert_eq!(error.code, ErrorCode::PictureMissing, "{nothing}");
    }
    store.recorded(std::slice::from_ref(&kept));
    store.remove(vec![kept.hash]).await.expect("removed");
    assert!(!path.exists(), "it goes with its picture");
}

#[tokio::test]
async fn a_thumbnail_that_many_ask_for_is_made_by_one() {
    let (folder, store) = store().await;
    let kept = store.keep(png(1), None, None).await.expect("kept");
    std::fs::remove_file(file(&folder, &kept.hash, "thumb")).expect("removed");
    let ask = || store.thumbnail(&kept.hash);
    let answers = tokio::join!(ask(), ask(), ask(), ask());
    let made = [answers.0, answers.1, answers.2, answers.3];
    let made = made.map(|answer| answer.expect("a thumbnail").1);
    assert_eq!(made.iter().filter(|made| **made).count(), 1, "{made:?}");
}

#[tokio::test]
async fn a_file_that_is_no_picture_has_no_thumbnail() {
    let (folder, store) = store().await;
    let hash = "ab".repeat(32);
    let path = file(&folder, &hash, "png");
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    std::fs::write(&path, b"<svg/>").expect("written");
    let error = store.thumbnail(&hash).await.expect_err("no picture");
    assert_eq!(error.code, ErrorCode::BadPicture);
    assert!(!file(&folder, &hash, "thumb").exists());
}

/// Makes a file two days older than it is.
fn age(path: &Path) {
    let file = std::fs::OpenOptions::new().append(true).open(path);
    let file = file.expect("there");
    let modified = file.metadata().and_then(|file| file.modified());
    let before = modified.expect("a time") - std::time::Duration::from_hours(48);
    file.set_modified(before).expect("set");
}

#[tokio::test]
async fn a_walk_finds_pictures_and_clears_what_was_left_behind() {
    let (folder, store) = store().await;
    let old = store.keep(png(1), None, None).await.expect("kept");
    let young = store.keep(png(2), None, None).await.expect("kept");
    for ending in ["png", "thumb"] {
        age(&file(&folder, &old.hash, ending));
    }
    let beside = |name: &str| folder.path().join(&old.hash[..2]).join(name);
    for name in [".a.png.1.tmp", ".b.png.2.tmp", "notes.txt", "short.png"] {
        std::fs::write(beside(name), b"x").expect("written");
    }
    age(&beside(".a.png.1.tmp"));
    std::fs::write(folder.path().join("README"), b"x").expect("written");
    let mut found = store.walk().await.expect("walked");
    found.sort_by_key(|picture| picture.hash != old.hash);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].is_old && found[0].bytes > u64::from(old.bytes));
    assert!(!found[1].is_old && found[1].hash == young.hash);
    assert!(!beside(".a.png.1.tmp").exists() && beside(".b.png.2.tmp").exists());
    assert!(beside("notes.txt").exists(), "others' files are left alone");
    // Kept once more, it is young again.
    store.keep(png(1), None, None).await.expect("kept");
    let found = store.walk().await.expect("walked");
    assert!(found.iter().all(|picture| !picture.is_old), "{found:?}");
}
