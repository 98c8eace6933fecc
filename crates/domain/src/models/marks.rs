//! Pieces of tensor names that tell something, found in one pass over a header however many there are.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::header::Tensor;

/// Where in a name a piece must stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// At its beginning.
    Start,
    /// At its end.
    End,
    /// It is the whole name.
    Whole,
    /// Anywhere.
    Inside,
}

macro_rules! marks {
    ($($(#[$doc:meta])* $name:ident $at:ident $text:literal),* $(,)?) => {
        /// A piece of a name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Mark {
            $($(#[$doc])* $name),*
        }

        /// In the order of [`Mark`].
        const MARKS: &[(Mark, At, &str)] = &[$((Mark::$name, At::$at, $text)),*];
    };
}

marks! {
    // Stable Diffusion's own names.
    LdmModel Start "model.diffusion_model.",
    LdmUnet Inside "input_blocks.0.0.weight",
    LdmVae Start "first_stage_model.",
    LdmClip Start "cond_stage_model.",
    LdmClipXl Start "conditioner.embedders.",
    TextEncoders Start "text_encoders.",
    // UNets as diffusers writes them.
    DiffusersUnet Whole "conv_in.weight",
    DiffusersDown Start "down_blocks.0.resnets.",
    DiffusersTime Start "time_embedding.linear_1.",
    // Attention to the prompt: its last axis is the width of the text encoder.
    CrossKey End "attn2.to_k.weight",
    // Flux and SD 3.
    FluxDouble Inside "double_blocks.0.img_attn.",
    FluxSingle Inside "single_blocks.0.",
    FluxDiffusers Start "single_transformer_blocks.0.",
    /// Hunyuan has Flux' blocks and this.
    TokenRefiner Inside "txt_in.individual_token_refiner.",
    /// Flux 2 has other sizes and shares its modulation.
    SharedModulation Inside "double_stream_modulation_img.",
    /// Chroma has Flux' blocks and this.
    DistilledGuidance Inside "distilled_guidance_layer.",
    Joint Inside "joint_blocks.0.",
    // VAE.
    VaeEncoder Whole "encoder.conv_in.weight",
    VaeDecoder Whole "decoder.conv_in.weight",
    // Small changes.
    LoraDown Inside ".lora_down.",
    LoraA Inside ".lora_A.",
    LoraLin Inside "_lora.down.",
    LoraXlabs Inside "proj_lora1.down.",
    LoraHada Inside ".hada_w1_",
    LoraLokr Inside ".lokr_w",
    LoraOft Inside ".oft_",
    LoraKey Inside "attn2_to_k.lora_down.weight",
    LoraKeyA Inside "attn2.to_k.lora_A.weight",
    LoraKeyLin Inside "attn2.processor.to_k_lora.down.weight",
    LoraKeyHada Inside "attn2_to_k.hada_w1_b",
    LoraTe2 Start "lora_te2_",
    LoraTwoDiffusers Start "text_encoder_2.",
    LoraFlux Start "lora_unet_double_blocks_",
    LoraFluxSingle Start "lora_unet_single_blocks_",
    LoraFluxDiffusers Start "transformer.single_transformer_blocks.",
    LoraJoint Inside "joint_blocks_0_",
    // Textual inversion.
    EmbParams Whole "emb_params",
    EmbClipL Whole "clip_l",
    EmbClipG Whole "clip_g",
    // ControlNet and adapters.
    ControlModel Start "control_model.",
    ControlHint Inside "input_hint_block.0.weight",
    ControlCond Start "controlnet_cond_embedding.",
    ControlFlux Start "controlnet_x_embedder.",
    ControlLora Whole "lora_controlnet",
    Adapter Start "adapter.body.",
    AdapterBody Start "body.0.resnets.",
    IpKeys Start "ip_adapter.",
    IpProjection Start "image_proj.",
    // Text encoders and readers of pictures.
    ClipLayers Inside "text_model.encoder.layers.0.",
    OpenClip Start "transformer.resblocks.0.",
    T5 Start "encoder.block.0.layer.0.SelfAttention.",
    Vision Inside "vision_model.encoder.layers.0.",
    // What enlarges.
    EsrganOld Start "model.1.sub.0.",
    EsrganNew Start "body.0.rdb1.",
    SwinLayers Start "layers.0.residual_group.",
    ConvFirst Whole "conv_first.weight",
    CompactLast Whole "body.0.weight",
}

static FINDER: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::new(MARKS.iter().map(|(_, _, text)| text)).ok());

/// The marks of a header, each with the axes of the first tensor that bears it.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    shapes: Vec<Option<&'a [u64]>>,
}

impl<'a> Seen<'a> {
    pub(super) fn of(tensors: &'a [Tensor<'_>]) -> Self {
        let mut shapes = vec![None; MARKS.len()];
        if let Some(finder) = &*FINDER {
            for tensor in tensors {
                for found in finder.find_overlapping_iter(&*tensor.name) {
                    let number = found.pattern().as_usize();
                    let (starts, ends) = (found.start() == 0, found.end() == tensor.name.len());
                    let good = match MARKS[number].1 {
                        At::Start => starts,
                        At::End => ends,
                        At::Whole => starts && ends,
                        At::Inside => true,
                    };
                    if good && shapes[number].is_none() {
                        shapes[number] = Some(&*tensor.shape);
                    }
                }
            }
        }
        Self { shapes }
    }

    pub(super) fn has(&self, mark: Mark) -> bool {
        self.shape(mark).is_some()
    }

    pub(super) fn shape(&self, mark: Mark) -> Option<&'a [u64]> {
        self.shapes.get(mark as usize).copied().flatten()
    }

    /// The last axis of what bears it.
    pub(super) fn last_axis(&self, mark: Mark) -> Option<u64> {
        self.shape(mark)?.last().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_in_the_order_of_its_names() {
        for (number, (mark, ..)) in MARKS.iter().enumerate() {
            assert_eq!(*mark as usize, number);
        }
        assert!(FINDER.is_some());
    }
}
