use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{super::tests::good_answer, *};

fn answer(status: u16, body: &str) -> HttpAnswer {
    HttpAnswer {
        status,
        content_type: Some("application/json".to_owned()),
        location: None,
        challenge: None,
        body: Bytes::from(body.to_owned()),
        cut: None,
        took: Duration::from_millis(5),
        ready: Duration::ZERO,
    }
}

fn with_info(images: &Value, info: &Value) -> GenerationOutcomeRaw {
    let body = json!({ "images": images, "info": info.to_string() });
    read(
        &GenerationRequest::default(),
        &answer(200, &body.to_string()),
        false,
        false,
    )
}

#[test]
fn grids_and_extras_are_left_out() {
    let images = json!(["AAAA", "AAAB", "AAAC", "AAAD"]);
    let info = json!({"all_seeds": [5, 6], "index_of_first_image": 1, "infotexts": ["grid", "one", "two"]});
    let outcome = with_info(&images, &info);
    assert_eq!(
        outcome.pictures,
        [
            Bytes::from_static(b"\0\0\x01"),
            Bytes::from_static(b"\0\0\x02")
        ]
    );
    assert_eq!(outcome.infotexts, ["one", "two"]);
    assert_eq!(outcome.seeds, [Seed(5), Seed(6)]);
    // Fewer pictures than seeds, as after an interrupt.
    let outcome = with_info(
        &json!(["AAAA"]),
        &json!({"all_seeds": [5, 6, 7], "index_of_first_image": 9}),
    );
    assert_eq!((outcome.pictures.len(), outcome.seeds.len()), (1, 1));
}

#[test]
fn an_info_that_cannot_be_read_costs_no_picture() {
    let body = json!({ "images": ["AAAA"], "info": "no JSON" }).to_string();
    let outcome = read(
        &GenerationRequest::default(),
        &answer(200, &body),
        false,
        false,
    );
    assert_eq!(
        (outcome.pictures.len(), outcome.model, outcome.failure),
        (1, None, None)
    );
    let outcome = with_info(
        &json!(["AAAA"]),
        &json!({"seed": "odd", "all_seeds": [u64::MAX], "sd_model_name": "beta"}),
    );
    assert_eq!(
        (outcome.seeds.as_slice(), outcome.model.as_deref()),
        ([Seed(u64::MAX)].as_slice(), Some("beta"))
    );
}

#[test]
fn answers_without_a_usable_picture_are_failures() {
    let request = GenerationRequest::default();
    let verdict = |answer: &HttpAnswer, interrupted| {
        read(&request, answer, false, interrupted)
            .failure
            .map(|(verdict, info)| (verdict, info.code))
    };
    let api = Some((GenerationVerdict::Failed, ErrorCode::Api));
    let none = json!({"images": [], "info": "{}"}).to_string();
    assert_eq!(verdict(&answer(200, &none), false), api);
    assert_eq!(
        verdict(&answer(200, &none), true),
        None,
        "an interrupt may come before any picture"
    );
    assert_eq!(
        verdict(&answer(200, "{\"images\": [\"*\"]}"), false),
        Some((GenerationVerdict::Undecodable, ErrorCode::BadPicture))
    );
    assert_eq!(verdict(&answer(200, "[]"), false), api);
    assert_eq!(
        verdict(
            &HttpAnswer {
                content_type: Some("text/html".to_owned()),
                ..answer(200, "<p>")
            },
            false
        ),
        api
    );
    let cut = |cut| HttpAnswer {
        cut: Some(cut),
        ..answer(200, &good_answer())
    };
    assert_eq!(verdict(&cut(Cut::TooLarge { limit: 1 }), false), api);
    assert_eq!(
        verdict(
            &cut(Cut::Broken {
                reason: String::new()
            }),
            false
        ),
        api
    );
}

#[test]
fn silent_replacements_are_found() {
    let asked = |sampler: &str, scheduler: &str, model: &str| GenerationRequest {
        sampler: Some(sampler.to_owned()),
        scheduler: Some(scheduler.to_owned()),
        model: Some(model.to_owned()),
        seed: Some(Seed(5)),
        ..GenerationRequest::default()
    };
    let info = |sampler: &str, schedule: &str, model: &str| Info {
        seed: Some(5),
        steps: Some(20),
        sampler_name: Some(sampler.to_owned()),
        sd_model_name: Some(model.to_owned()),
        sd_model_hash: Some("b1e372b56c".to_owned()),
        infotexts: vec![format!(
            "x\nSteps: 20, Sampler: {sampler}, Schedule type: {schedule}, Seed: 5"
        )],
        ..Info::default()
    };
    let found = |request: &GenerationRequest, info: &Info| -> Vec<String> {
        substitutions(request, info, info.infotexts.first().map(String::as_str))
            .into_iter()
            .map(|s| format!("{}: {} -> {}", s.field, s.asked, s.used))
            .collect()
    };
    let none: [&str; 0] = [];
    // The same by another name.
    for (request, info) in [
        (
            asked("Euler", "Karras", "beta"),
            info("Euler", "Karras", "beta"),
        ),
        (
            asked("euler", "sgm_uniform", "xl/beta.safetensors"),
            info("Euler", "SGM Uniform", "xl_beta"),
        ),
        (
            asked(
                "DPM++ 2M Karras",
                "Automatic",
                "beta.safetensors [b1e372b56c]",
            ),
            info("DPM++ 2M", "Karras", "other"),
        ),
        (
            asked("Euler", "automatic", "xl\\beta.ckpt"),
            info("Euler", "Exponential", "beta"),
        ),
    ] {
        assert_eq!(found(&request, &info), none, "{request:?}");
    }
    let odd = Info {
        seed: Some(6),
        steps: Some(19),
        ..info("DPM++ 2M", "Automatic", "slim")
    };
    assert_eq!(
        found(&asked("Nonsense", "Karras", "beta"), &odd),
        [
            "sampler: Nonsense -> DPM++ 2M",
            "scheduler: Karras -> Automatic",
            "model: beta -> slim",
            "steps: 20 -> 19",
            "seed: 5 -> 6"
        ]
    );
    // Nothing asked, nothing replaced.
    let silent = GenerationRequest::default();
    assert_eq!(found(&silent, &info("DPM++ 2M", "Karras", "slim")), none);
}
