//! Rules of the user's own, from the file to what is told: nothing is restarted on the way.

use std::time::Duration;

use forgekeeper_domain::logs::{
    rules::{Language, RuleDraft},
    signature::{Blocking, Severity},
};
use forgekeeper_keeper::{keeper::KeeperHandle, sys::clock};
use forgekeeper_standin::Fault;
use serde_json::json;

use crate::rig::{Kept, Place, SECOND, causes, id, service, site, until};

/// Asks for a picture that the card cannot make.
async fn lose_the_context(kept: &Kept) {
    kept.site
        .inject(Fault::ImageCudaBroken, Some("myia"))
        .expect("a service of it");
    let api = kept.site.api_url("myia").expect("a service of it");
    reqwest::Client::new()
        .post(format!("{api}/sdapi/v1/txt2img"))
        .json(&json!({"prompt": "x", "steps": 2, "width": 64, "height": 64}))
        .send()
        .await
        .expect("an answer");
}

fn told(handle: &KeeperHandle, name: &str) -> (Vec<String>, u32) {
    let state = handle.state().borrow().clone();
    let said = &service(&state, name).expect("a service of it").log.said;
    let ids = said.findings.iter().map(|f| f.id.clone()).collect();
    (ids, said.silenced)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_silenced_opens_no_incident_for_as_long_as_it_is() {
    let kept = Kept::start(20.0).await;
    let handle = kept.handle();
    lose_the_context(&kept).await;
    let lost = ["program.context_lost"];
    until(&handle, "told", 10 * SECOND, |s| causes(s) == lost).await;

    let silence = |ms: i64| {
        let end = clock::now().checked_add(jiff::SignedDuration::from_millis(ms));
        let end = end.expect("a time");
        handle.silence("cuda.illegal".to_owned(), end)
    };
    silence(3_600_000).expect("silenced");
    until(&handle, "silent", 10 * SECOND, |s| s.incidents.is_empty()).await;
    let (ids, silenced) = told(&handle, "myia");
    assert!(
        !ids.contains(&"cuda.illegal".to_owned()) && silenced == 1,
        "{ids:?}"
    );
    assert_eq!(handle.state().borrow().rules.silenced, 1);

    // It ends by itself; the fault is there still.
    silence(2_000).expect("silenced");
    until(&handle, "told again", 10 * SECOND, |s| causes(s) == lost).await;
    assert_eq!(told(&handle, "myia").1, 0);
    let past = silence(-1).expect_err("the past");
    assert!(past.message.contains("past"), "{past:?}");
    let nobody = handle.silence("no.such".to_owned(), clock::now());
    assert!(
        nobody
            .expect_err("no signature")
            .message
            .contains("no.such")
    );
    assert_eq!(kept.end().await, Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_made_of_a_line_names_the_lines_that_come() {
    let kept = Kept::start(20.0).await;
    let handle = kept.handle();
    lose_the_context(&kept).await;
    let lost = ["program.context_lost"];
    until(&handle, "told", 10 * SECOND, |s| causes(s) == lost).await;

    let line = "RuntimeError: CUDA error: an illegal memory access was encountered";
    let draft = handle.rule_from_line(line, Language::En).expect("a draft");
    let test = handle
        .test_rule(&id("myia"), draft.clone(), None)
        .await
        .expect("tried");
    assert!(test.count > 0 && test.count < test.looked, "{test:?}");
    assert_eq!(test.faults, []);
    let own = RuleDraft {
        id: "own.lost".to_owned(),
        severity: Severity::Degraded,
        blocking: Blocking::No,
        ..draft
    };
    handle.save_rule(own, None).expect("saved");
    assert_eq!(handle.signatures()[0].id, "own.lost");
    until(&handle, "known", 5 * SECOND, |s| s.rules.own == 1).await;
    // The rule takes the place of the built-in message, which would have been an incident.
    lose_the_context(&kept).await;
    let named = async {
        while !told(&handle, "myia").0.contains(&"own.lost".to_owned()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(10 * SECOND, named)
        .await
        .expect("named");
    handle.remove_rule("own.lost".to_owned()).expect("removed");
    until(&handle, "gone", 5 * SECOND, |s| s.rules.own == 0).await;
    assert_eq!(kept.end().await, Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_checks_tries_and_obeys_the_file() {
    let site = site(20.0).await;
    let place = Place::with(&site.config_toml());
    let rules = place.folder.path().join("rules.toml");
    let none = place.ctl(&["rules", "--json"]).await.ends_with(0).json();
    assert_eq!(
        (&none["exists"], &none["rules"]),
        (&json!(false), &json!([]))
    );

    let rule = "[[signature]]\nid = 'own.args'\npattern = 'Launching Web UI with arguments'\nseverity = 'warning'\n[signature.en]\ntitle = 'It was launched'\n";
    std::fs::write(&rules, rule).expect("written");
    let listed = place.ctl(&["rules"]).await.ends_with(0);
    assert!(listed.stdout.contains("own.args"), "{listed:?}");
    let tried = place
        .ctl(&["rules", "test", "Launching Web", "myia", "--json"])
        .await
        .ends_with(0)
        .json();
    assert_eq!(tried["service"], "myia");
    assert!(tried["count"].as_u64() > Some(0), "{tried}");
    let explained = place
        .ctl(&["logs", "myia", "--problems", "--explain"])
        .await
        .ends_with(0);
    assert!(
        explained
            .stdout
            .contains("= It was launched (works as before; worth a look)"),
        "{explained:?}"
    );

    std::fs::write(&rules, rule.replace("'warning'", "'waning'")).expect("written");
    let broken = place.ctl(&["rules"]).await.ends_with(2);
    let words = "rules.toml:4: error: `severity` cannot be `waning`; did you mean `warning`?";
    assert!(broken.stderr.contains(words), "{broken:?}");
    let checked = place
        .ctl(&["rules", "check", "--json"])
        .await
        .ends_with(2)
        .json();
    assert_eq!(checked["problems"][0]["line"], 4);
    place
        .ctl(&["rules", "check", "no-such.toml"])
        .await
        .ends_with(2);
    place
        .ctl(&["rules", "test", "(", "myia"])
        .await
        .ends_with(2);
    let warned = place
        .ctl(&["logs", "myia", "--tail", "1"])
        .await
        .ends_with(0);
    assert!(warned.stderr.contains("are not used: line 4"), "{warned:?}");
    site.shutdown().await;
}
