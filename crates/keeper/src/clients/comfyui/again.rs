//! A prompt that an earlier run of this program queued: followed to its end, or found in the history.

use std::time::{Duration, Instant};

use bytes::Bytes;
use forgekeeper_domain::{
    Timestamp,
    error::{ErrorCode, ErrorInfo},
    generation::{GenerationRequest, GenerationVerdict, Seed, Substitution, infotext},
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        errand::{Again, Ticket},
        failure::Failure,
        judge,
        outcome::{GenerationOutcomeRaw, LiveProgress},
    },
    client::ComfyClient,
    course::Course,
    files, graph,
    run::Following,
    socket::Socket,
    workflow::MAX_PICTURES,
};
use crate::media::decode::MAX_FILE_BYTES;

impl ComfyClient {
    /// Looks for a prompt; nothing is sent again.
    pub(super) async fn find(
        &self,
        again: &Again,
        request: &GenerationRequest,
        cancel: &CancellationToken,
        on_progress: &mut (impl FnMut(LiveProgress) + Send),
    ) -> GenerationOutcomeRaw {
        let started = Instant::now();
        let Ticket::Comfyui {
            prompt,
            client,
            graph: sent,
            own,
            substitutions,
        } = &again.ticket
        else {
            return GenerationOutcomeRaw::failed(another_kind(), started.elapsed());
        };
        let found = async {
            let socket = Socket::open(&self.reach.target, client).await;
            let following = Following::new(self, prompt, Course::of(sent), socket);
            let entry = following.follow(cancel, on_progress).await?;
            if let Some(at) = ended_at(&entry) {
                // Asked once only.
                let _ = again.ended_at.set(at);
            }
            if *own {
                let files = files::of(&entry, None, MAX_PICTURES);
                let pictures = self.fetched(&files, MAX_FILE_BYTES, cancel).await?;
                return Ok(outcome(pictures, substitutions));
            }
            let most = usize::try_from(request.batch).unwrap_or(1);
            let files = files::of(&entry, Some(graph::OUTPUT), most);
            let pictures = self.fetched(&files, files::limit(request), cancel).await?;
            Ok(told(request, sent, outcome(pictures, substitutions)))
        };
        match found.await {
            Ok(outcome) => GenerationOutcomeRaw {
                took: started.elapsed(),
                ..outcome
            },
            Err(failure) => GenerationOutcomeRaw::failed(failure, started.elapsed()),
        }
    }
}

/// Pictures of which nothing else is known.
fn outcome(pictures: Vec<Bytes>, substitutions: &[Substitution]) -> GenerationOutcomeRaw {
    GenerationOutcomeRaw {
        pictures,
        seeds: Vec::new(),
        infotexts: Vec::new(),
        model: None,
        substitutions: substitutions.to_vec(),
        interrupted: false,
        failure: None,
        took: Duration::ZERO,
        ready: None,
    }
}

/// The same with what was chosen when it was queued, which stands in the graph.
fn told(
    request: &GenerationRequest,
    sent: &Value,
    outcome: GenerationOutcomeRaw,
) -> GenerationOutcomeRaw {
    let sampler = graph::sampling_of(sent);
    let word = |key: &str| sampler.and_then(|inputs| inputs.get(key)?.as_str());
    let seed = sampler.and_then(|inputs| inputs.get("seed")?.as_u64());
    let seed = seed.map(Seed).or(request.seed);
    let model = graph::checkpoint_of(sent);
    let names = infotext::Names {
        sampler: word("sampler_name").unwrap_or_default(),
        scheduler: word("scheduler").unwrap_or_default(),
        model: model.unwrap_or_default(),
        program: "ComfyUI",
    };
    // One generator fills the whole batch: only its first picture has a seed of its own.
    let seeds = [seed].into_iter().chain(std::iter::repeat(None));
    GenerationOutcomeRaw {
        seeds: seed.into_iter().collect(),
        infotexts: outcome
            .pictures
            .iter()
            .zip(seeds)
            .map(|(_, seed)| infotext::compose(request, seed, &names))
            .collect(),
        model: model.map(judge::shorten),
        ..outcome
    }
}

/// When a run ended, by the last of its messages.
fn ended_at(entry: &Value) -> Option<Timestamp> {
    let messages = entry.get("status")?.get("messages")?.as_array()?;
    let milliseconds = messages
        .iter()
        .filter_map(|message| message.get(1)?.get("timestamp")?.as_i64())
        .max()?;
    Timestamp::from_millisecond(milliseconds).ok()
}

fn another_kind() -> Failure {
    let info = ErrorInfo::new(
        ErrorCode::Refused,
        "The service is of another kind than when the picture was asked for.",
    );
    (GenerationVerdict::Interrupted, info)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_end_of_a_run_is_its_last_message() {
        let entry = json!({"status": {"messages": [
            ["execution_start", {"timestamp": 1_795_000_000_000_i64}],
            ["execution_success", {"timestamp": 1_795_000_004_500_i64}],
            ["odd", {"timestamp": "x"}], [], 5,
        ]}});
        let at = ended_at(&entry).expect("told");
        assert_eq!(at.as_millisecond(), 1_795_000_004_500);
        for odd in [
            json!(null),
            json!({"status": {"messages": []}}),
            json!({"status": {"messages": [["x", {"timestamp": i64::MAX}]]}}),
        ] {
            assert_eq!(ended_at(&odd), None, "{odd}");
        }
    }
}
