use super::*;
use crate::Timestamp;

const GIB: u64 = 1 << 30;

fn uuid(text: &str) -> GpuUuid {
    GpuUuid::new(text).expect("an id")
}

fn service(text: &str) -> ServiceId {
    ServiceId::new(text).expect("an id")
}

fn card(used: Option<u64>, processes: Option<Vec<GpuProcess>>) -> GpuSample {
    GpuSample {
        memory_used: used,
        memory_total: Some(24 * GIB),
        processes,
        ..GpuSample::unread(uuid("GPU-a"), 0, "X", Timestamp::UNIX_EPOCH)
    }
}

fn process(pid: u32, container: Option<&str>, memory: Option<u64>) -> GpuProcess {
    GpuProcess {
        pid,
        name: Some("python".to_owned()),
        container: container.map(str::to_owned),
        memory,
        load_percent: Some(40),
    }
}

fn claim(id: &str, card: Option<&str>, held: Option<u64>) -> MemoryClaim {
    MemoryClaim {
        service: service(id),
        container: Some(format!("{id}-container")),
        card: card.map(uuid),
        held,
    }
}

/// Holder, source, memory, claimed.
fn rows(shares: &Shares) -> Vec<(String, ShareSource, Option<u64>, Option<u64>)> {
    shares
        .shares
        .iter()
        .map(|share| {
            let who = match &share.holder {
                Holder::Service { id } => id.to_string(),
                Holder::Container { id } => format!("container {id}"),
                Holder::Process { pid, .. } => format!("pid {pid}"),
                Holder::Unknown => "unknown".to_owned(),
            };
            let gib = |bytes: Option<u64>| bytes.map(|b| b / GIB);
            (who, share.source, gib(share.memory), gib(share.claimed))
        })
        .collect()
}

#[test]
fn processes_of_a_container_are_its_service() {
    use ShareSource::{Driver, Remainder};
    let sample = card(
        Some(12 * GIB),
        Some(vec![
            process(1, Some("turbo-container"), Some(6 * GIB)),
            process(2, Some("turbo-container"), Some(GIB)),
            process(3, Some("other"), Some(2 * GIB)),
            process(4, None, Some(GIB)),
            process(5, None, None),
        ]),
    );
    let shares = divide(&sample, &[claim("turbo", None, None)]);
    assert_eq!(
        rows(&shares),
        [
            ("turbo".to_owned(), Driver, Some(7), None),
            ("container other".to_owned(), Driver, Some(2), None),
            ("pid 4".to_owned(), Driver, Some(1), None),
            ("pid 5".to_owned(), Driver, None, None),
            ("unknown".to_owned(), Remainder, Some(2), None),
        ]
    );
    assert_eq!(shares.shares[0].load_percent, Some(80));
    assert_eq!(shares.excess, None);
}

#[test]
fn what_the_driver_keeps_for_itself_is_nobodys_share() {
    let mib = 1 << 20;
    let of = |used| {
        let held = vec![process(1, None, Some(7_236 * mib))];
        rows(&divide(&card(Some(used), Some(held)), &[])).len()
    };
    assert_eq!(of(7_245 * mib), 1);
    assert_eq!(of(7_268 * mib), 2);
}

#[test]
fn where_the_driver_names_no_process_the_services_own_word_is_labelled() {
    let claims = [
        claim("myia", Some("GPU-a"), Some(5 * GIB)),
        claim("turbo", Some("GPU-b"), Some(9 * GIB)),
        claim("comfy", None, Some(3 * GIB)),
    ];
    for processes in [None, Some(Vec::new())] {
        let shares = divide(&card(Some(7 * GIB), processes), &claims);
        assert_eq!(
            rows(&shares),
            [
                ("myia".to_owned(), ShareSource::Reported, Some(5), None),
                ("unknown".to_owned(), ShareSource::Remainder, Some(2), None),
            ],
            "a service on another or an unknown card takes nothing of this one"
        );
    }
}

#[test]
fn shares_never_sum_to_more_than_is_used_and_the_excess_is_said() {
    let claims = [
        claim("myia", Some("GPU-a"), Some(9 * GIB)),
        claim("turbo", Some("GPU-a"), Some(6 * GIB)),
    ];
    let shares = divide(&card(Some(12 * GIB), None), &claims);
    let counted: u64 = shares.shares.iter().filter_map(|s| s.memory).sum();
    assert_eq!(counted, 12 * GIB);
    assert_eq!(shares.excess, Some(3 * GIB));
    assert_eq!(rows(&shares)[1].3, Some(6), "as it was told");
    // The driver's word first.
    let mixed = card(
        Some(8 * GIB),
        Some(vec![process(1, Some("turbo-container"), Some(6 * GIB))]),
    );
    let shares = divide(&mixed, &claims);
    assert_eq!(
        rows(&shares),
        [
            ("turbo".to_owned(), ShareSource::Driver, Some(6), None),
            ("myia".to_owned(), ShareSource::Reported, Some(2), Some(9)),
        ]
    );
    assert_eq!(shares.excess, Some(7 * GIB));
}

#[test]
fn a_report_that_says_more_than_the_driver_contradicts_it() {
    let processes = || Some(vec![process(1, Some("myia-container"), Some(4 * GIB))]);
    let divided = |held| {
        let claims = [claim("myia", Some("GPU-a"), Some(held))];
        divide(&card(Some(6 * GIB), processes()), &claims)
    };
    assert_eq!(divided(6 * GIB).contradicted, [service("myia")]);
    assert_eq!(
        rows(&divided(6 * GIB))[0].2,
        Some(4),
        "the driver is believed"
    );
    assert_eq!(divided(4 * GIB + 1024).contradicted, []);
    // A process whose memory the driver does not tell takes the report.
    let silent = card(
        Some(6 * GIB),
        Some(vec![process(1, Some("myia-container"), None)]),
    );
    let claims = [claim("myia", Some("GPU-a"), Some(3 * GIB))];
    assert_eq!(
        rows(&divide(&silent, &claims))[0],
        ("myia".to_owned(), ShareSource::Reported, Some(3), None)
    );
}

#[test]
fn a_sum_that_leaves_a_process_out_is_a_bound_and_contradicts_nobody() {
    let unread = || GpuProcess {
        load_percent: None,
        ..process(2, Some("myia-container"), None)
    };
    let divided = |held, first: GpuProcess, second: GpuProcess| {
        let claims = [claim("myia", Some("GPU-a"), held)];
        divide(&card(Some(8 * GIB), Some(vec![first, second])), &claims)
    };
    let read = || process(1, Some("myia-container"), Some(4 * GIB));
    for (first, second) in [(read(), unread()), (unread(), read())] {
        let alone = divided(None, first.clone(), second.clone());
        let share = &alone.shares[0];
        assert_eq!((share.memory, share.at_least), (Some(4 * GIB), true));
        assert_eq!(share.load_percent, None, "half of a load is none");
        let more = divided(Some(6 * GIB), first.clone(), second.clone());
        assert_eq!(more.contradicted, []);
        assert_eq!(
            rows(&more)[0],
            ("myia".to_owned(), ShareSource::Reported, Some(6), None)
        );
        assert!(!more.shares[0].at_least);
        let less = divided(Some(3 * GIB), first, second);
        assert_eq!(rows(&less)[0].1, ShareSource::Driver);
        assert_eq!(rows(&less)[0].2, Some(4));
    }
    let whole = divided(None, read(), process(2, Some("myia-container"), Some(GIB)));
    assert!(!whole.shares[0].at_least);
}

#[test]
fn what_nobody_claims_is_of_windows_only_where_windows_is() {
    use Remainder::{Unknown, WindowsAndUnknown};
    let nvml = GpuSourceInfo::Nvml {
        driver: Some("552.44".to_owned()),
        cuda: None,
    };
    let smi = GpuSourceInfo::NvidiaSmi {
        container: "myia".to_owned(),
        driver: None,
    };
    let none = GpuSourceInfo::None { tried: Vec::new() };
    let (wsl, linux) = ("5.15.153.1-microsoft-standard-WSL2", "6.8.0-45-generic");
    for (source, here, engine, expected) in [
        (&nvml, Some(wsl), Some(linux), WindowsAndUnknown),
        (&nvml, Some("Windows"), None, WindowsAndUnknown),
        (&nvml, Some(linux), Some(wsl), Unknown),
        (&smi, Some(linux), Some(wsl), WindowsAndUnknown),
        (&smi, Some(wsl), Some(linux), Unknown),
        (&smi, Some(wsl), None, Unknown),
        (&none, Some(wsl), Some(wsl), Unknown),
    ] {
        let found = Remainder::of(source, here, engine);
        assert_eq!(found, expected, "{source:?} {here:?} {engine:?}");
    }
}

#[test]
fn without_a_sum_nothing_is_left_over() {
    let claims = [claim("myia", Some("GPU-a"), Some(5 * GIB))];
    let shares = divide(&card(None, None), &claims);
    assert_eq!(
        rows(&shares),
        [("myia".to_owned(), ShareSource::Reported, Some(5), None)]
    );
    assert_eq!(divide(&card(Some(0), None), &[]).shares, []);
}
