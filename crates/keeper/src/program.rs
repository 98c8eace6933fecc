//! The program inside a container, asked and restarted through its supervisor.

use std::time::Duration;

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    facts::{ProgramFact, SupervisorState},
};

use crate::docker::{DockerError, Engine, ExecOutput};

/// `supervisorctl` is Python and takes a while on a loaded machine.
const STATUS_DEADLINE: Duration = Duration::from_secs(8);
/// Stop (TERM, KILL after 10 s), then start, which waits for `startsecs`.
const RESTART_DEADLINE: Duration = Duration::from_secs(90);
/// A status line is below 200 bytes.
const MAX_OUTPUT: usize = 64 * 1024;
/// Longest detail kept.
const MAX_DETAIL: usize = 300;

/// What the supervisor of a container says about a program.
pub async fn program_status(engine: &Engine, container: &str, program: &str) -> ProgramFact {
    if let Some(fact) = unusable_name(program) {
        return fact;
    }
    let argv = ["supervisorctl", "status", program];
    match engine
        .exec(container, &argv, STATUS_DEADLINE, MAX_OUTPUT)
        .await
    {
        Ok(output) => read_status(program, &output),
        Err(error) => unmeasured(&error),
    }
}

/// Restarts the program alone and waits until the supervisor calls it started.
pub async fn program_restart(
    engine: &Engine,
    container: &str,
    program: &str,
) -> Result<(), ErrorInfo> {
    order(engine, container, "restart", program).await
}

/// Starts the program and waits until the supervisor calls it started.
pub async fn program_start(
    engine: &Engine,
    container: &str,
    program: &str,
) -> Result<(), ErrorInfo> {
    order(engine, container, "start", program).await
}

/// Stops the program and waits until the supervisor calls it stopped.
pub async fn program_stop(
    engine: &Engine,
    container: &str,
    program: &str,
) -> Result<(), ErrorInfo> {
    order(engine, container, "stop", program).await
}

async fn order(
    engine: &Engine,
    container: &str,
    verb: &str,
    program: &str,
) -> Result<(), ErrorInfo> {
    if unusable_name(program).is_some() {
        return Err(ErrorInfo::new(
            ErrorCode::BadRequest,
            format!("`{program}` is no name of a program."),
        ));
    }
    let argv = ["supervisorctl", verb, program];
    match engine
        .exec(container, &argv, RESTART_DEADLINE, MAX_OUTPUT)
        .await
    {
        Ok(output) => read_order(verb, program, &output),
        Err(error) if is_no_such_command(&error.to_string()) => Err(not_supervised(&error)),
        Err(error) => Err(error.to_info()),
    }
}

/// A name goes to a command line: it must never look like an option.
fn unusable_name(program: &str) -> Option<ProgramFact> {
    let good = !program.is_empty()
        && program.len() <= 128
        && !program.starts_with('-')
        && program
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_.:*-".contains(c));
    (!good).then(|| ProgramFact::NotMeasurable {
        reason: format!("`{program}` is no name of a program"),
    })
}

fn unmeasured(error: &DockerError) -> ProgramFact {
    let words = error.to_string();
    if is_no_such_command(&words) {
        ProgramFact::NotSupervised
    } else {
        ProgramFact::NotMeasurable { reason: words }
    }
}

fn is_no_such_command(words: &str) -> bool {
    let lower = words.to_ascii_lowercase();
    lower.contains("executable file not found")
        || (lower.contains("oci runtime exec failed")
            && (lower.contains("no such file or directory")
                || lower.contains("permission denied")
                || lower.contains("not found")))
}

fn not_supervised(detail: &dyn std::fmt::Display) -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::Refused,
        "This container has no supervisor; its program cannot be restarted alone.",
    )
    .hint("Restart the container instead.")
    .detail(detail.to_string())
}

/// Judges the text of `supervisorctl status PROGRAM`; its exit code says less.
fn read_status(program: &str, output: &ExecOutput) -> ProgramFact {
    let stdout = output.stdout_text();
    let words = format!("{stdout}\n{}", output.stderr_text());
    if let Some(fact) = stdout.lines().find_map(|line| status_line(program, line)) {
        return fact;
    }
    let lower = words.to_ascii_lowercase();
    if lower.contains("error (no such process)") || lower.contains("error (no such group)") {
        return ProgramFact::NoSuchProgram {
            program: program.to_owned(),
        };
    }
    if matches!(output.exit_code, Some(126 | 127)) || is_no_such_command(&words) {
        return ProgramFact::NotSupervised;
    }
    ProgramFact::NotMeasurable {
        reason: reason(&words, output.exit_code),
    }
}

/// `name  STATE  detail`; members of a group are called `group:name`.
fn status_line(program: &str, line: &str) -> Option<ProgramFact> {
    let (name, rest) = line.trim_end().split_once(char::is_whitespace)?;
    let (group, member) = name.split_once(':').unwrap_or((name, name));
    if name != program && group != program && member != program {
        return None;
    }
    let rest = rest.trim_start();
    let (state, detail) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let state = match state {
        "STOPPED" => SupervisorState::Stopped,
        "STARTING" => SupervisorState::Starting,
        "RUNNING" => SupervisorState::Running,
        "BACKOFF" => SupervisorState::Backoff,
        "STOPPING" => SupervisorState::Stopping,
        "EXITED" => SupervisorState::Exited,
        "FATAL" => SupervisorState::Fatal,
        "UNKNOWN" => SupervisorState::Unknown,
        _ => return None,
    };
    let detail: String = detail.trim().chars().take(MAX_DETAIL).collect();
    let uptime_s = (state == SupervisorState::Running)
        .then(|| uptime(&detail))
        .flatten();
    Some(ProgramFact::Supervised {
        state,
        detail,
        uptime_s,
    })
}

/// Seconds of `pid 123, uptime 1 day, 2:03:04`.
fn uptime(detail: &str) -> Option<u32> {
    let text = detail.split_once("uptime ")?.1.trim();
    let (days, clock) = match text.split_once(" day") {
        Some((days, rest)) => (days.trim().parse().ok()?, rest.split_once(", ")?.1),
        None => (0_u32, text),
    };
    let mut parts = clock
        .trim()
        .splitn(3, ':')
        .map(|part| part.parse::<u32>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    days.checked_mul(86_400)?
        .checked_add(hours.checked_mul(3600)?)?
        .checked_add(minutes.checked_mul(60)?)?
        .checked_add(seconds)
}

fn read_order(verb: &str, program: &str, output: &ExecOutput) -> Result<(), ErrorInfo> {
    let words = format!("{}\n{}", output.stdout_text(), output.stderr_text());
    // What is so already is what was asked for.
    let (word, good): (_, &[&str]) = match verb {
        "stop" => ("stop", &[": stopped", ": ERROR (not running)"]),
        "start" => ("start", &[": started", ": ERROR (already started)"]),
        _ => ("start", &[": started"]),
    };
    let done = words.lines().any(|line| {
        let mut named = good.iter().filter_map(|end| line.trim().strip_suffix(end));
        named.any(|name| name == program || name.split(':').any(|part| part == program))
    });
    if done {
        return Ok(());
    }
    if matches!(output.exit_code, Some(126 | 127)) || is_no_such_command(&words) {
        return Err(not_supervised(&words.trim()));
    }
    Err(ErrorInfo::new(
        ErrorCode::EngineRefusedAction,
        format!("The supervisor did not {word} `{program}`."),
    )
    .hint("Look at the program's log, or restart the container.")
    .detail(reason(&words, output.exit_code)))
}

fn reason(words: &str, exit_code: Option<i64>) -> String {
    let words: String = words.trim().chars().take(MAX_DETAIL).collect();
    match (words.is_empty(), exit_code) {
        (false, _) => words,
        (true, Some(code)) => format!("supervisorctl ended with code {code} and said nothing"),
        (true, None) => "supervisorctl said nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(stdout: &str, exit_code: i64) -> ExecOutput {
        ExecOutput {
            stdout: stdout.as_bytes().to_vec(),
            stderr: Vec::new(),
            exit_code: Some(exit_code),
            truncated: false,
        }
    }

    #[test]
    fn status_lines_are_read() {
        use SupervisorState::{Backoff, Exited, Fatal, Running, Starting, Stopped};
        for (line, state, uptime_s) in [
            (
                "forge                            RUNNING   pid 123, uptime 0:21:04",
                Running,
                Some(1264),
            ),
            (
                "forge  RUNNING   pid 123, uptime 1 day, 2:03:04",
                Running,
                Some(93_784),
            ),
            (
                "forge  RUNNING   pid 1, uptime 12 days, 0:00:01",
                Running,
                Some(1_036_801),
            ),
            ("forge  RUNNING   pid 1, uptime soon", Running, None),
            (
                "forge:forge_00  RUNNING  pid 1, uptime 0:00:09",
                Running,
                Some(9),
            ),
            ("ai:forge  STARTING", Starting, None),
            ("forge  STOPPED   Oct 11 09:15 AM", Stopped, None),
            (
                "forge  BACKOFF   Exited too quickly (process log may have details)",
                Backoff,
                None,
            ),
            (
                "forge  FATAL     Exited too quickly (process log may have details)",
                Fatal,
                None,
            ),
            ("forge  EXITED    Oct 11 09:15 AM", Exited, None),
        ] {
            // supervisorctl answers 3 when the program does not run; the text decides.
            match read_status("forge", &output(&format!("{line}\n"), 3)) {
                ProgramFact::Supervised {
                    state: s,
                    uptime_s: u,
                    ..
                } => {
                    assert_eq!((s, u), (state, uptime_s), "{line}");
                }
                other => panic!("{line}: {other:?}"),
            }
        }
    }

    #[test]
    fn warnings_and_other_programs_do_not_disturb() {
        let text = "UserWarning: pkg_resources is deprecated\ncaddy RUNNING pid 9, uptime 0:00:01\nforge FATAL Exited too quickly\n";
        assert!(matches!(
            read_status("forge", &output(text, 3)),
            ProgramFact::Supervised {
                state: SupervisorState::Fatal,
                ..
            }
        ));
    }

    #[test]
    fn what_is_no_status_is_told_apart() {
        assert_eq!(
            read_status("webui", &output("webui: ERROR (no such process)\n", 4)),
            ProgramFact::NoSuchProgram {
                program: "webui".into()
            }
        );
        let missing = "OCI runtime exec failed: exec failed: unable to start container process: exec: \"supervisorctl\": executable file not found in $PATH: unknown\r\n";
        assert_eq!(
            read_status("forge", &output(missing, 126)),
            ProgramFact::NotSupervised
        );
        assert_eq!(
            read_status("forge", &output("", 127)),
            ProgramFact::NotSupervised
        );
        for text in [
            "unix:///var/run/supervisor.sock no such file\n",
            "unix:///var/run/supervisor.sock refused connection\n",
            "error: <class 'PermissionError'>, [Errno 13] Permission denied: file: /usr/lib/python3.10/socket.py line: 1\n",
            "Server requires authentication\nerror: <class 'xmlrpc.client.ProtocolError'>, ...\n",
            "forge DANCING\n",
            "",
        ] {
            let fact = read_status("forge", &output(text, 4));
            assert!(
                matches!(&fact, ProgramFact::NotMeasurable { reason } if !reason.is_empty()),
                "{text}: {fact:?}"
            );
        }
    }

    #[test]
    fn a_stopped_container_is_not_measurable_and_not_unsupervised() {
        let error = DockerError::Refused {
            what: "exec",
            status: 409,
            message: "Container 1f is not running".into(),
        };
        assert!(matches!(
            unmeasured(&error),
            ProgramFact::NotMeasurable { .. }
        ));
        let error = DockerError::Refused {
            what: "exec",
            status: 400,
            message: "OCI runtime exec failed: exec failed: container_linux.go:380: starting container process caused: exec: \"supervisorctl\": executable file not found in $PATH: unknown".into(),
        };
        assert_eq!(unmeasured(&error), ProgramFact::NotSupervised);
    }

    #[test]
    fn a_restart_is_done_only_when_the_supervisor_says_started() {
        assert_eq!(
            read_order(
                "restart",
                "forge",
                &output("forge: stopped\nforge: started\n", 0)
            ),
            Ok(())
        );
        let not_running = "forge: ERROR (not running)\nforge: started\n";
        assert_eq!(
            read_order("restart", "forge", &output(not_running, 0)),
            Ok(())
        );
        for (verb, text) in [
            ("stop", "forge: stopped\n"),
            ("stop", "forge: ERROR (not running)\n"),
            ("start", "forge: ERROR (already started)\n"),
        ] {
            assert_eq!(read_order(verb, "forge", &output(text, 1)), Ok(()));
        }
        let neither = read_order("stop", "forge", &output("forge: started\n", 0));
        assert!(neither.is_err(), "{neither:?}");
        for (text, code) in [
            (
                "forge: stopped\nforge: ERROR (spawn error)\n",
                ErrorCode::EngineRefusedAction,
            ),
            (
                "forge: ERROR (no such process)\n",
                ErrorCode::EngineRefusedAction,
            ),
            ("otherforge: started\n", ErrorCode::EngineRefusedAction),
            (
                "exec: \"supervisorctl\": executable file not found in $PATH",
                ErrorCode::Refused,
            ),
        ] {
            let error = read_order("restart", "forge", &output(text, 1)).expect_err(text);
            assert_eq!(error.code, code, "{text}");
        }
    }

    #[test]
    fn names_that_look_like_options_never_reach_a_command_line() {
        for name in ["", "-c", "a b", "a;b", "$(x)"] {
            assert!(unusable_name(name).is_some(), "{name}");
        }
        assert!(unusable_name("forge").is_none());
    }
}
