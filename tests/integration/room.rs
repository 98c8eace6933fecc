//! Before a picture is asked for: whether its card has room, learned from the pictures before it.

use forgekeeper_domain::{
    error::ErrorCode,
    generation::{GenerationRequest, GenerationVerdict, RoomBasis, RoomVerdict, Seed},
    golden::{GoldenPrompt, GoldenSet},
    job::JobPhase,
};
use forgekeeper_keeper::keeper::KeeperHandle;
use forgekeeper_standin::faults::Fault;

use crate::rig::{Kept, SECOND, holds, id, until};

const SERVICE: &str = "myia-turbo";

fn asked(size: u32) -> GenerationRequest {
    GenerationRequest {
        prompt: "a lighthouse".to_owned(),
        steps: 12,
        width: size,
        height: size,
        seed: Some(Seed(7)),
        ..GenerationRequest::default()
    }
}

async fn room_is(handle: &KeeperHandle, size: u32, verdict: RoomVerdict) {
    holds("the room", 20 * SECOND, async || {
        let room = handle.room(&id(SERVICE), &asked(size)).await;
        room.expect("told").verdict == verdict
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_without_room_is_left_alone_until_a_person_insists() {
    let kept = Kept::start(4.0).await;
    let handle = kept.handle();
    until(&handle, "cards that are read", 20 * SECOND, |state| {
        let cards = &state.hosts[0].gpus.cards;
        cards.len() == 2
            && cards
                .iter()
                .all(|card| card.current && card.shares.is_some())
    })
    .await;
    let first = handle.room(&id(SERVICE), &asked(512)).await.expect("told");
    assert_eq!(first.basis, RoomBasis::Estimated);
    room_is(&handle, 512, RoomVerdict::Enough).await;

    // What one picture took is known for the next.
    let job = handle.generate(&id(SERVICE), asked(512), false).await;
    let ended = handle.wait(&job.expect("begun")).await.expect("ended");
    assert_eq!(ended.phase, JobPhase::Succeeded, "{:?}", ended.error);
    let card = ended.record.expect("a record").card.expect("its card");
    assert!(card.held_before_bytes.is_some(), "{card:?}");
    holds("something learned", 10 * SECOND, async || {
        let room = handle.room(&id(SERVICE), &asked(512)).await.expect("told");
        room.basis == RoomBasis::Learned { generations: 1 } && room.verdict == RoomVerdict::Enough
    })
    .await;

    kept.site
        .inject(Fault::GpuFull, Some(SERVICE))
        .expect("a service of it");
    room_is(&handle, 1024, RoomVerdict::TooLittle).await;
    let refused = handle.generate(&id(SERVICE), asked(1024), false).await;
    let refused = refused.expect_err("no room");
    assert_eq!(refused.code, ErrorCode::GpuMemoryLow);
    assert!(refused.message.contains("GiB"), "{}", refused.message);
    let set = GoldenSet {
        name: "large".to_owned(),
        prompts: vec![GoldenPrompt {
            name: "a".to_owned(),
            request: asked(1024),
        }],
    };
    handle.save_golden_set(set).await.expect("saved");
    let refused = handle.run_golden("large", &id(SERVICE), false).await;
    assert_eq!(refused.expect_err("no room").code, ErrorCode::GpuMemoryLow);

    // Who insists learns what the server says, and nothing is asked twice.
    let job = handle.generate(&id(SERVICE), asked(1024), true).await;
    let ended = handle.wait(&job.expect("begun")).await.expect("ended");
    let record = ended.record.expect("a record");
    assert_eq!(record.verdict, GenerationVerdict::OutOfMemory);
    kept.site
        .clear(Fault::GpuFull, Some(SERVICE))
        .expect("a service of it");
    room_is(&handle, 1024, RoomVerdict::Enough).await;
    assert_eq!(handle.generations(10).await.expect("all").len(), 2);
}
