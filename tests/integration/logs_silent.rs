//! A log that stands still while its program works: it is said, the program's own file is read
//! inside the container instead, and the stream is taken up again when it speaks.

use std::process::{Command, Stdio};

use forgekeeper_domain::{
    cause::Cause,
    generation::GenerationRequest,
    job::JobPhase,
    logs::{LogLine, LogQuery, LogSource, LogStream, Marker, Storage, prepare::LinePreparer},
    outcome::Status,
};
use forgekeeper_keeper::{keeper::KeeperHandle, state::KeeperState};
use forgekeeper_standin::Fault;

use crate::{
    docker_lab::Lab,
    rig::{Kept, Place, SECOND, causes, holds, id, service, until},
};

const LOG: &str = "/var/log/supervisor/forge.log";
/// The last line of a generation of ours, by its number of steps.
const DONE: &str = "Total progress: 100%|█████| 4/4";

async fn picture(handle: &KeeperHandle) {
    let request = GenerationRequest {
        prompt: "x".to_owned(),
        steps: 4,
        width: 64,
        height: 64,
        ..GenerationRequest::default()
    };
    let job = handle.generate(&id("myia"), request, false).await;
    let ended = handle.wait(&job.expect("accepted")).await.expect("its end");
    assert_eq!(ended.phase, JobPhase::Succeeded, "{ended:?}");
}

/// All that is held of the log.
async fn lines(handle: &KeeperHandle) -> Vec<LogLine> {
    let reader = handle.logs(&id("myia"), &LogQuery::default());
    let batch = reader.expect("a service of it").next().await;
    batch.expect("a first batch").lines
}

/// How many generations the stream and the file told the end of.
async fn done(handle: &KeeperHandle) -> (usize, usize) {
    let lines = lines(handle).await;
    let told = lines.iter().filter(|line| line.text == DONE);
    let (file, stream): (Vec<_>, Vec<_>) = told.partition(|l| l.stream == LogStream::File);
    (stream.len(), file.len())
}

fn source(state: &KeeperState) -> Option<&LogSource> {
    service(state, "myia").map(|service| &service.log.source)
}

/// From a silent log to one that speaks again; `silence` makes and mends the fault.
async fn the_file_is_read_meanwhile(handle: &KeeperHandle, silence: impl Fn(bool)) {
    let (before, _) = done(handle).await;
    picture(handle).await;
    holds("told by the stream", 10 * SECOND, || async {
        done(handle).await == (before + 1, 0)
    })
    .await;

    silence(true);
    // The played program looks at its faults now and then.
    tokio::time::sleep(SECOND).await;
    picture(handle).await;
    let silent = |s: &KeeperState| causes(s) == [Cause::LogsSilent.code()];
    until(handle, "the silence is told", 60 * SECOND, silent).await;
    let file = LogSource::File {
        path: LOG.to_owned(),
    };
    let read = |s: &KeeperState| source(s) == Some(&file);
    until(handle, "the file is read", 15 * SECOND, read).await;
    holds("what was missing is there", 10 * SECOND, || async {
        done(handle).await == (before + 1, 1)
    })
    .await;
    let told = |s: &KeeperState| {
        let evidence = s.incidents.first().map(|incident| &incident.evidence);
        evidence.is_some_and(|evidence| {
            ["last_line_at", "worked_at", "reads_instead"]
                .iter()
                .all(|name| evidence.iter().any(|e| e.name == *name))
        })
    };
    until(handle, "with evidence", 15 * SECOND, told).await;

    // What is written from now on comes within seconds, and does not mend the silence.
    picture(handle).await;
    holds("what is written comes", 10 * SECOND, || async {
        done(handle).await == (before + 1, 2)
    })
    .await;
    assert!(silent(&handle.state().borrow()));

    silence(false);
    tokio::time::sleep(SECOND).await;
    picture(handle).await;
    until(handle, "the stream speaks", 15 * SECOND, |s| {
        source(s) == Some(&LogSource::Stream)
    })
    .await;
    until(handle, "mended", 30 * SECOND, |s| s.incidents.is_empty()).await;
    holds("every picture once", 10 * SECOND, || async {
        let (stream, file) = done(handle).await;
        stream + file == before + 4
    })
    .await;
    let markers: Vec<Option<String>> = lines(handle)
        .await
        .into_iter()
        .filter_map(|line| match line.marker {
            Some(Marker::Source { file }) => Some(file),
            _ => None,
        })
        .collect();
    assert_eq!(markers, [Some(LOG.to_owned()), None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_played_log_that_stands_still_is_read_from_its_file() {
    let kept = Kept::start(20.0).await;
    let handle = kept.handle();
    let stored = |s: &KeeperState| {
        matches!(
            service(s, "myia").map(|s| &s.log.stored),
            Some(Storage::Here(_))
        )
    };
    until(&handle, "stored", 10 * SECOND, stored).await;
    the_file_is_read_meanwhile(&handle, |silent| {
        let done = if silent {
            kept.site.inject(Fault::LogSilent, Some("myia"))
        } else {
            kept.site.clear(Fault::LogSilent, Some("myia"))
        };
        done.expect("a service of it");
    })
    .await;
    assert_eq!(kept.end().await, Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker Engine and FORGEKEEPER_TEST_STANDIN: the stand-in runs in a container"]
async fn a_real_log_that_stands_still_is_read_from_its_file() {
    let lab = Lab::given();
    let (name, api) = standin(&lab);
    let place = Place::with(&format!(
        "[[host]]\nid = \"lab\"\nengine = \"{}\"\n\n[[service]]\nid = \"myia\"\nkind = \"forge\"\n\
         host = \"lab\"\ncontainer = \"{name}\"\napi = \"{api}\"\n",
        lab.endpoint
    ));
    let keeper = place.keeper().await;
    let handle = keeper.handle();
    until(&handle, "green", 60 * SECOND, |s| {
        service(s, "myia").is_some_and(|s| s.status == Status::Ok)
    })
    .await;
    the_file_is_read_meanwhile(&handle, |silent| {
        let clear: &[&str] = if silent { &[] } else { &["--clear"] };
        let argv = ["exec", &name, "forgekeeper-standin", "fault", "log-silent"];
        lab.docker_ok(&[&argv, clear].concat());
    })
    .await;

    // Line by line what the file holds, none missing and none twice.
    let file = lab.docker_ok(&["exec", &name, "tail", "-c", "+1", LOG]);
    let mut preparer = LinePreparer::new();
    let mut written: Vec<String> = preparer
        .push(LogStream::File, format!("{file}\n").as_bytes())
        .into_iter()
        .map(|line| line.text)
        .collect();
    let mut held: Vec<String> = lines(&handle)
        .await
        .into_iter()
        .filter(|line| line.marker.is_none() && line.program.as_deref() == Some("forge"))
        .map(|line| line.text)
        .collect();
    // Where the sources change, a line may stand one place later.
    written.sort();
    held.sort();
    assert_eq!(held, written);
    let processes = lab.docker_ok(&["top", &name, "-eo", "pid,args"]);
    assert!(!processes.contains("tail"), "left behind: {processes}");
    assert_eq!(keeper.shutdown().await, Vec::<&str>::new());
}

/// A container that plays Forge, and its API.
fn standin(lab: &Lab) -> (String, String) {
    let standin = std::env::var_os("FORGEKEEPER_TEST_STANDIN")
        .expect("FORGEKEEPER_TEST_STANDIN names the static stand-in (scripts/static-standin.sh)");
    // Under the name of the lab's own image, which goes with the lab.
    lab.docker_ok(&["rmi", &lab.image]);
    let mut tree = Command::new(standin)
        .arg("rootfs")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the stand-in starts");
    let imported = Command::new("docker")
        .args(["-H", &lab.endpoint, "import"])
        .args(["--change", r#"ENTRYPOINT ["/bin/forgekeeper-standin"]"#])
        .args(["--change", r#"CMD ["supervisor"]"#])
        .args(["--change", "ENV PATH=/bin:/usr/bin"])
        .args(["-", &lab.image])
        .env_remove("DOCKER_CONTEXT")
        .stdin(tree.stdout.take().expect("its output"))
        .output()
        .expect("docker import");
    assert!(imported.status.success(), "{imported:?}");
    assert!(tree.wait().expect("its end").success());
    let (name, label) = (lab.name("silent"), format!("forgekeeper.test={}", lab.run));
    let options = ["-p", "127.0.0.1::17860", "-e", "STANDIN_SPEED=8"];
    let named = ["run", "-d", "--name", &name, "--label", &label];
    lab.docker_ok(&[&named[..], &options, &[&lab.image]].concat());
    let published = lab.docker_ok(&["port", &name, "17860/tcp"]);
    let address = published.lines().next().expect("an address");
    (name, format!("http://{address}"))
}
