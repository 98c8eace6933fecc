//! Workflows of one's own: filled with what a request says, queued and followed as ours are.

use std::time::{Duration, Instant};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{
        GenerationRequest, Replaced, Seed, Substitution, lora,
        workflow::{Placeholder, Workflow},
    },
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    super::{
        failure::Failure,
        judge,
        outcome::{GenerationOutcomeRaw, LiveProgress},
    },
    choose::{self, Notes},
    client::{ComfyClient, Queued, failed},
    files, graph, names,
    offers::Offers,
};
use crate::media::decode::MAX_FILE_BYTES;

/// Most pictures of one run that are kept.
pub(super) const MAX_PICTURES: usize = 64;
/// Inputs by which a node makes another picture each time.
const SEEDS: &[&str] = &["seed", "noise_seed"];

/// A workflow with a request in it.
struct Filled {
    graph: Value,
    /// Where the workflow asks for one.
    seed: Option<u64>,
    model: Option<String>,
    substitutions: Vec<Substitution>,
}

impl ComfyClient {
    /// Runs a workflow of one's own once, with a request in the place of its words. Every picture it
    /// shows or saves comes back.
    pub async fn run_workflow(
        &self,
        workflow: &Workflow,
        request: &GenerationRequest,
        cancel: &CancellationToken,
        mut on_progress: impl FnMut(LiveProgress) + Send,
    ) -> GenerationOutcomeRaw {
        let started = Instant::now();
        let made = self.make_by(workflow, request, cancel, started, &mut on_progress);
        match made.await {
            Ok(outcome) => GenerationOutcomeRaw {
                took: started.elapsed(),
                ..outcome
            },
            Err(failure) => GenerationOutcomeRaw::failed(failure, started.elapsed()),
        }
    }

    /// The graph that a workflow of one's own becomes with a request in it, as it would be queued.
    pub async fn workflow_graph(
        &self,
        workflow: &Workflow,
        request: &GenerationRequest,
    ) -> Result<Value, ErrorInfo> {
        let offers = self.offers().await?;
        let prompt = Uuid::new_v4().to_string();
        fill(workflow, request, &offers, &prompt).map(|filled| filled.graph)
    }

    async fn make_by(
        &self,
        workflow: &Workflow,
        request: &GenerationRequest,
        cancel: &CancellationToken,
        started: Instant,
        on_progress: &mut (impl FnMut(LiveProgress) + Send),
    ) -> Result<GenerationOutcomeRaw, Failure> {
        let bad = |words: String| failed(ErrorInfo::new(ErrorCode::BadRequest, words));
        request
            .check()
            .map_err(|problem| bad(problem.to_string()))?;
        let offers = self.offers().await.map_err(failed)?;
        let prompt = Uuid::new_v4().to_string();
        let filled = fill(workflow, request, &offers, &prompt).map_err(failed)?;
        let queued = Queued {
            graph: &filled.graph,
            prompt,
            own: true,
            substitutions: &filled.substitutions,
        };
        let entry = self.run(queued, cancel, on_progress).await?;
        let ready = started.elapsed();
        let files = files::of(&entry, None, MAX_PICTURES);
        let pictures = self.fetched(&files, MAX_FILE_BYTES, cancel).await?;
        Ok(GenerationOutcomeRaw {
            pictures,
            seeds: filled.seed.map(Seed).into_iter().collect(),
            // Its parameters are in the picture, as a graph: a text would tell but a part of them.
            infotexts: Vec::new(),
            model: filled.model.as_deref().map(judge::shorten),
            substitutions: filled.substitutions,
            interrupted: false,
            failure: None,
            took: Duration::ZERO,
            ready: Some(ready),
        })
    }
}

fn refused(words: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::BadRequest, words)
}

/// What a request may say beside a workflow is what its words can stand for.
fn check(request: &GenerationRequest) -> Result<(), ErrorInfo> {
    let besides = [
        (request.hires.is_some(), "a second pass"),
        (request.variation.is_some(), "a variation"),
        (request.clip_skip.is_some(), "clip skip"),
        (request.distilled_cfg.is_some(), "distilled guidance"),
        (!request.modules.is_empty(), "modules"),
    ];
    if let Some((_, what)) = besides.iter().find(|(asked, _)| *asked) {
        return Err(refused(&format!(
            "A workflow of one's own takes no {what} from a request."
        ))
        .hint("Put it into the workflow."));
    }
    let tagged = lora::parse(&request.prompt).map_err(|problem| refused(&problem.to_string()))?;
    if tagged.loras.is_empty() {
        return Ok(());
    }
    Err(refused("ComfyUI does not read the LoRA tags of a prompt.")
        .hint("Put a LoraLoader into the workflow."))
}

fn fill(
    workflow: &Workflow,
    request: &GenerationRequest,
    offers: &Offers,
    run: &str,
) -> Result<Filled, ErrorInfo> {
    check(request)?;
    let has = |word| workflow.placeholders().contains(&word);
    let mut notes = Notes::default();
    let names_sampling = has(Placeholder::Sampler) || has(Placeholder::Scheduler);
    let (sampler, scheduler) = if names_sampling {
        choose::sampling(request, offers, &mut notes)?
    } else {
        (String::new(), String::new())
    };
    let model = match request.model.as_deref().filter(|_| has(Placeholder::Model)) {
        Some(asked) => {
            let (name, _) = choose::model(Some(asked), offers, None, &mut notes)?;
            Some(name.to_owned())
        }
        None => None,
    };
    let seed = choose::seed(request);
    let value = |word: Placeholder| {
        Some(match word {
            Placeholder::Prompt => json!(request.prompt),
            Placeholder::Negative => json!(request.negative_prompt),
            Placeholder::Seed => json!(seed),
            Placeholder::Steps => json!(request.steps),
            Placeholder::Cfg => json!(request.cfg_scale),
            Placeholder::Width => json!(request.width),
            Placeholder::Height => json!(request.height),
            Placeholder::Model => json!(model.as_ref()?),
            Placeholder::Sampler => json!(sampler),
            Placeholder::Scheduler => json!(scheduler),
            Placeholder::Batch => json!(request.batch),
        })
    };
    let mut graph = workflow
        .fill(value)
        .map_err(|problem| refused(&problem.to_string()))?;
    mark(&mut graph, run);
    // What was asked for by name and finds no place is not used, and that is no secret.
    let placeless = [
        (
            Placeholder::Prompt,
            Replaced::Prompt,
            Some(request.prompt.clone()),
        ),
        (Placeholder::Model, Replaced::Model, request.model.clone()),
        (
            Placeholder::Sampler,
            Replaced::Sampler,
            request.sampler.clone(),
        ),
        (
            Placeholder::Scheduler,
            Replaced::Scheduler,
            request.scheduler.clone(),
        ),
        (
            Placeholder::Seed,
            Replaced::Seed,
            request.seed.map(|s| s.to_string()),
        ),
    ];
    let mut substitutions = notes.0;
    for (word, field, asked) in placeless {
        if let Some(asked) = asked.filter(|asked| !has(word) && !asked.is_empty()) {
            substitutions.push(Substitution {
                field,
                asked: judge::shorten(&asked),
                used: "the workflow's own".to_owned(),
            });
        }
    }
    Ok(Filled {
        seed: has(Placeholder::Seed).then_some(seed),
        model: model.or_else(|| loads(&graph)),
        graph,
        substitutions,
    })
}

/// The checkpoint that a graph loads, without folder where it has one.
fn loads(graph: &Value) -> Option<String> {
    graph::checkpoint_of(graph).map(|name| names::file(name).to_owned())
}

/// Marks the nodes that draw, so that an unchanged workflow is computed anew. Nodes that load are
/// left alone: a marked one would load again.
fn mark(graph: &mut Value, run: &str) {
    let nodes = graph.as_object_mut().into_iter().flatten();
    for (_, node) in nodes {
        let inputs = node.get_mut("inputs").and_then(Value::as_object_mut);
        if let Some(inputs) = inputs
            && SEEDS.iter().any(|seed| inputs.contains_key(*seed))
        {
            inputs.insert(graph::RUN.to_owned(), json!(run));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(graph: &Value, request: &GenerationRequest) -> Result<Filled, String> {
        let offers = Offers {
            checkpoints: vec!["sub/xl.safetensors".to_owned()],
            samplers: vec!["euler".to_owned(), "dpmpp_2m".to_owned()],
            schedulers: vec!["normal".to_owned(), "karras".to_owned()],
            ..Offers::default()
        };
        let workflow = Workflow::parse(&graph.to_string()).expect("a workflow");
        fill(&workflow, request, &offers, "run").map_err(|info| info.message)
    }

    fn workflow(inputs: &Value) -> Value {
        json!({"1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "%model%"}},
               "2": {"class_type": "KSampler", "inputs": inputs}})
    }

    fn asked() -> GenerationRequest {
        GenerationRequest {
            model: Some("xl".to_owned()),
            sampler: Some("DPM++ 2M".to_owned()),
            seed: Some(Seed(7)),
            ..GenerationRequest::default()
        }
    }

    #[test]
    fn a_request_is_said_in_the_servers_words() {
        let inputs = json!({"seed": "%seed%", "sampler_name": "%sampler%", "scheduler": "%scheduler%",
            "text": "%prompt%"});
        let filled = filled(&workflow(&inputs), &asked()).expect("filled");
        assert_eq!(
            filled.graph["2"]["inputs"],
            json!({"seed": 7, "sampler_name": "dpmpp_2m", "scheduler": "karras",
                "text": "test image", graph::RUN: "run"})
        );
        assert_eq!(
            filled.graph["1"]["inputs"],
            json!({"ckpt_name": "sub/xl.safetensors"}),
            "what loads is not marked"
        );
        assert_eq!(filled.seed, Some(7));
        assert_eq!(filled.substitutions.len(), 1, "the model lies elsewhere");
    }

    #[test]
    fn what_finds_no_place_is_told_or_refused() {
        let own = json!({"1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "a/b.ckpt"}}});
        let filled_own = filled(&own, &asked()).expect("filled");
        let told: Vec<&str> = filled_own
            .substitutions
            .iter()
            .map(|s| s.field.as_str())
            .collect();
        assert_eq!(told, ["prompt", "model", "sampler", "seed"]);
        assert_eq!(filled_own.model.as_deref(), Some("b.ckpt"));
        let refused = |request: GenerationRequest| {
            filled(&workflow(&json!({})), &request)
                .map(|_| ())
                .expect_err("refused")
        };
        let no_model = GenerationRequest {
            model: None,
            ..asked()
        };
        assert!(refused(no_model).contains("%model%"));
        let skip = GenerationRequest {
            clip_skip: Some(2),
            ..asked()
        };
        assert!(refused(skip).contains("clip skip"));
        let lora = GenerationRequest {
            prompt: "<lora:x:1>".to_owned(),
            ..asked()
        };
        assert!(refused(lora).contains("LoRA"));
    }
}
