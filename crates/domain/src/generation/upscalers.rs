//! Upscalers of the second pass as A1111 and Forge call them, and how ComfyUI does the same.

use super::samplers::Match;

/// What an upscaler enlarges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enlarges {
    /// The latent, before it becomes pixels.
    Latent,
    /// The decoded picture, which is encoded again.
    Pixels,
}

/// An upscaler without a model of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upscaler {
    /// As A1111 and Forge call it.
    pub a1111: &'static str,
    /// What it works on.
    pub enlarges: Enlarges,
    /// ComfyUI's method, and how well it matches.
    pub method: (&'static str, Match),
}

const fn latent(a1111: &'static str, method: &'static str, matching: Match) -> Upscaler {
    Upscaler {
        a1111,
        enlarges: Enlarges::Latent,
        method: (method, matching),
    }
}

const fn pixels(a1111: &'static str, method: &'static str, matching: Match) -> Upscaler {
    Upscaler {
        a1111,
        enlarges: Enlarges::Pixels,
        method: (method, matching),
    }
}

use Match::{Exact, Near};

/// Every upscaler of A1111 and Forge that has no model.
pub const UPSCALERS: &[Upscaler] = &[
    latent("Latent", "bilinear", Exact),
    // ComfyUI smooths no latent.
    latent("Latent (antialiased)", "bilinear", Near),
    latent("Latent (bicubic)", "bicubic", Exact),
    latent("Latent (bicubic antialiased)", "bicubic", Near),
    // It rounds to the middle of a pixel, not to its corner.
    latent("Latent (nearest)", "nearest-exact", Near),
    latent("Latent (nearest-exact)", "nearest-exact", Exact),
    // Without an upscaler A1111 takes Lanczos all the same.
    pixels("None", "lanczos", Exact),
    pixels("Lanczos", "lanczos", Exact),
    pixels("Nearest", "nearest-exact", Exact),
];

/// An upscaler of A1111 by its name, in any case; nothing means its default, `Latent`.
pub fn upscaler_of(name: Option<&str>) -> Option<&'static Upscaler> {
    let name = name.map(str::trim).filter(|name| !name.is_empty());
    let name = name.unwrap_or("Latent");
    UPSCALERS
        .iter()
        .find(|upscaler| upscaler.a1111.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Methods of ComfyUI 0.3.64's `LatentUpscale` and `ImageScale`.
    const LATENT: &[&str] = &["nearest-exact", "bilinear", "area", "bicubic", "bislerp"];
    const PIXELS: &[&str] = &["nearest-exact", "bilinear", "area", "bicubic", "lanczos"];

    #[test]
    fn every_upscaler_has_a_method_that_there_is_and_a_name_of_its_own() {
        for upscaler in UPSCALERS {
            let methods = match upscaler.enlarges {
                Enlarges::Latent => LATENT,
                Enlarges::Pixels => PIXELS,
            };
            assert!(methods.contains(&upscaler.method.0), "{upscaler:?}");
            let shouted = upscaler.a1111.to_uppercase();
            assert_eq!(upscaler_of(Some(&shouted)), Some(upscaler));
        }
        assert_eq!(upscaler_of(None), Some(&UPSCALERS[0]));
        assert_eq!(upscaler_of(Some(" ")), Some(&UPSCALERS[0]));
        assert_eq!(upscaler_of(Some("R-ESRGAN 4x+")), None);
    }
}
