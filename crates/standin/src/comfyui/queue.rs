//! The queue: a binary heap by number, shown in heap order as the real one does.

use serde_json::{Value, json};

use super::graph::Graph;

/// A queued graph.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub number: f64,
    pub id: String,
    pub graph: Graph,
    pub extra: Value,
    pub client: Option<String>,
}

impl Job {
    /// `[number, prompt_id, graph, extra_data, [output node ids]]`.
    pub(super) fn row(&self) -> Value {
        json!([
            number(self.number),
            self.id,
            self.graph.sent,
            self.extra,
            self.graph.outputs
        ])
    }
}

/// Whole numbers are written as such.
#[expect(
    clippy::cast_possible_truncation,
    reason = "checked to be a small whole number"
)]
pub(super) fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        json!(value as i64)
    } else {
        json!(value)
    }
}

/// What waits and what runs.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: Vec<Job>,
    pub running: Option<Job>,
    /// Node the running job is at.
    pub node: Option<String>,
    /// `client_id` of the job last started.
    pub last_client: Option<String>,
    next: f64,
}

impl Queue {
    /// The number for a new job.
    pub(super) fn take_number(&mut self, asked: Option<f64>, front: bool) -> f64 {
        if let Some(number) = asked {
            return number;
        }
        let number = self.next;
        self.next += 1.0;
        if front { -number } else { number }
    }

    pub(super) fn push(&mut self, job: Job) {
        self.heap.push(job);
        let mut at = self.heap.len() - 1;
        while at > 0 && self.heap[at].number < self.heap[(at - 1) / 2].number {
            self.heap.swap(at, (at - 1) / 2);
            at = (at - 1) / 2;
        }
    }

    pub(super) fn pop(&mut self) -> Option<Job> {
        if self.heap.is_empty() {
            return None;
        }
        let first = self.heap.swap_remove(0);
        self.sift();
        Some(first)
    }

    fn sift(&mut self) {
        let mut at = 0;
        loop {
            let (left, right) = (at * 2 + 1, at * 2 + 2);
            let mut least = at;
            for child in [left, right] {
                if child < self.heap.len() && self.heap[child].number < self.heap[least].number {
                    least = child;
                }
            }
            if least == at {
                return;
            }
            self.heap.swap(at, least);
            at = least;
        }
    }

    pub(super) fn remaining(&self) -> usize {
        self.heap.len() + usize::from(self.running.is_some())
    }

    pub(super) fn pending(&self) -> Vec<Value> {
        self.heap.iter().map(Job::row).collect()
    }

    /// Takes jobs out of the waiting ones; the running one is never touched.
    pub(super) fn retain(&mut self, keep: impl Fn(&Job) -> bool) {
        let old = std::mem::take(&mut self.heap);
        for job in old.into_iter().filter(|job| keep(job)) {
            self.push(job);
        }
    }
}
