//! Files of played containers, out of them and into them, through bollard.

use std::io::Read as _;

use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, DownloadFromContainerOptionsBuilder,
    UploadToContainerOptionsBuilder,
};
use forgekeeper_standin::{DemoSite, Fault};
use futures_util::StreamExt as _;

use crate::site::{demo, status, until};

const FIRST: &str = "myia-supervisor-1";
const FOLDER: &str = "/workspace/stable-diffusion-webui-forge";

async fn client(demo: &DemoSite) -> Docker {
    Docker::connect_with_http(&demo.engine_url(), 20, bollard::API_DEFAULT_VERSION)
        .unwrap()
        .negotiate_version()
        .await
        .unwrap()
}

/// Names and bytes of everything at a path.
async fn taken(docker: &Docker, path: &str) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let options = DownloadFromContainerOptionsBuilder::default()
        .path(path)
        .build();
    let mut stream = docker.download_from_container(FIRST, Some(options));
    let mut tar = Vec::new();
    while let Some(piece) = stream.next().await {
        tar.extend_from_slice(&piece?);
    }
    let mut archive = tar::Archive::new(tar.as_slice());
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.path().unwrap().display().to_string(), bytes)
    });
    Ok(entries.collect())
}

async fn config(docker: &Docker) -> serde_json::Value {
    let found = taken(docker, &format!("{FOLDER}/config.json"))
        .await
        .unwrap();
    assert_eq!(found[0].0, "config.json");
    serde_json::from_slice(&found[0].1).unwrap()
}

#[tokio::test]
async fn an_archive_holds_what_is_there_and_names_what_is_not() {
    let demo = demo().await;
    let docker = client(&demo).await;
    let stat = async |path: &str| {
        let options = ContainerArchiveInfoOptionsBuilder::default()
            .path(path)
            .build();
        docker
            .get_container_archive_info(FIRST, Some(options))
            .await
    };
    let file = stat(&format!("{FOLDER}/styles.csv")).await.unwrap();
    assert_eq!(
        (file.name.as_str(), file.file_mode & 0o777),
        ("styles.csv", 0o644)
    );
    let found = taken(&docker, &format!("{FOLDER}/styles.csv"))
        .await
        .unwrap();
    assert_eq!(i64::try_from(found[0].1.len()).unwrap(), file.size);
    let link = stat("/opt/stable-diffusion-webui-forge").await.unwrap();
    assert_eq!(link.link_target, FOLDER);
    // Links on the way are followed.
    assert!(
        taken(&docker, "/opt/stable-diffusion-webui-forge/launch.py")
            .await
            .is_ok()
    );
    let folder = taken(&docker, &format!("{FOLDER}/extensions"))
        .await
        .unwrap();
    assert_eq!(folder[0].0, "extensions/");
    assert!(
        folder
            .iter()
            .any(|(name, _)| name == "extensions/adetailer/.git/HEAD")
    );
    match taken(&docker, "/nowhere").await.unwrap_err() {
        Error::DockerResponseServerError {
            status_code,
            message,
        } => {
            assert_eq!(status_code, 404);
            assert_eq!(
                message,
                format!("Could not find the file /nowhere in container {FIRST}")
            );
        }
        other => panic!("{other:?}"),
    }
    assert!(stat("/nowhere").await.is_err());
}

#[tokio::test]
async fn the_settings_file_follows_the_options_and_what_is_put_in_counts_at_the_next_start() {
    let demo = demo().await;
    let docker = client(&demo).await;
    let api = demo.api_url("myia").unwrap();
    let before = config(&docker).await;
    let options: serde_json::Value = reqwest::get(format!("{api}/sdapi/v1/options"))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(before, options);
    let body = serde_json::json!({"jpeg_quality": 12, "sd_model_checkpoint": before["sd_model_checkpoint"]});
    let sent = reqwest::Client::new()
        .post(format!("{api}/sdapi/v1/options"))
        .json(&body);
    assert!(sent.send().await.unwrap().status().is_success());
    assert_eq!(config(&docker).await["jpeg_quality"], 12);

    let mut tar = tar::Builder::new(Vec::new());
    let bytes = serde_json::to_vec(&before).unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    tar.append_data(&mut header, "config.json", bytes.as_slice())
        .unwrap();
    let body = bollard::body_full(tar.into_inner().unwrap().into());
    let into = UploadToContainerOptionsBuilder::default()
        .path(FOLDER)
        .build();
    docker
        .upload_to_container(FIRST, Some(into), body)
        .await
        .unwrap();
    assert_eq!(config(&docker).await, before);
    // The program holds its own until it starts again.
    docker.restart_container(FIRST, None).await.unwrap();
    until("ready", async || {
        status(&format!("{api}/sdapi/v1/options")).await == Some(200)
    })
    .await;
    assert_eq!(
        config(&docker).await["jpeg_quality"],
        before["jpeg_quality"]
    );
}

#[tokio::test]
async fn a_reset_moves_the_file_away_and_a_second_writer_shares_one() {
    let demo = demo().await;
    let docker = client(&demo).await;
    let there = async |path: &str| taken(&docker, path).await.is_ok();
    demo.inject(Fault::ConfigReset, Some("myia")).unwrap();
    let moved = format!("{FOLDER}/tmp/config.json");
    until("moved", async || there(&moved).await).await;
    assert!(!there(&format!("{FOLDER}/config.json")).await);
    let half = taken(&docker, &moved).await.unwrap().remove(0).1;
    assert!(
        serde_json::from_slice::<serde_json::Value>(&half).is_err(),
        "cut off"
    );
    demo.clear(Fault::ConfigReset, None).unwrap();
    until("mended", async || {
        there(&format!("{FOLDER}/config.json")).await
    })
    .await;

    demo.inject(Fault::WorkspaceUnmounted, Some("myia"))
        .unwrap();
    until("not mounted", async || {
        !there(&format!("{FOLDER}/launch.py")).await
    })
    .await;
    assert!(there("/opt/stable-diffusion-webui-forge/launch.py").await);
    demo.clear(Fault::WorkspaceUnmounted, None).unwrap();
    until("mounted", async || {
        there(&format!("{FOLDER}/launch.py")).await
    })
    .await;
}
