//! The courier itself: reads what it carries, sends it once, leaves the answer, ends.

use std::{
    ffi::OsString,
    io::{self, Read},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use super::{
    super::{
        forge::options,
        http::{Ask, Http, HttpAnswer, HttpError},
        reach::Reach,
    },
    CARRY, answer,
    folder::Folder,
    parcel::{Lent, Parcel},
};
use crate::sys::presence::Presence;

/// How often a courier looks whether it is called back.
const LOOK: Duration = Duration::from_millis(300);

/// Makes this process a courier when its one argument says so; then that is all it is. To be called
/// before anything else: a courier has no settings, no window and nothing to say.
pub fn carry_if_asked(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    if arguments.next()? != CARRY || arguments.next().is_some() {
        return None;
    }
    let here = Folder::new(PathBuf::from("."));
    Some(match carry(io::stdin().lock(), &here) {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody reads what it would say; whoever sent it sees what is missing.
        Err(_) => ExitCode::FAILURE,
    })
}

/// Carries what comes in; an error before [`Folder::begin`] means that nothing was sent.
pub(super) fn carry(input: impl Read, folder: &Folder) -> io::Result<()> {
    let parcel = Parcel::unpack(input)?;
    let lock = folder.lock(&parcel.name)?;
    lock.claim()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    folder.begin(&parcel.name)?;
    let told = runtime.block_on(async {
        // The end of the terminal that it was started from is none of its business.
        #[cfg(unix)]
        let _deaf = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
        tokio::select! {
            biased;
            () = called_back(folder, &parcel.name) => None,
            told = send(&parcel) => Some(told),
        }
    });
    match told {
        Some(told) => {
            answer::write(&folder.answer(&parcel.name)?, &told)?;
            if let Some(lent) = parcel.lent.clone().filter(is_left) {
                runtime.block_on(put_back(&parcel, lent));
            }
        }
        None => folder.clear(&parcel.name),
    }
    lock.end();
    Ok(())
}

async fn send(parcel: &Parcel) -> Result<HttpAnswer, HttpError> {
    let ask = Ask::post_text(&parcel.path, parcel.body.clone(), parcel.patience());
    let target = parcel.target()?;
    let http = Http::for_one(&target)?;
    http.send(&target, &ask.limit(parcel.limit)).await
}

/// Whether nobody else puts it back: who lent it is no more.
fn is_left(lent: &Lent) -> bool {
    !Presence::new(lent.running.clone()).is_present(&lent.sender)
}

async fn put_back(parcel: &Parcel, lent: Lent) {
    let Ok(target) = parcel.target() else { return };
    let Ok(http) = Http::for_one(&target) else {
        return;
    };
    // What cannot be put back now is, at the next start.
    let _ = options::put_back(Reach::at(http, target), lent.options).await;
}

async fn called_back(folder: &Folder, name: &str) {
    while !folder.is_called_back(name) {
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, thread};

    use serde_json::json;

    use super::{
        super::super::{
            http::{Cut, Target},
            scripted::{Reply, Server, nobody},
        },
        *,
    };
    use crate::secrets::{Credentials, Sensitive};

    const LIMIT: usize = 1000;

    fn packed(name: &str, url: &str, patience: Duration) -> Vec<u8> {
        let credentials = Credentials::Bearer {
            token: Sensitive::new("sesam".to_owned()),
        };
        let target = Target::new(url, Some(credentials)).unwrap();
        let ask = Ask::post("/draw", &json!({"a": 1}), Duration::ZERO).limit(LIMIT);
        let parcel = Parcel::of(name, &target, &ask, patience, None);
        parcel.packed().unwrap()
    }

    fn told(folder: &Path, name: &str) -> Result<HttpAnswer, HttpError> {
        answer::read(&folder.join(format!("{name}.answer")), LIMIT).unwrap()
    }

    #[test]
    fn it_sends_once_and_leaves_what_came() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path().to_owned());
        let server = Server::start(|_| Reply::Json(500, "{\"error\": \"x\"}".to_owned()));
        let parcel = packed("a", &server.url, Duration::from_secs(9));
        for length in 0..parcel.len() {
            carry(&parcel[..length], &folder).unwrap_err();
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        carry(&*parcel, &folder).unwrap();
        let answer = told(dir.path(), "a").unwrap();
        assert_eq!((answer.status, answer.cut), (500, None));
        assert_eq!(&*answer.body, b"{\"error\": \"x\"}");
        assert!(folder.has_begun("a") && !folder.is_at_work("a"));
        carry(&*parcel, &folder).unwrap_err();
        assert_eq!(server.asked(), ["POST /draw"]);
        let seen = server.seen.lock().unwrap()[0].clone();
        assert_eq!(seen.body, "{\"a\":1}");
        assert!(
            seen.head
                .to_lowercase()
                .contains("authorization: bearer sesam")
        );
    }

    #[test]
    fn what_goes_wrong_is_told_in_the_answer() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path().to_owned());
        let server = Server::start(|_| Reply::Endless);
        let minute = Duration::from_mins(1);
        carry(&*packed("a", &server.url, minute), &folder).unwrap();
        let answer = told(dir.path(), "a").unwrap();
        assert_eq!(answer.cut, Some(Cut::TooLarge { limit: LIMIT }));
        assert_eq!(answer.body.len(), LIMIT);
        let server = Server::start(|_| Reply::Reset);
        carry(&*packed("b", &server.url, minute), &folder).unwrap();
        assert!(matches!(told(dir.path(), "b"), Err(HttpError::Reset(_))));
        carry(&*packed("c", &nobody(), minute), &folder).unwrap();
        assert!(matches!(told(dir.path(), "c"), Err(HttpError::Refused(_))));
        let server = Server::start(|_| Reply::Hang);
        carry(&*packed("d", &server.url, Duration::from_secs(1)), &folder).unwrap();
        let late = HttpError::TimedOut { deadline_ms: 1000 };
        assert_eq!(told(dir.path(), "d"), Err(late));
    }

    #[test]
    fn one_that_is_called_back_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path().to_owned());
        let server = Server::start(|_| Reply::Hang);
        let parcel = packed("a", &server.url, Duration::from_mins(1));
        thread::scope(|scope| {
            let courier = scope.spawn(|| carry(&*parcel, &folder));
            while server.asked().is_empty() {
                thread::sleep(Duration::from_millis(10));
            }
            assert!(folder.is_at_work("a"));
            folder.call_back("a").unwrap();
            courier.join().unwrap().unwrap();
        });
        assert!(!folder.is_at_work("a"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn only_its_one_argument_makes_it_a_courier() {
        for words in [
            &["forgekeeper"][..],
            &[],
            &["forgekeeper", "status"],
            &["forgekeeper", "status", CARRY],
            &["forgekeeper", CARRY, "more"],
            &[CARRY],
        ] {
            assert!(carry_if_asked(words.iter().map(OsString::from)).is_none());
        }
    }
}
