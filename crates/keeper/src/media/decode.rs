//! Foreign pictures, unpacked within limits. Blocking: call it where blocking is allowed.

use std::io::Cursor;

use base64::{Engine as _, alphabet, engine};
use bytes::Bytes;
use forgekeeper_domain::generation::blank::PixelStats;
use image::{DynamicImage, GenericImageView as _, ImageFormat, ImageReader, Limits};

/// Largest file in bytes.
pub const MAX_FILE_BYTES: usize = 64 * 1024 * 1024;
/// Longest side in pixels.
pub const MAX_SIDE: u32 = 8192;
/// Memory for unpacking, in bytes.
const MAX_ALLOC: u64 = 512 * 1024 * 1024;

/// Standard base64 with or without its padding.
const BASE64: engine::GeneralPurpose = engine::GeneralPurpose::new(
    &alphabet::STANDARD,
    engine::GeneralPurposeConfig::new()
        .with_decode_padding_mode(engine::DecodePaddingMode::Indifferent),
);

/// Why a picture is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PictureProblem {
    /// The text is no base64.
    #[error("the picture is not valid base64: {0}")]
    Base64(String),
    /// The file is larger than 64 MiB.
    #[error("the picture's file is larger than {} MiB", MAX_FILE_BYTES / (1024 * 1024))]
    FileTooLarge,
    /// None of PNG, JPEG, WebP.
    #[error("the data is no PNG, JPEG or WebP picture")]
    UnknownFormat,
    /// More pixels than allowed; nothing was unpacked.
    #[error(
        "the picture claims {width}×{height} pixels; more than {MAX_SIDE} a side are refused without unpacking"
    )]
    TooManyPixels {
        /// As claimed by its header.
        width: u32,
        /// As claimed by its header.
        height: u32,
    },
    /// Broken, or it needs too much memory.
    #[error("the picture cannot be unpacked: {0}")]
    Broken(String),
}

/// What a picture's header claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// File format.
    pub format: ImageFormat,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// Base64 to bytes, within [`MAX_FILE_BYTES`]. A `data:…;base64,` prefix is left out.
pub fn base64(text: &str) -> Result<Bytes, PictureProblem> {
    let text = text.trim();
    let bare = match text.strip_prefix("data:") {
        Some(rest) => {
            let (kind, data) = rest
                .split_once(',')
                .ok_or_else(|| PictureProblem::Base64("a data: address without data".to_owned()))?;
            if !kind.ends_with(";base64") {
                return Err(PictureProblem::Base64(
                    "a data: address that is not base64".to_owned(),
                ));
            }
            data
        }
        None => text,
    };
    if bare.len() / 4 > MAX_FILE_BYTES / 3 {
        return Err(PictureProblem::FileTooLarge);
    }
    BASE64
        .decode(bare)
        .map(Bytes::from)
        .map_err(|error| PictureProblem::Base64(error.to_string()))
}

/// Reads format and size without unpacking any pixel.
pub fn header(bytes: &[u8]) -> Result<Header, PictureProblem> {
    let reader = open(bytes)?;
    let format = reader.format().ok_or(PictureProblem::UnknownFormat)?;
    let (width, height) = reader.into_dimensions().map_err(broken)?;
    if width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE {
        return Err(PictureProblem::TooManyPixels { width, height });
    }
    Ok(Header {
        format,
        width,
        height,
    })
}

/// Unpacks a picture; refuses by its header what would not fit.
pub fn decode(bytes: &[u8]) -> Result<(Header, DynamicImage), PictureProblem> {
    let header = header(bytes)?;
    let mut reader = open(bytes)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_ALLOC);
    reader.limits(limits);
    let picture = reader.decode().map_err(broken)?;
    Ok((header, picture))
}

/// Counts the levels of every pixel.
pub fn stats(picture: &DynamicImage) -> PixelStats {
    match picture {
        DynamicImage::ImageRgb8(rgb) => PixelStats::of(rgb.pixels().map(|p| p.0)),
        DynamicImage::ImageRgba8(rgba) => {
            PixelStats::of(rgba.pixels().map(|p| [p.0[0], p.0[1], p.0[2]]))
        }
        other => PixelStats::of(other.pixels().map(|(_, _, p)| [p.0[0], p.0[1], p.0[2]])),
    }
}

fn open(bytes: &[u8]) -> Result<ImageReader<Cursor<&[u8]>>, PictureProblem> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(PictureProblem::FileTooLarge);
    }
    let format = image::guess_format(bytes).map_err(|_| PictureProblem::UnknownFormat)?;
    if !matches!(
        format,
        ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP
    ) {
        return Err(PictureProblem::UnknownFormat);
    }
    Ok(ImageReader::with_format(Cursor::new(bytes), format))
}

#[allow(clippy::needless_pass_by_value)] // fits map_err
fn broken(error: image::ImageError) -> PictureProblem {
    PictureProblem::Broken(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::cast_possible_truncation, reason = "patterns of test pictures")]
    fn png(width: u32, height: u32) -> Vec<u8> {
        let picture =
            image::RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 7]));
        let mut bytes = Vec::new();
        DynamicImage::from(picture)
            .write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)
            .expect("encodes");
        bytes
    }

    /// A PNG whose header claims a size that its few bytes of data do not have.
    fn claiming(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = png(4, 4);
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        bytes
    }

    #[test]
    fn good_pictures_are_unpacked() {
        let (header, picture) = decode(&png(64, 32)).expect("decodes");
        assert_eq!(
            (header.format, header.width, header.height),
            (ImageFormat::Png, 64, 32)
        );
        assert_eq!((picture.width(), picture.height()), (64, 32));
        assert!(!stats(&picture).is_blank());
    }

    #[test]
    fn bombs_are_refused_by_their_header() {
        for (width, height) in [(50_000, 50_000), (8193, 8), (8, 8193)] {
            let problem = decode(&claiming(width, height)).expect_err("refused");
            assert_eq!(problem, PictureProblem::TooManyPixels { width, height });
        }
    }

    #[test]
    fn broken_data_is_an_error_and_no_panic() {
        let whole = png(64, 64);
        for cut in 0..whole.len() {
            assert!(
                decode(&whole[..cut]).is_err() || cut > whole.len() - 16,
                "cut at {cut}"
            );
        }
        for at in 8..whole.len() {
            let mut bent = whole.clone();
            bent[at] ^= 0x55;
            let _ = decode(&bent);
        }
        assert_eq!(
            decode(b"GIF89a\x01\0\x01\0").expect_err("refused"),
            PictureProblem::UnknownFormat
        );
        assert_eq!(
            decode(b"").expect_err("refused"),
            PictureProblem::UnknownFormat
        );
        assert!(matches!(
            decode(&claiming(8000, 8000)),
            Err(PictureProblem::Broken(_))
        ));
    }

    #[test]
    fn base64_comes_bare_or_in_a_data_address() {
        for text in ["aGk=", "aGk", " aGk=\n", "data:image/png;base64,aGk="] {
            assert_eq!(base64(text).expect(text).as_ref(), b"hi");
        }
        for text in ["a*b", "data:image/png,aGk=", "data:image/png;base64"] {
            assert!(
                matches!(base64(text), Err(PictureProblem::Base64(_))),
                "{text}"
            );
        }
        let long = "A".repeat(MAX_FILE_BYTES / 3 * 4 + 16);
        assert_eq!(base64(&long), Err(PictureProblem::FileTooLarge));
    }
}
