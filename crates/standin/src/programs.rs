//! Supervisor's words, as `supervisorctl` takes and prints them; one grammar for the played engine
//! and for the supervisor inside real containers.

/// What supervisor says of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProgramState {
    Stopped,
    Starting,
    Running,
    Backoff,
    Fatal,
}

/// Exit codes of `supervisorctl`.
pub(crate) const NOT_RUNNING: i64 = 3;
pub(crate) const NO_SUCH_PROGRAM: i64 = 4;
pub(crate) const SPAWN_ERROR: i64 = 7;

/// What is to be done with programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Start,
    Stop,
    Restart,
}

impl Verb {
    pub(crate) fn stops(self) -> bool {
        self != Self::Start
    }

    pub(crate) fn starts(self) -> bool {
        self != Self::Stop
    }
}

/// A command line of `supervisorctl`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order<'a> {
    /// The state of these programs; of all when the list is empty.
    Status(Vec<&'a str>),
    Act(Verb, Vec<&'a str>),
    /// Answered without looking at a program: text and exit code.
    Said(String, i64),
}

/// Reads the words after `supervisorctl`; `pid` is supervisor's own.
pub(crate) fn order<'a>(words: &[&'a str], pid: u32) -> Order<'a> {
    let verb = match words.first().copied() {
        None => return Order::Said("supervisor> ".to_owned(), 0),
        Some("status") => {
            let names = words[1..].iter().copied().filter(|n| *n != "all").collect();
            return Order::Status(names);
        }
        Some("pid") => return Order::Said(format!("{pid}\n"), 0),
        Some("version") => return Order::Said("4.2.5\n".to_owned(), 0),
        Some("start") => Verb::Start,
        Some("stop") => Verb::Stop,
        Some("restart") => Verb::Restart,
        Some(other) => return Order::Said(format!("*** Unknown syntax: {other}\n"), 2),
    };
    match &words[1..] {
        [] => Order::Said(format!("Error: {} requires a process name\n", words[0]), 2),
        names => Order::Act(verb, names.to_vec()),
    }
}

/// `1 day, 2:03:04` or `20:58:41`, as supervisor writes uptimes.
pub(crate) fn uptime(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60);
    match days {
        0 => clock,
        1 => format!("1 day, {clock}"),
        n => format!("{n} days, {clock}"),
    }
}

/// One line of `supervisorctl status`; `stopped` is when it was stopped, if it ever ran.
pub(crate) fn line(
    name: &str,
    state: ProgramState,
    pid: u32,
    up_seconds: u64,
    stopped: Option<jiff::Timestamp>,
) -> String {
    let quick = || "Exited too quickly (process log may have details)".to_owned();
    let (word, detail) = match state {
        ProgramState::Running => (
            "RUNNING",
            format!("pid {pid}, uptime {}", uptime(up_seconds)),
        ),
        ProgramState::Starting => ("STARTING", String::new()),
        ProgramState::Backoff => ("BACKOFF", quick()),
        ProgramState::Fatal => ("FATAL", quick()),
        ProgramState::Stopped => (
            "STOPPED",
            stopped.map_or_else(
                || "Not started".to_owned(),
                |at| at.strftime("%b %d %I:%M %p").to_string(),
            ),
        ),
    };
    format!("{name:<32} {word:<9} {detail}")
        .trim_end()
        .to_owned()
        + "\n"
}

/// What is said of a name that no program has.
pub(crate) fn unknown(name: &str) -> String {
    format!("{name}: ERROR (no such process)\n")
}

/// `tail [-n N | -c +N] [-f|-F] FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tail<'a> {
    pub count: usize,
    /// From this byte on, counted from one, instead of the last lines.
    pub from: Option<u64>,
    pub follow: bool,
    pub path: Option<&'a str>,
}

/// Reads the words after `tail`.
pub(crate) fn tail(args: &[String]) -> Tail<'_> {
    let mut asked = Tail {
        count: 10,
        from: None,
        follow: false,
        path: None,
    };
    let mut words = args.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let number = |text: Option<&str>| text.and_then(|n| n.trim_start_matches('+').parse().ok());
        let count = match word {
            "-f" | "-F" | "--follow" => {
                asked.follow = true;
                continue;
            }
            "-n" | "--lines" => number(words.next()),
            "-c" => {
                let byte = words.next().and_then(|n| n.strip_prefix('+'));
                asked.from = byte.and_then(|n| n.parse().ok());
                continue;
            }
            flag if flag.len() > 1 && flag.starts_with('-') => {
                let rest = flag.trim_start_matches("--lines=");
                number(Some(rest.trim_start_matches(['-', 'n'])))
            }
            file => {
                asked.path = Some(file);
                continue;
            }
        };
        asked.count = count.unwrap_or(asked.count);
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_as_supervisorctl_reads_them() {
        assert_eq!(order(&["status"], 1), Order::Status(vec![]));
        assert_eq!(order(&["status", "all"], 1), Order::Status(vec![]));
        assert_eq!(
            order(&["restart", "forge", "caddy"], 1),
            Order::Act(Verb::Restart, vec!["forge", "caddy"])
        );
        assert_eq!(order(&["pid"], 42), Order::Said("42\n".into(), 0));
        assert!(matches!(order(&["stop"], 1), Order::Said(_, 2)));
        assert!(matches!(order(&["dance"], 1), Order::Said(_, 2)));
    }

    #[test]
    fn lines_as_supervisor_prints_them() {
        assert_eq!(
            line("forge", ProgramState::Running, 312, 75_521, None),
            "forge                            RUNNING   pid 312, uptime 20:58:41\n"
        );
        assert_eq!(uptime(93_784), "1 day, 2:03:04");
        assert_eq!(
            line("forge", ProgramState::Starting, 1, 0, None),
            "forge                            STARTING\n"
        );
    }

    #[test]
    fn tail_in_its_many_spellings() {
        let read = |text: &str| {
            let args: Vec<String> = text.split(' ').map(str::to_owned).collect();
            let asked = tail(&args);
            (asked.count, asked.follow, asked.path.map(str::to_owned))
        };
        let file = Some("/x".to_owned());
        assert_eq!(read("-n 5 -F /x"), (5, true, file.clone()));
        assert_eq!(read("-n5 /x"), (5, false, file.clone()));
        assert_eq!(read("-5 -f /x"), (5, true, file.clone()));
        assert_eq!(read("--lines=7 /x"), (7, false, file));
        let args = ["-c", "+65", "/x"].map(str::to_owned);
        let asked = tail(&args);
        assert_eq!((asked.from, asked.path), (Some(65), Some("/x")));
    }
}
