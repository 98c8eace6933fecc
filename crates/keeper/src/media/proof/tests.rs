use std::{io::Cursor, time::Duration};

use forgekeeper_domain::generation::Seed;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

use super::*;
use crate::media::png_text;

fn encoded(format: ImageFormat, pixel: impl Fn(u32, u32) -> [u8; 3]) -> Bytes {
    let mut bytes = Vec::new();
    DynamicImage::from(RgbImage::from_fn(64, 64, |x, y| Rgb(pixel(x, y))))
        .write_to(&mut Cursor::new(&mut bytes), format)
        .expect("encodes");
    Bytes::from(bytes)
}

#[expect(clippy::cast_possible_truncation, reason = "64 pixels a side")]
fn pattern(x: u32, y: u32) -> [u8; 3] {
    [(x * 3) as u8, (y * 4 % 256) as u8, 9]
}

fn real() -> Bytes {
    encoded(ImageFormat::Png, pattern)
}

fn black() -> Bytes {
    encoded(ImageFormat::Png, |_, _| [0; 3])
}

fn raw(pictures: Vec<Bytes>) -> GenerationOutcomeRaw {
    GenerationOutcomeRaw {
        seeds: vec![Seed(5), Seed(6)],
        infotexts: vec!["a fox\nSteps: 20, Sampler: Euler, Seed: 5".to_owned()],
        pictures,
        model: Some("beta".to_owned()),
        substitutions: Vec::new(),
        interrupted: false,
        failure: None,
        took: Duration::ZERO,
        ready: None,
    }
}

fn asked() -> GenerationRequest {
    GenerationRequest {
        width: 64,
        height: 64,
        ..GenerationRequest::default()
    }
}

async fn store() -> (tempfile::TempDir, PictureStore) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = PictureStore::open(folder.path().join("pictures"))
        .await
        .expect("opens");
    (folder, store)
}

#[tokio::test]
async fn a_real_picture_proves_and_is_kept_with_its_parameters() {
    let (folder, store) = store().await;
    let proof = prove(&asked(), raw(vec![real(), real()]), &store).await;
    assert_eq!(
        (proof.verdict, proof.error.as_ref()),
        (GenerationVerdict::Proved, None)
    );
    let picture = &proof.pictures[0];
    assert_eq!(
        (picture.width, picture.height, picture.seed, picture.blank),
        (64, 64, Some(Seed(5)), false)
    );
    let file = store.get(&picture.hash).await.expect("kept");
    assert_eq!(
        (file.mime.as_str(), file.bytes.len()),
        ("image/png", picture.bytes as usize)
    );
    assert_eq!(png_text::parameters(&file.bytes), proof.parameters);
    let path = folder
        .path()
        .join("pictures")
        .join(&picture.hash[..2])
        .join(format!("{}.png", picture.hash));
    assert!(path.is_file());
    // The same picture again is the same file.
    let again = prove(&asked(), raw(vec![real()]), &store).await;
    assert_eq!(again.pictures[0].hash, picture.hash);
}

#[tokio::test]
async fn other_formats_keep_their_kind() {
    let (_folder, store) = store().await;
    for (format, mime) in [
        (ImageFormat::Jpeg, "image/jpeg"),
        (ImageFormat::WebP, "image/webp"),
    ] {
        let picture = encoded(format, pattern);
        let proof = prove(&asked(), raw(vec![picture.clone()]), &store).await;
        let file = store.get(&proof.pictures[0].hash).await.expect("kept");
        assert_eq!((file.mime.as_str(), file.bytes), (mime, picture));
    }
}

#[tokio::test]
async fn what_proves_nothing_is_named() {
    let (_folder, store) = store().await;
    let blank = prove(&asked(), raw(vec![real(), black()]), &store).await;
    assert_eq!(blank.verdict, GenerationVerdict::Blank);
    assert_eq!(
        blank.pictures.iter().map(|p| p.blank).collect::<Vec<_>>(),
        [false, true]
    );
    assert!(
        blank
            .error
            .expect("a reason")
            .hint
            .expect("a hint")
            .contains("--no-half-vae")
    );

    let broken = prove(
        &asked(),
        raw(vec![real(), real().slice(..50), real()]),
        &store,
    )
    .await;
    assert_eq!(
        (broken.verdict, broken.pictures.len()),
        (GenerationVerdict::Undecodable, 1)
    );
    assert_eq!(broken.error.expect("a reason").code, ErrorCode::BadPicture);

    let cut_short = prove(
        &asked(),
        GenerationOutcomeRaw {
            interrupted: true,
            ..raw(vec![black()])
        },
        &store,
    )
    .await;
    assert_eq!(
        (cut_short.verdict, cut_short.pictures.len()),
        (GenerationVerdict::Interrupted, 1)
    );

    let oom = (
        GenerationVerdict::OutOfMemory,
        ErrorInfo::new(ErrorCode::OutOfMemory, "no memory"),
    );
    let failed = prove(
        &asked(),
        GenerationOutcomeRaw {
            failure: Some(oom.clone()),
            ..raw(Vec::new())
        },
        &store,
    )
    .await;
    assert_eq!((failed.verdict, failed.error), (oom.0, Some(oom.1)));
}

#[tokio::test]
async fn pictures_that_are_missing_are_no_proof() {
    let (_folder, store) = store().await;
    let three = GenerationRequest {
        batch: 3,
        ..asked()
    };
    for (sent, verdict) in [
        (1, GenerationVerdict::Failed),
        (2, GenerationVerdict::Failed),
        (3, GenerationVerdict::Proved),
        // A grid of all of them, as some servers add.
        (4, GenerationVerdict::Proved),
    ] {
        let proof = prove(&three, raw(vec![real(); sent]), &store).await;
        assert_eq!((proof.verdict, proof.pictures.len()), (verdict, sent));
        let told = proof.error.map(|error| error.message);
        let expected = format!("The server sent {sent} of the 3 pictures asked for.");
        assert_eq!(told, (sent < 3).then_some(expected));
    }
}

#[tokio::test]
async fn every_size_is_compared() {
    let (_folder, store) = store().await;
    let small = |side: u32| {
        let mut bytes = Vec::new();
        DynamicImage::from(RgbImage::from_fn(64, side, |x, y| Rgb(pattern(x, y))))
            .write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)
            .expect("encodes");
        Bytes::from(bytes)
    };
    let proof = prove(&asked(), raw(vec![real(), small(56), small(56)]), &store).await;
    let told: Vec<(&str, &str)> = proof
        .substitutions
        .iter()
        .map(|s| (s.field.as_str(), s.used.as_str()))
        .collect();
    assert_eq!(told, [("height", "56")]);
}

#[tokio::test]
async fn sizes_that_differ_are_told_from_the_pixels() {
    let (_folder, store) = store().await;
    let wide = GenerationRequest {
        width: 72,
        ..asked()
    };
    let proof = prove(&wide, raw(vec![real()]), &store).await;
    let found = &proof.substitutions[0];
    assert_eq!(
        (
            found.field.as_str(),
            found.asked.as_str(),
            found.used.as_str()
        ),
        ("width", "72", "64")
    );
    assert_eq!(proof.substitutions.len(), 1);
}

#[tokio::test]
async fn the_parameters_inside_a_picture_are_read_when_nothing_else_tells_them() {
    let (_folder, store) = store().await;
    let file = Bytes::from(png_text::with_parameters(real().to_vec(), "inside"));
    let outcome = GenerationOutcomeRaw {
        infotexts: Vec::new(),
        ..raw(vec![file])
    };
    assert_eq!(
        prove(&asked(), outcome, &store).await.parameters.as_deref(),
        Some("inside")
    );
}

#[tokio::test]
async fn names_that_are_no_hash_find_nothing() {
    let (_folder, store) = store().await;
    let upper = "A".repeat(64);
    let long = "a".repeat(65);
    let path = format!("../{}", "a".repeat(61));
    for name in [
        "",
        "..",
        "../../etc/passwd",
        "aa/bb",
        &upper,
        &long,
        &path,
        &"é".repeat(32),
        &"a".repeat(64),
    ] {
        let error = store.get(name).await.expect_err(name);
        assert_eq!(error.code, ErrorCode::PictureMissing, "{name}");
    }
}

#[tokio::test]
async fn unusual_pictures_are_pictures() {
    let deep = image::ImageBuffer::from_fn(64, 64, |x, y| {
        let [red, green, blue] = pattern(x, y).map(|level| u16::from(level) * 257);
        Rgb([red, green, blue])
    });
    let mut sixteen = Vec::new();
    DynamicImage::ImageRgb16(deep)
        .write_to(&mut Cursor::new(&mut sixteen), ImageFormat::Png)
        .expect("encodes");
    let (_folder, store) = store().await;
    for (what, file) in [("16 bits", sixteen), ("animated", animated(64, 64))] {
        let proof = prove(&asked(), raw(vec![file.into()]), &store).await;
        assert_eq!(
            proof.verdict,
            GenerationVerdict::Proved,
            "{what}: {proof:?}"
        );
        let small = store.thumbnail(&proof.pictures[0].hash).await;
        assert!(small.is_ok(), "{what}");
    }
}

/// An animated PNG of two frames.
fn animated(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_animated(2, 0).expect("animated");
    let mut writer = encoder.write_header().expect("header");
    for frame in 0..2 {
        let pixels: Vec<u8> = (0..width * height)
            .flat_map(|at| pattern(at % width + frame, at / width))
            .collect();
        writer.write_image_data(&pixels).expect("a frame");
    }
    writer.finish().expect("ends");
    bytes
}

/// A small PNG whose header claims this size, with a right checksum.
fn claiming(width: u32, height: u32) -> Vec<u8> {
    let mut file = real().to_vec();
    file[16..20].copy_from_slice(&width.to_be_bytes());
    file[20..24].copy_from_slice(&height.to_be_bytes());
    let mut crc = flate2::Crc::new();
    crc.update(&file[12..29]);
    file[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    file
}

#[tokio::test]
async fn a_header_that_claims_billions_of_pixels_is_refused_and_nothing_is_kept() {
    let (folder, store) = store().await;
    for (width, height) in [(50_000, 50_000), (1, 50_000)] {
        let file = claiming(width, height);
        let proof = prove(&asked(), raw(vec![file.into()]), &store).await;
        assert_eq!(proof.verdict, GenerationVerdict::Undecodable);
        let error = proof.error.expect("a reason");
        assert_eq!(error.code, ErrorCode::BadPicture);
        assert!(
            error
                .detail
                .as_deref()
                .is_some_and(|d| d.contains("without unpacking")),
            "{error:?}"
        );
    }
    let kept = std::fs::read_dir(folder.path().join("pictures")).expect("a folder");
    assert_eq!(kept.count(), 0);
}

#[tokio::test]
async fn what_is_left_of_a_lost_answer_is_kept_as_unfinished() {
    let (_folder, store) = store().await;
    let lost = ErrorInfo::new(ErrorCode::NotProved, "lost");
    let with = |pictures| GenerationOutcomeRaw {
        failure: Some((GenerationVerdict::Interrupted, lost.clone())),
        ..raw(pictures)
    };
    let proof = prove(
        &asked(),
        with(vec![real(), Bytes::from_static(b"no picture")]),
        &store,
    )
    .await;
    assert_eq!(proof.verdict, GenerationVerdict::Interrupted);
    assert_eq!(proof.pictures.len(), 1);
    assert_eq!(
        proof.pictures[0].seed, None,
        "it is not that seed's picture"
    );
}
