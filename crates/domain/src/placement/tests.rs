use super::*;
use crate::{
    container::{ContainerSnapshot, GpuVariable},
    gpu::GpuSample,
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("a time")
}

fn uuid(text: &str) -> GpuUuid {
    GpuUuid::new(text).expect("an id")
}

fn id(text: &str) -> ServiceId {
    ServiceId::new(text).expect("an id")
}

fn cards() -> [GpuSample; 2] {
    [
        GpuSample::unread(uuid("GPU-aaaa-1"), 0, "NVIDIA GeForce RTX 3080", at(0)),
        GpuSample::unread(uuid("GPU-bbbb-2"), 1, "NVIDIA GeForce RTX 3090", at(0)),
    ]
}

pub(super) fn container(ids: &[&str], env: &[(&str, &str)]) -> ContainerSnapshot {
    let value = serde_json::json!({
        "id": "c1", "name": "myia-1", "image": "forge", "image_id": "sha256:1", "state": "running",
        "exit_code": null, "oom_killed": false, "error": null, "started_at": null,
        "finished_at": null, "created_at": null, "restart_count": 0, "health": null,
        "memory_limit": null, "tty": false, "ports": [], "compose_project": "forge",
        "compose_service": "myia", "compose_file": "/srv/docker-compose.yaml", "image_title": null,
        "image_source": null, "gpu_device_ids": ids, "command": [], "env_names": [],
        "gpu_env": [], "compose_hash": "h1",
    });
    let mut container: ContainerSnapshot = serde_json::from_value(value).expect("a container");
    container.gpu_env = env
        .iter()
        .map(|(name, value)| GpuVariable {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        })
        .collect();
    container
}

#[test]
fn each_declaration_names_its_cards_in_its_own_way() {
    use DeclarationSource::{CudaVisible, NvidiaVisible, Reservation, Settings};
    let (a, b) = ("GPU-aaaa-1", "GPU-bbbb-2");
    let row = |source, value: &str, cards: &[&str], cuda_order| Declaration {
        source,
        value: value.to_owned(),
        cards: cards.iter().map(|card| uuid(card)).collect(),
        cuda_order,
    };
    let cases = [
        (
            "a reservation by index",
            container(&["1"], &[]),
            None,
            vec![row(Reservation, "1", &[b], false)],
            Some(b),
        ),
        (
            "by the beginning of a UUID",
            container(&["GPU-bbbb"], &[]),
            None,
            vec![row(Reservation, "GPU-bbbb", &[b], false)],
            Some(b),
        ),
        (
            "a beginning that fits both names none",
            container(&["GPU-"], &[]),
            None,
            vec![row(Reservation, "GPU-", &[], false)],
            None,
        ),
        (
            "all cards are no declaration of one",
            container(&[], &[("NVIDIA_VISIBLE_DEVICES", "all")]),
            None,
            vec![row(NvidiaVisible, "all", &[a, b], false)],
            None,
        ),
        (
            "CUDA counts in its own order",
            container(&[], &[("CUDA_VISIBLE_DEVICES", "1")]),
            None,
            vec![row(CudaVisible, "1", &[], true)],
            None,
        ),
        (
            "unless it is told another one",
            container(
                &[],
                &[
                    ("CUDA_VISIBLE_DEVICES", "1"),
                    ("CUDA_DEVICE_ORDER", "PCI_BUS_ID"),
                ],
            ),
            None,
            vec![row(CudaVisible, "1", &[b], false)],
            Some(b),
        ),
        (
            "within what the runtime was told to show, too",
            container(
                &[],
                &[
                    ("CUDA_VISIBLE_DEVICES", "0"),
                    ("CUDA_DEVICE_ORDER", "PCI_BUS_ID"),
                    ("NVIDIA_VISIBLE_DEVICES", "1"),
                ],
            ),
            None,
            vec![
                row(CudaVisible, "0", &[], true),
                row(NvidiaVisible, "1", &[b], false),
            ],
            Some(b),
        ),
        (
            "within a reservation its indices count the reserved cards alone",
            container(
                &["1"],
                &[
                    ("CUDA_VISIBLE_DEVICES", "0"),
                    ("CUDA_DEVICE_ORDER", "PCI_BUS_ID"),
                ],
            ),
            None,
            vec![
                row(Reservation, "1", &[b], false),
                row(CudaVisible, "0", &[], true),
            ],
            Some(b),
        ),
        (
            "a UUID needs no order",
            container(&[], &[("CUDA_VISIBLE_DEVICES", "GPU-aaaa-1")]),
            Some(0),
            vec![
                row(CudaVisible, a, &[a], false),
                row(Settings, "0", &[a], false),
            ],
            Some(a),
        ),
        (
            "a card that there is not",
            container(&["7"], &[]),
            None,
            vec![row(Reservation, "7", &[], false)],
            None,
        ),
        (
            "empty and odd values",
            container(
                &[],
                &[
                    ("CUDA_VISIBLE_DEVICES", " "),
                    ("NVIDIA_VISIBLE_DEVICES", "void"),
                ],
            ),
            None,
            vec![row(NvidiaVisible, "void", &[], false)],
            None,
        ),
    ];
    for (name, container, settings, all, card) in cases {
        let found = declared::declared(Some(&container), settings, &cards());
        assert_eq!(found.all, all, "{name}");
        assert_eq!(found.card, card.map(uuid), "{name}");
        assert!(!found.conflict, "{name}");
    }
    let conflict = declared::declared(Some(&container(&["1"], &[])), Some(0), &cards());
    assert!(conflict.conflict);
    assert_eq!(conflict.card, Some(uuid(b)), "the reservation decides");
    assert_eq!(
        declared::declared(None, None, &cards()),
        Declared::default()
    );
}

fn measurement(service: &str, finding: Found) -> Measurement {
    Measurement {
        service: id(service),
        at: at(0),
        finding,
        confidence: Confidence::High,
        basis: basis(),
        rounds: Vec::new(),
    }
}

fn basis() -> Basis {
    Basis {
        driver: Some("552.44".to_owned()),
        cards: vec![uuid("GPU-aaaa-1"), uuid("GPU-bbbb-2")],
        engine: Some("28.3.0".to_owned()),
        container: Some("c1".to_owned()),
        compose: Some("h1".to_owned()),
        address: Some("http://127.0.0.1:7860".to_owned()),
    }
}

fn on(card: &str) -> Found {
    Found::Card { uuid: uuid(card) }
}

fn declares(card: Option<&str>) -> Declared {
    Declared {
        card: card.map(uuid),
        ..Declared::default()
    }
}

/// Verdicts of two services that declare the first and the second card.
fn verdicts(first: Found, second: Found, now: Timestamp) -> [Proved; 2] {
    let (a, b) = (id("myia"), id("turbo"));
    let (da, db) = (declares(Some("GPU-aaaa-1")), declares(Some("GPU-bbbb-2")));
    let (ma, mb) = (measurement("myia", first), measurement("turbo", second));
    let all = [
        Compared {
            service: &a,
            declared: &da,
            measured: Some((&ma, basis())),
        },
        Compared {
            service: &b,
            declared: &db,
            measured: Some((&mb, basis())),
        },
    ];
    [0, 1].map(|place| all[place].proved(&all, now).expect("proved"))
}

#[test]
fn a_finding_is_compared_with_the_declaration_and_the_other_services() {
    use PlacementVerdict::{Agrees, CouldNotTell, Cpu, Differs, SharedCard};
    let (a, b) = (|| on("GPU-aaaa-1"), || on("GPU-bbbb-2"));
    let doubt = || Found::Unclear {
        reason: Doubt::Noise,
    };
    for (first, second, expected) in [
        (a(), b(), [Agrees, Agrees]),
        (b(), b(), [SharedCard, Agrees]),
        (a(), a(), [Agrees, SharedCard]),
        (b(), a(), [Differs, Differs]),
        (b(), doubt(), [Differs, CouldNotTell]),
        (Found::Cpu, b(), [Cpu, Agrees]),
    ] {
        let found = verdicts(first.clone(), second.clone(), at(60));
        assert_eq!(
            found.each_ref().map(|p| p.verdict),
            expected,
            "{first:?} {second:?}"
        );
    }
    let [first, second] = verdicts(b(), b(), at(60));
    assert_eq!(first.shared_with, [id("turbo")]);
    assert_eq!(second.shared_with, [id("myia")], "true for it, too");
    assert_eq!(first.swapped_with, None);
    let [first, second] = verdicts(b(), a(), at(60));
    assert_eq!(first.swapped_with, Some(id("turbo")));
    assert_eq!(second.swapped_with, Some(id("myia")));
}

#[test]
fn without_a_declaration_there_is_nothing_to_agree_with() {
    let service = id("myia");
    let nothing = declares(None);
    let measured = measurement("myia", on("GPU-aaaa-1"));
    let alone = Compared {
        service: &service,
        declared: &nothing,
        measured: Some((&measured, basis())),
    };
    let proved = alone.proved(&[], at(1)).expect("proved");
    assert_eq!(proved.verdict, PlacementVerdict::Undeclared);
    let unproved = Compared {
        measured: None,
        ..alone
    };
    assert_eq!(unproved.proved(&[], at(1)), None);
}

#[test]
fn declarations_that_contradict_each_other_agree_with_nothing() {
    let service = id("myia");
    let declared = declared::declared(Some(&container(&["1"], &[])), Some(0), &cards());
    let verdict = |card| {
        let measured = measurement("myia", on(card));
        let alone = Compared {
            service: &service,
            declared: &declared,
            measured: Some((&measured, basis())),
        };
        let proved = alone.proved(&[], at(1)).expect("proved");
        assert!(!proved.is_right());
        proved.verdict
    };
    let conflicting = PlacementVerdict::Conflicting;
    assert_eq!(verdict("GPU-aaaa-1"), conflicting);
    assert_eq!(verdict("GPU-bbbb-2"), conflicting);
    assert!(!conflicting.is_wrong());
    assert_eq!(verdict("GPU-cccc-3"), PlacementVerdict::Differs);
}

#[test]
fn what_was_found_stays_when_the_next_proof_could_not_tell() {
    let mut proofs = Proofs::default();
    let reason = Doubt::Unsteady;
    let doubt = |second| Measurement {
        at: at(second),
        ..measurement("myia", Found::Unclear { reason })
    };
    proofs.take(doubt(1));
    assert_eq!(
        (&proofs.measured, &proofs.unclear),
        (&Some(doubt(1)), &None)
    );
    let found = measurement("myia", on("GPU-aaaa-1"));
    proofs.take(found.clone());
    assert_eq!(proofs.measured, Some(found.clone()));
    proofs.take(doubt(9));
    assert_eq!(proofs.measured, Some(found.clone()), "it is not less true");
    let unclear = UnclearProof { at: at(9), reason };
    assert_eq!(proofs.unclear, Some(unclear));
    proofs.take(found);
    assert_eq!(proofs.unclear, None);
}

#[test]
fn a_proof_from_the_future_has_no_age() {
    let faded = |now| verdicts(on("GPU-aaaa-1"), on("GPU-bbbb-2"), now)[0].faded;
    assert_eq!(faded(at(-60)), None, "clocks are set");
    assert_eq!(faded(at(-3600)), Some(Fading::Clock));
}

#[test]
fn a_proof_fades_with_time_and_with_what_it_rests_on() {
    let [proved, _] = verdicts(on("GPU-aaaa-1"), on("GPU-bbbb-2"), at(7 * 86_400));
    assert_eq!(proved.faded, None, "seven days to the second");
    let [proved, _] = verdicts(on("GPU-bbbb-2"), on("GPU-bbbb-2"), at(7 * 86_400 + 1));
    assert_eq!(proved.faded, Some(Fading::Age));
    assert_eq!(
        proved.shared_with,
        [],
        "what the other one proved has faded as well"
    );
    let now = |change: fn(&mut Basis)| {
        let mut now = basis();
        change(&mut now);
        basis().changed(&now)
    };
    let other = || Some("other".to_owned());
    assert_eq!(now(|_| {}), None);
    assert_eq!(
        now(|b| b.driver = Some("560".to_owned())),
        Some(Fading::Driver)
    );
    let another = |b: &mut Basis| b.cards[0] = uuid("GPU-cccc-3");
    assert_eq!(now(another), Some(Fading::Cards));
    assert_eq!(
        now(|b| drop(b.cards.pop())),
        None,
        "the container that shows it may rest"
    );
    assert_eq!(
        now(|b| b.engine = Some("29".to_owned())),
        Some(Fading::Engine)
    );
    assert_eq!(
        now(|b| b.compose = Some("h2".to_owned())),
        Some(Fading::Compose)
    );
    assert_eq!(
        now(|b| b.container = Some("c2".to_owned())),
        Some(Fading::Container)
    );
    assert_eq!(
        now(|b| b.container = Some(Basis::NO_CONTAINER.to_owned())),
        Some(Fading::Container)
    );
    assert_eq!(
        now(|b| b.address = Some("http://127.0.0.1:7861".to_owned())),
        Some(Fading::Address)
    );
    let before_addresses = Basis {
        address: None,
        ..basis()
    };
    assert_eq!(before_addresses.changed(&basis()), None);
    // What cannot be seen now has not changed.
    assert_eq!(
        now(|b| *b = Basis::default()),
        None,
        "the engine and the cards are away"
    );
    let unknown_before = Basis {
        compose: None,
        ..basis()
    };
    let known_now = Basis {
        compose: other(),
        ..basis()
    };
    assert_eq!(unknown_before.changed(&known_now), Some(Fading::Compose));
}
