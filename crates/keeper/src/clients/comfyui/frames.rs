//! What the WebSocket's text frames say of one prompt. Frames of other prompts say nothing: without
//! a client id the server sends them to everybody.

use bytes::Bytes;
use serde_json::Value;

use crate::media::decode;

/// Kinds of binary frames.
const PREVIEW: usize = 1;
const PREVIEW_WITH_METADATA: usize = 4;

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
        /// Of so many, where that is told.
        max: Option<u32>,
    },
    /// A picture of how far it is, encoded.
    Preview(Bytes),
    /// It is over, well or not: the history says how.
    Over,
}

/// Whether a text frame is the server's word that its previews name their prompt from now on.
pub(super) fn names_previews(text: &str) -> bool {
    let Ok(frame) = serde_json::from_str::<Value>(text) else {
        return false;
    };
    let named = frame
        .get("data")
        .and_then(|data| data.get("supports_preview_metadata"));
    frame.get("type").and_then(Value::as_str) == Some("feature_flags")
        && named.and_then(Value::as_bool) == Some(true)
}

/// Reads a binary frame (`comfyui-api.md` §5.1). `unnamed` tells whether one that does not say whose
/// it is may be ours: our prompt is at work, and the server names none.
pub(super) fn read_binary(frame: &Bytes, prompt: &str, unnamed: bool) -> Option<Sign> {
    let word = |at: usize| -> Option<usize> {
        let bytes = frame.get(at..at + 4)?;
        let number = u32::from_be_bytes(bytes.try_into().ok()?);
        usize::try_from(number).ok()
    };
    let image = match word(0)? {
        PREVIEW if unnamed => 8,
        PREVIEW_WITH_METADATA => {
            let end = word(4)?.checked_add(8)?;
            let about: Value = serde_json::from_slice(frame.get(8..end)?).ok()?;
            if about.get("prompt_id")?.as_str()? != prompt {
                return None;
            }
            end
        }
        _ => return None,
    };
    let image = (image < frame.len()).then(|| frame.slice(image..))?;
    // What is no picture is not shown as one.
    decode::header(&image).ok()?;
    Some(Sign::Preview(image))
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
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a float cast saturates"
            )]
            let number = |key: &str| Some(data.get(key)?.as_f64()? as u32);
            Some(Sign::Step {
                node: node()?,
                value: number("value")?,
                max: number("max"),
            })
        }
        "execution_success" | "execution_error" | "execution_interrupted" => Some(Sign::Over),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PNG of one pixel.
    fn png() -> Vec<u8> {
        let mut bytes = Vec::new();
        let pixel = image::DynamicImage::new_rgb8(1, 1);
        let mut cursor = std::io::Cursor::new(&mut bytes);
        pixel
            .write_to(&mut cursor, image::ImageFormat::Png)
            .expect("a picture");
        bytes
    }

    fn frame(parts: &[&[u8]]) -> Bytes {
        parts.concat().into()
    }

    #[test]
    fn a_preview_is_ours_by_its_word_or_while_ours_runs() {
        let png = png();
        let plain = frame(&[&[0, 0, 0, 1, 0, 0, 0, 2], &png]);
        let preview = Some(Sign::Preview(png.clone().into()));
        assert_eq!(read_binary(&plain, "p", true), preview);
        assert_eq!(read_binary(&plain, "p", false), None, "somebody else's");
        let told = |id: &str| {
            let about = format!("{{\"prompt_id\":\"{id}\",\"node_id\":\"5\"}}");
            let length = u32::try_from(about.len()).expect("short").to_be_bytes();
            frame(&[&[0, 0, 0, 4], &length, about.as_bytes(), &png])
        };
        assert_eq!(read_binary(&told("p"), "p", false), preview);
        assert_eq!(read_binary(&told("other"), "p", true), None);
    }

    #[test]
    fn the_servers_flags_say_whether_previews_are_named() {
        for (text, named) in [
            (
                r#"{"type":"feature_flags","data":{"supports_preview_metadata":true,"max_upload_size":1}}"#,
                true,
            ),
            (
                r#"{"type":"feature_flags","data":{"supports_preview_metadata":false}}"#,
                false,
            ),
            (
                r#"{"type":"status","data":{"supports_preview_metadata":true}}"#,
                false,
            ),
            ("[]", false),
            ("", false),
        ] {
            assert_eq!(names_previews(text), named, "{text}");
        }
    }

    #[test]
    fn a_torn_or_foreign_frame_is_no_preview() {
        for parts in [
            &[][..],
            &[0, 0, 0],
            &[0, 0, 0, 1],
            &[0, 0, 0, 1, 0, 0, 0, 2],
            &[0, 0, 0, 1, 0, 0, 0, 2, b'n', b'o'],
            &[0, 0, 0, 3, 0, 0, 0, 1, b'4', b'x'],
            &[0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff, b'{', b'}'],
            &[0, 0, 0, 4, 0, 0, 0, 2, b'{', b'}'],
        ] {
            assert_eq!(read_binary(&frame(&[parts]), "p", true), None, "{parts:?}");
        }
    }

    #[test]
    fn only_frames_of_our_prompt_are_signs() {
        let step = |node: &str, value| {
            let node = node.to_owned();
            Some(Sign::Step {
                node,
                value,
                max: Some(3),
            })
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
