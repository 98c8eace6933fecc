//! Which of many expressions can match a text at all, in one pass over it.
//!
//! Nearly no line of a log matches any signature. From each expression the literals are taken of
//! which a match must hold one, and all are looked for at once; only the expressions whose literal
//! is there are tried. An expression bound to the start is also known by its first byte.

use std::ops::BitOrAssign;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// Most expressions of one filter. More is refused by whoever reads a rules file.
pub(crate) const MAX_PATTERNS: usize = 512;
/// Words of a bit set of [`MAX_PATTERNS`].
const WORDS: usize = MAX_PATTERNS / 64;
/// Bytes of a literal that are looked for, taken from its end: exceptions begin alike.
const LITERAL_BYTES: usize = 12;
/// A shorter literal is in too many lines to tell anything.
const MIN_LITERAL_BYTES: usize = 2;
/// Most literals of one expression.
const MAX_LITERALS: usize = 32;

/// A set of expressions by their place.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Candidates([u64; WORDS]);

impl Candidates {
    fn insert(&mut self, index: usize) {
        self.0[index / 64] |= 1 << (index % 64);
    }

    fn keep(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word &= other;
        }
    }

    /// Places in rising order.
    pub(crate) fn iter(self) -> impl Iterator<Item = usize> {
        self.0.into_iter().enumerate().flat_map(|(word, mut bits)| {
            std::iter::from_fn(move || {
                let bit = bits.trailing_zeros() as usize;
                bits &= bits.wrapping_sub(1);
                (bit < 64).then_some(word * 64 + bit)
            })
        })
    }
}

impl BitOrAssign<&Candidates> for Candidates {
    fn bitor_assign(&mut self, other: &Candidates) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word |= other;
        }
    }
}

/// The filter of a list of expressions.
#[derive(Debug)]
pub(crate) struct Prefilter {
    /// Finds the literals; `None` when there are none, or when it cannot be built.
    literals: Option<AhoCorasick>,
    /// For each literal, whose it is.
    owners: Vec<Candidates>,
    /// Expressions without a literal.
    always: Candidates,
    /// For each first byte of a text, which expressions may match; the last is for an empty one.
    by_first: Vec<Candidates>,
}

impl Prefilter {
    /// Reads the expressions; what is not one, or has a place beyond [`MAX_PATTERNS`], never is a
    /// candidate.
    pub(crate) fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        let mut needles: Vec<Vec<u8>> = Vec::new();
        let mut owners: Vec<Candidates> = Vec::new();
        let mut always = Candidates::default();
        let mut all = Candidates::default();
        let mut by_first = vec![Candidates::default(); 257];
        for (index, pattern) in patterns.into_iter().take(MAX_PATTERNS).enumerate() {
            let Ok(hir) = regex_syntax::parse(pattern) else {
                continue;
            };
            all.insert(index);
            match literals(&hir) {
                Some(literals) => {
                    for literal in literals {
                        let at = needles
                            .iter()
                            .position(|known| *known == literal)
                            .unwrap_or_else(|| {
                                needles.push(literal);
                                owners.push(Candidates::default());
                                needles.len() - 1
                            });
                        owners[at].insert(index);
                    }
                }
                None => always.insert(index),
            }
            let first = first_bytes(&hir);
            for (byte, set) in by_first.iter_mut().enumerate() {
                if first.as_ref().is_none_or(|first| first.may(byte)) {
                    set.insert(index);
                }
            }
        }
        let literals = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&needles)
            .ok();
        if literals.is_none() {
            always = all;
        }
        Self {
            literals,
            owners,
            always,
            by_first,
        }
    }

    /// The expressions that can match the text. None that does is missing.
    pub(crate) fn candidates(&self, text: &str) -> Candidates {
        let mut found = self.always;
        if let Some(literals) = &self.literals {
            for hit in literals.find_overlapping_iter(text) {
                if let Some(owners) = self.owners.get(hit.pattern().as_usize()) {
                    found |= owners;
                }
            }
        }
        let first = text
            .as_bytes()
            .first()
            .map_or(256, |byte| usize::from(*byte));
        if let Some(may) = self.by_first.get(first) {
            found.keep(may);
        }
        found
    }

    /// Places of the expressions without a literal.
    #[cfg(test)]
    pub(crate) fn without_literal(&self) -> Vec<usize> {
        self.always.iter().collect()
    }
}

/// What each match of an expression holds.
enum Needs {
    /// It is one of these, no more and no less.
    Exactly(Vec<Vec<u8>>),
    /// One of these is in it.
    OneOf(Vec<Vec<u8>>),
    /// Nothing in particular.
    Nothing,
}

/// Literals in ASCII lower case of which every match holds one, when there are useful ones.
fn literals(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let found = match needs(hir) {
        Needs::Exactly(literals) | Needs::OneOf(literals) => literals,
        Needs::Nothing => return None,
    };
    if shortest(&found) < MIN_LITERAL_BYTES {
        return None;
    }
    let mut cut: Vec<Vec<u8>> = found
        .into_iter()
        .map(|literal| literal[literal.len().saturating_sub(LITERAL_BYTES)..].to_vec())
        .collect();
    cut.sort_unstable();
    cut.dedup();
    Some(cut)
}

fn shortest(literals: &[Vec<u8>]) -> usize {
    literals.iter().map(Vec::len).min().unwrap_or(0)
}

fn needs(hir: &Hir) -> Needs {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Needs::Exactly(vec![Vec::new()]),
        HirKind::Literal(literal) => Needs::Exactly(vec![literal.0.to_ascii_lowercase()]),
        HirKind::Class(class) => of_class(class),
        HirKind::Capture(capture) => needs(&capture.sub),
        HirKind::Repetition(repetition) => match (needs(&repetition.sub), repetition.min) {
            (Needs::Exactly(mut literals), 0) if repetition.max == Some(1) => {
                literals.push(Vec::new());
                Needs::Exactly(literals)
            }
            (Needs::Exactly(literals), 1) if repetition.max == Some(1) => Needs::Exactly(literals),
            (Needs::Exactly(literals) | Needs::OneOf(literals), 1..) => Needs::OneOf(literals),
            _ => Needs::Nothing,
        },
        HirKind::Concat(parts) => of_concat(parts),
        HirKind::Alternation(parts) => of_alternation(parts),
    }
}

/// Characters of a small class, upper and lower case as one.
fn of_class(class: &Class) -> Needs {
    const MANY: usize = 12;
    let mut found: Vec<Vec<u8>> = Vec::new();
    match class {
        Class::Unicode(class) => {
            for range in class.iter() {
                for c in (range.start()..=range.end()).take(MANY + 1) {
                    found.push(c.to_ascii_lowercase().to_string().into_bytes());
                }
                if found.len() > MANY {
                    return Needs::Nothing;
                }
            }
        }
        Class::Bytes(class) => {
            for range in class.iter() {
                for byte in (range.start()..=range.end()).take(MANY + 1) {
                    found.push(vec![byte.to_ascii_lowercase()]);
                }
                if found.len() > MANY {
                    return Needs::Nothing;
                }
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    if found.is_empty() {
        return Needs::Nothing;
    }
    Needs::Exactly(found)
}

fn of_concat(parts: &[Hir]) -> Needs {
    let mut best: Option<Vec<Vec<u8>>> = None;
    let mut run: Vec<Vec<u8>> = vec![Vec::new()];
    let mut whole = true;
    let mut offer = |literals: Vec<Vec<u8>>| {
        // Longer is rarer; of equally long ones, the fewer.
        let rank = |literals: &[Vec<u8>]| {
            (
                shortest(literals).min(LITERAL_BYTES),
                usize::MAX - literals.len(),
            )
        };
        if best
            .as_ref()
            .is_none_or(|best| rank(&literals) > rank(best))
        {
            best = Some(literals);
        }
    };
    for part in parts {
        match needs(part) {
            Needs::Exactly(next) if run.len() * next.len() <= MAX_LITERALS => {
                run = run
                    .iter()
                    .flat_map(|head| next.iter().map(|tail| [&head[..], tail].concat()))
                    .collect();
            }
            Needs::Exactly(next) => {
                whole = false;
                offer(std::mem::replace(&mut run, next));
            }
            Needs::OneOf(literals) => {
                whole = false;
                offer(std::mem::replace(&mut run, vec![Vec::new()]));
                offer(literals);
            }
            Needs::Nothing => {
                whole = false;
                offer(std::mem::replace(&mut run, vec![Vec::new()]));
            }
        }
    }
    if whole {
        return Needs::Exactly(run);
    }
    offer(run);
    best.map_or(Needs::Nothing, Needs::OneOf)
}

fn of_alternation(parts: &[Hir]) -> Needs {
    let mut found = Vec::new();
    let mut exact = true;
    for part in parts {
        match needs(part) {
            Needs::Exactly(literals) => found.extend(literals),
            Needs::OneOf(literals) => {
                exact = false;
                found.extend(literals);
            }
            Needs::Nothing => return Needs::Nothing,
        }
    }
    if found.len() > MAX_LITERALS {
        return Needs::Nothing;
    }
    if exact {
        Needs::Exactly(found)
    } else {
        Needs::OneOf(found)
    }
}

/// What a match can begin with.
struct First {
    bytes: [bool; 256],
    /// It can be empty, so that anything may follow.
    empty: bool,
}

impl First {
    fn may(&self, byte: usize) -> bool {
        self.empty || self.bytes.get(byte).copied().unwrap_or(false)
    }
}

/// First bytes of the texts that an expression bound to the start can match; `None` when it is not
/// bound.
fn first_bytes(hir: &Hir) -> Option<First> {
    hir.properties()
        .look_set_prefix()
        .contains(Look::Start)
        .then(|| begins(hir))
}

fn begins(hir: &Hir) -> First {
    let mut first = First {
        bytes: [false; 256],
        empty: false,
    };
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => first.empty = true,
        HirKind::Literal(literal) => match literal.0.first() {
            Some(byte) => first.bytes[usize::from(*byte)] = true,
            None => first.empty = true,
        },
        HirKind::Class(Class::Unicode(class)) => {
            for range in class.iter() {
                let lead = |c: char| {
                    let mut buffer = [0; 4];
                    c.encode_utf8(&mut buffer);
                    usize::from(buffer[0])
                };
                first.bytes[lead(range.start())..=lead(range.end())].fill(true);
            }
        }
        HirKind::Class(Class::Bytes(class)) => {
            for range in class.iter() {
                first.bytes[usize::from(range.start())..=usize::from(range.end())].fill(true);
            }
        }
        HirKind::Capture(capture) => return begins(&capture.sub),
        HirKind::Repetition(repetition) => {
            first = begins(&repetition.sub);
            first.empty |= repetition.min == 0;
        }
        HirKind::Concat(parts) => {
            first.empty = true;
            for part in parts {
                if !first.empty {
                    break;
                }
                let next = begins(part);
                first.empty = next.empty;
                add(&mut first.bytes, &next.bytes);
            }
        }
        HirKind::Alternation(parts) => {
            for part in parts {
                let next = begins(part);
                first.empty |= next.empty;
                add(&mut first.bytes, &next.bytes);
            }
        }
    }
    first
}

fn add(bytes: &mut [bool; 256], more: &[bool; 256]) {
    for (byte, more) in bytes.iter_mut().zip(more) {
        *byte |= more;
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    fn of(pattern: &str) -> Option<Vec<String>> {
        literals(&regex_syntax::parse(pattern).unwrap()).map(|found| {
            found
                .into_iter()
                .map(|literal| String::from_utf8(literal).unwrap())
                .collect()
        })
    }

    #[test]
    fn each_match_holds_one_of_the_literals() {
        for (pattern, expected) in [
            ("Device: cpu", Some(&["device: cpu"][..])),
            ("^Device: cpu$", Some(&["device: cpu"])),
            ("a long literal with an end", Some(&[" with an end"])),
            (r"\d+ done or \S+ failed", Some(&[" done or "])),
            ("(?:one|two) left", Some(&["one left", "two left"])),
            (r"(?:one\d|two\d)", Some(&["one", "two"])),
            (
                "(?i)Ask",
                Some(&["as\u{212a}", "ask", "a\u{17f}k", "a\u{17f}\u{212a}"]),
            ),
            ("(?i-u:ask)", Some(&["ask"])),
            ("ab(?:cd)?ef", Some(&["abcdef", "abef"])),
            ("ab(?:cd)*ef", Some(&["ab"])),
            ("(?:abc)+", Some(&["abc"])),
            ("(?:abc){2,3}x", Some(&["abc"])),
            (r"\d+%\|", Some(&["%|"])),
            (r"\w+", None),
            ("abc|", None),
            (r"abc|\d", None),
            (r"\d:\d", None),
            ("", None),
        ] {
            let mut found = of(pattern);
            if let Some(found) = &mut found {
                found.sort();
            }
            let expected = expected.map(|list| {
                let mut list: Vec<String> = list.iter().map(|text| (*text).to_owned()).collect();
                list.sort();
                list
            });
            assert_eq!(found, expected, "{pattern}");
        }
    }

    #[test]
    fn a_filter_never_loses_a_match() {
        let patterns = [
            "^Device: cpu$",
            r"^\s*Traceback",
            r"(?i)error \d+",
            r"^(?:\[[EC] |[EF]\d{4})",
            "",
            r"é|ö{2}x",
            "^(?:a|)b?",
            "(",
            r"\bclosed\b",
        ];
        let filter = Prefilter::new(patterns);
        for text in [
            "",
            "Device: cpu",
            "xDevice: cpu",
            "   Traceback",
            "\u{a0}Traceback",
            "an ERROR 12",
            "[E 1",
            "F1234",
            "ööx é",
            "zzz",
            "was closed",
        ] {
            let candidates: Vec<usize> = filter.candidates(text).iter().collect();
            for (index, pattern) in patterns.iter().enumerate() {
                let Ok(regex) = Regex::new(pattern) else {
                    assert!(!candidates.contains(&index));
                    continue;
                };
                assert!(
                    !regex.is_match(text) || candidates.contains(&index),
                    "{pattern:?} is lost on {text:?}"
                );
            }
        }
        assert!(!filter.candidates("xDevice: cpu").iter().any(|i| i == 0));
        assert_eq!(filter.without_literal(), [3, 4, 6]);
    }

    #[test]
    fn places_come_in_order() {
        let patterns: Vec<String> = (0..200).map(|n| format!("word{n:03}")).collect();
        let filter = Prefilter::new(patterns.iter().map(String::as_str));
        let text = "word130 word064 word003 word199";
        let found: Vec<usize> = filter.candidates(text).iter().collect();
        assert_eq!(found, [3, 64, 130, 199]);
    }
}
