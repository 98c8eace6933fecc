//! `--group`: lines of one shape as one.

use forgekeeper_domain::logs::{
    LogLevel, LogLine,
    shape::{Group, Groups, group},
};

use super::known::time;
use crate::text::{print_json, print_line, printable};

/// Prints how often lines of each shape came, the most frequent first.
pub(super) fn print<'l>(lines: impl IntoIterator<Item = &'l LogLine>, json: bool) {
    let found = of(lines);
    if json {
        found.groups.iter().for_each(print_json);
    } else if !found.groups.is_empty() {
        print_line(&row("COUNT", "LAST", "LEVEL", "SAMPLE"));
        for group in &found.groups {
            print_line(&in_words(group));
        }
    }
    if found.others > 0 {
        let (shapes, others) = (found.groups.len(), found.others);
        eprintln!("forgekeeperctl: {others} lines have other shapes than these {shapes}");
    }
}

/// Groups of what has words: neither what happened to the container nor an empty line has.
fn of<'l>(lines: impl IntoIterator<Item = &'l LogLine>) -> Groups {
    group(lines.into_iter().filter(|l| !l.text.trim().is_empty()))
}

fn in_words(group: &Group) -> String {
    row(
        &group.count.to_string(),
        &time(group.last),
        word(group.level),
        &printable(group.sample.trim()).replace('\n', " "),
    )
}

fn row(count: &str, last: &str, level: &str, sample: &str) -> String {
    format!("{count:>7}  {last:<20}  {level:<7}  {sample}")
}

/// A word for a level.
pub(super) fn word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Unknown => "-",
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warning => "warning",
        LogLevel::Error => "error",
        LogLevel::Fatal => "fatal",
    }
}

#[cfg(test)]
mod tests {
    use super::{super::print::tests::line, *};

    #[test]
    fn the_most_frequent_shape_is_first_and_has_its_worst_level() {
        let mut lines = vec![
            line(1, "once"),
            line(2, "took 3 s"),
            line(3, "took 45.1 s"),
            line(4, ""),
            line(5, "  "),
        ];
        lines[2].level = LogLevel::Error;
        lines[2].at = "2026-11-23T10:00:07.25Z".parse().ok();
        let found = of(&lines);
        let rows: Vec<String> = found.groups.iter().map(in_words).collect();
        assert_eq!(
            rows,
            [
                "      2  2026-11-23T10:00:07Z  error    took 3 s",
                "      1  2026-11-23T10:00:00Z  info     once",
            ]
        );
        assert_eq!(found.others, 0);
    }
}
