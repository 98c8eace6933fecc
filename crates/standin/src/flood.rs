//! A log to measure with: the mixture of lines that a busy Forge writes, each one different.

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

/// How often a paced log is written.
const TICKS_PER_SECOND: u32 = 20;

/// Lines of [`burst`].
const BURST: u64 = 2_000;

/// One in so many lines holds a rare word.
const RARE: u64 = 1_000_003;

/// Writes `count` lines of about a hundred bytes, one in fifty of which is a trouble.
pub fn write_lines(out: &mut impl Write, count: u64) -> io::Result<()> {
    write_range(out, 0..count)
}

/// What a program that floods its log writes at once.
pub(crate) fn burst() -> Vec<String> {
    let mut written = Vec::new();
    // A vector takes everything.
    let _ = write_lines(&mut written, BURST);
    let text = String::from_utf8_lossy(&written);
    text.lines().map(str::to_owned).collect()
}

/// The same, `rate` lines a second; who is late catches up.
pub fn write_paced(out: &mut impl Write, count: u64, rate: u64) -> io::Result<()> {
    let began = Instant::now();
    let per_tick = rate.div_ceil(TICKS_PER_SECOND.into()).max(1);
    let mut next = 0;
    let mut tick = 0;
    while next < count {
        let end = count.min(next + per_tick);
        write_range(out, next..end)?;
        next = end;
        tick += 1;
        let due = began + Duration::from_secs(1) * tick / TICKS_PER_SECOND;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

fn write_range(out: &mut impl Write, range: std::ops::Range<u64>) -> io::Result<()> {
    for n in range {
        match n % 100 {
            7 => writeln!(
                out,
                "2025-10-11 10:11:12,345 - ControlNet - INFO - Loading preprocessor canny for unit {n}"
            )?,
            13 => writeln!(
                out,
                "[Memory Management] Current Free GPU Memory: {}.{:02} MB, required {} MB",
                22_000 - n % 9_000,
                n % 100,
                n % 4_096
            )?,
            21 => writeln!(
                out,
                "fatal: job {n} ended early, see the lines above for what it was doing at that time"
            )?,
            42 => writeln!(
                out,
                "Traceback of request {n} was written to /workspace/outputs/trace-{n}.txt, 14 frames"
            )?,
            63 => writeln!(
                out,
                "CRITICAL thresholds of card 0 were read anew for request {n}: 83 °C, 93 °C, 98 °C"
            )?,
            84 => writeln!(
                out,
                "{{\"level\":\"info\",\"msg\":\"handled request\",\"uri\":\"/sdapi/v1/progress\",\"status\":200,\"n\":{n}}}"
            )?,
            _ if n % RARE == RARE - 1 => writeln!(out, "the needle of {n}")?,
            _ => writeln!(
                out,
                "Moving model(s) has taken {}.{:02} seconds for request {n} of client 10.0.0.{} on cuda:0",
                n % 60,
                n % 100,
                n % 250
            )?,
        }
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paced_log_holds_the_same_lines() {
        let (mut paced, mut all) = (Vec::new(), Vec::new());
        write_paced(&mut paced, 250, 2_000).expect("memory takes all");
        write_lines(&mut all, 250).expect("memory takes all");
        assert!(paced == all);
    }

    #[test]
    fn as_many_lines_as_asked_for_and_their_share_of_trouble() {
        let mut out = Vec::new();
        write_lines(&mut out, 1_000).expect("memory takes all");
        let text = String::from_utf8(out).expect("text");
        assert_eq!(text.lines().count(), 1_000);
        let trouble = |line: &&str| {
            let line = line.to_ascii_lowercase();
            line.contains("fatal") || line.contains("critical")
        };
        assert_eq!(text.lines().filter(trouble).count(), 20);
    }
}
