//! How a request for a picture is sent: by courier where its answer must not be lost with this program,
//! else over a connection of its own.

use std::{
    sync::{OnceLock, atomic::Ordering},
    time::{Duration, Instant},
};

use forgekeeper_domain::{Timestamp, generation::GenerationRequest};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        courier::{Carried, Courier},
        http::{Ask, HttpAnswer, HttpError},
    },
    client::{ForgeClient, answer_limit},
};

/// A request on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent<'a> {
    pub request: &'a GenerationRequest,
    /// What it is found by.
    pub task: &'a str,
    /// As the server takes it.
    pub body: &'a Value,
    /// The courier that is to carry it.
    pub courier: Option<&'a str>,
    /// Options that hold for everybody until it is made, and their former values.
    pub lent: Option<&'a [Map<String, Value>; 2]>,
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Posted {
    /// Answered, or known to stay without an answer.
    Told(Result<HttpAnswer, HttpError>),
    /// It may have been sent; what the server says to it is lost.
    Lost,
}

impl ForgeClient {
    /// The name of the courier for a generation that can be found again.
    pub(super) fn courier_for_it(&self) -> Option<String> {
        let courier = self.reach.courier.as_ref()?;
        let name = self.reach.errand.keeps().then(|| courier.name())??;
        Some(self.reach.carried_by.get_or_init(|| name).clone())
    }

    /// Sends a request, once, and waits for its answer, or gives up.
    pub(super) async fn post(&self, sent: &Sent<'_>, give_up: &CancellationToken) -> Posted {
        let limit = answer_limit(sent.request);
        let ask = Ask::post("/sdapi/v1/txt2img", sent.body, Duration::ZERO)
            .limit(limit)
            .patient();
        if let (Some(courier), Some(name)) = (&self.reach.courier, sent.courier) {
            let since = Instant::now();
            match courier
                .send(name, &self.reach.target, &ask, sent.lent)
                .await
            {
                Ok(child) => {
                    // While it is on its way, what is lent is in its hands, too.
                    let lends = self.reach.lends.swap(false, Ordering::Relaxed);
                    let carried = courier.end_of(name, child, limit, give_up).await;
                    self.reach.lends.store(lends, Ordering::Relaxed);
                    match carried {
                        Carried::Told(answer, _) => {
                            return Posted::Told(answer.map(|answer| since_asked(answer, since)));
                        }
                        Carried::Lost => return Posted::Lost,
                        Carried::NotBegun => tracing::warn!("a courier ended before it began"),
                    }
                }
                Err(error) => tracing::warn!(%error, "no courier could be sent"),
            }
        }
        tokio::select! {
            biased;
            () = give_up.cancelled() => Posted::Lost,
            answer = self.reach.http.send(&self.reach.target, &ask) => Posted::Told(answer),
        }
    }

    /// Waits for the answer of a courier that an earlier run of this program sent, or gives up.
    pub(super) async fn await_courier(
        &self,
        courier: &Courier,
        name: &str,
        request: &GenerationRequest,
        ended_at: &OnceLock<Timestamp>,
        give_up: &CancellationToken,
    ) -> Posted {
        let limit = answer_limit(request);
        let poll = self.reach.patience.poll;
        match courier.found(name, limit, poll, give_up).await {
            Carried::Told(answer, at) => {
                if let Some(at) = at {
                    // Looked for once, and told once.
                    let _ = ended_at.set(at);
                }
                Posted::Told(answer)
            }
            Carried::NotBegun | Carried::Lost => Posted::Lost,
        }
    }
}

/// An answer with its times counted from when it was asked for: a courier counts from when it sends, and
/// takes a moment to get going.
fn since_asked(answer: HttpAnswer, since: Instant) -> HttpAnswer {
    let before = since.elapsed().saturating_sub(answer.took);
    HttpAnswer {
        took: answer.took + before,
        ready: answer.ready + before,
        ..answer
    }
}
