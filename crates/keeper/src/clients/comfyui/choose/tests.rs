use forgekeeper_domain::generation::{Hires, Seed, Variation};

use super::*;

fn offers() -> Offers {
    let list = |names: &str| names.split(' ').map(str::to_owned).collect();
    Offers {
        samplers: list("euler euler_ancestral dpmpp_2m uni_pc"),
        schedulers: list("normal karras simple"),
        checkpoints: list("first.safetensors sub/xl.safetensors"),
        ..Offers::default()
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
            .map(|(choice, notes)| (choice.model.name().to_owned(), notes.len()))
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
    let nothing = Offers::default();
    let error = choose(&GenerationRequest::default(), &nothing, None);
    assert!(
        error
            .expect_err("no model")
            .message
            .contains("no checkpoint")
    );
    let usual = GenerationRequest::default();
    assert_ne!(seed(&usual), seed(&usual));
    let twins = Offers {
        checkpoints: vec!["a/xl.safetensors".to_owned(), "b/xl.safetensors".to_owned()],
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
        let notes = notes
            .into_iter()
            .map(|n| (n.field.to_string(), n.asked, n.used));
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
    let untold = Offers {
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

/// A server with everything that a graph may have besides.
fn rich() -> Offers {
    let list = |names: &str| names.split(' ').map(str::to_owned).collect();
    Offers {
        loras: list("detail.safetensors a/twice.safetensors b/twice.safetensors"),
        vaes: list("sdxl_vae.safetensors ae.safetensors"),
        text_encoders: list("clip_l.safetensors t5xxl_fp8.safetensors"),
        diffusion_models: list("flux1-dev.safetensors"),
        latent_methods: list("nearest-exact bilinear bicubic bislerp"),
        upscale_models: list("4x-UltraSharp.pth"),
        ..offers()
    }
}

fn richly(
    change: impl FnOnce(&mut GenerationRequest),
) -> Result<(Choice, Vec<Substitution>), String> {
    let mut request = GenerationRequest::default();
    change(&mut request);
    choose(&request, &rich(), None).map_err(|error| error.message)
}

#[test]
fn loras_of_the_prompt_become_files_or_are_refused() {
    let (choice, _) =
        richly(|r| r.prompt = "a fox <lora:detail:0.5:0.8>".to_owned()).expect("chosen");
    assert_eq!(choice.text, "a fox");
    let loaded = &choice.loras[0];
    assert_eq!(
        (loaded.file.as_str(), loaded.encoder, loaded.model),
        ("detail.safetensors", 0.5, 0.8)
    );
    let (choice, _) = richly(|r| r.prompt = "<lora:b/twice> x".to_owned()).expect("chosen");
    assert_eq!(choice.loras[0].file, "b/twice.safetensors");
    for (prompt, words) in [
        ("<lora:gone:1>", "no LoRA `gone`"),
        ("<lora:twice:1>", "several LoRAs"),
        ("<lora:detail:1:1:64>", "nothing but weights"),
        ("<lora:detail:x>", "The weight `x`"),
    ] {
        let said = richly(|r| r.prompt = prompt.to_owned()).expect_err(prompt);
        assert!(said.contains(words), "{prompt}: {said}");
    }
}

#[test]
fn a_model_without_encoders_gets_those_that_can_be_meant() {
    let flux = |modules: &[&str]| {
        let (choice, _) = richly(|r| {
            r.model = Some("flux1-dev".to_owned());
            r.modules = modules.iter().map(|m| (*m).to_owned()).collect();
            r.distilled_cfg = Some(3.5);
        })?;
        Ok::<_, String>(choice)
    };
    let whole = |encoders: [&str; 2], vae: &str| Model::Flux {
        diffusion: "flux1-dev.safetensors".to_owned(),
        encoders: encoders.map(str::to_owned),
        vae: vae.to_owned(),
    };
    let usual = ["clip_l.safetensors", "t5xxl_fp8.safetensors"];
    let chosen = flux(&[]).expect("unambiguous");
    assert_eq!(chosen.model, whole(usual, "ae.safetensors"));
    assert_eq!(chosen.guidance, Some(3.5));
    let chosen = flux(&["t5xxl_fp8", "sdxl_vae"]).expect("partly named");
    assert_eq!(chosen.model, whole(usual, "sdxl_vae.safetensors"));
    let chosen = flux(&["t5xxl_fp8", "clip_l"]).expect("named");
    assert_eq!(chosen.model, whole([usual[1], usual[0]], "ae.safetensors"));
    for (modules, words) in [
        (&["gone"][..], "no VAE or text encoder `gone`"),
        (&["ae", "sdxl_vae"], "one VAE"),
    ] {
        let said = flux(modules).expect_err(words);
        assert!(said.contains(words), "{said}");
    }
    let poor = Offers {
        vaes: vec!["a.pt".to_owned(), "b.pt".to_owned()],
        text_encoders: vec!["t5-a.sft".to_owned(), "t5-b.sft".to_owned()],
        ..rich()
    };
    let request = GenerationRequest {
        model: Some("flux1-dev".to_owned()),
        ..GenerationRequest::default()
    };
    let said = choose(&request, &poor, None).expect_err("what is meant?");
    let missing = "the text encoder CLIP-L, the text encoder T5, a VAE";
    assert!(said.message.contains(missing), "{}", said.message);
    let skip = richly(|r| {
        r.model = Some("flux1-dev".to_owned());
        r.clip_skip = Some(2);
    });
    assert!(skip.expect_err("no").contains("Clip skip"));
    let only = Offers {
        checkpoints: Vec::new(),
        ..rich()
    };
    let said = choose(&GenerationRequest::default(), &only, None).expect_err("not asked for");
    assert_eq!(said.message, "ComfyUI offers no checkpoint.");
    assert!(said.hint.is_some_and(|hint| hint.contains("by its name")));
}

#[test]
fn a_second_pass_takes_an_upscaler_of_either_dialect() {
    use super::super::graph::Enlarge;
    let second = |upscaler: Option<&str>| {
        let (choice, notes) = richly(|r| {
            r.hires = Some(Hires {
                scale: 1.5,
                steps: None,
                denoise: 0.4,
                upscaler: upscaler.map(str::to_owned),
            });
        })?;
        let second = choice.second.expect("a second pass");
        assert_eq!((second.size, second.steps), ((768, 768), 20));
        Ok::<_, String>((second.enlarge, notes.len()))
    };
    let latent = |method: &str| Enlarge::Latent(method.to_owned());
    let pixels = |method: &str| Enlarge::Pixels(method.to_owned());
    for (asked, enlarge, notes) in [
        (None, latent("bilinear"), 0),
        (Some("Latent (bicubic)"), latent("bicubic"), 0),
        (Some("Latent (antialiased)"), latent("bilinear"), 1),
        (Some("bislerp"), latent("bislerp"), 0),
        (Some("Lanczos"), pixels("lanczos"), 0),
        (
            Some("4x-UltraSharp"),
            Enlarge::Model("4x-UltraSharp.pth".to_owned()),
            0,
        ),
    ] {
        assert_eq!(second(asked), Ok((enlarge, notes)), "{asked:?}");
    }
    let said = second(Some("R-ESRGAN 4x+")).expect_err("not there");
    assert!(said.contains("no upscaler `R-ESRGAN 4x+`"), "{said}");
}

#[test]
fn what_a_graph_cannot_say_is_refused() {
    let variation = |strength| {
        richly(|r| {
            r.variation = Some(Variation {
                seed: None,
                strength,
            });
        })
    };
    assert!(variation(0.2).expect_err("no").contains("variation"));
    assert!(variation(0.0).is_ok(), "no variation at all");
    let guided = |model: &str| {
        richly(|r| {
            r.model = Some(model.to_owned());
            r.distilled_cfg = Some(3.5);
        })
    };
    assert!(
        guided("first.safetensors")
            .expect_err("no")
            .contains("no distilled guidance")
    );
    let (choice, _) = richly(|r| {
        r.modules = vec!["sdxl_vae".to_owned()];
        r.clip_skip = Some(2);
    })
    .expect("chosen");
    assert_eq!(choice.vae.as_deref(), Some("sdxl_vae.safetensors"));
    assert_eq!(choice.clip_skip, Some(2));
    let (choice, _) = richly(|r| r.clip_skip = Some(1)).expect("chosen");
    assert_eq!(choice.clip_skip, None, "the last layer needs no node");
    let encoder = richly(|r| r.modules = vec!["clip_l".to_owned()]);
    assert!(encoder.expect_err("no").contains("own text encoders"));
}
