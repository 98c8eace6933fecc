//! Starts a program that goes on when this one ends.

use std::{io, path::Path, process::Stdio};

use tokio::process::{Child, Command};

/// Starts a program in a folder, with one argument and a pipe to its standard input. It has nothing
/// to write to, opens no window, gets no Ctrl+C of this program's terminal, and outlives the handle.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that starts such a program"
)]
pub(crate) fn start(program: &Path, argument: &str, folder: &Path) -> io::Result<Child> {
    let mut command = Command::new(program);
    command
        .arg(argument)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(false);
    #[cfg(unix)]
    command.process_group(0);
    #[cfg(windows)]
    {
        const DETACHED_PROCESS: u32 = 0x0000_0008;
        const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
        const CREATE_NO_WINDOW: u32 = 0x0800_0000;
        command.creation_flags(DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW);
    }
    command.spawn()
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, time::Duration};

    use super::*;

    #[tokio::test]
    async fn it_has_a_group_of_its_own_and_outlives_its_handle() {
        let dir = tempfile::tempdir().unwrap();
        let script = "echo $$ > seen; ps -o pgid= -p $$ >> seen; read line; echo end >> seen\n";
        super::super::files::write_new(&dir.path().join("script"), script.as_bytes()).unwrap();
        let mut child = start(Path::new("/bin/sh"), "script", dir.path()).unwrap();
        let input = child.stdin.take();
        drop(child);
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(input);
        for _ in 0..100 {
            let text = fs::read_to_string(dir.path().join("seen")).unwrap_or_default();
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            if let [process, group, "end"] = lines[..] {
                assert_eq!(process, group);
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it did not go on");
    }
}
