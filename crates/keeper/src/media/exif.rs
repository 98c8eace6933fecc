//! The texts in the EXIF block of a JPEG or WebP picture: A1111 writes its parameters as user comment,
//! ComfyUI its graph as text of the first directory.

/// Tag of the user comment.
const USER_COMMENT: u16 = 0x9286;
/// Tag of the directory that holds it.
const EXIF_DIRECTORY: u16 = 0x8769;
/// Type of a text that ends with a zero byte.
const ASCII: u16 = 2;
/// Most entries read of one directory.
const MAX_ENTRIES: usize = 256;
/// Longest text, in bytes.
const MAX_TEXT: usize = 4 * 1024 * 1024;

/// Texts of an EXIF block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExifTexts {
    /// The user comment.
    pub comment: Option<String>,
    /// Plain texts of the first directory.
    pub texts: Vec<String>,
}

/// Reads a block as it comes out of a picture, with or without its `Exif` mark. What is broken is left
/// out.
pub fn read(block: &[u8]) -> ExifTexts {
    let tiff = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
    let mut found = ExifTexts::default();
    let Some(block) = Block::open(tiff) else {
        return found;
    };
    let first = block
        .word(4)
        .map(|at| block.entries(at))
        .unwrap_or_default();
    for entry in &first {
        match entry.tag {
            EXIF_DIRECTORY => {
                let inner = block.entries(entry.value);
                let comment = inner.iter().find(|entry| entry.tag == USER_COMMENT);
                found.comment = comment.and_then(|entry| block.comment(entry));
            }
            _ if entry.kind == ASCII => {
                let text = block.data(entry).map(|data| {
                    let text = data.split(|b| *b == 0).next().unwrap_or_default();
                    String::from_utf8_lossy(text).into_owned()
                });
                found.texts.extend(text);
            }
            _ => {}
        }
    }
    found
}

struct Entry {
    tag: u16,
    kind: u16,
    count: usize,
    /// An offset, or the value itself.
    value: usize,
    at: usize,
}

struct Block<'b> {
    bytes: &'b [u8],
    big_endian: bool,
}

impl<'b> Block<'b> {
    fn open(bytes: &'b [u8]) -> Option<Self> {
        let big_endian = match bytes.get(..4)? {
            b"MM\0*" => true,
            b"II*\0" => false,
            _ => return None,
        };
        Some(Self { bytes, big_endian })
    }

    fn half(&self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big_endian {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        })
    }

    fn word(&self, at: usize) -> Option<usize> {
        let bytes = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        let word = if self.big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        };
        usize::try_from(word).ok()
    }

    fn entries(&self, at: usize) -> Vec<Entry> {
        let count = usize::from(self.half(at).unwrap_or(0)).min(MAX_ENTRIES);
        (0..count)
            .map_while(|n| {
                let at = at.checked_add(2 + n * 12)?;
                Some(Entry {
                    tag: self.half(at)?,
                    kind: self.half(at + 2)?,
                    count: self.word(at + 4)?,
                    value: self.word(at + 8)?,
                    at: at + 8,
                })
            })
            .collect()
    }

    /// The bytes of a text; up to four stand in the entry itself.
    fn data(&self, entry: &Entry) -> Option<&'b [u8]> {
        if entry.count > MAX_TEXT {
            return None;
        }
        let from = if entry.count <= 4 {
            entry.at
        } else {
            entry.value
        };
        self.bytes.get(from..from.checked_add(entry.count)?)
    }

    /// A comment says in its first eight bytes how it is written.
    fn comment(&self, entry: &Entry) -> Option<String> {
        let (how, text) = self.data(entry)?.split_at_checked(8)?;
        if how != b"UNICODE\0" {
            let text = String::from_utf8_lossy(text);
            return Some(text.trim_end_matches('\0').to_owned());
        }
        let big = match text {
            [0xfe, 0xff, ..] => true,
            [0xff, 0xfe, ..] => false,
            // Writers disagree with the block's own order: Latin letters tell by their empty half.
            _ => {
                let empty =
                    |at: usize| text.iter().skip(at).step_by(2).filter(|b| **b == 0).count();
                match empty(0).cmp(&empty(1)) {
                    std::cmp::Ordering::Greater => true,
                    std::cmp::Ordering::Less => false,
                    std::cmp::Ordering::Equal => self.big_endian,
                }
            }
        };
        let units = text.chunks_exact(2).map(|pair| {
            if big {
                u16::from_be_bytes([pair[0], pair[1]])
            } else {
                u16::from_le_bytes([pair[0], pair[1]])
            }
        });
        let units: Vec<u16> = units.filter(|unit| *unit != 0xfeff).collect();
        Some(String::from_utf16_lossy(&units))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A block with one text in the first directory, and a user comment.
    pub(crate) fn block(big_endian: bool, text: &str, comment: &[u8]) -> Vec<u8> {
        let half = |n: u16| {
            if big_endian {
                n.to_be_bytes()
            } else {
                n.to_le_bytes()
            }
        };
        let word = |n: usize| {
            let n = u32::try_from(n).expect("short");
            if big_endian {
                n.to_be_bytes()
            } else {
                n.to_le_bytes()
            }
        };
        let text_at = 8 + 2 + 2 * 12 + 4;
        let inner_at = text_at + text.len() + 1;
        let comment_at = inner_at + 2 + 12 + 4;
        let entry = |tag, kind, count, value| {
            [&half(tag)[..], &half(kind), &word(count), &word(value)].concat()
        };
        let mark: &[u8] = if big_endian { b"MM\0*" } else { b"II*\0" };
        [
            mark,
            &word(8),
            &half(2),
            &entry(0x010f, ASCII, text.len() + 1, text_at),
            &entry(EXIF_DIRECTORY, 4, 1, inner_at),
            &word(0),
            text.as_bytes(),
            b"\0",
            &half(1),
            &entry(USER_COMMENT, 7, comment.len(), comment_at),
            &word(0),
            comment,
        ]
        .concat()
    }

    pub(crate) fn unicode(text: &str, big_endian: bool) -> Vec<u8> {
        let units = text.encode_utf16().flat_map(|unit| {
            if big_endian {
                unit.to_be_bytes()
            } else {
                unit.to_le_bytes()
            }
        });
        b"UNICODE\0".iter().copied().chain(units).collect()
    }

    #[test]
    fn comments_are_read_in_every_way_they_are_written() {
        for block_order in [true, false] {
            for order in [true, false] {
                let block = block(block_order, "prompt:{}", &unicode("a fox, Ü", order));
                for block in [block.clone(), [b"Exif\0\0".as_slice(), &block].concat()] {
                    let found = read(&block);
                    assert_eq!(found.comment.as_deref(), Some("a fox, Ü"));
                    assert_eq!(found.texts, ["prompt:{}"]);
                }
            }
        }
        let ascii = read(&block(true, "some text", b"ASCII\0\0\0plain\0\0"));
        assert_eq!(ascii.comment.as_deref(), Some("plain"));
    }

    #[test]
    fn a_broken_block_costs_nothing() {
        let whole = block(false, "some text", &unicode("comment", false));
        for cut in 0..whole.len() {
            let _ = read(&whole[..cut]);
        }
        for at in 0..whole.len() {
            for value in [0, 0x7f, 0xff] {
                let mut bent = whole.clone();
                bent[at] = value;
                let _ = read(&bent);
            }
        }
        for nothing in [
            &b""[..],
            b"Exif\0\0",
            b"MM\0*",
            b"II*\0\xff\xff\xff\xff",
            b"PNG",
        ] {
            assert_eq!(read(nothing), ExifTexts::default());
        }
    }
}
