//! Golden prompts through the command line: a set recorded, run again, compared with another
//! program and with what a broken service makes of it.

use forgekeeper_standin::Fault;
use serde_json::Value;

use crate::rig::{Place, Ran, site};

const SMALL: [&str; 6] = ["--steps", "2", "--width", "64", "--height", "64"];

async fn golden(place: &Place, service: &str, verb: &str, more: &[&str]) -> Ran {
    let mut words = vec![
        "generate", service, "--golden", verb, "--set", "site", "--json",
    ];
    words.extend(more);
    place.ctl(&words).await
}

fn end(ran: &Ran) -> Value {
    let last = ran.lines().pop().expect("a line");
    assert_eq!(last["event"], "end", "{ran:#?}");
    last
}

fn prompts(place: &Place, text: &str) -> String {
    let path = place.folder.path().join("prompts.txt");
    std::fs::write(&path, text).expect("written");
    path.to_string_lossy().into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_is_recorded_replayed_and_compared() {
    let site = site(20.0).await;
    let place = Place::with(&site.config_toml());
    let file = prompts(
        &place,
        "a fox\n\n  =2+3, a \"lighthouse\"  \nun château 🏰\n",
    );
    let mut first = vec!["--prompts", file.as_str(), "--seed", "40"];
    first.extend(SMALL);
    let recorded = golden(&place, "myia", "record", &first).await.ends_with(0);
    let run = end(&recorded)["run"].clone();
    assert_eq!(run["complete"], true);
    let entries = run["entries"].as_array().expect("entries");
    let seeds: Vec<&Value> = entries
        .iter()
        .map(|e| &e["record"]["request"]["seed"])
        .collect();
    assert_eq!(seeds, ["40", "41", "42"]);
    let told = recorded
        .lines()
        .iter()
        .any(|line| line["golden"]["of"] == 3);
    assert!(told, "progress was told: {recorded:#?}");

    // The stand-in draws the same picture from the same words, as a warm model does.
    let again = golden(&place, "myia", "replay", &[]).await.ends_with(0);
    let comparison = &end(&again)["comparison"];
    assert_eq!(comparison["summary"]["finding"], "same");
    assert_eq!(comparison["summary"]["identical"], 3);
    assert!(comparison["summary"]["slower"].as_f64() > Some(0.0));

    // Another program makes other pictures, and that is no failure.
    golden(&place, "comfyui", "record", &[]).await.ends_with(0);
    let table = place.folder.path().join("table.csv");
    let csv = table.to_string_lossy().into_owned();
    let more = ["--against", "myia", "--csv", &csv];
    let both = golden(&place, "comfyui", "compare", &more)
        .await
        .ends_with(0);
    let comparison = &end(&both)["comparison"];
    assert_eq!(
        comparison["services"],
        serde_json::json!(["myia", "comfyui"])
    );
    assert_eq!(comparison["summary"]["candidate"]["proved"], 3);
    let table = std::fs::read_to_string(&table).expect("a table");
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(table.contains("\"'=2+3, a \"\"lighthouse\"\"\""), "{table}");
    // A file that is there already is not touched.
    golden(&place, "comfyui", "compare", &more)
        .await
        .ends_with(1);

    // What gave a picture once and gives none now is worse.
    site.inject(Fault::ImageBlack, Some("myia")).expect("fault");
    let broken = golden(&place, "myia", "replay", &[]).await.ends_with(1);
    assert_eq!(end(&broken)["comparison"]["summary"]["finding"], "worse");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_compared_is_refused() {
    let site = site(20.0).await;
    let place = Place::with(&site.config_toml());
    // Never made.
    let ran = golden(&place, "myia", "record", &[]).await.ends_with(2);
    assert!(ran.stderr.contains("no golden set `site`"), "{ran:#?}");
    let file = prompts(&place, "a fox\n");
    let mut first = vec!["--prompts", file.as_str()];
    first.extend(SMALL);
    // Nothing to compare with yet.
    let ran = golden(&place, "myia", "replay", &first).await.ends_with(2);
    assert!(ran.stderr.contains("--golden record"), "{ran:#?}");
    golden(&place, "myia", "record", &first).await.ends_with(0);
    // The same again changes nothing; anything else would.
    golden(&place, "myia", "record", &first).await.ends_with(0);
    prompts(&place, "a cat\n");
    let ran = golden(&place, "myia", "record", &first).await.ends_with(1);
    assert!(ran.stderr.contains("was run already"), "{ran:#?}");
    // An empty file, and one that is no text.
    prompts(&place, "\n \n");
    golden(&place, "myia", "record", &first).await.ends_with(2);
    std::fs::write(&file, [0xff, 0xfe, 0x00]).expect("written");
    let ran = golden(&place, "myia", "record", &first).await.ends_with(2);
    assert!(ran.stderr.contains("UTF-8"), "{ran:#?}");
    // Half of the words.
    place
        .ctl(&["generate", "myia", "--golden", "record"])
        .await
        .ends_with(2);
    place
        .ctl(&["generate", "myia", "--set", "site"])
        .await
        .ends_with(2);
}
