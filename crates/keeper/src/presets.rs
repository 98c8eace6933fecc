//! Presets of one's own in `presets.toml`, beside the settings: a table for each name, with the fields of
//! a request. Comments and order are kept.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{GenerationRequest, OwnPreset, Preset},
};
use toml_edit::{DocumentMut, Item};

use crate::{settings::text_of, sys::files};

/// Longest file that is read, bytes.
const MAX_BYTES: u64 = 1024 * 1024;
/// Longest name in characters.
const MAX_NAME: usize = 64;
/// Most presets of one's own.
const MOST: usize = 200;

/// The file; it need not exist.
#[derive(Debug)]
pub struct OwnPresets {
    path: PathBuf,
    /// Held over reading, editing and writing: two edits never lose one another.
    editing: Mutex<()>,
}

impl OwnPresets {
    /// A file that need not exist. Nothing is read yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            editing: Mutex::new(()),
        }
    }

    /// What the file says now, by name. `Settings` with place and reason when it cannot be read.
    pub fn list(&self) -> Result<Vec<OwnPreset>, ErrorInfo> {
        let presets = self.presets(&self.text()?)?;
        let presets = presets.into_iter();
        Ok(presets
            .map(|(name, request)| OwnPreset { name, request })
            .collect())
    }

    /// Adds a preset, or replaces the one of this name. `BadRequest` for a name that cannot be used and
    /// for a request that may not be sent.
    pub fn save(&self, name: &str, request: &GenerationRequest) -> Result<(), ErrorInfo> {
        let name = checked(name)?;
        request.check().map_err(|problem| {
            ErrorInfo::new(ErrorCode::BadRequest, problem.to_string()).hint(problem.remedy())
        })?;
        self.edit(|document| {
            if !document.contains_key(name) && document.len() >= MOST {
                let message = format!("there are {MOST} presets already");
                return Err(ErrorInfo::new(ErrorCode::BadRequest, message)
                    .hint("Remove those that are not needed."));
            }
            let fields = toml_edit::ser::to_document(request).map_err(|error| {
                ErrorInfo::new(ErrorCode::Internal, "the preset cannot be written")
                    .detail(error.to_string())
            })?;
            let mut table = fields.as_table().clone();
            if let Some(before) = document.get(name).and_then(Item::as_table) {
                // What stands above it belongs to the user.
                *table.decor_mut() = before.decor().clone();
                table.set_position(before.position());
            }
            document.insert(name, Item::Table(table));
            Ok(())
        })
    }

    /// Takes a preset out. `BadRequest` when there is none of this name.
    pub fn remove(&self, name: &str) -> Result<(), ErrorInfo> {
        self.edit(|document| match document.remove(name) {
            Some(_) => Ok(()),
            None => Err(ErrorInfo::new(
                ErrorCode::BadRequest,
                format!("there is no preset `{}`", shown(name)),
            )),
        })
    }

    fn edit(
        &self,
        change: impl FnOnce(&mut DocumentMut) -> Result<(), ErrorInfo>,
    ) -> Result<(), ErrorInfo> {
        let _editing = self.editing.lock().unwrap_or_else(PoisonError::into_inner);
        let text = self.text()?;
        self.presets(&text)?;
        let mut document: DocumentMut = text
            .parse()
            .map_err(|error: toml_edit::TomlError| self.unreadable(&error.to_string()))?;
        change(&mut document)?;
        let text = document.to_string();
        // The last word on what may be written is the reader's.
        self.presets(&text)?;
        files::write_atomic(&self.path, text.as_bytes()).map_err(|error| {
            ErrorInfo::new(
                ErrorCode::Io,
                format!("`{}` cannot be written", self.path.display()),
            )
            .hint("Give this user the right to write there.")
            .detail(error.to_string())
        })
    }

    fn text(&self) -> Result<String, ErrorInfo> {
        match files::read_limited(&self.path, MAX_BYTES) {
            Ok(bytes) => Ok(text_of(&bytes)?.to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(self.unreadable(&error.to_string())),
        }
    }

    fn presets(&self, text: &str) -> Result<BTreeMap<String, GenerationRequest>, ErrorInfo> {
        toml::from_str(text).map_err(|error| self.unreadable(&error.to_string()))
    }

    fn unreadable(&self, why: &str) -> ErrorInfo {
        ErrorInfo::new(
            ErrorCode::Settings,
            format!("the presets in `{}` cannot be read", self.path.display()),
        )
        .hint("Mend the file, or move it away.")
        .detail(why)
    }
}

/// A name as a preset may have it.
fn checked(name: &str) -> Result<&str, ErrorInfo> {
    let name = name.trim();
    let bad = |message: String| Err(ErrorInfo::new(ErrorCode::BadRequest, message));
    if name.is_empty() {
        return bad("a preset needs a name".to_owned());
    }
    if name.chars().count() > MAX_NAME {
        return bad(format!("a preset's name has at most {MAX_NAME} characters"));
    }
    if name.chars().any(char::is_control) {
        return bad("a preset's name has no control characters".to_owned());
    }
    if Preset::of(name).is_some() {
        return bad(format!(
            "the preset `{name}` is built in; choose another name"
        ));
    }
    Ok(name)
}

fn shown(name: &str) -> String {
    let short: String = name.chars().take(MAX_NAME).collect();
    short.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests write files as users do")]

    use forgekeeper_domain::generation::{Hires, Seed};

    use super::*;

    fn request(steps: u32) -> GenerationRequest {
        GenerationRequest {
            prompt: "a \"portrait\"\n'''[x]".to_owned(),
            steps,
            seed: Some(Seed(u64::MAX)),
            hires: Some(Hires {
                scale: 1.5,
                steps: None,
                denoise: 0.4,
                upscaler: Some("Latent".to_owned()),
            }),
            modules: vec!["ae".to_owned()],
            ..GenerationRequest::default()
        }
    }

    #[test]
    fn presets_come_back_as_saved_and_comments_stay() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("presets.toml");
        let presets = OwnPresets::new(&path);
        assert_eq!(presets.list().unwrap(), []);
        presets.save(" Portrait, été ", &request(30)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("# Mine.\n{text}")).unwrap();
        presets.save("b", &request(10)).unwrap();
        presets.save("Portrait, été", &request(31)).unwrap();
        let found = presets.list().unwrap();
        let named = |name: &str, steps| OwnPreset {
            name: name.to_owned(),
            request: request(steps),
        };
        assert_eq!(found, [named("Portrait, été", 31), named("b", 10)]);
        assert!(
            std::fs::read_to_string(&path)
                .unwrap()
                .starts_with("# Mine.\n")
        );
        presets.remove("b").unwrap();
        assert_eq!(presets.list().unwrap().len(), 1);
        assert_eq!(presets.remove("b").unwrap_err().code, ErrorCode::BadRequest);
    }

    #[test]
    fn what_cannot_be_a_preset_is_refused_and_nothing_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("presets.toml");
        let presets = OwnPresets::new(&path);
        for name in ["", "  ", "smoke", "a\u{1b}b", &"x".repeat(65)] {
            let error = presets.save(name, &request(5)).unwrap_err();
            assert_eq!(error.code, ErrorCode::BadRequest, "{name:?}");
        }
        let error = presets.save("a", &request(0)).unwrap_err();
        assert!(error.message.contains("steps") && error.hint.is_some());
        assert!(!path.exists());
    }

    #[test]
    fn a_broken_file_is_told_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("presets.toml");
        let presets = OwnPresets::new(&path);
        for broken in [&b"[a]\nsteps = 5"[..], b"[a", b"\xff\xfe\0", b"a = 5"] {
            std::fs::write(&path, broken).unwrap();
            assert_eq!(presets.list().unwrap_err().code, ErrorCode::Settings);
            let error = presets.save("b", &request(5)).unwrap_err();
            assert_eq!(error.code, ErrorCode::Settings);
            assert_eq!(std::fs::read(&path).unwrap(), broken);
        }
    }
}
