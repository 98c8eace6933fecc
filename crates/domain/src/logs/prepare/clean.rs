//! Text without what a terminal would do with it.

/// Removes escape sequences, other control characters, and the invisible characters that would
/// turn the direction of the text around. A tab stays.
pub(super) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| is_unwanted(c)) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let mut chars = rest.chars();
        let first = chars.next();
        let after = chars.as_str();
        rest = if first == Some('\u{1b}') {
            after_escape(after)
        } else {
            after
        };
    }
    out.push_str(rest);
    out
}

fn is_unwanted(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
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
            assert_eq!(clean(raw), expected, "{raw:?}");
        }
    }
}
