//! Whether a picture is of one colour.
//!
//! A VAE that produced NaN gives a picture of exactly one colour (black, sometimes grey). A dark
//! or quiet picture is real: the decoder's own grain spreads it over several levels.

/// Widest spread of a channel, in levels of 256, that still counts as one colour.
const FLAT_SPREAD: u8 = 8;
/// Distance from the median that still counts as the same colour, in levels.
const SAME_COLOUR: usize = 4;
/// Pixels of a hundred thousand that may differ (a stray pixel does not make a picture).
const STRAY_PER_100_000: u64 = 10;

/// How often each level occurs in each colour channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PixelStats {
    levels: [[u64; 256]; 3],
    pixels: u64,
}

impl Default for PixelStats {
    fn default() -> Self {
        Self {
            levels: [[0; 256]; 3],
            pixels: 0,
        }
    }
}

/// What the pixels say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Something is to be seen.
    Varied,
    /// One colour, told by its medians.
    OneColour {
        /// Red, green, blue.
        colour: [u8; 3],
    },
    /// No pixel was counted.
    Nothing,
}

impl PixelStats {
    /// Counts one pixel; alpha is no colour and is left out.
    pub fn add(&mut self, rgb: [u8; 3]) {
        for (channel, level) in self.levels.iter_mut().zip(rgb) {
            channel[usize::from(level)] += 1;
        }
        self.pixels += 1;
    }

    /// Counts pixels.
    pub fn of(pixels: impl IntoIterator<Item = [u8; 3]>) -> Self {
        let mut stats = Self::default();
        for pixel in pixels {
            stats.add(pixel);
        }
        stats
    }

    /// Judges what was counted.
    pub fn content(&self) -> Content {
        if self.pixels == 0 {
            return Content::Nothing;
        }
        let colour = [0, 1, 2].map(|c| median(&self.levels[c], self.pixels));
        let flat = self.levels.iter().zip(colour).all(|(levels, middle)| {
            spread(levels) <= FLAT_SPREAD
                || strays(levels, middle) * 100_000 <= self.pixels * STRAY_PER_100_000
        });
        if flat {
            Content::OneColour { colour }
        } else {
            Content::Varied
        }
    }

    /// Whether the picture proves nothing.
    pub fn is_blank(&self) -> bool {
        self.content() != Content::Varied
    }
}

fn median(levels: &[u64; 256], pixels: u64) -> u8 {
    let mut seen = 0;
    for (level, count) in (0_u8..=255).zip(levels) {
        seen += count;
        if seen * 2 >= pixels {
            return level;
        }
    }
    255
}

fn spread(levels: &[u64; 256]) -> u8 {
    let mut present = (0_u8..=255)
        .zip(levels)
        .filter(|(_, count)| **count > 0)
        .map(|(level, _)| level);
    let first = present.next().unwrap_or(0);
    present.next_back().unwrap_or(first) - first
}

fn strays(levels: &[u64; 256], middle: u8) -> u64 {
    let middle = usize::from(middle);
    levels
        .iter()
        .enumerate()
        .filter(|(level, _)| level.abs_diff(middle) > SAME_COLOUR)
        .map(|(_, count)| count)
        .sum()
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation)] // patterns of test pictures
mod tests {
    use super::*;

    const SIDE: u32 = 128;

    fn picture(pixel: impl Fn(u32, u32) -> [u8; 3]) -> PixelStats {
        PixelStats::of((0..SIDE * SIDE).map(|i| pixel(i % SIDE, i / SIDE)))
    }

    /// A small deterministic noise, 0 to 255.
    fn noise(x: u32, y: u32) -> u8 {
        let mut n = x
            .wrapping_mul(374_761_393)
            .wrapping_add(y.wrapping_mul(668_265_263));
        n = (n ^ (n >> 13)).wrapping_mul(1_274_126_177);
        (n >> 24) as u8
    }

    #[test]
    fn pictures_of_one_colour_are_blank() {
        for (what, stats) in [
            ("all black", picture(|_, _| [0; 3])),
            ("NaN grey", picture(|_, _| [127, 127, 128])),
            ("one red", picture(|_, _| [200, 10, 10])),
            ("all white", picture(|_, _| [255; 3])),
            ("black through JPEG", picture(|x, y| [noise(x, y) / 64; 3])),
            (
                "black with one stray pixel",
                picture(|x, y| if (x, y) == (5, 5) { [255; 3] } else { [0; 3] }),
            ),
            ("nothing", PixelStats::default()),
        ] {
            assert!(stats.is_blank(), "{what}: {:?}", stats.content());
        }
        assert_eq!(
            picture(|_, _| [127, 127, 128]).content(),
            Content::OneColour {
                colour: [127, 127, 128]
            }
        );
        assert_eq!(PixelStats::default().content(), Content::Nothing);
    }

    #[test]
    fn pictures_that_show_something_are_not() {
        for (what, stats) in [
            (
                "noise",
                picture(|x, y| [noise(x, y), noise(y, x), noise(x + 1, y)]),
            ),
            (
                "dark but real",
                picture(|x, y| [noise(x, y) / 20, noise(y, x) / 20, 2]),
            ),
            (
                "night with stars",
                picture(|x, y| if noise(x, y) == 7 { [240; 3] } else { [2; 3] }),
            ),
            ("gradient", picture(|x, _| [(x * 2) as u8; 3])),
            ("one channel alone", picture(|x, _| [0, 0, (x * 2) as u8])),
            (
                "half and half",
                picture(|x, _| if x < SIDE / 2 { [0; 3] } else { [255; 3] }),
            ),
            (
                "small motif on white",
                picture(|x, y| if x < 4 && y < 4 { [0; 3] } else { [255; 3] }),
            ),
        ] {
            assert_eq!(stats.content(), Content::Varied, "{what}");
        }
    }
}
