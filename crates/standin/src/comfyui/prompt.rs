//! `POST /prompt`: validation, numbering, queueing.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::queue::{Job, number};
use super::{Comfy, graph, trouble};
use crate::lock::lock;
use crate::reply;

pub(super) async fn post(State(comfy): State<Arc<Comfy>>, bytes: Bytes) -> Response {
    let Ok(body) = serde_json::from_slice::<Value>(&bytes) else {
        return trouble::broken();
    };
    comfy.accept(&body)
}

impl Comfy {
    fn accept(self: &Arc<Self>, body: &Value) -> Response {
        self.say("got prompt");
        let refuse = |text: Value| {
            self.say(&format!("invalid prompt: {}", text["error"]));
            reply::json(400, &text)
        };
        let Some(prompt) = body.get("prompt") else {
            return refuse(graph::refusal(
                "no_prompt",
                "No prompt provided",
                "No prompt provided",
                &json!({}),
            ));
        };
        let asked = match body.get("number") {
            None => None,
            Some(value) => match value
                .as_f64()
                .or_else(|| value.as_str()?.trim().parse().ok())
            {
                Some(number) => Some(number),
                None => return trouble::broken(),
            },
        };
        let Some(sent) = prompt.as_object() else {
            return trouble::broken();
        };
        let mut checked = match self.check(sent) {
            Ok(checked) => checked,
            Err(text) => return refuse(text),
        };
        if let Some(only) = body
            .get("partial_execution_targets")
            .and_then(Value::as_array)
        {
            checked
                .outputs
                .retain(|id| only.iter().any(|wanted| wanted.as_str() == Some(id)));
        }
        let id = body
            .get("prompt_id")
            .and_then(Value::as_str)
            .map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned);
        let client = body
            .get("client_id")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let mut extra = body.get("extra_data").cloned().unwrap_or_else(|| json!({}));
        if let Some(client) = &client {
            extra["client_id"] = json!(client);
        }
        let front = body.get("front").and_then(Value::as_bool).unwrap_or(false);
        let node_errors = checked.node_errors.clone();
        let place = {
            let mut queue = lock(&self.queue);
            let place = queue.take_number(asked, front);
            queue.push(Job {
                number: place,
                id: id.clone(),
                graph: checked,
                extra,
                client,
            });
            place
        };
        self.tell_status();
        self.wake.notify_one();
        reply::json(
            200,
            &json!({"prompt_id": id, "number": number(place), "node_errors": node_errors}),
        )
    }
}
