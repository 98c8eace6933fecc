//! Lists a Forge answers with: samplers, schedulers, upscalers.

/// Sampler name, alias, scheduler of its options.
pub(super) const SAMPLERS: &[(&str, &str, &str)] = &[
    ("DPM++ 2M", "k_dpmpp_2m", "karras"),
    ("DPM++ SDE", "k_dpmpp_sde", "karras"),
    ("DPM++ 2M SDE", "k_dpmpp_2m_sde", "exponential"),
    ("DPM++ 2M SDE Heun", "k_dpmpp_2m_sde_heun", "exponential"),
    ("DPM++ 2S a", "k_dpmpp_2s_a", "karras"),
    ("DPM++ 3M SDE", "k_dpmpp_3m_sde", "exponential"),
    ("Euler a", "k_euler_a", ""),
    ("Euler", "k_euler", ""),
    ("LMS", "k_lms", ""),
    ("Heun", "k_heun", ""),
    ("DPM2", "k_dpm_2", "karras"),
    ("DPM2 a", "k_dpm_2_a", "karras"),
    ("DPM fast", "k_dpm_fast", ""),
    ("DPM adaptive", "k_dpm_ad", ""),
    ("Restart", "restart", "karras"),
    ("HeunPP2", "heunpp2", ""),
    ("IPNDM", "ipndm", ""),
    ("IPNDM_V", "ipndm_v", ""),
    ("DEIS", "deis", ""),
    ("DDIM", "ddim", ""),
    ("DDIM CFG++", "ddim_cfgpp", ""),
    ("PLMS", "plms", ""),
    ("UniPC", "unipc", ""),
    ("LCM", "lcm", ""),
    ("DDPM", "ddpm", ""),
];

/// Scheduler name, label, default rho, needs the inner model.
pub(super) const SCHEDULERS: &[(&str, &str, f64, bool)] = &[
    ("automatic", "Automatic", -1.0, false),
    ("uniform", "Uniform", -1.0, true),
    ("karras", "Karras", 7.0, false),
    ("exponential", "Exponential", -1.0, false),
    ("polyexponential", "Polyexponential", 1.0, false),
    ("sgm_uniform", "SGM Uniform", -1.0, true),
    ("kl_optimal", "KL Optimal", -1.0, false),
    ("align_your_steps", "Align Your Steps", -1.0, false),
    ("simple", "Simple", -1.0, true),
    ("normal", "Normal", -1.0, true),
    ("ddim", "DDIM", -1.0, true),
    ("beta", "Beta", -1.0, true),
    ("turbo", "Turbo", -1.0, true),
    (
        "align_your_steps_GITS",
        "Align Your Steps GITS",
        -1.0,
        false,
    ),
    ("align_your_steps_11", "Align Your Steps 11", -1.0, false),
    ("align_your_steps_32", "Align Your Steps 32", -1.0, false),
];

/// Upscaler name and model name.
pub(super) const UPSCALERS: &[(&str, Option<&str>)] = &[
    ("None", None),
    ("Lanczos", None),
    ("Nearest", None),
    ("DAT x2", Some("DAT x2")),
    ("ESRGAN_4x", Some("ESRGAN_4x")),
    ("R-ESRGAN 4x+", Some("R-ESRGAN 4x+")),
    ("R-ESRGAN 4x+ Anime6B", Some("R-ESRGAN 4x+ Anime6B")),
];

/// What the server really uses for an asked sampler: the exact name or the first of the list.
pub(super) fn sampler(asked: &str) -> (&'static str, &'static str, bool) {
    let found = SAMPLERS.iter().find(|(name, ..)| *name == asked);
    let (name, _, schedule) = found.unwrap_or(&SAMPLERS[0]);
    (name, schedule, found.is_some())
}

/// The label of an asked scheduler, `Automatic` if unknown.
pub(super) fn scheduler(asked: &str) -> &'static str {
    SCHEDULERS
        .iter()
        .find(|(name, label, ..)| *name == asked || *label == asked)
        .map_or("Automatic", |(_, label, ..)| label)
}
