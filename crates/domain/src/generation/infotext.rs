//! The parameter text ("infotext") that A1111, Forge and their forks write into pictures.
//!
//! Prompt lines, then lines after `Negative prompt:`, then one last line of `key: value` pairs.
//! Prompts are never escaped by the writer, so the reader guesses as the servers do.

use std::{fmt::Write as _, sync::LazyLock};

use regex::Regex;

use super::{GenerationRequest, Seed};

/// Longest text that is read, in bytes; real ones stay below a tenth of this.
pub const MAX_INFOTEXT_BYTES: usize = 1024 * 1024;
/// The last line is settings only if at least so many pairs are found in it.
const FEWEST_PAIRS: usize = 3;
const NEGATIVE: &str = "Negative prompt:";

static PAIR: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)"#).ok());
static SIZE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^(\d+)x(\d+)$").ok());

/// A parameter text, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Infotext {
    /// What the picture shows.
    pub prompt: String,
    /// What it must not show.
    pub negative_prompt: String,
    /// Settings in order, quotes removed; `Size` comes as `Size-1` and `Size-2`.
    pub settings: Vec<(String, String)>,
}

impl Infotext {
    /// The value of a setting; the last one wins, as with the servers.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.settings
            .iter()
            .rev()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_str())
    }

    /// A list inside a value, such as `Lora hashes`: names and what follows their first colon.
    pub fn list(&self, key: &str) -> Vec<(String, String)> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        value
            .split(',')
            .filter_map(|item| item.split_once(':'))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect()
    }
}

/// Names that a request leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names<'a> {
    /// Sampler.
    pub sampler: &'a str,
    /// Scheduler.
    pub scheduler: &'a str,
    /// Model file.
    pub model: &'a str,
    /// The program that made the picture.
    pub program: &'a str,
}

/// Puts a text together for a program that writes none, so that every reader of A1111's world knows
/// what a picture was made from. Without a seed of its own a picture of a batch says none.
pub fn compose(request: &GenerationRequest, seed: Option<Seed>, names: &Names<'_>) -> String {
    let mut text = request.prompt.clone();
    if !request.negative_prompt.is_empty() {
        let _ = write!(text, "\n{NEGATIVE} {}", request.negative_prompt);
    }
    let seed = seed.map_or_else(String::new, |seed| format!("Seed: {seed}, "));
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "\nSteps: {}, Sampler: {}, Schedule type: {}, CFG scale: {}, {seed}Size: {}x{}, Model: {}, {}Version: {}",
        request.steps,
        quote(names.sampler),
        quote(names.scheduler),
        request.cfg_scale,
        request.width,
        request.height,
        quote(names.model),
        besides(request),
        quote(names.program),
    );
    text
}

/// What a request asks besides, in the order and the words of A1111 and Forge.
fn besides(request: &GenerationRequest) -> String {
    let mut text = String::new();
    let mut pair = |key: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{key}: {}, ", quote(value));
    };
    if let Some(guidance) = request.distilled_cfg {
        pair("Distilled CFG Scale", &guidance.to_string());
    }
    if let Some(hires) = &request.hires {
        pair("Denoising strength", &hires.denoise.to_string());
    }
    if let Some(skip) = request.clip_skip.filter(|skip| *skip > 1) {
        pair("Clip skip", &skip.to_string());
    }
    if let Some(hires) = &request.hires {
        pair("Hires upscale", &hires.scale.to_string());
        if let Some(steps) = hires.steps {
            pair("Hires steps", &steps.to_string());
        }
        let upscaler = hires.upscaler.as_deref().unwrap_or("Latent");
        pair("Hires upscaler", upscaler);
    }
    for (number, module) in request.modules.iter().enumerate() {
        pair(&format!("Module {}", number + 1), module);
    }
    text
}

/// Takes a text apart; every text is at least a prompt. Longer ones than 1 MiB are cut.
pub fn parse(text: &str) -> Infotext {
    let text = cut(text, MAX_INFOTEXT_BYTES).trim();
    let (body, last) = text.rsplit_once('\n').unwrap_or(("", text));
    let pairs = pairs(last);
    let (body, settings) = if pairs.len() < FEWEST_PAIRS {
        (text, Vec::new())
    } else {
        (body, pairs)
    };
    let mut parsed = Infotext::default();
    let mut negative = false;
    for line in body.lines() {
        let mut line = line.trim();
        if let Some(rest) = line.strip_prefix(NEGATIVE) {
            negative = true;
            line = rest.trim();
        }
        let part = if negative {
            &mut parsed.negative_prompt
        } else {
            &mut parsed.prompt
        };
        if !part.is_empty() {
            part.push('\n');
        }
        part.push_str(line);
    }
    for (key, value) in settings {
        let size = SIZE.as_ref().and_then(|size| size.captures(&value));
        match size {
            Some(size) => {
                parsed
                    .settings
                    .push((format!("{key}-1"), size[1].to_owned()));
                parsed
                    .settings
                    .push((format!("{key}-2"), size[2].to_owned()));
            }
            None => parsed.settings.push((key, value)),
        }
    }
    parsed
}

/// Writes a value as the servers do: quoted when it holds a comma, a colon or a line feed.
pub fn quote(value: &str) -> String {
    if !value.contains([',', ':', '\n']) {
        return value.to_owned();
    }
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for c in value.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if u32::from(c) < 0x20 => {
                // Writing into a String cannot fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn pairs(line: &str) -> Vec<(String, String)> {
    let Some(pair) = PAIR.as_ref() else {
        return Vec::new();
    };
    pair.captures_iter(line)
        .map(|found| (found[1].to_owned(), unquote(found[2].trim_end())))
        .collect()
}

/// Undoes [`quote`]; what is no JSON string stays as it is, except that `""` is empty.
fn unquote(value: &str) -> String {
    let Some(inner) = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    else {
        return value.to_owned();
    };
    json_string(inner).unwrap_or_else(|| value.to_owned())
}

/// The text of a JSON string without its quotes; `None` when it is none.
fn json_string(inner: &str) -> Option<String> {
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return None,
            '\\' => text.push(match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'u' => unicode(&mut chars)?,
                c @ ('"' | '\\' | '/') => c,
                _ => return None,
            }),
            c => text.push(c),
        }
    }
    Some(text)
}

/// `XXXX`, or `XXXX\uXXXX` for a character beyond the first plane.
fn unicode(chars: &mut std::str::Chars<'_>) -> Option<char> {
    let first = hex(chars)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first);
    }
    let (slash, u) = (chars.next()?, chars.next()?);
    let second = hex(chars)?;
    (slash == '\\' && u == 'u' && (0xdc00..0xe000).contains(&second))
        .then(|| char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)))
        .flatten()
}

fn hex(chars: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |n, _| Some(n * 16 + chars.next()?.to_digit(16)?))
}

fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = "a (red:1.2) fox\nNegative prompt: blurry, low\nSteps: 20, Sampler: DPM++ 2M, \
        Schedule type: Karras, CFG scale: 7, Seed: 42, Size: 512x768, Model hash: 0123456789, Model: beta, \
        Lora hashes: \"foo: aa11, bar: bb22\", Version: f2.0.1v1.10.1";

    #[test]
    fn a_text_put_together_is_taken_apart_again() {
        let request = GenerationRequest {
            prompt: "a fox,\nin snow".to_owned(),
            negative_prompt: "blurry".to_owned(),
            ..GenerationRequest::default()
        };
        let names = Names {
            sampler: "euler",
            scheduler: "normal",
            model: "sub/a, b: c.safetensors",
            program: "ComfyUI",
        };
        let found = parse(&compose(&request, Some(Seed(u64::MAX)), &names));
        assert_eq!(found.prompt, request.prompt);
        assert_eq!(found.negative_prompt, "blurry");
        for (key, value) in [
            ("Steps", "20"),
            ("Sampler", "euler"),
            ("Schedule type", "normal"),
            ("CFG scale", "7"),
            ("Seed", "18446744073709551615"),
            ("Size-1", "512"),
            ("Model", "sub/a, b: c.safetensors"),
            ("Version", "ComfyUI"),
        ] {
            assert_eq!(found.get(key), Some(value), "{key}");
        }
        assert_eq!(parse(&compose(&request, None, &names)).get("Seed"), None);
        assert_eq!(found.get("Clip skip"), None, "nothing that was not asked");
        let full = GenerationRequest {
            clip_skip: Some(2),
            distilled_cfg: Some(3.5),
            hires: Some(crate::generation::Hires {
                scale: 1.5,
                steps: Some(7),
                denoise: 0.4,
                upscaler: None,
            }),
            modules: vec!["ae, new.safetensors".to_owned()],
            ..request
        };
        let found = parse(&compose(&full, None, &names));
        for (key, value) in [
            ("Distilled CFG Scale", "3.5"),
            ("Denoising strength", "0.4"),
            ("Clip skip", "2"),
            ("Hires upscale", "1.5"),
            ("Hires steps", "7"),
            ("Hires upscaler", "Latent"),
            ("Module 1", "ae, new.safetensors"),
            ("Version", "ComfyUI"),
        ] {
            assert_eq!(found.get(key), Some(value), "{key}");
        }
    }

    #[test]
    fn a_full_text_is_taken_apart() {
        let parsed = parse(FULL);
        assert_eq!(parsed.prompt, "a (red:1.2) fox");
        assert_eq!(parsed.negative_prompt, "blurry, low");
        for (key, value) in [
            ("Steps", "20"),
            ("Sampler", "DPM++ 2M"),
            ("Schedule type", "Karras"),
            ("CFG scale", "7"),
            ("Seed", "42"),
            ("Size-1", "512"),
            ("Size-2", "768"),
            ("Model hash", "0123456789"),
            ("Model", "beta"),
            ("Lora hashes", "foo: aa11, bar: bb22"),
            ("Version", "f2.0.1v1.10.1"),
        ] {
            assert_eq!(parsed.get(key), Some(value), "{key}");
        }
        assert_eq!(parsed.get("Size"), None);
        let expected =
            [("foo", "aa11"), ("bar", "bb22")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(parsed.list("Lora hashes"), expected);
        assert_eq!(parsed.list("Hypernet hashes"), []);
    }

    #[test]
    fn prompts_are_kept_as_written() {
        for (text, prompt, negative) in [
            ("", "", ""),
            ("just a prompt", "just a prompt", ""),
            ("a: b, c: d", "a: b, c: d", ""),
            (
                "one\ntwo\nNegative prompt: three\nfour\nSteps: 1, Sampler: Euler, Seed: 3",
                "one\ntwo",
                "three\nfour",
            ),
            (
                "Negative prompt: only\nSteps: 1, Sampler: Euler, Seed: 3",
                "",
                "only",
            ),
            (
                "x\nNegative prompt: a\nNegative prompt: b\nSteps: 1, Sampler: Euler, Seed: 3",
                "x",
                "a\nb",
            ),
            ("Steps: 1, Sampler: Euler, Seed: 3", "", ""),
            (
                "x\r\nNegative prompt: y\r\nSteps: 1, Sampler: Euler, Seed: 3",
                "x",
                "y",
            ),
            (
                "x\nSteps: 1, Sampler: Euler",
                "x\nSteps: 1, Sampler: Euler",
                "",
            ),
            (
                "Ünïcödé 猫\nSteps: 1, Sampler: Euler, Seed: 3",
                "Ünïcödé 猫",
                "",
            ),
        ] {
            let parsed = parse(text);
            assert_eq!(
                (parsed.prompt.as_str(), parsed.negative_prompt.as_str()),
                (prompt, negative),
                "{text:?}"
            );
        }
    }

    #[test]
    fn odd_values_follow_the_servers_reader() {
        let line = |extra: &str| parse(&format!("p\nSteps: 1, Sampler: Euler, Seed: 3, {extra}"));
        assert_eq!(line("X: y").get("X"), None, "a key needs two characters");
        assert_eq!(line("Empty: \"\"").get("Empty"), Some(""));
        assert_eq!(line("Bare: ").get("Bare"), Some(""));
        assert_eq!(
            line("Hires resize: 1024x1536").get("Hires resize-2"),
            Some("1536")
        );
        assert_eq!(
            line("Note: \"a\\nb, \\\"c\\\"\"").get("Note"),
            Some("a\nb, \"c\"")
        );
        assert_eq!(
            line("Cat: \"\\u732b, \\ud83d\\ude3a\"").get("Cat"),
            Some("猫, 😺")
        );
        assert_eq!(
            line("Half: \"\\ud83d, x\"").get("Half"),
            Some("\"\\ud83d, x\""),
            "kept as it stands"
        );
        assert_eq!(line("Seed: 9").get("Seed"), Some("9"), "the last one wins");
        assert_eq!(
            line("Refiner: \"not closed").get("Refiner"),
            Some("\"not closed")
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        for value in [
            "plain",
            "a, b",
            "k: v",
            "two\nlines",
            "say \"hi\", \\ back",
            "猫, 😺",
            "tab\there, \u{1}",
        ] {
            let parsed = parse(&format!(
                "p\nSteps: 1, Sampler: Euler, Seed: 3, Note: {}",
                quote(value)
            ));
            assert_eq!(parsed.get("Note"), Some(value));
        }
    }

    #[test]
    fn hostile_texts_end() {
        let deep = format!(
            "p\nSteps: 1, Sampler: Euler, Seed: 3, Note: \"{}",
            "\\\"".repeat(100_000)
        );
        assert_eq!(parse(&deep).get("Steps"), Some("1"));
        let long = "é".repeat(MAX_INFOTEXT_BYTES);
        assert!(parse(&long).prompt.len() <= MAX_INFOTEXT_BYTES);
    }
}
