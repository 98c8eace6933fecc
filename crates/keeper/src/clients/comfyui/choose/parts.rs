//! What a graph has besides a model and a sampler: LoRAs, encoders and VAEs of their own, a second pass.

use forgekeeper_domain::{
    error::ErrorInfo,
    generation::{
        GenerationRequest, Replaced,
        lora::Lora,
        upscalers::{Enlarges, upscaler_of},
    },
};

use super::{
    super::{
        graph::{Enlarge, LoadedLora, Model, SecondPass},
        names::{self, Found},
        offers::Offers,
    },
    Notes, refused,
};

const LORA: (&str, &str) = ("LoRA", "LoRAs");
const VAE: (&str, &str) = ("VAE", "VAEs");
const MODULE: (&str, &str) = ("VAE or text encoder", "VAEs or text encoders");
const UPSCALER: (&str, &str) = ("upscaler", "upscalers");

/// The files of the LoRAs that a prompt names.
pub(super) fn loras(asked: &[Lora], offers: &Offers) -> Result<Vec<LoadedLora>, ErrorInfo> {
    let load = |lora: &Lora| {
        if lora.more {
            return Err(refused(format!(
                "ComfyUI takes nothing but weights with the LoRA `{}`.",
                lora.name
            )));
        }
        let (file, _) = names::one(&lora.name, &offers.loras, LORA)?;
        Ok(LoadedLora {
            file: file.to_owned(),
            model: lora.model,
            encoder: lora.encoder,
        })
    };
    asked.iter().map(load).collect()
}

/// The modules of a request by what they are.
struct Modules<'a> {
    vaes: Vec<&'a str>,
    encoders: Vec<&'a str>,
}

fn modules<'a>(request: &GenerationRequest, offers: &'a Offers) -> Result<Modules<'a>, ErrorInfo> {
    let mut found = Modules {
        vaes: Vec::new(),
        encoders: Vec::new(),
    };
    for asked in &request.modules {
        match names::find(asked, &offers.vaes) {
            Found::One(vae, _) => found.vaes.push(vae),
            Found::Nothing => {
                let (encoder, _) = names::one(asked, &offers.text_encoders, MODULE)?;
                found.encoders.push(encoder);
            }
            Found::Several(..) => return Err(refused_of(asked, &offers.vaes)),
        }
    }
    if found.vaes.len() > 1 {
        return Err(refused(
            "A picture is decoded by one VAE, not by several.".to_owned(),
        ));
    }
    Ok(found)
}

fn refused_of(asked: &str, offered: &[String]) -> ErrorInfo {
    match names::one(asked, offered, VAE) {
        Err(info) => info,
        Ok((name, _)) => refused(format!("`{name}` cannot be told from others.")),
    }
}

/// The VAE that takes the place of a checkpoint's own.
pub(super) fn vae(
    request: &GenerationRequest,
    offers: &Offers,
) -> Result<Option<String>, ErrorInfo> {
    let modules = modules(request, offers)?;
    if let Some(encoder) = modules.encoders.first() {
        return Err(refused(format!(
            "A checkpoint brings its own text encoders: `{encoder}` cannot be put in their place."
        ))
        .hint("Leave it out, or ask for a model without encoders."));
    }
    Ok(modules.vaes.first().map(|vae| (*vae).to_owned()))
}

fn is_clip_l(name: &str) -> bool {
    let name = name.to_lowercase();
    ["clip_l", "clip-l", "vit-l"]
        .iter()
        .any(|part| name.contains(part))
}

fn is_t5(name: &str) -> bool {
    name.to_lowercase().contains("t5")
}

/// Flux' own VAE is called `ae`.
fn is_flux_vae(name: &str) -> bool {
    let stem = names::stem(names::file(name)).to_lowercase();
    stem == "ae" || stem.contains("flux")
}

/// Flux with its two text encoders and its VAE: those that were named, else the only ones that can be
/// meant.
pub(super) fn flux(
    name: &str,
    request: &GenerationRequest,
    offers: &Offers,
) -> Result<Model, ErrorInfo> {
    let modules = modules(request, offers)?;
    if modules.encoders.len() > 2 {
        return Err(refused(
            "Flux takes two text encoders, not more.".to_owned(),
        ));
    }
    let only = |offered: &[String], test: fn(&str) -> bool| {
        let mut all = offered.iter().filter(|name| test(name));
        match (all.next(), all.next()) {
            (Some(one), None) => Some(one.clone()),
            _ => None,
        }
    };
    let named = |test: fn(&str) -> bool| {
        let mut all = modules.encoders.iter();
        all.find(|name| test(name)).map(|name| (*name).to_owned())
    };
    let (clip, t5) = match modules.encoders.as_slice() {
        // Two that were named are taken as they are: the loader tells them apart itself.
        [one, other] => (Some((*one).to_owned()), Some((*other).to_owned())),
        _ => (
            named(|name| !is_t5(name)).or_else(|| only(&offers.text_encoders, is_clip_l)),
            named(is_t5).or_else(|| only(&offers.text_encoders, is_t5)),
        ),
    };
    let vae = match modules.vaes.first() {
        Some(vae) => Some((*vae).to_owned()),
        None => only(&offers.vaes, is_flux_vae).or_else(|| only(&offers.vaes, |_| true)),
    };
    let (Some(clip), Some(t5), Some(vae)) = (&clip, &t5, &vae) else {
        let missing: Vec<&str> = [
            (clip.is_none(), "the text encoder CLIP-L"),
            (t5.is_none(), "the text encoder T5"),
            (vae.is_none(), "a VAE"),
        ]
        .iter()
        .filter(|(missing, _)| *missing)
        .map(|(_, what)| *what)
        .collect();
        return Err(refused(format!(
            "`{name}` is a model without text encoders and VAE, taken for Flux; it is not clear which are meant: {}.",
            missing.join(", ")
        ))
        .hint("Name them as modules, of those that the service offers."));
    };
    Ok(Model::Flux {
        diffusion: name.to_owned(),
        encoders: [clip.clone(), t5.clone()],
        vae: vae.clone(),
    })
}

/// Guidance of a distilled model. Of a checkpoint only its name tells whether it takes one.
pub(super) fn guidance(
    request: &GenerationRequest,
    model: &Model,
) -> Result<Option<f64>, ErrorInfo> {
    match model {
        Model::Checkpoint(name)
            if request.distilled_cfg.is_some() && !name.to_lowercase().contains("flux") =>
        {
            Err(refused(format!(
                "`{name}` takes no distilled guidance, as far as its name tells."
            ))
            .hint("Leave it out, or ask for a Flux model."))
        }
        Model::Checkpoint(_) | Model::Flux { .. } => Ok(request.distilled_cfg),
    }
}

/// The layer at which the text encoder stops; the last one needs no node.
pub(super) fn clip_skip(
    request: &GenerationRequest,
    model: &Model,
) -> Result<Option<u32>, ErrorInfo> {
    let skip = request.clip_skip.filter(|skip| *skip > 1);
    match model {
        Model::Flux { .. } if skip.is_some() => Err(refused(
            "Clip skip means nothing to the text encoders of Flux.".to_owned(),
        )),
        Model::Flux { .. } | Model::Checkpoint(_) => Ok(skip),
    }
}

/// The second pass, with an upscaler in either dialect or a model of the server's.
pub(super) fn second_pass(
    request: &GenerationRequest,
    offers: &Offers,
    notes: &mut Notes,
) -> Result<Option<SecondPass>, ErrorInfo> {
    let Some(hires) = &request.hires else {
        return Ok(None);
    };
    let asked = hires.upscaler.as_deref();
    let offers_method = |method: &str| offers.latent_methods.iter().any(|m| m == method);
    let enlarge = if let Some(method) = asked.filter(|method| offers_method(method)) {
        Enlarge::Latent(method.to_owned())
    } else if let Some(upscaler) = upscaler_of(asked) {
        let (method, matching) = upscaler.method;
        notes.add(
            Replaced::HiresUpscaler,
            asked.unwrap_or_default(),
            (method, matching),
        );
        match upscaler.enlarges {
            Enlarges::Latent => Enlarge::Latent(method.to_owned()),
            Enlarges::Pixels => Enlarge::Pixels(method.to_owned()),
        }
    } else {
        let asked = asked.unwrap_or_default();
        let (file, _) = names::one(asked, &offers.upscale_models, UPSCALER)?;
        Enlarge::Model(file.to_owned())
    };
    Ok(Some(SecondPass {
        enlarge,
        size: request.picture_size(),
        steps: hires.steps.unwrap_or(request.steps),
        denoise: hires.denoise,
    }))
}
