# Every test that needs nothing but this machine. The bindings test of src-tauri is among them.
source "$(dirname "${BASH_SOURCE[0]}")/../suite.sh"
cd "$FK_ROOT"
must "npm packages" npm_packages
must "pages" ui_dist
must "build of the tests" cargo test --locked --workspace --exclude forgekeeper-tests --no-run
step "cargo test" cargo test --locked --workspace --exclude forgekeeper-tests --no-fail-fast
