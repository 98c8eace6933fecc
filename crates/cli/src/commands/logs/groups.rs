//! `--group`: lines of one shape as one.

use forgekeeper_domain::logs::{
    LogLevel, LogLine,
    groups::{Group, Grouping},
};

use super::known::time;
use crate::text::{print_json, print_line, printable};

/// Prints how often lines of each shape came, the most frequent first. The lines come newest first.
pub(super) fn print<'l>(lines: impl IntoIterator<Item = &'l LogLine>, json: bool) {
    let mut grouping = Grouping::default();
    lines.into_iter().for_each(|line| grouping.take(line));
    let found = grouping.groups();
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
    fn a_row_tells_how_often_when_last_how_bad_and_what() {
        let mut newest = line(3, " took 45.1\u{7} s");
        newest.level = LogLevel::Error;
        newest.at = "2026-11-23T10:00:07.25Z".parse().ok();
        let mut grouping = Grouping::default();
        grouping.take(&newest);
        grouping.take(&line(2, " took 3\u{7} s"));
        let rows: Vec<String> = grouping.groups().groups.iter().map(in_words).collect();
        assert_eq!(
            rows,
            ["      2  2026-11-23T10:00:07Z  error    took 45.1\u{fffd} s"]
        );
    }
}
