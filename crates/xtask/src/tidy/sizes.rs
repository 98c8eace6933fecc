//! File sizes. Tests below the code do not count.

use super::{Finding, Rule};
use crate::repo::Repo;

pub(super) const RULE: Rule = Rule {
    id: "sizes",
    what: "Rust up to 500 production lines a file, TypeScript and Svelte up to 300, the shell up to 3,000 in all",
    check,
};

const RUST_LINES: usize = 500;
const PAGE_LINES: usize = 300;
const SHELL_LINES: usize = 3_000;

fn check(repo: &Repo) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    let mut shell = 0;
    for folder in ["crates", "src-tauri", "tests"] {
        for path in repo.files(folder, &[".rs"])? {
            if is_test(&path) {
                continue;
            }
            let lines = production_lines(&repo.read(&path)?);
            if folder == "src-tauri" {
                shell += lines;
            }
            if lines > RUST_LINES {
                findings.push(Finding::new(
                    path,
                    format!("{lines} production lines, at most {RUST_LINES}: split it"),
                ));
            }
        }
    }
    if shell > SHELL_LINES {
        findings.push(Finding::new(
            "src-tauri",
            format!("{shell} lines in all, at most {SHELL_LINES}: decisions belong to keeper"),
        ));
    }
    for path in repo.files("ui/src", &[".ts", ".svelte"])? {
        if path.ends_with(".test.ts") || path.ends_with(".gen.ts") {
            continue;
        }
        let lines = repo.read(&path)?.lines().count();
        if lines > PAGE_LINES {
            findings.push(Finding::new(
                path,
                format!("{lines} lines, at most {PAGE_LINES}: split it"),
            ));
        }
    }
    Ok(findings)
}

/// Files that hold nothing but tests.
fn is_test(path: &str) -> bool {
    path.starts_with("tests/integration/")
        || path.ends_with("/tests.rs")
        || path.contains("/tests/")
        || path.ends_with("_tests.rs")
}

/// Lines outside `#[cfg(test)] mod … { … }`. rustfmt puts the closing brace of a top-level module
/// at the start of a line, which is all the parsing this needs.
fn production_lines(text: &str) -> usize {
    let mut count = 0;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let opens_tests = line == "#[cfg(test)]"
            && lines
                .peek()
                .is_some_and(|next| next.contains("mod ") && next.ends_with('{'));
        if opens_tests {
            for inside in lines.by_ref() {
                if inside == "}" {
                    break;
                }
            }
        } else {
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::testing::scratch;

    #[test]
    fn tests_below_the_code_do_not_count() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
        assert_eq!(production_lines(text), 2);
        assert_eq!(
            production_lines("#[cfg(test)]\nmod tests;\n"),
            2,
            "a test file counts itself"
        );
    }

    #[test]
    fn too_long_files_are_found_by_kind() {
        let long = "x\n".repeat(501);
        let page = "x\n".repeat(301);
        let scratch = scratch(&[
            ("crates/a/src/long.rs", &long),
            ("crates/a/src/long/tests.rs", &long),
            ("ui/src/pages/Page.svelte", &page),
            ("ui/src/pages/page.test.ts", &page),
            ("ui/src/backend/bindings.gen.ts", &page),
        ]);
        let places: Vec<_> = check(&scratch.repo)
            .unwrap()
            .into_iter()
            .map(|f| f.place)
            .collect();
        assert_eq!(places, ["crates/a/src/long.rs", "ui/src/pages/Page.svelte"]);
    }

    #[test]
    fn the_shell_has_a_limit_of_its_own() {
        let part = "x\n".repeat(500);
        let files: Vec<_> = (0..7).map(|n| format!("src-tauri/src/{n}.rs")).collect();
        let files: Vec<_> = files
            .iter()
            .map(|path| (path.as_str(), part.as_str()))
            .collect();
        let found = check(&scratch(&files).repo).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "src-tauri");
    }
}
