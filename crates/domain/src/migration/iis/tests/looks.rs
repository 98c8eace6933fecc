//! What looks prove.

use super::*;

fn service(kind: KindId, mark: &str, ms: u32) -> Look {
    let mark = mark.to_owned();
    Look {
        answer: Answer::Service { kind, mark },
        ms: Some(ms),
    }
}

fn pair(public: Look) -> Pair {
    Pair {
        public,
        direct: service(KindId::Comfyui, "a", 4),
    }
}

fn comfy(ms: u32) -> Pair {
    pair(service(KindId::Comfyui, "a", ms))
}

fn answered(answer: Answer) -> Pair {
    pair(Look { answer, ms: None })
}

const SPEAKS: SocketAnswer = SocketAnswer::Speaks { ms: 5 };

fn verdict(
    pairs: &[Pair],
    sockets: (SocketAnswer, SocketAnswer),
    before: Access,
    now: Access,
) -> Result<(), Trouble> {
    let found = compare(pairs, sockets, now, true);
    judge(
        &found,
        Want {
            kind: KindId::Comfyui,
            before,
        },
    )
}

#[test]
fn each_way_to_fail_has_its_name() {
    let good = || vec![comfy(9), comfy(7), comfy(30)];
    let plain = || (SPEAKS, SocketAnswer::NotTried);
    let open = Access::Open;
    assert_eq!(verdict(&good(), plain(), open, open), Ok(()));
    assert_eq!(
        verdict(&good(), plain(), Access::Asked, open),
        Err(Trouble::OpenNow)
    );
    assert_eq!(
        verdict(&good(), plain(), Access::Asked, Access::Unknown),
        Err(Trouble::OpenNow)
    );
    assert_eq!(verdict(&[], plain(), open, open), Err(Trouble::ServiceDown));
    let refused = || SocketAnswer::Refused { status: 403 };
    assert_eq!(
        verdict(&good(), (refused(), SPEAKS), open, open),
        Err(Trouble::HostLost)
    );
    assert_eq!(
        verdict(&good(), (refused(), refused()), open, open),
        Err(Trouble::SocketBlocked)
    );
    assert_eq!(
        verdict(&good(), (SocketAnswer::Mute, SPEAKS), open, open),
        Err(Trouble::SocketBlocked)
    );
    let nobody = Answer::Nobody {
        layer: Layer::Dns,
        why: "no such name".to_owned(),
    };
    for (answer, trouble) in [
        (nobody, Trouble::Nobody),
        (
            Answer::Proxy {
                status: "502.3".to_owned(),
            },
            Trouble::ProxyFails,
        ),
        (
            Answer::Proxy {
                status: "500.19".to_owned(),
            },
            Trouble::ConfigBroken,
        ),
        (Answer::Asks { status: 401 }, Trouble::AsksCredentials),
        (Answer::Other { status: 200 }, Trouble::OtherService),
        (service(KindId::Forge, "f", 1).answer, Trouble::OtherService),
        (
            service(KindId::Comfyui, "another", 1).answer,
            Trouble::OtherService,
        ),
    ] {
        assert_eq!(
            verdict(&[answered(answer)], plain(), open, open),
            Err(trouble)
        );
    }
    let mut mixed = good();
    mixed.push(pair(service(KindId::Comfyui, "b", 3)));
    assert_eq!(verdict(&mixed, plain(), open, open), Err(Trouble::Unsteady));
    let down = Pair {
        public: service(KindId::Comfyui, "a", 1),
        direct: service(KindId::Forge, "f", 1),
    };
    assert_eq!(
        verdict(&[down], plain(), open, open),
        Err(Trouble::ServiceDown)
    );
}

#[test]
fn medians_and_evidence_hold_what_was_measured_and_nothing_else() {
    let found = compare(
        &[comfy(9), comfy(7), comfy(30)],
        (SPEAKS, SocketAnswer::NotTried),
        Access::Unknown,
        false,
    );
    assert_eq!((found.public_ms, found.direct_ms), (Some(9), Some(4)));
    let evidence = found.evidence();
    let value = |name: &str| {
        evidence
            .iter()
            .find(|e| e.name == name)
            .map(|e| e.value.as_str())
    };
    assert_eq!(value("same_service"), Some("3/3"));
    assert_eq!(value("public_answer"), Some("comfyui a"));
    assert_eq!(value("encrypted"), Some("false"));
    assert_eq!(value("public_access"), None);
    let none = compare(
        &[answered(Answer::Other { status: 500 })],
        (SocketAnswer::NotTried, SocketAnswer::NotTried),
        Access::Open,
        true,
    );
    assert_eq!(none.public_ms, None);
    assert!(
        none.evidence()
            .iter()
            .all(|e| e.name != "public_ms" && e.name != "websocket")
    );
}
