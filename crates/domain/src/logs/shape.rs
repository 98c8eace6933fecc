//! What lines have in common: their words, without the numbers, names and addresses in them.

/// How much of a line is looked at, in bytes.
pub(super) const LOOKED_AT: usize = 1_024;
/// Longest shape in bytes.
const MAX_SHAPE_BYTES: usize = 240;
/// Longest text in quotes that is taken out as one, in bytes.
const MAX_QUOTED_BYTES: usize = 400;

pub(super) const NUMBER: &str = "<n>";
pub(super) const TIME: &str = "<time>";
pub(super) const SIZE: &str = "<size>";
pub(super) const HEX: &str = "<hex>";
pub(super) const PATH: &str = "<path>";
pub(super) const URL: &str = "<url>";
pub(super) const TEXT: &str = "<text>";
pub(super) const BAR: &str = "|<bar>|";

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
    let mut out = String::with_capacity(text.len().min(MAX_SHAPE_BYTES));
    for piece in pieces(text) {
        if out.len() >= MAX_SHAPE_BYTES {
            break;
        }
        match piece {
            Piece::Blank(_) if out.ends_with(' ') => {}
            Piece::Blank(_) => out.push(' '),
            Piece::Words(words) => out.push_str(words),
            Piece::Varying(placeholder, _) => out.push_str(placeholder),
        }
    }
    out.truncate(out.floor_char_boundary(MAX_SHAPE_BYTES));
    out
}

/// An expression that finds the lines that have the shape of this one, in the form that a filter
/// takes, and short enough for one.
pub fn finder(text: &str) -> String {
    let mut found = "^\\s*".to_owned();
    let (mut room, mut after_blank) = (MAX_SHAPE_BYTES, false);
    for piece in pieces(text) {
        let blank = matches!(piece, Piece::Blank(_));
        if blank && after_blank {
            continue;
        }
        let length = match piece {
            Piece::Blank(_) => 1,
            Piece::Words(text) | Piece::Varying(text, _) => text.len(),
        };
        // Shapes end here, too; what follows may differ.
        if length > room {
            if let Piece::Words(words) = piece {
                let shared = &words[..words.floor_char_boundary(room)];
                found.push_str(&regex::escape(shared));
            }
            return found;
        }
        match piece {
            Piece::Blank(_) => found.push_str("\\s+"),
            Piece::Words(words) => found.push_str(&regex::escape(words)),
            Piece::Varying(placeholder, _) => found.push_str(stands_for(placeholder)),
        }
        room -= length;
        after_blank = blank;
    }
    if room > 0 && text.len() <= LOOKED_AT {
        found.push_str("\\s*$");
    }
    found
}

/// What a placeholder may stand for, as an expression.
fn stands_for(placeholder: &str) -> &'static str {
    match placeholder {
        NUMBER => "[0-9]\\S*",
        // A unit or the time of a date may stand apart. A filter is fastest without `(?`.
        TIME | SIZE => "[0-9]\\S*( \\S+)?",
        HEX => "[0-9A-Fa-fx-]+",
        URL => "[0-9A-Za-z]+://\\S*",
        TEXT => "['\"].*['\"]",
        BAR => "\\|[^|]+\\|",
        _ => "\\S+",
    }
}

/// A part of a line.
#[derive(Debug, Clone, Copy)]
pub(super) enum Piece<'t> {
    /// White space.
    Blank(&'t str),
    /// What lines of one shape have in common.
    Words(&'t str),
    /// What stands for what they have not, and that itself.
    Varying(&'static str, &'t str),
}

/// The parts of as much of a line as is looked at.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text[..text.floor_char_boundary(LOOKED_AT)].trim();
    let mut inside_word = false;
    let mut before = ' ';
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let (length, stands) = if inside_word {
            (run(rest, is_word), None)
        } else {
            next(rest, first, before)
        };
        let (taken, after) = rest.split_at(length);
        // What directly follows a word of letters belongs to it; a placeholder ends one.
        inside_word = stands.is_none() && taken.ends_with(is_word) && after.starts_with(is_word);
        before = taken.chars().next_back().unwrap_or(' ');
        rest = after;
        Some(match stands {
            Some(placeholder) => Piece::Varying(placeholder, taken),
            None if first.is_whitespace() => Piece::Blank(taken),
            None => Piece::Words(taken),
        })
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric()
}

/// How many bytes from the start of `rest` belong together, and what stands for them. What is
/// `before` tells `it/s` from a path.
fn next(rest: &str, first: char, before: char) -> (usize, Option<&'static str>) {
    let found = match first {
        '\'' | '"' => quoted(rest, first).map(|length| (length, TEXT)),
        '/' | '~' | '.' if !is_path_char(before) => path(rest).map(|length| (length, PATH)),
        '|' => bar(rest).map(|length| (length, BAR)),
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
        return Some((length, URL));
    }
    if token.len() == 1 && (after.starts_with(":\\") || after.starts_with(":/")) {
        return Some((2 + run(&rest[2..], is_path_char), PATH));
    }
    let long = rest[..run(rest, is_path_char)].trim_end_matches(['.', '-']);
    if is_uuid(long) {
        return Some((long.len(), HEX));
    }
    if is_path(long) {
        return Some((long.len(), PATH));
    }
    let digits = token.bytes().filter(u8::is_ascii_digit).count();
    let hexadecimal = token.bytes().all(|byte| byte.is_ascii_hexdigit());
    if token.len() >= 6 && hexadecimal && digits > 0 && digits < token.len() {
        return Some((token.len(), HEX));
    }
    if let Some(number) = token.strip_prefix("0x")
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return Some((token.len(), HEX));
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
        return (length, TIME);
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
        return (end, TIME);
    }
    let blank = usize::from(bytes.get(end) == Some(&b' '));
    let unit_at = &rest[end + blank..];
    let unit = &unit_at[..run(unit_at, is_word)];
    // `s/it` is no duration.
    let whole = !unit_at[unit.len()..].starts_with('/');
    if SIZES.contains(&unit) && whole {
        (end + blank + unit.len(), SIZE)
    } else if DURATIONS.contains(&unit) && whole {
        (end + blank + unit.len(), TIME)
    } else {
        (end, NUMBER)
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

/// At most so many bytes of a text.
pub(crate) fn shortened(text: &str, bytes: usize) -> String {
    text[..text.floor_char_boundary(bytes)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::{LineFilter, LogLine, LogQuery, Marker};

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
    fn a_finder_finds_lines_of_its_shape_and_no_others() {
        let finds = |of: &str, text: &str| {
            let query = LogQuery {
                filter: finder(of),
                regex: true,
                ..LogQuery::default()
            };
            let filter = LineFilter::compile(&query).expect("a filter");
            let found = filter.matches(&LogLine {
                text: text.to_owned(),
                marker: None,
                ..Marker::Lost { lines: 1 }.between_lines(crate::Timestamp::UNIX_EPOCH)
            });
            assert!(filter.may_match(text) || !found, "{text:?}");
            found
        };
        for (one, other) in [
            ("took 1.92 seconds", "took 12 s"),
            ("took 1.92s", "  took  12 s  "),
            (
                "2025-10-11 10:11:12,131 INFO up",
                "2025-10-11T10:11:12Z INFO up",
            ),
            ("commit 29be1da7cf", "commit a01b77c3d2"),
            ("at 0x7f00aa", "at 123e4567-e89b-12d3-a456-426614174000"),
            ("Load /a/b.py now", "Load ../c.py now"),
            ("Load C:\\a\\b.py now", "Load D:\\c.py now"),
            ("key 'a b' missing", "key \"c\" missing"),
            ("GET http://a/b?c=1 200", "GET https://d 404"),
            (
                " 35%|███▌      | 7/20 [00:04<00:07,  1.65it/s]",
                "5%|##| 1/20 [00:01<00:19, 2it/s]",
            ),
            ("(a+)+$ [x] {2} 1", "(a+)+$ [x] {3} 2"),
            ("été 5", "été 17"),
        ] {
            assert_eq!(shape(one), shape(other));
            for (of, text) in [(one, one), (one, other), (other, one), (other, other)] {
                assert!(
                    finds(of, text),
                    "{of:?} has to find {text:?}: {}",
                    finder(of)
                );
            }
        }
        for (one, other) in [
            ("tick", "ticking"),
            ("", "a"),
            ("step 1", "step one"),
            ("step 1", "step 1 of it all"),
            ("a.b", "aXb"),
        ] {
            assert!(!finds(one, other), "{one:?} must not find {other:?}");
        }
        let dense = [
            "( ", "1/", "1 ", "1s ", "a1 'x' ", "|##|", "\u{202e}", "été ", "...",
        ];
        let long = dense.map(|part| part.repeat(2_000));
        let samples = crate::logs::signature::samples();
        for text in samples.into_iter().chain(long) {
            assert!(finds(&text, &text), "{text:?}: {}", finder(&text));
            let longer = format!("{text} and so on");
            assert!(
                text.len() < 1_000 || finds(&text, &longer),
                "a long line may go on: {text:?}"
            );
            assert!(
                !finds(&text, "Something else."),
                "{text:?}: {}",
                finder(&text)
            );
        }
    }
}
