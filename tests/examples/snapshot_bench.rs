//! For `cargo xtask bench snapshot`: `make FOLDER CHECKOUTS` writes the workspace of a Forge with so many
//! extensions and the list of what configures it, `take FOLDER` takes two snapshots of it through a keeper.

#![expect(
    clippy::disallowed_methods,
    clippy::format_collect,
    reason = "files of a benchmark may be half written, and it is not what is measured"
)]

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use forgekeeper_domain::{
    config::{PartId, Reason},
    ids::ServiceId,
};
use forgekeeper_keeper::keeper::{Keeper, KeeperOptions, Paths};
use forgekeeper_standin::{DemoOptions, DemoSite};

type Failure = Box<dyn Error + Send + Sync>;

const PROGRAM: &str = "stable-diffusion-webui-forge";

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", folder, count] => make(Path::new(folder), count.parse()?),
        ["take", folder] => Box::pin(take(Path::new(folder))).await,
        _ => Err("make FOLDER CHECKOUTS | take FOLDER".into()),
    }
}

fn make(folder: &Path, checkouts: u32) -> Result<(), Failure> {
    let program = folder.join("workspace").join(PROGRAM);
    let mut list: Vec<PathBuf> = Vec::new();
    let mut put = |path: PathBuf, text: &str| -> Result<(), Failure> {
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(&path, text)?;
        list.push(path);
        Ok(())
    };
    let options = |count: u32| {
        let all: Vec<String> = (0..count)
            .map(|n| format!("    \"option_{n}\": {n}"))
            .collect();
        format!("{{\n{}\n}}", all.join(",\n"))
    };
    put(program.join("config.json"), &options(300))?;
    put(program.join("ui-config.json"), &options(2_500))?;
    put(program.join("styles.csv"), "name,prompt,negative_prompt\n")?;
    for number in 0..checkouts {
        let git = program.join(format!("extensions/extension-{number:04}/.git"));
        put(git.join("HEAD"), "ref: refs/heads/main\n")?;
        let commit = format!(
            "{:040x}\n",
            u128::from(number) * 0x9e37_79b9_7f4a_7c15_f39c_u128
        );
        put(git.join("refs/heads/main"), &commit)?;
        // As a clone leaves it.
        let log = format!(
            "{:040x} {} Owner <owner@site> 1790000000 +0200\tclone: from somewhere\n",
            0,
            commit.trim()
        );
        put(git.join("logs/HEAD"), &log)?;
    }
    let text: String = list
        .iter()
        .map(|path| format!("{}\n", path.display()))
        .collect();
    fs::write(folder.join("files"), text)?;
    fs::write(
        program.join("launch.py"),
        "from modules import launch_utils\n",
    )?;
    Ok(())
}

async fn take(folder: &Path) -> Result<(), Failure> {
    let workspace = folder.join("workspace");
    let site = DemoSite::start(DemoOptions {
        workspace: Some(workspace.clone()),
        ..DemoOptions::default()
    })
    .await?;
    let data = tempfile::tempdir_in(folder)?;
    let paths = Paths {
        data_dir: data.path().to_owned(),
        ..Paths::default_for(None)
    };
    let own = format!("id = \"myia\"\nworkspace = '{}'\n", workspace.display());
    let settings = site.config_toml().replace("id = \"myia\"\n", &own);
    let options = KeeperOptions::for_demo(paths, "bench".to_owned(), settings);
    let keeper = Keeper::start(options)
        .await
        .map_err(|error| error.to_string())?;
    let handle = keeper.handle();
    handle.settled(Duration::from_secs(20)).await;
    let myia = ServiceId::new("myia")?;
    let mut took = Vec::new();
    for _ in 0..2 {
        let started = Instant::now();
        let taken = handle.take_snapshot(&myia, Reason::OnDemand).await;
        took.push(started.elapsed().as_secs_f64() * 1_000.0);
        let taken = taken.map_err(|error| error.to_string())?;
        let extensions = taken
            .snapshot
            .items
            .iter()
            .find(|item| item.part == PartId::ForgeExtensions)
            .and_then(|item| item.state.content())
            .map(|content| content.bytes);
        // Every commit is in it.
        let wanted = fs::read_dir(workspace.join(PROGRAM).join("extensions"))?.count() * 80;
        if extensions.is_none_or(|bytes| (bytes as usize) < wanted) {
            return Err(format!("the extensions are not whole: {extensions:?} bytes").into());
        }
    }
    keeper.shutdown().await;
    site.shutdown().await;
    println!("{{\"first_ms\": {}, \"again_ms\": {}}}", took[0], took[1]);
    Ok(())
}
