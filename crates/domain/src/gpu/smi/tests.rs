use super::*;

const HEADING: &str = "index, name, pci.bus_id, driver_version, utilization.gpu [%], \
    utilization.memory [%], utilization.encoder [%], utilization.decoder [%], memory.used [MiB], \
    memory.free [MiB], memory.total [MiB], temperature.gpu, power.draw [W], \
    enforced.power.limit [W], clocks.current.graphics [MHz], clocks.max.graphics [MHz], \
    clocks.current.memory [MHz], fan.speed [%], pstate, clocks_throttle_reasons.active, \
    pcie.link.gen.current, pcie.link.width.current, pcie.link.gen.max, pcie.link.width.max, uuid";
const ROW: &str = "0, NVIDIA GeForce RTX 3080, 00000000:01:00.0, 552.44, 37, 21, 3, 4, 4096, 6000, \
    10240, 61, 215.50, 320.00, 1905, 2100, 9501, 44, P2, 0x0000000000000004, 4, 16, 4, 16, GPU-aaaa";

fn at() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn table(rows: &str) -> Result<SmiReading, SmiProblem> {
    parse(&format!("{HEADING}\n{rows}\n"), at())
}

fn uuid(text: &str) -> GpuUuid {
    GpuUuid::new(text).expect("an id")
}

fn full() -> GpuSample {
    GpuSample {
        bus_id: Some("00000000:01:00.0".to_owned()),
        load_percent: Some(37),
        memory_load_percent: Some(21),
        encoder_percent: Some(3),
        decoder_percent: Some(4),
        memory_used: Some(4096 * MIB),
        memory_free: Some(6000 * MIB),
        memory_total: Some(10240 * MIB),
        temperature_c: Some(61),
        power_w: Some(215.5),
        power_limit_w: Some(320.0),
        graphics_mhz: Some(1905),
        graphics_max_mhz: Some(2100),
        memory_mhz: Some(9501),
        fan_percent: Some(44),
        performance_state: Some(2),
        throttle: Some(vec![Throttle::PowerLimit]),
        pcie: PcieLink {
            generation: Some(4),
            width: Some(16),
            max_generation: Some(4),
            max_width: Some(16),
        },
        ..GpuSample::unread(uuid("GPU-aaaa"), 0, "NVIDIA GeForce RTX 3080", at())
    }
}

#[test]
fn a_full_row_is_read_with_and_without_units() {
    for rows in [
        ROW.to_owned(),
        format!("{ROW}\r\n\r\n"),
        ROW.replace(" 37,", " 37 %,")
            .replace(" 4096,", " 4096 MiB,")
            .replace(" 215.50,", " 215.50 W,"),
    ] {
        let reading = table(&rows).expect("reads");
        assert_eq!(reading.driver.as_deref(), Some("552.44"));
        assert_eq!(
            (&reading.lost[..], &reading.problems[..]),
            (&[][..], &[][..])
        );
        assert_eq!(reading.cards.len(), 1);
        assert_eq!(reading.cards[0].sample, full(), "{rows:?}");
        assert!(!reading.cards[0].lost);
    }
}

#[test]
fn columns_are_found_by_their_heading() {
    // Fewer, more, in another order, and under newer names.
    let text = "uuid, extra.column, index, clocks_event_reasons.active, utilization.gpu [%]\n\
                GPU-b, whatever, 1, 0x0000000000000041, 12\n";
    let reading = parse(text, at()).expect("reads");
    assert_eq!(
        reading.cards[0].sample,
        GpuSample {
            load_percent: Some(12),
            throttle: Some(vec![Throttle::Idle, Throttle::HardwareHeat]),
            ..GpuSample::unread(uuid("GPU-b"), 1, "GPU", at())
        }
    );
    assert_eq!(reading.driver, None);
}

#[test]
fn a_name_may_hold_commas_and_a_number_may_not() {
    let named = ROW.replace("RTX 3080", "RTX 3080, Ti, 12 GB");
    let reading = table(&named).expect("reads");
    assert_eq!(
        reading.cards[0].sample.name,
        "NVIDIA GeForce RTX 3080, Ti, 12 GB"
    );
    assert_eq!(reading.cards[0].sample.power_w, Some(215.5));

    for localised in [
        ROW.replace("215.50", "215,50"),
        ROW.replace("215.50", "215,50").replace("320.00", "320,00"),
    ] {
        let problem = table(&localised).expect_err("not readable").to_string();
        assert!(problem.contains("decimal comma"), "{problem}");
        // The other card is read all the same, and the trouble is said.
        let both = format!("{localised}\n{}", ROW.replace("GPU-aaaa", "GPU-b"));
        let reading = table(&both).expect("reads");
        assert_eq!(reading.cards.len(), 1);
        assert_eq!(reading.problems.len(), 1);
    }
    let short = ROW.replace(" 37,", "");
    let problem = table(&short).expect_err("not readable").to_string();
    assert!(problem.contains("another number of values"), "{problem}");
}

#[test]
fn what_the_driver_does_not_tell_is_unknown_and_never_zero() {
    for absent in [
        "[N/A]",
        "[Not Supported]",
        "[Unknown Error]",
        "[Insufficient Permissions]",
        "[Requested functionality has been deprecated]",
        "N/A",
        "ERR!",
        "",
    ] {
        let row = format!("1, X, {}GPU-b", format!("{absent}, ").repeat(22));
        let reading = table(&row).expect("reads");
        assert_eq!(reading.driver, None, "{absent}");
        let card = &reading.cards[0];
        assert_eq!(
            card.sample,
            GpuSample::unread(uuid("GPU-b"), 1, "X", at()),
            "{absent}"
        );
        assert!(!card.lost);
    }
    let absurd = ROW
        .replace(" 37,", " 4294967295,")
        .replace(" 4096,", " 17592186044415,")
        .replace("215.50", "NaN");
    let sample = table(&absurd).expect("reads").cards.remove(0).sample;
    assert_eq!(
        (sample.load_percent, sample.memory_used, sample.power_w),
        (None, None, None)
    );
    assert_eq!(sample.memory_total, Some(10240 * MIB));
}

#[test]
fn a_lost_card_is_told_from_a_missing_driver() {
    let lost = "Unable to determine the device handle for GPU0000:01:00.0: GPU is lost.  Reboot the system to recover this GPU";
    let reading = parse(lost, at()).expect("a reading about a lost card");
    assert_eq!(reading.cards, []);
    assert_eq!(reading.lost[0].bus_id.as_deref(), Some("0000:01:00.0"));

    let both = format!("{lost}\n{HEADING}\n{}", ROW.replace("01:00", "02:00"));
    let reading = parse(&both, at()).expect("reads");
    assert_eq!((reading.cards.len(), reading.lost.len()), (1, 1));

    let cell = ROW.replace(" 37,", " [GPU is lost],");
    assert!(table(&cell).expect("reads").cards[0].lost);
    assert!(says_lost("GPU has fallen off the bus"));
}

#[test]
fn each_failure_says_its_own_words() {
    let cases: [(&str, fn(&SmiProblem) -> bool); 10] = [
        ("No devices were found\n", |p| *p == SmiProblem::NoDevices),
        (
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
            |p| matches!(p, SmiProblem::Driver(w) if w.contains("communicate")),
        ),
        (
            "Failed to initialize NVML: Driver/library version mismatch",
            |p| matches!(p, SmiProblem::Driver(w) if w.contains("mismatch")),
        ),
        (
            "OCI runtime exec failed: exec failed: unable to start container process: exec: \
             \"nvidia-smi\": executable file not found in $PATH: unknown",
            |p| matches!(p, SmiProblem::Driver(_)),
        ),
        (
            "Field \"utilization.encoder\" is not a valid field to query.\n\n",
            |p| *p == SmiProblem::UnknownColumn("utilization.encoder".to_owned()),
        ),
        (
            "",
            |p| matches!(p, SmiProblem::Unreadable(w) if w == "nothing at all"),
        ),
        (
            "<html>\u{7}</html>",
            |p| matches!(p, SmiProblem::Unreadable(w) if !w.contains('\u{7}')),
        ),
        ("a, b, c, d, e, f, g, h, i, j, k", |p| {
            matches!(p, SmiProblem::Unreadable(_))
        }),
        ("index, uuid\n0, ../etc", |p| {
            matches!(p, SmiProblem::Unreadable(_))
        }),
        ("index, uuid\nx, GPU-a", |p| {
            matches!(p, SmiProblem::Unreadable(_))
        }),
    ];
    for (text, expected) in cases {
        let problem = parse(text, at()).expect_err(text);
        assert!(expected(&problem), "{text:?} gave {problem:?}");
    }
    let long = parse(&"é".repeat(5000), at())
        .expect_err("no table")
        .to_string();
    assert!(long.chars().count() < 400);
}

#[test]
fn a_column_that_is_not_known_is_left_out_of_the_next_question() {
    let asked = |without: &[&str]| {
        let without: Vec<String> = without.iter().map(|w| (*w).to_owned()).collect();
        command(&without).remove(1)
    };
    assert!(asked(&[]).contains(",utilization.encoder,"));
    assert!(!asked(&["utilization.encoder"]).contains("encoder"));
    assert!(
        asked(&["uuid", "index"]).contains("uuid"),
        "needed, whatever it says"
    );
}

#[test]
fn thresholds_and_cuda_version_are_found() {
    let text = "==============NVSMI LOG==============\n\n\
        Driver Version                            : 552.44\n\
        CUDA Version                              : 12.4\n\n\
        Attached GPUs                             : 2\n\
        GPU 00000000:01:00.0\n    Temperature\n        GPU Current Temp                  : 45 C\n\
        \x20       GPU Shutdown Temp                 : 98 C\n        GPU Slowdown Temp                 : 95 C\n\
        GPU 00000000:0A:00.0\n    Temperature\n        GPU Slowdown Temp                 : N/A\n";
    assert_eq!(
        thresholds(text),
        [
            (
                "00000000:01:00.0".to_owned(),
                Thresholds {
                    slowdown_c: Some(95),
                    shutdown_c: Some(98),
                }
            ),
            ("00000000:0a:00.0".to_owned(), Thresholds::default()),
        ]
    );
    assert_eq!(cuda_version(text).as_deref(), Some("12.4"));
    assert_eq!(thresholds("GPU Slowdown Temp : 95 C"), []);
    assert_eq!(thresholds(""), []);
    assert_eq!(cuda_version("CUDA Version : <b>12</b>"), None);
    assert_eq!(cuda_version("CUDA Version : N/A"), None);
}
