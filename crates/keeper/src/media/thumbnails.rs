//! Small pictures for lists: made once, kept beside the picture they show.

use std::{
    io::Cursor,
    path::{Path, PathBuf},
};

use image::{
    DynamicImage, ImageResult,
    codecs::{jpeg::JpegEncoder, webp::WebPEncoder},
};

/// Longest side in pixels.
pub const LONGEST_SIDE: u32 = 320;
/// Largest file, bytes: every pixel as it is.
pub(super) const MAX_BYTES: u64 = 4 * LONGEST_SIDE as u64 * LONGEST_SIDE as u64 + 64 * 1024;
/// JPEG's own scale, 1 to 100; below this, faces begin to show blocks.
const QUALITY: u8 = 85;

/// Where the thumbnail of a picture lies. Its format is told by its content.
pub(super) fn path(dir: &Path, hash: &str) -> PathBuf {
    dir.join(&hash[..2]).join(format!("{hash}.thumb"))
}

/// The picture at most [`LONGEST_SIDE`] pixels a side, encoded: as JPEG, or as WebP where it lets
/// something show through. A smaller one keeps its size.
pub(super) fn shrink(picture: &DynamicImage) -> ImageResult<Vec<u8>> {
    let small = if picture.width().max(picture.height()) > LONGEST_SIDE {
        &picture.thumbnail(LONGEST_SIDE, LONGEST_SIDE)
    } else {
        picture
    };
    let mut bytes = Vec::new();
    let opaque = !small.color().has_alpha() || small.to_rgba8().pixels().all(|p| p.0[3] == 255);
    if opaque {
        small
            .to_rgb8()
            .write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY))?;
    } else {
        small
            .to_rgba8()
            .write_with_encoder(WebPEncoder::new_lossless(Cursor::new(&mut bytes)))?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use image::{GenericImageView as _, ImageFormat};

    use super::*;

    #[test]
    fn sides_keep_their_ratio_and_what_is_small_keeps_its_size() {
        for (from, to) in [
            ((1024, 512), (320, 160)),
            ((64, 640), (32, 320)),
            ((8192, 8), (320, 1)),
            ((64, 64), (64, 64)),
        ] {
            let picture = DynamicImage::new_rgb16(from.0, from.1);
            let small = image::load_from_memory(&shrink(&picture).expect("shrinks"));
            assert_eq!(small.expect("a picture").dimensions(), to);
        }
    }

    #[test]
    fn what_shows_through_still_does() {
        let mut picture = image::RgbaImage::from_pixel(400, 400, image::Rgba([9, 8, 7, 255]));
        let format = |picture: &image::RgbaImage| {
            let bytes = shrink(&DynamicImage::from(picture.clone())).expect("shrinks");
            image::guess_format(&bytes).expect("a picture")
        };
        assert_eq!(format(&picture), ImageFormat::Jpeg);
        for x in 0..200 {
            for y in 0..200 {
                picture.put_pixel(x, y, image::Rgba([0; 4]));
            }
        }
        assert_eq!(format(&picture), ImageFormat::WebP);
    }
}
