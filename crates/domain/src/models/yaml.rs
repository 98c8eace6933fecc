//! Putting our section into `extra_model_paths.yaml` without touching anything else in it.

use granit_parser::{Event, Options, Parser, StructureStyle};
use serde::{Deserialize, Serialize};

use super::section::{SECTION, Section};

/// Longest file that is taken.
const MAX_BYTES: usize = 1024 * 1024;
/// Nodes, and how deep they may lie in one another. ComfyUI looks two deep.
const MAX_EVENTS: usize = 50_000;
const MAX_DEPTH: usize = 12;
const BOM: char = '\u{feff}';

/// Why a file is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum YamlFault {
    /// No YAML.
    Syntax,
    /// No text.
    NotText,
    /// Too long, too deep or too much.
    TooMuch,
    /// Anchors and aliases: a few lines can grow to gigabytes, and a change here may reach elsewhere.
    Anchor,
    /// A tag may make anything of a value.
    Tag,
    /// More than one document.
    Documents,
    /// A list or a single value instead of sections.
    NotSections,
    /// Sections in braces cannot be changed one by one.
    Braces,
    /// A section's name stands there twice.
    Twice,
    /// Our section would not read back as it was meant.
    NotReadBack,
    /// A path that ComfyUI would read as another one.
    Path,
}

impl YamlFault {
    /// What its owner can do.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Syntax => "mend the line; ComfyUI cannot read the file either",
            Self::NotText => "save the file as UTF-8",
            Self::TooMuch => "move the file away and let a new one be written",
            Self::Anchor => "write the value out in full instead of `&` and `*`",
            Self::Tag => "remove the word that begins with `!`",
            Self::Documents => {
                "keep one document: remove the lines `---` or `...` behind the first"
            }
            Self::NotSections => "the file must hold sections such as `a111:` with keys below them",
            Self::Braces => "write the sections as indented lines instead of in braces",
            Self::Twice => "remove one of the two sections of that name",
            Self::NotReadBack => {
                "move the section `forgekeeper:` to the end of the file, or remove it"
            }
            Self::Path => {
                "give the folder a name without `$`, a tilde in front and control characters"
            }
        }
    }
}

/// Why a file is left as it is, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[error("{words}")]
pub struct YamlProblem {
    /// What is wrong.
    pub fault: YamlFault,
    /// In which line, counted from 1.
    pub line: Option<u32>,
    /// In words.
    pub words: String,
}

impl YamlProblem {
    fn new(fault: YamlFault, line: Option<usize>, words: impl Into<String>) -> Self {
        let line = line.map(|line| u32::try_from(line).unwrap_or(u32::MAX));
        let words = words.into();
        Self { fault, line, words }
    }

    /// What its owner can do.
    pub fn remedy(&self) -> &'static str {
        self.fault.remedy()
    }
}

/// A file with our section in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spliced {
    /// Its bytes.
    pub text: String,
    /// Whether there was such a section before.
    pub replaced: bool,
    /// Whether it is the same as before.
    pub unchanged: bool,
}

/// A value, as far as it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// A section of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Top {
    name: String,
    /// Where its name begins, bytes.
    from: usize,
    line: usize,
    value: Node,
}

/// The file with our section in it: in its place where it has one, else behind all others. Every other
/// byte is as it was. What comes out is read again before it is handed out.
pub fn splice(existing: Option<&[u8]>, section: &Section) -> Result<Spliced, YamlProblem> {
    if let Some(path) = section.unwritable() {
        let words = format!(
            "ComfyUI would not read the path `{}` as it is",
            path.escape_debug()
        );
        return Err(YamlProblem::new(YamlFault::Path, None, words));
    }
    let existing = text_of(existing.unwrap_or_default())?;
    let before = tops(existing)?;
    let eol = if existing.contains("\r\n") {
        "\r\n"
    } else {
        "\n"
    };
    let ours = section.yaml(eol);
    let place = place(existing, &before);
    let mut text = String::with_capacity(existing.len() + ours.len() + 4);
    let replaced = place.is_some();
    if let Some((from, to)) = place {
        text.push_str(&existing[..from]);
        text.push_str(&ours);
        text.push_str(&existing[to..]);
    } else {
        text.push_str(existing);
        if !existing.is_empty() && !existing.ends_with('\n') {
            text.push_str(eol);
        }
        if !before.is_empty() {
            text.push_str(eol);
        }
        text.push_str(&ours);
    }
    check(&before, &tops(&text)?, section)?;
    Ok(Spliced {
        unchanged: text == existing,
        text,
        replaced,
    })
}

/// The file without our section; `None` where it has none.
pub fn remove_section(existing: &[u8]) -> Result<Option<String>, YamlProblem> {
    let existing = text_of(existing)?;
    let before = tops(existing)?;
    let Some((from, to)) = place(existing, &before) else {
        return Ok(None);
    };
    let text = format!("{}{}", &existing[..from], &existing[to..]);
    let kept = |tops: &[Top]| -> Vec<(String, Node)> {
        let others = tops.iter().filter(|top| top.name != SECTION);
        others
            .map(|top| (top.name.clone(), top.value.clone()))
            .collect()
    };
    let after = tops(&text)?;
    if kept(&after) != kept(&before) || after.len() + 1 != before.len() {
        return Err(not_read_back());
    }
    Ok(Some(text))
}

fn not_read_back() -> YamlProblem {
    let words = "the file does not read back as it was meant to be";
    YamlProblem::new(YamlFault::NotReadBack, None, words)
}

fn text_of(bytes: &[u8]) -> Result<&str, YamlProblem> {
    if bytes.len() > MAX_BYTES {
        let words = format!("the file has more than {MAX_BYTES} bytes");
        return Err(YamlProblem::new(YamlFault::TooMuch, None, words));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let line = memchr::memchr_iter(b'\n', &bytes[..error.valid_up_to()]).count() + 1;
        YamlProblem::new(
            YamlFault::NotText,
            Some(line),
            "the file is not text in UTF-8",
        )
    })
}

/// From the first letter of our section's name to behind its last line.
fn place(text: &str, tops: &[Top]) -> Option<(usize, usize)> {
    let number = tops.iter().position(|top| top.name == SECTION)?;
    let from = tops[number].from;
    let limit = tops.get(number + 1).map_or(text.len(), |next| next.from);
    let mut end = from;
    let mut at = from;
    for (lines, line) in text[from..limit].split_inclusive('\n').enumerate() {
        at += line.len();
        // Blank lines and comments of the first column behind it belong to what comes next.
        let inside = line.starts_with([' ', '\t']) && !line.trim().is_empty();
        if lines == 0 || inside {
            end = at;
        } else if !line.trim().is_empty() && !line.starts_with('#') {
            break;
        }
    }
    Some((from, end))
}

/// Whether the others are as before and ours is as meant.
fn check(before: &[Top], after: &[Top], section: &Section) -> Result<(), YamlProblem> {
    fn others(tops: &[Top]) -> impl Iterator<Item = (&str, &Node)> {
        let others = tops.iter().filter(|top| top.name != SECTION);
        others.map(|top| (top.name.as_str(), &top.value))
    }
    let text = |text: &str| Node::Text(text.to_owned());
    let mut wanted = vec![(text("base_path"), text(&section.base_path))];
    for entry in &section.entries {
        let many = entry.paths.len() > 1;
        let paths = entry.paths.join("\n");
        wanted.push((text(&entry.key), text(&paths)));
        // A block of lines ends with a line's end.
        if many && let Some((_, Node::Text(last))) = wanted.last_mut() {
            *last = last.trim_end().to_owned();
        }
    }
    let ours = after
        .iter()
        .find(|top| top.name == SECTION)
        .map(|top| match &top.value {
            Node::Map(pairs) => {
                let trimmed = |node: &Node| match node {
                    Node::Text(words) => Node::Text(words.trim_end_matches('\n').to_owned()),
                    other => other.clone(),
                };
                pairs
                    .iter()
                    .map(|(key, value)| (key.clone(), trimmed(value)))
                    .collect()
            }
            _ => Vec::new(),
        });
    if ours.as_ref() == Some(&wanted) && others(before).eq(others(after)) {
        Ok(())
    } else {
        Err(not_read_back())
    }
}

/// The sections of a file; refused where it holds what cannot be changed safely.
fn tops(text: &str) -> Result<Vec<Top>, YamlProblem> {
    let text_without = text.strip_prefix(BOM).unwrap_or(text);
    let skipped = text.len() - text_without.len();
    let mut options = Options::default();
    options.emit_anchor_events = true;
    let mut reader = Reader {
        parser: Parser::new_from_str_with_options(text_without, options),
        events: 0,
    };
    let mut tops: Vec<Top> = Vec::new();
    let mut documents = 0;
    while let Some((event, from, line)) = reader.next()? {
        match event {
            Event::DocumentStart(..) => {
                documents += 1;
                if documents > 1 {
                    let words = "the file holds more than one document";
                    return Err(YamlProblem::new(YamlFault::Documents, Some(line), words));
                }
            }
            Event::MappingStart(StructureStyle::Flow, ..) => {
                let words = "the sections stand in braces";
                return Err(YamlProblem::new(YamlFault::Braces, Some(line), words));
            }
            Event::MappingStart(..) => {
                while let Some((event, from, line)) = reader.next()? {
                    if matches!(event, Event::MappingEnd) {
                        break;
                    }
                    let Node::Text(name) = reader.node(event, line, 1)? else {
                        let words = "a section's name is no text";
                        return Err(YamlProblem::new(YamlFault::NotSections, Some(line), words));
                    };
                    let value = match reader.next()? {
                        Some((event, _, line)) => reader.node(event, line, 1)?,
                        None => break,
                    };
                    if tops.iter().any(|top| top.name == name) {
                        let words = format!("the section `{name}` stands there twice");
                        return Err(YamlProblem::new(YamlFault::Twice, Some(line), words));
                    }
                    let from = from + skipped;
                    tops.push(Top {
                        name,
                        from,
                        line,
                        value,
                    });
                }
            }
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            // An empty document, or comments alone.
            Event::Scalar(ref words, ..) if matches!(&**words, "" | "~" | "null") && from == 0 => {}
            Event::Scalar(ref words, ..) if words.is_empty() => {}
            _ => {
                let words = "the file holds no sections";
                return Err(YamlProblem::new(YamlFault::NotSections, Some(line), words));
            }
        }
    }
    Ok(tops)
}

struct Reader<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    events: usize,
}

impl<'a> Reader<'a> {
    /// The next event with where it begins; comments are passed over, what is not allowed is refused.
    fn next(&mut self) -> Result<Option<(Event<'a>, usize, usize)>, YamlProblem> {
        loop {
            let Some(next) = self.parser.next() else {
                return Ok(None);
            };
            let (event, span) = next.map_err(|error| {
                let line = error.marker().line();
                // The parser's words end with their place, which is told apart.
                let words = error.to_string();
                let words = words.split(" at char ").next().unwrap_or(&words).to_owned();
                YamlProblem::new(YamlFault::Syntax, Some(line), format!("no YAML: {words}"))
            })?;
            let line = span.start.line();
            self.events += 1;
            if self.events > MAX_EVENTS {
                let words = "the file holds far more than ComfyUI looks at";
                return Err(YamlProblem::new(YamlFault::TooMuch, Some(line), words));
            }
            // An anchor comes behind its node, with its own place.
            if matches!(event, Event::Anchor(..)) || event.is_alias() {
                let words = "the file uses an anchor or an alias";
                return Err(YamlProblem::new(YamlFault::Anchor, Some(line), words));
            }
            if event.tag().is_some() {
                return Err(YamlProblem::new(
                    YamlFault::Tag,
                    Some(line),
                    "the file uses a tag",
                ));
            }
            if !matches!(event, Event::Comment(..)) {
                let from = span.start.byte_offset().unwrap_or_default();
                return Ok(Some((event, from, line)));
            }
        }
    }

    fn node(&mut self, event: Event<'a>, line: usize, depth: usize) -> Result<Node, YamlProblem> {
        if depth > MAX_DEPTH {
            let words = format!("the file is more than {MAX_DEPTH} deep");
            return Err(YamlProblem::new(YamlFault::TooMuch, Some(line), words));
        }
        let cut = || YamlProblem::new(YamlFault::Syntax, Some(line), "the file is cut off");
        match event {
            Event::Scalar(words, ..) => Ok(Node::Text(words.into_owned())),
            Event::SequenceStart(..) => {
                let mut list = Vec::new();
                loop {
                    match self.next()?.ok_or_else(cut)? {
                        (Event::SequenceEnd, ..) => return Ok(Node::List(list)),
                        (event, _, line) => list.push(self.node(event, line, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(..) => {
                let mut map = Vec::new();
                loop {
                    let key = match self.next()?.ok_or_else(cut)? {
                        (Event::MappingEnd, ..) => return Ok(Node::Map(map)),
                        (event, _, line) => self.node(event, line, depth + 1)?,
                    };
                    let (event, _, line) = self.next()?.ok_or_else(cut)?;
                    map.push((key, self.node(event, line, depth + 1)?));
                }
            }
            _ => Err(YamlProblem::new(
                YamlFault::Syntax,
                Some(line),
                "something unexpected stands here",
            )),
        }
    }
}
