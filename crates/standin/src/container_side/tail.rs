//! `tail [-n N | -c +N] [-f|-F] FILE` and `wc -c FILE` for the minimal root file system.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use crate::programs;

/// Most that is read from the end of a file.
const WINDOW: u64 = 4 * 1024 * 1024;

fn last_lines(file: &mut File, count: usize) -> std::io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(WINDOW)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let body = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let breaks: Vec<usize> = body
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'\n')
        .map(|(at, _)| at)
        .collect();
    let from = match (count, breaks.len()) {
        (0, _) => bytes.len(),
        (n, have) if n <= have => breaks[have - n] + 1,
        _ => 0,
    };
    Ok(bytes.split_off(from))
}

/// Runs the command; returns the exit code.
pub fn run(args: &[String]) -> i32 {
    let programs::Tail {
        count,
        from,
        follow,
        path,
    } = programs::tail(args);
    let Some(path) = path else {
        eprintln!("tail: a file is needed");
        return 1;
    };
    let mut out = std::io::stdout();
    let mut inode = 0;
    let mut place = 0;
    loop {
        match File::open(path) {
            Err(error) if !follow => {
                eprintln!("tail: cannot open '{path}' for reading: {error}");
                return 1;
            }
            Err(_) => {}
            Ok(mut file) => {
                let Ok(about) = file.metadata() else { return 1 };
                let mut fresh = Vec::new();
                let read = if let (0, Some(from)) = (inode, from) {
                    file.seek(SeekFrom::Start(from.saturating_sub(1)))
                        .and_then(|_| file.read_to_end(&mut fresh))
                        .map(|_| ())
                } else if inode == 0 {
                    last_lines(&mut file, count).map(|bytes| fresh = bytes)
                } else {
                    // Another inode or a shorter file is a rotated log: read it from its start.
                    let from = if about.ino() == inode && about.len() >= place {
                        place
                    } else {
                        0
                    };
                    file.seek(SeekFrom::Start(from))
                        .and_then(|_| file.read_to_end(&mut fresh))
                        .map(|_| ())
                };
                let at = file.stream_position();
                if read.is_err() || out.write_all(&fresh).and_then(|()| out.flush()).is_err() {
                    return 1;
                }
                (inode, place) = (about.ino(), at.unwrap_or(about.len()));
            }
        }
        if !follow {
            return 0;
        }
        std::thread::sleep(Duration::from_millis(150));
    }
}

/// Runs `wc -c FILE`; returns the exit code.
pub fn wc(args: &[String]) -> i32 {
    let [flag, path] = args else {
        eprintln!("wc: only `wc -c FILE` is played here");
        return 1;
    };
    match std::fs::metadata(path) {
        Ok(about) if flag == "-c" => {
            println!("{} {path}", about.len());
            0
        }
        Ok(_) => {
            eprintln!("wc: only `wc -c FILE` is played here");
            1
        }
        Err(error) => {
            eprintln!("wc: {path}: {error}");
            1
        }
    }
}
