//! The text before it is understood: its encoding, its syntax, places in it.

use super::{MAX_BYTES, SettingsProblem};

/// The text of a settings file, if it is one.
pub(crate) fn text_of(bytes: &[u8]) -> Result<&str, SettingsProblem> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(SettingsProblem {
            line: None,
            column: None,
            reason: format!("the file is larger than {MAX_BYTES} bytes"),
            remedy: "a settings file has a few dozen lines: put the right file there".to_owned(),
        });
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let wide = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
        let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned();
        let (line, column) = place(&good, good.len());
        SettingsProblem {
            line: Some(line),
            column: Some(column),
            reason: if wide {
                "the file is in UTF-16"
            } else {
                "the file is not in UTF-8"
            }
            .to_owned(),
            remedy: "save it as UTF-8 (in Notepad: Save as, Encoding: UTF-8)".to_owned(),
        }
    })
}

/// Where the syntax broke, and what usually breaks it there.
pub(super) fn syntax_problem(text: &str, error: &toml::de::Error) -> SettingsProblem {
    let offset = error.span().map_or(0, |span| span.start);
    let (line, column) = place(text, offset);
    let said = error.message().replace('\n', ", ");
    let here = text.lines().nth(line as usize - 1).unwrap_or_default();
    let cut_off = !text.ends_with('\n')
        && text[floor(text, offset)..].trim().lines().count() <= 1
        && line as usize >= text.trim_end().lines().count();
    let (reason, remedy) = if text.starts_with('\0') || text.contains("\0\0") {
        (
            "the file contains zero bytes: it was damaged".to_owned(),
            "put a good copy there".to_owned(),
        )
    } else if said.contains("duplicate key") {
        (said, "remove one of the two lines".to_owned())
    } else if here.contains('\\') && here.contains('"') {
        (
            said,
            "write paths with backslashes between single quotes: 'D:\\folder'".to_owned(),
        )
    } else if cut_off {
        (
            format!("the file ends in the middle: {said}"),
            "complete the last line, or write the rest of the file".to_owned(),
        )
    } else if here.contains('=') && !here.contains(['"', '\'']) {
        (
            said,
            "put texts between quotes: `key = \"text\"`".to_owned(),
        )
    } else {
        (said, "correct this line: a setting is `key = value`, a section is `[[service]]` or `[[host]]`".to_owned())
    };
    SettingsProblem {
        line: Some(line),
        column: Some(column),
        reason,
        remedy,
    }
}

/// Line and column of a byte, both from 1.
pub(super) fn place(text: &str, offset: usize) -> (u32, u32) {
    let before = &text[..floor(text, offset)];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let number = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
    (
        number(before.matches('\n').count()),
        number(before[line_start..].chars().count()),
    )
}

/// The character boundary at or before a byte.
fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}
