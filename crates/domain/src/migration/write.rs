//! The owner's plan as a text to read and to edit.

use jiff::civil::Date;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value, value};

use super::{OwnPlan, StepId};

pub(super) const HEAD: &str = "\
# Your changes to the migration plan. `[[change]]` names a step and may have `skip` (with the reason),
# `start` (a date), `needs` (more steps that come first) and `note`; `[[add]]` adds a step that a person
# attests; `order` puts the steps it names in this order within their phases. `[target]` names the two
# services and what is made for the new one, `[iis]` the rules of the public address.
# `[[extension]]` says what becomes of an extension of Forge: `decision` is adopt, not_needed or open.
";

impl OwnPlan {
    /// The plan as TOML. Reading it gives the same plan if [`OwnPlan::problems`] finds none.
    pub fn to_text(&self) -> String {
        let mut document = DocumentMut::new();
        if !self.order.is_empty() {
            document["order"] = value(names(&self.order));
        }
        let mut added = ArrayOfTables::new();
        for step in &self.added {
            let mut table = Table::new();
            table["id"] = value(step.id.as_str());
            table["phase"] = value(step.phase.word());
            table["title"] = value(step.title.as_str());
            table["why"] = value(step.why.as_str());
            let days = [step.days.least, step.days.most].map(i64::from);
            table["days"] = value(Array::from_iter(days));
            if !step.needs.is_empty() {
                table["needs"] = value(names(&step.needs));
            }
            if let Some(days) = step.expires_after {
                table["expires_after"] = value(i64::from(days));
            }
            for (field, flag) in [("undoable", step.undoable), ("risky", step.risky)] {
                if flag {
                    table[field] = value(true);
                }
            }
            added.push(table);
        }
        let mut changes = ArrayOfTables::new();
        for (id, change) in &self.changes {
            let mut table = Table::new();
            table["id"] = value(id.as_str());
            if let Some(why) = &change.skip {
                table["skip"] = value(why.as_str());
            }
            if let Some(start) = change.start {
                table["start"] = value(date(start));
            }
            if !change.needs.is_empty() {
                table["needs"] = value(names(&change.needs));
            }
            if let Some(note) = &change.note {
                table["note"] = value(note.as_str());
            }
            changes.push(table);
        }
        let mut target = section(&self.target.texts());
        for (field, number) in self.target.numbers() {
            if let Some(number) = number {
                target[field] = value(i64::from(number));
            }
        }
        if let Some(removed) = self.target.remove_image {
            target["remove_image"] = value(removed);
        }
        for (name, table) in [("target", target), ("iis", section(&self.iis.texts()))] {
            if !table.is_empty() {
                document[name] = Item::Table(table);
            }
        }
        let mut extensions = ArrayOfTables::new();
        for (id, decision) in &self.extensions {
            let mut table = Table::new();
            table["id"] = value(id.as_str());
            table["decision"] = value(decision.kind.word());
            for (field, text) in [("node", &decision.node), ("note", &decision.note)] {
                if let Some(text) = text {
                    table[field] = value(text.as_str());
                }
            }
            extensions.push(table);
        }
        for (section, tables) in [
            ("add", added),
            ("change", changes),
            ("extension", extensions),
        ] {
            if !tables.is_empty() {
                document[section] = Item::ArrayOfTables(tables);
            }
        }
        format!("{HEAD}\n{document}")
    }
}

fn section(texts: &[(&str, Option<&str>)]) -> Table {
    let said = texts
        .iter()
        .filter_map(|(field, text)| Some((field, (*text)?)));
    let mut table = Table::new();
    for (field, text) in said {
        table[field] = value(text);
    }
    table
}

pub(super) fn names(ids: &[StepId]) -> Value {
    Value::Array(ids.iter().map(StepId::as_str).collect::<Array>())
}

/// A date as TOML has it; years that it cannot write stay a text, which is read all the same.
pub(super) fn date(date: Date) -> Value {
    let text = date.to_string();
    match text.parse::<toml_edit::Datetime>() {
        Ok(date) => Value::from(date),
        Err(_) => Value::from(text),
    }
}
