//! What the WebSocket's text frames say of one prompt. Frames of other prompts say nothing: without
//! a client id the server sends them to everybody.

use serde_json::Value;

/// A sign of our prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sign {
    /// This node is being executed.
    Node(String),
    /// A node made a step.
    Step {
        /// Which node.
        node: String,
        /// Steps done.
        value: u32,
    },
    /// It is over, well or not: the history says how.
    Over,
}

/// Reads a frame; `None` when it says nothing of this prompt.
pub(super) fn read(text: &str, prompt: &str) -> Option<Sign> {
    let frame: Value = serde_json::from_str(text).ok()?;
    let data = frame.get("data")?;
    if data.get("prompt_id")?.as_str()? != prompt {
        return None;
    }
    let node = || Some(data.get("node")?.as_str()?.to_owned());
    match frame.get("type")?.as_str()? {
        "executing" => Some(node().map_or(Sign::Over, Sign::Node)),
        "progress" => {
            let value = data.get("value")?.as_f64()?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a float cast saturates"
            )]
            let value = value as u32;
            Some(Sign::Step {
                node: node()?,
                value,
            })
        }
        "execution_success" | "execution_error" | "execution_interrupted" => Some(Sign::Over),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_frames_of_our_prompt_are_signs() {
        let step = |node: &str, value| {
            let node = node.to_owned();
            Some(Sign::Step { node, value })
        };
        for (text, expected) in [
            (
                r#"{"type":"executing","data":{"node":"4","display_node":"4","prompt_id":"p"}}"#,
                Some(Sign::Node("4".to_owned())),
            ),
            (
                r#"{"type":"executing","data":{"node":null,"prompt_id":"p"}}"#,
                Some(Sign::Over),
            ),
            (
                r#"{"type":"progress","data":{"value":2,"max":3,"prompt_id":"p","node":"3"}}"#,
                step("3", 2),
            ),
            (
                r#"{"type":"progress","data":{"value":2.0,"max":3,"prompt_id":"p","node":"3"}}"#,
                step("3", 2),
            ),
            (
                r#"{"type":"progress","data":{"value":-1e300,"max":3,"prompt_id":"p","node":"3"}}"#,
                step("3", 0),
            ),
            (
                r#"{"type":"execution_error","data":{"prompt_id":"p"}}"#,
                Some(Sign::Over),
            ),
            (
                r#"{"type":"progress","data":{"value":2,"max":3,"prompt_id":"other","node":"3"}}"#,
                None,
            ),
            (r#"{"type":"executing","data":{"node":"3"}}"#, None),
            (r#"{"type":"status","data":{"status":{}}}"#, None),
            ("[]", None),
            ("not JSON", None),
        ] {
            assert_eq!(read(text, "p"), expected, "{text}");
        }
    }
}
