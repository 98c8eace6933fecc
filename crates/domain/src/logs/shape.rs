//! What lines have in common: their words, without the numbers, names and addresses in them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{LogLevel, LogLine};
use crate::Timestamp;

/// How much of a line is looked at, in bytes.
const LOOKED_AT: usize = 1_024;
/// Longest shape in bytes.
const MAX_SHAPE_BYTES: usize = 240;
/// Longest text in quotes that is taken out as one, in bytes.
const MAX_QUOTED_BYTES: usize = 400;
/// Most groups of one reading; lines of further shapes are counted together.
const MAX_GROUPS: usize = 1_000;
/// Longest kept sample in bytes.
const MAX_SAMPLE_BYTES: usize = 1_024;

const SIZES: &[&str] = &[
    "B", "KB", "MB", "GB", "TB", "kB", "KiB", "MiB", "GiB", "TiB", "bytes", "byte",
];
const DURATIONS: &[&str] = &[
    "s", "ms", "us", "µs", "ns", "sec", "secs", "second", "seconds", "min", "mins", "minute",
    "minutes", "h", "hours", "hour",
];
/// Endings of the files that these programs name.
const ENDINGS: &[&str] = &[
    "bin",
    "ckpt",
    "cpp",
    "cu",
    "gguf",
    "jpeg",
    "jpg",
    "json",
    "log",
    "onnx",
    "png",
    "pt",
    "pth",
    "py",
    "safetensors",
    "sh",
    "so",
    "toml",
    "txt",
    "webp",
    "whl",
    "yaml",
    "yml",
];

/// The shape of a line: numbers become `<n>`, times and durations `<time>`, sizes `<size>`, hashes
/// `<hex>`, paths and files `<path>`, addresses `<url>`, texts in quotes `<text>`, progress bars
/// `<bar>`.
pub fn shape(text: &str) -> String {
    let text = text[..text.floor_char_boundary(LOOKED_AT)].trim();
    let mut out = String::with_capacity(text.len().min(MAX_SHAPE_BYTES));
    let mut rest = text;
    let mut inside_word = false;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        if out.len() >= MAX_SHAPE_BYTES {
            out.truncate(out.floor_char_boundary(MAX_SHAPE_BYTES));
            break;
        }
        let (length, stands) = if inside_word {
            (first.len_utf8(), None)
        } else {
            next(rest, first, before)
        };
        let (taken, after) = rest.split_at(length);
        match stands {
            Some(placeholder) => out.push_str(placeholder),
            None if first.is_whitespace() => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            None => out.push_str(taken),
        }
        // What directly follows a word of letters belongs to it; a placeholder ends one.
        inside_word = stands.is_none() && taken.ends_with(is_word) && after.starts_with(is_word);
        before = taken.chars().next_back().unwrap_or(' ');
        rest = after;
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric()
}

/// How many bytes from the start of `rest` belong together, and what stands for them. What is
/// `before` tells `it/s` from a path.
fn next(rest: &str, first: char, before: char) -> (usize, Option<&'static str>) {
    let found = match first {
        '\'' | '"' => quoted(rest, first).map(|length| (length, "<text>")),
        '/' | '~' | '.' if !is_path_char(before) => path(rest).map(|length| (length, "<path>")),
        '|' => bar(rest).map(|length| (length, "|<bar>|")),
        c if c.is_ascii_alphanumeric() => word(rest),
        _ => None,
    };
    if let Some((length, placeholder)) = found {
        return (length, Some(placeholder));
    }
    let plain = if first.is_ascii_alphanumeric() {
        run(rest, is_word)
    } else {
        first.len_utf8()
    };
    (plain, None)
}

/// Bytes of the characters at the start that are so.
fn run(text: &str, so: impl Fn(char) -> bool) -> usize {
    text.find(|c| !so(c)).unwrap_or(text.len())
}

fn quoted(rest: &str, quote: char) -> Option<usize> {
    let inside = &rest[1..];
    let window = &inside[..inside.floor_char_boundary(MAX_QUOTED_BYTES)];
    let mut from = 0;
    loop {
        let end = from + window[from..].find(quote)?;
        // An apostrophe inside of a word ends nothing.
        if !inside[end + 1..].starts_with(is_word) {
            return Some(end + 2);
        }
        from = end + 1;
    }
}

/// A progress bar between two strokes.
fn bar(rest: &str) -> Option<usize> {
    let inside = &rest[1..];
    let length = run(inside, |c| {
        c == ' ' || c == '#' || ('\u{2580}'..='\u{259f}').contains(&c)
    });
    (length > 0 && inside[length..].starts_with('|')).then_some(length + 2)
}

fn is_path_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '\\' | '+' | '@' | '~' | '%')
}

/// A path that begins with its root, the home folder or the present one.
fn path(rest: &str) -> Option<usize> {
    let length = run(rest, is_path_char);
    let found = rest[..length].trim_end_matches('.');
    let letters = found.contains(|c: char| c.is_alphanumeric());
    let rooted = ["/", "~/", "./", "../"]
        .iter()
        .any(|start| found.starts_with(start));
    (rooted && letters).then_some(found.len())
}

/// Something that begins with a letter or digit and is no ordinary word.
fn word(rest: &str) -> Option<(usize, &'static str)> {
    let token = &rest[..run(rest, |c| c.is_ascii_alphanumeric())];
    let after = &rest[token.len()..];
    if after.starts_with("://") {
        let length = run(rest, |c| {
            !c.is_whitespace() && !matches!(c, '"' | '\'' | '<' | '>' | ')' | ',' | ';')
        });
        return Some((length, "<url>"));
    }
    if token.len() == 1 && (after.starts_with(":\\") || after.starts_with(":/")) {
        return Some((2 + run(&rest[2..], is_path_char), "<path>"));
    }
    let long = rest[..run(rest, is_path_char)].trim_end_matches(['.', '-']);
    if is_uuid(long) {
        return Some((long.len(), "<hex>"));
    }
    if is_path(long) {
        return Some((long.len(), "<path>"));
    }
    let digits = token.bytes().filter(u8::is_ascii_digit).count();
    let hexadecimal = token.bytes().all(|byte| byte.is_ascii_hexdigit());
    if token.len() >= 6 && hexadecimal && digits > 0 && digits < token.len() {
        return Some((token.len(), "<hex>"));
    }
    if let Some(number) = token.strip_prefix("0x")
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return Some((token.len(), "<hex>"));
    }
    rest.starts_with(|c: char| c.is_ascii_digit())
        .then(|| number(rest))
}

fn is_uuid(text: &str) -> bool {
    let text = text.as_bytes();
    text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A file by its ending, or more folders than a word such as `and/or` has.
fn is_path(text: &str) -> bool {
    let strokes = text.matches(['/', '\\']).count();
    let ending = text.rsplit('.').next().unwrap_or_default();
    let named = ending.len() < text.len() && ENDINGS.contains(&ending);
    let letters = text.contains(|c: char| c.is_alphabetic());
    letters && (named || (strokes >= 2 && !text.contains("//")))
}

/// A number with what belongs to it: a date, a time, an address, a size, a duration.
fn number(rest: &str) -> (usize, &'static str) {
    if let Some(length) = date(rest) {
        return (length, "<time>");
    }
    let bytes = rest.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let (mut end, mut dots, mut colons) = (0, 0, 0);
    loop {
        while digit(end) {
            end += 1;
        }
        match bytes.get(end) {
            Some(b'.') if digit(end + 1) => dots += 1,
            Some(b':') if digit(end + 1) => colons += 1,
            Some(b',' | b'x') if digit(end + 1) => {}
            Some(b'e') if matches!(bytes.get(end + 1), Some(b'+' | b'-')) && digit(end + 2) => {
                end += 1;
            }
            _ => break,
        }
        end += 1;
    }
    if colons > 0 && dots < 2 {
        return (end, "<time>");
    }
    let blank = usize::from(bytes.get(end) == Some(&b' '));
    let unit_at = &rest[end + blank..];
    let unit = &unit_at[..run(unit_at, is_word)];
    // `s/it` is no duration.
    let whole = !unit_at[unit.len()..].starts_with('/');
    if SIZES.contains(&unit) && whole {
        (end + blank + unit.len(), "<size>")
    } else if DURATIONS.contains(&unit) && whole {
        (end + blank + unit.len(), "<time>")
    } else {
        (end, "<n>")
    }
}

/// `2025-10-11`, with the time after it.
fn date(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes().get(..10)?;
    let dated = bytes.iter().enumerate().all(|(at, byte)| match at {
        4 | 7 => matches!(byte, b'-' | b'/'),
        _ => byte.is_ascii_digit(),
    });
    if !dated {
        return None;
    }
    let timed = |text: &str| {
        let bytes = text.as_bytes();
        bytes.len() >= 6 && bytes[1].is_ascii_digit() && bytes[3] == b':'
    };
    let after = &rest[10..];
    let time = if after.starts_with([' ', 'T']) && timed(after) {
        1 + run(&after[1..], |c| {
            c.is_ascii_digit() || matches!(c, ':' | '.' | ',' | 'Z' | '+')
        })
    } else {
        0
    };
    Some(10 + time)
}

/// Lines of one shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Group {
    /// What they have in common.
    pub shape: String,
    /// How many.
    pub count: u32,
    /// Time of the first, when known.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub first: Option<Timestamp>,
    /// Time of the last, when known.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub last: Option<Timestamp>,
    /// Number of the last line.
    pub last_seq: u32,
    /// The first of them, shortened.
    pub sample: String,
    /// The worst level among them.
    pub level: LogLevel,
}

/// Lines by their shapes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Groups {
    /// The most frequent first; equally frequent ones in the order of the log.
    pub groups: Vec<Group>,
    /// Lines of further shapes.
    pub others: u32,
}

/// Groups lines by their shapes, at most 1 000 of them.
pub fn group<'l>(lines: impl IntoIterator<Item = &'l LogLine>) -> Groups {
    let mut found = Groups::default();
    let mut places: HashMap<String, usize> = HashMap::new();
    for line in lines {
        let shape = shape(&line.text);
        if let Some(group) = places.get(&shape).and_then(|at| found.groups.get_mut(*at)) {
            group.count = group.count.saturating_add(1);
            group.last = line.at.or(group.last);
            group.last_seq = line.seq;
            group.level = group.level.max(line.level);
        } else if found.groups.len() < MAX_GROUPS {
            places.insert(shape.clone(), found.groups.len());
            found.groups.push(Group {
                shape,
                count: 1,
                first: line.at,
                last: line.at,
                last_seq: line.seq,
                sample: shortened(&line.text, MAX_SAMPLE_BYTES),
                level: line.level,
            });
        } else {
            found.others = found.others.saturating_add(1);
        }
    }
    found
        .groups
        .sort_by_key(|group| std::cmp::Reverse(group.count));
    found
}

/// At most so many bytes of a text.
pub(crate) fn shortened(text: &str, bytes: usize) -> String {
    text[..text.floor_char_boundary(bytes)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::LogStream;

    #[test]
    fn real_lines_have_the_shape_of_their_words() {
        for (text, expected) in [
            ("", ""),
            (
                "Startup time: 52.3s (import torch: 27.8s, load scripts: 8.9s).",
                "Startup time: <time> (import torch: <time>, load scripts: <time>).",
            ),
            (
                "Running on local URL:  http://127.0.0.1:17860",
                "Running on local URL: <url>",
            ),
            (
                "Total VRAM 24576 MB, total RAM 32002 MB",
                "Total VRAM <size>, total RAM <size>",
            ),
            (
                "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 4.00 GiB. GPU 0 has a total capacity of 23.68 GiB",
                "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate <size>. GPU <n> has a total capacity of <size>",
            ),
            (
                "Device: cuda:0 NVIDIA GeForce RTX 3090 : native",
                "Device: cuda:<n> NVIDIA GeForce RTX <n> : native",
            ),
            (
                "    ModuleNotFoundError: No module named 'ldm'",
                "ModuleNotFoundError: No module named <text>",
            ),
            (
                "*** Error loading script: attention.py",
                "*** Error loading script: <path>",
            ),
            (
                "Couldn't fetch latest baseModel options, using default.",
                "Couldn't fetch latest baseModel options, using default.",
            ),
            ("'it's here' now", "<text> now"),
            (
                "Loading weights [3f8f827f79] from /data/models/Stable-diffusion/a.safetensors",
                "Loading weights [<hex>] from <path>",
            ),
            ("File corrupted: models/VAE/a.pt", "File corrupted: <path>"),
            (
                "2025-10-11 10:11:12,131 INFO success: forge entered RUNNING state",
                "<time> INFO success: forge entered RUNNING state",
            ),
            ("[2025-10-11T10:11:12.5Z] x", "[<time>] x"),
            (
                " 35%|███▌      | 7/20 [00:04<00:07,  1.65it/s]",
                "<n>%|<bar>| <n>/<n> [<time><<time>, <n>it/s]",
            ),
            (
                "100%|##########| 20/20 [00:04<00:00,  1.65 s/it]",
                "<n>%|<bar>| <n>/<n> [<time><<time>, <n> s/it]",
            ),
            (
                "size 1024x1024, txt2img float16 sm_120 quicktunnel-1",
                "size <n>, txt2img float16 sm_<n> quicktunnel-<n>",
            ),
            (
                "id 123e4567-e89b-12d3-a456-426614174000 at 0x7f00aa",
                "id <hex> at <hex>",
            ),
            (
                "loaded completely 9.5367431640625e+25 1639.406135559082 True",
                "loaded completely <n> <n> True",
            ),
            ("open C:\\models\\a b.ckpt", "open <path> <path>"),
            (
                "INFO:     127.0.0.1:51234 - \"POST /sdapi/v1/txt2img HTTP/1.1\" 200 OK",
                "INFO: <n> - <text> <n> OK",
            ),
            (
                "and/or I/O 1.5 it/s C++/CUDA ... done",
                "and/or I/O <n> it/s C++/CUDA ... done",
            ),
            (
                "Wörter 5 µs, überall 3 äpfel",
                "Wörter <time>, überall <n> äpfel",
            ),
            ("facade decade effaced", "facade decade effaced"),
            (
                "exit status 1; not expected",
                "exit status <n>; not expected",
            ),
        ] {
            assert_eq!(shape(text), expected, "{text:?}");
        }
    }

    #[test]
    fn shapes_are_bounded_and_lose_nothing_on_the_way() {
        assert!(shape(&"wort ".repeat(10_000)).len() <= MAX_SHAPE_BYTES);
        assert!(shape(&"é".repeat(10_000)).len() <= MAX_SHAPE_BYTES);
        assert!(shape(&"1 ".repeat(10_000)).len() <= MAX_SHAPE_BYTES + 8);
        for text in crate::logs::signature::samples() {
            let once = shape(&text);
            assert!(!once.is_empty(), "{text:?}");
            assert_eq!(shape(&text), once);
        }
    }

    #[test]
    fn the_same_apart_from_numbers_is_one_group() {
        let line = |seq: u32, text: &str, level| LogLine {
            seq,
            at: Some(Timestamp::from_second(i64::from(seq)).unwrap()),
            stream: LogStream::Stderr,
            program: None,
            level,
            text: text.to_owned(),
            cut_bytes: 0,
            spans: Vec::new(),
            signature: None,
            trace: None,
            marker: None,
        };
        let lines = [
            line(1, "took 1.0s", LogLevel::Info),
            line(2, "failed", LogLevel::Error),
            line(3, "took 22.5s", LogLevel::Warning),
        ];
        let found = group(&lines);
        assert_eq!(found.groups.len(), 2);
        let took = &found.groups[0];
        assert_eq!((took.shape.as_str(), took.count), ("took <time>", 2));
        assert_eq!((took.first, took.last), (lines[0].at, lines[2].at));
        assert_eq!(
            (took.sample.as_str(), took.level, took.last_seq),
            ("took 1.0s", LogLevel::Warning, 3)
        );

        let letters = |n: u32| {
            n.to_string()
                .bytes()
                .map(|b| char::from(b + 49))
                .collect::<String>()
        };
        let many: Vec<LogLine> = (0..3_000)
            .map(|n| line(n, &format!("w{}z", letters(n)), LogLevel::Info))
            .collect();
        let found = group(&many);
        assert_eq!((found.groups.len(), found.others), (1_000, 2_000));
    }
}
