use serde_json::json;

use super::*;

fn read(graph: &Value) -> ReadParameters {
    from_graph(&graph.to_string()).expect("a graph")
}

/// What Forgekeeper itself queues.
fn plain_graph() -> Value {
    json!({
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sub/xl.safetensors"}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox", "clip": ["1", 1]}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["1", 1]}},
        "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 768, "height": 512, "batch_size": 2}},
        "5": {"class_type": "KSampler", "inputs": {
            "model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0],
            "seed": u64::MAX, "steps": 12, "cfg": 2.5, "sampler_name": "dpmpp_2m",
            "scheduler": "karras", "denoise": 1.0}},
        "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
        "7": {"class_type": "PreviewImage", "inputs": {"images": ["6", 0]}},
    })
}

#[test]
fn a_plain_graph_is_read_whole() {
    let found = read(&plain_graph());
    let request = &found.request;
    assert_eq!(found.missing, [""; 0]);
    assert_eq!(
        (request.prompt.as_str(), request.negative_prompt.as_str()),
        ("a fox", "blurry")
    );
    assert_eq!(
        (request.width, request.height, request.batch),
        (768, 512, 2)
    );
    assert_eq!((request.steps, request.seed), (12, Some(Seed(u64::MAX))));
    assert_eq!(request.sampler.as_deref(), Some("dpmpp_2m"));
    assert_eq!(request.scheduler.as_deref(), Some("karras"));
    assert_eq!(request.model.as_deref(), Some("sub/xl.safetensors"));
    assert!((request.cfg_scale - 2.5).abs() < f64::EPSILON);
}

#[test]
fn loras_become_tags_and_the_rest_of_the_way_is_named() {
    let mut graph = plain_graph();
    graph["8"] = json!({"class_type": "LoraLoader", "inputs": {
        "lora_name": "styles/ink.safetensors", "strength_model": 0.8, "strength_clip": 1.0,
        "model": ["9", 0], "clip": ["1", 1]}});
    graph["9"] = json!({"class_type": "LoraLoaderModelOnly", "inputs": {
        "lora_name": "turbo.safetensors", "strength_model": 1.0, "model": ["10", 0]}});
    graph["10"] = json!({"class_type": "FreeU_V2", "inputs": {"model": ["1", 0]}});
    graph["11"] = json!({"class_type": "CLIPSetLastLayer", "inputs": {
        "stop_at_clip_layer": -2, "clip": ["8", 1]}});
    graph["12"] = json!({"class_type": "VAELoader", "inputs": {"vae_name": "own.vae.pt"}});
    graph["5"]["inputs"]["model"] = json!(["8", 0]);
    graph["2"]["inputs"]["clip"] = json!(["11", 0]);
    graph["6"]["inputs"]["vae"] = json!(["12", 0]);
    let found = read(&graph);
    assert_eq!(found.request.prompt, "a fox <lora:turbo:1><lora:ink:0.8>");
    assert_eq!(found.request.clip_skip, Some(2));
    assert_eq!(found.request.modules, ["own.vae.pt"]);
    assert_eq!(found.missing, ["FreeU_V2"]);
}

#[test]
fn a_second_pass_is_hires() {
    for (class, inputs, scale) in [
        (
            "LatentUpscaleBy",
            json!({"samples": ["5", 0], "upscale_method": "bislerp", "scale_by": 1.5}),
            1.5,
        ),
        (
            "LatentUpscale",
            json!({"samples": ["5", 0], "upscale_method": "bislerp", "width": 1536, "height": 1024}),
            2.0,
        ),
    ] {
        let mut graph = plain_graph();
        graph["20"] = json!({"class_type": class, "inputs": inputs});
        graph["21"] = graph["5"].clone();
        graph["21"]["inputs"]["latent_image"] = json!(["20", 0]);
        graph["21"]["inputs"]["denoise"] = json!(0.5);
        graph["21"]["inputs"]["steps"] = json!(8);
        graph["6"]["inputs"]["samples"] = json!(["21", 0]);
        let found = read(&graph);
        let hires = found.request.hires.expect("a second pass");
        assert!((hires.scale - scale).abs() < 1e-9, "{hires:?}");
        assert_eq!(
            (hires.steps, hires.upscaler.as_deref()),
            (Some(8), Some("bislerp"))
        );
        assert_eq!((found.request.steps, found.request.width), (12, 768));
        assert_eq!(found.missing, [""; 0]);
    }
}

#[test]
fn a_sampler_in_parts_is_read_through_them() {
    let graph = json!({
        "1": {"class_type": "UNETLoader", "inputs": {"unet_name": "flux1-dev.safetensors"}},
        "2": {"class_type": "DualCLIPLoader", "inputs": {"clip_name1": "t5.safetensors", "clip_name2": "clip_l.safetensors"}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"text": ["14", 0], "clip": ["2", 0]}},
        "4": {"class_type": "FluxGuidance", "inputs": {"guidance": 3.5, "conditioning": ["3", 0]}},
        "5": {"class_type": "BasicGuider", "inputs": {"model": ["1", 0], "conditioning": ["4", 0]}},
        "6": {"class_type": "RandomNoise", "inputs": {"noise_seed": ["13", 0]}},
        "7": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
        "8": {"class_type": "BasicScheduler", "inputs": {"scheduler": "simple", "steps": 20.0, "denoise": 1.0, "model": ["1", 0]}},
        "9": {"class_type": "EmptySD3LatentImage", "inputs": {"width": 1024, "height": 1024, "batch_size": 1}},
        "10": {"class_type": "SamplerCustomAdvanced", "inputs": {"noise": ["6", 0], "guider": ["5", 0],
            "sampler": ["7", 0], "sigmas": ["8", 0], "latent_image": ["9", 0]}},
        "13": {"class_type": "PrimitiveInt", "inputs": {"value": 77}},
        "14": {"class_type": "PrimitiveString", "inputs": {"value": "a flux fox"}},
    });
    let found = read(&graph);
    let request = found.request;
    assert_eq!(found.missing, [""; 0]);
    assert_eq!(
        (request.prompt.as_str(), request.negative_prompt.as_str()),
        ("a flux fox", "")
    );
    assert_eq!((request.seed, request.steps), (Some(Seed(77)), 20));
    assert_eq!(request.distilled_cfg, Some(3.5));
    assert!((request.cfg_scale - 1.0).abs() < f64::EPSILON);
    assert_eq!(request.model.as_deref(), Some("flux1-dev.safetensors"));
    assert_eq!(request.modules, ["t5.safetensors", "clip_l.safetensors"]);
}

#[test]
fn what_passes_through_other_nodes_is_found_and_they_are_named() {
    let mut graph = plain_graph();
    graph["30"] = json!({"class_type": "ControlNetApplyAdvanced", "inputs": {
        "positive": ["31", 0], "negative": ["3", 0], "strength": 1.0}});
    graph["31"] = json!({"class_type": "ConditioningCombine", "inputs": {
        "conditioning_1": ["2", 0], "conditioning_2": ["32", 0]}});
    graph["32"] =
        json!({"class_type": "CLIPTextEncode", "inputs": {"text": "in snow", "clip": ["1", 1]}});
    graph["5"]["inputs"]["positive"] = json!(["30", 0]);
    graph["5"]["inputs"]["negative"] = json!(["30", 1]);
    graph["4"] = json!({"class_type": "VAEEncode", "inputs": {"pixels": ["40", 0]}});
    let found = read(&graph);
    assert_eq!(found.request.prompt, "a fox\nin snow");
    assert_eq!(found.request.negative_prompt, "blurry");
    assert_eq!(
        found.missing,
        [
            "VAEEncode",
            "ControlNetApplyAdvanced",
            "ConditioningCombine"
        ]
    );
}

#[test]
fn numbers_that_are_no_json_are_let_pass() {
    let text = plain_graph().to_string();
    let odd = text.replacen(
        "\"inputs\":{",
        "\"is_changed\":[NaN,-Infinity],\"inputs\":{\"x\":Infinity,",
        1,
    );
    let odd = odd.replace("a fox", "NaN \\\" NaN");
    let found = from_graph(&odd).expect("read all the same");
    assert_eq!(found.request.prompt, "NaN \" NaN");
}

#[test]
fn hostile_graphs_end() {
    for nothing in [
        "",
        "[]",
        "{}",
        "5",
        "{\"1\": 5}",
        "not JSON",
        "{\"1\": {\"class_type\": 5}}",
    ] {
        assert_eq!(from_graph(nothing), None, "{nothing}");
    }
    assert_eq!(from_graph(&"[".repeat(1_000_000)), None);
    let deep = format!(
        "{{\"1\": {}{}}}",
        "{\"a\":".repeat(500),
        "1".to_owned() + &"}".repeat(500)
    );
    assert_eq!(from_graph(&deep), None);

    // In circles, through every kind of link.
    let mut circles = plain_graph();
    circles["5"]["inputs"]["latent_image"] = json!(["5", 0]);
    circles["5"]["inputs"]["model"] = json!(["8", 0]);
    circles["5"]["inputs"]["seed"] = json!(["9", 0]);
    circles["5"]["inputs"]["positive"] = json!(["10", 0]);
    circles["8"] = json!({"class_type": "Twist", "inputs": {"model": ["8", 0]}});
    circles["9"] = json!({"class_type": "Value", "inputs": {"value": ["9", 0]}});
    circles["10"] = json!({"class_type": "Loop", "inputs": {
        "conditioning_1": ["11", 0], "conditioning_2": ["10", 0]}});
    circles["11"] =
        json!({"class_type": "Loop", "inputs": {"positive": ["10", 0], "conditioning": ["10", 1]}});
    let found = read(&circles);
    for what in ["model", "seed", "positive", "Twist", "Loop"] {
        assert!(
            found.missing.iter().any(|said| said == what),
            "{what}: {:?}",
            found.missing
        );
    }
    let mut two = plain_graph();
    two["21"] = two["5"].clone();
    two["21"]["inputs"]["latent_image"] = json!(["5", 0]);
    two["5"]["inputs"]["latent_image"] = json!(["21", 0]);
    read(&two);

    // A thousand in a row, and more nodes than anybody has.
    let mut long = plain_graph();
    for n in 100..1_100 {
        let next = (n + 1).to_string();
        long[n.to_string()] =
            json!({"class_type": format!("Row{n}"), "inputs": {"model": [next, 0]}});
    }
    long["5"]["inputs"]["model"] = json!(["100", 0]);
    let found = read(&long);
    assert!(found.missing.len() <= 64 && found.request.model.is_none());
    let many: Map<String, Value> = (0..6_000).map(|n| (n.to_string(), json!({}))).collect();
    assert_eq!(from_graph(&Value::Object(many).to_string()), None);

    // Links and values of the wrong kind.
    let mut odd = plain_graph();
    odd["5"]["inputs"] = json!({"latent_image": [{}, "x"], "positive": [], "steps": -5, "seed": -1,
        "cfg": "7", "sampler_name": 5, "model": ["nowhere", 0]});
    let found = read(&odd);
    for what in [
        "latent_image",
        "steps",
        "seed",
        "cfg",
        "sampler_name",
        "scheduler",
        "model",
    ] {
        assert!(
            found.missing.iter().any(|said| said == what),
            "{what}: {:?}",
            found.missing
        );
    }
}
