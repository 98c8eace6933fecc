//! The sections `[[extension]]`.

use toml::de::DeTable;

use super::{MAX_NAMES, Reader};
use crate::{
    markup::is_disturbing,
    migration::{
        PlanFault,
        extensions::{Decision, DecisionKind},
        own::{MAX_LINE_CHARS, MAX_TEXT_CHARS},
        problem::excerpt,
    },
    suggest::nearest,
};

const FIELDS: &[&str] = &["id", "decision", "node", "note"];

pub(super) fn read(reader: &mut Reader<'_>, document: &DeTable<'_>) {
    for (at, table) in reader.sections(document, "extension", MAX_NAMES) {
        reader.unknown(table, FIELDS, "an extension");
        let id = text(reader, table, "id", MAX_LINE_CHARS);
        let kind = decision(reader, table);
        let node = text(reader, table, "node", MAX_LINE_CHARS);
        let note = text(reader, table, "note", MAX_TEXT_CHARS);
        let Some(id) = id else {
            if !table.contains_key("id") {
                missing(
                    reader,
                    at,
                    "id",
                    "write the name of its folder below `extensions`",
                );
            }
            continue;
        };
        let Some(kind) = kind else {
            if !table.contains_key("decision") {
                missing(
                    reader,
                    at,
                    "decision",
                    "write `adopt`, `not_needed` or `open`",
                );
            }
            continue;
        };
        if kind == DecisionKind::Adopt && node.is_none() && !table.contains_key("node") {
            missing(
                reader,
                at,
                "node",
                "name the folder of the custom nodes that take its place",
            );
        }
        let decision = Decision { kind, node, note };
        let shown = excerpt(&id);
        if reader.plan.extensions.insert(id, decision).is_some() {
            reader.problem(
                at,
                PlanFault::DoubleId,
                format!("`{shown}` is decided twice"),
                "remove one of them",
            );
        }
    }
}

fn missing(reader: &mut Reader<'_>, at: usize, field: &str, remedy: &str) {
    reader.problem(
        at,
        PlanFault::Missing,
        format!("an extension has no `{field}`"),
        remedy,
    );
}

fn decision(reader: &mut Reader<'_>, table: &DeTable<'_>) -> Option<DecisionKind> {
    let (at, word) = reader.text(table, "decision")?;
    let kind = DecisionKind::ALL.iter().find(|kind| kind.word() == word);
    if kind.is_none() {
        let words = DecisionKind::ALL.iter().map(|kind| kind.word());
        let remedy = match nearest(&word, words) {
            Some(near) => format!("write `{near}`"),
            None => "write `adopt`, `not_needed` or `open`".to_owned(),
        };
        reader.problem(
            at,
            PlanFault::BadValue,
            format!("`{}` is no decision", excerpt(&word)),
            remedy,
        );
    }
    kind.copied()
}

/// A text that is not blank and disturbs nothing.
fn text(reader: &mut Reader<'_>, table: &DeTable<'_>, field: &str, most: usize) -> Option<String> {
    let (at, text) = reader.text(table, field)?;
    let disturbing = |c: char| is_disturbing(c) && !(field == "note" && c == '\n');
    let (fault, reason, remedy) = if text.trim().is_empty() {
        (
            PlanFault::BadValue,
            "is empty",
            "remove it, or write what it is",
        )
    } else if text.chars().any(disturbing) {
        (
            PlanFault::ControlCharacter,
            "contains a control character",
            "remove it",
        )
    } else if text.chars().count() > most {
        (PlanFault::TooLarge, "is too long", "shorten it")
    } else {
        return Some(text);
    };
    reader.problem(at, fault, format!("`{field}` {reason}"), remedy);
    None
}
