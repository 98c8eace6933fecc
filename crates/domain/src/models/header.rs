//! The header of a safetensors file: its length, then JSON that names each tensor. Whoever made the file
//! wrote it, so nothing in it is believed: not its length, not its offsets, not its depth.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{
    Deserialize, Serialize,
    de::{self, DeserializeSeed, IgnoredAny, MapAccess, Visitor},
};

/// Bytes before the JSON: its length.
pub const PREFIX: u64 = 8;
/// Longest header that is read. The format's own limit is 100 MB; real ones have at most a few megabytes.
pub const MAX_HEADER: u64 = 32 * 1024 * 1024;
/// The format's own limit.
const FORMAT_LIMIT: u64 = 100_000_000;
/// Axes of a tensor.
const MAX_AXES: usize = 16;
/// Entries of the metadata that are kept, and the longest value that is.
const MAX_NOTES: usize = 256;
const MAX_NOTE: usize = 256;
/// Longest error of the JSON parser that is told.
const MAX_WORDS: usize = 160;

/// What is wrong with a file that should be one of safetensors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum HeaderFault {
    /// Shorter than the header's length.
    #[error("the file is too short to be a safetensors file")]
    TooShort,
    /// A web page was saved under its name.
    #[error("it is a web page: the download went wrong")]
    WebPage,
    /// Git keeps the real file elsewhere.
    #[error("it is a pointer of Git LFS, not the file itself")]
    LfsPointer,
    /// It claims a header longer than the file, or than the format allows.
    #[error("its header claims to be longer than the file or the format allows")]
    Length,
    /// Allowed by the format, but more than is read.
    #[error("its header is longer than what is read")]
    TooLong,
    /// No JSON, or not of this form.
    #[error("its header cannot be read: {words}")]
    Json {
        /// What the parser says.
        words: String,
    },
    /// Two tensors have one name.
    #[error("two tensors have one name")]
    Duplicate,
    /// A tensor's numbers do not agree with each other.
    #[error("the tensor `{name}` does not fit its own shape")]
    Shape {
        /// Which.
        name: String,
    },
    /// Tensors lie over one another, or leave holes.
    #[error("its tensors do not lie one behind the other")]
    Layout,
    /// The file ends before its tensors do.
    #[error("the file is incomplete: it ends before its tensors do")]
    Incomplete,
    /// There is more in the file than its tensors.
    #[error("there is more in the file than its tensors")]
    Trailing,
}

/// One tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// Its axes.
    pub shape: Vec<u64>,
    /// Where it begins and ends behind the header.
    pub place: (u64, u64),
}

/// A header that can be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header<'a> {
    /// In the order of the file.
    pub tensors: Vec<Tensor<'a>>,
    /// Short entries of `__metadata__`.
    pub notes: BTreeMap<String, String>,
    /// What is wrong with the file although its header can be read.
    pub fault: Option<HeaderFault>,
}

/// How many bytes of JSON follow the first eight, if a file of this size can have them.
pub fn header_length(start: &[u8], file_size: u64) -> Result<u64, HeaderFault> {
    if let Some(fault) = something_else(start) {
        return Err(fault);
    }
    let Some(length) = start.first_chunk::<8>() else {
        return Err(HeaderFault::TooShort);
    };
    let length = u64::from_le_bytes(*length);
    if length > FORMAT_LIMIT || length.saturating_add(PREFIX) > file_size {
        return Err(HeaderFault::Length);
    }
    if length > MAX_HEADER {
        return Err(HeaderFault::TooLong);
    }
    Ok(length)
}

/// What is often found under such a name.
fn something_else(start: &[u8]) -> Option<HeaderFault> {
    let text = start.trim_ascii_start();
    if text.starts_with(b"version https://git-lfs") {
        return Some(HeaderFault::LfsPointer);
    }
    let lower: Vec<u8> = text.iter().take(9).map(u8::to_ascii_lowercase).collect();
    (lower.starts_with(b"<!doctype") || lower.starts_with(b"<html")).then_some(HeaderFault::WebPage)
}

/// Reads a header: the JSON alone, as many bytes as [`header_length`] says.
pub fn read_header(json: &[u8], file_size: u64) -> Result<Header<'_>, HeaderFault> {
    let bad_json = |words: &dyn fmt::Display| HeaderFault::Json {
        words: words.to_string().chars().take(MAX_WORDS).collect(),
    };
    let text = std::str::from_utf8(json).map_err(|error| bad_json(&error))?;
    let mut parser = serde_json::Deserializer::from_str(text);
    let header = Entries.deserialize(&mut parser);
    let header = header.and_then(|header| parser.end().map(|()| header));
    let mut header = header.map_err(|error| bad_json(&error))?;
    let data = file_size
        .checked_sub(PREFIX)
        .and_then(|rest| rest.checked_sub(json.len() as u64))
        .ok_or(HeaderFault::Length)?;
    let sound = check_names(&header.tensors).and_then(|()| check_places(&header.tensors, data));
    header.fault = header.fault.or(sound.err());
    Ok(header)
}

fn check_names(tensors: &[Tensor<'_>]) -> Result<(), HeaderFault> {
    let mut names: Vec<&str> = tensors.iter().map(|tensor| &*tensor.name).collect();
    names.sort_unstable();
    if names.windows(2).any(|two| two[0] == two[1]) {
        return Err(HeaderFault::Duplicate);
    }
    Ok(())
}

/// As the format wants it: one behind the other, from the header's end to the file's.
fn check_places(tensors: &[Tensor<'_>], data: u64) -> Result<(), HeaderFault> {
    let mut places: Vec<(u64, u64)> = tensors.iter().map(|tensor| tensor.place).collect();
    places.sort_unstable();
    let mut end = 0;
    for (from, to) in places {
        if from != end {
            return Err(HeaderFault::Layout);
        }
        end = to;
    }
    match end.cmp(&data) {
        std::cmp::Ordering::Greater => Err(HeaderFault::Incomplete),
        std::cmp::Ordering::Less => Err(HeaderFault::Trailing),
        std::cmp::Ordering::Equal => Ok(()),
    }
}

/// Bits of a number, `None` where the name is not known.
fn bits(dtype: &str) -> Option<u64> {
    Some(match dtype {
        "F64" | "I64" | "U64" | "C64" => 64,
        "F32" | "I32" | "U32" => 32,
        "F16" | "BF16" | "I16" | "U16" => 16,
        "F8_E4M3" | "F8_E5M2" | "F8_E8M0" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ" | "I8" | "U8"
        | "BOOL" => 8,
        "F6_E2M3" | "F6_E3M2" => 6,
        "F4" => 4,
        _ => return None,
    })
}

/// Whether the numbers of a tensor agree.
fn fits(dtype: &str, shape: &[u64], (from, to): (u64, u64)) -> bool {
    let Some(length) = to.checked_sub(from) else {
        return false;
    };
    let numbers = shape
        .iter()
        .try_fold(1_u64, |all, axis| all.checked_mul(*axis));
    let Some(numbers) = numbers else {
        return false;
    };
    match bits(dtype) {
        Some(bits) => numbers
            .checked_mul(bits)
            .is_some_and(|all| all.div_ceil(8) == length),
        // A form of numbers made after this was written.
        None => true,
    }
}

/// The object of the header. Keys may come in any order, and twice.
struct Entries;

impl<'de> DeserializeSeed<'de> for Entries {
    type Value = Header<'de>;

    fn deserialize<D: de::Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Entries {
    type Value = Header<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut header = Header::default();
        while let Some(Text(name)) = map.next_key()? {
            if name == "__metadata__" {
                header.notes = map.next_value::<Notes>()?.0;
                continue;
            }
            let entry: Entry = map.next_value()?;
            let place = entry.data_offsets;
            if entry.shape.0.len() > MAX_AXES || !fits(&entry.dtype.0, &entry.shape.0, place) {
                let name = name.chars().take(MAX_WORDS).collect();
                header.fault.get_or_insert(HeaderFault::Shape { name });
            }
            header.tensors.push(Tensor {
                name,
                shape: entry.shape.0,
                place,
            });
        }
        Ok(header)
    }
}

/// A text that is borrowed where it can be.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    dtype: Text<'a>,
    shape: Shape,
    data_offsets: (u64, u64),
}

/// Axes; more than there can be are not even gathered.
struct Shape(Vec<u64>);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: de::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Axes;
        impl<'de> Visitor<'de> for Axes {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of axes")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
                let mut axes = Vec::with_capacity(4);
                while let Some(axis) = list.next_element()? {
                    if axes.len() <= MAX_AXES {
                        axes.push(axis);
                    }
                }
                Ok(Shape(axes))
            }
        }
        from.deserialize_seq(Axes)
    }
}

/// `__metadata__`: texts by name; what is long, or no text, is passed over.
struct Notes(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Notes {
    fn deserialize<D: de::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Value<'a> {
            #[serde(borrow)]
            Text(Cow<'a, str>),
            Other(IgnoredAny),
        }
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Notes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Notes, A::Error> {
                let mut notes = BTreeMap::new();
                while let Some(Text(name)) = map.next_key()? {
                    match map.next_value()? {
                        Value::Text(text)
                            if name.len() <= MAX_NOTE
                                && text.len() <= MAX_NOTE
                                && notes.len() < MAX_NOTES =>
                        {
                            notes.insert(name.into_owned(), text.into_owned());
                        }
                        Value::Text(_) | Value::Other(_) => {}
                    }
                }
                Ok(Notes(notes))
            }
        }
        from.deserialize_map(Map)
    }
}
