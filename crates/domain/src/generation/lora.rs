//! LoRAs that a prompt names, read as A1111 and Forge read them:
//! `<lora:NAME:WEIGHT>` weighs text encoder and model alike, `<lora:NAME:ENCODER:MODEL>` each by itself,
//! `te=` and `unet=` by name. What is not closed is plain text.

/// Most LoRAs of one prompt; each is loaded into the card's memory.
pub const MAX_LORAS: usize = 32;
/// Largest weight either way; ComfyUI's loader takes no larger one.
pub const MAX_WEIGHT: f64 = 100.0;

/// A LoRA that a prompt asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Lora {
    /// As written: a file's name without its ending, or an alias.
    pub name: String,
    /// For the text encoder.
    pub encoder: f64,
    /// For the model that samples.
    pub model: f64,
    /// Whether the tag asks for more than weights, such as a dimension.
    pub more: bool,
}

/// A prompt, taken apart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tagged {
    /// What is left without the tags.
    pub text: String,
    /// In the order of the prompt; a name may come twice.
    pub loras: Vec<Lora>,
}

/// Why a tag cannot be meant. A1111 and Forge pass over such a tag in silence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoraProblem {
    /// Nothing stands where the name belongs.
    #[error("a LoRA of the prompt has no name: `{tag}`")]
    Unnamed {
        /// As written.
        tag: String,
    },
    /// No number, or none that can be used.
    #[error("the weight `{weight}` of the LoRA `{name}` is no number from -100 to 100")]
    Weight {
        /// Whose.
        name: String,
        /// As written.
        weight: String,
    },
    /// Too many.
    #[error("there must not be more than {MAX_LORAS} LoRAs in a prompt")]
    Many,
}

/// Longest piece of a prompt that is said again.
const MAX_SAID: usize = 80;

fn said(text: &str) -> String {
    text.chars().take(MAX_SAID).collect()
}

/// Takes the tags out of a prompt.
pub fn parse(prompt: &str) -> Result<Tagged, LoraProblem> {
    let mut found = Tagged::default();
    let mut rest = prompt;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        found.text.push_str(before);
        let Some((body, after)) = body(tag) else {
            found.text.push('<');
            rest = &tag[1..];
            continue;
        };
        if found.loras.len() == MAX_LORAS {
            return Err(LoraProblem::Many);
        }
        found.loras.push(lora(body)?);
        rest = after;
    }
    found.text.push_str(rest);
    Ok(found)
}

/// What stands between a tag's name and its end, and what follows. `lyco` is A1111's older word.
fn body(tag: &str) -> Option<(&str, &str)> {
    let rest = ["<lora:", "<lyco:"]
        .iter()
        .find_map(|start| tag.strip_prefix(start))?;
    rest.split_once('>').filter(|(body, _)| !body.is_empty())
}

fn lora(body: &str) -> Result<Lora, LoraProblem> {
    let mut positional = Vec::new();
    let mut named = Vec::new();
    for item in body.split(':') {
        match item.split_once('=') {
            Some((key, value)) => named.push((key, value)),
            None => positional.push(item),
        }
    }
    let name = positional.first().map_or("", |name| name.trim());
    if name.is_empty() {
        return Err(LoraProblem::Unnamed { tag: said(body) });
    }
    let weight = |written: &str| {
        let number = written.trim().parse().ok();
        number
            .filter(|number: &f64| number.abs() <= MAX_WEIGHT)
            .ok_or_else(|| LoraProblem::Weight {
                name: said(name),
                weight: said(written),
            })
    };
    let of = |place: usize, key: &str, otherwise: f64| {
        let by_name = named.iter().rev().find(|(k, _)| *k == key);
        let written = by_name.map(|(_, value)| *value);
        match written.or_else(|| positional.get(place).copied()) {
            Some(written) => weight(written),
            None => Ok(otherwise),
        }
    };
    let encoder = of(1, "te", 1.0)?;
    Ok(Lora {
        name: name.to_owned(),
        encoder,
        model: of(2, "unet", encoder)?,
        more: positional.len() > 3 || named.iter().any(|(key, _)| *key != "te" && *key != "unet"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(prompt: &str) -> (String, Vec<(String, f64, f64)>) {
        let tagged = parse(prompt).unwrap_or_else(|e| panic!("{prompt}: {e}"));
        let loras = tagged.loras.into_iter();
        (
            tagged.text,
            loras.map(|l| (l.name, l.encoder, l.model)).collect(),
        )
    }

    fn one(name: &str, encoder: f64, model: f64) -> Vec<(String, f64, f64)> {
        vec![(name.to_owned(), encoder, model)]
    }

    #[test]
    fn tags_are_read_as_a1111_reads_them() {
        for (prompt, text, loras) in [
            ("a fox", "a fox", vec![]),
            ("a <lora:x> fox", "a  fox", one("x", 1.0, 1.0)),
            ("<lora:x:0.5>a fox", "a fox", one("x", 0.5, 0.5)),
            ("a<lora:sub/x y:0.5:-1>", "a", one("sub/x y", 0.5, -1.0)),
            ("<lora:x:te=0.2:unet=0.7>", "", one("x", 0.2, 0.7)),
            ("<lora:x:1:unet=2>", "", one("x", 1.0, 2.0)),
            ("<lyco:x: 1e-1 >", "", one("x", 0.1, 0.1)),
            ("<lora:日本:2>", "", one("日本", 2.0, 2.0)),
        ] {
            assert_eq!(read(prompt), (text.to_owned(), loras), "{prompt}");
        }
        let (text, loras) = read("<lora:a:1>, b, <lora:a:2>");
        assert_eq!((text.as_str(), loras.len()), (", b, ", 2), "twice is twice");
        assert!(parse("<lora:x:1:1:64>").is_ok_and(|t| t.loras[0].more));
        assert!(parse("<lora:x:dyn=64>").is_ok_and(|t| t.loras[0].more));
    }

    #[test]
    fn what_is_no_tag_stays_as_it_is() {
        for plain in [
            "<lora:x",
            "<lora:>",
            "< lora:x:1>",
            "<LORA:x:1>",
            "<loraX:x:1>",
            "<hypernet:x:1>",
            "a < b > c",
            "<<>><",
            "",
            "<",
        ] {
            assert_eq!(read(plain), (plain.to_owned(), vec![]), "{plain}");
        }
        assert_eq!(read("<<lora:x:1>>").0, "<>");
    }

    #[test]
    fn what_cannot_be_meant_is_said() {
        for (prompt, words) in [
            ("<lora::1>", "no name"),
            ("<lora: :1>", "no name"),
            ("<lora:te=1>", "no name"),
            ("<lora:x:heavy>", "`heavy` of the LoRA `x`"),
            ("<lora:x:>", "`` of the LoRA `x`"),
            ("<lora:x:nan>", "`nan`"),
            ("<lora:x:inf>", "`inf`"),
            ("<lora:x:101>", "`101`"),
            ("<lora:x:1:y>", "`y`"),
        ] {
            let said = parse(prompt).expect_err(prompt).to_string();
            assert!(said.contains(words), "{prompt}: {said}");
        }
        assert_eq!(parse(&"<lora:x:1>".repeat(33)), Err(LoraProblem::Many));
        let long = parse(&format!("<lora:{}:y>", "x".repeat(9_000)));
        assert!(long.expect_err("no number").to_string().len() < 300);
        assert!(parse(&"<lora:x".repeat(2_000)).is_ok(), "in good time");
    }
}
