//! Text chunks of PNG files: `tEXt`, `zTXt` and `iTXt`, before or after the pixels.
//!
//! Chunks are walked without unpacking the picture, and each text is bounded.

use std::io::Read as _;

use flate2::{Crc, read::ZlibDecoder};

/// The keyword under which A1111 and its forks keep their parameter text.
pub const PARAMETERS: &str = "parameters";
/// Longest text of one chunk, in bytes after decompression.
const MAX_TEXT: usize = 4 * 1024 * 1024;
/// Most text chunks read of one file.
const MAX_CHUNKS: usize = 64;
const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// Signature, then the header chunk: 4 length, 4 type, 13 data, 4 checksum.
const AFTER_HEADER: usize = 8 + 25;

/// Every text chunk as keyword and text, in order. Broken chunks are left out; a file that is no PNG has none.
pub fn read(file: &[u8]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = file.strip_prefix(SIGNATURE).unwrap_or_default();
    while let Some((kind, data, after)) = chunk(rest) {
        rest = after;
        let text = match kind {
            b"tEXt" => plain(data),
            b"zTXt" => compressed(data),
            b"iTXt" => international(data),
            b"IEND" => break,
            _ => None,
        };
        found.extend(text);
        if found.len() >= MAX_CHUNKS {
            break;
        }
    }
    found
}

/// The parameter text of a picture, wherever it stands.
pub fn parameters(file: &[u8]) -> Option<String> {
    read(file)
        .into_iter()
        .find(|(key, _)| key == PARAMETERS)
        .map(|(_, text)| text)
}

/// The file with a parameter text added, as the servers write it; unchanged when it has one
/// already, is no PNG, or the text cannot be written.
pub fn with_parameters(file: Vec<u8>, text: &str) -> Vec<u8> {
    let usable = file.starts_with(SIGNATURE)
        && file.get(12..16) == Some(b"IHDR")
        && file.len() >= AFTER_HEADER
        && text.len() <= MAX_TEXT
        && !text.contains('\0');
    if !usable || parameters(&file).is_some() {
        return file;
    }
    let latin: Option<Vec<u8>> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).ok())
        .collect();
    let (kind, data) = match latin {
        Some(latin) => (b"tEXt", [PARAMETERS.as_bytes(), b"\0", &latin].concat()),
        // No compression, no language, no translated keyword.
        None => (
            b"iTXt",
            [PARAMETERS.as_bytes(), b"\0\0\0\0\0", text.as_bytes()].concat(),
        ),
    };
    let Ok(length) = u32::try_from(data.len()) else {
        return file;
    };
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(&data);
    let (head, tail) = file.split_at(AFTER_HEADER);
    [
        head,
        &length.to_be_bytes(),
        kind,
        &data,
        &crc.sum().to_be_bytes(),
        tail,
    ]
    .concat()
}

/// Type, data and what follows; `None` at the end or when the length lies.
fn chunk(rest: &[u8]) -> Option<(&[u8; 4], &[u8], &[u8])> {
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (kind, rest) = rest.split_first_chunk::<4>()?;
    let (data, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    Some((kind, data, rest.get(4..)?))
}

fn keyword(data: &[u8]) -> Option<(String, &[u8])> {
    let end = data.iter().take(80).position(|b| *b == 0)?;
    Some((latin(&data[..end]), &data[end + 1..]))
}

fn plain(data: &[u8]) -> Option<(String, String)> {
    let (key, text) = keyword(data)?;
    (text.len() <= MAX_TEXT).then(|| (key, latin(text)))
}

fn compressed(data: &[u8]) -> Option<(String, String)> {
    let (key, rest) = keyword(data)?;
    let (&method, packed) = rest.split_first()?;
    let text = (method == 0).then(|| inflate(packed)).flatten()?;
    Some((key, latin(&text)))
}

fn international(data: &[u8]) -> Option<(String, String)> {
    let (key, rest) = keyword(data)?;
    let (&[packed, method], rest) = rest.split_first_chunk::<2>()?;
    // Language tag and translated keyword, each ended by a zero byte.
    let mut parts = rest.splitn(3, |b| *b == 0);
    let text = parts.nth(2)?;
    let text = match (packed, method) {
        (0, _) if text.len() <= MAX_TEXT => text.to_vec(),
        (1, 0) => inflate(text)?,
        _ => return None,
    };
    Some((key, String::from_utf8(text).ok()?))
}

/// Unpacks at most [`MAX_TEXT`] bytes; more is no text anybody wrote.
fn inflate(packed: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let limit = u64::try_from(MAX_TEXT).ok()? + 1;
    ZlibDecoder::new(packed)
        .take(limit)
        .read_to_end(&mut text)
        .ok()?;
    (text.len() <= MAX_TEXT).then_some(text)
}

fn latin(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn bare() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 2, 2);
        encoder.set_color(png::ColorType::Rgb);
        let mut writer = encoder.write_header().expect("header");
        writer.write_image_data(&[9; 12]).expect("pixels");
        writer.finish().expect("ends");
        bytes
    }

    fn with_chunk(kind: [u8; 4], data: &[u8], after_pixels: bool) -> Vec<u8> {
        let file = bare();
        let at = if after_pixels {
            file.len() - 12
        } else {
            AFTER_HEADER
        };
        let mut crc = Crc::new();
        crc.update(&kind);
        crc.update(data);
        let length = u32::try_from(data.len()).expect("short").to_be_bytes();
        [
            &file[..at],
            &length,
            &kind,
            data,
            &crc.sum().to_be_bytes(),
            &file[at..],
        ]
        .concat()
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut encoder =
            flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).expect("packs");
        encoder.finish().expect("packs")
    }

    #[test]
    fn every_kind_of_chunk_is_read_at_any_place() {
        let packed = zlib(
            "caf\u{e9}"
                .chars()
                .map(|c| c as u8)
                .collect::<Vec<_>>()
                .as_slice(),
        );
        let packed_utf8 = zlib("猫".as_bytes());
        let cases: [(&[u8; 4], Vec<u8>, &str); 4] = [
            (b"tEXt", b"parameters\0caf\xe9".to_vec(), "café"),
            (
                b"zTXt",
                [b"parameters\0\0".as_slice(), &packed].concat(),
                "café",
            ),
            (
                b"iTXt",
                [b"parameters\0\0\0fr\0param\0".as_slice(), "猫".as_bytes()].concat(),
                "猫",
            ),
            (
                b"iTXt",
                [b"parameters\0\x01\0\0\0".as_slice(), &packed_utf8].concat(),
                "猫",
            ),
        ];
        for (kind, data, text) in cases {
            for after in [false, true] {
                assert_eq!(
                    parameters(&with_chunk(*kind, &data, after)).as_deref(),
                    Some(text)
                );
            }
        }
        assert_eq!(parameters(&bare()), None);
    }

    #[test]
    fn hostile_chunks_cost_nothing() {
        let bomb = zlib(&vec![0; MAX_TEXT * 4]);
        let cases: [(&[u8; 4], Vec<u8>); 6] = [
            (b"zTXt", [b"parameters\0\0".as_slice(), &bomb].concat()),
            (
                b"iTXt",
                [b"parameters\0\x01\0\0\0".as_slice(), &bomb].concat(),
            ),
            (b"zTXt", b"parameters\0\0not zlib".to_vec()),
            (b"iTXt", b"parameters\0\0\0en\0\0\xff\xfe".to_vec()),
            (b"tEXt", b"no zero byte at all".to_vec()),
            (b"iTXt", b"parameters\0".to_vec()),
        ];
        for (kind, data) in cases {
            assert_eq!(parameters(&with_chunk(*kind, &data, false)), None);
        }
        let mut lying = with_chunk(*b"tEXt", b"parameters\0x", false);
        lying[AFTER_HEADER..AFTER_HEADER + 4].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(read(&lying), []);
        let file = with_chunk(*b"tEXt", b"parameters\0x", true);
        for cut in 0..file.len() {
            let _ = read(&file[..cut]);
        }
        assert_eq!(read(b"\xff\xd8\xff\xe0"), []);
    }

    #[test]
    fn a_missing_text_is_added_and_an_existing_one_kept() {
        for text in ["a fox\nSteps: 20", "café", "猫"] {
            let file = with_parameters(bare(), text);
            assert_eq!(parameters(&file).as_deref(), Some(text));
            assert!(image::load_from_memory(&file).is_ok(), "still a picture");
            assert_eq!(with_parameters(file.clone(), "another"), file);
        }
        let jpeg = b"\xff\xd8\xff\xe0".to_vec();
        assert_eq!(with_parameters(jpeg.clone(), "x"), jpeg);
        assert_eq!(with_parameters(bare(), "zero\0byte"), bare());
    }
}
