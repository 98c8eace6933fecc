//! What a compose file declares: services with their ports, names, cards and mounts. What only
//! `docker compose` could resolve (variables, files that are included) is said not to be known.

use serde::{Deserialize, Serialize};

use super::yaml::{self, ComposeFault, ComposeProblem, Node, Value};

/// Most services that are read.
const MAX_SERVICES: usize = 100;

/// Something that only `docker compose` knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unresolved {
    /// Where it stands.
    pub line: u32,
    /// What: a variable, or `include`, `extends`.
    pub what: String,
}

/// A published port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredPort {
    /// The address of the host; `None`: all of them.
    pub address: Option<String>,
    /// First and last port of the host; `None`: drawn at each start.
    pub host: Option<(u16, u16)>,
    /// Port inside.
    pub inside: u16,
}

/// A service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComposeService {
    /// Its name in the file.
    pub name: String,
    /// Where it begins.
    pub line: u32,
    /// Its image.
    pub image: Option<String>,
    /// The name of its container, where the file sets it.
    pub container_name: Option<String>,
    /// Ports.
    pub ports: Vec<DeclaredPort>,
    /// Cards by id or number, as written.
    pub cards: Vec<String>,
    /// It takes as many cards as there are, or so many of whichever.
    pub any_cards: bool,
    /// Sources and targets of mounts, as written.
    pub mounts: Vec<(String, String)>,
    /// It is started only with one of these.
    pub profiles: Vec<String>,
    /// What of it is not known.
    pub unresolved: Vec<Unresolved>,
}

/// A file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compose {
    /// The name of the project, where the file sets it.
    pub name: Option<String>,
    /// The services.
    pub services: Vec<ComposeService>,
    /// Files that it takes more from.
    pub unresolved: Vec<Unresolved>,
}

/// Reads a file. Anchors and merges are resolved; variables with a value of their own
/// (`${NAME:-value}`) are taken at it and said to be unresolved.
pub fn read_compose(text: &str) -> Result<Compose, ComposeProblem> {
    let root = yaml::read(text)?;
    let shape = |line, reason: &str, remedy: &str| {
        ComposeProblem::new(Some(line), ComposeFault::Shape, reason, remedy)
    };
    if !matches!(root.value, Value::Map(_)) {
        return Err(shape(
            root.line,
            "this is no compose file",
            "a compose file begins with `services:`",
        ));
    }
    let services = root.get("services");
    let included = root.get("include");
    if services.is_none() && included.is_none() {
        return Err(shape(
            root.line,
            "there are no `services`",
            "check that it is the compose file; files of the first version put services at the top",
        ));
    }
    if let Some(node) = services
        && !matches!(node.value, Value::Map(_) | Value::Null)
    {
        return Err(shape(
            node.line,
            "`services` is no mapping",
            "write each service as `name:` with its fields indented below",
        ));
    }
    let pairs = services.map_or(&[][..], Node::pairs);
    if pairs.len() > MAX_SERVICES {
        return Err(ComposeProblem::new(
            services.map(|node| node.line),
            ComposeFault::TooLarge,
            "there are more than 100 services",
            "check that it is the compose file",
        ));
    }
    let mut read = Vec::with_capacity(pairs.len());
    for (name, node) in pairs {
        if !matches!(node.value, Value::Map(_)) {
            return Err(shape(
                node.line,
                &format!("the service `{name}` has no fields"),
                "indent its fields below its name",
            ));
        }
        read.push(service(name, node)?);
    }
    Ok(Compose {
        name: root.get("name").and_then(Node::text).map(str::to_owned),
        services: read,
        unresolved: included
            .map(|node| Unresolved {
                line: node.line,
                what: "include".to_owned(),
            })
            .into_iter()
            .collect(),
    })
}

fn service(name: &str, node: &Node) -> Result<ComposeService, ComposeProblem> {
    let mut reader = Reader::default();
    let mut found = ComposeService {
        name: name.to_owned(),
        line: node.line,
        image: reader.text(node.get("image")),
        container_name: reader.text(node.get("container_name")),
        ..ComposeService::default()
    };
    if let Some(extends) = node.get("extends") {
        reader.unresolved(extends.line, "extends");
    }
    for port in node.get("ports").map_or(&[][..], Node::list) {
        found.ports.extend(reader.port(port)?);
    }
    for volume in node.get("volumes").map_or(&[][..], Node::list) {
        found.mounts.extend(reader.mount(volume));
    }
    let profiles = node.get("profiles").map_or(&[][..], Node::list);
    found.profiles = profiles
        .iter()
        .filter_map(|profile| reader.text(Some(profile)))
        .collect();
    let devices = node
        .get("deploy")
        .and_then(|node| node.get("resources")?.get("reservations")?.get("devices"));
    for device in devices.map_or(&[][..], Node::list) {
        reader.device(device, &mut found);
    }
    if let Some(gpus) = node.get("gpus") {
        if gpus.text().is_some() {
            found.any_cards = true;
        }
        for device in gpus.list() {
            reader.device(device, &mut found);
        }
    }
    found.unresolved = reader.unresolved;
    Ok(found)
}

#[derive(Default)]
struct Reader {
    unresolved: Vec<Unresolved>,
}

impl Reader {
    fn unresolved(&mut self, line: u32, what: &str) {
        let what = what.to_owned();
        self.unresolved.push(Unresolved { line, what });
    }

    /// A text with its variables taken at the values that the file itself gives them.
    fn text(&mut self, node: Option<&Node>) -> Option<String> {
        let node = node?;
        let text = node.text()?;
        let (resolved, variables) = interpolate(text);
        for variable in variables {
            self.unresolved(node.line, &variable);
        }
        resolved
    }

    fn port(&mut self, node: &Node) -> Result<Option<DeclaredPort>, ComposeProblem> {
        let wrong = |text: &str| {
            ComposeProblem::new(
                Some(node.line),
                ComposeFault::Shape,
                &format!("`{}` is no port", crate::migration::problem::excerpt(text)),
                "write ports as \"8188:8188\" or \"127.0.0.1:8188:8188\", in quotes",
            )
        };
        if let Value::Map(_) = node.value {
            let Some(inside) = self.text(node.get("target")) else {
                return Ok(None);
            };
            let inside = inside.parse().map_err(|_| wrong(&inside))?;
            let host = match self.text(node.get("published")) {
                None => None,
                Some(text) => Some(range(&text).ok_or_else(|| wrong(&text))?),
            };
            return Ok(Some(DeclaredPort {
                address: self.text(node.get("host_ip")),
                host,
                inside,
            }));
        }
        // Without a value for its variables it is not known, and is said so.
        let Some(text) = self.text(Some(node)) else {
            return Ok(None);
        };
        short_port(&text).map(Some).ok_or_else(|| wrong(&text))
    }

    fn mount(&mut self, node: &Node) -> Option<(String, String)> {
        if let Value::Map(_) = node.value {
            let source = self.text(node.get("source")).unwrap_or_default();
            return Some((source, self.text(node.get("target"))?));
        }
        let text = self.text(Some(node))?;
        Some(short_mount(&text))
    }

    fn device(&mut self, node: &Node, into: &mut ComposeService) {
        let ids = node.get("device_ids").map_or(&[][..], Node::list);
        for id in ids {
            into.cards.extend(self.text(Some(id)));
        }
        // Without ids, `count` or nothing at all means whichever cards.
        let is_gpu = node.get("driver").and_then(Node::text) == Some("nvidia")
            || node
                .get("capabilities")
                .is_some_and(|c| c.list().iter().any(|c| c.text() == Some("gpu")));
        into.any_cards |= ids.is_empty() && is_gpu;
    }
}

/// `$NAME`, `${NAME}`, `${NAME:-value}`, `${NAME-value}`; `$$` is a dollar. The text is `None` where a
/// variable has no value of its own.
fn interpolate(text: &str) -> (Option<String>, Vec<String>) {
    let (mut out, mut variables, mut known) = (String::new(), Vec::new(), true);
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (name, value, after) = if let Some(inner) = rest.strip_prefix('{') {
            let (inner, after) = inner.split_once('}').unwrap_or((inner, ""));
            let end = inner.find(|c| !is_name(c)).unwrap_or(inner.len());
            let operator = &inner[end..];
            let value = operator
                .strip_prefix(":-")
                .or_else(|| operator.strip_prefix('-'));
            (&inner[..end], value, after)
        } else {
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            (&rest[..end], None, &rest[end..])
        };
        variables.push(format!("${name}"));
        match value {
            Some(value) => out.push_str(value),
            None => known = false,
        }
        rest = after;
    }
    out.push_str(rest);
    (known.then_some(out), variables)
}

/// `inside`, `host:inside`, `address:host:inside`, with ranges and `/tcp`.
fn short_port(text: &str) -> Option<DeclaredPort> {
    let text = text.split('/').next()?;
    let (front, inside) = match text.rsplit_once(':') {
        None => (None, text),
        Some((front, inside)) => (Some(front), inside),
    };
    let inside = range(inside)?.0;
    let Some(front) = front else {
        return Some(DeclaredPort {
            address: None,
            host: None,
            inside,
        });
    };
    let (address, host) = match front.rsplit_once(':') {
        None => (None, front),
        Some((address, host)) => (Some(address.trim_matches(['[', ']']).to_owned()), host),
    };
    let host = if host.is_empty() {
        None
    } else {
        Some(range(host)?)
    };
    Some(DeclaredPort {
        address: address.filter(|address| !address.is_empty()),
        host,
        inside,
    })
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first > 0 && first <= last).then_some((first, last))
}

/// `source:target:mode`, where the source may begin with a drive of Windows.
fn short_mount(text: &str) -> (String, String) {
    let drive = text.len() > 2
        && text.as_bytes()[0].is_ascii_alphabetic()
        && text.as_bytes()[1] == b':'
        && matches!(text.as_bytes()[2], b'\\' | b'/');
    let from = if drive { 2 } else { 0 };
    match text[from..].find(':') {
        None => (String::new(), text.to_owned()),
        Some(at) => {
            let (source, rest) = (&text[..from + at], &text[from + at + 1..]);
            let target = rest.split(':').next().unwrap_or(rest);
            (source.to_owned(), target.to_owned())
        }
    }
}
