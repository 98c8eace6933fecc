use super::header;
use crate::models::{Family, FileForm, Role, classify, read_header};

struct Case {
    what: &'static str,
    tensors: &'static [(&'static str, &'static [u64])],
    notes: &'static [(&'static str, &'static str)],
    role: Option<Role>,
    family: Option<Family>,
}

const fn case(
    what: &'static str,
    tensors: &'static [(&'static str, &'static [u64])],
    role: Role,
    family: Option<Family>,
) -> Case {
    Case {
        what,
        tensors,
        notes: &[],
        role: Some(role),
        family,
    }
}

const fn noted(
    what: &'static str,
    tensors: &'static [(&'static str, &'static [u64])],
    notes: &'static [(&'static str, &'static str)],
    role: Option<Role>,
    family: Option<Family>,
) -> Case {
    Case {
        what,
        tensors,
        notes,
        role,
        family,
    }
}

/// Names and shapes as the real files have them.
#[rustfmt::skip]
const CASES: &[Case] = &[
    case("v1-5-pruned-emaonly", &[
        ("model.diffusion_model.input_blocks.0.0.weight", &[320, 4, 3, 3]),
        ("model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", &[320, 768]),
        ("first_stage_model.decoder.conv_in.weight", &[512, 4, 3, 3]),
        ("cond_stage_model.transformer.text_model.encoder.layers.0.self_attn.k_proj.weight", &[768, 768]),
    ], Role::Checkpoint, Some(Family::Sd15)),
    case("512-inpainting, without its VAE", &[
        ("model.diffusion_model.input_blocks.0.0.weight", &[320, 9, 3, 3]),
        ("model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", &[320, 768]),
        ("cond_stage_model.transformer.text_model.encoder.layers.0.self_attn.k_proj.weight", &[768, 768]),
    ], Role::Checkpoint, Some(Family::Sd15)),
    case("v2-1_768-ema-pruned", &[
        ("model.diffusion_model.input_blocks.0.0.weight", &[320, 4, 3, 3]),
        ("model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", &[320, 1024]),
        ("cond_stage_model.model.transformer.resblocks.0.attn.in_proj_weight", &[3072, 1024]),
        ("first_stage_model.decoder.conv_in.weight", &[512, 4, 3, 3]),
    ], Role::Checkpoint, Some(Family::Sd2)),
    case("sd_xl_base_1.0", &[
        ("conditioner.embedders.0.transformer.text_model.encoder.layers.0.self_attn.k_proj.weight", &[768, 768]),
        ("conditioner.embedders.1.model.transformer.resblocks.0.attn.in_proj_weight", &[3840, 1280]),
        ("first_stage_model.decoder.conv_in.weight", &[512, 4, 3, 3]),
        ("model.diffusion_model.input_blocks.0.0.weight", &[320, 4, 3, 3]),
        ("model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight", &[640, 2048]),
    ], Role::Checkpoint, Some(Family::Sdxl)),
    case("sd_xl_refiner_1.0", &[
        ("conditioner.embedders.0.model.transformer.resblocks.0.attn.in_proj_weight", &[3840, 1280]),
        ("first_stage_model.decoder.conv_in.weight", &[512, 4, 3, 3]),
        ("model.diffusion_model.input_blocks.0.0.weight", &[384, 4, 3, 3]),
        ("model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight", &[768, 1280]),
    ], Role::Checkpoint, Some(Family::SdxlRefiner)),
    case("sd3_medium_incl_clips", &[
        ("model.diffusion_model.joint_blocks.0.context_block.attn.qkv.weight", &[4608, 1536]),
        ("text_encoders.clip_l.transformer.text_model.encoder.layers.0.self_attn.k_proj.weight", &[768, 768]),
        ("first_stage_model.decoder.conv_in.weight", &[512, 16, 3, 3]),
    ], Role::Checkpoint, Some(Family::Sd3)),
    case("flux1-dev", &[
        ("double_blocks.0.img_attn.norm.key_norm.scale", &[128]),
        ("double_blocks.0.img_attn.qkv.weight", &[9216, 3072]),
        ("single_blocks.0.linear1.weight", &[21504, 3072]),
        ("guidance_in.in_layer.weight", &[3072, 256]),
    ], Role::DiffusionModel, Some(Family::Flux)),
    case("flux1-dev-fp8, all in one", &[
        ("model.diffusion_model.double_blocks.0.img_attn.qkv.weight", &[9216, 3072]),
        ("text_encoders.t5xxl.transformer.encoder.block.0.layer.0.SelfAttention.q.weight", &[4096, 4096]),
        ("vae.decoder.conv_in.weight", &[512, 16, 3, 3]),
    ], Role::Checkpoint, Some(Family::Flux)),
    case("diffusion_pytorch_model of FLUX.1-schnell", &[
        ("transformer_blocks.0.attn.add_k_proj.weight", &[3072, 3072]),
        ("single_transformer_blocks.0.attn.to_k.weight", &[3072, 3072]),
    ], Role::DiffusionModel, Some(Family::Flux)),
    case("hunyuan_video", &[
        ("model.model.double_blocks.0.img_attn.qkv.weight", &[9216, 3072]),
        ("model.model.txt_in.individual_token_refiner.blocks.0.adaLN_modulation.1.weight", &[6144, 3072]),
    ], Role::DiffusionModel, None),
    case("chroma", &[
        ("double_blocks.0.img_attn.qkv.weight", &[9216, 3072]),
        ("distilled_guidance_layer.in_proj.weight", &[5120, 64]),
    ], Role::DiffusionModel, None),
    case("diffusers' UNet of SDXL", &[
        ("conv_in.weight", &[320, 4, 3, 3]),
        ("down_blocks.0.resnets.0.conv1.weight", &[320, 320, 3, 3]),
        ("down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight", &[640, 2048]),
        ("time_embedding.linear_1.weight", &[1280, 320]),
    ], Role::DiffusionModel, Some(Family::Sdxl)),
    case("sdxl_vae", &[
        ("decoder.conv_in.weight", &[512, 4, 3, 3]),
        ("encoder.conv_in.weight", &[128, 3, 3, 3]),
        ("quant_conv.weight", &[8, 8, 1, 1]),
    ], Role::Vae, None),
    case("ae of Flux", &[
        ("decoder.conv_in.weight", &[512, 16, 3, 3]),
        ("encoder.conv_in.weight", &[128, 3, 3, 3]),
    ], Role::Vae, None),
    case("LoRA of SD 1.5 by kohya", &[
        ("lora_te_text_model_encoder_layers_0_self_attn_k_proj.lora_down.weight", &[32, 768]),
        ("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight", &[32, 768]),
    ], Role::Lora, Some(Family::Sd15)),
    case("LoRA of SD 2 by kohya", &[
        ("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight", &[32, 1024]),
    ], Role::Lora, Some(Family::Sd2)),
    case("LoRA of SDXL by kohya", &[
        ("lora_te1_text_model_encoder_layers_0_self_attn_k_proj.lora_down.weight", &[8, 768]),
        ("lora_te2_text_model_encoder_layers_0_self_attn_k_proj.lora_down.weight", &[8, 1280]),
        ("lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k.lora_down.weight", &[8, 2048]),
    ], Role::Lora, Some(Family::Sdxl)),
    case("sd_xl_offset_example-lora_1.0: no text encoder", &[
        ("lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k.lora_down.weight", &[8, 2048]),
    ], Role::Lora, Some(Family::Sdxl)),
    case("pytorch_lora_weights of SDXL", &[
        ("unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.lora_A.weight", &[4, 2048]),
        ("unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.lora_B.weight", &[640, 4]),
    ], Role::Lora, Some(Family::Sdxl)),
    case("the older form of diffusers", &[
        ("unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.processor.to_k_lora.down.weight", &[4, 768]),
    ], Role::Lora, Some(Family::Sd15)),
    case("LoRA of Flux by kohya", &[
        ("lora_unet_double_blocks_0_img_attn_proj.lora_down.weight", &[16, 3072]),
        ("lora_unet_single_blocks_0_linear1.lora_down.weight", &[16, 3072]),
    ], Role::Lora, Some(Family::Flux)),
    case("LoRA of Flux by diffusers", &[
        ("transformer.single_transformer_blocks.0.attn.to_k.lora_A.weight", &[16, 3072]),
        ("transformer.transformer_blocks.0.attn.add_k_proj.lora_A.weight", &[16, 3072]),
    ], Role::Lora, Some(Family::Flux)),
    case("LoRA of Flux by XLabs", &[
        ("double_blocks.0.processor.proj_lora1.down.weight", &[16, 3072]),
    ], Role::Lora, Some(Family::Flux)),
    case("LoHa of SD 1.5", &[
        ("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.hada_w1_a", &[320, 8]),
        ("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.hada_w1_b", &[8, 768]),
    ], Role::Lora, Some(Family::Sd15)),
    case("LoKr, of which shapes say nothing", &[
        ("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lokr_w1", &[4, 4]),
    ], Role::Lora, None),
    noted("LoKr with a note", &[
        ("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lokr_w1", &[4, 4]),
    ], &[("ss_base_model_version", "sdxl_base_v1-0")], Some(Role::Lora), Some(Family::Sdxl)),
    noted("a note that lies", &[
        ("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight", &[32, 768]),
    ], &[("modelspec.architecture", "stable-diffusion-xl-v1-base/lora")], Some(Role::Lora), Some(Family::Sd15)),
    noted("LoRA of Hunyuan, whose blocks bear Flux' names", &[
        ("lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight", &[16, 3072]),
    ], &[("modelspec.architecture", "hunyuan-video/lora")], Some(Role::Lora), None),
    case("embedding of SD 1.5", &[("emb_params", &[8, 768])], Role::Embedding, Some(Family::Sd15)),
    case("embedding of SD 2", &[("emb_params", &[8, 1024])], Role::Embedding, Some(Family::Sd2)),
    case("embedding of SDXL", &[("clip_g", &[8, 1280]), ("clip_l", &[8, 768])], Role::Embedding, Some(Family::Sdxl)),
    case("control_v11p_sd15_canny", &[
        ("control_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", &[320, 768]),
        ("control_model.input_hint_block.0.weight", &[16, 3, 3, 3]),
    ], Role::Controlnet, Some(Family::Sd15)),
    case("diffusers' ControlNet of SDXL", &[
        ("controlnet_cond_embedding.conv_in.weight", &[16, 3, 3, 3]),
        ("down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight", &[640, 2048]),
    ], Role::Controlnet, Some(Family::Sdxl)),
    case("ControlNet of Flux", &[
        ("controlnet_x_embedder.weight", &[3072, 64]),
        ("transformer_blocks.0.attn.add_k_proj.weight", &[3072, 3072]),
    ], Role::Controlnet, Some(Family::Flux)),
    case("ip-adapter_sdxl", &[
        ("image_proj.proj.weight", &[8192, 1280]),
        ("ip_adapter.1.to_k_ip.weight", &[640, 2048]),
    ], Role::IpAdapter, None),
    case("clip_l", &[("text_model.encoder.layers.0.self_attn.k_proj.weight", &[768, 768])], Role::TextEncoder, None),
    case("t5xxl", &[
        ("encoder.block.0.layer.0.SelfAttention.q.weight", &[4096, 4096]),
        ("shared.weight", &[32128, 4096]),
    ], Role::TextEncoder, None),
    case("clip_vision_g", &[("vision_model.encoder.layers.0.self_attn.k_proj.weight", &[1664, 1664])], Role::ClipVision, None),
    case("RealESRGAN_x4plus", &[
        ("body.0.rdb1.conv1.weight", &[32, 64, 3, 3]), ("conv_first.weight", &[64, 3, 3, 3]),
    ], Role::Upscaler, None),
    case("SwinIR_4x", &[
        ("conv_first.weight", &[240, 3, 3, 3]),
        ("layers.0.residual_group.blocks.0.attn.qkv.weight", &[720, 240]),
    ], Role::Upscaler, None),
    noted("nothing that anybody knows", &[("weights.0", &[5, 5])], &[], None, None),
    noted("an empty file", &[], &[], None, None),
];

#[test]
fn real_files_are_known_for_what_they_are() {
    for case in CASES {
        let (json, size) = header(case.tensors, case.notes);
        let header = read_header(&json, size).expect(case.what);
        assert_eq!(header.fault, None, "{}", case.what);
        let kind = classify(&header);
        assert_eq!(
            (kind.role, kind.family),
            (case.role, case.family),
            "{}",
            case.what
        );
    }
}

#[test]
fn forms_by_extension() {
    let cases = [
        ("a.safetensors", FileForm::Safetensors),
        ("a.b.SafeTensors", FileForm::Safetensors),
        ("a.ckpt", FileForm::Pickle),
        ("a.pth", FileForm::Pickle),
        ("a.Q4_K.gguf", FileForm::Gguf),
        ("a.safetensors.part", FileForm::Other),
        ("Put Stable Diffusion checkpoints here.txt", FileForm::Other),
        ("safetensors", FileForm::Other),
    ];
    for (name, form) in cases {
        assert_eq!(FileForm::of_name(name), form, "{name}");
    }
}
