//! The settings change while everything is watched: what was edited is watched anew, its readers
//! are told, and nothing else is disturbed.

use forgekeeper_domain::{logs::LogQuery, outcome::Status};
use forgekeeper_keeper::state::KeeperState;

use crate::rig::{Place, SECOND, id, service, site, until};

fn green(state: &KeeperState) -> bool {
    state.services.len() == 3 && state.services.iter().all(|v| v.status == Status::Ok)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_engine_was_edited_is_watched_with_all_its_services() {
    let site = site(20.0).await;
    let text = site.config_toml();
    let place = Place::with(&text);
    let keeper = place.keeper().await;
    let handle = keeper.handle();
    until(&handle, "green", 20 * SECOND, green).await;

    // The same engine under another name, then an address where none is, then back again.
    let address = site.engine_url();
    let other = address.replace("127.0.0.1", "localhost");
    assert_ne!(other, address);
    let endpoint = |s: &KeeperState| s.hosts[0].endpoint.clone().unwrap_or_default();
    for engine in [other.as_str(), "tcp://127.0.0.1:9", &address] {
        place.write(text.replace(&address, engine));
        if engine.ends_with(":9") {
            until(&handle, "refused", 10 * SECOND, |s| {
                s.incidents.len() == 1 && s.services.iter().all(|v| v.status != Status::Ok)
            })
            .await;
        } else {
            until(&handle, engine, 20 * SECOND, |s| {
                green(s) && endpoint(s).contains(engine.trim_start_matches("tcp://"))
            })
            .await;
        }
    }
    // Measured anew, and not remembered.
    let now = forgekeeper_keeper::sys::clock::now();
    until(&handle, "new measurements", 15 * SECOND, |s| {
        let rungs = s.services.iter().map(|v| &v.ladder.rungs[4]);
        green(s) && rungs.into_iter().all(|r| r.outcome.checked_at > Some(now))
    })
    .await;
    assert_eq!(keeper.shutdown().await, Vec::<&str>::new());
    site.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_an_edited_service_are_told_and_can_open_its_log_again() {
    let site = site(20.0).await;
    let text = site.config_toml();
    let place = Place::with(&text);
    let keeper = place.keeper().await;
    let handle = keeper.handle();
    until(&handle, "lines", 20 * SECOND, |s| {
        green(s) && s.services.iter().all(|v| v.log.held > 0)
    })
    .await;
    let everything = LogQuery::default();
    let mut edited = handle.logs(&id("myia"), &everything).expect("its log");
    let mut other = handle.logs(&id("comfyui"), &everything).expect("its log");
    assert!(!edited.next().await.expect("held").lines.is_empty());
    other.next().await.expect("held");

    let mut changed = service(&handle.state().borrow(), "myia").map(|s| s.declared_gpu);
    let gpu = changed.take().flatten().map_or(0, |gpu| gpu + 1);
    let mut settings = handle.settings().settings;
    let myia = settings.services.iter_mut().find(|s| s.id == id("myia"));
    let myia = myia.expect("it is there");
    myia.declared_gpu = Some(gpu);
    handle.save_service(myia.clone()).expect("written");

    let ends = async { while edited.next().await.is_some() {} };
    let told = tokio::time::timeout(5 * SECOND, ends).await;
    assert!(told.is_ok(), "its reader waits for lines that never come");
    until(&handle, "read again", 10 * SECOND, |s| {
        service(s, "myia").is_some_and(|v| v.declared_gpu == Some(gpu) && v.log.held > 0)
    })
    .await;
    let mut again = handle.logs(&id("myia"), &everything).expect("its log");
    assert!(!again.next().await.expect("held").lines.is_empty());
    // The neighbour's reader goes on.
    let quiet = async { while other.next().await.is_some() {} };
    assert!(tokio::time::timeout(SECOND, quiet).await.is_err());

    handle.remove_service(&id("myia")).expect("written");
    let ends = async { while again.next().await.is_some() {} };
    assert!(tokio::time::timeout(5 * SECOND, ends).await.is_ok());
    assert_eq!(keeper.shutdown().await, Vec::<&str>::new());
    site.shutdown().await;
}
