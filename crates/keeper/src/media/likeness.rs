//! How alike two pictures are.

use forgekeeper_domain::golden::Likeness;
use image::{DynamicImage, imageops::FilterType};
use image_compare::Algorithm;

use super::decode::{self, PictureProblem};

/// Compared at no more than so many pixels a side: structure is what counts, and windows of eight
/// pixels see noise and little else in a large picture.
const COMPARED_SIDE: u32 = 512;

/// Compares two encoded pictures. Blocking work of some tens of milliseconds.
///
/// # Errors
/// One of them cannot be unpacked within the limits.
pub fn likeness(a: &[u8], b: &[u8]) -> Result<Likeness, PictureProblem> {
    if a == b {
        // Still unpacked: a broken file is like nothing.
        decode::decode(a)?;
        return Ok(Likeness {
            identical: true,
            similarity: Some(1.0),
        });
    }
    let (_, a) = decode::decode(a)?;
    let (_, b) = decode::decode(b)?;
    if (a.width(), a.height()) != (b.width(), b.height()) {
        return Ok(Likeness {
            identical: false,
            similarity: None,
        });
    }
    // Files differ by their texts alone.
    let identical = a.to_rgba16() == b.to_rgba16();
    Ok(Likeness {
        identical,
        similarity: if identical {
            Some(1.0)
        } else {
            similarity(a, b)
        },
    })
}

/// Mean structural similarity of the brightness.
fn similarity(a: DynamicImage, b: DynamicImage) -> Option<f64> {
    let (a, b) = (small(a).into_luma8(), small(b).into_luma8());
    let algorithm = Algorithm::MSSIMSimple;
    // The one error it knows is that of other sizes.
    let score = image_compare::gray_similarity_structure(&algorithm, &a, &b).ok()?;
    score.score.is_finite().then_some(score.score)
}

fn small(picture: DynamicImage) -> DynamicImage {
    if picture.width().max(picture.height()) <= COMPARED_SIDE {
        return picture;
    }
    picture.resize(COMPARED_SIDE, COMPARED_SIDE, FilterType::Triangle)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use forgekeeper_domain::golden::ALIKE;
    use image::{ImageFormat, Rgb, RgbImage};

    use super::*;

    /// A scene of its own for each seed, with `noise` levels of rounding noise.
    fn scene(seed: u32, noise: u8, side: u32) -> RgbImage {
        RgbImage::from_fn(side, side, |x, y| {
            let (fx, fy) = (f64::from(x) / 17.0, f64::from(y) / 23.0);
            let s = f64::from(seed);
            let level = |k: f64| {
                let wave =
                    (fx * (1.0 + k * 0.3) + s).sin() * (fy * (1.3 - k * 0.2) + s * 1.7).cos();
                // Between 0 and 240.
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let level = (120.0 + 115.0 * wave) as u8;
                let dither = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)) >> 7;
                let noise = if noise == 0 {
                    0
                } else {
                    u8::try_from(dither % u32::from(noise)).unwrap()
                };
                level.saturating_add(noise)
            };
            Rgb([level(0.0), level(1.0), level(2.0)])
        })
    }

    fn png(picture: &RgbImage) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn noise_stays_alike_and_another_seed_does_not() {
        for side in [64, 512, 768] {
            let same = png(&scene(1, 0, side));
            let noisy = likeness(&same, &png(&scene(1, 4, side))).unwrap();
            assert!(!noisy.identical);
            assert!(noisy.similarity.unwrap() > ALIKE, "{side}: {noisy:?}");
            let other = likeness(&same, &png(&scene(2, 0, side))).unwrap();
            assert!(other.similarity.unwrap() < 0.6, "{side}: {other:?}");
        }
    }

    #[test]
    fn the_same_pixels_in_another_file_are_identical() {
        let plain = png(&scene(3, 0, 64));
        let told = crate::media::png_text::with_parameters(plain.clone(), "a fox");
        assert_ne!(plain, told);
        let found = likeness(&plain, &told).unwrap();
        assert_eq!((found.identical, found.similarity), (true, Some(1.0)));
    }

    #[test]
    fn other_sizes_have_no_similarity_and_broken_files_no_likeness() {
        let small = png(&scene(3, 0, 64));
        let large = png(&scene(3, 0, 128));
        let found = likeness(&small, &large).unwrap();
        assert_eq!((found.identical, found.similarity), (false, None));
        assert!(likeness(&small[..100], &small[..100]).is_err());
        assert!(likeness(&small, b"<html>").is_err());
    }
}
