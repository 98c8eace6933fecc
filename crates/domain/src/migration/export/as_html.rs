//! The page as HTML: no script, nothing fetched, every text escaped.

use std::fmt::Write as _;

use super::{Block, Language, Line, Span};
use crate::markup::html_text;

const STYLE: &str = "body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; font: 15px/1.5 system-ui, sans-serif; \
color: #222; background: #fff; }\n\
table { border-collapse: collapse; width: 100%; }\n\
th, td { border: 1px solid #bbb; padding: .25rem .5rem; text-align: start; vertical-align: top; }\n\
td, li, p { overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }\n";

pub(super) fn written(title: &str, language: Language, blocks: &[Block]) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
        <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
        <meta name=\"viewport\" content=\"width=device-width\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n\
        </head>\n<body>\n",
        language.key(),
        html_text(title)
    );
    for block in blocks {
        // Writing to a String cannot fail.
        let _ = match block {
            Block::Heading(level, line) => writeln!(page, "<h{level}>{}</h{level}>", text(line)),
            Block::Paragraph(line) => writeln!(page, "<p>{}</p>", text(line)),
            Block::List(lines) => {
                let items: Vec<String> = lines
                    .iter()
                    .map(|line| format!("<li>{}</li>\n", text(line)))
                    .collect();
                let items = items.concat();
                writeln!(page, "<ul>\n{items}</ul>")
            }
            Block::Table(head, rows) => {
                let rows: String = rows.iter().map(|row| cells("td", row)).collect();
                let head = cells("th", head);
                writeln!(
                    page,
                    "<table>\n<thead>\n{head}</thead>\n<tbody>\n{rows}</tbody>\n</table>"
                )
            }
        };
    }
    page.push_str("</body>\n</html>\n");
    page
}

fn cells(tag: &str, row: &[Line]) -> String {
    let cells: Vec<String> = row
        .iter()
        .map(|line| format!("<{tag}>{}</{tag}>", text(line)))
        .collect();
    let cells = cells.concat();
    format!("<tr>{cells}</tr>\n")
}

fn text(line: &Line) -> String {
    let piece = |span: &Span| match span {
        Span::Ours(text) => html_text(text),
        Span::Theirs(text) => format!("<bdi>{}</bdi>", html_text(text)),
    };
    line.iter().map(piece).collect()
}
