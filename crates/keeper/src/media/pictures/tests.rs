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
