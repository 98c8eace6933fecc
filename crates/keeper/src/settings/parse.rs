//! From text to settings. Every problem carries its place; the first one in the file is told.

use std::{collections::HashMap, hash::Hash, ops::Range};

use forgekeeper_domain::{
    ids::{HostId, IdError, ServiceId},
    service::{KINDS, KindId},
    suggest::nearest,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    AUTO_ENGINE, GallerySettings, HostSettings, LOCAL_HOST, ServiceSettings, Settings,
    SettingsProblem, SourcesSettings,
    check::{self, Objection},
    text::{place, syntax_problem, text_of},
};

mod backup;

/// More would start more watchers than one machine's engine should answer.
const MAX_SERVICES: usize = 64;
/// See [`MAX_SERVICES`].
const MAX_HOSTS: usize = 32;
const TOP_KEYS: [&str; 6] = ["backup", "demo", "gallery", "host", "service", "sources"];
const SOURCES_KEYS: [&str; 1] = ["api"];
const GALLERY_KEYS: [&str; 1] = ["budget"];
const HOST_KEYS: [&str; 2] = ["id", "engine"];
const SERVICE_KEYS: [&str; 9] = [
    "id",
    "kind",
    "host",
    "container",
    "api",
    "public_url",
    "declared_gpu",
    "compose_file",
    "workspace",
];

/// Reads the bytes of a settings file.
pub fn parse_bytes(bytes: &[u8]) -> Result<Settings, SettingsProblem> {
    text_of(bytes).and_then(parse)
}

/// Reads the text of a settings file.
pub fn parse(text: &str) -> Result<Settings, SettingsProblem> {
    let root = DeTable::parse(text).map_err(|error| syntax_problem(text, &error))?;
    let mut reader = Reader {
        problems: Vec::new(),
    };
    let settings = reader.settings(root.get_ref());
    match reader
        .problems
        .into_iter()
        .min_by_key(|problem| problem.offset)
    {
        None => Ok(settings),
        Some(Problem {
            offset,
            why: (reason, remedy),
        }) => {
            let (line, column) = place(text, offset);
            Err(SettingsProblem {
                line: Some(line),
                column: Some(column),
                reason,
                remedy,
            })
        }
    }
}

struct Problem {
    offset: usize,
    why: Objection,
}

struct Reader {
    problems: Vec<Problem>,
}

/// One `[[service]]` or `[[host]]`.
struct Section<'d> {
    what: &'static str,
    span: Range<usize>,
    table: &'d DeTable<'d>,
}

impl Reader {
    fn object(&mut self, offset: usize, reason: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(Problem {
            offset,
            why: (reason.into(), remedy.into()),
        });
    }

    fn settings(&mut self, root: &DeTable<'_>) -> Settings {
        self.unknown_keys("the file", root, &TOP_KEYS);
        let demo = root.get("demo").and_then(|value| {
            let found = value.get_ref().as_bool();
            if found.is_none() {
                self.wrong_type("demo", value, "`true` or `false`", "demo = true");
            }
            found
        });
        let mut hosts: Vec<HostSettings> = Vec::new();
        let mut host_lines = HashMap::new();
        for section in self.sections(root, "host", MAX_HOSTS) {
            if let Some((host, offset)) = self.host(&section) {
                self.unique(&mut host_lines, "host", &host.id, offset);
                hosts.push(host);
            }
        }
        let mut services: Vec<ServiceSettings> = Vec::new();
        let mut service_lines = HashMap::new();
        for section in self.sections(root, "service", MAX_SERVICES) {
            let declared: Vec<&str> = hosts.iter().map(|h| h.id.as_str()).collect();
            if let Some((service, offset)) = self.service(&section, &declared) {
                self.unique(&mut service_lines, "service", &service.id, offset);
                services.push(service);
            }
        }
        let gallery = self.gallery(root);
        let backup = self.backup(root);
        let sources = self.sources(root);
        let local_used = hosts.is_empty() || services.iter().any(|s| s.host.as_str() == LOCAL_HOST);
        if local_used
            && !hosts.iter().any(|h| h.id.as_str() == LOCAL_HOST)
            && let Ok(id) = HostId::new(LOCAL_HOST)
        {
            hosts.insert(
                0,
                HostSettings {
                    id,
                    engine: AUTO_ENGINE.to_owned(),
                },
            );
        }
        Settings {
            demo: demo.unwrap_or(false),
            hosts,
            services,
            gallery,
            backup,
            sources,
        }
    }

    fn gallery(&mut self, root: &DeTable<'_>) -> GallerySettings {
        let mut gallery = GallerySettings::default();
        let Some((key, value)) = root.get_key_value("gallery") else {
            return gallery;
        };
        let Some(table) = value.get_ref().as_table() else {
            self.object(
                key.span().start,
                "`gallery` is no section",
                "write `[gallery]` with one bracket on each side",
            );
            return gallery;
        };
        self.unknown_keys("the gallery", table, &GALLERY_KEYS);
        let section = Section {
            what: "gallery",
            span: value.span(),
            table,
        };
        if let Some((text, offset)) = self.text(&section, "budget") {
            match check::size("budget", &text) {
                Ok(mib) => gallery.budget_mib = mib,
                Err(why) => self.problems.push(Problem { offset, why }),
            }
        }
        gallery
    }

    fn sources(&mut self, root: &DeTable<'_>) -> SourcesSettings {
        let mut sources = SourcesSettings::default();
        let Some((key, value)) = root.get_key_value("sources") else {
            return sources;
        };
        let Some(table) = value.get_ref().as_table() else {
            self.object(
                key.span().start,
                "`sources` is no section",
                "write `[sources]` with one bracket on each side",
            );
            return sources;
        };
        self.unknown_keys("the sources", table, &SOURCES_KEYS);
        let section = Section {
            what: "sources",
            span: value.span(),
            table,
        };
        if let Some((text, offset)) = self.text(&section, "api") {
            match check::address("api", &text) {
                Ok(()) => sources.api = Some(text),
                Err(why) => self.problems.push(Problem { offset, why }),
            }
        }
        sources
    }

    fn unique<K: Hash + Eq + Clone + std::fmt::Display>(
        &mut self,
        seen: &mut HashMap<K, usize>,
        what: &str,
        id: &K,
        offset: usize,
    ) {
        if seen.insert(id.clone(), offset).is_some() {
            self.object(
                offset,
                format!("there are two {what}s with the id `{id}`"),
                "give one of them another id, or remove it",
            );
        }
    }

    fn sections<'d>(
        &mut self,
        root: &'d DeTable<'d>,
        what: &'static str,
        most: usize,
    ) -> Vec<Section<'d>> {
        let Some((key, value)) = root.get_key_value(what) else {
            return Vec::new();
        };
        let Some(array) = value.get_ref().as_array() else {
            self.object(
                key.span().start,
                format!("`{what}` is no list of sections"),
                format!("write `[[{what}]]` with two brackets on each side"),
            );
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in array {
            if sections.len() == most {
                self.object(
                    item.span().start,
                    format!("there are more than {most} {what}s"),
                    "remove those that are not needed",
                );
                break;
            }
            match item.get_ref().as_table() {
                Some(table) => sections.push(Section {
                    what,
                    span: item.span(),
                    table,
                }),
                None => self.object(
                    item.span().start,
                    format!("a `{what}` is no section"),
                    format!("write `[[{what}]]` with two brackets on each side"),
                ),
            }
        }
        sections
    }

    fn host(&mut self, section: &Section<'_>) -> Option<(HostSettings, usize)> {
        self.unknown_keys("a host", section.table, &HOST_KEYS);
        let engine = match self.text(section, "engine") {
            Some((engine, offset)) => {
                self.objected(offset, check::engine(&engine));
                engine
            }
            None => AUTO_ENGINE.to_owned(),
        };
        let (id, offset) = self.id(section, "id", HostId::new)?;
        Some((HostSettings { id, engine }, offset))
    }

    fn service(
        &mut self,
        section: &Section<'_>,
        declared: &[&str],
    ) -> Option<(ServiceSettings, usize)> {
        self.unknown_keys("a service", section.table, &SERVICE_KEYS);
        let id = self.id(section, "id", ServiceId::new);
        let kind = self.kind(section);
        let host = if section.table.contains_key("host") {
            let found = self.id(section, "host", HostId::new);
            if let Some((host, offset)) = &found
                && host.as_str() != LOCAL_HOST
                && !declared.contains(&host.as_str())
            {
                let meant = nearest(host.as_str(), declared.iter().copied())
                    .map(|known| format!("did you mean `{known}`? Otherwise "))
                    .unwrap_or_default();
                self.object(
                    *offset,
                    format!("no host has the id `{host}`"),
                    format!("{meant}add `[[host]]` with `id = \"{host}\"` and its `engine`"),
                );
            }
            found.map(|(host, _)| host)
        } else {
            HostId::new(LOCAL_HOST).ok()
        };
        let container = self.required(section, "container");
        if let Some((container, offset)) = &container {
            self.objected(*offset, check::container(container));
        }
        let mut checked = |key: &str, check: fn(&str, &str) -> Result<(), Objection>| {
            let (text, offset) = self.text(section, key)?;
            self.objected(offset, check(key, &text));
            Some(text)
        };
        let api = checked("api", check::address);
        let public_url = checked("public_url", check::address);
        let compose_file = checked("compose_file", check::path);
        let workspace = checked("workspace", check::path);
        let declared_gpu = self.gpu(section);
        let (id, offset) = id?;
        let service = ServiceSettings {
            id,
            kind: kind?,
            host: host?,
            container: container?.0,
            api,
            public_url,
            declared_gpu,
            compose_file,
            workspace,
        };
        Some((service, offset))
    }

    fn kind(&mut self, section: &Section<'_>) -> Option<KindId> {
        let (text, offset) = self.required(section, "kind")?;
        let known: Vec<&str> = KINDS.iter().map(|kind| kind.id().as_str()).collect();
        let found = KINDS
            .iter()
            .map(|kind| kind.id())
            .find(|kind| kind.as_str() == text);
        if found.is_none() {
            let meant = nearest(&text, known.iter().copied())
                .map(|kind| format!("did you mean `{kind}`? "))
                .unwrap_or_default();
            self.object(
                offset,
                format!("`{}` is no kind of service", check::excerpt(&text)),
                format!("{meant}Known kinds: `{}`", known.join("`, `")),
            );
        }
        found
    }

    fn gpu(&mut self, section: &Section<'_>) -> Option<u32> {
        let value = section.table.get("declared_gpu")?;
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|n| u32::from_str_radix(n.as_str(), n.radix()).ok())
            .filter(|n| *n < 1024);
        if number.is_none() {
            self.wrong_type(
                "declared_gpu",
                value,
                "the index of a card, from 0",
                "declared_gpu = 1",
            );
        }
        number
    }

    fn id<I>(
        &mut self,
        section: &Section<'_>,
        key: &str,
        check: impl Fn(String) -> Result<I, IdError>,
    ) -> Option<(I, usize)> {
        let (text, offset) = self.required(section, key)?;
        match check(text) {
            Ok(id) => Some((id, offset)),
            Err(error) => {
                self.object(
                    offset,
                    format!("`{key}` cannot be used: {error}"),
                    format!("write it like `{key} = \"myia-turbo\"`"),
                );
                None
            }
        }
    }

    fn required(&mut self, section: &Section<'_>, key: &str) -> Option<(String, usize)> {
        if !section.table.contains_key(key) {
            let named = section.table.get("id").and_then(|id| id.get_ref().as_str());
            let what = section.what;
            self.object(
                section.span.start,
                match named {
                    Some(id) => format!("the {what} `{}` has no `{key}`", check::excerpt(id)),
                    None => format!("a {what} has no `{key}`"),
                },
                format!("add `{key} = \"…\"` below this `[[{what}]]`"),
            );
        }
        self.text(section, key)
    }

    fn text(&mut self, section: &Section<'_>, key: &str) -> Option<(String, usize)> {
        let value = section.table.get(key)?;
        if let Some(text) = value.get_ref().as_str() {
            Some((text.to_owned(), value.span().start))
        } else {
            self.wrong_type(
                key,
                value,
                "a text between quotes",
                &format!("{key} = \"…\""),
            );
            None
        }
    }

    fn objected(&mut self, offset: usize, result: Result<(), Objection>) {
        if let Err(why) = result {
            self.problems.push(Problem { offset, why });
        }
    }

    fn wrong_type(&mut self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str, example: &str) {
        let found = match value.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a number",
            DeValue::Float(_) => "a number with a point",
            DeValue::Boolean(_) => "`true` or `false`",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a section",
        };
        let found = match value.get_ref() {
            DeValue::Integer(n) => format!("the number {}", check::excerpt(&n.to_string())),
            _ => found.to_owned(),
        };
        self.object(
            value.span().start,
            format!("`{key}` must be {wanted}, not {found}"),
            format!("write it like `{example}`"),
        );
    }

    fn unknown_keys(&mut self, place: &str, table: &DeTable<'_>, known: &[&str]) {
        for key in table
            .keys()
            .filter(|key| !known.contains(&key.get_ref().as_ref()))
        {
            let name = key.get_ref().as_ref();
            let remedy = match nearest(name, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("remove it; {place} has `{}`", known.join("`, `")),
            };
            self.object(
                key.span().start,
                format!("unknown key `{}` in {place}", check::excerpt(name)),
                remedy,
            );
        }
    }
}
