//! The part of a `web.config` that this IIS understands.

use regex::{Captures, Regex, RegexBuilder};
use roxmltree::{Document, Node};

/// What a file says.
#[derive(Debug)]
pub(super) enum Config {
    /// It cannot be read: every request is answered 500.19.
    Broken(String),
    /// The rules in force.
    Good(Rules),
}

/// Rules in their order.
#[derive(Debug, Default)]
pub(super) struct Rules {
    rules: Vec<Rule>,
    /// Whether WebSockets are let through.
    pub(super) websocket: bool,
}

#[derive(Debug)]
struct Rule {
    pattern: Regex,
    negate: bool,
    conditions: Vec<(String, Regex, bool)>,
    any: bool,
    stop: bool,
    kind: String,
    url: String,
    append_query: bool,
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is passed on to this address.
    Proxy(String),
    /// Its sender is sent elsewhere.
    Redirect(String),
    /// It is for a file, and there is none.
    File,
    /// It is dropped.
    Abort,
}

/// What rules look at.
#[derive(Debug, Default)]
pub(super) struct Seen<'r> {
    pub(super) path: &'r str,
    pub(super) query: &'r str,
    pub(super) host: &'r str,
    pub(super) method: &'r str,
}

impl Config {
    /// Reads the bytes; no file is a site without rules.
    pub(super) fn read(bytes: Option<&[u8]>) -> Self {
        let Some(bytes) = bytes else {
            return Self::Good(Rules {
                websocket: true,
                ..Rules::default()
            });
        };
        match text(bytes).and_then(|text| rules(&text)) {
            Ok(rules) => Self::Good(rules),
            Err(why) => Self::Broken(why),
        }
    }
}

fn text(bytes: &[u8]) -> Result<String, String> {
    let units = |from: fn([u8; 2]) -> u16| {
        let (pairs, _) = bytes[2..].as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().map(|pair| from(*pair)).collect();
        String::from_utf16(&units).map_err(|e| e.to_string())
    };
    match bytes {
        [0xff, 0xfe, ..] => units(u16::from_le_bytes),
        [0xfe, 0xff, ..] => units(u16::from_be_bytes),
        _ => String::from_utf8(bytes.to_vec()).map_err(|e| e.to_string()),
    }
}

fn named<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children()
        .find(|child| child.tag_name().name() == name)
}

fn rules(text: &str) -> Result<Rules, String> {
    let document = Document::parse(text).map_err(|e| format!("Malformed XML: {e}"))?;
    let root = document.root_element();
    if root.tag_name().name() != "configuration" {
        return Err("Configuration file is not well-formed XML".to_owned());
    }
    let mut all = Rules {
        websocket: true,
        ..Rules::default()
    };
    let Some(server) = named(root, "system.webServer") else {
        return Ok(all);
    };
    if let Some(socket) = named(server, "webSocket") {
        all.websocket = socket.attribute("enabled") != Some("false");
    }
    let list = named(server, "rewrite").and_then(|rewrite| named(rewrite, "rules"));
    let mut names = std::collections::BTreeSet::new();
    for node in list.into_iter().flat_map(|list| list.children()) {
        if node.tag_name().name() != "rule" {
            continue;
        }
        let name = node.attribute("name").unwrap_or_default();
        if !names.insert(name) {
            return Err(format!(
                "Cannot add duplicate collection entry of type 'rule' with unique key attribute 'name' set to '{name}'"
            ));
        }
        if node.attribute("enabled") != Some("false") {
            all.rules.push(rule(node)?);
        }
    }
    Ok(all)
}

fn rule(node: Node<'_, '_>) -> Result<Rule, String> {
    let attribute = |of: Option<Node<'_, '_>>, name: &str| {
        of.and_then(|n| n.attribute(name))
            .unwrap_or_default()
            .to_owned()
    };
    let wildcard = node.attribute("patternSyntax") == Some("Wildcard");
    let matching = named(node, "match");
    let list = named(node, "conditions");
    let adds = list.into_iter().flat_map(|list| list.children());
    let adds = adds.filter(|child| child.tag_name().name() == "add");
    let conditions: Result<Vec<_>, String> = adds
        .map(|add| {
            let pattern = compiled(&attribute(Some(add), "pattern"), wildcard)?;
            let negate = add.attribute("negate") == Some("true");
            Ok((attribute(Some(add), "input"), pattern, negate))
        })
        .collect();
    let action = named(node, "action");
    Ok(Rule {
        pattern: compiled(&attribute(matching, "url"), wildcard)?,
        negate: attribute(matching, "negate") == "true",
        conditions: conditions?,
        any: attribute(list, "logicalGrouping") == "MatchAny",
        stop: node.attribute("stopProcessing") == Some("true"),
        kind: attribute(action, "type"),
        url: attribute(action, "url"),
        append_query: attribute(action, "appendQueryString") != "false",
    })
}

fn compiled(pattern: &str, wildcard: bool) -> Result<Regex, String> {
    let expression = if wildcard {
        format!("^{}$", regex::escape(pattern).replace(r"\*", "(.*)"))
    } else {
        pattern.to_owned()
    };
    let mut builder = RegexBuilder::new(&expression);
    builder
        .case_insensitive(true)
        .build()
        .map_err(|e| e.to_string())
}

impl Seen<'_> {
    fn variable(&self, name: &str) -> &str {
        match name {
            "HTTP_HOST" => self.host,
            "QUERY_STRING" => self.query,
            "REQUEST_METHOD" => self.method,
            "HTTPS" => "off",
            "URL" | "REQUEST_URI" => self.path,
            _ => "",
        }
    }

    /// A text with its variables and back-references filled in.
    fn fill(&self, text: &str, rule: Option<&Captures<'_>>, last: Option<&Captures<'_>>) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                break;
            };
            let group = |of: Option<&Captures<'_>>, n: &str| {
                let n = n.parse::<usize>().ok();
                let found = n.and_then(|n| of.and_then(|c| c.get(n)));
                found.map_or(String::new(), |m| m.as_str().to_owned())
            };
            filled += &match name.split_once(':') {
                Some(("R", n)) => group(rule, n),
                Some(("C", n)) => group(last, n),
                _ => self.variable(name).to_owned(),
            };
            rest = after;
        }
        filled.push_str(rest);
        filled
    }
}

impl Rules {
    /// What the rules make of a request.
    pub(super) fn fate(&self, seen: &Seen<'_>) -> Fate {
        let path = seen.path.trim_start_matches('/');
        for rule in &self.rules {
            let found = rule.pattern.captures(path);
            if found.is_some() == rule.negate {
                continue;
            }
            let inputs: Vec<String> = rule
                .conditions
                .iter()
                .map(|(input, ..)| seen.fill(input, found.as_ref(), None))
                .collect();
            let mut last = None;
            let mut holding = 0;
            for ((_, pattern, negate), input) in rule.conditions.iter().zip(&inputs) {
                let captures = pattern.captures(input);
                if captures.is_some() != *negate {
                    holding += 1;
                    last = captures.or(last);
                }
            }
            let all = rule.conditions.len();
            let holds = if rule.any {
                holding > 0 || all == 0
            } else {
                holding == all
            };
            if !holds {
                continue;
            }
            let mut url = seen.fill(&rule.url, found.as_ref(), last.as_ref());
            if rule.append_query && !seen.query.is_empty() {
                url += if url.contains('?') { "&" } else { "?" };
                url += seen.query;
            }
            match rule.kind.as_str() {
                "Rewrite" if url.to_ascii_lowercase().starts_with("http") => {
                    return Fate::Proxy(url);
                }
                "Redirect" => return Fate::Redirect(url),
                "AbortRequest" => return Fate::Abort,
                _ if rule.stop => return Fate::File,
                _ => {}
            }
        }
        Fate::File
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(rules: &str) -> Rules {
        let text = format!(
            "<configuration><system.webServer><rewrite><rules>{rules}</rules></rewrite></system.webServer></configuration>"
        );
        match Config::read(Some(text.as_bytes())) {
            Config::Good(rules) => rules,
            Config::Broken(why) => panic!("{why}"),
        }
    }

    fn fate(rules: &Rules, host: &str, path: &str, query: &str) -> Fate {
        rules.fate(&Seen {
            path,
            query,
            host,
            method: "GET",
        })
    }

    #[test]
    fn requests_go_where_the_first_rule_that_holds_sends_them() {
        let rules = good(
            "<rule name='a' stopProcessing='true'><match url='(.*)'/><conditions><add input='{HTTP_HOST}' pattern='^a\\.io$'/></conditions><action type='Rewrite' url='http://h:1/x/{R:1}'/></rule>\
             <rule name='off' enabled='false'><match url='.*'/><action type='Rewrite' url='http://h:2/'/></rule>\
             <rule name='b'><match url='^old/(.*)'/><action type='Redirect' url='/new/{R:1}'/></rule>",
        );
        let to = |text: &str| Fate::Proxy(text.to_owned());
        assert_eq!(
            fate(&rules, "a.io", "/ws", "clientId=1"),
            to("http://h:1/x/ws?clientId=1")
        );
        assert_eq!(
            fate(&rules, "b.io", "/old/1", ""),
            Fate::Redirect("/new/1".to_owned())
        );
        assert_eq!(fate(&rules, "b.io", "/", ""), Fate::File);
    }

    #[test]
    fn what_iis_cannot_read_breaks_the_site() {
        for text in [
            "<configuration>",
            "",
            "<x/>",
            "<configuration><system.webServer><rewrite><rules><rule name='a'><match url='.'/></rule><rule name='a'><match url='.'/></rule></rules></rewrite></system.webServer></configuration>",
        ] {
            assert!(
                matches!(Config::read(Some(text.as_bytes())), Config::Broken(_)),
                "{text}"
            );
        }
        assert!(matches!(Config::read(None), Config::Good(_)));
    }
}
