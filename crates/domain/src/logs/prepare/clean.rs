//! Text without what a terminal would do with it, its colours apart.

use serde::{Deserialize, Serialize};

/// Most spans of one line; what is coloured beyond them is shown plain.
const MAX_SPANS: usize = 64;

/// A colour of the terminal's sixteen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "colours are their own description")]
pub enum Colour {
    Black,
    Red,
    Green,
    Yellow,
    Blue,
    Magenta,
    Cyan,
    White,
    BrightBlack,
    BrightRed,
    BrightGreen,
    BrightYellow,
    BrightBlue,
    BrightMagenta,
    BrightCyan,
    BrightWhite,
}

impl Colour {
    const ALL: [Self; 16] = [
        Self::Black,
        Self::Red,
        Self::Green,
        Self::Yellow,
        Self::Blue,
        Self::Magenta,
        Self::Cyan,
        Self::White,
        Self::BrightBlack,
        Self::BrightRed,
        Self::BrightGreen,
        Self::BrightYellow,
        Self::BrightBlue,
        Self::BrightMagenta,
        Self::BrightCyan,
        Self::BrightWhite,
    ];

    /// The nearest of the sixteen.
    fn nearest(red: u32, green: u32, blue: u32) -> Option<Self> {
        let most = red.max(green).max(blue);
        if most < 48 {
            return Some(Self::Black);
        }
        let has = |part: u32| usize::from(part * 3 > most * 2);
        let hue = has(red) | has(green) << 1 | has(blue) << 2;
        let grey = hue == 7;
        let bright = if grey {
            (48..160).contains(&most) || most > 224
        } else {
            most > 192
        };
        // Dark grey is called bright black.
        let hue = if grey && most < 160 { 0 } else { hue };
        Self::ALL.get(hue + 8 * usize::from(bright)).copied()
    }

    /// A colour of the palette of 256.
    fn of_palette(number: u32) -> Option<Self> {
        match number {
            0..=15 => Self::ALL.get(number as usize).copied(),
            16..=231 => {
                let level = |step: u32| if step == 0 { 0 } else { 55 + 40 * step };
                let number = number - 16;
                Self::nearest(level(number / 36), level(number / 6 % 6), level(number % 6))
            }
            232..=255 => {
                let grey = 8 + 10 * (number - 232);
                Self::nearest(grey, grey, grey)
            }
            _ => None,
        }
    }
}

/// Part of a line that the program coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Span {
    /// First byte in the cleaned text.
    pub start: u32,
    /// Byte after the last.
    pub end: u32,
    /// Colour of the letters; `None` is the ordinary one.
    pub colour: Option<Colour>,
    /// Whether the letters are bold.
    pub bold: bool,
}

/// What the letters look like at some place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Style {
    colour: Option<Colour>,
    bold: bool,
}

impl Style {
    /// After the parameters of an `SGR` sequence (ECMA-48 §8.3.117; 38 and 90 to 97 as xterm has
    /// them).
    fn after(mut self, parameters: &str) -> Self {
        let mut numbers = parameters
            .split([';', ':'])
            .map(|number| number.parse::<u32>().unwrap_or(0));
        while let Some(number) = numbers.next() {
            match number {
                0 => self = Self::default(),
                1 => self.bold = true,
                21 | 22 => self.bold = false,
                30..=37 => self.colour = Colour::of_palette(number - 30),
                39 => self.colour = None,
                90..=97 => self.colour = Colour::of_palette(number - 90 + 8),
                38 | 48 => {
                    let colour = match numbers.next() {
                        Some(5) => numbers.next().and_then(Colour::of_palette),
                        Some(2) => {
                            let mut part = || numbers.next().unwrap_or(0).min(255);
                            let (red, green, blue) = (part(), part(), part());
                            Colour::nearest(red, green, blue)
                        }
                        _ => break,
                    };
                    if number == 38 {
                        self.colour = colour;
                    }
                }
                _ => {}
            }
        }
        self
    }
}

/// A text and what of it was coloured.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cleaned {
    pub(super) text: String,
    pub(super) spans: Vec<Span>,
}

impl Cleaned {
    /// A text without colours that is clean already.
    pub(super) fn plain(text: String) -> Self {
        Self {
            text,
            spans: Vec::new(),
        }
    }

    /// Text was added since `from`.
    fn style(&mut self, from: usize, style: Style) {
        let (Ok(start), Ok(end)) = (u32::try_from(from), u32::try_from(self.text.len())) else {
            return;
        };
        if start == end || style == Style::default() {
            return;
        }
        let Style { colour, bold } = style;
        if let Some(last) = self.spans.last_mut()
            && last.end == start
            && (last.colour, last.bold) == (colour, bold)
        {
            last.end = end;
        } else if self.spans.len() < MAX_SPANS {
            self.spans.push(Span {
                start,
                end,
                colour,
                bold,
            });
        }
    }
}

/// Removes escape sequences, other control characters, and the invisible characters that would
/// turn the direction of the text around. A tab stays, and colours are kept beside the text.
pub(super) fn clean(text: &str) -> Cleaned {
    let mut out = Cleaned {
        text: String::with_capacity(text.len()),
        spans: Vec::new(),
    };
    let mut style = Style::default();
    let mut rest = text;
    while let Some(at) = next_unwanted(rest.as_bytes()) {
        let from = out.text.len();
        out.text.push_str(&rest[..at]);
        out.style(from, style);
        rest = &rest[at..];
        let mut chars = rest.chars();
        let first = chars.next();
        let after = chars.as_str();
        rest = if first == Some('\u{1b}') {
            let rest = after_escape(after);
            let sequence = &after[..after.len() - rest.len()];
            if let Some(parameters) = sequence
                .strip_prefix('[')
                .and_then(|sequence| sequence.strip_suffix('m'))
                .filter(|parameters| !parameters.starts_with(['<', '=', '>', '?']))
            {
                style = style.after(parameters);
            }
            rest
        } else {
            after
        };
    }
    let from = out.text.len();
    out.text.push_str(rest);
    out.style(from, style);
    out
}

/// The text was cut to so many bytes.
pub(super) fn cut(spans: &mut Vec<Span>, bytes: usize) {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    for span in spans.iter_mut() {
        span.end = span.end.min(bytes);
    }
    spans.retain(|span| span.start < span.end);
}

/// Whether there is nothing to clean and nothing but ASCII, which holds for most lines.
#[expect(
    clippy::needless_bitwise_bool,
    reason = "without branches the compiler looks at many bytes at once"
)]
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    !bytes.iter().fold(false, |found, byte| {
        found | ((*byte < b' ') & (*byte != b'\t')) | (*byte >= 0x7f)
    })
}

/// Where in a UTF-8 text the first unwanted character is: a control character other than a tab,
/// one that sets the direction (U+202A to U+202E, U+2066 to U+2069), or a byte order mark.
fn next_unwanted(bytes: &[u8]) -> Option<usize> {
    let at = |index: usize| bytes.get(index).copied().unwrap_or(0);
    bytes
        .iter()
        .enumerate()
        .position(|(index, byte)| match byte {
            b'\t' => false,
            ..=0x1f | 0x7f => true,
            0xc2 => at(index + 1) < 0xa0,
            0xe2 => matches!(
                (at(index + 1), at(index + 2)),
                (0x80, 0xaa..=0xae) | (0x81, 0xa6..=0xa9)
            ),
            0xef => (at(index + 1), at(index + 2)) == (0xbb, 0xbf),
            _ => false,
        })
}

/// What follows an escape sequence whose escape character is already taken off. An unfinished one
/// loses only that character.
fn after_escape(text: &str) -> &str {
    let bytes = text.as_bytes();
    let skip = |from: usize, range: std::ops::RangeInclusive<u8>| {
        from + bytes[from..]
            .iter()
            .take_while(|b| range.contains(b))
            .count()
    };
    match bytes.first() {
        Some(b'[') => {
            let end = skip(skip(1, b'0'..=b'?'), b' '..=b'/');
            match bytes.get(end) {
                Some(b'@'..=b'~') => &text[end + 1..],
                _ => text,
            }
        }
        Some(b']' | b'P' | b'X' | b'^' | b'_') => {
            let Some(end) = bytes.iter().position(|b| matches!(b, 0x07 | 0x1b)) else {
                return text;
            };
            match (bytes[end], bytes.get(end + 1)) {
                (0x07, _) => &text[end + 1..],
                (_, Some(b'\\')) => &text[end + 2..],
                _ => &text[end..],
            }
        }
        Some(b' '..=b'/') => {
            let end = skip(0, b' '..=b'/');
            match bytes.get(end) {
                Some(b'0'..=b'~') => &text[end + 1..],
                _ => text,
            }
        }
        Some(b'0'..=b'Z' | b'\\' | b'`'..=b'~') => &text[1..],
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_not_driven() {
        for (raw, expected) in [
            ("plain ▌ é\ttab", "plain ▌ é\ttab"),
            (
                "ControlNet - \x1b[0;32mINFO\x1b[0m - x",
                "ControlNet - INFO - x",
            ),
            ("\x1b[2K\x1b[1A\x1b[?25lbar", "bar"),
            ("\x1b]0;title\x07text", "text"),
            ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
            ("\x1b(Bcharset\x1b7\x1bM", "charset"),
            ("a\x08b\x00c\u{9b}31m", "abc31m"),
            ("unfinished \x1b[12", "unfinished [12"),
            ("unfinished \x1b]0;title", "unfinished ]0;title"),
            ("\x1b[12é", "[12é"),
            ("\x1bé", "é"),
            ("\x1b", ""),
            ("\x1b]0;a\x1b[31mred", "red"),
            ("abc\u{202e}def\u{2066}", "abcdef"),
        ] {
            assert_eq!(clean(raw).text, expected, "{raw:?}");
            assert!(!is_plain(raw.as_bytes()), "{raw:?}");
        }
        assert!(is_plain(b"a\tb ~!"));
    }

    #[test]
    fn attacks_on_terminals_leave_their_words_at_most() {
        for (attack, expected) in [
            // The clipboard, the title, an answer from the terminal, its colours, a file.
            ("a\x1b]52;c;cm0gLXJmIC8K\x07b", "ab"),
            ("a\x1b]52;c;cm0gLXJmIC8K\x1b\\b", "ab"),
            ("a\x1b]2;title\x1b\\b", "ab"),
            ("a\x1b[21t\x1b[6n\x1b[cb", "ab"),
            ("a\x1b]4;1;rgb:00/00/00\x07b", "ab"),
            ("a\x1b]1337;File=inline=1:AAAA\x07b", "ab"),
            // Strings of the device, of applications, private ones.
            ("a\x1bP$qm\x1b\\b", "ab"),
            ("a\x1b_Gf=24;AAAA\x1b\\b\x1b^x\x1b\\c\x1bXy\x1b\\d", "abcd"),
            // Cursor, screens, a reset, keys that are typed later.
            ("a\x1b[H\x1b[2J\x1b[?1049h\x1bc\x1b[5;5Hb", "ab"),
            // The same with one byte each: what they would have steered with is text.
            ("a\u{9d}52;c;AAAA\u{9c}b", "a52;c;AAAAb"),
            ("a\u{90}q\u{9c}\u{9b}2J\u{85}b", "aq2Jb"),
            // One inside of another, and one that never ends.
            ("a\x1b]0;\x1b]52;c;A\x07\x07b", "ab"),
            ("\x1b]52;c;AAAA", "]52;c;AAAA"),
        ] {
            let cleaned = clean(attack).text;
            assert_eq!(cleaned, expected, "{attack:?}");
            assert!(!cleaned.contains(char::is_control), "{attack:?}");
        }
    }

    #[test]
    fn every_unwanted_character_is_found_and_no_other() {
        for c in '\0'..=char::MAX {
            let unwanted = (c.is_control() && c != '\t')
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
            let text = format!("a{c}b");
            assert_eq!(
                next_unwanted(text.as_bytes()),
                unwanted.then_some(1),
                "{c:?}"
            );
        }
    }

    #[test]
    fn colours_are_kept_as_spans() {
        use Colour::{BrightBlack, BrightRed, Cyan, Green, Red, White, Yellow};
        let red = Some(Red);
        for (raw, expected) in [
            ("plain", &[][..]),
            ("\x1b[31mred\x1b[0m plain", &[(0, 3, red, false)]),
            ("a \x1b[0;32mINFO\x1b[0m - x", &[(2, 6, Some(Green), false)]),
            ("\x1b[1mbold\x1b[22m not", &[(0, 4, None, true)]),
            (
                "\x1b[1;31mA\x1b[22mB\x1b[mC",
                &[(0, 1, red, true), (1, 2, red, false)],
            ),
            ("\x1b[31ma\x1b[31mb\x1b[Kc", &[(0, 3, red, false)]),
            ("\x1b[33m\x1b[0mnothing", &[]),
            ("\x1b[91mé\x1b[39mx", &[(0, 2, Some(BrightRed), false)]),
            ("\x1b[38;5;9mx", &[(0, 1, Some(BrightRed), false)]),
            ("\x1b[38;5;37mx", &[(0, 1, Some(Cyan), false)]),
            ("\x1b[38;5;240mx", &[(0, 1, Some(BrightBlack), false)]),
            ("\x1b[38;2;170;170;170mx", &[(0, 1, Some(White), false)]),
            ("\x1b[48;5;1;33mx", &[(0, 1, Some(Yellow), false)]),
            ("\x1b[38;9mx", &[]),
            ("\x1b[?31mx", &[]),
            ("\x1b[31", &[]),
            ("\x1b[99999999999;31mx", &[(0, 1, red, false)]),
        ] {
            let spans: Vec<_> = clean(raw)
                .spans
                .into_iter()
                .map(|span| (span.start, span.end, span.colour, span.bold))
                .collect();
            assert_eq!(spans, expected, "{raw:?}");
        }
        let many = "\x1b[31ma\x1b[32mb".repeat(100);
        let cleaned = clean(&many);
        assert_eq!((cleaned.text.len(), cleaned.spans.len()), (200, 64));
    }
}
