//! How the bytes of a file spell text, so that a place in the text is a place in the bytes.

use super::{Refusal, Why};

/// Largest file that is read. IIS itself refuses more than 250 KB unless it is told otherwise.
pub const MAX_BYTES: usize = 1024 * 1024;

/// How text is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    Utf8,
    /// UTF-16, the low byte first.
    Utf16Le,
    /// UTF-16, the high byte first.
    Utf16Be,
}

/// Names of each encoding that a declaration may give, in lower case.
const NAMES: &[(Encoding, &[&str])] = &[
    (Encoding::Utf8, &["utf-8", "utf8", "us-ascii"]),
    (Encoding::Utf16Le, &["utf-16", "utf-16le", "unicode"]),
    (Encoding::Utf16Be, &["utf-16", "utf-16be", "unicodefffe"]),
];

/// A file as text.
#[derive(Debug, Clone)]
pub struct Source<'b> {
    /// The bytes.
    pub bytes: &'b [u8],
    /// How they spell text.
    pub encoding: Encoding,
    /// The text without the byte order mark.
    pub text: String,
    /// Bytes of the byte order mark.
    mark: usize,
}

impl<'b> Source<'b> {
    /// Reads the bytes, and refuses what would have to be guessed.
    pub fn read(bytes: &'b [u8]) -> Result<Self, Refusal> {
        if bytes.len() > MAX_BYTES {
            return Err(Refusal::of(Why::TooLarge));
        }
        let (encoding, mark) = match bytes {
            [0xef, 0xbb, 0xbf, ..] => (Encoding::Utf8, 3),
            [0xff, 0xfe, ..] => (Encoding::Utf16Le, 2),
            [0xfe, 0xff, ..] => (Encoding::Utf16Be, 2),
            _ => (Encoding::Utf8, 0),
        };
        let text = match encoding {
            Encoding::Utf8 => String::from_utf8(bytes[mark..].to_vec()).ok(),
            Encoding::Utf16Le | Encoding::Utf16Be => utf16(&bytes[mark..], encoding),
        };
        let declared = declared(text.as_deref().unwrap_or_default(), bytes);
        let Some(text) = text else {
            return Err(Refusal::of(Why::Encoding).what(declared.unwrap_or_default()));
        };
        // Found in files whose writing was cut off by a crash.
        if let Some(at) = text.find('\0') {
            return Err(Refusal::of(Why::NoXml).line(&text, at).what("U+0000"));
        }
        let source = Self {
            bytes,
            encoding,
            text,
            mark,
        };
        match declared {
            Some(name) if !encoding.is_called(&name) => {
                Err(Refusal::of(Why::Encoding).line(&source.text, 0).what(name))
            }
            _ => Ok(source),
        }
    }

    /// The byte at which a place of the text stands.
    pub(super) fn byte_at(&self, place: usize) -> usize {
        let before = self.text.get(..place).unwrap_or(&self.text);
        self.mark
            + match self.encoding {
                Encoding::Utf8 => before.len(),
                Encoding::Utf16Le | Encoding::Utf16Be => 2 * before.encode_utf16().count(),
            }
    }

    /// Spells a text as the file does.
    pub(super) fn spell(&self, text: &str) -> Vec<u8> {
        let units = text.encode_utf16();
        match self.encoding {
            Encoding::Utf8 => text.as_bytes().to_vec(),
            Encoding::Utf16Le => units.flat_map(u16::to_le_bytes).collect(),
            Encoding::Utf16Be => units.flat_map(u16::to_be_bytes).collect(),
        }
    }
}

impl Encoding {
    fn is_called(self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        NAMES
            .iter()
            .any(|(encoding, names)| *encoding == self && names.contains(&name.as_str()))
    }
}

fn utf16(bytes: &[u8], encoding: Encoding) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let units: Vec<u16> = pairs
        .iter()
        .map(|pair| match encoding {
            Encoding::Utf16Be => u16::from_be_bytes(*pair),
            _ => u16::from_le_bytes(*pair),
        })
        .collect();
    String::from_utf16(&units).ok()
}

/// What the XML declaration says of the encoding; looked for in the bytes where they spell no text.
fn declared(text: &str, bytes: &[u8]) -> Option<String> {
    let head = if text.is_empty() {
        String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned()
    } else {
        text.chars().take(200).collect()
    };
    let inside = head.strip_prefix("<?xml")?.split("?>").next()?;
    let (_, value) = inside.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let name = value[1..].split(quote).next()?;
    Some(name.chars().take(40).collect())
}
