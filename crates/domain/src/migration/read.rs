//! From a text to the owner's plan, with every mistake at once.

use jiff::civil::Date;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    AddedStep, Change, Days, OwnPlan, PhaseId, PlanFault, PlanProblem, StepId,
    own::{Lines, MAX_ADDED},
    problem::excerpt,
};
use crate::suggest::nearest;

/// Largest accepted text in bytes.
const MAX_BYTES: usize = 256 * 1024;
/// Most `[[change]]`: more than there can be steps is a mistake.
const MAX_CHANGES: usize = 2 * MAX_ADDED;
/// Longest list of step names.
const MAX_NAMES: usize = 2 * MAX_ADDED;
/// Most problems that are told at once.
const MAX_PROBLEMS: usize = 50;

const SECTIONS: &[&str] = &["order", "target", "iis", "add", "change", "extension"];
const ADD_FIELDS: &[&str] = &[
    "id",
    "phase",
    "title",
    "why",
    "days",
    "needs",
    "expires_after",
    "undoable",
    "risky",
];
const CHANGE_FIELDS: &[&str] = &["id", "skip", "start", "needs", "note"];

impl OwnPlan {
    /// Reads a plan. Nothing of it is used unless all of it is in order.
    pub fn read(text: &str) -> Result<Self, Vec<PlanProblem>> {
        let text = text.trim_start_matches('\u{feff}');
        let mut reader = Reader {
            text,
            problems: Vec::new(),
            lines: Lines::default(),
            plan: OwnPlan::default(),
        };
        if text.len() > MAX_BYTES {
            return Err(vec![PlanProblem::new(
                None,
                PlanFault::TooLarge,
                format!("the plan is larger than {} KiB", MAX_BYTES / 1024),
                "keep only your changes in it",
            )]);
        }
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            reader.problem(
                error.span().map_or(0, |span| span.start),
                PlanFault::Syntax,
                format!("this is not TOML: {}", error.message().replace('\n', ", ")),
                "write texts in quotes, dates like 2026-12-01, and each step below its own `[[change]]` or `[[add]]`",
            );
        }
        if errors.is_empty() {
            reader.document(table.get_ref());
        }
        if reader.problems.is_empty() {
            reader.problems = reader.plan.problems_at(&reader.lines);
        }
        if reader.problems.is_empty() {
            return Ok(reader.plan);
        }
        reader.problems.sort_by_key(|problem| problem.line);
        reader.problems.truncate(MAX_PROBLEMS);
        Err(reader.problems)
    }
}

mod extensions;
mod sections;

struct Reader<'t> {
    text: &'t str,
    problems: Vec<PlanProblem>,
    lines: Lines,
    plan: OwnPlan,
}

type Value<'d> = Spanned<DeValue<'d>>;

impl Reader<'_> {
    fn line(&self, at: usize) -> u32 {
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n').count();
        u32::try_from(line).unwrap_or(u32::MAX)
    }

    fn problem(
        &mut self,
        at: usize,
        fault: PlanFault,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let line = self.line(at);
        let problem = PlanProblem::new(Some(line), fault, reason, remedy);
        self.problems.push(problem);
    }

    fn document(&mut self, table: &DeTable<'_>) {
        self.unknown(table, SECTIONS, "the plan");
        if let Some(order) = table.get("order") {
            self.lines.order = Some(self.line(order.span().start));
            self.plan.order = self.names(order, "order");
        }
        sections::read(self, table);
        extensions::read(self, table);
        for (at, added) in self.sections(table, "add", MAX_ADDED) {
            self.add(at, added);
        }
        for (at, change) in self.sections(table, "change", MAX_CHANGES) {
            self.change(at, change);
        }
    }

    fn sections<'d>(
        &mut self,
        table: &'d DeTable<'d>,
        section: &str,
        most: usize,
    ) -> Vec<(usize, &'d DeTable<'d>)> {
        let Some(value) = table.get(section) else {
            return Vec::new();
        };
        let at = value.span().start;
        let tables: Option<Vec<_>> = value.get_ref().as_array().and_then(|list| {
            list.iter()
                .map(|item| Some((item.span().start, item.get_ref().as_table()?)))
                .collect()
        });
        match tables {
            Some(tables) if tables.len() <= most => tables,
            Some(tables) => {
                let reason = format!("there are {} of `[[{section}]]`", tables.len());
                self.problem(
                    at,
                    PlanFault::TooLarge,
                    reason,
                    format!("keep at most {most}"),
                );
                Vec::new()
            }
            None => {
                self.problem(
                    at,
                    PlanFault::BadValue,
                    format!("`{section}` is no list of sections"),
                    format!("write `[[{section}]]` with two brackets and its fields below"),
                );
                Vec::new()
            }
        }
    }

    fn unknown(&mut self, table: &DeTable<'_>, known: &[&str], place: &str) {
        for (key, _) in table {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            let remedy = match nearest(name, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("remove it; {place} may have `{}`", known.join("`, `")),
            };
            self.problem(
                key.span().start,
                PlanFault::UnknownField,
                format!("unknown field `{}` in {place}", excerpt(name)),
                remedy,
            );
        }
    }

    fn add(&mut self, at: usize, table: &DeTable<'_>) {
        self.unknown(table, ADD_FIELDS, "an added step");
        let id = self.id(at, table, "\"own.tell-the-class\"");
        let phase = self.required(at, table, "phase", "\"preparation\"");
        let phase = phase.and_then(|(at, word)| self.phase(at, &word));
        let title = self.required(at, table, "title", "\"Tell the class\"");
        let why = self.required(at, table, "why", "\"Everyone knows the new address\"");
        let days = self.days(at, table);
        let needs = table.get("needs").map(|needs| self.names(needs, "needs"));
        let expires_after = table.get("expires_after").and_then(|value| {
            let days = number(value);
            if days.is_none() {
                self.bad(value, "expires_after", "a number of days", "30");
            }
            days
        });
        let undoable = self.flag(table, "undoable");
        let risky = self.flag(table, "risky");
        let (Some(id), Some(phase), Some((_, title)), Some((_, why)), Some(days)) =
            (id, phase, title, why, days)
        else {
            return;
        };
        self.lines.added.push(self.line(at));
        self.plan.added.push(AddedStep {
            id,
            phase,
            title,
            why,
            days,
            needs: needs.unwrap_or_default(),
            expires_after,
            undoable,
            risky,
        });
    }

    fn change(&mut self, at: usize, table: &DeTable<'_>) {
        self.unknown(table, CHANGE_FIELDS, "a change");
        let id = self.id(at, table, "\"training\"");
        let skip = match table.get("skip") {
            // Whoever writes `true` means to skip, and has not said why.
            Some(value) if value.get_ref().as_bool().is_some() => {
                self.problem(
                    value.span().start,
                    PlanFault::ReasonMissing,
                    "`skip` has to say why",
                    "write the reason: `skip = \"nobody else uses it\"`",
                );
                None
            }
            _ => self.text(table, "skip").map(|(_, why)| why),
        };
        let note = self.text(table, "note").map(|(_, note)| note);
        let needs = table.get("needs").map(|needs| self.names(needs, "needs"));
        let start = table.get("start").and_then(|value| {
            let date = date(value);
            if date.is_none() {
                self.problem(
                    value.span().start,
                    PlanFault::BadDate,
                    "`start` is no date",
                    "write it like `start = 2026-12-01`",
                );
            }
            date
        });
        let Some(id) = id else {
            return;
        };
        let line = self.line(at);
        if let Some(first) = self.lines.changes.insert(id.clone(), line) {
            self.problem(
                at,
                PlanFault::DoubleId,
                format!("`{}` is also changed in line {first}", excerpt(id.as_str())),
                "write both below one `[[change]]`",
            );
            return;
        }
        let change = Change {
            skip,
            start,
            needs: needs.unwrap_or_default(),
            note,
        };
        self.plan.changes.insert(id, change);
    }

    /// A text, when the field is there and is one. Lines end as on Unix, whatever wrote them.
    fn text(&mut self, table: &DeTable<'_>, field: &str) -> Option<(usize, String)> {
        let value = table.get(field)?;
        if let Some(text) = value.get_ref().as_str() {
            return Some((value.span().start, text.replace("\r\n", "\n")));
        }
        self.bad(value, field, "a text", "\"…\"");
        None
    }

    fn required(
        &mut self,
        at: usize,
        table: &DeTable<'_>,
        field: &str,
        example: &str,
    ) -> Option<(usize, String)> {
        if !table.contains_key(field) {
            self.missing(at, field, example);
        }
        self.text(table, field)
    }

    fn missing(&mut self, at: usize, field: &str, example: &str) {
        self.problem(
            at,
            PlanFault::Missing,
            format!("`{field}` is missing"),
            format!("add it, such as `{field} = {example}`"),
        );
    }

    fn bad(&mut self, value: &Value<'_>, field: &str, wanted: &str, example: &str) {
        self.problem(
            value.span().start,
            PlanFault::BadValue,
            format!("`{field}` is not {wanted}"),
            format!("write it like `{field} = {example}`"),
        );
    }

    fn id(&mut self, at: usize, table: &DeTable<'_>, example: &str) -> Option<StepId> {
        let (at, id) = self.required(at, table, "id", example)?;
        self.name(at, id)
    }

    fn name(&mut self, at: usize, id: String) -> Option<StepId> {
        let shown = excerpt(&id);
        let name = StepId::new(id);
        if name.is_err() {
            self.problem(
                at,
                PlanFault::BadId,
                format!("`{shown}` cannot be the name of a step"),
                "use letters, digits, `.`, `_` and `-`, at most 128",
            );
        }
        name.ok()
    }

    fn names(&mut self, value: &Value<'_>, field: &str) -> Vec<StepId> {
        let texts: Option<Vec<_>> = value.get_ref().as_array().and_then(|list| {
            list.iter()
                .map(|item| Some((item.span().start, item.get_ref().as_str()?.to_owned())))
                .collect()
        });
        match texts {
            Some(texts) if texts.len() <= MAX_NAMES => texts
                .into_iter()
                .filter_map(|(at, text)| self.name(at, text))
                .collect(),
            Some(texts) => {
                let reason = format!("`{field}` names {} steps", texts.len());
                let remedy = format!("keep at most {MAX_NAMES}");
                self.problem(value.span().start, PlanFault::TooLarge, reason, remedy);
                Vec::new()
            }
            None => {
                self.bad(
                    value,
                    field,
                    "a list of steps",
                    "[\"workflows\", \"training\"]",
                );
                Vec::new()
            }
        }
    }

    fn phase(&mut self, at: usize, word: &str) -> Option<PhaseId> {
        let found = PhaseId::ALL.iter().find(|phase| phase.word() == word);
        if found.is_none() {
            let known: Vec<&str> = PhaseId::ALL.iter().map(|phase| phase.word()).collect();
            let remedy = match nearest(word, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("write one of `{}`", known.join("`, `")),
            };
            let reason = format!("`{}` is no phase", excerpt(word));
            self.problem(at, PlanFault::BadValue, reason, remedy);
        }
        found.copied()
    }

    /// `days = 2` or `days = [1, 3]`.
    fn days(&mut self, at: usize, table: &DeTable<'_>) -> Option<Days> {
        let Some(value) = table.get("days") else {
            self.missing(at, "days", "[1, 3]");
            return None;
        };
        let both = match value.get_ref().as_array() {
            Some(list) => match (list.first(), list.get(1), list.len()) {
                (Some(least), Some(most), 2) => number(least).zip(number(most)),
                _ => None,
            },
            None => number(value).map(|days| (days, days)),
        };
        if both.is_none() {
            self.bad(
                value,
                "days",
                "a number of days, or the least and the most",
                "[1, 3]",
            );
        }
        both.map(Days::from)
    }

    fn flag(&mut self, table: &DeTable<'_>, field: &str) -> bool {
        let Some(value) = table.get(field) else {
            return false;
        };
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.bad(value, field, "`true` or `false`", "true");
        }
        flag.unwrap_or(false)
    }
}

fn number(value: &Value<'_>) -> Option<u16> {
    let number = value.get_ref().as_integer()?;
    u16::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A date of TOML, bare or in quotes; a time is no date.
fn date(value: &Value<'_>) -> Option<Date> {
    match value.get_ref() {
        DeValue::Datetime(moment) if moment.time.is_none() => {
            let date = moment.date?;
            Date::new(
                i16::try_from(date.year).ok()?,
                i8::try_from(date.month).ok()?,
                i8::try_from(date.day).ok()?,
            )
            .ok()
        }
        DeValue::String(text) if text.len() == "2026-12-01".len() => text.parse().ok(),
        _ => None,
    }
}
