//! `[backup]`.

use forgekeeper_domain::{
    backup::{BackupMode, BackupSettings, USUAL_KEEP},
    suggest::nearest,
};
use toml::de::{DeTable, DeValue};

use super::{Reader, Section, check};
use crate::backup::exclude;

const KEYS: [&str; 5] = ["source", "target", "mode", "exclude", "keep"];
const MODES: [BackupMode; 2] = [BackupMode::Mirror, BackupMode::Dated];
/// Patterns that may be written.
const MAX_PATTERNS: usize = 200;
/// Runs that may be kept.
const MAX_KEEP: u32 = 1_000;

impl Reader {
    pub(super) fn backup(&mut self, root: &DeTable<'_>) -> Option<BackupSettings> {
        let (key, value) = root.get_key_value("backup")?;
        let Some(table) = value.get_ref().as_table() else {
            self.object(
                key.span().start,
                "`backup` is no section",
                "write `[backup]` with one bracket on each side",
            );
            return None;
        };
        self.unknown_keys("the backup", table, &KEYS);
        let section = Section {
            what: "backup",
            span: value.span(),
            table,
        };
        let source = self.folder(&section, "source");
        let target = self.folder(&section, "target");
        let mode = self.mode(&section);
        let exclude = self.patterns(&section);
        let keep = self.kept_runs(&section, mode);
        Some(BackupSettings {
            source: source?,
            target: target?,
            mode: mode?,
            exclude,
            keep,
        })
    }

    fn folder(&mut self, section: &Section<'_>, key: &str) -> Option<String> {
        if !section.table.contains_key(key) {
            self.object(
                section.span.start,
                format!("the backup has no `{key}`"),
                format!("add `{key} = '…'` below `[backup]`, with the whole path of a folder"),
            );
        }
        let (text, offset) = self.text(section, key)?;
        self.objected(offset, check::path(key, &text));
        if !text.trim().is_empty() && !is_whole_path(&text) {
            self.object(
                offset,
                format!("`{key}` is no whole path"),
                format!("write it from the drive or the root on, like `{key} = 'D:\\Backups'`"),
            );
        }
        Some(text)
    }

    fn mode(&mut self, section: &Section<'_>) -> Option<BackupMode> {
        let Some((text, offset)) = self.text(section, "mode") else {
            // One that is no text was told of.
            return (!section.table.contains_key("mode")).then_some(BackupMode::Mirror);
        };
        let found = MODES.into_iter().find(|mode| mode.name() == text);
        if found.is_none() {
            let meant = nearest(&text, MODES.map(BackupMode::name))
                .map(|mode| format!("did you mean `{mode}`? "))
                .unwrap_or_default();
            self.object(
                offset,
                format!("`{}` is no mode of the backup", check::excerpt(&text)),
                format!("{meant}Known modes: `mirror`, `dated`"),
            );
        }
        found
    }

    fn patterns(&mut self, section: &Section<'_>) -> Vec<String> {
        let Some(value) = section.table.get("exclude") else {
            return Vec::new();
        };
        let Some(list) = value.get_ref().as_array() else {
            let example = "exclude = [\"outputs\", \"**/*.log\"]";
            self.wrong_type("exclude", value, "a list of texts", example);
            return Vec::new();
        };
        let mut patterns = Vec::new();
        for item in list {
            let DeValue::String(pattern) = item.get_ref() else {
                let example = "exclude = [\"outputs\", \"**/*.log\"]";
                self.wrong_type("exclude", item, "a list of texts", example);
                continue;
            };
            if patterns.len() == MAX_PATTERNS {
                self.object(
                    item.span().start,
                    format!("there are more than {MAX_PATTERNS} patterns"),
                    "leave out whole folders instead",
                );
                break;
            }
            match exclude::check(pattern) {
                Ok(()) => patterns.push(pattern.to_string()),
                Err(reason) => self.object(
                    item.span().start,
                    format!("`{}` is no pattern: {reason}", check::excerpt(pattern)),
                    "write it like `outputs`, `**/*.log` or `models/**/*.ckpt`, below the source and with \
                     slashes",
                ),
            }
        }
        patterns
    }

    fn kept_runs(&mut self, section: &Section<'_>, mode: Option<BackupMode>) -> u32 {
        let Some(value) = section.table.get("keep") else {
            return USUAL_KEEP;
        };
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|n| u32::from_str_radix(n.as_str(), n.radix()).ok())
            .filter(|n| (1..=MAX_KEEP).contains(n));
        if number.is_none() {
            self.wrong_type("keep", value, "a number from 1 to 1000", "keep = 7");
        } else if mode == Some(BackupMode::Mirror) {
            self.object(
                value.span().start,
                "`keep` says nothing of a mirror",
                "take the line out, or write `mode = \"dated\"`",
            );
        }
        number.unwrap_or(USUAL_KEEP)
    }
}

/// Of this system or of Windows: a file is written on one machine and read on another.
fn is_whole_path(text: &str) -> bool {
    let mut chars = text.chars();
    let drive = chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.next() == Some(':')
        && matches!(chars.next(), Some('\\' | '/'));
    drive || text.starts_with('/') || text.starts_with("\\\\")
}
