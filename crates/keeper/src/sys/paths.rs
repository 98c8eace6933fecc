//! Where the settings file and the data live.

use std::{ffi::OsString, path::PathBuf};

/// Name of the settings file.
pub const SETTINGS_FILE: &str = "forgekeeper.toml";
/// Name of the file of own rules for logs, beside the settings file.
pub const RULES_FILE: &str = "rules.toml";
/// The presets of one's own, beside the settings.
pub const PRESETS_FILE: &str = "presets.toml";
/// The owner's migration plan, beside the settings.
pub const MIGRATION_FILE: &str = "migration.toml";
/// The folder of workflows of one's own, beside the settings.
pub const WORKFLOWS_FOLDER: &str = "workflows";
/// Environment variable that names the settings file.
pub const CONFIG_VARIABLE: &str = "FORGEKEEPER_CONFIG";
/// Environment variable that names the data folder.
pub const DATA_VARIABLE: &str = "FORGEKEEPER_DATA";

/// The two places of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// `forgekeeper.toml`; need not exist.
    pub config_file: PathBuf,
    /// History and pictures; made when first needed.
    pub data_dir: PathBuf,
}

impl Paths {
    /// The places for this user: the given file, else the environment, else the platform's folder
    /// (`$XDG_CONFIG_HOME/forgekeeper`, `%APPDATA%\forgekeeper`). A user without a home folder
    /// gets `.forgekeeper` in the current one.
    pub fn default_for(config: Option<PathBuf>) -> Self {
        let platform = directories::ProjectDirs::from("", "", "forgekeeper").map(|dirs| {
            // On Windows `config_dir` would be `%APPDATA%\forgekeeper\config`.
            let config = if cfg!(windows) {
                dirs.config_dir()
                    .parent()
                    .map_or_else(|| dirs.config_dir().to_owned(), PathBuf::from)
            } else {
                dirs.config_dir().to_owned()
            };
            let data = if cfg!(windows) {
                dirs.data_local_dir()
            } else {
                dirs.data_dir()
            };
            Self {
                config_file: config.join(SETTINGS_FILE),
                data_dir: data.to_owned(),
            }
        });
        Self::choose(
            config,
            std::env::var_os(CONFIG_VARIABLE),
            std::env::var_os(DATA_VARIABLE),
            platform,
        )
    }

    fn choose(
        config: Option<PathBuf>,
        config_variable: Option<OsString>,
        data_variable: Option<OsString>,
        platform: Option<Self>,
    ) -> Self {
        let given = |text: Option<OsString>| text.filter(|t| !t.is_empty()).map(PathBuf::from);
        let platform = platform.unwrap_or_else(|| {
            let here = PathBuf::from(".forgekeeper");
            Self {
                config_file: here.join(SETTINGS_FILE),
                data_dir: here,
            }
        });
        Self {
            config_file: config
                .or_else(|| given(config_variable))
                .unwrap_or(platform.config_file),
            data_dir: given(data_variable).unwrap_or(platform.data_dir),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_wish_wins() {
        let platform = || Paths {
            config_file: "p/forgekeeper.toml".into(),
            data_dir: "p/data".into(),
        };
        let choose =
            |config: Option<&str>, variable: Option<&str>, data: Option<&str>, home: bool| {
                let p = Paths::choose(
                    config.map(Into::into),
                    variable.map(Into::into),
                    data.map(Into::into),
                    home.then(platform),
                );
                (
                    p.config_file.display().to_string(),
                    p.data_dir.display().to_string(),
                )
            };
        let both = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            choose(Some("a"), Some("b"), None, true),
            both("a", "p/data")
        );
        assert_eq!(choose(None, Some("b"), Some("d"), true), both("b", "d"));
        assert_eq!(
            choose(None, Some(""), None, true),
            both("p/forgekeeper.toml", "p/data")
        );
        assert_eq!(
            choose(Some("a"), None, None, false),
            both("a", ".forgekeeper")
        );
    }
}
