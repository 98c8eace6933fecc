use super::*;

fn choice() -> Choice {
    Choice {
        model: Model::Checkpoint("sub/xl.safetensors".to_owned()),
        vae: None,
        loras: Vec::new(),
        text: "a fox".to_owned(),
        guidance: None,
        clip_skip: None,
        second: None,
        sampler: "euler".to_owned(),
        scheduler: "normal".to_owned(),
        seed: u64::MAX >> 1,
    }
}

fn graph(choice: &Choice) -> Value {
    text_to_image(&GenerationRequest::default(), choice, "run")
}

/// Classes of a graph in the order of their ids as numbers.
fn classes(graph: &Value) -> Vec<&str> {
    let nodes = graph.as_object().expect("nodes");
    let mut all: Vec<(u32, &str)> = nodes
        .iter()
        .map(|(id, node)| {
            let id = id.parse().expect("a number");
            (id, node["class_type"].as_str().expect("a class"))
        })
        .collect();
    all.sort_unstable();
    all.into_iter().map(|(_, class)| class).collect()
}

#[test]
fn the_checkpoint_of_a_graph_is_the_one_it_loads() {
    let choice = choice();
    let graph = graph(&choice);
    assert_eq!(checkpoint_of(&graph), Some("sub/xl.safetensors"));
    assert_eq!(graph[SAMPLER]["inputs"]["seed"], choice.seed);
    assert_eq!(graph.as_object().map(Map::len), Some(7), "nothing besides");
    for other in [
        json!({"1": {"class_type": "UNETLoader", "inputs": {"unet_name": "flux.safetensors"}}}),
        json!({"1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": ["2", 0]}}}),
        json!({"1": 5}),
        json!([]),
        json!(null),
    ] {
        assert_eq!(checkpoint_of(&other), None, "{other}");
    }
}

#[test]
fn loras_and_clip_skip_stand_between_the_loader_and_who_reads_it() {
    let lora = |file: &str, model, encoder| LoadedLora {
        file: file.to_owned(),
        model,
        encoder,
    };
    let graph = graph(&Choice {
        loras: vec![
            lora("a.safetensors", 0.5, 0.7),
            lora("b.safetensors", 1.0, 1.0),
        ],
        clip_skip: Some(2),
        vae: Some("ae.safetensors".to_owned()),
        ..choice()
    });
    let inputs = |node: &str| &graph[node]["inputs"];
    assert_eq!(inputs("20")["model"], json!(["1", 0]));
    assert_eq!(
        (
            &inputs("20")["strength_model"],
            &inputs("20")["strength_clip"]
        ),
        (&json!(0.5), &json!(0.7))
    );
    assert_eq!(
        (&inputs("21")["model"], &inputs("21")["clip"]),
        (&json!(["20", 0]), &json!(["20", 1]))
    );
    assert_eq!(inputs(SAMPLER)["model"], json!(["21", 0]));
    assert_eq!(inputs(CLIP_SKIP)["clip"], json!(["21", 1]));
    assert_eq!(inputs(CLIP_SKIP)["stop_at_clip_layer"], -2);
    assert_eq!(inputs(POSITIVE)["clip"], json!([CLIP_SKIP, 0]));
    assert_eq!(inputs(NEGATIVE)["clip"], json!([CLIP_SKIP, 0]));
    assert_eq!(inputs(DECODER)["vae"], json!([VAE, 0]));
}

#[test]
fn a_second_pass_enlarges_a_latent_or_a_picture() {
    let with = |enlarge| {
        graph(&Choice {
            second: Some(SecondPass {
                enlarge,
                size: (776, 1024),
                steps: 7,
                denoise: 0.4,
            }),
            ..choice()
        })
    };
    let latent = with(Enlarge::Latent("bislerp".to_owned()));
    assert_eq!(latent[UPSCALE]["inputs"]["width"], 776);
    assert_eq!(latent[UPSCALE]["inputs"]["samples"], json!([SAMPLER, 0]));
    let second = &latent[SECOND_SAMPLER]["inputs"];
    assert_eq!(
        (
            &second["latent_image"],
            &second["steps"],
            &second["denoise"]
        ),
        (&json!([UPSCALE, 0]), &json!(7), &json!(0.4))
    );
    assert_eq!(second["positive"], latent[SAMPLER]["inputs"]["positive"]);
    assert_eq!(
        latent[DECODER]["inputs"]["samples"],
        json!([SECOND_SAMPLER, 0])
    );
    let pixels = with(Enlarge::Pixels("lanczos".to_owned()));
    assert_eq!(
        pixels[UPSCALE]["inputs"]["image"],
        json!([FIRST_DECODER, 0])
    );
    assert_eq!(pixels[ENCODER]["inputs"]["pixels"], json!([UPSCALE, 0]));
    let model = with(Enlarge::Model("4x.pth".to_owned()));
    assert_eq!(
        model[UPSCALE]["inputs"]["image"],
        json!([UPSCALE_BY_MODEL, 0])
    );
    assert_eq!(
        classes(&model)[7..],
        [
            "KSampler",
            "ImageScale",
            "VAEDecode",
            "UpscaleModelLoader",
            "ImageUpscaleWithModel",
            "VAEEncode"
        ]
    );
}

#[test]
fn flux_is_loaded_in_parts_and_guided_by_a_node() {
    let graph = graph(&Choice {
        model: Model::Flux {
            diffusion: "flux.safetensors".to_owned(),
            encoders: ["clip_l".to_owned(), "t5".to_owned()],
            vae: "ae".to_owned(),
        },
        guidance: Some(2.5),
        ..choice()
    });
    assert_eq!(
        classes(&graph),
        [
            "UNETLoader",
            "CLIPTextEncode",
            "CLIPTextEncode",
            "EmptySD3LatentImage",
            "KSampler",
            "VAEDecode",
            "PreviewImage",
            "DualCLIPLoader",
            "VAELoader",
            "FluxGuidance"
        ]
    );
    assert_eq!(graph[SAMPLER]["inputs"]["positive"], json!([GUIDANCE, 0]));
    assert_eq!(graph[SAMPLER]["inputs"]["negative"], json!([NEGATIVE, 0]));
    assert_eq!(graph[GUIDANCE]["inputs"]["guidance"], 2.5);
    assert_eq!(graph[DECODER]["inputs"]["vae"], json!([VAE, 0]));
}
