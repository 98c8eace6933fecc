//! The page as Markdown that shows every text as it is, whatever it would mean to Markdown.

use std::fmt::Write as _;

use super::{Block, Line, Span};
use crate::markup::is_disturbing;

pub(super) fn written(blocks: &[Block]) -> String {
    let mut page = String::new();
    for block in blocks {
        if !page.is_empty() {
            page.push('\n');
        }
        // Writing to a String cannot fail.
        let _ = match block {
            Block::Heading(level, line) => {
                writeln!(page, "{} {}", "#".repeat(usize::from(*level)), text(line))
            }
            Block::Paragraph(line) => writeln!(page, "{}", text(line)),
            Block::List(lines) => {
                let items: Vec<String> = lines
                    .iter()
                    .map(|line| format!("- {}\n", text(line)))
                    .collect();
                let items = items.concat();
                write!(page, "{items}")
            }
            Block::Table(head, rows) => {
                let rule = "| --- ".repeat(head.len());
                let rows: String = rows.iter().map(|row| cells(row)).collect();
                write!(page, "{}{rule}|\n{rows}", cells(head))
            }
        };
    }
    page
}

fn cells(row: &[Line]) -> String {
    let cells: Vec<String> = row
        .iter()
        .map(|line| format!("| {} ", text(line)))
        .collect();
    let cells = cells.concat();
    format!("{cells}|\n")
}

/// The text in one line, so that nothing in it begins one.
fn text(line: &Line) -> String {
    let plain: String = line
        .iter()
        .map(|span| match span {
            Span::Ours(text) | Span::Theirs(text) => text.as_str(),
        })
        .collect();
    escaped(plain.trim())
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    let mut numbered = true;
    let mut first = true;
    while let Some(c) = rest.next() {
        let c = match c {
            '\n' | '\t' => ' ',
            c if is_disturbing(c) => continue,
            c => c,
        };
        let marks = match c {
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '&' | '|' | '#' | '~' | '$' | '@' => true,
            // Inside a word it is only an underscore.
            '_' => !(before.is_alphanumeric() && rest.peek().is_some_and(|c| c.is_alphanumeric())),
            // The beginnings of addresses that become links by themselves.
            ':' => rest.peek() == Some(&'/'),
            '.' => escaped.to_ascii_lowercase().ends_with("www") || (numbered && !first),
            ')' => numbered && !first,
            '-' | '+' | '=' => first,
            _ => false,
        };
        if marks {
            escaped.push('\\');
        }
        escaped.push(c);
        numbered = numbered && c.is_ascii_digit();
        first = false;
        before = c;
    }
    escaped
}
