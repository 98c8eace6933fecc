//! How much of one text is the end of another: where a log file goes on after what its stream gave.

/// Agreeing lines from which on two texts that contradict each other further up still meet.
const LEAST_AGREEING: usize = 4;

/// How many of the first lines of `file` are the last of `held`; what follows them is new. Lines are
/// given by their hashes.
///
/// The places that agree as far up as both are known come first, the one with the most lines before
/// the others: a program may well say one thing a hundred times. Without any, a stretch of a few
/// lines counts, for a stream may have lost some in its middle.
pub fn known_lines(held: &[u64], file: &[u64]) -> usize {
    let agreeing = |end: usize| {
        let pairs = held.iter().rev().zip(file[..end].iter().rev());
        pairs.take_while(|(held, file)| held == file).count()
    };
    let places = (1..=file.len()).map(|end| {
        let lines = agreeing(end);
        let wholly = lines == end || lines == held.len();
        (wholly, lines, end)
    });
    places
        .filter(|(wholly, lines, _)| *lines > 0 && (*wholly || *lines >= LEAST_AGREEING))
        .max()
        .map_or(0, |(_, _, end)| end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(held: &str, file: &str) -> usize {
        let hashes = |text: &str| text.bytes().map(u64::from).collect::<Vec<_>>();
        known_lines(&hashes(held), &hashes(file))
    }

    #[test]
    fn what_the_stream_gave_is_known() {
        for (held, file, expected, why) in [
            ("abcdef", "cdefgh", 4, "goes on after the last line"),
            ("abcdef", "def", 3, "nothing is new"),
            ("ef", "abcdefgh", 6, "little is held"),
            ("", "abc", 0, "nothing is held"),
            ("abc", "", 0, "nothing was written"),
            ("abc", "xyz", 0, "another file"),
            ("aaaa", "aaaaaa", 6, "one thing said often; held to its end"),
            (
                "xaaa",
                "xaaaaa",
                4,
                "one thing said often, with a beginning",
            ),
            ("abcb", "bxb", 1, "a chance meeting further down is none"),
            ("abcdefg", "Xdefgh", 5, "the stream lost a line"),
            ("abcfg", "Xfgh", 0, "two lines in common may be chance"),
        ] {
            assert_eq!(known(held, file), expected, "{why}: {held} {file}");
        }
    }
}
