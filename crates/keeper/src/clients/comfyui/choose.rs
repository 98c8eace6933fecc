//! What of a server's offers is meant by a request. What has no equivalent is refused before anything
//! is queued, in words.

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{
        GenerationRequest, Replaced, Substitution, lora,
        samplers::{AUTOMATIC, Match, NoTwin, SamplerPair, sampler_of, scheduler_of},
    },
};
use uuid::Uuid;

use super::{
    graph::{Choice, Model},
    names,
    offers::Offers,
};

mod parts;

/// What ComfyUI itself starts with.
const USUAL_SAMPLER: &str = "euler";
const USUAL_SCHEDULER: &str = "normal";
const CHECKPOINT: (&str, &str) = ("checkpoint", "checkpoints");

/// Chooses what a request leaves open, and says what is used in place of what was asked for. `used`
/// is the checkpoint of the newest run.
pub(super) fn choose(
    request: &GenerationRequest,
    offers: &Offers,
    used: Option<&str>,
) -> Result<(Choice, Vec<Substitution>), ErrorInfo> {
    if request.variation.is_some_and(|v| v.strength > 0.0) {
        return Err(refused(
            "ComfyUI's KSampler takes one noise: a variation cannot be said to it.".to_owned(),
        ));
    }
    let tagged = lora::parse(&request.prompt)
        .map_err(|problem| refused(format!("{}.", sentence(&problem.to_string()))))?;
    let mut notes = Notes::default();
    let (sampler, scheduler) = sampling(request, offers, &mut notes)?;
    let (name, is_whole) = model(request.model.as_deref(), offers, used, &mut notes)?;
    let loras = parts::loras(&tagged.loras, offers)?;
    let (model, vae) = if is_whole {
        (
            Model::Checkpoint(name.to_owned()),
            parts::vae(request, offers)?,
        )
    } else {
        (parts::flux(name, request, offers)?, None)
    };
    let choice = Choice {
        guidance: parts::guidance(request, &model)?,
        clip_skip: parts::clip_skip(request, &model)?,
        model,
        vae,
        loras,
        text: tagged.text.trim().to_owned(),
        second: parts::second_pass(request, offers, &mut notes)?,
        sampler,
        scheduler,
        seed: seed(request),
    };
    Ok((choice, notes.0))
}

/// Sampler and scheduler in `KSampler`'s words.
pub(super) fn sampling(
    request: &GenerationRequest,
    offers: &Offers,
    notes: &mut Notes,
) -> Result<(String, String), ErrorInfo> {
    let (sampler, pair) = sampler(request.sampler.as_deref(), &offers.samplers)?;
    let asked = request.scheduler.as_deref();
    let scheduler = scheduler(asked, &offers.schedulers, pair)?;
    let asked_sampler = request.sampler.as_deref().unwrap_or_default();
    notes.add(
        Replaced::Sampler,
        asked_sampler,
        (&sampler.name, sampler.matching),
    );
    let asked = asked.unwrap_or(AUTOMATIC);
    notes.add(
        Replaced::Scheduler,
        asked,
        (&scheduler.name, scheduler.matching),
    );
    Ok((sampler.name, scheduler.name))
}

/// The seed asked for, or one of 63 bits: every reader of JSON takes it whole.
pub(super) fn seed(request: &GenerationRequest) -> u64 {
    request
        .seed
        .map_or_else(|| Uuid::new_v4().as_u64_pair().1 >> 1, |seed| seed.0)
}

/// What is used in place of what was asked for.
#[derive(Debug, Default)]
pub(super) struct Notes(pub Vec<Substitution>);

impl Notes {
    fn add(&mut self, field: Replaced, asked: &str, (used, matching): (&str, Match)) {
        if matching == Match::Near {
            self.0.push(Substitution {
                field,
                asked: asked.to_owned(),
                used: used.to_owned(),
            });
        }
    }
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

/// The model that is meant, and whether it is a whole one: a checkpoint.
pub(super) fn model<'a>(
    asked: Option<&str>,
    offers: &'a Offers,
    used: Option<&str>,
    notes: &mut Notes,
) -> Result<(&'a str, bool), ErrorInfo> {
    let Some(asked) = asked else {
        let mut all = offers.checkpoints.iter();
        let used = used.and_then(|used| all.find(|name| *name == used));
        let whole = used.or_else(|| offers.checkpoints.first());
        return whole.map(|name| (name.as_str(), true)).ok_or_else(|| {
            // One that is only taken for Flux must be asked for.
            let hint = if offers.diffusion_models.is_empty() {
                "Check whether its models folder is mounted and holds one."
            } else {
                "It has models without text encoders and VAE: ask for one of them by its name."
            };
            ErrorInfo::new(ErrorCode::Api, "ComfyUI offers no checkpoint.").hint(hint)
        });
    };
    // Forge's titles end with a hash.
    let bare = asked.split(" [").next().unwrap_or(asked);
    let whole = names::one(bare, &offers.checkpoints, CHECKPOINT);
    let (name, matching, is_whole) = match whole {
        Ok((name, Match::Exact)) => (name, Match::Exact, true),
        // The same name in another list is nearer than a like one in this.
        other => match names::find(bare, &offers.diffusion_models) {
            names::Found::One(name, matching) if matching == Match::Exact || other.is_err() => {
                (name, matching, false)
            }
            _ => other.map(|(name, matching)| (name, matching, true))?,
        },
    };
    notes.add(Replaced::Model, asked, (name, matching));
    Ok((name, is_whole))
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), chars.as_str())
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
mod tests;
