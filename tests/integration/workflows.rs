//! Workflows of one's own that are kept: chosen by name, run, looked at and saved as files.

use forgekeeper_domain::{
    error::ErrorCode,
    generation::{GenerationRequest, GenerationVerdict, Seed, workflow::Placeholder},
    golden::{GoldenPrompt, GoldenSet},
    job::JobPhase,
};
use forgekeeper_keeper::keeper::{Keeper, KeeperOptions, Paths};
use serde_json::{Value, json};

use crate::{
    pictures_asked::own_workflow,
    rig::{Place, id, site},
};

async fn keeper(place: &Place) -> Keeper {
    let options = KeeperOptions {
        secrets_in_memory: true,
        ..KeeperOptions::for_file(Paths {
            data_dir: place.folder.path().join("data"),
            ..place.paths()
        })
    };
    Keeper::start(options).await.expect("a keeper")
}

fn asked() -> GenerationRequest {
    GenerationRequest {
        prompt: "a lighthouse".to_owned(),
        model: Some("sd_xl_base_1.0".to_owned()),
        steps: 4,
        width: 128,
        height: 128,
        seed: Some(Seed(7)),
        ..GenerationRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_workflow_is_run_by_its_name() {
    let site = site(20.0).await;
    let place = Place::with(&site.config_toml());
    let keeper = keeper(&place).await;
    let handle = keeper.handle();
    let text = own_workflow().to_string();
    let kept = handle.keep_workflow("own.json".to_owned(), text.clone());
    let kept = kept.await.expect("kept");
    assert_eq!((kept.name.as_str(), kept.nodes), ("own", Some(8)));
    assert_eq!(kept.takes, Placeholder::ALL, "it takes everything");
    assert_eq!(handle.workflows().await.expect("listed"), [kept]);

    let comfyui = id("comfyui");
    let name = || Some("own".to_owned());
    let job = handle.generate_by(&comfyui, asked(), name(), false).await;
    let ended = handle.wait(&job.expect("begun")).await.expect("it ended");
    let record = ended.record.expect("a record");
    assert_eq!(record.verdict, GenerationVerdict::Proved, "{record:#?}");
    assert_eq!(record.workflow.as_deref(), Some("own"));
    assert_eq!(record.pictures[0].width, 256, "its own upscaling");
    assert_eq!(record.substitutions, []);

    // As a file: what would be queued, filled in.
    let path = place.folder.path().join("graph.json");
    let saved = handle
        .save_graph(&comfyui, &asked(), name(), path.clone())
        .await;
    saved.expect("saved");
    let graph = std::fs::read_to_string(&path).expect("a file");
    let graph: Value = serde_json::from_str(&graph).expect("JSON");
    assert_eq!(graph["b"]["inputs"]["text"], "drawn: a lighthouse");
    assert_eq!(graph["e"]["inputs"]["seed"], 7);
    let usual = handle.generation_graph(&comfyui, &asked(), None).await;
    assert!(usual.expect("a graph").contains("\"KSampler\""));

    // What cannot be: a Forge, one that is gone, one that is none.
    let code = async |service: &str, name: &str| {
        let (service, name) = (id(service), Some(name.to_owned()));
        let begun = handle.generate_by(&service, asked(), name, false).await;
        begun.expect_err("refused").code
    };
    assert_eq!(code("myia", "own").await, ErrorCode::BadRequest);
    assert_eq!(code("comfyui", "../config").await, ErrorCode::BadRequest);
    handle
        .remove_workflow("own".to_owned())
        .await
        .expect("gone");
    assert_eq!(code("comfyui", "own").await, ErrorCode::BadRequest);
    let editor = json!({"nodes": [], "links": [], "version": 0.4}).to_string();
    let refused = handle.keep_workflow("editor.json".to_owned(), editor).await;
    let refused = refused.expect_err("refused");
    assert_eq!(refused.code, ErrorCode::EditorWorkflow);
    assert!(refused.message.contains("Export (API)"));
    keeper.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_may_change_until_it_was_run_and_its_runs_name_their_reference() {
    let site = site(20.0).await;
    let place = Place::with(&site.config_toml());
    let keeper = keeper(&place).await;
    let handle = keeper.handle();
    let set = |names: &[&str]| GoldenSet {
        name: "site".to_owned(),
        prompts: names
            .iter()
            .map(|name| GoldenPrompt {
                name: (*name).to_owned(),
                request: GenerationRequest {
                    model: None,
                    ..asked()
                },
            })
            .collect(),
    };
    handle
        .save_golden_set(set(&["a", "b"]))
        .await
        .expect("kept");
    // Reordered, renamed and fewer: nothing was made of it yet.
    handle.save_golden_set(set(&["c"])).await.expect("changed");
    let record = async || handle.golden_record("site".to_owned()).await.expect("runs");
    let before = record().await;
    assert!(!before.frozen && before.reference.is_none());
    let mut ids = Vec::new();
    for _ in 0..3 {
        let job = handle
            .run_golden("site", &id("myia"), false)
            .await
            .expect("run");
        let ended = handle.wait(&job).await.expect("it ended");
        assert_eq!(ended.phase, JobPhase::Succeeded);
        ids.push(job);
    }
    let runs = record().await;
    assert!(runs.frozen);
    assert_eq!(runs.reference.as_ref(), Some(&ids[0]));
    assert_eq!(runs.candidate.as_ref(), Some(&ids[2]));
    let refused = handle.save_golden_set(set(&["c", "d"])).await;
    assert_eq!(refused.expect_err("frozen").code, ErrorCode::Refused);
    let comparison = handle
        .compare_golden(&ids[0], &ids[2])
        .await
        .expect("compared");
    assert!(
        comparison.holds && comparison.summary.pace.is_some(),
        "{:#?}",
        comparison.summary
    );
    for run in ids {
        handle.remove_golden_run(run).await.expect("gone");
    }
    handle
        .save_golden_set(set(&["c", "d"]))
        .await
        .expect("free again");
    keeper.shutdown().await;
}
