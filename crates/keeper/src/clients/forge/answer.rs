//! The result of a generation as the server told it, before any picture is unpacked.

use std::time::Duration;

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{
        GenerationRequest, GenerationVerdict, Replaced, Seed, Substitution,
        infotext::{self, Infotext},
    },
};

use super::{
    super::{
        failure::Failure,
        http::{Cut, HttpAnswer},
        judge,
        outcome::GenerationOutcomeRaw,
    },
    errors,
    wire::{Info, Txt2Img, bare_model},
};
use crate::media::decode;

/// Most pictures kept of one answer; the request's own limit is far below.
const MAX_PICTURES: usize = 64;

/// Reads the answer to `txt2img`. Blocking work of some milliseconds for large pictures.
pub(super) fn read(
    request: &GenerationRequest,
    answer: &HttpAnswer,
    sent_credentials: bool,
    interrupted: bool,
) -> GenerationOutcomeRaw {
    match pictures(request, answer, sent_credentials, interrupted) {
        Ok(outcome) => GenerationOutcomeRaw {
            took: answer.took,
            ready: Some(answer.ready),
            ..outcome
        },
        Err(failure) => GenerationOutcomeRaw {
            interrupted,
            ..GenerationOutcomeRaw::failed(failure, answer.took)
        },
    }
}

fn pictures(
    request: &GenerationRequest,
    answer: &HttpAnswer,
    sent_credentials: bool,
    interrupted: bool,
) -> Result<GenerationOutcomeRaw, Failure> {
    if answer.status != 200 {
        return Err(errors::refused(answer, sent_credentials));
    }
    let odd = |what: String| {
        let info = ErrorInfo::new(
            ErrorCode::Api,
            "The service's answer to the test picture is not usable.",
        );
        (GenerationVerdict::Failed, info.detail(what))
    };
    match &answer.cut {
        Some(Cut::TooLarge { limit }) => {
            return Err(odd(format!("more than {} MiB", limit / (1024 * 1024))));
        }
        Some(Cut::Broken { reason }) => return Err(odd(format!("cut off: {reason}"))),
        None => {}
    }
    if !answer.is_json() {
        return Err(odd(answer
            .content_type
            .clone()
            .unwrap_or_else(|| "no content type".to_owned())));
    }
    let body: Txt2Img =
        serde_json::from_slice(&answer.body).map_err(|e| odd(judge::shorten(&e.to_string())))?;
    let info = body.info.as_deref().map(Info::read).unwrap_or_default();

    // A grid may come first and extras (detection maps) last: neither is what was asked for.
    let told = if info.all_seeds.is_empty() {
        MAX_PICTURES
    } else {
        info.all_seeds.len()
    };
    let first = if info.index_of_first_image < body.images.len() {
        info.index_of_first_image
    } else {
        0
    };
    let mut pictures = Vec::new();
    for text in body.images.iter().skip(first).take(told.min(MAX_PICTURES)) {
        pictures.push(decode::base64(text).map_err(|problem| {
            let info = ErrorInfo::new(
                ErrorCode::BadPicture,
                "A picture of the answer could not be read.",
            )
            .hint("Make it once more. If it stays so, a proxy between may cut long answers: ask the service directly.");
            (
                GenerationVerdict::Undecodable,
                info.detail(problem.to_string()),
            )
        })?);
    }
    if pictures.is_empty() && !interrupted {
        return Err(odd("no picture in it".to_owned()));
    }
    let infotexts: Vec<String> = info
        .infotexts
        .iter()
        .skip(first)
        .take(pictures.len())
        .cloned()
        .collect();
    let substitutions = substitutions(request, &info, infotexts.first().map(String::as_str));
    Ok(GenerationOutcomeRaw {
        seeds: info
            .all_seeds
            .iter()
            .copied()
            .take(pictures.len())
            .map(Seed)
            .collect(),
        pictures,
        infotexts,
        model: info.sd_model_name.as_deref().map(judge::shorten),
        substitutions,
        interrupted,
        failure: None,
        took: Duration::ZERO,
        ready: None,
    })
}

/// Compares what was asked with what the server says it used.
fn substitutions(
    request: &GenerationRequest,
    info: &Info,
    text: Option<&str>,
) -> Vec<Substitution> {
    let text = text.map(infotext::parse).unwrap_or_default();
    let schedule = text.get("Schedule type");
    let mut found = Vec::new();
    let mut note = |field: Replaced, asked: &str, used: &str| {
        found.push(Substitution {
            field,
            asked: asked.to_owned(),
            used: judge::shorten(used),
        });
    };
    if let (Some(asked), Some(used)) = (
        &request.sampler,
        info.sampler_name.as_deref().or(text.get("Sampler")),
    ) {
        // Old style: `DPM++ 2M Karras` is sampler and schedule in one.
        let split = schedule.is_some_and(|schedule| same(asked, &format!("{used} {schedule}")));
        if !same(asked, used) && !split {
            note(Replaced::Sampler, asked, used);
        }
    }
    if let (Some(asked), Some(used)) = (&request.scheduler, schedule)
        && !same(asked, "automatic")
        && !same(asked, used)
    {
        note(Replaced::Scheduler, asked, used);
    }
    if let (Some(asked), Some(used)) = (
        &request.model,
        info.sd_model_name.as_deref().or(text.get("Model")),
    ) && !same_model(asked, used, info.sd_model_hash.as_deref())
    {
        note(Replaced::Model, asked, used);
    }
    if let Some(used) = info.steps
        && used != request.steps
    {
        note(
            Replaced::Steps,
            &request.steps.to_string(),
            &used.to_string(),
        );
    }
    if let (Some(asked), Some(used)) = (request.seed, info.seed)
        && asked.0 != used
    {
        note(Replaced::Seed, &asked.to_string(), &used.to_string());
    }
    if let (Some(asked), Some(used)) = (request.clip_skip, info.clip_skip)
        && differs(f64::from(asked), used)
    {
        note(Replaced::ClipSkip, &asked.to_string(), &used.to_string());
    }
    if let Some(variation) = &request.variation {
        if let (Some(asked), Some(used)) = (variation.seed, info.subseed)
            && asked.0 != used
        {
            note(
                Replaced::VariationSeed,
                &asked.to_string(),
                &used.to_string(),
            );
        }
        if let Some(used) = info.subseed_strength
            && differs(variation.strength, used)
        {
            note(
                Replaced::Variation,
                &variation.strength.to_string(),
                &used.to_string(),
            );
        }
    }
    // The rest is told by the parameter text alone.
    if !text.settings.is_empty() {
        found.extend(told_by_text(request, info, &text));
    }
    found
}

/// What only the parameter text tells. A setting that is missing there was not used.
fn told_by_text(request: &GenerationRequest, info: &Info, text: &Infotext) -> Vec<Substitution> {
    let mut found = Vec::new();
    let mut compare = |field: Replaced, asked: String, key: &str, alike: &dyn Fn(&str) -> bool| {
        let used = text.get(key);
        if !used.is_some_and(alike) {
            found.push(Substitution {
                field,
                asked,
                used: used.map_or_else(|| NOTHING.to_owned(), judge::shorten),
            });
        }
    };
    let number =
        |asked: f64| move |used: &str| used.parse().is_ok_and(|used| !differs(asked, used));
    if let Some(asked) = request.distilled_cfg {
        let key = "Distilled CFG Scale";
        compare(
            Replaced::DistilledCfg,
            asked.to_string(),
            key,
            &number(asked),
        );
    }
    if let Some(hires) = &request.hires {
        let (scale, denoise) = (hires.scale, hires.denoise);
        compare(
            Replaced::HiresScale,
            scale.to_string(),
            "Hires upscale",
            &number(scale),
        );
        let key = "Denoising strength";
        compare(
            Replaced::HiresDenoise,
            denoise.to_string(),
            key,
            &number(denoise),
        );
        // Both are told only where they were asked for.
        if let Some(steps) = hires.steps {
            let key = "Hires steps";
            compare(
                Replaced::HiresSteps,
                steps.to_string(),
                key,
                &number(steps.into()),
            );
        }
        if let Some(asked) = &hires.upscaler {
            compare(
                Replaced::HiresUpscaler,
                asked.clone(),
                "Hires upscaler",
                &|used| same(asked, used),
            );
        }
    }
    if !request.modules.is_empty() {
        let mut used: Vec<String> = text
            .settings
            .iter()
            .filter(|(key, _)| key.starts_with("Module ") || key == "VAE")
            .map(|(_, name)| module_stem(name))
            .collect();
        used.extend(info.sd_vae_name.as_deref().map(module_stem));
        let missing = |asked: &&String| !used.contains(&module_stem(asked));
        let missing: Vec<&str> = request
            .modules
            .iter()
            .filter(missing)
            .map(|m| &**m)
            .collect();
        if !missing.is_empty() {
            let used = match used.as_slice() {
                [] => NOTHING.to_owned(),
                used => judge::shorten(&used.join(", ")),
            };
            found.push(Substitution {
                field: Replaced::Modules,
                asked: missing.join(", "),
                used,
            });
        }
    }
    found
}

/// What stands where the server used nothing of the sort.
const NOTHING: &str = "nothing";

fn differs(a: f64, b: f64) -> bool {
    // As printed by a server, which rounds.
    (a - b).abs() > 1e-6
}

/// A module as the parameter text names it: without folders and ending.
fn module_stem(name: &str) -> String {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    file.rsplit_once('.')
        .map_or(file, |(stem, _)| stem)
        .to_lowercase()
}

/// Names and labels differ in case, blanks and underscores: `sgm_uniform`, `SGM Uniform`.
fn same(a: &str, b: &str) -> bool {
    let key = |text: &str| -> String {
        text.chars()
            .filter(|c| !c.is_whitespace() && *c != '_')
            .flat_map(char::to_lowercase)
            .collect()
    };
    key(a) == key(b)
}

/// A title (`folder/beta.safetensors [0123456789]`) against a name as used (`folder_beta`, `beta`).
fn same_model(asked: &str, used: &str, hash: Option<&str>) -> bool {
    let asked_hash = asked
        .rsplit_once(" [")
        .and_then(|(_, rest)| rest.strip_suffix(']'));
    if let (Some(asked), Some(used)) = (asked_hash, hash)
        && asked == used
    {
        return true;
    }
    let stem = |name: &str| {
        let name = bare_model(name);
        let name = [".safetensors", ".ckpt", ".gguf", ".pt"]
            .iter()
            .find_map(|ending| name.strip_suffix(ending))
            .unwrap_or(name);
        name.replace(['/', '\\'], "_")
    };
    let (asked, used) = (stem(asked), stem(used));
    let last = |name: &str| bare_model(name).rsplit(['/', '\\']).next().map(stem);
    asked == used || last(&asked) == Some(used.clone()) || asked.ends_with(&format!("_{used}"))
}

#[cfg(test)]
mod tests;
