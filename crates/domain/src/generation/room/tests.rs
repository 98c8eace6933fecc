use super::*;
use crate::{
    Timestamp,
    generation::CardUse,
    gpu::{
        GpuSample,
        shares::{Holder, Remainder, Share, ShareSource, Shares},
    },
    ids::{HostId, JobId},
    outcome::Outcome,
};

fn service() -> ServiceId {
    ServiceId::new("myia").unwrap()
}

fn asked(size: u32, model: Option<&str>) -> GenerationRequest {
    GenerationRequest {
        prompt: "a cat".to_owned(),
        width: size,
        height: size,
        model: model.map(str::to_owned),
        ..GenerationRequest::default()
    }
}

/// Others held `others`, the service `held`, and at the peak it held `peak` (GiB).
fn made(size: u32, model: &str, [others, held, peak]: [f64; 3]) -> GenerationRecord {
    GenerationRecord {
        id: JobId::new("j").unwrap(),
        service: service(),
        request: asked(size, None),
        workflow: None,
        started_at: Timestamp::UNIX_EPOCH,
        took_ms: 1,
        verdict: GenerationVerdict::Proved,
        pictures: Vec::new(),
        substitutions: Vec::new(),
        parameters: None,
        model: Some(model.to_owned()),
        error: None,
        timing: None,
        card: Some(CardUse {
            host: HostId::new("local").unwrap(),
            uuid: GpuUuid::new("GPU-a").unwrap(),
            name: "card".to_owned(),
            memory_before_bytes: Some((others + held) * GIB),
            held_before_bytes: Some(held * GIB),
            memory_peak_bytes: Some((others + peak) * GIB),
            load_percent: None,
            proved: true,
        }),
        on_cpu: false,
    }
}

fn card(free: Option<f64>, held: Option<f64>) -> GpuCard {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A few GiB.
    let bytes = |gib: f64| (gib * GIB) as u64;
    GpuCard {
        latest: GpuSample {
            memory_free: free.map(bytes),
            ..GpuSample::unread(
                GpuUuid::new("GPU-a").unwrap(),
                0,
                "card",
                Timestamp::UNIX_EPOCH,
            )
        },
        load_history: Vec::new(),
        current: true,
        outcome: Outcome::ok(Timestamp::UNIX_EPOCH),
        remarks: Vec::new(),
        shares: Some(Shares {
            shares: held
                .map(|held| Share {
                    holder: Holder::Service { id: service() },
                    source: ShareSource::Reported,
                    memory: Some(bytes(held)),
                    at_least: false,
                    claimed: None,
                    load_percent: None,
                })
                .into_iter()
                .collect(),
            remainder: Remainder::default(),
            ..Shares::default()
        }),
    }
}

fn gib(room: &Room) -> f64 {
    room.needed_bytes / GIB
}

#[test]
fn without_a_past_the_models_name_and_the_size_tell() {
    let needs = |size, model| gib(&room(&service(), &asked(size, model), &[], None));
    assert!((2.0..3.0).contains(&needs(512, Some("dreamshaper.safetensors"))));
    assert!((2.0..3.0).contains(&needs(512, None)));
    assert!((7.0..8.0).contains(&needs(
        1024,
        Some("sd_xl_base_1.0.safetensors [31e35c80fc]")
    )));
    assert!((8.0..10.0).contains(&needs(1024, Some("flux1-dev-bnb-nf4-v2"))));
    assert!(needs(2048, None) > needs(1024, None) + 5.0);
}

#[test]
fn peaks_are_learned_without_what_others_held_then() {
    let past = [
        made(512, "SD/Dream.safetensors [abc]", [6.0, 0.2, 3.0]),
        made(512, "dream", [1.0, 2.4, 2.9]),
        made(512, "other", [0.0, 0.0, 20.0]),
    ];
    let known = room(
        &service(),
        &asked(512, Some("dream.safetensors")),
        &past,
        None,
    );
    assert_eq!(known.basis, RoomBasis::Learned { generations: 2 });
    assert!((gib(&known) - 3.0 * UNSEEN).abs() < 1e-6, "{}", gib(&known));
    // Without a name it is the model of the last picture.
    assert_eq!(
        room(&service(), &asked(512, None), &past, None).basis,
        known.basis
    );
}

#[test]
fn what_proved_nothing_teaches_nothing() {
    let mut failed = made(512, "dream", [0.0, 0.0, 9.0]);
    failed.verdict = GenerationVerdict::OutOfMemory;
    let mut untold = made(512, "dream", [0.0, 0.0, 9.0]);
    untold.card.as_mut().unwrap().held_before_bytes = None;
    let known = room(
        &service(),
        &asked(512, Some("dream")),
        &[failed, untold],
        None,
    );
    assert_eq!(known.basis, RoomBasis::Estimated);
}

#[test]
fn other_sizes_lie_between_their_neighbours() {
    let past = [
        made(512, "m", [0.0, 0.0, 3.0]),
        made(1024, "m", [0.0, 0.0, 3.5]),
    ];
    let needs = |size| gib(&room(&service(), &asked(size, Some("m")), &past, None)) / UNSEEN;
    assert!((needs(512) - 3.0).abs() < 1e-6);
    assert!((3.0..=3.5).contains(&needs(768)), "{}", needs(768));
    assert!(needs(256) <= 3.0);
    assert!(needs(2048) > 3.5 + 5.0, "{}", needs(2048));
}

#[test]
fn what_the_service_holds_itself_is_room_and_what_is_not_told_refuses_nothing() {
    let past = [made(512, "m", [0.0, 0.0, 6.0])];
    let verdict =
        |card: Option<&GpuCard>| room(&service(), &asked(512, Some("m")), &past, card).verdict;
    for (free, held, expected) in [
        (Some(7.0), Some(0.0), RoomVerdict::Enough),
        (Some(7.0), None, RoomVerdict::Enough),
        (Some(2.0), Some(5.0), RoomVerdict::Enough),
        (Some(2.0), Some(1.0), RoomVerdict::TooLittle),
        (Some(2.0), None, RoomVerdict::Unknown),
        (None, Some(5.0), RoomVerdict::Unknown),
    ] {
        assert_eq!(
            verdict(Some(&card(free, held))),
            expected,
            "{free:?} {held:?}"
        );
    }
    assert_eq!(verdict(None), RoomVerdict::Unknown);
    let mut hidden = card(Some(2.0), Some(1.0));
    hidden.shares.as_mut().unwrap().shares[0].at_least = true;
    assert_eq!(verdict(Some(&hidden)), RoomVerdict::Unknown);
}
