//! The settings change while everything is watched: what was edited is watched anew, its readers
//! are told, and nothing else is disturbed.

use forgekeeper_domain::{action::Action, logs::LogQuery, outcome::Status};
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
async fn readers_of_an_edited_service_go_on_and_end_when_it_is_taken_out() {
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
    let mut read = edited.next().await.expect("held").lines;
    assert!(!read.is_empty());
    other.next().await.expect("held");

    // What is not about the log leaves it as it is.
    let settings = handle.settings().settings;
    let mut myia = settings.services.into_iter().find(|s| s.id == id("myia"));
    let myia = myia.as_mut().expect("it is there");
    let gpu = myia.declared_gpu.map_or(0, |gpu| gpu + 1);
    myia.declared_gpu = Some(gpu);
    handle.save_service(myia.clone()).expect("written");
    until(&handle, "read again", 20 * SECOND, |s| {
        green(s) && service(s, "myia").is_some_and(|v| v.declared_gpu == Some(gpu))
    })
    .await;
    let stop = handle.act(&id("myia"), Action::Stop, false).await;
    handle
        .wait(&stop.expect("accepted"))
        .await
        .expect("its end");
    let goes_on = async {
        let mut new = Vec::new();
        while new.is_empty() {
            new = edited.next().await.expect("it goes on").lines;
        }
        read.extend(new);
    };
    let told = tokio::time::timeout(5 * SECOND, goes_on).await;
    assert!(told.is_ok(), "its reader waits for lines that never come");
    let mut numbers: Vec<u32> = read.iter().map(|line| line.seq).collect();
    assert!(numbers.is_sorted());
    numbers.dedup();
    assert_eq!(numbers.len(), read.len(), "each line once");
    let mut texts: Vec<_> = read.iter().map(|line| (line.at, &line.text)).collect();
    let all = texts.len();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), all, "each line once");

    // Another container: its own past comes, and nothing of the old one is held.
    handle.remove_service(&id("comfyui")).expect("written");
    let ends = async { while other.next().await.is_some() {} };
    let told = tokio::time::timeout(5 * SECOND, ends).await;
    assert!(told.is_ok(), "its reader waits for lines that never come");
    myia.container = "comfyui-candidate".to_owned();
    handle.save_service(myia.clone()).expect("written");
    let last = numbers.last().copied();
    let comes = async {
        loop {
            let batch = edited.next().await.expect("it goes on");
            if let Some(first) = batch.lines.first() {
                return (first.clone(), batch);
            }
        }
    };
    let (first, batch) = tokio::time::timeout(10 * SECOND, comes)
        .await
        .expect("in time");
    assert!(Some(first.seq) > last, "{first:?}");
    assert_eq!(batch.dropped, 0);
    let mut again = handle.logs(&id("myia"), &everything).expect("its log");
    let held = again.next().await.expect("held").lines;
    assert_eq!(held.first().map(|line| line.seq), Some(first.seq));
    assert_eq!(keeper.shutdown().await, Vec::<&str>::new());
    site.shutdown().await;
}
