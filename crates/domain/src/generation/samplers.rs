//! Samplers and schedulers as A1111 and Forge call them, and what ComfyUI calls the same. Source:
//! `comfyui-api.md` §12. What has no twin is said before a picture is asked for, never replaced.

use serde::{Deserialize, Serialize};

/// How well a name of one dialect is matched by one of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// The same method.
    Exact,
    /// The nearest there is: pictures differ more than by noise.
    Near,
}

/// A name of A1111 and Forge with its twin in ComfyUI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// As A1111 and Forge call it.
    pub a1111: &'static str,
    /// As ComfyUI's `KSampler` calls it; `None` where it has nothing like it.
    pub comfyui: Option<(&'static str, Match)>,
}

/// A sampler, and the schedule that `Automatic` means for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SamplerPair {
    /// Its names.
    pub pair: Pair,
    /// ComfyUI's scheduler for A1111's `Automatic`.
    pub automatic: (&'static str, Match),
}

use Match::{Exact, Near};

const fn exact(a1111: &'static str, comfyui: &'static str) -> Pair {
    let comfyui = Some((comfyui, Exact));
    Pair { a1111, comfyui }
}

const fn near(a1111: &'static str, comfyui: &'static str) -> Pair {
    let comfyui = Some((comfyui, Near));
    Pair { a1111, comfyui }
}

const fn without(a1111: &'static str) -> Pair {
    Pair {
        a1111,
        comfyui: None,
    }
}

const fn sampler(pair: Pair, automatic: &'static str) -> SamplerPair {
    SamplerPair {
        pair,
        automatic: (automatic, Exact),
    }
}

/// UniPC spaces its steps evenly in time, which no scheduler of `KSampler` does.
const fn uneven(pair: Pair) -> SamplerPair {
    SamplerPair {
        pair,
        automatic: ("normal", Near),
    }
}

/// Every sampler that A1111 or Forge offers.
pub const SAMPLERS: &[SamplerPair] = &[
    sampler(exact("Euler", "euler"), "normal"),
    sampler(exact("Euler a", "euler_ancestral"), "normal"),
    sampler(exact("LMS", "lms"), "normal"),
    sampler(exact("Heun", "heun"), "normal"),
    sampler(exact("HeunPP2", "heunpp2"), "normal"),
    sampler(exact("DPM2", "dpm_2"), "karras"),
    sampler(exact("DPM2 a", "dpm_2_ancestral"), "karras"),
    sampler(exact("DPM++ 2S a", "dpmpp_2s_ancestral"), "karras"),
    sampler(exact("DPM++ 2M", "dpmpp_2m"), "karras"),
    // A1111 makes the noise within the steps on the card.
    sampler(exact("DPM++ SDE", "dpmpp_sde_gpu"), "karras"),
    sampler(exact("DPM++ 2M SDE", "dpmpp_2m_sde_gpu"), "exponential"),
    sampler(
        exact("DPM++ 2M SDE Heun", "dpmpp_2m_sde_heun_gpu"),
        "exponential",
    ),
    sampler(exact("DPM++ 3M SDE", "dpmpp_3m_sde_gpu"), "exponential"),
    // Both choose their steps themselves.
    sampler(exact("DPM fast", "dpm_fast"), "normal"),
    sampler(exact("DPM adaptive", "dpm_adaptive"), "normal"),
    sampler(exact("IPNDM", "ipndm"), "normal"),
    sampler(exact("IPNDM_V", "ipndm_v"), "normal"),
    sampler(exact("DEIS", "deis"), "normal"),
    sampler(exact("LCM", "lcm"), "normal"),
    sampler(exact("DDPM", "ddpm"), "normal"),
    sampler(exact("DDIM", "ddim"), "ddim_uniform"),
    uneven(exact("UniPC", "uni_pc")),
    sampler(near("DDIM CFG++", "euler_cfg_pp"), "ddim_uniform"),
    sampler(without("PLMS"), "normal"),
    sampler(without("Restart"), "karras"),
];

/// Every scheduler that A1111 or Forge offers, but `Automatic`.
pub const SCHEDULERS: &[Pair] = &[
    exact("Uniform", "normal"),
    exact("Normal", "normal"),
    exact("Karras", "karras"),
    exact("Exponential", "exponential"),
    exact("SGM Uniform", "sgm_uniform"),
    exact("Simple", "simple"),
    exact("KL Optimal", "kl_optimal"),
    exact("DDIM", "ddim_uniform"),
    // The same alpha and beta, rounded in another way.
    near("Beta", "beta"),
    without("Polyexponential"),
    without("Turbo"),
    without("Align Your Steps"),
    without("Align Your Steps GITS"),
    without("Align Your Steps 11"),
    without("Align Your Steps 32"),
];

/// The scheduler that leaves the choice to the sampler.
pub const AUTOMATIC: &str = "Automatic";

/// A sampler of A1111 by its name, in any case.
pub fn sampler_of(name: &str) -> Option<&'static SamplerPair> {
    let name = name.trim();
    SAMPLERS
        .iter()
        .find(|sampler| sampler.pair.a1111.eq_ignore_ascii_case(name))
}

/// What ComfyUI calls a scheduler of A1111 for a sampler; `Automatic` and nothing mean the sampler's
/// own. The error says which name has no twin, or is not known.
pub fn scheduler_of(
    name: Option<&str>,
    sampler: &SamplerPair,
) -> Result<(&'static str, Match), NoTwin> {
    let name = name.map(str::trim).filter(|name| !name.is_empty());
    let Some(name) = name.filter(|name| !name.eq_ignore_ascii_case(AUTOMATIC)) else {
        return Ok(sampler.automatic);
    };
    let known = SCHEDULERS
        .iter()
        .find(|pair| pair.a1111.eq_ignore_ascii_case(name));
    match known {
        Some(pair) => pair.comfyui.ok_or_else(|| NoTwin::Nothing(name.to_owned())),
        None => Err(NoTwin::Unknown(name.to_owned())),
    }
}

/// Why a name cannot be said in the other dialect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTwin {
    /// ComfyUI's `KSampler` has nothing like it.
    #[error("`{0}` has no equivalent in ComfyUI's KSampler")]
    Nothing(String),
    /// No name of A1111 or Forge that is known here.
    #[error("`{0}` is no sampler or scheduler known here")]
    Unknown(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `KSampler`'s own lists (ComfyUI 0.3.64, `comfyui-api.md` §12).
    const COMFY_SAMPLERS: &str = "euler euler_cfg_pp euler_ancestral euler_ancestral_cfg_pp heun heunpp2 dpm_2 \
        dpm_2_ancestral lms dpm_fast dpm_adaptive dpmpp_2s_ancestral dpmpp_2s_ancestral_cfg_pp dpmpp_sde \
        dpmpp_sde_gpu dpmpp_2m dpmpp_2m_cfg_pp dpmpp_2m_sde dpmpp_2m_sde_gpu dpmpp_2m_sde_heun \
        dpmpp_2m_sde_heun_gpu dpmpp_3m_sde dpmpp_3m_sde_gpu ddpm lcm ipndm ipndm_v deis res_multistep \
        gradient_estimation er_sde seeds_2 seeds_3 sa_solver sa_solver_pece ddim uni_pc uni_pc_bh2";
    const COMFY_SCHEDULERS: &str = "simple sgm_uniform karras exponential ddim_uniform beta normal \
        linear_quadratic kl_optimal";

    fn is_of(list: &str, name: &str) -> bool {
        list.split_whitespace().any(|known| known == name)
    }

    #[test]
    fn every_pair_has_a_twin_that_there_is_or_none_by_name() {
        let mut told = 0;
        for sampler in SAMPLERS {
            if let Some((name, _)) = sampler.pair.comfyui {
                assert!(is_of(COMFY_SAMPLERS, name), "{name}");
            }
            assert!(is_of(COMFY_SCHEDULERS, sampler.automatic.0));
            let schedulers = SCHEDULERS.iter().map(|pair| pair.a1111);
            for scheduler in schedulers.chain([AUTOMATIC]) {
                match scheduler_of(Some(scheduler), sampler) {
                    Ok((name, _)) => assert!(is_of(COMFY_SCHEDULERS, name), "{name}"),
                    Err(error) => assert_eq!(error, NoTwin::Nothing(scheduler.to_owned())),
                }
                told += 1;
            }
        }
        assert_eq!(told, SAMPLERS.len() * (SCHEDULERS.len() + 1));
    }

    #[test]
    fn names_are_there_once_and_found_in_any_case() {
        for (place, one) in SAMPLERS.iter().enumerate() {
            let found = sampler_of(&one.pair.a1111.to_uppercase());
            assert_eq!(found, Some(&SAMPLERS[place]));
        }
        assert_eq!(sampler_of(" euler A "), Some(&SAMPLERS[1]));
        assert_eq!(sampler_of("k_euler"), None);
        let euler = &SAMPLERS[0];
        for nothing in [None, Some(""), Some("automatic")] {
            assert_eq!(scheduler_of(nothing, euler), Ok(("normal", Exact)));
        }
        assert_eq!(
            scheduler_of(Some("Turbo"), euler),
            Err(NoTwin::Nothing("Turbo".to_owned()))
        );
        assert_eq!(
            scheduler_of(Some("<b>"), euler),
            Err(NoTwin::Unknown("<b>".to_owned()))
        );
    }
}
