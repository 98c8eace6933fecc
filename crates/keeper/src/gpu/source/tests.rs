use std::sync::Mutex;

use forgekeeper_domain::{cause::Cause, outcome::Status};

use super::*;

const TABLE: &str = "index, name, pci.bus_id, driver_version, utilization.gpu [%], \
    memory.used [MiB], memory.total [MiB], temperature.gpu, power.draw [W], \
    enforced.power.limit [W], uuid\n\
    0, RTX 3080, 00000000:0A:00.0, 552.44, 37, 4096, 10240, 61, 215.5, 320, GPU-a\n";
const OTHER: &str = "index, name, pci.bus_id, driver_version, utilization.gpu [%], \
    memory.used [MiB], memory.total [MiB], temperature.gpu, power.draw [W], \
    enforced.power.limit [W], uuid\n\
    0, RTX 3090, 00000000:01:00.0, 552.44, [N/A], 1, 24576, 40, [N/A], [N/A], GPU-b\n";
const TEMPERATURES: &str = "GPU 00000000:0A:00.0\n    GPU Slowdown Temp : 95 C\n";

type Answer = Result<String, String>;

/// What each container answers now, and what was run.
#[derive(Clone, Default)]
struct Site {
    tables: Arc<Mutex<Vec<(&'static str, Answer)>>>,
    runs: Arc<Mutex<Vec<String>>>,
}

impl Site {
    fn say(&self, tables: &[(&'static str, Result<&str, &str>)]) {
        let tables = tables
            .iter()
            .map(|(name, answer)| (*name, answer.map(str::to_owned).map_err(str::to_owned)));
        *self.tables.lock().expect("lock") = tables.collect();
    }

    fn exec(&self) -> GpuExec {
        let site = self.clone();
        Arc::new(move |container, argv| {
            site.runs
                .lock()
                .expect("lock")
                .push(format!("{container} {}", argv.join(" ")));
            let answer = if argv.contains(&"TEMPERATURE".to_owned()) {
                Ok(TEMPERATURES.to_owned())
            } else {
                let tables = site.tables.lock().expect("lock");
                let found = tables.iter().find(|(name, _)| *name == container);
                found.map_or_else(
                    || Err("no such container".to_owned()),
                    |(_, answer)| answer.clone(),
                )
            };
            Box::pin(async move { answer })
        })
    }
}

struct Bench {
    view: watch::Receiver<Arc<GpuView>>,
    place: watch::Sender<GpuPlace>,
    visible: watch::Sender<bool>,
    tasks: Tasks,
}

/// Containers with the cards they were given.
fn place(local: bool, containers: &[(&str, &[&str])]) -> GpuPlace {
    let containers = containers.iter().map(|(name, ids)| GpuContainer {
        name: (*name).to_owned(),
        device_ids: ids.iter().map(|&id| id.to_owned()).collect(),
    });
    GpuPlace {
        known: true,
        local,
        login_each_time: false,
        containers: containers.collect(),
    }
}

fn start(site: &Site, containers: &[&str], local: bool) -> Bench {
    let containers: Vec<_> = containers.iter().map(|&name| (name, &[][..])).collect();
    start_at(site, place(local, &containers))
}

fn start_at(site: &Site, first: GpuPlace) -> Bench {
    let (place, asked) = watch::channel(first);
    let (visible, seen) = watch::channel(true);
    let tasks = Tasks::new();
    let lib_path = Some(PathBuf::from("no-such-library-anywhere.so"));
    let config = GpuConfig {
        lib_path,
        exec: Some(site.exec()),
        place: asked,
        visible: seen,
        minutes: None,
    };
    Bench {
        view: GpuActor::spawn(&tasks, config).view(),
        place,
        visible,
        tasks,
    }
}

impl Bench {
    async fn until(&mut self, what: &str, good: impl FnMut(&Arc<GpuView>) -> bool) -> Arc<GpuView> {
        let waited = tokio::time::timeout(Duration::from_secs(15), self.view.wait_for(good))
            .await
            .map(|view| view.expect("the actor lives").clone());
        if let Ok(view) = waited {
            return view;
        }
        panic!("{what} did not come: {:?}", self.view.borrow())
    }
}

#[tokio::test]
async fn without_any_source_it_says_what_was_tried() {
    let site = Site::default();
    let mut bench = start(&site, &[], true);
    let view = bench
        .until("a verdict", |view| view.checked_at.is_some())
        .await;
    let GpuSourceInfo::None { tried } = &view.source else {
        panic!("{view:?}")
    };
    assert!(
        tried[0].starts_with("NVML: the NVML library cannot be opened"),
        "{tried:?}"
    );
    assert_eq!(tried[1], "nvidia-smi: no running container to ask");
    assert_eq!(view.cards, []);
    assert!(view.error.is_some());
    assert_eq!(bench.tasks.shutdown(Duration::from_secs(5)).await, [""; 0]);
}

/// Seen on a machine with a card: the news of the place came together with another, was read past,
/// and the driver was never asked.
#[tokio::test]
async fn this_machine_is_asked_however_the_news_of_it_comes() {
    for round in 0..24 {
        let mut bench = start_at(&Site::default(), GpuPlace::default());
        tokio::task::yield_now().await;
        bench.visible.send_replace(true);
        bench.place.send_replace(place(true, &[]));
        let view = bench
            .until("a verdict", |view| view.checked_at.is_some())
            .await;
        let said = view.error.clone().unwrap_or_default();
        assert!(said.contains("NVML: "), "round {round}: {said}");
        assert_eq!(bench.tasks.shutdown(Duration::from_secs(5)).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_container_that_appears_becomes_the_source() {
    let site = Site::default();
    site.say(&[("one", Ok(TABLE))]);
    let mut bench = start(&site, &[], true);
    bench
        .until("nothing", |view| view.checked_at.is_some())
        .await;
    bench
        .place
        .send(place(true, &[("one", &[])]))
        .expect("heard");
    let view = bench.until("a card", |view| !view.cards.is_empty()).await;
    assert_eq!(
        view.source,
        GpuSourceInfo::NvidiaSmi {
            container: "one".to_owned(),
            driver: Some("552.44".to_owned())
        }
    );
    let card = &view.cards[0];
    assert_eq!(
        (card.latest.load_percent, card.latest.slowdown_c),
        (Some(37), Some(95))
    );
    assert_eq!(
        (card.current, card.outcome.status, view.error.as_deref()),
        (true, Status::Ok, None)
    );
}

#[tokio::test]
async fn cards_of_several_containers_are_put_together() {
    let site = Site::default();
    site.say(&[
        ("one", Ok(TABLE)),
        ("two", Ok(OTHER)),
        ("three", Ok(TABLE)),
        ("bare", Err("not found")),
    ]);
    let mut bench = start(&site, &["one", "two", "three"], false);
    let view = bench.until("two cards", |view| view.cards.len() == 2).await;
    let cards: Vec<(u32, &str, Option<f64>)> = view
        .cards
        .iter()
        .map(|c| (c.latest.index, c.latest.name.as_str(), c.latest.power_w))
        .collect();
    assert_eq!(
        cards,
        [(0, "RTX 3090", None), (1, "RTX 3080", Some(215.5))],
        "in PCI order"
    );
    let GpuSourceInfo::NvidiaSmi { container, .. } = &view.source else {
        panic!("{view:?}")
    };
    assert_eq!(container, "one, two");
    // The third shows nothing new and is left alone from the second round on.
    let first = view.checked_at;
    bench
        .until("another round", |view| view.checked_at != first)
        .await;
    let runs = site.runs.lock().expect("lock");
    assert_eq!(
        runs.iter()
            .filter(|run| run.starts_with("three nvidia-smi --query"))
            .count(),
        1,
        "{runs:?}"
    );
}

#[tokio::test]
async fn a_card_keeps_the_number_of_the_host_where_the_container_was_given_it() {
    let site = Site::default();
    site.say(&[("two", Ok(OTHER))]);
    let mut bench = start(&site, &[], false);
    bench
        .place
        .send(place(false, &[("two", &["1"])]))
        .expect("heard");
    let view = bench.until("a card", |view| !view.cards.is_empty()).await;
    assert_eq!(view.cards[0].latest.index, 1);
}

#[tokio::test]
async fn a_container_that_joins_shows_its_card_at_once() {
    let site = Site::default();
    site.say(&[("one", Ok(TABLE)), ("two", Ok(OTHER))]);
    let mut bench = start(&site, &["one"], false);
    bench.until("a card", |view| !view.cards.is_empty()).await;
    bench
        .place
        .send(place(false, &[("one", &[]), ("two", &[])]))
        .expect("heard");
    bench.until("the other", |view| view.cards.len() == 2).await;
}

#[tokio::test]
async fn one_container_without_nvidia_smi_does_not_have_all_asked_every_time() {
    let site = Site::default();
    site.say(&[("one", Ok(TABLE)), ("bare", Err("not found"))]);
    let mut bench = start(&site, &["one", "bare"], false);
    let mut last = None;
    for _ in 0..3 {
        let view = bench.until("a round", |view| view.checked_at != last).await;
        last = view.checked_at;
    }
    let runs = site.runs.lock().expect("lock");
    let asked = runs.iter().filter(|run| run.starts_with("bare")).count();
    assert_eq!(asked, 1, "{runs:?}");
}

#[tokio::test]
async fn the_cards_of_this_machine_are_not_shown_for_another() {
    let site = Site::default();
    site.say(&[("one", Ok(TABLE))]);
    let mut bench = start(&site, &["one"], true);
    bench.until("a card", |view| !view.cards.is_empty()).await;
    site.say(&[("far", Ok(OTHER))]);
    bench
        .place
        .send(place(false, &[("far", &[])]))
        .expect("heard");
    let view = bench
        .until("the other card", |view| {
            view.cards.iter().any(|c| c.latest.name == "RTX 3090")
        })
        .await;
    assert_eq!(view.cards.len(), 1, "{view:?}");
}

#[tokio::test]
async fn a_lost_card_keeps_its_name_and_says_so() {
    let site = Site::default();
    site.say(&[("one", Ok(TABLE))]);
    let mut bench = start(&site, &["one"], false);
    bench.until("a card", |view| !view.cards.is_empty()).await;
    let lost = "Unable to determine the device handle for GPU0000:0A:00.0: GPU is lost.  Reboot the system to recover this GPU";
    site.say(&[("one", Ok(lost))]);
    let view = bench
        .until("the loss", |view| {
            view.cards
                .iter()
                .any(|c| c.outcome.cause == Some(Cause::GpuLost))
        })
        .await;
    assert_eq!(view.cards.len(), 1, "{view:?}");
    assert_eq!(view.cards[0].latest.uuid.as_str(), "GPU-a");
    site.say(&[("one", Ok(TABLE))]);
    bench
        .until("the return", |view| {
            view.cards[0].outcome.status == Status::Ok
        })
        .await;
}

#[tokio::test]
async fn a_source_that_fails_is_named_and_its_cards_fade() {
    let site = Site::default();
    site.say(&[("one", Ok(TABLE))]);
    let mut bench = start(&site, &["one"], false);
    bench.until("a card", |view| !view.cards.is_empty()).await;
    site.say(&[("one", Err("the engine is gone"))]);
    let view = bench
        .until("the failure", |view| view.error.is_some())
        .await;
    assert_eq!(
        view.source,
        GpuSourceInfo::None {
            tried: vec!["nvidia-smi in one: the engine is gone".to_owned()]
        }
    );
    let view = bench
        .until("the fading", |view| !view.cards[0].current)
        .await;
    assert_eq!(view.cards[0].outcome.status, Status::Unknown);
    assert_eq!(
        view.cards[0].latest.load_percent,
        Some(37),
        "the last value stays, marked as old"
    );
    site.say(&[("one", Ok(TABLE))]);
    bench
        .until("the return", |view| {
            view.error.is_none() && view.cards[0].current
        })
        .await;
}

#[tokio::test]
async fn an_older_driver_is_asked_without_the_columns_that_it_does_not_know() {
    let runs = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&runs);
    let exec: GpuExec = Arc::new(move |_, argv| {
        let question = argv.join(" ");
        asked.lock().expect("lock").push(question.clone());
        let unknown = ["utilization.encoder", "utilization.decoder"]
            .into_iter()
            .find(|column| question.contains(column));
        let answer = match unknown {
            Some(column) => format!("Field \"{column}\" is not a valid field to query.\n\n"),
            None => TABLE.to_owned(),
        };
        Box::pin(async move { Ok(answer) })
    });
    let mut smi = SmiSource::default();
    let containers = place(false, &[("one", &[])]).containers;
    for _ in 0..2 {
        let round = smi.read(&exec, &containers).await.expect("read");
        assert_eq!(round.reading.samples.len(), 1);
        assert_eq!(round.reading.samples[0].encoder_percent, None);
    }
    let runs = runs.lock().expect("lock");
    let tables = runs
        .iter()
        .filter(|run| run.contains("--query-gpu"))
        .count();
    assert_eq!(tables, 4, "three until it is known, then one: {runs:#?}");
}

#[tokio::test]
async fn a_close_look_reads_several_times_a_second_and_keeps_the_past() {
    let site = Site::default();
    site.say(&[("one", Ok(TABLE))]);
    let (_place, asked) = watch::channel(place(false, &[("one", &[])]));
    let (_visible, seen) = watch::channel(false);
    let tasks = Tasks::new();
    let config = GpuConfig {
        lib_path: None,
        exec: Some(site.exec()),
        place: asked,
        visible: seen,
        minutes: None,
    };
    let handle = GpuActor::spawn(&tasks, config);
    let mut view = handle.view();
    let read = view.wait_for(|view| !view.cards.is_empty());
    tokio::time::timeout(Duration::from_secs(15), read)
        .await
        .expect("in time")
        .expect("the actor lives");
    let mut look = handle.look_closely();
    let several = async {
        for _ in 0..4 {
            assert_eq!(look.next().await.expect("a reading").samples.len(), 1);
        }
    };
    // Nobody looks otherwise, so that each would take half a minute.
    tokio::time::timeout(Duration::from_secs(10), several)
        .await
        .expect("several readings");
    drop(look);
    let now = clock::now();
    let axis = forgekeeper_domain::gpu::history::Axis {
        from_s: now.as_second() - 10,
        step_s: 1,
        steps: 11,
    };
    let mut steps = std::collections::BTreeMap::new();
    assert_eq!(handle.past().fill(&axis, &mut steps).len(), 1);
    let mut watching = handle.look_closely();
    assert_eq!(tasks.shutdown(Duration::from_secs(5)).await, [""; 0]);
    let ends = async {
        while watching.next().await.is_some() {}
        handle.look_closely().next().await
    };
    let ended = tokio::time::timeout(Duration::from_secs(5), ends).await;
    assert_eq!(ended, Ok(None), "a look ends with the actor");
}

/// On a machine with an NVIDIA driver: `cargo test -p forgekeeper-keeper real_driver -- --ignored`.
#[tokio::test]
#[ignore = "needs an NVIDIA driver"]
async fn real_driver_is_read_through_nvml() {
    let (_place, asked) = watch::channel(place(true, &[]));
    let (_visible, seen) = watch::channel(true);
    let tasks = Tasks::new();
    let config = GpuConfig {
        lib_path: None,
        exec: None,
        place: asked,
        visible: seen,
        minutes: None,
    };
    let mut view = GpuActor::spawn(&tasks, config).view();
    let good = |view: &Arc<GpuView>| view.cards.iter().any(|card| card.load_history.len() > 3);
    let view = view.wait_for(good).await.expect("the actor lives").clone();
    println!("{view:#?}");
    assert!(matches!(view.source, GpuSourceInfo::Nvml { .. }));
    let card = &view.cards[0];
    assert!(card.current && card.latest.uuid.as_str().starts_with("GPU-"));
    assert!(
        card.latest
            .memory_total
            .is_some_and(|bytes| bytes > 1 << 30)
    );
    assert_eq!(tasks.shutdown(Duration::from_secs(5)).await, [""; 0]);
}

#[tokio::test]
async fn a_container_that_makes_cards_up_fills_nothing() {
    let heading = TABLE.lines().next().expect("a heading");
    let long = "NVIDIA ".repeat(40);
    let rows = (0..300).map(|n| {
        format!("{n}, {long}, 00000000:{n:02x}:00.0, 552.44, 1, 1, 9, 40, 1, 1, GPU-{n}\n")
    });
    let table = format!("{heading}\n{}", rows.collect::<String>());
    let site = Site::default();
    site.say(&[("one", Ok(&table))]);
    let mut bench = start(&site, &["one"], false);
    let view = bench.until("cards", |view| !view.cards.is_empty()).await;
    assert_eq!(view.cards.len(), crate::gpu::MOST_CARDS);
    let named = |card: &forgekeeper_domain::gpu::GpuCard| card.latest.name.chars().count() <= 96;
    assert!(view.cards.iter().all(named));
    assert_eq!(
        view.error.as_deref(),
        Some("300 GPUs are told of: only 32 of them are shown")
    );
}
