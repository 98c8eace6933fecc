//! The sections `[target]` and `[iis]`.

use toml::de::DeTable;

use super::{Reader, Value, number};
use crate::{
    ids::{GpuUuid, IdError, ServiceId},
    markup::is_disturbing,
    migration::{
        Iis, PlanFault, Target,
        problem::excerpt,
        target::{IIS_FIELDS, MAX_DAYS, MAX_VALUE_CHARS, TARGET_FIELDS},
    },
};

pub(super) fn read(reader: &mut Reader<'_>, document: &DeTable<'_>) {
    if let Some(table) = section(reader, document, "target", TARGET_FIELDS) {
        reader.plan.target = Target {
            from: name(reader, table, "from", ServiceId::new),
            to: name(reader, table, "to", ServiceId::new),
            image: line(reader, table, "image"),
            port: table.get("port").and_then(|value| port(reader, value)),
            gpu: name(reader, table, "gpu", GpuUuid::new),
            compose_file: line(reader, table, "compose_file"),
            extra_model_paths: line(reader, table, "extra_model_paths"),
            models: line(reader, table, "models"),
            stability_days: days(reader, table, "stability_days"),
            standby_days: days(reader, table, "standby_days"),
            remove_image: table
                .contains_key("remove_image")
                .then(|| reader.flag(table, "remove_image")),
        };
        let Target { from, to, .. } = &reader.plan.target;
        if from.is_some() && from == to {
            let at = table.get("to").map_or(0, |value| value.span().start);
            reader.problem(
                at,
                PlanFault::BadValue,
                "`to` is the service that is replaced",
                "name the ComfyUI service that takes over",
            );
        }
    }
    if let Some(table) = section(reader, document, "iis", IIS_FIELDS) {
        reader.plan.iis = Iis {
            web_config: line(reader, table, "web_config"),
            public_url: line(reader, table, "public_url"),
            rule: line(reader, table, "rule"),
            rehearsal_rule: line(reader, table, "rehearsal_rule"),
            rehearsal_url: line(reader, table, "rehearsal_url"),
        };
    }
}

fn section<'d>(
    reader: &mut Reader<'_>,
    document: &'d DeTable<'d>,
    name: &str,
    fields: &[&str],
) -> Option<&'d DeTable<'d>> {
    let value = document.get(name)?;
    let Some(table) = value.get_ref().as_table() else {
        reader.problem(
            value.span().start,
            PlanFault::BadValue,
            format!("`{name}` is no section"),
            format!("write `[{name}]` with its fields below"),
        );
        return None;
    };
    reader.unknown(table, fields, &format!("`[{name}]`"));
    Some(table)
}

/// A text of one line that is not blank. Paths are what they are; nothing in them may disturb.
fn line(reader: &mut Reader<'_>, table: &DeTable<'_>, field: &str) -> Option<String> {
    let (at, text) = reader.text(table, field)?;
    let (fault, reason, remedy) = if text.trim().is_empty() {
        (
            PlanFault::BadValue,
            "is empty",
            "remove it, or write what it is",
        )
    } else if text.chars().any(is_disturbing) {
        (
            PlanFault::ControlCharacter,
            "contains a control character",
            "write it on one line, between single quotes if it has a backslash",
        )
    } else if text.chars().count() > MAX_VALUE_CHARS {
        (PlanFault::TooLarge, "is too long", "shorten it")
    } else {
        return Some(text);
    };
    reader.problem(at, fault, format!("`{field}` {reason}"), remedy);
    None
}

fn name<T>(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    field: &str,
    new: fn(String) -> Result<T, IdError>,
) -> Option<T> {
    let (at, text) = reader.text(table, field)?;
    let shown = excerpt(&text);
    let name = new(text);
    if name.is_err() {
        reader.problem(
            at,
            PlanFault::BadId,
            format!("`{field}` cannot be `{shown}`"),
            "use letters, digits, `.`, `_` and `-`, at most 128",
        );
    }
    name.ok()
}

fn port(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<u16> {
    let port = number(value).filter(|port| *port > 0);
    if port.is_none() {
        reader.bad(value, "port", "the number of a port", "8188");
    }
    port
}

fn days(reader: &mut Reader<'_>, table: &DeTable<'_>, field: &str) -> Option<u16> {
    let value = table.get(field)?;
    let days = number(value).filter(|days| *days <= MAX_DAYS);
    if days.is_none() {
        reader.bad(value, field, "a number of days, 365 at most", "14");
    }
    days
}
