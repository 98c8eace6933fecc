//! The plan written down to take elsewhere: one page, in two forms.
//!
//! [`page`] says what stands on it as blocks of [`Span`]s; the two forms escape every span, whoever
//! wrote it, so that no text can be forgotten.

use super::{Language, Standing};

pub use record::{record_html, record_json_lines, record_markdown};

mod as_html;
mod as_markdown;
mod page;
mod record;
mod words;

/// A piece of text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Span {
    /// The program's words.
    Ours(String),
    /// Words of the owner or of another program; their direction stays among themselves.
    Theirs(String),
}

/// Text made of pieces.
type Line = Vec<Span>;

/// What a page consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Block {
    Heading(u8, Line),
    Paragraph(Line),
    List(Vec<Line>),
    Table(Vec<Line>, Vec<Vec<Line>>),
}

fn ours(text: impl Into<String>) -> Span {
    Span::Ours(text.into())
}

fn theirs(text: &str) -> Span {
    Span::Theirs(text.to_owned())
}

/// The plan with states, dates and evidence as Markdown.
pub fn markdown(standing: &Standing, language: Language) -> String {
    as_markdown::written(&page::page(standing, language))
}

/// The same as a page of HTML that needs nothing else and has no script.
pub fn html(standing: &Standing, language: Language) -> String {
    let title = words::words(language).title;
    as_html::written(title, language, &page::page(standing, language))
}
