//! Commands run through exec inside a played container.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use super::archive;
use super::container::{Container, Work};
use super::real;
use crate::gpu::smi;
use crate::lock::lock;
use crate::logbook::{Entry, Stream};
use crate::programs::{self, Order};

/// Where a command writes.
pub(crate) type Output = mpsc::Sender<(Stream, Bytes)>;

async fn say(out: &Output, stream: Stream, text: impl Into<Bytes>) {
    let text = text.into();
    if !text.is_empty() {
        // A client that left does not stop the command.
        let _ = out.send((stream, text)).await;
    }
}

/// Runs `argv` and returns its exit code.
pub(crate) async fn run(container: &Arc<Container>, argv: &[String], out: &Output) -> i64 {
    // A shell is understood as far as one plain command goes.
    if let [shell, flag, script] = argv
        && matches!(shell.as_str(), "sh" | "bash" | "/bin/sh" | "/bin/bash")
        && matches!(flag.as_str(), "-c" | "-lc")
    {
        if script.contains(['|', ';', '&', '>', '<', '$', '`', '(']) {
            say(
                out,
                Stream::Err,
                format!("{shell}: 1: only plain commands are played here\n"),
            )
            .await;
            return 2;
        }
        let words: Vec<String> = script
            .split_whitespace()
            .map(|w| w.trim_matches(['\'', '"']).to_owned())
            .collect();
        return Box::pin(plain(container, &words, out)).await;
    }
    plain(container, argv, out).await
}

async fn plain(container: &Arc<Container>, argv: &[String], out: &Output) -> i64 {
    let Some((program, args)) = argv.split_first() else {
        return 126;
    };
    let name = program.rsplit('/').next().unwrap_or(program);
    match name {
        "supervisorctl" if container.supervisor.is_some() => {
            supervisorctl(container, args, out).await
        }
        "nvidia-smi" if !container.spec.cards.is_empty() => {
            let Some(engine) = container.engine.upgrade() else {
                return 1;
            };
            let answer = smi::answer(&engine.gpus, &container.spec.cards, args);
            say(out, Stream::Out, answer.text).await;
            answer.code
        }
        "tail" => tail(container, args, out).await,
        "wc" => wc(container, args, out).await,
        "ls" => list(container, args, out).await,
        "rm" => remove(container, args, out).await,
        "find" => find(container, args, out).await,
        "test" | "[" => i64::from(!exists(container, args)),
        "cat" => cat(container, args, out).await,
        "df" => {
            say(out, Stream::Out, VIRTUAL_DISK.to_owned()).await;
            0
        }
        "echo" => {
            say(out, Stream::Out, format!("{}\n", args.join(" "))).await;
            0
        }
        "hostname" => {
            say(out, Stream::Out, format!("{}\n", &container.id()[..12])).await;
            0
        }
        "true" => 0,
        "false" => 1,
        "sleep" => {
            let seconds = args
                .first()
                .and_then(|s| s.parse::<f64>().ok())
                .unwrap_or(0.0);
            tokio::time::sleep(std::time::Duration::from_secs_f64(
                seconds.clamp(0.0, 3_600.0),
            ))
            .await;
            0
        }
        _ => {
            let text = format!(
                "OCI runtime exec failed: exec failed: unable to start container process: exec: \
                 \"{program}\": executable file not found in $PATH: unknown\r\n"
            );
            say(out, Stream::Out, text).await;
            127
        }
    }
}

/// `rm -f [--] FILE…`.
async fn remove(container: &Arc<Container>, args: &[String], out: &Output) -> i64 {
    let mut code = 0;
    for path in args.iter().filter(|arg| !arg.starts_with('-')) {
        if !archive::removed(container, path) {
            let text = format!("rm: cannot remove '{path}': Is a directory\n");
            say(out, Stream::Err, text).await;
            code = 1;
        }
    }
    code
}

/// `find -L FOLDER … -exec stat …`, the one form that is asked for.
async fn find(container: &Arc<Container>, args: &[String], out: &Output) -> i64 {
    let path = args.iter().find(|arg| !arg.starts_with('-'));
    let path = path.map_or("/", String::as_str);
    if let Some(text) = real::listed(container, path) {
        say(out, Stream::Out, text).await;
        return 0;
    }
    let text = format!("find: '{path}': No such file or directory\n");
    say(out, Stream::Err, text).await;
    1
}

/// `ls [-1ApL] FOLDER`.
async fn list(container: &Arc<Container>, args: &[String], out: &Output) -> i64 {
    let path = args.iter().rfind(|arg| !arg.starts_with('-'));
    let path = path.map_or("/", String::as_str);
    if let Some(text) = archive::listed(container, path) {
        say(out, Stream::Out, text).await;
        return 0;
    }
    let text = format!("ls: cannot access '{path}': No such file or directory\n");
    say(out, Stream::Err, text).await;
    2
}

async fn supervisorctl(container: &Arc<Container>, args: &[String], out: &Output) -> i64 {
    let Some(supervisor) = &container.supervisor else {
        return 127;
    };
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let (text, code) = match programs::order(&words, 42) {
        Order::Status(names) => supervisor.status(&names),
        Order::Act(verb, names) => supervisor.act(verb, &names, container).await,
        Order::Said(text, code) => (text, code),
    };
    say(out, Stream::Out, text).await;
    code
}

fn exists(container: &Container, args: &[String]) -> bool {
    let path = args
        .iter()
        .find(|a| a.starts_with('/'))
        .map_or("", String::as_str);
    match path {
        "/run/container_config" | "/run/workspace_sync" => lock(&container.state).preparing,
        "/workspace" | "/etc/forge_args.conf" | "/var/log/supervisor/forge.log" => {
            container.supervisor.is_some()
        }
        "/" | "/tmp" | "/etc" | "/run" => true,
        _ => false,
    }
}

/// `df -P -k /`: with WSL the engine has a virtual disk of its own, a terabyte that grows when it is
/// written to, whatever the machine's own disk has left.
const VIRTUAL_DISK: &str = "Filesystem     1024-blocks      Used Available Capacity Mounted on\n\
    overlay         1055762868 214748364 787310344      22% /\n";

async fn cat(container: &Arc<Container>, args: &[String], out: &Output) -> i64 {
    let mut code = 0;
    for path in args {
        let text = if let ("/etc/forge_args.conf", Work::Forge(_)) =
            (path.as_str(), &container.spec.work)
        {
            "--api --api-log --listen --cuda-malloc --xformers\n".to_owned()
        } else {
            let lines = of_file(container, path);
            if lines.is_empty() {
                say(
                    out,
                    Stream::Err,
                    format!("cat: {path}: No such file or directory\n"),
                )
                .await;
                code = 1;
            }
            lines.concat()
        };
        say(out, Stream::Out, text).await;
    }
    code
}

fn of_file(container: &Container, path: &str) -> Vec<String> {
    let (entries, _) = container.spec.log.open();
    entries
        .iter()
        .filter(|e| e.source.as_deref() == Some(path))
        .map(|e| String::from_utf8_lossy(&e.bytes).into_owned())
        .collect()
}

/// `wc -c FILE`.
async fn wc(container: &Container, args: &[String], out: &Output) -> i64 {
    let path = args.last().map_or("", String::as_str);
    let lines = of_file(container, path);
    if lines.is_empty() || args.len() != 2 || args[0] != "-c" {
        let text = format!("wc: {path}: No such file or directory\n");
        say(out, Stream::Err, text).await;
        return 1;
    }
    let size: usize = lines.iter().map(String::len).sum();
    say(out, Stream::Out, format!("{size} {path}\n")).await;
    0
}

/// `tail [-n N | -c +N] [-f|-F] FILE`; following goes on until the client leaves or the run ends.
async fn tail(container: &Arc<Container>, args: &[String], out: &Output) -> i64 {
    let programs::Tail {
        count,
        from,
        follow,
        path,
    } = programs::tail(args);
    let Some(path) = path else { return 1 };
    let of = |entries: Vec<Entry>, from: Option<u64>| {
        let wanted =
            move |e: &Entry| e.source.as_deref() == Some(path) && from.is_none_or(|n| e.number > n);
        entries.into_iter().filter(wanted).collect::<Vec<_>>()
    };
    let (entries, mut rest) = container.spec.log.open();
    let mut last = entries.last().map(|e| e.number);
    let mut ready = of(entries, None);
    if ready.is_empty() {
        let text = format!("tail: cannot open '{path}' for reading: No such file or directory\n");
        say(out, Stream::Err, text).await;
        if !follow {
            return 1;
        }
    }
    if let Some(from) = from {
        let mut bytes = ready
            .drain(..)
            .map(|e| e.bytes)
            .collect::<Vec<_>>()
            .concat();
        let skipped = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        bytes.drain(..skipped.min(bytes.len()));
        say(out, Stream::Out, bytes).await;
    }
    ready.drain(..ready.len().saturating_sub(count));
    loop {
        for entry in ready.drain(..) {
            say(out, Stream::Out, entry.bytes).await;
        }
        if !follow {
            return 0;
        }
        tokio::select! {
            got = rest.recv() => match got {
                Ok(entry) => {
                    last = Some(entry.number);
                    ready = of(vec![entry], None);
                }
                Err(RecvError::Lagged(_)) => {
                    let (entries, again) = container.spec.log.open();
                    rest = again;
                    let newest = entries.last().map(|e| e.number);
                    ready = of(entries, last);
                    last = newest;
                }
                Err(RecvError::Closed) => return 0,
            },
            () = out.closed() => return 0,
        }
    }
}
