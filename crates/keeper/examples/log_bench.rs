//! What `cargo xtask bench logs` measures of ours, one figure for each call, in its own process so
//! that its memory is its own:
//!
//! - `ingest ENGINE CONTAINER FOLDER`: reads the whole log of a container, prepares, names, counts
//!   and stores each line, then filters all of them for `fatal|critical`.
//! - `fill FOLDER`: stores the lines of standard input.
//! - `search FOLDER WORD`: searches the stored lines.
//! - `groups FOLDER`: counts the stored lines by their shapes; the matches are the groups.
//!
//! Prints one line of JSON: lines, matches.

use std::{
    error::Error,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use forgekeeper_domain::{
    ids::ServiceId,
    logs::{LineFilter, LogQuery, LogStream},
};
use forgekeeper_keeper::{
    docker::{
        endpoint::{Env, resolve},
        engine::{Deadlines, Engine},
        logs::LogOptions,
    },
    logs::{
        ServiceLog,
        archive::{Archive, Counting, Keeping, Newest, Search},
    },
};
use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;

type Failure = Box<dyn Error + Send + Sync>;

/// What is kept is not the measure.
const KEEPING: Keeping = Keeping {
    days: 36_500,
    bytes: 64 << 30,
};

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    // As in the application: the streams of logs have a thread of their own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (lines, matched) = match args[..] {
        ["ingest", engine, container, folder] => {
            let (engine, container) = (engine.to_owned(), container.to_owned());
            // A task among others, as in the application, and not the one that is waited for.
            runtime.block_on(runtime.spawn(ingest(engine, container, PathBuf::from(folder))))??
        }
        ["fill", folder] => runtime.block_on(fill(Path::new(folder)))?,
        ["search", folder, word] => runtime.block_on(search(Path::new(folder), word, false))?,
        ["groups", folder] => runtime.block_on(groups(Path::new(folder)))?,
        _ => return Err("see the first lines of this file for what may be asked".into()),
    };
    println!("{{\"lines\":{lines},\"matched\":{matched}}}");
    Ok(())
}

fn service() -> Result<ServiceId, Failure> {
    Ok(ServiceId::new("bench")?)
}

async fn open(folder: &Path) -> Result<(ServiceLog, Archive), Failure> {
    let archive = Archive::open(folder, &service()?, KEEPING).await?;
    let archive = archive.ok_or("another process writes there")?;
    let log = ServiceLog::new();
    log.adopt(Ok(archive.clone()), Newest::default());
    Ok((log, archive))
}

async fn ingest(
    engine: String,
    container: String,
    folder: PathBuf,
) -> Result<(u32, usize), Failure> {
    let found = resolve(&engine, &Env::of_process());
    let endpoint = found.candidates.first().ok_or("no such engine")?;
    let engine = Engine::connect(endpoint, Deadlines::default())
        .await
        .map_err(|error| format!("{error:?}"))?;
    let (log, archive) = open(&folder).await?;
    let options = LogOptions {
        follow: false,
        tail: None,
        after: None,
    };
    let mut stream = engine.logs(&container, options);
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|error| error.to_string())?;
        log.push(piece.stream, &piece.bytes);
        log.room().await;
    }
    log.finish();
    archive.close().await;
    search(&folder, "fatal|critical", true).await
}

async fn fill(folder: &Path) -> Result<(u32, usize), Failure> {
    let (log, archive) = open(folder).await?;
    let mut input = BufReader::with_capacity(1 << 20, std::io::stdin());
    loop {
        let bytes = input.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        let read = bytes.len();
        log.push(LogStream::Stdout, bytes);
        input.consume(read);
        log.room().await;
    }
    log.finish();
    archive.close().await;
    Ok((archive.next_number(), 0))
}

async fn search(folder: &Path, filter: &str, regex: bool) -> Result<(u32, usize), Failure> {
    let filter = if regex {
        format!("(?i){filter}")
    } else {
        filter.to_owned()
    };
    let query = LogQuery {
        filter,
        regex,
        ..LogQuery::default()
    };
    let search = Search {
        filter: LineFilter::compile(&query)?,
        before: None,
        most: usize::MAX,
        written_by: None,
    };
    let mut batches = search.start(folder, &service()?, CancellationToken::new())?;
    let (mut all, mut matched) = (0, 0);
    while let Some(batch) = batches.recv().await {
        let batch = batch?;
        all = batch.all;
        matched += batch.lines.len();
    }
    Ok((all, matched))
}

async fn groups(folder: &Path) -> Result<(u32, usize), Failure> {
    let counting = Counting {
        filter: LineFilter::compile(&LogQuery::default())?,
        written_by: None,
    };
    let mut batches = counting.start(folder, &service()?, Vec::new, CancellationToken::new())?;
    let (mut all, mut groups) = (0, 0);
    while let Some(batch) = batches.recv().await {
        if let Some(error) = batch.error {
            return Err(error.into());
        }
        (all, groups) = (batch.all, batch.groups.len());
    }
    Ok((all, groups))
}
