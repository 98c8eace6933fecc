//! `supervisorctl` inside the container: words to PID 1, text and exit code back.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use super::SOCKET;

/// Sends the words, prints the answer, and returns the exit code.
pub fn supervisorctl(args: &[String]) -> i32 {
    let talk = || -> std::io::Result<String> {
        let mut stream = UnixStream::connect(SOCKET)?;
        writeln!(stream, "{}", args.join(" "))?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    if let Ok(answer) = talk() {
        let (code, text) = answer.split_once('\n').unwrap_or(("1", ""));
        print!("{text}");
        code.parse().unwrap_or(1)
    } else {
        println!("unix:///var/run/supervisor.sock refused connection");
        4
    }
}
