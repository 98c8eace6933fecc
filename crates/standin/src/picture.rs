//! Pictures that are really drawn: the same key gives the same picture, another key another one.

use sha2::{Digest, Sha256};

/// An RGB picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Three bytes a pixel, row by row.
    pub rgb: Vec<u8>,
}

/// Why a picture could not be written as a file.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The PNG encoder refused.
    #[error("PNG: {0}")]
    Png(#[from] png::EncodingError),
    /// The JPEG or WebP encoder refused.
    #[error("image: {0}")]
    Other(#[from] image::ImageError),
}

struct Disc {
    x: f32,
    y: f32,
    radius: f32,
    colour: [f32; 3],
}

/// What a key stands for; rendered at any size it shows the same scene.
pub struct Scene {
    sky: [[f32; 3]; 2],
    tilt: f32,
    waves: [f32; 3],
    discs: Vec<Disc>,
    grain: u64,
}

fn mix(state: &mut u64) -> u64 {
    // SplitMix64: small, good enough to scatter shapes and noise.
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn unit(state: &mut u64) -> f32 {
    (mix(state) >> 11) as f32 / (1u64 << 53) as f32
}

fn colour(state: &mut u64) -> [f32; 3] {
    [
        unit(state) * 230.0 + 12.0,
        unit(state) * 230.0 + 12.0,
        unit(state) * 230.0 + 12.0,
    ]
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to a byte"
)]
fn byte(value: f32) -> u8 {
    value.clamp(0.0, 255.0) as u8
}

impl Scene {
    /// The scene of a key, usually model, prompt and seed.
    pub fn of(key: &str) -> Self {
        let digest = Sha256::digest(key.as_bytes());
        let mut seed = [0u8; 8];
        seed.copy_from_slice(&digest[..8]);
        let mut state = u64::from_le_bytes(seed);
        let sky = [colour(&mut state), colour(&mut state)];
        let tilt = unit(&mut state);
        let waves = [
            3.0 + unit(&mut state) * 9.0,
            unit(&mut state) * std::f32::consts::TAU,
            0.02 + unit(&mut state) * 0.06,
        ];
        let count = 4 + mix(&mut state) % 4;
        let discs = (0..count)
            .map(|_| Disc {
                x: unit(&mut state),
                y: unit(&mut state),
                radius: 0.05 + unit(&mut state) * 0.2,
                colour: colour(&mut state),
            })
            .collect();
        Self {
            sky,
            tilt,
            waves,
            discs,
            grain: state,
        }
    }

    /// Draws the scene; `noise` 0 is the finished picture, 1 pure noise.
    pub fn draw(&self, width: u32, height: u32, noise: f32) -> Picture {
        let mut rgb = Vec::with_capacity(width as usize * height as usize * 3);
        let mut state = self.grain;
        let long = width.max(height).max(1) as f32;
        let (across, down) = (width as f32 / long, height as f32 / long);
        let shore: Vec<f32> = (0..width)
            .map(|x| {
                let u = x as f32 / long;
                down * 0.72 + (u * self.waves[0] * 3.0 + self.waves[1]).sin() * self.waves[2]
            })
            .collect();
        for y in 0..height {
            let v = y as f32 / long;
            for x in 0..width {
                let u = x as f32 / long;
                let t = (v * (1.0 - self.tilt) / down + u * self.tilt / across).clamp(0.0, 1.0);
                let mut pixel = [0.0f32; 3];
                for (c, value) in pixel.iter_mut().enumerate() {
                    *value = self.sky[0][c] + (self.sky[1][c] - self.sky[0][c]) * t;
                }
                for disc in &self.discs {
                    let (dx, dy) = (u - disc.x * across, v - disc.y * down);
                    if dx * dx + dy * dy < disc.radius * disc.radius {
                        pixel = disc.colour;
                    }
                }
                if v > shore[x as usize] {
                    pixel = pixel.map(|value| value * 0.55);
                }
                let grain = mix(&mut state);
                for (c, value) in pixel.iter().enumerate() {
                    let speck = f32::from(grain.to_le_bytes()[c]);
                    // A little grain is in every finished picture, so none is ever uniform.
                    let share = noise.clamp(0.0, 1.0) * 0.96 + 0.02;
                    rgb.push(byte(value * (1.0 - share) + speck * share));
                }
            }
        }
        Picture { width, height, rgb }
    }
}

impl Picture {
    /// A uniform picture.
    pub fn plain(width: u32, height: u32, colour: [u8; 3]) -> Self {
        Self {
            width,
            height,
            rgb: colour.repeat(width as usize * height as usize),
        }
    }

    /// The same picture at another size, by nearest neighbour.
    #[must_use]
    pub fn enlarged(&self, width: u32, height: u32) -> Self {
        let mut rgb = Vec::with_capacity(width as usize * height as usize * 3);
        for y in 0..height {
            let row = (y * self.height / height.max(1)) as usize * self.width as usize;
            for x in 0..width {
                let at = (row + (x * self.width / width.max(1)) as usize) * 3;
                rgb.extend_from_slice(&self.rgb[at..at + 3]);
            }
        }
        Self { width, height, rgb }
    }

    /// As PNG, with text chunks: `tEXt` where the text is Latin-1, `iTXt` otherwise.
    pub fn png(&self, texts: &[(&str, &str)]) -> Result<Vec<u8>, PictureError> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fast);
        for (key, text) in texts {
            if text.chars().all(|c| u32::from(c) < 256) {
                encoder.add_text_chunk((*key).to_owned(), (*text).to_owned())?;
            } else {
                encoder.add_itxt_chunk((*key).to_owned(), (*text).to_owned())?;
            }
        }
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.rgb)?;
        writer.finish()?;
        Ok(out)
    }

    /// As PNG with an alpha channel, as previews come from Forge.
    pub fn png_alpha(&self) -> Result<Vec<u8>, PictureError> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, self.width, self.height);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fast);
        let mut writer = encoder.write_header()?;
        let rgba: Vec<u8> = self
            .rgb
            .chunks_exact(3)
            .flat_map(|p| [p[0], p[1], p[2], 255])
            .collect();
        writer.write_image_data(&rgba)?;
        writer.finish()?;
        Ok(out)
    }

    /// As JPEG of a quality from 1 to 100.
    pub fn jpeg(&self, quality: u8) -> Result<Vec<u8>, PictureError> {
        let mut out = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut out, quality.clamp(1, 100))
            .encode(
                &self.rgb,
                self.width,
                self.height,
                image::ExtendedColorType::Rgb8,
            )?;
        Ok(out)
    }

    /// As lossless WebP.
    pub fn webp(&self) -> Result<Vec<u8>, PictureError> {
        let mut out = Vec::new();
        image::codecs::webp::WebPEncoder::new_lossless(&mut out).encode(
            &self.rgb,
            self.width,
            self.height,
            image::ExtendedColorType::Rgb8,
        )?;
        Ok(out)
    }
}

/// A PNG file whose header claims 50000 by 50000 pixels, with correct checksums and a short body.
pub fn bomb() -> Result<Vec<u8>, PictureError> {
    let mut file = Picture::plain(8, 8, [7, 7, 7]).png(&[])?;
    // Signature 8, length 4, "IHDR" 4, then width, height, five bytes and the checksum.
    file[16..20].copy_from_slice(&50_000u32.to_be_bytes());
    file[20..24].copy_from_slice(&50_000u32.to_be_bytes());
    let sum = crc(&file[12..29]);
    file[29..33].copy_from_slice(&sum.to_be_bytes());
    Ok(file)
}

fn crc(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 {
                (sum >> 1) ^ 0xEDB8_8320
            } else {
                sum >> 1
            };
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_one_picture() {
        let draw = |key: &str| Scene::of(key).draw(64, 48, 0.0);
        assert_eq!(draw("fox|1"), draw("fox|1"));
        assert_ne!(draw("fox|1").rgb, draw("fox|2").rgb);
        let first = draw("fox|1");
        assert_eq!(first.rgb.len(), 64 * 48 * 3);
        assert!(first.rgb.iter().max() > first.rgb.iter().min());
    }

    #[test]
    fn text_chunks_follow_the_alphabet() {
        let picture = Scene::of("k").draw(8, 8, 0.0);
        let latin = picture.png(&[("parameters", "caf\u{e9}")]).unwrap();
        let wide = picture.png(&[("parameters", "\u{732b}")]).unwrap();
        assert!(latin.windows(4).any(|w| w == b"tEXt"));
        assert!(wide.windows(4).any(|w| w == b"iTXt"));
    }

    #[test]
    fn the_bomb_has_a_valid_header() {
        let file = bomb().unwrap();
        assert_eq!(file[29..33], crc(&file[12..29]).to_be_bytes());
        let limits = png::Limits { bytes: usize::MAX };
        let mut decoder = png::Decoder::new_with_limits(std::io::Cursor::new(&file), limits);
        // Fails on a wrong checksum: the header must be refused for its size and nothing else.
        let header = decoder.read_header_info().unwrap();
        assert_eq!((header.width, header.height), (50_000, 50_000));
        let mut wrong = file.clone();
        wrong[32] ^= 1;
        let mut decoder = png::Decoder::new(std::io::Cursor::new(wrong));
        assert!(decoder.read_header_info().is_err(), "a checksum counts");
    }
}
