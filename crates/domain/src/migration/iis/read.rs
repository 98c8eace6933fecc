//! What is in a `web.config`: its rewrite rules, and what else bears on them.

use std::ops::Range;

use roxmltree::{Document, Error as XmlError, Node, ParsingOptions};
use serde::{Deserialize, Serialize};

use super::{Refusal, Source, Why, refusal::line_of};

/// Most elements, texts and comments.
const MAX_NODES: u32 = 50_000;
/// Most levels; a rule stands on the seventh.
const MAX_DEPTH: u32 = 64;
/// Most rules, conditions and variables that are told.
const MAX_LISTED: usize = 1000;

/// The pattern of a rule or of a condition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Pattern {
    /// As it is written.
    pub text: String,
    /// Whether `*` stands for anything, and the rest for itself.
    pub wildcard: bool,
    /// Whether it applies to what does not match.
    pub negate: bool,
}

/// One condition of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Condition {
    /// What is looked at, such as `{HTTP_HOST}`.
    pub input: String,
    /// What it has to be.
    pub pattern: Pattern,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Action {
    /// `Rewrite`, `Redirect`, …
    pub kind: String,
    /// Where to, with its back-references.
    pub url: Option<String>,
    /// The line it begins in.
    pub line: u32,
}

/// A rule for what comes in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Rule {
    /// Its name; empty where it has none.
    pub name: String,
    /// The line it begins in.
    pub line: u32,
    /// The `path` of the `<location>` it stands in.
    pub location: Option<String>,
    /// Whether it applies.
    pub enabled: bool,
    /// Whether those after it are not looked at.
    pub stop_processing: bool,
    /// What the path has to be.
    pub pattern: Pattern,
    /// What else has to hold.
    pub conditions: Vec<Condition>,
    /// Whether one of the conditions is enough.
    pub any: bool,
    /// What it does.
    pub action: Option<Action>,
    /// Server variables that it sets, with their values.
    pub variables: Vec<(String, String)>,
    /// Where the value of `url` stands in the text.
    #[serde(skip)]
    pub(super) url_at: Option<Range<usize>>,
}

/// A rule for what goes out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Outbound {
    /// Its name.
    pub name: String,
    /// The line it begins in.
    pub line: u32,
    /// Its patterns and its value, to see whether they name an address.
    #[serde(skip)]
    pub(super) texts: Vec<String>,
}

/// Something that is kept outside of this file, and is not followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Elsewhere {
    /// The element.
    pub element: String,
    /// Its attribute, `configSource` or `file`; empty where the element is encrypted.
    pub attribute: String,
    /// The file that it names.
    pub file: String,
    /// The line.
    pub line: u32,
}

/// A site's `web.config`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct WebConfig {
    /// The rules for what comes in, in their order.
    pub rules: Vec<Rule>,
    /// The rules for what goes out.
    pub outbound: Vec<Outbound>,
    /// What is kept elsewhere.
    pub elsewhere: Vec<Elsewhere>,
    /// What the file says of WebSockets.
    pub websocket: Option<bool>,
    /// Most bytes of a request, where the file says so.
    #[serde(skip)]
    pub upload_limit: Option<u64>,
}

impl WebConfig {
    /// Reads it.
    pub fn read(source: &Source<'_>) -> Result<Self, Refusal> {
        let text = source.text.as_str();
        let options = ParsingOptions {
            allow_dtd: false,
            nodes_limit: MAX_NODES,
            ..ParsingOptions::default()
        };
        let document =
            Document::parse_with_options(text, options).map_err(|error| refused(&error))?;
        shallow(&document)?;
        let root = document.root_element();
        if root.tag_name().name() != "configuration" {
            return Err(Refusal::of(Why::NoConfiguration)
                .line(text, root.range().start)
                .what(root.tag_name().name()));
        }
        let mut config = Self::default();
        for node in root.descendants().filter(Node::is_element) {
            config.elsewhere(text, node);
            match names_above(node).as_slice() {
                ["rule", "rules", "rewrite", "system.webServer", ..] => {
                    config.rules.push(rule(text, node));
                }
                ["rule", "outboundRules", "rewrite", "system.webServer", ..] => {
                    config.outbound.push(outbound(text, node));
                }
                ["webSocket", "system.webServer", ..] => {
                    config.websocket = flag(node, "enabled").or(config.websocket);
                }
                [
                    "requestLimits",
                    "requestFiltering",
                    "security",
                    "system.webServer",
                    ..,
                ] => {
                    let limit = node.attribute("maxAllowedContentLength");
                    config.upload_limit = limit.and_then(|n| n.parse().ok());
                }
                _ => {}
            }
        }
        config.rules.truncate(MAX_LISTED);
        config.outbound.truncate(MAX_LISTED);
        config.elsewhere.truncate(MAX_LISTED);
        Ok(config)
    }

    /// The one rule of this name.
    pub fn rule(&self, name: &str) -> Result<&Rule, Refusal> {
        let mut named = self.rules.iter().filter(|rule| rule.name == name);
        let refusal = |why: Why| Refusal::of(why).what(name);
        match (named.next(), named.next()) {
            (Some(rule), None) => Ok(rule),
            (Some(_), Some(second)) => Err(Refusal {
                line: Some(second.line),
                ..refusal(Why::DoubleRule)
            }),
            (None, _) if !self.rules.is_empty() => Err(refusal(Why::UnknownRule)),
            (None, _) => match self.elsewhere.iter().find(|e| e.holds_rules()) {
                Some(place) => Err(Refusal {
                    line: Some(place.line),
                    ..Refusal::of(Why::Elsewhere).what(&place.file)
                }),
                None => Err(Refusal::of(Why::NoRules)),
            },
        }
    }

    fn elsewhere(&mut self, text: &str, node: Node<'_, '_>) {
        let element = node.tag_name().name();
        let mut say = |attribute: &str, file: &str| {
            self.elsewhere.push(Elsewhere {
                element: element.to_owned(),
                attribute: attribute.to_owned(),
                file: file.to_owned(),
                line: line_of(text, node.range().start),
            });
        };
        for attribute in ["configSource", "file"] {
            if let Some(file) = node.attribute(attribute) {
                // Other elements have a `file` of their own, such as a path in `<add>`.
                if attribute == "configSource" || element == "appSettings" {
                    say(attribute, file);
                }
            }
        }
        if node.has_attribute("configProtectionProvider") {
            say("", "");
        }
    }
}

impl Elsewhere {
    /// Whether it may be the rules that are there.
    pub(super) fn holds_rules(&self) -> bool {
        matches!(
            self.element.as_str(),
            "rules" | "rewrite" | "system.webServer"
        )
    }
}

/// The names from an element upwards, without the `<location>` and the root.
fn names_above<'d>(node: Node<'d, '_>) -> Vec<&'d str> {
    node.ancestors()
        .filter(Node::is_element)
        .map(|above| above.tag_name().name())
        .collect()
}

fn rule(text: &str, node: Node<'_, '_>) -> Rule {
    let of = |name: &str| node.children().find(|child| is(*child, name));
    let attribute = |name: &str| node.attribute(name).map(str::to_owned);
    let conditions = of("conditions");
    let any = conditions
        .and_then(|list| list.attribute("logicalGrouping"))
        .is_some_and(|grouping| grouping == "MatchAny");
    let adds = |list: Node<'_, '_>| -> Vec<Condition> {
        let adds = list.children().filter(|child| is(*child, "add"));
        adds.map(condition).take(MAX_LISTED).collect()
    };
    let action = of("action");
    let url = action.and_then(|action| action.attribute_node("url"));
    let matching = of("match");
    let mut pattern = matching.map(|m| pattern(m, "url")).unwrap_or_default();
    pattern.wildcard = node.attribute("patternSyntax") == Some("Wildcard");
    let location = node.ancestors().find(|above| is(*above, "location"));
    Rule {
        name: attribute("name").unwrap_or_default(),
        line: line_of(text, node.range().start),
        location: location.map(|l| l.attribute("path").unwrap_or(".").to_owned()),
        enabled: flag(node, "enabled").unwrap_or(true),
        stop_processing: flag(node, "stopProcessing").unwrap_or(false),
        conditions: conditions.map(adds).unwrap_or_default(),
        any,
        action: action.map(|action| Action {
            kind: action.attribute("type").unwrap_or("None").to_owned(),
            url: url.map(|url| url.value().to_owned()),
            line: line_of(text, action.range().start),
        }),
        variables: variables(node),
        url_at: url.map(|url| url.range_value()),
        pattern,
    }
}

fn condition(node: Node<'_, '_>) -> Condition {
    Condition {
        input: node.attribute("input").unwrap_or_default().to_owned(),
        pattern: pattern(node, "pattern"),
    }
}

fn pattern(node: Node<'_, '_>, attribute: &str) -> Pattern {
    Pattern {
        text: node.attribute(attribute).unwrap_or_default().to_owned(),
        wildcard: false,
        negate: flag(node, "negate").unwrap_or(false),
    }
}

fn variables(rule: Node<'_, '_>) -> Vec<(String, String)> {
    let lists = rule
        .children()
        .filter(|child| is(*child, "serverVariables"));
    let sets = lists.flat_map(|list| list.children().filter(|child| is(*child, "set")));
    let pair = |set: Node<'_, '_>| {
        let text = |name| set.attribute(name).unwrap_or_default().to_owned();
        (text("name"), text("value"))
    };
    sets.map(pair).take(MAX_LISTED).collect()
}

fn outbound(text: &str, node: Node<'_, '_>) -> Outbound {
    let attributes = node.descendants().flat_map(|n| n.attributes());
    Outbound {
        name: node.attribute("name").unwrap_or_default().to_owned(),
        line: line_of(text, node.range().start),
        texts: attributes
            .map(|a| a.value().to_owned())
            .take(MAX_LISTED)
            .collect(),
    }
}

/// Whatever namespace it is in: files of old versions of .NET have one on their root.
fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

fn flag(node: Node<'_, '_>, name: &str) -> Option<bool> {
    match node.attribute(name)?.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn refused(error: &XmlError) -> Refusal {
    let why = match error {
        XmlError::DtdDetected => Why::Doctype,
        XmlError::NodesLimitReached => Why::TooLarge,
        _ => Why::NoXml,
    };
    let line = (error.pos().row > 0 && why == Why::NoXml).then(|| error.pos().row);
    let words = (why == Why::NoXml).then(|| error.to_string());
    Refusal {
        line,
        ..Refusal::of(why).what(words.unwrap_or_default())
    }
}

fn shallow(document: &Document<'_>) -> Result<(), Refusal> {
    let mut levels: Vec<u32> = Vec::new();
    for node in document.descendants() {
        let above = node.parent().and_then(|p| levels.get(p.id().get_usize()));
        let level = above.map_or(0, |level| level + 1);
        if level > MAX_DEPTH {
            return Err(Refusal::of(Why::TooLarge));
        }
        // Documents hand out their nodes in the order of their ids.
        levels.push(level);
    }
    Ok(())
}
