//! What the log alone tells: a lost CUDA context opens an incident before anybody asks us for a
//! picture, and the three messages of the founding document never do.

use forgekeeper_domain::{
    action::{Action, RestartTarget},
    job::JobPhase,
    logs::signature::{Blocking, Severity},
    outcome::Status,
};
use forgekeeper_standin::Fault;
use serde_json::json;

use crate::rig::{Kept, SECOND, causes, id, service, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_context_lost_to_somebody_elses_picture_is_an_incident_until_the_program_restarts() {
    let kept = Kept::start(20.0).await;
    let handle = kept.handle();
    kept.site
        .inject(Fault::ImageCudaBroken, Some("myia"))
        .expect("a service of it");
    let api = kept.site.api_url("myia").expect("a service of it");
    let answer = reqwest::Client::new()
        .post(format!("{api}/sdapi/v1/txt2img"))
        .json(&json!({"prompt": "x", "steps": 2, "width": 64, "height": 64}))
        .send()
        .await
        .expect("an answer");
    assert!(answer.status().is_server_error(), "{}", answer.status());
    let lost = ["program.context_lost"];
    until(&handle, "told", 10 * SECOND, |s| causes(s) == lost).await;
    let state = handle.state().borrow().clone();
    let said = serde_json::to_string(&state.incidents[0].evidence).expect("JSON");
    assert!(
        said.contains("illegal memory access") && said.contains("cuda.illegal"),
        "{said}"
    );

    // Time alone does not mend it.
    tokio::time::sleep(3 * SECOND).await;
    assert_eq!(causes(&handle.state().borrow().clone()), lost);
    kept.site
        .clear(Fault::ImageCudaBroken, Some("myia"))
        .expect("a service of it");
    let action = Action::Restart {
        target: RestartTarget::Program,
    };
    let job = handle
        .act(&id("myia"), action, true)
        .await
        .expect("accepted");
    let ended = handle.wait(&job).await.expect("its end");
    assert_eq!(ended.phase, JobPhase::Succeeded, "{ended:?}");
    until(&handle, "mended", 20 * SECOND, |s| s.incidents.is_empty()).await;
    assert_eq!(kept.end().await, Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_three_messages_of_the_founding_document_are_named_and_harmless() {
    let kept = Kept::start(20.0).await;
    let handle = kept.handle();
    let three = [
        ("ext.ldm-missing-cause", Severity::Degraded),
        ("torch.load-futurewarning", Severity::Info),
        ("ext.civitai-basemodel", Severity::Degraded),
    ];
    until(&handle, "all three named", 20 * SECOND, |s| {
        let said = service(s, "myia").map(|s| &s.log.said.findings);
        three.iter().all(|(id, severity)| {
            said.is_some_and(|said| {
                said.iter()
                    .any(|f| f.id == *id && f.severity == *severity && f.blocking == Blocking::No)
            })
        })
    })
    .await;
    let state = handle.state().borrow().clone();
    let of = service(&state, "myia").expect("a service");
    assert_eq!((of.status, causes(&state)), (Status::Ok, vec![]));
    let ldm = of.log.said.findings.iter().find(|f| f.id == three[0].0);
    let names: Vec<&str> = ldm
        .expect("named")
        .names
        .iter()
        .map(|name| name.value.as_str())
        .collect();
    assert!(names.contains(&"attention.py"), "the file: {names:?}");
    let unknown = &of.log.said.unknown;
    assert!(unknown.is_empty(), "nothing else is said: {unknown:?}");
}
