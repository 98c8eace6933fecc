use super::*;

const STAMP: &str = "2025-10-11T10:11:12.131415926Z";

fn all(bytes: &[u8]) -> Vec<PreparedLine> {
    pieces(&[bytes])
}

fn pieces(pieces: &[&[u8]]) -> Vec<PreparedLine> {
    let mut preparer = LinePreparer::new();
    let mut lines: Vec<_> = pieces
        .iter()
        .flat_map(|bytes| preparer.push(LogStream::Stdout, bytes))
        .collect();
    lines.extend(preparer.finish());
    lines
}

fn texts(bytes: &[u8]) -> Vec<String> {
    all(bytes).into_iter().map(|line| line.text).collect()
}

#[test]
fn bytes_become_lines() {
    for (raw, expected) in [
        (&b""[..], &[][..]),
        (b"one\ntwo\r\nthree", &["one", "two", "three"]),
        (b"\r10%\r20%\r30%\nnext\n", &["30%", "next"]),
        (b"10%\r20%\r\n", &["20%"]),
        (b"10%\r\x1b[K\n", &["10%"]),
        (b"10%\r   \rDone\n", &["Done"]),
        (b"10%\r20%", &["20%"]),
        (b"a\n\nb\n", &["a", "", "b"]),
        (b"a\n\n\n", &["a", "", ""]),
        (b"bad \xff\xfe utf\n", &["bad \u{fffd}\u{fffd} utf"]),
        (b"\x1b[31mred\x1b[0m\n", &["red"]),
        ("█▌ 50%\n".as_bytes(), &["█▌ 50%"]),
        (
            b"--api-auth fuse:wire --listen\n",
            &["--api-auth ••• --listen"],
        ),
    ] {
        assert_eq!(texts(raw), expected, "{raw:?}");
    }
}

#[test]
fn the_engines_timestamp_is_cut_from_each_line() {
    let at: Timestamp = STAMP.parse().unwrap();
    for (raw, text, stamped) in [
        (
            format!("{STAMP} Startup time: 5s\n"),
            "Startup time: 5s",
            true,
        ),
        (
            format!("{STAMP} Startup time: 5s"),
            "Startup time: 5s",
            true,
        ),
        (format!("{STAMP}  two blanks\n"), " two blanks", true),
        (
            format!("{STAMP} {STAMP} own stamp\n"),
            "2025-10-11T10:11:12.131415926Z own stamp",
            true,
        ),
        (
            "2025-10-11T12:11:12.131415926+02:00 with offset\n".to_owned(),
            "with offset",
            true,
        ),
        (format!("{STAMP} \n"), "", true),
        (format!("{STAMP}\n"), "", true),
        (
            "2025-10-11 10:11:12,131 INFO x\n".to_owned(),
            "2025-10-11 10:11:12,131 INFO x",
            false,
        ),
        (
            "2025-99-11T10:11:12Z x\n".to_owned(),
            "2025-99-11T10:11:12Z x",
            false,
        ),
        ("1234\n".to_owned(), "1234", false),
        ("12:30 lunch\n".to_owned(), "12:30 lunch", false),
        (format!("{}\n", "1".repeat(100)), &*"1".repeat(100), false),
    ] {
        let lines = all(raw.as_bytes());
        assert_eq!(lines.len(), 1, "{raw:?}");
        assert_eq!(
            (lines[0].text.as_str(), lines[0].at),
            (text, stamped.then_some(at)),
            "{raw:?}"
        );
    }
}

#[test]
fn dockers_entries_of_one_long_line_are_one_line() {
    let text = "x".repeat(ENTRY_BYTES);
    let raw = format!("{STAMP} {text}{STAMP} {text}{STAMP} end\n{STAMP} next\n");
    assert_eq!(
        texts(raw.as_bytes()),
        [format!("{text}{text}end"), "next".to_owned()]
    );
    // The same length without a repetition, and one that only begins like it.
    let raw = format!("{STAMP} {text}2025-10-11T of the text\n");
    assert_eq!(
        texts(raw.as_bytes()),
        [format!("{text}2025-10-11T of the text")]
    );
    let raw = format!("{STAMP} {text}\n{STAMP} next\n");
    assert_eq!(texts(raw.as_bytes()), [text.as_str(), "next"]);
    let raw = format!("{STAMP} {text}2025");
    assert_eq!(texts(raw.as_bytes()), [format!("{text}2025")]);
}

#[test]
fn headers_of_the_multiplexer_become_the_program() {
    let raw = b"before\n\n==> /var/log/supervisor/forge.log <==\nStartup time: 1s\n\nsecond\n\n\
        ==> /var/log/supervisor/quicktunnel-1.log <==\nhello\n==> not a header <==\n==> /a/b c <==\n";
    let lines: Vec<_> = all(raw)
        .into_iter()
        .map(|line| (line.program.unwrap_or_default(), line.text))
        .collect();
    let expected = [
        ("", "before"),
        ("forge", "Startup time: 1s"),
        ("forge", ""),
        ("forge", "second"),
        ("quicktunnel-1", "hello"),
        ("quicktunnel-1", "==> not a header <=="),
        ("quicktunnel-1", "==> /a/b c <=="),
    ];
    assert_eq!(
        lines,
        expected.map(|(program, text)| (program.to_owned(), text.to_owned()))
    );
}

#[test]
fn cutting_the_bytes_anywhere_gives_the_same_lines() {
    let long = "y".repeat(ENTRY_BYTES);
    let raw = format!(
        "{STAMP} eins ███ zwei\r\n{STAMP} \r 10%|█  |\r 20%|██ |\r\n{STAMP} \n\
         {STAMP} ==> /var/log/supervisor/forge.log <==\n{STAMP} \x1b[0;32mINFO\x1b[0m é\n\
         {STAMP} \x1b]0;t\x07WARNING: token=abc x\n{STAMP} \n{STAMP} tail ü"
    )
    .into_bytes();
    let whole = all(&raw);
    assert_eq!(whole.len(), 6, "{whole:?}");
    for at in 0..=raw.len() {
        assert_eq!(pieces(&[&raw[..at], &raw[at..]]), whole, "cut at {at}");
    }
    let bytes: Vec<&[u8]> = raw.chunks(1).collect();
    assert_eq!(pieces(&bytes), whole);

    let raw = format!("{STAMP} {long}{STAMP} end\n{STAMP} next\n").into_bytes();
    let whole = all(&raw);
    for at in ENTRY_BYTES..raw.len() {
        assert_eq!(
            pieces(&[&raw[..at], &raw[at..]]),
            whole,
            "long line cut at {at}"
        );
    }
}

#[test]
fn streams_do_not_mix() {
    let mut preparer = LinePreparer::new();
    assert!(preparer.push(LogStream::Stdout, b"out ").is_empty());
    let lines = preparer.push(LogStream::Stderr, b"err\n");
    assert_eq!(
        (lines[0].stream, lines[0].text.as_str()),
        (LogStream::Stderr, "err")
    );
    let lines = preparer.push(LogStream::Stdout, b"put\n");
    assert_eq!(
        (lines[0].stream, lines[0].text.as_str()),
        (LogStream::Stdout, "out put")
    );
}

#[test]
fn a_line_of_a_hundred_megabytes_costs_64_kib() {
    let mut preparer = LinePreparer::new();
    let chunk = vec![b'z'; 1 << 20];
    for _ in 0..100 {
        assert!(preparer.push(LogStream::Stdout, &chunk).is_empty());
        assert!(preparer.streams[0].piece.bytes.capacity() <= 2 * MAX_LINE_BYTES);
    }
    let lines = preparer.push(LogStream::Stdout, b"\nshort\n");
    assert_eq!(lines[0].text.len(), MAX_LINE_BYTES);
    assert_eq!(lines[0].cut_bytes as usize, (100 << 20) - MAX_LINE_BYTES);
    assert_eq!((lines[1].text.as_str(), lines[1].cut_bytes), ("short", 0));
}

#[test]
fn binary_output_becomes_bounded_lines_of_text() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        u8::try_from(state >> 56).unwrap_or_default()
    })
    .take(1 << 20)
    .collect();
    let every: Vec<u8> = (0..=u8::MAX).collect();
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\0";
    for (name, raw) in [("noise", &noise[..]), ("every byte", &every), ("PNG", png)] {
        let lines = all(raw);
        assert!(!lines.is_empty(), "{name}");
        for line in &lines {
            assert!(line.text.len() <= MAX_LINE_BYTES, "{name}");
            let steers = |c: char| c.is_control() && c != '\t';
            assert!(!line.text.contains(steers), "{name}: {:?}", line.text);
            assert!(
                line.spans.iter().all(|span| line
                    .text
                    .get(span.start as usize..span.end as usize)
                    .is_some()),
                "{name}: {:?}",
                line.spans
            );
        }
    }
}

#[test]
fn a_cut_line_is_cut_between_characters() {
    let raw = format!("a{}\n", "é".repeat(MAX_LINE_BYTES));
    let lines = all(raw.as_bytes());
    assert_eq!(lines[0].text.len(), MAX_LINE_BYTES - 1);
    assert_eq!(lines[0].cut_bytes as usize, MAX_LINE_BYTES + 2);
    assert!(!lines[0].text.contains('\u{fffd}'));
    // Invalid bytes grow threefold.
    let lines = all(&vec![0xff; MAX_LINE_BYTES]);
    assert!(lines[0].text.len() <= MAX_LINE_BYTES && lines[0].cut_bytes > 0);
}

#[test]
fn inside_a_traceback_only_head_and_cause_count() {
    let raw = b"*** Error loading script: attention.py\n    Traceback (most recent call last):\n      \
        File \"/opt/errors.py\", line 3, in load\n        raise RuntimeError(\"CUDA error: x\")\n        \
        ERROR: source text\n    ModuleNotFoundError: No module named 'ldm'\n    ERROR: after\n";
    let levels: Vec<_> = all(raw).into_iter().map(|line| line.level).collect();
    let (e, u) = (LogLevel::Error, LogLevel::Unknown);
    assert_eq!(levels[..6], [e, e, u, u, u, e]);
}

#[test]
fn an_interrupted_line_is_forgotten_but_not_the_program() {
    let mut preparer = LinePreparer::new();
    preparer.push(LogStream::Stdout, b"==> /var/log/forge.log <==\n");
    assert_eq!(preparer.pending_since(), None);
    preparer.push(LogStream::Stdout, format!("{STAMP} half a li").as_bytes());
    assert_eq!(preparer.pending_since(), Some(STAMP.parse().unwrap()));
    preparer.interrupt();
    assert_eq!(preparer.pending_since(), None);
    let lines = preparer.push(
        LogStream::Stdout,
        format!("{STAMP} half a line\n").as_bytes(),
    );
    assert_eq!(lines[0].text, "half a line");
    assert_eq!(lines[0].program.as_deref(), Some("forge"));
}

#[test]
fn colours_end_up_beside_the_text_and_go_where_a_secret_is_masked() {
    let red = |start, end| Span {
        start,
        end,
        colour: Some(Colour::Red),
        bold: false,
    };
    for (raw, text, spans) in [
        ("\x1b[31mred\x1b[0m plain\n", "red plain", vec![red(0, 3)]),
        ("a\r\x1b[31mb\r\n", "b", vec![red(0, 1)]),
        ("x \x1b[31mtoken=abc\x1b[0m\n", "x token=•••", vec![]),
        ("plain\n", "plain", vec![]),
    ] {
        let lines = all(raw.as_bytes());
        assert_eq!((lines[0].text.as_str(), &lines[0].spans), (text, &spans));
    }
    let mut raw = b"\x1b[31m".to_vec();
    raw.resize(MAX_LINE_BYTES, 0xff);
    let lines = all(&raw);
    assert_eq!(
        lines[0].spans,
        [red(0, u32::try_from(lines[0].text.len()).unwrap())]
    );
}
