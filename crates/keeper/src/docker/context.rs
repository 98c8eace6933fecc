//! Docker's own contexts, read from Docker's own files. Nothing is written there.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::endpoint::{Endpoint, EndpointError, Env, TlsFiles};

/// Docker's files are a few hundred bytes; `config.json` holds credentials and may be longer.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// More contexts than anybody has.
const MAX_CONTEXTS: usize = 256;

/// Why a context cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// Docker would not accept this name.
    #[error("`{0}` is no name of a Docker context")]
    Name(String),
    /// No such context.
    #[error("there is no Docker context `{0}`")]
    Missing(String),
    /// Its file cannot be read.
    #[error("the Docker context `{name}` cannot be read: {reason}")]
    Unreadable {
        /// Its name.
        name: String,
        /// The system's or the parser's words.
        reason: String,
    },
    /// Docker's own configuration cannot be read.
    #[error("Docker's configuration `{path}` cannot be read: {reason}")]
    Config {
        /// Where it is.
        path: String,
        /// The system's or the parser's words.
        reason: String,
    },
    /// It has no Docker endpoint.
    #[error("the Docker context `{0}` names no Docker endpoint")]
    NoEndpoint(String),
    /// It switches the check of certificates off.
    #[error("the Docker context `{0}` skips the check of certificates, which is not supported")]
    SkipsVerification(String),
}

#[derive(Deserialize)]
struct ConfigFile {
    #[serde(rename = "currentContext", default)]
    current_context: Option<String>,
}

#[derive(Deserialize)]
struct MetaFile {
    #[serde(rename = "Name", default)]
    name: String,
    #[serde(rename = "Endpoints", default)]
    endpoints: std::collections::HashMap<String, EndpointMeta>,
}

#[derive(Deserialize)]
struct EndpointMeta {
    #[serde(rename = "Host", default)]
    host: Option<String>,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_tls_verify: bool,
}

/// The context in use: `DOCKER_CONTEXT`, else `currentContext` of `config.json`; `None` for
/// Docker's built-in `default`. As in Docker's own tools, `DOCKER_HOST` switches a context of the
/// file off, not one of the environment.
pub fn current(env: &Env) -> Result<Option<String>, ContextError> {
    let name = match &env.docker_context {
        Some(name) => name.clone(),
        None if env.docker_host.is_some() => return Ok(None),
        None => match from_config(env)? {
            Some(name) => name,
            None => return Ok(None),
        },
    };
    Ok((!name.is_empty() && name != "default").then_some(name))
}

fn from_config(env: &Env) -> Result<Option<String>, ContextError> {
    let Some(folder) = env.docker_folder() else {
        return Ok(None);
    };
    let path = folder.join("config.json");
    let broken = |error: &dyn std::error::Error| ContextError::Config {
        path: path.display().to_string(),
        reason: error.to_string(),
    };
    match read_limited(&path) {
        Ok(text) => serde_json::from_str::<ConfigFile>(&text)
            .map(|config| config.current_context)
            .map_err(|error| broken(&error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(broken(&error)),
    }
}

/// Names of all contexts of this user, sorted.
pub fn names(env: &Env) -> Vec<String> {
    let Some(folder) = env.docker_folder() else {
        return Vec::new();
    };
    let Ok(entries) = fs::read_dir(folder.join("contexts").join("meta")) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .take(MAX_CONTEXTS)
        .filter_map(|entry| read_limited(&entry.ok()?.path().join("meta.json")).ok())
        .filter_map(|text| serde_json::from_str::<MetaFile>(&text).ok())
        .map(|meta| meta.name)
        .filter(|name| valid_name(name))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The Docker endpoint of a context.
pub fn endpoint(name: &str, env: &Env) -> Result<Endpoint, EndpointError> {
    if !valid_name(name) {
        return Err(ContextError::Name(name.to_owned()).into());
    }
    let Some(folder) = env.docker_folder() else {
        return Err(ContextError::Missing(name.to_owned()).into());
    };
    let key = folder_name(name);
    let contexts = folder.join("contexts");
    let path = contexts.join("meta").join(&key).join("meta.json");
    let text = match read_limited(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(ContextError::Missing(name.to_owned()).into());
        }
        Err(error) => return Err(unreadable(name, &error).into()),
    };
    let meta: MetaFile = serde_json::from_str(&text).map_err(|error| unreadable(name, &error))?;
    let docker = meta
        .endpoints
        .get("docker")
        .ok_or_else(|| ContextError::NoEndpoint(name.to_owned()))?;
    let host = docker
        .host
        .as_deref()
        .filter(|host| !host.is_empty())
        .ok_or_else(|| ContextError::NoEndpoint(name.to_owned()))?;
    let tls_folder = contexts.join("tls").join(&key).join("docker");
    // A context brings its own TLS settings: those of the environment belong to DOCKER_HOST.
    let own = Env {
        docker_tls: false,
        docker_cert_path: Some(tls_folder.clone()),
        ..env.clone()
    };
    match Endpoint::parse(host, &own)? {
        Endpoint::Tcp { host, port } if tls_folder.is_dir() => {
            tls(name, docker, host, port, &tls_folder)
        }
        Endpoint::Tls { host, port, .. } => tls(name, docker, host, port, &tls_folder),
        other => Ok(other),
    }
}

fn tls(
    name: &str,
    docker: &EndpointMeta,
    host: String,
    port: u16,
    folder: &Path,
) -> Result<Endpoint, EndpointError> {
    if docker.skip_tls_verify {
        return Err(ContextError::SkipsVerification(name.to_owned()).into());
    }
    Ok(Endpoint::Tls {
        host,
        port,
        files: TlsFiles::in_folder(folder),
    })
}

fn unreadable(name: &str, error: &dyn std::error::Error) -> ContextError {
    ContextError::Unreadable {
        name: name.to_owned(),
        reason: error.to_string(),
    }
}

/// Docker's rule, which also keeps a name from being a path.
fn valid_name(name: &str) -> bool {
    let mut chars = name.chars();
    name.len() <= 255
        && chars.next().is_some_and(|c| c.is_ascii_alphanumeric())
        && chars.all(|c| c.is_ascii_alphanumeric() || "_.+-".contains(c))
}

fn folder_name(name: &str) -> String {
    hex::encode(Sha256::digest(name.as_bytes()))
}

fn read_limited(path: &PathBuf) -> std::io::Result<String> {
    let mut text = String::new();
    let file = fs::File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("not a plain file"));
    }
    file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(std::io::Error::other("the file is larger than 1 MiB"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a folder"))
        }

        fn env(&self) -> Env {
            Env {
                docker_config: Some(self.0.path().to_path_buf()),
                ..Env::default()
            }
        }

        fn put(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            let mut file = fs::File::create(path).expect("made");
            std::io::Write::write_all(&mut file, text.as_bytes()).expect("written");
        }

        fn context(&self, name: &str, host: &str, tls: bool, skip: bool) {
            let key = folder_name(name);
            self.put(
                &format!("contexts/meta/{key}/meta.json"),
                &format!(
                    r#"{{"Name":"{name}","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{host}","SkipTLSVerify":{skip}}}}}}}"#
                ),
            );
            if tls {
                self.put(&format!("contexts/tls/{key}/docker/ca.pem"), "x");
            }
        }
    }

    #[test]
    fn folders_are_named_as_docker_names_them() {
        // `printf desktop-linux | sha256sum`
        assert_eq!(
            folder_name("desktop-linux"),
            "fe9c6bd7a66301f49ca9b6a70b217107cd1284598bfc254700c989b916da791e"
        );
    }

    #[test]
    fn contexts_lead_to_endpoints() {
        let folder = Folder::new();
        folder.context("plain", "tcp://box:2375", false, false);
        folder.context("safe", "tcp://box:2376", true, false);
        folder.context("loose", "tcp://box:2376", true, true);
        folder.context("far", "ssh://ada@box", false, false);
        let env = folder.env();
        let shown = |name| {
            endpoint(name, &env)
                .map(|e| e.to_string())
                .map_err(|e| e.to_string())
        };
        assert_eq!(shown("plain").as_deref(), Ok("tcp://box:2375"));
        assert_eq!(shown("safe").as_deref(), Ok("https://box:2376"));
        assert_eq!(shown("far").as_deref(), Ok("ssh://ada@box"));
        assert!(
            shown("loose")
                .expect_err("refused")
                .contains("certificates")
        );
        assert!(
            shown("none")
                .expect_err("missing")
                .contains("there is no Docker context")
        );
        assert!(shown("../../etc").expect_err("a path").contains("no name"));
        assert_eq!(names(&env), ["far", "loose", "plain", "safe"]);
    }

    #[test]
    fn the_current_context_follows_dockers_own_order() {
        let folder = Folder::new();
        folder.put("config.json", r#"{"auths":{},"currentContext":"work"}"#);
        let env = folder.env();
        assert_eq!(current(&env), Ok(Some("work".into())));
        let with_host = Env {
            docker_host: Some("tcp://x".into()),
            ..env.clone()
        };
        assert_eq!(current(&with_host), Ok(None));
        let with_context = Env {
            docker_context: Some("other".into()),
            ..with_host
        };
        assert_eq!(current(&with_context), Ok(Some("other".into())));
        let default = Env {
            docker_context: Some("default".into()),
            ..env
        };
        assert_eq!(current(&default), Ok(None));
    }

    #[test]
    fn broken_and_oversized_files_are_errors_and_not_panics() {
        let folder = Folder::new();
        let key = folder_name("bad");
        folder.put(&format!("contexts/meta/{key}/meta.json"), "{\"Name\":");
        let huge = folder_name("huge");
        folder.put(
            &format!("contexts/meta/{huge}/meta.json"),
            &" ".repeat(1024 * 1024 + 2),
        );
        folder.put("config.json", "not json");
        let env = folder.env();
        for name in ["bad", "huge"] {
            let error = endpoint(name, &env).expect_err(name).to_string();
            assert!(error.contains("cannot be read"), "{error}");
        }
        assert!(matches!(current(&env), Err(ContextError::Config { .. })));
        assert_eq!(names(&env), Vec::<String>::new());
    }
}
