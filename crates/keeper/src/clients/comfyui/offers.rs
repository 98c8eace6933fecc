//! What a ComfyUI server offers, and what of it is meant by a request. What has no equivalent is
//! refused before anything is queued, in words.

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{
        GenerationChoices, GenerationRequest, Substitution,
        samplers::{AUTOMATIC, Match, NoTwin, SamplerPair, sampler_of, scheduler_of},
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

/// Chooses what a request leaves open, and says what is used in place of what was asked for. `used`
/// is the checkpoint of the newest run.
pub(super) fn choose(
    request: &GenerationRequest,
    offers: &GenerationChoices,
    used: Option<&str>,
) -> Result<(Choice, Vec<Substitution>), ErrorInfo> {
    let (sampler, pair) = sampler(request.sampler.as_deref(), &offers.samplers)?;
    let asked = request.scheduler.as_deref();
    let scheduler = scheduler(asked, &offers.schedulers, pair)?;
    let checkpoint = checkpoint(request.model.as_deref(), &offers.models, used)?;
    let mut substitutions = Vec::new();
    let mut note = |field: &str, asked: &str, used: &Named| {
        if used.matching == Match::Near {
            substitutions.push(Substitution {
                field: field.to_owned(),
                asked: asked.to_owned(),
                used: used.name.clone(),
            });
        }
    };
    note(
        "sampler",
        request.sampler.as_deref().unwrap_or_default(),
        &sampler,
    );
    note("scheduler", asked.unwrap_or(AUTOMATIC), &scheduler);
    note(
        "model",
        request.model.as_deref().unwrap_or_default(),
        &checkpoint,
    );
    let choice = Choice {
        checkpoint: checkpoint.name,
        sampler: sampler.name,
        scheduler: scheduler.name,
        seed: request.seed.map_or_else(drawn, |seed| seed.0),
    };
    Ok((choice, substitutions))
}

/// A name of the server's, and how well it matches what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    name: String,
    matching: Match,
}

impl Named {
    fn exact(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            matching: Match::Exact,
        }
    }
}

/// A seed of 63 bits: every reader of JSON takes it whole.
fn drawn() -> u64 {
    Uuid::new_v4().as_u64_pair().1 >> 1
}

fn checkpoint(
    asked: Option<&str>,
    offered: &[String],
    used: Option<&str>,
) -> Result<Named, ErrorInfo> {
    let first = offered.first().ok_or_else(|| {
        ErrorInfo::new(ErrorCode::Api, "ComfyUI offers no checkpoint.")
            .hint("Check whether its models folder is mounted and holds one.")
    })?;
    let Some(asked) = asked else {
        let used = used.filter(|used| offered.iter().any(|name| name == used));
        return Ok(Named::exact(used.unwrap_or(first)));
    };
    // Forge's titles end with a hash.
    let bare = asked.split(" [").next().unwrap_or(asked);
    if let Some(same) = offered.iter().find(|name| *name == asked || *name == bare) {
        return Ok(Named::exact(same));
    }
    // Its folders may be others: then the file is taken where there is but one of that name.
    let file = |name: &str| name.rsplit(['/', '\\']).next().unwrap_or(name).to_owned();
    let alike: Vec<&String> = offered.iter().filter(|n| file(n) == file(bare)).collect();
    match alike.as_slice() {
        [one] => Ok(Named {
            name: (*one).clone(),
            matching: Match::Near,
        }),
        [] => Err(refused(format!("ComfyUI offers no checkpoint `{asked}`."))
            .hint("Share the folder of models with it, or choose one that it offers.")),
        [one, other, ..] => Err(refused(format!(
            "ComfyUI offers several checkpoints of that name: `{one}`, `{other}`."
        ))
        .hint("Name one with its folder.")),
    }
}

/// A sampler in `KSampler`'s words, from its own or A1111's name.
fn sampler(
    asked: Option<&str>,
    offered: &[String],
) -> Result<(Named, Option<&'static SamplerPair>), ErrorInfo> {
    let Some(asked) = asked else {
        return Ok((Named::exact(USUAL_SAMPLER), None));
    };
    if offered.iter().any(|name| name == asked) {
        return Ok((Named::exact(asked), None));
    }
    let Some(pair) = sampler_of(asked) else {
        return own_word(asked, offered).map(|named| (named, None));
    };
    let nothing = || no_twin(&NoTwin::Nothing(asked.to_owned()));
    let twin = pair.pair.comfyui.ok_or_else(nothing)?;
    Ok((is_offered(twin, offered)?, Some(pair)))
}

fn scheduler(
    asked: Option<&str>,
    offered: &[String],
    pair: Option<&SamplerPair>,
) -> Result<Named, ErrorInfo> {
    if let Some(asked) = asked
        && offered.iter().any(|name| name == asked)
    {
        return Ok(Named::exact(asked));
    }
    let Some(pair) = pair.or_else(|| sampler_of("Euler")) else {
        return Ok(Named::exact(USUAL_SCHEDULER));
    };
    match (scheduler_of(asked, pair), asked) {
        (Ok(twin), _) => is_offered(twin, offered),
        (Err(NoTwin::Unknown(_)), Some(asked)) => own_word(asked, offered),
        (Err(error), _) => Err(no_twin(&error)),
    }
}

/// A name that is not known here may be the server's own; one that is not told is its to judge.
fn own_word(asked: &str, offered: &[String]) -> Result<Named, ErrorInfo> {
    if offered.is_empty() {
        return Ok(Named::exact(asked));
    }
    Err(no_twin(&NoTwin::Unknown(asked.to_owned())))
}

fn is_offered((name, matching): (&str, Match), offered: &[String]) -> Result<Named, ErrorInfo> {
    if offered.is_empty() || offered.iter().any(|offered| offered == name) {
        return Ok(Named {
            name: name.to_owned(),
            matching,
        });
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
            ..GenerationChoices::default()
        }
    }

    fn chosen(
        change: impl FnOnce(&mut GenerationRequest),
    ) -> Result<(Choice, Vec<Substitution>), String> {
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
            .map(|(choice, _)| format!("{} {}", choice.sampler, choice.scheduler))
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
            chosen(|request| request.model = asked.map(str::to_owned))
                .map(|(choice, notes)| (choice.checkpoint, notes.len()))
        };
        for (asked, expected, said) in [
            (None, "sub/xl.safetensors", 0),
            (Some("first.safetensors"), "first.safetensors", 0),
            (
                Some("first.safetensors [0123456789]"),
                "first.safetensors",
                0,
            ),
            (
                Some("other/xl.safetensors [0123456789]"),
                "sub/xl.safetensors",
                1,
            ),
            (Some("other\\first.safetensors"), "first.safetensors", 1),
        ] {
            assert_eq!(model(asked), Ok((expected.to_owned(), said)), "{asked:?}");
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
        let twins = GenerationChoices {
            models: vec!["a/xl.safetensors".to_owned(), "b/xl.safetensors".to_owned()],
            ..offers()
        };
        let asked = GenerationRequest {
            model: Some("xl.safetensors".to_owned()),
            ..GenerationRequest::default()
        };
        let error = choose(&asked, &twins, None).expect_err("which one?");
        assert!(error.message.contains("several"), "{}", error.message);
    }

    #[test]
    fn what_is_only_near_is_said() {
        let said = |sampler: &str, scheduler: Option<&str>| {
            let (_, notes) = chosen(|request| {
                request.sampler = Some(sampler.to_owned());
                request.scheduler = scheduler.map(str::to_owned);
            })
            .expect("chosen");
            let notes = notes.into_iter().map(|n| (n.field, n.asked, n.used));
            notes.collect::<Vec<_>>()
        };
        let note = |field: &str, asked: &str, used: &str| {
            (field.to_owned(), asked.to_owned(), used.to_owned())
        };
        assert_eq!(said("Euler", Some("Karras")), []);
        assert_eq!(
            said("UniPC", None),
            [note("scheduler", AUTOMATIC, "normal")]
        );
        assert_eq!(said("UniPC", Some("Karras")), []);
    }

    #[test]
    fn lists_that_are_not_told_refuse_nothing() {
        let untold = GenerationChoices {
            samplers: Vec::new(),
            schedulers: Vec::new(),
            ..offers()
        };
        let asked = GenerationRequest {
            sampler: Some("er_sde".to_owned()),
            scheduler: Some("kl_optimal".to_owned()),
            ..GenerationRequest::default()
        };
        let (choice, _) = choose(&asked, &untold, None).expect("the server judges");
        assert_eq!(
            (choice.sampler.as_str(), choice.scheduler.as_str()),
            ("er_sde", "kl_optimal")
        );
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
