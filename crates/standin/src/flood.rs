//! A log to measure with: the mixture of lines that a busy Forge writes, each one different.

use std::io::{self, Write};

/// One in so many lines holds a rare word.
const RARE: u64 = 1_000_003;

/// Writes `count` lines of about a hundred bytes, one in fifty of which is a trouble.
pub fn write_lines(out: &mut impl Write, count: u64) -> io::Result<()> {
    for n in 0..count {
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
