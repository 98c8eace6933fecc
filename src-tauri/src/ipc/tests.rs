use std::path::PathBuf;

use super::builder;

fn bindings_path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../ui/src/backend/bindings.gen.ts")
}

/// Generates the bindings and compares them with the committed file; with
/// `FORGEKEEPER_WRITE_BINDINGS` set (by `cargo xtask bindings`) it writes them instead.
#[test]
fn the_committed_bindings_are_the_contract() {
    let made = tempfile::tempdir().expect("folder");
    let file = made.path().join("bindings.ts");
    builder()
        .export(specta_typescript::Typescript::default(), &file)
        .expect("every wire type has a TypeScript form");
    let made = std::fs::read_to_string(&file).expect("written");
    let path = bindings_path();
    if std::env::var_os("FORGEKEEPER_WRITE_BINDINGS").is_some() {
        std::fs::copy(&file, &path).expect("the bindings can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        made == committed,
        "ui/src/backend/bindings.gen.ts is not up to date; run `cargo xtask bindings`"
    );
}

/// A command that the permission list does not name could not be called at all.
#[test]
fn the_permission_list_names_every_command() {
    let named = include_str!("../../build.rs");
    let listed = include_str!("../ipc.rs");
    let commands: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.trim().strip_suffix(','))
        .filter_map(|line| line.split_once("::").map(|(_, name)| name))
        .filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        .collect();
    assert!(commands.len() > 20, "the list was found: {commands:?}");
    let capability = include_str!("../../capabilities/main.json");
    for command in commands {
        assert!(
            named.contains(&format!("\"{command}\"")),
            "build.rs lacks {command}"
        );
        let permission = format!("\"allow-{}\"", command.replace('_', "-"));
        assert!(
            capability.contains(&permission),
            "capabilities/main.json lacks {permission}"
        );
    }
}
