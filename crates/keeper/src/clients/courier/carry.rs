//! The courier itself: reads what it carries, sends it once, leaves the answer, ends.

use std::{
    ffi::OsString,
    io::{self, Read},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use super::{
    super::http::{Ask, Http, HttpAnswer, HttpError},
    CARRY, answer,
    folder::Folder,
    parcel::Parcel,
};

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
        Some(told) => answer::write(&folder.answer(&parcel.name)?, &told)?,
        None => folder.clear(&parcel.name),
    }
    lock.end();
    Ok(())
}

async fn send(parcel: &Parcel) -> Result<HttpAnswer, HttpError> {
    let ask = Ask::post_text(&parcel.path, parcel.body.clone(), parcel.patience());
    let http = Http::new()?;
    http.send(&parcel.target()?, &ask.limit(parcel.limit)).await
}

async fn called_back(folder: &Folder, name: &str) {
    while !folder.is_called_back(name) {
        tokio::time::sleep(LOOK).await;
    }
}
