//! Why ComfyUI made no picture, in words.

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::GenerationVerdict,
};
use serde_json::Value;

use super::super::{
    failure::{Failure, by_words},
    http::HttpAnswer,
    judge,
};

/// Most faulty nodes that are told of.
const MAX_NODES: usize = 4;

/// An answer to `POST /prompt` that is no success (`comfyui-api.md` §3).
pub(super) fn refused(answer: &HttpAnswer, sent_credentials: bool) -> Failure {
    let failed = |info: ErrorInfo| (GenerationVerdict::Failed, info);
    match answer.status {
        401 | 403 => failed(ErrorInfo::new(
            ErrorCode::Unauthorized,
            if sent_credentials {
                "The service refuses the stored credentials."
            } else {
                "The service wants credentials, or refuses this machine."
            },
        )),
        400 => failed(
            ErrorInfo::new(ErrorCode::BadRequest, "ComfyUI refused the graph.")
                .detail(graph_words(answer)),
        ),
        404 => failed(
            ErrorInfo::new(ErrorCode::Api, "The service has no route for prompts.")
                .hint("Is it ComfyUI that answers at this address?"),
        ),
        status => failed(
            ErrorInfo::new(
                ErrorCode::Api,
                format!("The service answered with HTTP {status}."),
            )
            .detail(judge::error_message(answer)),
        ),
    }
}

/// What is wrong with the graph: the faults of its nodes, else the sentence for the whole.
fn graph_words(answer: &HttpAnswer) -> String {
    let Ok(body) = judge::json(answer) else {
        return judge::error_message(answer);
    };
    let nodes = body.get("node_errors").and_then(Value::as_object);
    let faults: Vec<String> = nodes
        .into_iter()
        .flatten()
        .filter_map(|(id, node)| {
            let class = node.get("class_type")?.as_str()?;
            let fault = node.get("errors")?.get(0)?;
            let words = |key: &str| fault.get(key).and_then(Value::as_str).unwrap_or_default();
            let (message, details) = (words("message"), words("details"));
            Some(format!("node {id} ({class}): {message}: {details}"))
        })
        .take(MAX_NODES)
        .collect();
    if faults.is_empty() {
        let whole = body.get("error").and_then(|error| error.get("message"));
        let whole = whole.and_then(Value::as_str).unwrap_or("no reason given");
        return judge::shorten(whole);
    }
    judge::shorten(&faults.join("; "))
}

/// How a prompt ended, by its entry in the history; `Ok` when it made its picture.
pub(super) fn ending(entry: &Value) -> Result<(), Failure> {
    let status = entry.get("status");
    let said = |key: &str| status.and_then(|status| status.get(key));
    if said("status_str").and_then(Value::as_str) == Some("success") {
        return Ok(());
    }
    let messages = said("messages").and_then(Value::as_array);
    let message = |kind: &str| {
        let mut all = messages.into_iter().flatten().rev();
        let found = all.find(|m| m.get(0).and_then(Value::as_str) == Some(kind));
        found.map(|message| message.get(1).unwrap_or(&Value::Null))
    };
    if message("execution_interrupted").is_some() {
        let info = ErrorInfo::new(ErrorCode::Cancelled, "The picture was interrupted.");
        return Err((GenerationVerdict::Interrupted, info));
    }
    let words = message("execution_error").map(|data| {
        let word = |key: &str| data.get(key).and_then(Value::as_str).unwrap_or_default();
        let (kind, text) = (word("exception_type"), word("exception_message").trim_end());
        format!("{} in {}: {text}", kind, word("node_type"))
    });
    let words = words.unwrap_or_else(|| "its history gives no reason".to_owned());
    Err(by_words(
        &judge::shorten(&words),
        "ComfyUI failed while it made the picture.",
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn answer(status: u16, body: &Value) -> HttpAnswer {
        HttpAnswer {
            status,
            content_type: Some("application/json".to_owned()),
            location: None,
            body: body.to_string().into(),
            cut: None,
            took: Duration::ZERO,
        }
    }

    #[test]
    fn a_refused_graph_names_the_node_and_its_fault() {
        let body = json!({
            "error": {"type": "prompt_outputs_failed_validation",
                      "message": "Prompt outputs failed validation", "details": ""},
            "node_errors": {"1": {"class_type": "CheckpointLoaderSimple", "errors": [
                {"type": "value_not_in_list", "message": "Value not in list",
                 "details": "ckpt_name: 'gone.safetensors' not in []"}]}}});
        let (verdict, info) = refused(&answer(400, &body), false);
        assert_eq!(
            (verdict, info.code),
            (GenerationVerdict::Failed, ErrorCode::BadRequest)
        );
        assert_eq!(
            info.detail.as_deref(),
            Some(
                "node 1 (CheckpointLoaderSimple): Value not in list: ckpt_name: 'gone.safetensors' not in []"
            )
        );
        let whole = json!({"error": {"message": "No prompt provided"}, "node_errors": {}});
        let (_, info) = refused(&answer(400, &whole), false);
        assert_eq!(info.detail.as_deref(), Some("No prompt provided"));
        for (status, code) in [
            (401, ErrorCode::Unauthorized),
            (403, ErrorCode::Unauthorized),
            (404, ErrorCode::Api),
            (500, ErrorCode::Api),
        ] {
            assert_eq!(refused(&answer(status, &json!([])), true).1.code, code);
        }
    }

    #[test]
    fn an_interrupted_run_is_told_from_a_failed_one() {
        let entry = |status: &str, messages: Value| json!({"status": {"status_str": status, "messages": messages}});
        assert_eq!(ending(&entry("success", json!([]))), Ok(()));
        let stopped = ending(&entry(
            "error",
            json!([["execution_start", {}], ["execution_interrupted", {"node_id": "5"}]]),
        ));
        let stopped = stopped.expect_err("no picture");
        assert_eq!(stopped.0, GenerationVerdict::Interrupted);
        let memory = json!({"exception_type": "torch.OutOfMemoryError", "node_type": "KSampler",
                            "exception_message": "Allocation on device 0\n"});
        let out = ending(&entry("error", json!([["execution_error", memory]])));
        let (verdict, info) = out.expect_err("no picture");
        assert_eq!(
            (verdict, info.code),
            (GenerationVerdict::OutOfMemory, ErrorCode::OutOfMemory)
        );
        assert!(info.detail.is_some_and(|words| words.contains("KSampler")));
        for odd in [json!(null), json!([]), json!({"status": 5})] {
            let (verdict, info) = ending(&odd).expect_err("not known to be well");
            assert_eq!(
                (verdict, info.code),
                (GenerationVerdict::Failed, ErrorCode::Api)
            );
        }
    }
}
