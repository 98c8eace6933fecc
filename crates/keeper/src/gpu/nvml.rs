//! NVML on a thread of its own: its calls block, and hang when a card falls off the bus.

use std::{path::PathBuf, time::Duration};

use tokio::sync::{mpsc, oneshot};

use super::Reading;
use crate::sys::clock;

mod card;
mod sampler;

pub use sampler::Sampler;

/// How long one reading may take.
const DEADLINE: Duration = Duration::from_secs(3);
type Question = oneshot::Sender<Result<Reading, String>>;

/// The door to the thread.
#[derive(Debug)]
pub(super) struct NvmlThread {
    questions: mpsc::Sender<Question>,
    /// The answer still owed from a question that ran past its deadline.
    owed: Option<oneshot::Receiver<Result<Reading, String>>>,
}

impl NvmlThread {
    /// Starts the thread; the library is opened with the first question. It ends with this value.
    pub(super) fn start(lib_path: Option<PathBuf>) -> Result<Self, String> {
        let (questions, inbox) = mpsc::channel(1);
        std::thread::Builder::new()
            .name("nvml".to_owned())
            .spawn(move || serve(inbox, lib_path))
            .map_err(|error| format!("no thread for NVML: {error}"))?;
        Ok(Self {
            questions,
            owed: None,
        })
    }

    /// Reads all cards once.
    pub(super) async fn read(&mut self) -> Result<Reading, String> {
        let mut answer = if let Some(owed) = self.owed.take() {
            owed
        } else {
            let (question, answer) = oneshot::channel();
            self.questions
                .try_send(question)
                .map_err(|_| "the NVML thread has ended".to_owned())?;
            answer
        };
        match tokio::time::timeout(DEADLINE, &mut answer).await {
            Ok(Ok(reading)) => reading,
            Ok(Err(_)) => Err("the NVML thread has ended".to_owned()),
            Err(_) => {
                self.owed = Some(answer);
                Err(format!(
                    "the driver does not answer within {} s",
                    DEADLINE.as_secs()
                ))
            }
        }
    }
}

fn serve(mut inbox: mpsc::Receiver<Question>, lib_path: Option<PathBuf>) {
    let mut sampler = Sampler::new(lib_path);
    while let Some(question) = inbox.blocking_recv() {
        if question.send(sampler.read(clock::now())).is_err() {
            tracing::debug!("nobody waited for a GPU reading");
        }
    }
}
