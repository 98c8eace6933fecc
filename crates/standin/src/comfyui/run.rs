//! The worker: takes graphs from the queue and runs them node by node.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::graph::{class_of, input};
use super::plan::{order, signature};
use super::queue::Job;
use super::{Cache, Comfy};
use crate::docker::hex_id;
use crate::lock::lock;

/// Why a graph ended early.
pub(super) enum Halt {
    Interrupted {
        node: String,
    },
    Failed {
        node: String,
        kind: &'static str,
        text: String,
    },
}

/// State of one run.
pub(super) struct Run<'a> {
    pub job: &'a Job,
    pub signatures: BTreeMap<String, String>,
    pub states: Map<String, Value>,
    pub executed: Vec<String>,
    pub messages: Vec<Value>,
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

impl Comfy {
    /// Takes jobs for ever.
    pub(super) async fn work(self: Arc<Self>) {
        loop {
            let next = {
                let mut queue = lock(&self.queue);
                let next = queue.pop();
                queue.running.clone_from(&next);
                if let Some(job) = &next {
                    queue.last_client.clone_from(&job.client);
                }
                next
            };
            match next {
                Some(job) => self.perform(job).await,
                None => self.wake.notified().await,
            }
        }
    }

    async fn perform(&self, job: Job) {
        self.tell_status();
        let began = Instant::now();
        *lock(&self.interrupt) = false;
        let mut run = Run {
            job: &job,
            signatures: BTreeMap::new(),
            states: Map::new(),
            executed: Vec::new(),
            messages: Vec::new(),
        };
        let mut outputs = Map::new();
        let done = self.nodes(&mut run, &mut outputs).await;
        self.show_memory(false);
        let success = done.is_ok();
        match done {
            Ok(()) => {
                self.note(
                    &mut run,
                    "execution_success",
                    json!({"prompt_id": job.id, "timestamp": now()}),
                );
                let seconds = began.elapsed().as_secs_f64();
                self.say(&format!("Prompt executed in {seconds:.2} seconds"));
            }
            Err(Halt::Interrupted { node }) => {
                self.say("Processing interrupted");
                let kind = class_of(run.graph(), &node).map(|c| c.name);
                let data = json!({"prompt_id": job.id, "node_id": node, "node_type": kind,
                                  "executed": run.executed, "timestamp": now()});
                // Everybody hears it if the job had no client.
                self.note(&mut run, "execution_interrupted", data);
            }
            Err(Halt::Failed { node, kind, text }) => {
                self.say(&format!("!!! Exception during processing !!! {text}"));
                self.say("Traceback (most recent call last):");
                self.say(&format!("{kind}: {text}"));
                let class = class_of(run.graph(), &node).map(|c| c.name);
                let all: Vec<&String> = run.graph().keys().collect();
                let inputs: Map<String, Value> = run
                    .graph()
                    .get(&node)
                    .and_then(|node| node.get("inputs")?.as_object())
                    .into_iter()
                    .flatten()
                    .filter(|(_, value)| !value.is_array())
                    .map(|(name, value)| (name.clone(), json!([value])))
                    .collect();
                let data = json!({"prompt_id": job.id, "node_id": node, "node_type": class,
                    "executed": run.executed, "exception_message": format!("{text}\n"),
                    "exception_type": kind,
                    "traceback": ["  File \"/root/ComfyUI/execution.py\", line 496, in execute\n"],
                    "current_inputs": inputs, "current_outputs": all, "timestamp": now()});
                self.note(&mut run, "execution_error", data);
            }
        }
        let meta: Map<String, Value> = outputs
            .keys()
            .map(|id| {
                (id.clone(), json!({"node_id": id, "display_node": id, "parent_node": null, "real_node_id": id}))
            })
            .collect();
        let entry = json!({"prompt": job.row(), "outputs": if success { outputs } else { Map::new() },
            "status": {"status_str": if success { "success" } else { "error" }, "completed": success,
                       "messages": run.messages},
            "meta": if success { meta } else { Map::new() }});
        {
            let mut history = lock(&self.history);
            history.push((job.id.clone(), entry));
            if history.len() > 10_000 {
                history.remove(0);
            }
            let mut queue = lock(&self.queue);
            queue.running = None;
            queue.node = None;
        }
        self.tell_status();
        if job.client.is_some() {
            let data = json!({"node": null, "prompt_id": job.id});
            self.sockets.text(job.client.as_deref(), "executing", &data);
        }
    }

    /// A message that is also kept in the history.
    fn note(&self, run: &mut Run, kind: &str, data: Value) {
        run.messages.push(json!([kind, data]));
        if run.job.client.is_some() {
            self.sockets.text(run.client(), kind, &data);
        } else if kind == "execution_interrupted" {
            self.sockets.text(None, kind, &data);
        }
    }

    /// A frame for the job's client alone.
    fn own(&self, run: &Run, kind: &str, data: &Value) {
        if run.job.client.is_some() {
            self.sockets.text(run.client(), kind, data);
        }
    }

    pub(super) fn state(&self, run: &mut Run, id: &str, value: f64, max: f64, state: &str) {
        let job = run.job.id.clone();
        run.states.insert(
            id.to_owned(),
            json!({"value": value, "max": max, "state": state, "node_id": id, "prompt_id": job,
                   "display_node_id": id, "parent_node_id": null, "real_node_id": id}),
        );
        self.own(
            run,
            "progress_state",
            &json!({"prompt_id": job, "nodes": run.states}),
        );
    }

    async fn nodes(&self, run: &mut Run<'_>, outputs: &mut Map<String, Value>) -> Result<(), Halt> {
        let id = run.job.id.clone();
        self.note(
            run,
            "execution_start",
            json!({"prompt_id": id, "timestamp": now()}),
        );
        let graph = run.graph().clone();
        let (mut seen, mut sequence) = (BTreeSet::new(), Vec::new());
        for output in &run.job.graph.outputs {
            order(&graph, output, &mut seen, &mut sequence);
        }
        for node in &sequence {
            // Another file under the same name is another picture.
            if class_of(&graph, node).is_some_and(|class| class.name == "LoadImage")
                && let Some(name) = input(&graph, node, "image").and_then(Value::as_str)
                && let Some(file) = self.input_file(name)
            {
                let mark = hex_id(&format!("LoadImage {name} {}", hex_id(file.as_slice())));
                run.signatures.insert(node.clone(), mark);
            }
        }
        for node in &sequence {
            signature(&graph, node, &mut run.signatures, 0);
        }
        let old: Cache = lock(&self.cache).clone();
        let cached: Vec<String> = sequence
            .iter()
            .filter(|n| run.signatures.get(*n).is_some_and(|s| old.contains_key(s)))
            .cloned()
            .collect();
        let data = json!({"nodes": cached, "prompt_id": id, "timestamp": now()});
        self.note(run, "execution_cached", data);
        let mut fresh: Cache = HashMap::new();
        for node in sequence {
            let mark = run.signatures.get(&node).cloned().unwrap_or_default();
            if let Some(shown) = old.get(&mark) {
                if let Some(ui) = shown {
                    self.finish(run, &node, ui, outputs);
                }
                fresh.insert(mark, shown.clone());
                continue;
            }
            lock(&self.queue).node = Some(node.clone());
            self.state(run, &node, 0.0, 1.0, "running");
            self.own(
                run,
                "executing",
                &json!({"node": node, "display_node": node, "prompt_id": id}),
            );
            let shown = self.execute(run, &graph, &node).await;
            let shown = match shown {
                Ok(shown) => shown,
                Err(halt) => {
                    // What was done before stays usable for the next graph.
                    *lock(&self.cache) = fresh;
                    return Err(halt);
                }
            };
            if let Some(ui) = &shown {
                self.finish(run, &node, ui, outputs);
            }
            self.state(run, &node, 1.0, 1.0, "finished");
            run.executed.push(node.clone());
            fresh.insert(mark, shown);
        }
        *lock(&self.cache) = fresh;
        Ok(())
    }

    fn finish(&self, run: &Run, node: &str, ui: &Value, outputs: &mut Map<String, Value>) {
        outputs.insert(node.to_owned(), ui.clone());
        self.own(
            run,
            "executed",
            &json!({"node": node, "display_node": node, "output": ui, "prompt_id": run.job.id}),
        );
    }
}
