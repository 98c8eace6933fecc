use std::{path::Path, time::Instant};

use forgekeeper_domain::{
    Timestamp,
    generation::{GenerationRequest, Picture},
    ids::JobId,
};

use super::*;

fn moment(second: i64) -> Timestamp {
    Timestamp::new(1_795_000_000 + second, 1).unwrap()
}

pub(crate) fn job(text: &str) -> JobId {
    JobId::new(text).unwrap()
}

pub(crate) fn made(id: &str, second: i64, prompt: &str) -> GenerationRecord {
    GenerationRecord {
        id: job(id),
        service: ServiceId::new("myia").unwrap(),
        request: GenerationRequest {
            prompt: prompt.to_owned(),
            ..GenerationRequest::default()
        },
        started_at: moment(second),
        took_ms: 2_500,
        verdict: GenerationVerdict::Proved,
        pictures: Vec::new(),
        substitutions: Vec::new(),
        parameters: None,
        model: None,
        error: None,
        timing: None,
        card: None,
        on_cpu: false,
        workflow: None,
    }
}

/// With pictures of these hashes, of 100 bytes each.
pub(crate) fn with_pictures(record: GenerationRecord, hashes: &[&str]) -> GenerationRecord {
    let picture = |hash: &&str| Picture {
        hash: (*hash).to_owned(),
        width: 8,
        height: 8,
        bytes: 100,
        seed: None,
        blank: false,
    };
    GenerationRecord {
        pictures: hashes.iter().map(picture).collect(),
        ..record
    }
}

pub(crate) async fn open_at(folder: &Path) -> Store {
    Store::open(folder).await.unwrap().0
}

async fn found(store: &Store, query: GalleryQuery) -> Vec<String> {
    let page = store.gallery(query).await.unwrap().unwrap();
    assert_eq!(page.total as usize, page.records.len());
    assert!(!page.more);
    let ids = page.records.iter().map(|r| r.id.as_str().to_owned());
    ids.collect()
}

fn text(text: &str) -> GalleryQuery {
    GalleryQuery {
        text: text.to_owned(),
        ..GalleryQuery::default()
    }
}

#[tokio::test]
async fn each_part_of_a_query_leaves_out_what_is_not_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_at(dir.path()).await;
    let mut records = [
        made("castle", 1, "a Castle in SNOW"),
        made("fox", 2, "a fox, 100% \"red\" *under_score*"),
        made("elan", 3, "ÉLAN\u{a0}vital"),
        made("failed", 4, "nothing came"),
    ];
    records[0].request.negative_prompt = "blurry".to_owned();
    records[0].parameters = Some("a Castle in SNOW\nSteps: 20, Sampler: DPM++ 2M".to_owned());
    records[0].model = Some("sub/SDXL-Turbo".to_owned());
    records[1].request.model = Some("Asked.safetensors".to_owned());
    records[2].service = ServiceId::new("turbo").unwrap();
    records[3].verdict = GenerationVerdict::OutOfMemory;
    for record in records {
        assert_eq!(
            store.insert_generation(record).await.unwrap(),
            [""; 0],
            "holds no picture"
        );
    }
    let all = ["failed", "elan", "fox", "castle"];
    for (query, expected) in [
        (GalleryQuery::default(), &all[..]),
        (text("  "), &all),
        (text("castle"), &["castle"]),
        (text("snow CASTLE"), &["castle"]),
        (text("snow fox"), &[]),
        (text("blurry"), &["castle"]),
        (text("dpm++"), &["castle"]),
        (text("élan"), &["elan"]),
        (text("100%"), &["fox"]),
        (text("\"red\""), &["fox"]),
        (text("*under_"), &["fox"]),
        (text("under.score"), &[]),
        (text("' OR 1=1 --"), &[]),
        (text("NEAR(a b)"), &[]),
        (text("\u{0}"), &[]),
        (text(&"a ".repeat(9_000)), &all),
        (text(&"long".repeat(5_000)), &[]),
    ] {
        let expected: Vec<&str> = expected.to_vec();
        assert_eq!(found(&store, query.clone()).await, expected, "{query:?}");
    }
    let by = |change: fn(&mut GalleryQuery)| {
        let mut query = GalleryQuery::default();
        change(&mut query);
        query
    };
    for (query, expected) in [
        (
            by(|q| q.service = ServiceId::new("turbo").ok()),
            &["elan"][..],
        ),
        (by(|q| q.service = ServiceId::new("other").ok()), &[]),
        (by(|q| q.model = " sdxl ".to_owned()), &["castle"]),
        (by(|q| q.model = "asked".to_owned()), &["fox"]),
        (by(|q| q.model = "%".to_owned()), &[]),
        (
            by(|q| q.verdict = Some(GenerationVerdict::OutOfMemory)),
            &["failed"],
        ),
        (by(|q| q.since = Some(moment(3))), &["failed", "elan"]),
        (by(|q| q.until = Some(moment(3))), &["fox", "castle"]),
    ] {
        assert_eq!(found(&store, query.clone()).await, expected, "{query:?}");
    }
}

#[tokio::test]
async fn pages_follow_one_another_whatever_has_the_same_moment() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_at(dir.path()).await;
    for n in 0..7 {
        let id = format!("j{n}");
        let words = if n == 3 { "other" } else { "same" };
        let record = made(&id, i64::from(n / 3), words);
        store.insert_generation(record).await.unwrap();
    }
    let mut query = GalleryQuery {
        limit: 2,
        ..text("same")
    };
    let mut ids = Vec::new();
    loop {
        let page = store.gallery(query.clone()).await.unwrap().unwrap();
        assert_eq!(page.total, 6, "of all pages");
        ids.extend(page.records.iter().map(|r| r.id.as_str().to_owned()));
        query.after = page.records.last().map(|r| r.id.clone());
        if !page.more {
            break;
        }
    }
    assert_eq!(ids, ["j6", "j5", "j4", "j2", "j1", "j0"]);
    let last = store.gallery(query.clone()).await.unwrap().unwrap();
    assert_eq!((last.records.len(), last.more), (0, false));
    query.after = Some(job("gone"));
    assert_eq!(store.gallery(query).await.unwrap(), None);
}

#[tokio::test]
async fn a_generation_that_is_kept_again_is_found_once_and_by_its_new_words() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_at(dir.path()).await;
    for prompt in ["before", "after"] {
        let record = made("j", 1, prompt);
        store.insert_generation(record).await.unwrap();
    }
    assert_eq!(found(&store, text("after")).await, ["j"]);
    assert_eq!(found(&store, text("before")).await, [""; 0]);
}

/// Rows as an older version left them, straight into the table.
async fn left_by_an_older_version(store: &Store, records: Vec<(String, String)>) {
    store
        .run(move |connection| {
            let work = connection.transaction()?;
            for (n, (job, record)) in records.into_iter().enumerate() {
                work.execute(
                    "INSERT INTO generations (job, service, at_ns, record)
                     VALUES (?, 'myia', ?, ?)",
                    params![job, i64::try_from(n).unwrap(), record],
                )?;
            }
            work.execute_batch("DELETE FROM gallery; DELETE FROM generation_pictures;")?;
            work.commit()?;
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn rows_of_older_versions_are_found_once_the_file_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_at(dir.path()).await;
    let old = with_pictures(made("old", 1, "an old castle"), &["aa"]);
    let old = serde_json::to_string(&old).unwrap();
    let odd = r#"{"verdict": 5, "pictures": [{"hash": "bb", "bytes": 7}, 9]}"#;
    let rows = vec![("old".to_owned(), old), ("odd".to_owned(), odd.to_owned())];
    left_by_an_older_version(&store, rows).await;
    store.close().await;
    let store = open_at(dir.path()).await;
    assert_eq!(found(&store, text("castle")).await, ["old"]);
    let differences = store
        .mend_pictures(vec![("aa".to_owned(), 1), ("bb".to_owned(), 1)])
        .await
        .unwrap();
    assert_eq!(differences.orphans, [""; 0], "both are held");
}

#[tokio::test]
async fn ten_thousand_are_searched_in_a_moment() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_at(dir.path()).await;
    let rows = (0..10_000).map(|n| {
        let id = format!("j{n}");
        let prompt = format!("{} number{n}", "masterpiece, best quality, ".repeat(20));
        let mut record = made(&id, n, &prompt);
        record.parameters = Some(format!("{prompt}\nSteps: 20, Seed: {n}"));
        (id, serde_json::to_string(&record).unwrap())
    });
    left_by_an_older_version(&store, rows.collect()).await;
    store.close().await;
    let started = Instant::now();
    let store = open_at(dir.path()).await;
    let opened = started.elapsed();
    let started = Instant::now();
    assert_eq!(found(&store, text("QUALITY number4711")).await, ["j4711"]);
    let searched = started.elapsed();
    // A hundred times as fast on an idle machine in a release build.
    assert!(searched.as_secs() < 3, "searched in {searched:?}");
    assert!(opened.as_secs() < 30, "entered in {opened:?}");
    println!("10 000 generations entered in {opened:?}, searched in {searched:?}");
}
