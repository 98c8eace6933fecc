//! Edits of the text that leave comments, order and blank lines where they are.

use forgekeeper_domain::{
    backup::{BackupMode, BackupSettings},
    document::{Document, Field},
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
};
use toml_edit::{Array, DocumentMut, Item, Table, Value, value};

use super::{AUTO_ENGINE, HostSettings, LOCAL_HOST, ServiceSettings};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingsEdit {
    /// Adds a service or changes the one with its id.
    UpsertService(ServiceSettings),
    /// Takes a service out.
    RemoveService(ServiceId),
    /// Adds a host or changes the one with its id.
    UpsertHost(HostSettings),
}

/// The text after the change. The text must be a settings file without errors.
pub(super) fn edit(text: &str, change: &SettingsEdit) -> Result<String, ErrorInfo> {
    let mut document = Document::read(text).map_err(|error| {
        ErrorInfo::new(ErrorCode::Settings, "the settings file cannot be edited")
            .detail(error.to_string())
    })?;
    match change {
        SettingsEdit::UpsertService(service) => {
            document.upsert("service", service.id.as_str(), &service_fields(service));
        }
        SettingsEdit::UpsertHost(host) => {
            let engine = Field::new("engine", Some(host.engine.as_str().into()));
            let fields = [
                Field::new("id", Some(host.id.as_str().into())),
                engine.implied_if(host.engine == AUTO_ENGINE),
            ];
            document.upsert("host", host.id.as_str(), &fields);
        }
        SettingsEdit::RemoveService(id) => {
            if !document.remove("service", id.as_str()) {
                return Err(ErrorInfo::new(
                    ErrorCode::UnknownService,
                    format!("the settings file has no service `{id}`"),
                ));
            }
        }
    }
    Ok(document.into_text())
}

/// `[backup]` as it is written anew.
pub(super) fn backup_section(backup: &BackupSettings) -> String {
    let mut table = Table::new();
    let patterns: Array = backup.exclude.iter().map(String::as_str).collect();
    table.insert("source", value(backup.source.as_str()));
    table.insert("target", value(backup.target.as_str()));
    table.insert("mode", value(backup.mode.name()));
    if !patterns.is_empty() {
        table.insert("exclude", value(patterns));
    }
    if backup.mode == BackupMode::Dated {
        table.insert("keep", value(i64::from(backup.keep)));
    }
    let mut document = DocumentMut::new();
    document.insert("backup", Item::Table(table));
    document.to_string()
}

fn service_fields(service: &ServiceSettings) -> [Field; 9] {
    let text = |value: &Option<String>| value.as_deref().map(Value::from);
    let gpu = service.declared_gpu.map(|gpu| i64::from(gpu).into());
    [
        Field::new("id", Some(service.id.as_str().into())),
        Field::new("kind", Some(service.kind.as_str().into())),
        Field::new("host", Some(service.host.as_str().into()))
            .implied_if(service.host.as_str() == LOCAL_HOST),
        Field::new("container", Some(service.container.as_str().into())),
        Field::new("api", text(&service.api)),
        Field::new("public_url", text(&service.public_url)),
        Field::new("declared_gpu", gpu),
        Field::new("compose_file", text(&service.compose_file)),
        Field::new("workspace", text(&service.workspace)),
    ]
}
