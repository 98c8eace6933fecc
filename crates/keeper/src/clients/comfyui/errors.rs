//! Why ComfyUI made no picture, in words.

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::GenerationVerdict,
};
use serde_json::Value;

use super::{
    super::{
        failure::{Failure, by_words},
        http::HttpAnswer,
        judge,
    },
    course::Course,
};

/// Most faults of nodes that are told of.
const MAX_FAULTS: usize = 4;
/// Longest part of one, in characters: the list of what would be allowed may be long.
const MAX_WORD: usize = 160;

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

/// An answer to any other question that is no success.
pub(super) fn unwell(path: &str, answer: &HttpAnswer, sent_credentials: bool) -> Failure {
    if matches!(answer.status, 401 | 403) {
        return refused(answer, sent_credentials);
    }
    let route = path.split('?').next().unwrap_or(path);
    let info = if route == "/view" && answer.status == 404 {
        ErrorInfo::new(
            ErrorCode::Api,
            "The picture was made, but its file is gone from the server.",
        )
        .hint("Does something clean its temp folder?")
    } else {
        let status = answer.status;
        ErrorInfo::new(
            ErrorCode::Api,
            format!("The service answered with HTTP {status}."),
        )
        .hint("Is it ComfyUI that answers at this address?")
        .detail(format!("{route}: {}", judge::error_message(answer)))
    };
    (GenerationVerdict::Failed, info)
}

/// What is wrong with the graph: the faults of its nodes, and what is said of the whole.
fn graph_words(answer: &HttpAnswer) -> String {
    let Ok(body) = judge::json(answer) else {
        return judge::error_message(answer);
    };
    let word = |of: &Value, key: &str| {
        let word = of.get(key).and_then(Value::as_str).unwrap_or_default();
        word.chars().take(MAX_WORD).collect::<String>()
    };
    let nodes = body.get("node_errors").and_then(Value::as_object);
    let mut faults: Vec<String> = Vec::new();
    for (id, node) in nodes.into_iter().flatten() {
        let class = word(node, "class_type");
        let errors = node.get("errors").and_then(Value::as_array);
        let errors = errors.into_iter().flatten();
        faults.extend(errors.map(|fault| {
            let (message, details) = (word(fault, "message"), word(fault, "details"));
            format!("node {id} ({class}): {message}: {details}")
        }));
    }
    let more = faults.len().saturating_sub(MAX_FAULTS);
    faults.truncate(MAX_FAULTS);
    if more > 0 {
        faults.push(format!("and {more} more"));
    }
    let whole = body.get("error").unwrap_or(&Value::Null);
    let (message, details) = (word(whole, "message"), word(whole, "details"));
    if faults.is_empty() {
        faults.push(message);
    }
    faults.push(details);
    faults.retain(|fault| !fault.is_empty());
    faults.join("; ")
}

/// How a prompt ended, by its entry in the history; `Ok` when it made its picture.
pub(super) fn ending(entry: &Value, course: &Course) -> Result<(), Failure> {
    let status = entry.get("status");
    let said = |key: &str| status.and_then(|status| status.get(key));
    let messages = said("messages").and_then(Value::as_array);
    let message = |kind: &str| {
        let mut all = messages.into_iter().flatten().rev();
        let found = all.find(|m| m.get(0).and_then(Value::as_str) == Some(kind));
        found.map(|message| message.get(1).unwrap_or(&Value::Null))
    };
    if said("status_str").and_then(Value::as_str) == Some("success") {
        let cached = message("execution_cached").and_then(|data| data.get("nodes")?.as_array());
        let cached = cached.into_iter().flatten().filter_map(Value::as_str);
        if course.is_done_by(cached) {
            let words = "ComfyUI showed the picture of an earlier run: nothing was computed.";
            let info = ErrorInfo::new(ErrorCode::NotProved, words).hint("Ask with another seed.");
            return Err((GenerationVerdict::Failed, info));
        }
        return Ok(());
    }
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
            challenge: None,
            body: body.to_string().into(),
            cut: None,
            took: Duration::ZERO,
            ready: Duration::ZERO,
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
        let fault =
            |n: usize| json!({"message": "Bad", "details": format!("{n} {}", "x".repeat(900))});
        let many = json!({
            "error": {"message": "no", "details": "Node ID '#1'"},
            "node_errors": {"5": {"class_type": "KSampler", "errors": (0..7).map(fault).collect::<Vec<_>>()}}});
        let (_, info) = refused(&answer(400, &many), false);
        let words = info.detail.unwrap_or_default();
        assert!(words.contains("node 5 (KSampler): Bad: 3 x"), "{words}");
        assert!(words.ends_with("and 3 more; Node ID '#1'"), "{words}");
        assert!(words.len() < 1200);
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
    fn a_file_that_is_gone_is_told_from_a_service_that_is_another() {
        let said = |path, status| unwell(path, &answer(status, &json!({})), false).1;
        assert!(said("/view?filename=a.png", 404).message.contains("gone"));
        let other = said("/models/checkpoints", 404);
        assert_eq!(other.message, "The service answered with HTTP 404.");
        assert!(
            other
                .detail
                .is_some_and(|d| d.starts_with("/models/checkpoints: "))
        );
        assert_eq!(said("/queue", 401).code, ErrorCode::Unauthorized);
    }

    #[test]
    fn an_interrupted_run_is_told_from_a_failed_one() {
        let course = Course::of(&json!({"1": {"class_type": "CheckpointLoaderSimple"},
            "5": {"class_type": "KSampler", "inputs": {"steps": 5}}}));
        let ending = |entry: &Value| ending(entry, &course);
        let entry = |status: &str, messages: Value| json!({"status": {"status_str": status, "messages": messages}});
        assert_eq!(ending(&entry("success", json!([]))), Ok(()));
        let stopped = ending(&entry(
            "error",
            json!([["execution_start", {}], ["execution_interrupted", {"node_id": "5"}]]),
        ));
        let stopped = stopped.expect_err("no picture");
        assert_eq!(stopped.0, GenerationVerdict::Interrupted);
        let cached = ending(&entry(
            "success",
            json!([["execution_cached", {"nodes": ["1", "5"]}]]),
        ));
        assert_eq!(cached.expect_err("no work").1.code, ErrorCode::NotProved);
        let loaded = ending(&entry(
            "success",
            json!([["execution_cached", {"nodes": ["1"]}]]),
        ));
        assert_eq!(loaded, Ok(()), "a model may be there already");
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
