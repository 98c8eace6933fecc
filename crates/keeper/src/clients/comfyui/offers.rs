//! What a ComfyUI server offers, and what of it is meant by a request. What has no equivalent is
//! refused before anything is queued, in words.

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{
        GenerationChoices, GenerationRequest,
        samplers::{NoTwin, SamplerPair, sampler_of, scheduler_of},
    },
};
use serde_json::Value;
use uuid::Uuid;

use super::graph::Choice;

/// Longest list of names offered.
const MAX_NAMES: usize = 5000;
/// What ComfyUI itself starts with.
const USUAL_SAMPLER: &str = "euler";
const USUAL_SCHEDULER: &str = "normal";

/// Names in a list of strings.
pub(super) fn names(list: &Value) -> Vec<String> {
    let names = list.as_array().into_iter().flatten();
    let names = names.filter_map(Value::as_str).map(str::to_owned);
    names.take(MAX_NAMES).collect()
}

/// The values of a `KSampler` input, from `/object_info/KSampler`. Newer nodes say
/// `["COMBO", {"options": [...]}]` where older ones have the list itself (`comfyui-api.md` §12).
pub(super) fn inputs(info: &Value, name: &str) -> Vec<String> {
    let input = info
        .get("KSampler")
        .and_then(|node| node.get("input")?.get("required")?.get(name));
    let Some(input) = input else {
        return Vec::new();
    };
    match input.get(0) {
        Some(list @ Value::Array(_)) => names(list),
        _ => names(
            input
                .get(1)
                .and_then(|rest| rest.get("options"))
                .unwrap_or(&Value::Null),
        ),
    }
}

/// Chooses what a request leaves open. `used` is the checkpoint of the newest run.
pub(super) fn choose(
    request: &GenerationRequest,
    offers: &GenerationChoices,
    used: Option<&str>,
) -> Result<Choice, ErrorInfo> {
    let (sampler, pair) = sampler(request.sampler.as_deref(), &offers.samplers)?;
    let scheduler = scheduler(request.scheduler.as_deref(), &offers.schedulers, pair)?;
    Ok(Choice {
        checkpoint: checkpoint(request.model.as_deref(), &offers.models, used)?,
        sampler,
        scheduler,
        seed: request.seed.map_or_else(drawn, |seed| seed.0),
    })
}

/// A seed of 63 bits: every reader of JSON takes it whole.
fn drawn() -> u64 {
    Uuid::new_v4().as_u64_pair().1 >> 1
}

fn checkpoint(
    asked: Option<&str>,
    offered: &[String],
    used: Option<&str>,
) -> Result<String, ErrorInfo> {
    let first = offered.first().ok_or_else(|| {
        ErrorInfo::new(ErrorCode::Api, "ComfyUI offers no checkpoint.")
            .hint("Check whether its models folder is mounted and holds one.")
    })?;
    let Some(asked) = asked else {
        let used = used.filter(|used| offered.iter().any(|name| name == used));
        return Ok(used.unwrap_or(first).to_owned());
    };
    // Forge's titles end with a hash, and its folders may be others: the file is what counts.
    let file = |name: &str| {
        let name = name.split(" [").next().unwrap_or(name);
        name.rsplit(['/', '\\']).next().unwrap_or(name).to_owned()
    };
    let exact = offered.iter().find(|name| *name == asked);
    let found = exact.or_else(|| offered.iter().find(|name| file(name) == file(asked)));
    found.cloned().ok_or_else(|| {
        refused(format!("ComfyUI offers no checkpoint `{asked}`."))
            .hint("Share the folder of models with it, or choose one that it offers.")
    })
}

/// A sampler in `KSampler`'s words, from its own or A1111's name.
fn sampler(
    asked: Option<&str>,
    offered: &[String],
) -> Result<(String, Option<&'static SamplerPair>), ErrorInfo> {
    let Some(asked) = asked else {
        return Ok((USUAL_SAMPLER.to_owned(), None));
    };
    if offered.iter().any(|name| name == asked) {
        return Ok((asked.to_owned(), None));
    }
    let pair = sampler_of(asked).ok_or_else(|| no_twin(&NoTwin::Unknown(asked.to_owned())))?;
    let nothing = || no_twin(&NoTwin::Nothing(asked.to_owned()));
    let (name, _) = pair.pair.comfyui.ok_or_else(nothing)?;
    Ok((is_offered(name, offered)?, Some(pair)))
}

fn scheduler(
    asked: Option<&str>,
    offered: &[String],
    pair: Option<&SamplerPair>,
) -> Result<String, ErrorInfo> {
    if let Some(asked) = asked
        && offered.iter().any(|name| name == asked)
    {
        return Ok(asked.to_owned());
    }
    let usual = sampler_of("Euler");
    let Some(pair) = pair.or(usual) else {
        return Ok(USUAL_SCHEDULER.to_owned());
    };
    let (name, _) = scheduler_of(asked, pair).map_err(|error| no_twin(&error))?;
    is_offered(name, offered)
}

/// A list that is not told refuses nothing: the server has its own check.
fn is_offered(name: &str, offered: &[String]) -> Result<String, ErrorInfo> {
    if offered.is_empty() || offered.iter().any(|offered| offered == name) {
        return Ok(name.to_owned());
    }
    Err(refused(format!("This ComfyUI does not offer `{name}`.")))
}

fn no_twin(error: &NoTwin) -> ErrorInfo {
    refused(format!("{error}.")).hint("Choose one that the service offers.")
}

fn refused(message: String) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::BadRequest, message)
}

#[cfg(test)]
mod tests {
    use forgekeeper_domain::generation::Seed;
    use serde_json::json;

    use super::*;

    fn offers() -> GenerationChoices {
        let list = |names: &str| names.split(' ').map(str::to_owned).collect();
        GenerationChoices {
            samplers: list("euler euler_ancestral dpmpp_2m uni_pc"),
            schedulers: list("normal karras simple"),
            models: list("first.safetensors sub/xl.safetensors"),
        }
    }

    fn chosen(change: impl FnOnce(&mut GenerationRequest)) -> Result<Choice, String> {
        let mut request = GenerationRequest {
            seed: Some(Seed(7)),
            ..GenerationRequest::default()
        };
        change(&mut request);
        choose(&request, &offers(), Some("sub/xl.safetensors")).map_err(|error| error.message)
    }

    #[test]
    fn a_request_in_either_dialect_is_said_in_comfyuis() {
        let names = |sampler: Option<&str>, scheduler: Option<&str>| {
            chosen(|request| {
                request.sampler = sampler.map(str::to_owned);
                request.scheduler = scheduler.map(str::to_owned);
            })
            .map(|choice| format!("{} {}", choice.sampler, choice.scheduler))
        };
        for (sampler, scheduler, expected) in [
            (None, None, "euler normal"),
            (Some("Euler a"), None, "euler_ancestral normal"),
            (Some("DPM++ 2M"), Some("Automatic"), "dpmpp_2m karras"),
            (Some("DPM++ 2M"), Some("Simple"), "dpmpp_2m simple"),
            (Some("dpmpp_2m"), Some("karras"), "dpmpp_2m karras"),
            (None, Some("Karras"), "euler karras"),
        ] {
            assert_eq!(names(sampler, scheduler).as_deref(), Ok(expected));
        }
        for (sampler, scheduler, words) in [
            (
                Some("PLMS"),
                None,
                "`PLMS` has no equivalent in ComfyUI's KSampler.",
            ),
            (
                Some("<b>"),
                None,
                "`<b>` is no sampler or scheduler known here.",
            ),
            (
                None,
                Some("Turbo"),
                "`Turbo` has no equivalent in ComfyUI's KSampler.",
            ),
            (Some("Heun"), None, "This ComfyUI does not offer `heun`."),
        ] {
            assert_eq!(names(sampler, scheduler), Err(words.to_owned()));
        }
    }

    #[test]
    fn a_checkpoint_is_the_one_asked_for_or_the_one_used_last() {
        let model = |asked: Option<&str>| {
            chosen(|request| request.model = asked.map(str::to_owned)).map(|c| c.checkpoint)
        };
        for (asked, expected) in [
            (None, "sub/xl.safetensors"),
            (Some("first.safetensors"), "first.safetensors"),
            (
                Some("other/xl.safetensors [0123456789]"),
                "sub/xl.safetensors",
            ),
            (Some("other\\first.safetensors"), "first.safetensors"),
        ] {
            assert_eq!(model(asked).as_deref(), Ok(expected));
        }
        assert!(model(Some("gone.safetensors")).is_err());
        let nothing = GenerationChoices::default();
        let error = choose(&GenerationRequest::default(), &nothing, None);
        assert!(
            error
                .expect_err("no model")
                .message
                .contains("no checkpoint")
        );
        assert_ne!(drawn(), drawn());
    }

    #[test]
    fn both_forms_of_an_input_are_read() {
        let info =
            |input: Value| json!({"KSampler": {"input": {"required": {"scheduler": input}}}});
        for input in [
            json!([["normal", "karras"], {"default": "normal"}]),
            json!(["COMBO", {"options": ["normal", "karras"]}]),
        ] {
            assert_eq!(inputs(&info(input), "scheduler"), ["normal", "karras"]);
        }
        for odd in [json!({}), json!([]), info(json!(5)), info(json!(["COMBO"]))] {
            assert_eq!(inputs(&odd, "scheduler"), [""; 0], "{odd}");
        }
    }
}
