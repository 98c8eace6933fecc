//! Names and lengths of files that only the engine reaches.

use std::time::Duration;

use forgekeeper_domain::{
    Timestamp,
    models::{FileForm, FolderId, ModelKind},
};

use super::{ModelFile, NotLooked};
use crate::docker::Engine;

/// How long one folder may take.
const ONE: Duration = Duration::from_secs(15);
/// Longest list.
const MAX_LIST: usize = 4 * 1024 * 1024;
const MAX_FILES: usize = 20_000;

/// Lists a folder inside a running container; the error is in words.
pub(crate) async fn list(
    engine: &Engine,
    container: &str,
    folder: &str,
    id: FolderId,
) -> Result<Vec<ModelFile>, String> {
    let command = [
        "find",
        "-L",
        folder,
        "-maxdepth",
        "8",
        "-type",
        "f",
        "-exec",
        "stat",
        "-L",
        "-c",
        "%s %Y %n",
        "{}",
        "+",
    ];
    let told = engine
        .exec(container, &command, ONE, MAX_LIST)
        .await
        .map_err(|error| error.to_string())?;
    if told.truncated {
        return Err("its list is longer than what is read".to_owned());
    }
    if told.exit_code != Some(0) && told.stdout.is_empty() {
        return Err(told.stderr_text().trim().chars().take(300).collect());
    }
    Ok(parse(&told.stdout_text(), folder, id, container))
}

fn parse(text: &str, folder: &str, id: FolderId, container: &str) -> Vec<ModelFile> {
    let start = format!("{}/", folder.trim_end_matches('/'));
    let files = text.lines().filter_map(|line| {
        let (size, rest) = line.split_once(' ')?;
        let (at, path) = rest.split_once(' ')?;
        let name = path.strip_prefix(&start)?.to_owned();
        let form = FileForm::of_name(&name);
        let odd = name.chars().any(char::is_control);
        (form.is_model() && !odd).then_some(())?;
        Some(ModelFile {
            path: path.to_owned(),
            name,
            folder: Some(id),
            size: size.parse().ok()?,
            modified_at: at
                .parse()
                .ok()
                .and_then(|at| Timestamp::from_second(at).ok()),
            form,
            kind: ModelKind::default(),
            fault: None,
            not_looked: Some(NotLooked::OnlyThroughEngine),
            link: false,
            sha256: None,
            sample: None,
            identity: format!("{container}:{path}"),
        })
    });
    files.take(MAX_FILES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_line_by_line() {
        let text = "6938040714 1699000000 /m/ckpt/a b.safetensors\n12 5 /m/ckpt/put models here.txt\n\
                    99999999999999999999999 1 /m/ckpt/huge.ckpt\nnonsense\n7 x /m/ckpt/xl/b.ckpt\n7 1 /etc/c.ckpt\n";
        let files = parse(text, "/m/ckpt/", FolderId::Checkpoints, "c");
        let names: Vec<_> = files
            .iter()
            .map(|f| (f.name.as_str(), f.size, f.modified_at.is_some()))
            .collect();
        assert_eq!(
            names,
            [
                ("a b.safetensors", 6_938_040_714, true),
                ("xl/b.ckpt", 7, false)
            ]
        );
        assert!(
            files
                .iter()
                .all(|file| file.not_looked == Some(NotLooked::OnlyThroughEngine))
        );
    }
}
